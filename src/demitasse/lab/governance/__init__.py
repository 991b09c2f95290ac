"""Governance from evidence: cards, datasheets, the licence register, the control table, the signed pack. Pure."""
