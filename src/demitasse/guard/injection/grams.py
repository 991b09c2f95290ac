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


def _number(value: int) -> Codes:
    """A constant as an array without axes: a number that numpy has to look at first costs a call half as much again."""
    return np.array(value & 0xFFFFFFFF, np.uint32)


_BASE: Final = _number(0x0100019B)
_MIX: Final = _number(0x9E3779B1)
_MORE: Final = _number(0x2C1B3C6D)
_NEXT: Final = _number(0x27D4EB2F)
_OVER_ONE: Final = _number(0x165667B1)
_OVER_TWO: Final = _number(0x3C6EF373)
_ONE: Final = _number(1)
_THREE: Final = _number(3)
_HALF: Final = _number(15)
_WORD_HALF: Final = _number(16)
_REST: Final = _number(32 - BITS)
_FOREIGN: Final = _number(128)
_LENGTHS: Final = tuple(_number(n * 0x85EBCA6B) for n in range(2, ORDERS[-1] + 1))
"""Added to runs of two, three and so on, so that one length is not mistaken for another."""


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


_INSIDE: Final = bytes(code == 48 or 97 <= code <= 122 or code >= 128 for code in range(256))
"""Of folded codes, whether they belong to a word."""


def codes(text: str) -> tuple[Codes, Places | None]:
    """Code points of the folded text, with a blank on both sides and no two blanks in a row; and of each where it was before
    blanks were left out, counted with the blank in front. None: nothing was left out.
    """
    if text.isascii():
        said = b" %b " % text.encode("ascii").translate(_ASCII)
        found = np.frombuffer(said, np.uint8).astype(np.uint32)
        if b"  " not in said:
            return found, None
    else:
        low = text.lower() if len(text.lower()) == len(text) else text  # a capital I with a dot becomes two
        folded = f" {low.translate(_FOLDS)} "
        found = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), np.uint32)
        if "  " not in folded:
            return found, None
    blank = found == 32
    kept = np.flatnonzero(np.concatenate(([True], ~(blank[1:] & blank[:-1]))))
    return found[kept], kept


def grams(found: Codes, told: tuple[Places, Codes] | None = None) -> tuple[Places, Places]:
    """Where each run starts (in ``found``), and its bucket; runs of characters first, by length.

    Kinds: characters by length as in ``ORDERS``; words; pairs of neighbours, with one and with two words between; triples.

    Args:
        told: what ``word_hashes`` gave, where it was asked for already.
    """
    starts, words = told or word_hashes(found)
    size = len(found)
    return laid_out(_places(1 << max(10, size.bit_length()))[:size], starts), buckets(found, words)


def laid_out(codes: Places, words: Places) -> Places:
    """What is so of the code and of the word that each run begins with, in the order of ``buckets``.

    Args:
        codes: of each code of a text; words: of each of its words.
    """
    size, count = len(codes), len(words)
    if size < 2:
        return np.zeros(0, np.int64)
    return np.concatenate(
        [codes[: size - n + 1] for n in ORDERS[: size - 1]]
        + [words[: count - less] for less in _WORDS_LESS if less < count]
    )


def buckets(found: Codes, words: Codes) -> Places:
    """The bucket of each run.

    Args:
        words: the hashes of the text's words.
    """
    if len(found) < 2:
        return np.zeros(0, np.int64)
    plus = found + _ONE
    value = plus
    values = []
    for n, length in enumerate(_LENGTHS[: len(found) - 1], 1):
        value = value[:-1] * _BASE
        value += plus[n:]
        values.append(value + length)
    if count := len(words):
        values.append(words * _THREE)
        if count > 1:
            ahead = words * _NEXT
            pairs = ahead[:-1] + words[1:]
            values.append(pairs)
            if count > 2:
                rest = words[2:]
                values += (words[:-2] * _OVER_ONE + rest, pairs[:-1] * _NEXT + rest)
                if count > 3:
                    values.append(words[:-3] * _OVER_TWO + words[3:])
    mixed = np.concatenate(values)
    mixed *= _MIX
    mixed ^= mixed >> _HALF
    mixed *= _MORE
    mixed >>= _REST
    return mixed.astype(np.int64)


_WORDS_LESS: Final = (0, 1, 2, 2, 3)
"""So many fewer than words there are of each kind of run of words."""


def word_hashes(found: Codes) -> tuple[Places, Codes]:
    """Where each word starts, and its hash: of letters and digits; all that is not ASCII counts as a letter."""
    inside = np.frombuffer(np.minimum(found, _FOREIGN).astype(np.uint8).tobytes().translate(_INSIDE), np.bool_)
    edges = (inside[1:] != inside[:-1]).nonzero()[0]  # begins and ends with a blank: starts and ends alternate
    size = len(found)
    powers, inverse = _SMALL if size <= _SMALL_SIZE else _powers(1 << size.bit_length())
    sums = np.add.accumulate((found + _ONE) * powers[:size], dtype=np.uint32).take(edges)
    before = edges[0::2]
    words = sums[1::2]
    words -= sums[0::2]
    words *= inverse.take(before)
    words ^= words >> _WORD_HALF
    return before + 1, words


@lru_cache(24)
def _places(size: int) -> Places:
    return np.arange(size)


@lru_cache(24)
def _powers(size: int) -> tuple[Codes, Codes]:
    """The base's powers modulo 2^32; and those of its inverse from the first on, mixed. Each of the given length."""
    both = []
    for base in (_BASE, pow(int(_BASE), -1, 1 << 32)):
        row = np.full(size + 1, base, np.uint32)
        row[0] = 1
        both.append(np.cumprod(row, dtype=np.uint32))
    return both[0][:-1], both[1][1:] * _MIX


_SMALL_SIZE: Final = 1024
_SMALL: Final = _powers(_SMALL_SIZE)
