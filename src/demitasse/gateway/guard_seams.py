"""Where a value lies over two adjacent texts of one message, neither of which holds enough of it to be recognised. Pure.

Models read the texts of a message as one; so what lies at their seams is looked at as one, too, and what is found across a
seam counts as found in each. Knows parts and findings; decides nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from ..guard.finding import Entity, Findings, Secret
from ..wire.parts import Part, Place
from .guard_findings import Piece

SEAM_CHARS: Final = 64
"""So much of a text is read with the one before it, and with the one after it."""
_APART: Final = "\n\n"
_LEAST_DEEP: Final = 3
"""A text of a list within a message lies deeper: ``("messages", 0, "content", 1, "text")``."""


class Stretch(NamedTuple):
    """Of a part: what stands at ``at`` in the seam's text is ``part.text[start:end]``."""

    at: int
    part: Part
    start: int
    end: int


class Seam(NamedTuple):
    """Texts that follow upon one another in one message, joined; of long ones their ends alone."""

    text: str
    stretches: tuple[Stretch, ...]

    @property
    def piece(self) -> Piece:
        """As what is looked at. Orders are looked for in the texts themselves."""
        return Piece(self.stretches[0].part, "assistant", 0, self.text)

    def lies(self, start: int, end: int) -> list[Stretch]:
        """What of each part a stretch of the seam's text is."""
        found = []
        nth = bisect_right(self.stretches, start, key=attrgetter("at")) - 1
        for one in self.stretches[max(0, nth) :]:
            if one.at >= end:
                break
            a, b = max(start, one.at), min(end, one.at + one.end - one.start)
            if a < b:
                found.append(Stretch(a, one.part, one.start + a - one.at, one.start + b - one.at))
        return found


def seams(asked: Sequence[Part], *, names: bool) -> list[Seam]:
    """All seams of a request. With ``names`` each also with a blank between its texts: a name's words are parted by one."""
    found: list[Seam] = []
    run: list[Part] = []
    last: Place = ()
    for part in asked:
        within = _within(part.place) if len(part.place) > _LEAST_DEEP else ()
        if not within and not run:
            continue
        if not within or within != last:
            found += _joined(run, names)
            run = []
        last = within
        if within:
            run.append(part)
    return found + _joined(run, names)


def across(
    looked: Iterable[tuple[Seam, Findings]], known: Iterable[tuple[Piece, Findings]]
) -> list[tuple[Seam, Findings]]:
    """Of what was found in seams that which lies in more than one text. ``known``: what was found in each text by itself."""
    some = [(seam, found) for seam, found in looked if found.entities or found.secrets or found.cut]
    if not some:
        return []
    texts: dict[Place, list[_Found]] = {}
    for piece, found in known:
        at, here = piece.start, texts.setdefault(piece.part.place, [])
        here += (_Found(one.type, at + one.start, at + one.end) for one in found.entities)
        here += (_Found(one.kind, at + one.start, at + one.end) for one in found.secrets)
    return [
        (
            seam,
            Findings(
                entities=tuple(one for one in found.entities if _is_new(seam, one, texts)),
                secrets=tuple(one for one in found.secrets if _is_new(seam, one, texts)),
                cut=found.cut,
            ),
        )
        for seam, found in some
    ]


class _Found(NamedTuple):
    type: str
    start: int
    end: int


def _within(place: Place) -> Place:
    """The list whose texts are read as one; empty where this is none of such a list."""
    if place[-1] == "text":
        place = place[:-1]
    listed = len(place) > _LEAST_DEEP and place[0] in ("messages", "input") and place[-1].__class__ is int
    return place[:-1] if listed else ()


def _joined(run: Sequence[Part], names: bool) -> list[Seam]:
    if len(run) < 2:
        return []
    return [_seam(run, blank) for blank in (("", " ") if names else ("",))]


def _seam(run: Sequence[Part], blank: str) -> Seam:
    told: list[str] = []
    stretches: list[Stretch] = []
    at = 0
    for part in run:
        if told:
            told.append(blank)
            at += len(blank)
        length = len(part.text)
        ends = ((0, length),) if length <= 2 * SEAM_CHARS else ((0, SEAM_CHARS), (length - SEAM_CHARS, length))
        for start, end in ends:
            if start:
                told.append(_APART)
                at += len(_APART)
            told.append(part.text[start:end])
            stretches.append(Stretch(at, part, start, end))
            at += end - start
    return Seam("".join(told), tuple(stretches))


def _is_new(seam: Seam, one: Entity | Secret, known: Mapping[Place, Sequence[_Found]]) -> bool:
    """Whether it lies in more texts than one, and is not a value of one of them with the next one's first word at its end."""
    lying = seam.lies(one.start, one.end)
    if len({piece.part.place for piece in lying}) < 2:
        return False
    whole = [
        any(
            found.type == _type(one) and found.start <= piece.start and found.end >= piece.end
            for found in known.get(piece.part.place, ())
        )
        for piece in lying
    ]
    said = (so or _word(piece.part.text[piece.start : piece.end]) for so, piece in zip(whole, lying, strict=True))
    return not (any(whole) and all(said))


def _type(one: Entity | Secret) -> str:
    return one.type if isinstance(one, Entity) else one.kind


_word = re.compile(r"[^\W\d_]+").fullmatch
