"""Runs of characters and of words as numbers: what both the training and the scoring of a linear detector read. Knows no weights.

A text becomes code points of its folded form; runs of n of them are hashed by a polynomial modulo 2^32 (Karp and Rabin), for all
positions at once. Words are hashed by the same polynomial from its prefix sums, so that no string is cut.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
Places = NDArray[np.int64]

BITS: Final = 20
"""2^20 buckets."""
ORDERS: Final = (2, 3, 4, 5, 6)
"""Lengths of the runs of characters."""
_BASE: Final = np.uint32(0x0100019B)
_MIX: Final = np.uint32(0x9E3779B1)
_MORE: Final = np.uint32(0x2C1B3C6D)
_NEXT: Final = np.uint32(0x27D4EB2F)
_OVER_ONE: Final = np.uint32(0x165667B1)
_OVER_TWO: Final = np.uint32(0x3C6EF373)
_INVERSE: Final = np.uint32(pow(int(_BASE), -1, 1 << 32))


class _Folds(dict[int, str]):
    """Letters without accents, in lower case; digits are all ``0``; blanks are one blank."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if char.isspace():
            folded = " "
        elif char.isdecimal():
            folded = "0"
        else:
            apart = unicodedata.normalize("NFD", char)
            folded = apart[0] if apart[0] < "\u0250" and len(apart) > 1 else char
        if len(self) < 20_000:
            self[code] = folded
        return folded


_FOLDS: Final = _Folds()
_ASCII: Final = bytes(
    ord(" ") if chr(code).isspace() else ord("0") if chr(code).isdigit() else ord(chr(code).lower())
    for code in range(128)
) + bytes(range(128, 256))


def codes(text: str) -> tuple[Codes, Places | None]:
    """Code points of the folded text, with a blank on both sides and no two blanks in a row; and of each where it was before
    blanks were left out, counted with the blank in front. None: nothing was left out.
    """
    if text.isascii():
        found = np.frombuffer(b" " + text.encode("ascii").translate(_ASCII) + b" ", np.uint8).astype(np.uint32)
    else:
        low = text.lower() if len(text.lower()) == len(text) else text  # a capital I with a dot becomes two
        folded = f" {low.translate(_FOLDS)} "
        found = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), np.uint32)
    blank = found == 32
    twice = blank[1:] & blank[:-1]
    if not twice.any():
        return found, None
    kept = np.flatnonzero(np.concatenate(([True], ~twice)))
    return found[kept], kept


def grams(found: Codes, told: tuple[Places, Codes] | None = None) -> tuple[Places, Places]:
    """Where each run starts (in ``found``), and its bucket; runs of characters first, by length.

    Kinds: characters by length as in ``ORDERS``; words; pairs of neighbours, with one and with two words between; triples.

    Args:
        told: what ``word_hashes`` gave, where it was asked for already.
    """
    size = len(found)
    if size < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    every = _places(1 << max(10, size.bit_length()))
    plus = found + np.uint32(1)
    value = plus
    values, places = [], []
    for n in range(2, min(ORDERS[-1], size) + 1):
        value = value[:-1] * _BASE + plus[n - 1 :]
        values.append(value + np.uint32(n * 0x85EBCA6B & 0xFFFFFFFF))
        places.append(every[: size - n + 1])
    starts, words = told or word_hashes(found)
    if count := len(words):
        values.append(words * np.uint32(3))
        places.append(starts)
        ahead = words * _NEXT
        if count > 1:
            pairs = ahead[:-1] + words[1:]
            values.append(pairs)
            places.append(starts[:-1])
        if count > 2:
            values += (words[:-2] * _OVER_ONE + words[2:], pairs[:-1] * _NEXT + words[2:])
            places += (starts[:-2], starts[:-2])
        if count > 3:
            values.append(words[:-3] * _OVER_TWO + words[3:])
            places.append(starts[:-3])
    mixed = np.concatenate(values)
    mixed *= _MIX
    mixed ^= mixed >> np.uint32(15)
    mixed *= _MORE
    mixed >>= np.uint32(32 - BITS)
    return np.concatenate(places), mixed.astype(np.int64)


def word_hashes(found: Codes) -> tuple[Places, Codes]:
    """Where each word starts, and its hash: of letters and digits; all that is not ASCII counts as a letter."""
    inside = (found >= 128) | ((found >= 97) & (found <= 122)) | (found == 48)
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1  # begins and ends with a blank: starts and ends alternate
    starts, ends = edges[0::2], edges[1::2]
    powers, inverse = _powers(1 << max(10, len(found).bit_length()))
    sums = np.zeros(len(found) + 1, np.uint32)
    np.cumsum((found + np.uint32(1)) * powers[: len(found)], dtype=np.uint32, out=sums[1:])
    words = (sums[ends] - sums[starts]) * inverse[starts] * _MIX
    return starts, words ^ (words >> np.uint32(16))


@lru_cache(24)
def _places(size: int) -> Places:
    return np.arange(size)


@lru_cache(24)
def _powers(size: int) -> tuple[Codes, Codes]:
    """The base's powers and those of its inverse modulo 2^32, each of the given length."""
    both = []
    for base in (_BASE, _INVERSE):
        row = np.full(size, base, np.uint32)
        row[0] = 1
        both.append(np.cumprod(row, dtype=np.uint32))
    return both[0], both[1]
