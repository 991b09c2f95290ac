"""Which lettered option an answer picks: by its letter, or by the option's words where they can mean no other.

Knows the options that were shown; nothing of which is right.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from ...score.normal import choice
from .closed import ClosedSet


def picked(text: str, options: Sequence[str]) -> str | None:
    """The letter that an answer picks; None where it picks none, denies one, or several.

    Args:
        text: the answer.
        options: as they were shown, ``A`` first; empty where they stand in the question and are not known.

    The letter speaks before the option's words: ``B. Paris`` is B.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if len(text) > _LONGEST:
        text = f"{text[:_SHORT]}\n{text[-_LONGEST:]}"
    bare = text.strip()
    most = chr(ord("A") + len(options) - 1) if options else "J"
    if len(bare) == 1 and "A" <= bare.upper() <= "Z":
        return bare.upper() if bare.upper() <= most else None
    found = _by_letter(text, many=len(options) > _READ_BY_CHOICE)
    if found is not None:
        return found if found <= most else None
    return _by_words(text, tuple(options)) if options else None


def letter_of(place: int) -> str:
    """``A`` for the first option."""
    return chr(ord("A") + place)


_READ_BY_CHOICE = 10


def _by_letter(text: str, *, many: bool) -> str | None:
    affirmed = _DENIALS.sub(" ", text) if _MAY_DENY.search(text) else text
    if many:
        alone = _ALONE.fullmatch(affirmed)
        if alone:
            return alone[1].upper()
    if _SEVERAL.search(affirmed):
        return None
    listed = len({m[1] for m in _LISTED.finditer(affirmed)}) > _MAY_REASON
    found = choice(affirmed, told=not listed)
    if found is not None:
        return found
    concluded = [one for m in _CONCLUDED.finditer(affirmed) for one in m.groups() if one]
    return concluded[-1] if concluded else None


def _by_words(text: str, options: tuple[str, ...]) -> str | None:
    known = _closed(options)
    if len({m[1] for m in _LISTED.finditer(text)}) > 1:  # it goes through the options
        return None
    short = len(text) <= _SHORT
    member = known.named(text) if short else known.named(text[-_SHORT:].partition("\n")[2])
    return letter_of(options.index(member)) if member is not None else None


@lru_cache(4_096)
def _closed(options: tuple[str, ...]) -> ClosedSet:
    return ClosedSet(options)


_LONGEST = 20_000
"""Characters of an answer that are looked at, from its end."""
_SHORT = 400
"""Characters of an answer in which an option's words are looked for: a long one weighs them all before it picks."""
_MAY_REASON = 2
"""Options that an answer may name in a list and still mean the first; one that lists more repeats the question."""
_LISTED = re.compile(r"(?:^|\s)[(\[*]{0,4}([A-J])(?:[)\]][.:]?|[.:])\**(?=\s)", re.MULTILINE)
_LETTER = r"[(\[\"'*]{0,4}([A-J])\b[)\]\"'*]{0,4}"
_ALONE = re.compile(r"[\s\"'(\[*]*(?:(?:option|choice|answer)\s*:?\s*)?[(\[]?([A-Z])[)\]]?[\s\"'.:)*]*", re.IGNORECASE)
_MAY_DENY = re.compile(
    r"\b[Nn](?:ot|either|or|ever)\b|n['’]t\b|\b(?:wrong|incorrect|false|[Ee]liminat|[Rr]ul(?:e|ed|ing) out|[Ee]xclud)"
)
_DENIALS = re.compile(
    r"""(?:(?i:\b(?:not|neither|nor|never|eliminate[sd]?|eliminating|rul(?:e|es|ed|ing)\s+out|exclud(?:e|es|ed|ing)))|n['’]t\b)
          (?i:\s+(?:be|choose|pick|select|think|the|answer|option|choice|is|or|it|it's))*
          \s+[(\["'*]{0,4}[A-J]\b[)\]"'*]{0,4}(?:\s*(?:,|or|nor|and)\s+[(\["'*]{0,4}[A-J]\b[)\]"'*]{0,4})*
       |(?:(?i:option|choice|answer)\s+)?[(\["'*]{0,4}\b[A-J]\b[)\]"'*]{0,4}\s+(?i:is|are|was|would\s+be|can|must)?\s*
          (?i:not\b|n['’]t\b|isn['’]t\b|can['’]t\b|cannot\b|wrong\b|incorrect\b|false\b)[^.\n;]*""",
    re.VERBOSE,
)
"""``not B``, ``neither A nor C``, ``rule out D``, ``B is wrong``."""
_SEVERAL = re.compile(
    r"""(?i:\b(?:answer|option|choice)s?\b[^.\n]{0,20}?|\A\s*)[(\["'*]{0,4}\b[A-J]\b[)\]"'*]{0,4}\s*
        (?:\b(?i:or|and|and/or|as\s+well\s+as|&)\s+(?i:maybe\s+|perhaps\s+|possibly\s+)?|/\s*|,\s*(?i:or|and|maybe|perhaps)\s+(?i:maybe\s+|perhaps\s+)?)
        (?i:option\s+)?[(\["'*]{0,4}[A-J]\b[)\]"'*]{0,4}\s*(?:[.!?]|$|\n|,|(?i:are\b))(?![\s\S]*\b(?i:answer|option|choice)\b)""",
    re.VERBOSE,
)
"""``A or B``: nothing is picked."""
_CONCLUDED = re.compile(
    rf"""(?:\b(?:choose|chose|pick|select|choosing|go(?:ing)?\s+with|opt\s+for|must\s+be|has\s+to\s+be|should\s+be|leaves|leaving
             |(?i:answer|option|choice)\s+is\s+(?:probably|likely|most\s+likely|definitely|clearly|indeed|therefore|thus))|,\s+but)\s+
           (?:the\s+)?(?:(?i:option|choice|answer)\s+)?{_LETTER}
       |\b(?i:so|thus|therefore|hence|thereby)\b,?\s+(?:it\s+is\s+|it's\s+|the\s+answer\s+is\s+|(?:I\s+)?(?:would\s+)?)?(?:(?i:option|choice)\s+)?
           {_LETTER}(?=\s*(?:[.,;:!]|$|because|since|is\b))
       |(?<![\w'])[(\[\"'*]{{0,4}}([A-J])[)\]\"'*]{{0,4}}\s+(?:is|seems|appears|looks)\s+(?:(?:to\s+be|definitely|clearly|likely|probably|most\s+likely|also)\s+)*
           (?:the\s+)?(?:most\s+)?(?:correct|right|best|accurate|appropriate|answer|likely)""",
    re.VERBOSE | re.MULTILINE,
)
"""What reasoning ends with: ``so it must be C``, ``I would go with (B)``, ``D is correct``; the last one speaks."""
