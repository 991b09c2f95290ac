"""Personal data that has a shape: patterns propose, checksums and a library verify. No model, nothing kept, nothing learnt.

One pass finds the words that hold a digit; what they may be follows from their sizes and the words before them. Signs of
their own ("@", "://", ":") lead to the rest. Plain prose costs that one pass. Names of people, places and organisations have
no shape: ``guard.names`` is for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ..finding import Entity
from ..kinds import NAMED
from . import codes, days, numbers, street, web
from .scan import Scan, Word

__all__ = ["MOST_WORDS", "SURE", "find", "resolve"]

SURE: Final = 0.9
"""From this score on, a finding gives way to no longer one."""

MOST_WORDS: Final = 20_000
"""Words with digits that are looked at in one call."""


def find(text: str) -> tuple[list[Entity], bool]:
    """All that was found, in the order of the text and without overlaps, and whether a cap on the work was hit.

    Offsets are code points of ``text`` as it was given. A score of 1 means that a checksum or a grammar confirmed it.
    """
    scan = Scan(text)
    if "@" in scan.text:
        web.emails(scan)
    web.urls(scan)
    if _COLON.search(scan.text):
        web.colons(scan)
    if _DIGIT.search(scan.text):
        _digits(scan)
    return resolve(scan.found), scan.cut


def resolve(entities: Iterable[Entity]) -> list[Entity]:
    """Without overlaps: what is all but certain (0.9) keeps its place, then numbers before names and places, then the longer.

    The two tiers are joined by this too: ``resolve(find(text)[0] + names(text)[0])``.
    """
    ranked = sorted(
        entities, key=lambda it: (it.score < SURE, it.type in _SOFT, it.start - it.end, -it.score, it.start)
    )
    if len(ranked) < 2:
        return ranked
    kept: list[Entity] = []
    taken = bytearray(max(entity.end for entity in ranked))
    for entity in ranked:
        if not any(taken[entity.start : entity.end]):
            taken[entity.start : entity.end] = b"\1" * (entity.end - entity.start)
            kept.append(entity)
    return sorted(kept, key=lambda entity: entity.start)


def _digits(scan: Scan) -> None:
    text = scan.text
    group: list[Word] = []
    seen = 0
    for match in _WORD.finditer(text):
        word = Word(match[0], match.start(), match.end())
        seen += 1
        if seen > MOST_WORDS:
            scan.cut = True
            break
        if word.digits and group and text[group[-1].end : word.start] in _JOINS:
            group.append(word)
            continue
        _run(scan, group)
        group = []
        if word.digits:
            group.append(word)
        elif not codes.code(scan, word) and not street.postcode(scan, word) and word.text[0].isdecimal():
            _beside(scan, word)
    _run(scan, group)
    if seen >= 3 and (text.count("-") >= 5 or text.count(".") >= 2):
        web.dashed_mac(scan)


def _run(scan: Scan, group: list[Word]) -> None:
    if len(group) > 1 or (group and group[0].size >= 4):
        numbers.run(scan, group)
    for word in group[:1] + group[1:][-1:]:  # between them a number has numbers beside it
        if word.size <= 6:
            _beside(scan, word)


def _beside(scan: Scan, word: Word) -> None:
    """A small number means nothing without the word beside it."""
    said = scan.text[max(0, word.start - 40) : word.start]
    last = _last(said)
    near = last if "\n" not in said[-3:] else ""
    if word.size > 4 or not days.beside(scan, word, near):
        street.beside(scan, word, said, last)


def _last(said: str) -> str:
    """The word at the end, small, or nothing where more than three other signs follow it."""
    bare = said.rstrip(" \n\t\r.,:#=")
    if len(said) - len(bare) > 3:
        return ""
    at = len(bare)
    while at and bare[at - 1].isalpha():
        at -= 1
    return bare[at:].lower()


_SOFT: Final = NAMED | {"ADDRESS", "ZIP", "DATE"}
_DIGIT: Final = re.compile(r"\d")
_COLON: Final = re.compile(r":[0-9A-Fa-f]{0,4}:")
_WORD: Final = re.compile(r"(?<![^\W_])[^\W\d_]*+\d[^\W_]*+")
_JOINS: Final = frozenset({" ", "-", ".", "/", ") ", ")", " (", "(", ")-", "-(", " - ", " / "})
