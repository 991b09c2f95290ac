"""Ledger and files in, policies out: outcomes · router · cascade · certify · replay. Knows no socket and no server."""
