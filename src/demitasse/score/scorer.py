"""What was learned, as a function: from a prompt's features and a draft's marks to P(the small model's answer is as good).

One class for the gateway, the replay and the lab, so that all of them mean the same. Weights are JSON; arithmetic is plain
Python, since a call has one prompt and numpy would cost the gateway more to import than to do without. Knows no text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from ..core.errors import ConfigError
from .draft import MARKS
from .features import NAMES, features

_BESIDE = tuple(MARKS.index(name) for name in ("agrees", "differs", "overlap", "longer", "second_known"))
"""Marks that a second answer gives."""
_SOUND = MARKS.index("sound")
_PROMPT_LENGTH, _DRAFT_LENGTH = NAMES.index("length"), MARKS.index("length")
EMPTY = features("")[_PROMPT_LENGTH]
"""The feature ``length`` of no prompt at all; above it, it is the log of characters and one."""
_MOST = 30.0


class Head(Struct, frozen=True, omit_defaults=True):
    """A logistic model: ``1 / (1 + exp(-(bias + slices[slice] + weights · x)))``."""

    bias: float
    weights: tuple[float, ...] = ()
    slices: dict[str, float] = {}

    def __call__(self, x: Sequence[float], slice: str) -> float:
        z = self.bias + self.slices.get(slice, 0.0) + math.fsum(w * v for w, v in zip(self.weights, x, strict=True))
        return 1 / (1 + math.exp(-max(-_MOST, min(_MOST, z))))


class Dear(Struct, frozen=True):
    """What the reference is expected to cost, as a multiple of what it costs on average, from lengths in characters."""

    base: float
    prompt: float
    """Per character of the prompt."""
    draft: float
    """Per character of the draft: a reference writes about as much."""
    least: float = 0.05

    def __call__(self, features: Sequence[float], marks: Sequence[float]) -> float:
        prompt_chars = math.expm1(features[_PROMPT_LENGTH] - EMPTY)
        draft_chars = math.expm1(marks[_DRAFT_LENGTH] * 10)
        return max(self.least, self.base + self.prompt * prompt_chars + self.draft * draft_chars)


class Scorer(Struct, frozen=True, omit_defaults=True):
    """A policy's learned part; higher scores are safer.

    ``draft`` None: drafts are not judged, and every one is refused.
    """

    version: str
    """Of the features and marks that it was learned on."""
    small: Head
    """P(the small model is right | prompt)."""
    large: Head | None = None
    """P(the reference is right | prompt); None: it is what right means."""
    draft: Head | None = None
    """P(the small answer is as good | features and marks)."""
    dear: Dear | None = None
    """With it a draft's risk is divided by what it would save: of two risks, the one that saves more is taken first."""

    def prompt_score(self, features: Sequence[float], slice: str) -> float:
        """1 - what the reference would add, before any model was asked."""
        small = self.small(features, slice)
        large = 1.0 if self.large is None else self.large(features, slice)
        return 1.0 - max(0.0, large - small)

    def draft_score(self, features: Sequence[float], marks: Sequence[float], slice: str) -> float:
        """Of an answer that is there. Marks of a second answer are among them, or 0. A draft with a fault scores 0."""
        if self.draft is None or marks[_SOUND] < 1:
            return 0.0
        good = self.draft((*features, *marks), slice)
        return good if self.dear is None else max(0.0, 1 - (1 - good) / self.dear(features, marks))


def alone(marks: Sequence[float]) -> tuple[float, ...]:
    """The marks as they were before a second answer was asked for."""
    found = list(marks)
    for at in _BESIDE:
        found[at] = 0.0
    return tuple(found)


def dump(scorer: Scorer) -> Raw:
    """As ``Policy.scorer`` holds it."""
    return Raw(_encode(scorer))


def load(raw: Raw) -> Scorer:
    """What ``dump`` wrote. Raises ConfigError: it is none, or of another version of Demitasse."""
    try:
        return _decode(raw)
    except msgspec.DecodeError as error:
        raise ConfigError(f"a policy's scorer cannot be read ({error}); certify its route again") from error


_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Scorer).decode
