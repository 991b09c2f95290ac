"""Text of somebody else as it may be shown: what nobody sees, and what would steer a terminal, is written out. Pure."""

from __future__ import annotations


def visible(text: str) -> str:
    """The text with what nobody sees, or what would steer a terminal, written out: ``\\u202e``."""
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def _escaped(c: str) -> str:
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
