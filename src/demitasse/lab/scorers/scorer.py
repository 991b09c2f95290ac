"""The shape of everything that scores: Score, Scorer, and what one may ask for. Knows no particular scorer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from msgspec import Struct

from ...score.normal import Answer
from ..tasks.task import Sample, Task

Failure = Literal["", "format", "cut", "empty", "refused", "error"]
"""Why an answer could not be read: it does not keep to the form that was asked for, was cut off, is empty, a refusal, or there
was none (``error``). An answer that is read and wrong has no failure."""


class Score(Struct, frozen=True, omit_defaults=True):
    """What one answer is worth."""

    value: float | None
    """0 to 1; None: nobody could say (yet). A failure of format counts 0 for the model and is told apart by ``failure``."""
    failure: Failure = ""
    said: str = ""
    """What was read as the answer: a letter, a number, a label."""
    why: str = ""
    """One line for people: a test that failed, a judge's reason."""
    cost_nanos: int | None = None
    """Of scoring itself, where it costs (a judge)."""


class Scorer(Protocol):
    """Scores one answer. Pure ones never await; a judge asks a model."""

    @property
    def name(self) -> str:
        """With options, as a task names it: its text decides whether kept scores may be used again."""
        ...

    async def __call__(self, sample: Sample, answer: Answer) -> Score: ...


Ask = Callable[[bytes, str], Awaitable[Answer]]
"""Puts a chat request (JSON, without ``model``) to the model of that name, booked on the evaluation's own budget. Raises
DemitasseError where there is no answer."""

Pure = Callable[[Sample, Answer], Score]
"""A scorer that needs nobody, as a plain function: what a pool of processes can run."""


class Unscorable(ValueError):
    """The task lacks what its scorer needs; the sentence says what, and for which sample."""


def needs(task: Task, sample: Sample, what: str) -> Unscorable:
    """The error for a sample without what its scorer reads."""
    return Unscorable(f"task '{task.name}', sample '{sample.id}': the scorer '{task.scorer or task.form}' needs {what}")
