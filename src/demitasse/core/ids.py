"""Identifiers that sort by time. Pure: the moment and the random bits are passed in."""

from __future__ import annotations

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)


def call_id(at_us: int, random_bits: int) -> str:
    """``c`` and 25 base-32 digits: 55 bits of microseconds, then 70 random bits. Sorts by time as text."""
    value = (at_us & 0x7FFFFFFFFFFFFF) << 70 | (random_bits & 0x3FFFFFFFFFFFFFFFFF)
    pairs = _PAIRS
    return "c" + _ALPHABET[value >> 120 & 31] + "".join([pairs[value >> s & 1023] for s in _SHIFTS])


_SHIFTS = tuple(range(110, -1, -10))
