"""What a detector says: Entity, Secret, Hidden, Injection, and all of a text's together, Findings. Knows no detector.

``start`` and ``end`` are code points of the text as it was given, half open, whatever normalisation came between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

Source = Literal["system", "user", "assistant", "tool", "retrieved"]
"""Who wrote a part of a prompt: the application's own instructions, its user, the model itself at an earlier turn, a tool's
result, or a passage that was looked up. The last two are untrusted: whoever wrote them is not the one who asks."""

UNTRUSTED: frozenset[Source] = frozenset({"tool", "retrieved"})

Band = Literal["low", "medium", "high"]
"""Of a risk: nothing to do · worth counting · worth acting on. Where the bands lie follows from a budget of false alarms."""


class Entity(Struct, frozen=True):
    """Personal data. ``type`` is one of ``kinds.TYPES``; ``score`` in 0..1 is how sure the recogniser is, checksums being 1."""

    type: str
    start: int
    end: int
    score: float


class Secret(Struct, frozen=True):
    """Something that opens a door: an API key, a password, a connection string. ``kind`` is one of ``kinds.SECRETS``."""

    kind: str
    start: int
    end: int


class Hidden(Struct, frozen=True):
    """Characters that a person does not see. ``kind`` is one of ``kinds.HIDDEN``."""

    kind: str
    start: int
    end: int


class Injection(Struct, frozen=True):
    """The risk that a text gives orders that are not its to give, in 0..1. A risk, not a verdict."""

    score: float
    band: Band


class Moderated(Struct, frozen=True):
    """A category of ``kinds.HARMS`` and how strongly a text belongs to it, in 0..1."""

    category: str
    score: float


class Findings(Struct, frozen=True):
    """All that was found in one text, each kind in the order of the text and without overlaps within its kind."""

    entities: tuple[Entity, ...] = ()
    secrets: tuple[Secret, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    injection: Injection | None = None
    """None: not scored (the model's own earlier words, or switched off)."""
    moderated: tuple[Moderated, ...] = ()
    cut: bool = False
    """A cap on the work was hit: there may be more than was found."""


NOTHING = Findings()

FindEntities = Callable[[str], tuple[list[Entity], bool]]
"""Text in, entities out, and whether a cap on the work was hit."""
FindSecrets = Callable[[str], tuple[list[Secret], bool]]
