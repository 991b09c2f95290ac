"""Placeholders into a call's texts, and a restorer of its answer. Knows parts and spans; not why something is taken out."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.call import Call
from ..core.errors import Refused
from ..guard.placeholders import Cut, Redaction, Text
from ..guard.spellings import Spelt, spelling
from ..wire.parts import Part
from ..wire.restore import Restorer
from .guard_findings import Span
from .guarding import Redacted
from .vaulting import Vaulting

LEAST_CHARS = 5
"""A value this long that was found in one place is taken out wherever it stands; shorter ones are words of their own."""
LEAST_VALUES = 200
"""So many values are looked for in any prompt; more of them in shorter ones."""
MOST_CHARS = 20_000_000
"""So many characters are read for that, all values together."""
_PART_CHARS = 500
"""What beginning to look for a value in a text costs, in characters."""


class Redactor:
    """Args:
    secret: of this installation; placeholders are its HMACs.
    vaulting: keeps what they stand for; None: nobody does, and one that an earlier turn left in a text stays what it is.
    """

    def __init__(self, secret: bytes, vaulting: Vaulting | None = None) -> None:
        self._secret = secret
        self._vaulting = vaulting

    def __call__(self, call: Call, asked: Sequence[Part], spans: Sequence[tuple[Part, list[Span]]]) -> Redacted:
        """See ``guarding.Redact``."""
        cuts = {part.place: [Cut(one.start, one.end, one.type, not one.back) for one in cut] for part, cut in spans}
        _elsewhere(asked, cuts)
        touched = [part for part in asked if cuts.get(part.place)]
        redaction = Redaction.of(
            (Text(part.text, cuts[part.place], part.name, part.source == "system") for part in touched),
            secret=self._secret,
            tenant=call.caller.tenant,
            session=call.session,
        )
        texts = {part.place: text for part, text in zip(touched, redaction.texts, strict=True)}
        values = redaction.values
        if self._vaulting is not None:
            self._vaulting.remember(call, values)
            values = self._vaulting.recall(call, (p.text for p in asked), {*values, *redaction.masked}) | values
        return Redacted(texts, Restorer(values) if values else None)

    def recall(self, call: Call, asked: Sequence[Part]) -> Restorer | None:
        """See ``guarding.Recall``."""
        if self._vaulting is None:
            return None
        values = self._vaulting.recall(call, (part.text for part in asked))
        return Restorer(values) if values else None


def _elsewhere(asked: Sequence[Part], cuts: dict[tuple[str | int, ...], list[Cut]]) -> None:
    """What a recogniser knew in one place, by the words around it, stands in others without them, and in other letters.

    Raises Refused where it stands in a member's name."""
    most = max(LEAST_VALUES, MOST_CHARS // (1 + sum(len(part.text) + _PART_CHARS for part in asked)))
    values: dict[str, Cut] = {}
    for part in asked:
        for cut in cuts.get(part.place, ()):
            value = spelling(cut.type, part.text[cut.start : cut.end])
            if len(value) >= LEAST_CHARS and len(values) < most:
                known = values.setdefault(value, cut)
                if cut.mask and not known.mask:
                    values[value] = cut
    for part in asked if values else ():
        text = Spelt(part.text)
        for value, cut in values.items():
            found = [Cut(*span, cut.type, cut.mask) for span in text.find(cut.type, value)]
            if found and part.fixed:
                raise Refused(
                    f"the prompt holds {cut.type} in the name of a member of an object, where no placeholder can stand; "
                    "put it into a value",
                    code="private_data_refused",
                )
            if found:
                cuts.setdefault(part.place, []).extend(found)
