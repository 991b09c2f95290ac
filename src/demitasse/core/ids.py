"""Identifiers that sort by time. Pure: the moment and the random bits are passed in."""

from __future__ import annotations

RANDOM_BITS = 48


def call_id(at_us: int, random_bits: int) -> str:
    """``c``, 14 hexadecimal digits of microseconds, 12 of ``RANDOM_BITS`` random bits. Sorts by time as text."""
    return f"c{at_us:014x}{random_bits:012x}"
