"""One text through all detectors. Which of them look at a text depends on who wrote it; nothing is decided here.

The application's own instructions are not scored for injection (it may give orders), nor are the model's own words.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from operator import attrgetter
from typing import Final

from msgspec import structs

from .finding import Entity, FindEntities, Findings, FindSecrets, Hidden, Injection, Secret, Source

_SCORED: frozenset[Source] = frozenset({"user", "tool", "retrieved"})


class Scanner:
    """Text in, Findings out; may be called from any thread.

    Args:
        entities, secrets, hidden: the detectors. injection: the risk of a text by who wrote it, in 0..1; None: not scored.
        bands: where the bands medium and high begin.
        names: a further recogniser of entities, for ``scan(…, names=True)``.
    """

    def __init__(
        self,
        entities: FindEntities,
        secrets: FindSecrets,
        hidden: Callable[[str], list[Hidden]],
        injection: Callable[[str, Source], float] | None,
        bands: tuple[float, float],
        names: FindEntities | None = None,
    ) -> None:
        self._entities = entities
        self._secrets = secrets
        self._hidden = hidden
        self._injection = injection
        self._medium, self._high = bands
        self._names = names

    def __call__(self, text: str, source: Source, *, names: bool = False) -> Findings:
        """All that is found in a text. ``names``: look for names of people, places and organisations too."""
        bare = _bare(text)
        bare = _without_line_escapes(bare)
        entities, cut = self._entities(bare)
        secrets, cut_too = self._secrets(bare)
        if names and self._names is not None:
            from .personal import resolve  # noqa: PLC0415 - where a scanner is made, it is loaded already

            named, cut_again = self._names(bare)
            entities, cut = resolve([*entities, *named]), cut or cut_again
        entities = self._in_addresses(bare, entities)
        if "%" in bare and _ESCAPED.search(bare) is not None:
            entities, secrets = self._escaped(bare, entities, secrets)
        if "://" in bare and "@" in bare:
            entities = _but_credentials(bare, entities)
        if bare is not text and (entities or secrets):
            place = _places(text)
            entities = [structs.replace(one, start=place(one.start), end=place(one.end - 1) + 1) for one in entities]
            secrets = [structs.replace(one, start=place(one.start), end=place(one.end - 1) + 1) for one in secrets]
        return Findings(
            entities=tuple(entities),
            secrets=tuple(secrets),
            hidden=tuple(self._hidden(text)),
            injection=self._risk(text, source),
            cut=cut or cut_too,
        )

    def of_answers(self) -> Scanner:
        """The same for what a model said, where secrets and hidden characters alone count."""
        return Scanner(lambda _text: ([], False), self._secrets, self._hidden, None, (self._medium, self._high))

    def _in_addresses(self, text: str, entities: list[Entity]) -> list[Entity]:
        """With what stands within web addresses: an address is one finding, and what is done about those is not what is done
        about the person in one."""
        urls = [one for one in entities if one.type == "URL"]
        if not urls:
            return entities
        found, _ = self._entities("\n".join(text[one.start : one.end].translate(_URL_SIGNS) for one in urls))
        begins = list(accumulate((one.end - one.start + 1 for one in urls), initial=0))
        inner = []
        for one in found:
            nth = bisect_right(begins, one.start) - 1
            move = urls[nth].start - begins[nth]
            if one.type != "URL" and one.end < begins[nth + 1]:
                inner.append(structs.replace(one, start=one.start + move, end=one.end + move))
        return sorted([*entities, *inner], key=lambda one: one.start) if inner else entities

    def _escaped(self, text: str, entities: list[Entity], secrets: list[Secret]) -> tuple[list[Entity], list[Secret]]:
        """With what stands there in the escapes of URLs (``ann%40example.com``), which every reader understands."""
        apart, whole, places = _opened(text)
        known = {(one.type, one.start) for one in entities}
        doors = {(one.kind, one.start) for one in secrets}
        moved = [structs.replace(one, start=places[one.start], end=places[one.end]) for one in self._entities(apart)[0]]
        more = [one for one in moved if one.type != "URL" and (one.type, one.start) not in known]
        if more:  # what was half of something longer
            inner = {at for one in more for at in range(one.start, one.end)}
            entities = [one for one in entities if one.start not in inner or one.end - 1 not in inner]
        opened = [structs.replace(one, start=places[one.start], end=places[one.end]) for one in self._secrets(whole)[0]]
        return (
            sorted([*entities, *more], key=_start),
            sorted([*secrets, *(one for one in opened if (one.kind, one.start) not in doors)], key=_start),
        )

    def _risk(self, text: str, source: Source) -> Injection | None:
        if self._injection is None or source not in _SCORED:
            return None
        score = self._injection(text, source)
        return Injection(score, "high" if score >= self._high else "medium" if score >= self._medium else "low")


def _but_credentials(text: str, entities: list[Entity]) -> list[Entity]:
    """Without what looks like an e-mail address because a password stands before the host: ``https://bob:pw@example.com``."""
    found = [_CREDENTIALS.search(text, one.start, one.end) for one in entities if one.type == "URL"]
    spans = [one.span() for one in found if one is not None]
    if not spans:
        return entities
    begins = [begin for begin, _ in spans]

    def is_password(one: Entity) -> bool:
        nth = bisect_right(begins, one.start) - 1
        return one.type == "EMAIL" and nth >= 0 and one.start < spans[nth][1] < one.end

    return [one for one in entities if not is_password(one)]


_CREDENTIALS: Final = re.compile(r"(?<=://)[^/?#\s@:]*:[^/?#\s]*(?=@)")
_start: Final = attrgetter("start")
_ESCAPED: Final = re.compile(r"%(?:25)*([2-7][0-9A-Fa-f])")
"""One sign of ASCII, however often it was escaped."""
_URL_SIGNS: Final = {ord(sign): " " for sign in "/?&=#;:,"}
_BREAK: Final = re.compile(r"[\s\"'<>]")


def _opened(text: str) -> tuple[str, str, list[int]]:
    """The words of a text that hold escapes, without them, a line each: with blanks for what parts an address, and as they are;
    and where in the text each character was."""
    apart: list[str] = []
    whole: list[str] = []
    places: list[int] = []
    at = done = 0  # up to where the word is copied, and up to where it has no more than one
    for match in _ESCAPED.finditer(text):
        if match.start() >= done:
            if whole:
                rest = text[at:done]
                apart += (rest.translate(_URL_SIGNS), "\n")
                whole += (rest, "\n")
                places += range(at, done + 1)
            at = match.start()
            while at > done and _BREAK.match(text[at - 1]) is None:
                at -= 1
            end = _BREAK.search(text, match.end())
            done = end.start() if end else len(text)
        between, sign = text[at : match.start()], chr(int(match[1], 16))
        apart += (between.translate(_URL_SIGNS), sign)
        whole += (between, sign)
        places += range(at, match.start() + 1)
        at = match.end()
    apart.append(text[at:done].translate(_URL_SIGNS))
    whole.append(text[at:done])
    places += range(at, done + 1)
    return "".join(apart), "".join(whole), places


_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]+"
)


def _bare(text: str) -> str:
    """The text without characters that nobody sees, which part a number in two and leave it as readable as it was."""
    if text.isascii() or _UNSEEN.search(text) is None:
        return text
    return _UNSEEN.sub("", text)


_IN_JSON: Final = re.compile(r'\s*[\[{"]')
_LINE_ESCAPES: Final = re.compile(r"\\(?:[nrtbf]|(?P<other>.))", re.DOTALL)


def _without_line_escapes(text: str) -> str:
    """JSON within a string, as long, with blanks for its escaped line ends: the n of ``\\n536-22-1847`` is no letter."""
    if "\\" not in text or _IN_JSON.match(text) is None:
        return text
    return _LINE_ESCAPES.sub(lambda match: "  " if match["other"] is None else match[0], text)


def _places(text: str) -> Callable[[int], int]:
    """Where in the text a place of the bare one is."""
    starts: list[int] = []
    added: list[int] = []
    at = kept = 0
    for match in _UNSEEN.finditer(text):
        kept += match.start() - at
        at = match.end()
        starts.append(kept)
        added.append(at - kept)

    def place(bare: int) -> int:
        nth = bisect_right(starts, bare)
        return bare + (added[nth - 1] if nth else 0)

    return place


WARMING = "Mail ann@example.com or call +49 30 901820, card 4111 1111 1111 1111, password: x9kQ2mvL0; then go on."
"""A text that meets every detector, so that what they load when first used is loaded."""


def scanner(*, false_alarms: float = 0.01, names: bool = False, injection: bool = True) -> Scanner:
    """The scanner with all detectors that this installation has.

    Args:
        false_alarms: share of honest texts that may come into the band ``high``.
        names: load the recogniser of names too; raises ConfigError where there is none.
        injection: score injection; loads numpy and the model.
    """
    from . import hidden, personal, secrets  # noqa: PLC0415 - what is not looked for is not loaded

    score, bands = None, (1.0, 1.0)
    if injection:
        from . import injection as model  # noqa: PLC0415

        score, bands = model.score, model.bands(false_alarms)
    recogniser = None
    if names:
        from .names import recogniser as make  # noqa: PLC0415

        recogniser = make()
    made = Scanner(personal.find, secrets.find, hidden.find, score, bands, recogniser)
    for source in ("user", "tool"):
        made(WARMING, source, names=names)
    return made
