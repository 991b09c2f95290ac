"""Prompt injection: how likely a text gives orders that are not its to give. A risk, not a verdict.

A score of 0.99 says: of a hundred honest texts that the model was not trained on, one scores as high. Two small linear models:
one asks of a user's text whether it attacks, the other of each sentence of an untrusted text (a tool's result, a retrieved
passage) whether it asks something of an assistant: there, that alone is odd. Decides nothing; knows no policy.

numpy is imported when the first text is scored. Read in this order: here · scoring · grams · weights. Trained by
``lab.injection``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from ..finding import UNTRUSTED, Injection, Source

if TYPE_CHECKING:
    from .weights import Weights

WATCH: Final = 5
"""The band ``medium`` holds so many times the false alarms of ``high``."""


def score(text: str, source: Source = "user") -> float:
    """The risk in 0..1: the share of honest texts of that kind that score lower. Normalises first; linear in the text.

    Raises ConfigError: the weights are missing, or not those that were pinned.
    """
    if not text or text.isspace():
        return 0.0
    return _scorer()(text, untrusted=source in UNTRUSTED)


def bands(false_alarms: float) -> tuple[float, float]:
    """Where the bands ``medium`` and ``high`` begin, so that this share of honest texts comes into ``high``."""
    return max(0.0, 1 - WATCH * false_alarms), 1 - false_alarms


def judged(text: str, source: Source, false_alarms: float) -> Injection:
    """The score, and its band at a budget of false alarms."""
    found = score(text, source)
    medium, high = bands(false_alarms)
    return Injection(found, "high" if found >= high else "medium" if found >= medium else "low")


@cache
def shipped() -> Weights:
    """The shipped weights, read and checked once. Raises ConfigError."""
    from .weights import load  # noqa: PLC0415 - numpy: a start that scores nothing does not pay for it

    return load()


@cache
def _scorer() -> Callable[..., float]:
    from .scoring import score  # noqa: PLC0415 - the same

    return partial(score, made=shipped())
