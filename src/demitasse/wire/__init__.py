"""Bytes to nouns and back. Pure: no I/O."""
