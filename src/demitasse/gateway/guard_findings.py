"""What the findings in a prompt's parts come to: counts for the books, the worst risks, the spans that rules act on. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..core.entry import Guarded
from ..guard.finding import UNTRUSTED, Findings, Source
from ..wire.parts import Part
from .guard_rules import Rules

if TYPE_CHECKING:
    from .guard_seams import Seam


class Piece(NamedTuple):
    """A stretch of a part that one author wrote; parts with retrieved passages are several."""

    part: Part
    source: Source
    start: int
    """Where in the part's text it begins; before it, where the name of its member is read with it."""
    text: str


class Span(NamedTuple):
    """A piece of a part that is not to go out. ``back``: the answer gets it back."""

    start: int
    end: int
    type: str
    back: bool


class Risk(NamedTuple):
    """The highest risk of injection among parts of one kind of trust."""

    score: float
    band: str
    source: Source
    text: str
    """The text that bears it."""

    @property
    def untrusted(self) -> bool:
        return self.source in UNTRUSTED


class Wanted(NamedTuple):
    """What rules want done about personal data and secrets."""

    spans: list[tuple[Part, list[Span]]]
    """Of each part that has some, in the order of its text and apart."""
    local: list[str]
    """Types for whose sake the call stays on this machine."""
    refused: list[str]
    """Types for whose sake it is refused."""


def pieces(asked: Iterable[Part]) -> list[Piece]:
    """Parts cut by who wrote them."""
    found: list[Piece] = []
    for part in asked:
        if part.passages:
            found += [Piece(part, source, a, part.text[a:b]) for source, a, b in part.pieces()]
        elif part.before:
            found.append(Piece(part, part.source, -len(part.before), part.before + part.text))
        else:
            found.append(Piece(part, part.source, 0, part.text))
    return found


def risks(asked: Sequence[Piece], found: Sequence[Findings]) -> list[Risk]:
    """The highest of what users wrote and the highest of what others did; none where nothing was scored."""
    worst: dict[bool, Risk] = {}
    for piece, findings in zip(asked, found, strict=True):
        if (one := findings.injection) is None:
            continue
        untrusted = piece.source in UNTRUSTED
        last = worst.get(untrusted)
        if last is None or last.score < one.score:
            worst[untrusted] = Risk(one.score, one.band, piece.source, piece.text)
    return list(worst.values())


def high_risks(asked: Sequence[Piece], found: Sequence[Findings]) -> list[Risk]:
    """Every text of the band ``high``, each once."""
    return [
        Risk(one.score, one.band, source, text)
        for (source, text), one in {
            (piece.source, piece.text): findings.injection for piece, findings in zip(asked, found, strict=True)
        }.items()
        if one is not None and one.band == "high"
    ]


def told(found: Sequence[Findings], worst: Sequence[Risk], rules: Rules) -> Guarded:
    """What the books say of it, before anything is done."""
    counts: dict[str, int] = {}
    hidden: dict[str, int] = {}
    cut = False
    for findings in found:
        for entity in findings.entities:
            if rules.action(entity.type) != "allow":
                counts[entity.type] = counts.get(entity.type, 0) + 1
        if rules.secrets != "allow":
            for secret in findings.secrets:
                counts[secret.kind] = counts.get(secret.kind, 0) + 1
        for one in findings.hidden:
            hidden[one.kind] = hidden.get(one.kind, 0) + 1
        cut = cut or findings.cut
    highest = max(worst, key=_by_band, default=None) if len(worst) > 1 else next(iter(worst), None)
    return Guarded(
        found=tuple(sorted(counts.items())) if counts else (),
        hidden=tuple(sorted(hidden.items())) if hidden else (),
        injection=round(highest.score, 4) if highest is not None else None,
        band=highest.band if highest is not None else "",
        source=highest.source if highest is not None else "",
        cut=cut,
    )


def wanted(
    asked: Sequence[Piece], found: Sequence[Findings], rules: Rules, over: Sequence[tuple[Seam, Findings]] = ()
) -> Wanted:
    """Which spans are to be replaced, and which types decide about the whole call. ``over``: what lies over several parts."""
    local: dict[str, None] = {}
    refused: dict[str, None] = {}
    spans: list[tuple[Part, list[Span]]] = []
    for piece, findings in zip(asked, found, strict=True):
        if not (findings.entities or findings.secrets):
            continue
        said = _said(findings, rules)
        for _, _, type, action in said:
            if action == "refuse":
                refused[type] = None
            elif action == "local" or (piece.part.fixed and action in _REPLACED):
                local[type] = None  # no placeholder can stand in the name of a member
        if piece.part.fixed:
            continue
        at = piece.start
        cut = _apart(
            Span(max(0, at + a), at + b, type, act == "redact")
            for a, b, type, act in said
            if act in _REPLACED and at + b > 0
        )
        if cut and spans and spans[-1][0] is piece.part:
            spans[-1][1].extend(cut)
        elif cut:
            spans.append((piece.part, cut))
    if not over:
        return Wanted(spans, list(local), list(refused))
    by_place = {part.place: (part, cut) for part, cut in spans}
    for seam, findings in over:
        for a, b, type, action in _said(findings, rules):
            if action == "refuse":
                refused[type] = None
            elif action == "local":
                local[type] = None
            elif action in _REPLACED:
                for _, part, start, end in seam.lies(a, b):
                    by_place.setdefault(part.place, (part, []))[1].append(Span(start, end, type, action == "redact"))
    spans = [(part, _apart(cut)) for part, cut in by_place.values()]
    return Wanted(spans, list(local), list(refused))


def _said(findings: Findings, rules: Rules) -> list[tuple[int, int, str, str]]:
    """Where, what, and what is done about it."""
    said = [(one.start, one.end, one.kind, rules.secrets) for one in findings.secrets]
    return said + [(one.start, one.end, one.type, rules.action(one.type)) for one in findings.entities]


def replaced(spans: Iterable[tuple[Part, Iterable[Span]]]) -> Counter[tuple[str, str]]:
    """How often each type was redacted or masked."""
    done: Counter[tuple[str, str]] = Counter()
    for _, cut in spans:
        done.update(("redact" if one.back else "mask", one.type) for one in cut)
    return done


def listed(done: Mapping[tuple[str, str], int]) -> tuple[tuple[str, str, int], ...]:
    """``Guarded.done``."""
    return tuple(sorted((action, what, count) for (action, what), count in done.items()))


_REPLACED = frozenset({"redact", "mask"})


def _by_band(risk: Risk) -> tuple[int, float]:
    return ("low", "medium", "high").index(risk.band), risk.score


def _apart(spans: Iterable[Span]) -> list[Span]:
    """In the order of the text; those that overlap become one, of the first's type, and masked if one of them is."""
    kept: list[Span] = []
    for one in sorted(spans):
        last = kept[-1] if kept else None
        if last is not None and one.start < last.end:
            kept[-1] = Span(last.start, max(last.end, one.end), last.type, last.back and one.back)
        else:
            kept.append(one)
    return kept
