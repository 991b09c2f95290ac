"""What the words of a text do to an assistant: classes of words (`lexicon.txt`) and how they follow each other, as numbers.

*Disregard what came before* and *forget the rules above* share no word, but two classes in one order. Features of a stretch of
text, each there or not: a class occurs; it is that of the first word, or of one of the first four; two classes follow each other
within seven words, or within two; no word is known. Works on the hashes of words that ``grams`` has; knows no weights.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from .grams import codes, word_hashes

FILE: Final = Path(__file__).with_name("lexicon.txt")
CLASSES: Final = 23
NEAR: Final = 7
"""Words from one of a pair to the other, at most."""
CLOSE: Final = 2
EARLY: Final = 4
"""Words at the beginning."""
MOST_WORDS: Final = 300
"""Of a text that is read as a whole, the first ones."""

_PAIRS: Final = 3 * CLASSES
SIZE: Final = _PAIRS + 2 * CLASSES**2 + 1
"""How many features there are."""
NOTHING: Final = SIZE - 1
"""No word is known."""


class _Pairs(dict[int, tuple[int, ...]]):
    """Features of two known words near each other, by their sets of classes (``_table``) and whether they are close."""

    def __missing__(self, key: int) -> tuple[int, ...]:
        both, close = divmod(key, 2)
        first, then = divmod(both, _SETS)
        sets = _table()[1]
        pairs = [_PAIRS + one * CLASSES + two for one in sets[first] for two in sets[then]]
        self[key] = found = tuple(pairs + [pair + CLASSES**2 for pair in pairs] if close else pairs)
        return found


class _Entries(dict[int, tuple[int, ...]]):
    """Features of a known word, by its set of classes and its place: first, among the first, or later."""

    def __missing__(self, key: int) -> tuple[int, ...]:
        own, place = divmod(key, EARLY + 1)
        kinds = _table()[1][own]
        more = [kind + CLASSES for kind in kinds] if place == 0 else []
        self[key] = found = (*kinds, *more, *(kind + 2 * CLASSES for kind in kinds if place < EARLY))
        return found


_PAIR: Final = _Pairs()
_ENTRY: Final = _Entries()
_SETS: Final = 256
"""More than there are different sets of classes that a word is in."""


def classes() -> dict[str, list[str]]:
    """The words of each class, as the file has them. Raises OSError: it is not there."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        first, colon, rest = line.partition(":")
        name = first if colon else name
        found.setdefault(name, []).extend((rest if colon else line).split())
    return found


def digest() -> str:
    """Changes with any word of any class: weights belong to one state of the file."""
    lines = (f"{name}: {' '.join(sorted(words))}" for name, words in classes().items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@cache
def _table() -> tuple[dict[int, int], list[tuple[int, ...]]]:
    """Of each word's hash the number of its set of classes; and the sets."""
    found = classes()
    words = word_hashes(codes(" ".join(itertools.chain.from_iterable(found.values())))[0])[1].tolist()
    of_words = (kind for kind, own in enumerate(found.values()) for _ in own)
    kinds: dict[int, list[int]] = {}
    for word, kind in zip(words, of_words, strict=True):
        own = kinds.setdefault(word, [])
        if kind not in own:
            own.append(kind)
    sets = sorted({tuple(own) for own in kinds.values()})
    number = {own: at for at, own in enumerate(sets)}
    return {word: number[tuple(own)] for word, own in kinds.items()}, sets


def known(words: Sequence[int]) -> list[tuple[int, int]]:
    """The words that are known, by the hashes of all: the place of each in the text, and the number of its set of classes."""
    get = _table()[0].get
    return [(at, own) for at, word in enumerate(words) if (own := get(word)) is not None]


def features(found: Sequence[tuple[int, int]]) -> set[int]:
    """What a stretch of text has, by its known words and their places in it: numbers below ``SIZE``. Linear in the words."""
    if not found:
        return {NOTHING}
    has: set[int] = set()
    add, last = has.update, len(found)
    for number, (at, own) in enumerate(found, 1):
        add(_ENTRY[own * (EARLY + 1) + min(at, EARLY)])
        base = own * _SETS
        for follower in range(number, last):
            there, then = found[follower]
            gap = there - at
            if gap > NEAR:
                break
            add(_PAIR[(base + then) * 2 + (gap <= CLOSE)])
    return has
