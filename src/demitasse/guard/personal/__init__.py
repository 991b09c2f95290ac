"""Personal data that has a shape: patterns propose, checksums and a library verify. No model, nothing kept, nothing learnt.

One pass finds the words that hold a digit; what they may be follows from their sizes and the words before them. Signs of
their own ("@", "://", ":") lead to the rest. Plain prose costs that one pass. Names of people, places and organisations have
no shape: ``guard.names`` is for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from operator import attrgetter
from typing import Final

from ..finding import Entity
from ..kinds import NAMED
from . import codes, days, forms, numbers, phones, street, web
from .context import EAST
from .scan import Scan, Word, words

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
    if ":" in scan.text:
        web.colons(scan)
    _digits(scan)
    street.after(scan)
    if "year" in scan.text or "month" in scan.text or "week" in scan.text:
        days.spelt(scan)
    return resolve(scan.found), scan.cut


def resolve(entities: Iterable[Entity]) -> list[Entity]:
    """Without overlaps: what is all but certain (0.9) keeps its place, then numbers before names and places, then the longer.

    The two tiers are joined by this too: ``resolve(find(text)[0] + names(text)[0])``.
    """
    entities = sorted(entities, key=_start)
    if all(one.end <= other.start for one, other in pairwise(entities)):
        return entities
    ranked = sorted(
        entities, key=lambda it: (it.score < SURE, it.type in _SOFT, it.start - it.end, -it.score, it.start)
    )
    kept: list[Entity] = []
    taken = bytearray(max(entity.end for entity in ranked))
    for entity in ranked:
        if not any(taken[entity.start : entity.end]):
            taken[entity.start : entity.end] = b"\1" * (entity.end - entity.start)
            kept.append(entity)
    return sorted(kept, key=_start)


def _digits(scan: Scan) -> None:
    text = scan.text
    seen, plain = 0, text.isascii()
    for match in _RUN_OR_WORD.finditer(text):
        if seen >= MOST_WORDS:
            scan.cut = True
            break
        start, end = match.span()
        if match.lastindex:
            said = match[0]
            if said.isdecimal():
                seen += 1
                if end - start >= numbers.FEWEST_DIGITS:
                    numbers.one(scan, start, said)
                if end - start <= 6:
                    _beside(scan, start, end)
                continue
            row = forms.row(said)
            count = len(row.sizes)
            if seen + count > MOST_WORDS:
                scan.cut, count = True, MOST_WORDS - seen
                said = said[: row.places[count - 1] + row.sizes[count - 1]]
                end, row = start + len(said), forms.row(said)
            seen += count
            if row.free and phones.vanity(scan, start, end):
                continue
            if row.few or not (phones.whole(scan, start, end, said, row) or numbers.run(scan, start, said, row)):
                for nth in (0, count - 1):
                    if row.sizes[nth] <= 6:
                        at = start + row.places[nth]
                        _beside(scan, at, at + row.sizes[nth])
            continue
        seen += 1
        if not plain:  # letters of a script that puts no spaces between words
            digits = start + len(match[0]) - len(match[0].lstrip("0123456789"))
            after = text[digits : digits + 1] >= EAST
            if after:
                end = digits
            if digits - start >= numbers.FEWEST_DIGITS and (after or text[start - 1 : start] >= EAST):
                numbers.one(scan, start, text[start:digits])
                continue
        while start and text[start - 1].isalnum() and text[start - 1] < EAST:
            start -= 1
        word = Word(text[start:end], start, end)
        if not codes.code(scan, word) and not street.postcode(scan, word) and word.text[:1].isdecimal():
            _small(scan, word)
    if seen >= 3 and (text.count("-") >= 5 or text.count(".") >= 2):
        web.dashed_mac(scan)


def _beside(scan: Scan, start: int, end: int) -> None:
    """A small number of digits: looked at where what is beside it may tell something, which two characters after it show."""
    text = scan.text
    if _may_follow(text, end):
        _small(scan, Word(text[start:end], start, end))
        return
    if not start or (text[start - 1] not in _BEFORE and (text[start - 1] != "-" or end - start < 4)):
        if end - start == 2 and text[start - 1 : start] == "(":
            days.named(scan, start, end)
        return
    if end - start == 2 and text[end : end + 1] == "," and text[start - 2] == ",":
        days.named(scan, start, end)
        return
    said = text[max(0, start - 40) : start]
    last = _last(said)
    if last and (days.tells(last) or street.tells(last, end - start, said)):
        _small(scan, Word(text[start:end], start, end))


def _small(scan: Scan, word: Word) -> None:
    """A small number means nothing without the word beside it."""
    said = scan.text[max(0, word.start - 40) : word.start]
    last = _last(said)
    near = last if "\n" not in said[-3:] else ""
    if word.size > 4 or not days.beside(scan, word, near):
        street.beside(scan, word, said, last)


def _may_follow(text: str, end: int) -> bool:
    """Whether what comes after a number can make it a house's, a day of a month, or an age: by two characters of it."""
    sign = text[end : end + 1]
    if sign == ".":
        return text[end + 1 : end + 5] in _GERMAN
    if sign == ",":
        end += 1
        sign = text[end : end + 1]
    if sign not in {" ", "-"}:
        return False
    pair = text[end + 1 : end + 3]
    if pair.isascii():
        if pair[:1].isdigit():  # of a flat or of a street; nothing else is read on in digits
            return sign == " " and _STREET.match(text, end) is not None
        return pair[:1].isupper() or pair.lower() in _FOLLOWS
    return True


def _last(said: str) -> str:
    """The word at the end, small, or nothing where more than three other signs follow it."""
    bare = said.rstrip(_STRIPPED)
    if len(said) - len(bare) > 3:
        return ""
    at = len(bare)
    while at and bare[at - 1].isalpha():
        at -= 1
    return bare[at:].lower()


_STRIPPED: Final = " \n\t\r.,:#=\"'|-*"
_start: Final = attrgetter("start")
_SOFT: Final = NAMED | {"ADDRESS", "ZIP", "DATE"}
_JOIN: Final = r"(?: - | / |\)[ -]?|[ -]\(|[ \-./(])"
_RUN_OR_WORD: Final = re.compile(rf"\d(?:(?<![^\W_]\d)(\d*+(?![^\W_])(?:{_JOIN}\d++(?![^\W_]))*+)|[^\W_]*+)")
"""Numbers that are joined to a row; or the rest of a word from its first digit on."""
_BEFORE: Final = frozenset(" \n\t\r.,:#=\"'")
_STREET: Final = re.compile(r" (?:\d{1,5} )?(?:\d{1,3}(?:st|nd|rd|th)|[^\W\d_])")
_FOLLOWS: Final = words(
    "da de di do du la va vo of th ja fe ma ap ju au se oc no ye yr y/ y. ya yo mo we an le vu ru av bd en ab ge lu ag ou"
)
_GERMAN: Final = frozenset(f" {month}" for month in words("Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez"))
"""After "8."."""
"""How small words begin that are read after a number: of a street's name, for a month, for years."""
