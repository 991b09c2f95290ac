"""The equivalence gate: what an artefact answers against what it was made from, on the same samples. Knows scores and answers.

A gate passes where the verdict is superior or non-inferior at a margin that was fixed before; an inconclusive one is told with
the number of samples that would decide it. Quality is the task's own score, paired; beside it stand what a score does not see:
how many answers stayed the same, size, bits per weight, and CPU time. Pure; asks no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from ...score.normal import plain
from ...stats.paired import Verdict
from ..evals import compare as compared
from ..evals.result import Row
from ..evals.seen import UNREAD, seen
from ..tasks.task import Task

Floats = NDArray[np.float32]
Outcome = Literal["passed", "failed", "inconclusive"]
OUTCOMES: dict[Verdict, Outcome] = {
    "superior": "passed",
    "non-inferior": "passed",
    "inferior": "failed",
    "inconclusive": "inconclusive",
}
NEIGHBOURS = 10


class Side(Struct, frozen=True, omit_defaults=True):
    """One of the two: as it was, or as it was made."""

    name: str = ""
    score: float | None = None
    interval: tuple[float, float] | None = None
    """95 %."""
    unreadable: int = 0
    """Answers that could not be read; they count as wrong."""
    bytes: int | None = None
    bits_per_weight: float | None = None
    """Read from the tensors, not from a label."""
    cpu_s_per_1000: float | None = None
    """CPU seconds for a thousand answers."""
    usd_per_1000: float | None = None


class Gate(Struct, frozen=True, omit_defaults=True):
    """What was found."""

    outcome: Outcome
    verdict: Verdict
    n: int
    """Samples that both answered."""
    margin: float
    """Fixed before the run."""
    difference: float
    """Of the scores: made less original."""
    interval: tuple[float, float]
    before: Side
    after: Side
    task: str = ""
    task_hash: str = ""
    agreement: float | None = None
    """Share of samples with the same answer."""
    cosine: float | None = None
    """Encoders: mean cosine of the two vectors of a text."""
    neighbours: float | None = None
    """Encoders: mean share of the ten nearest neighbours that stayed."""
    needed: int | None = None
    """Samples that would decide it, where it is inconclusive."""
    why: str = ""
    """One sentence for people."""


def gate(
    task: Task,
    made: Sequence[Row],
    original: Sequence[Row],
    *,
    before: Side,
    after: Side,
    margin: float,
    seed: int = 7,
) -> Gate:
    """Hold what was made against what it was made from.

    Args:
        task: what both were asked.
        made, original: their rows, on the same samples.
        before, after: names and sizes; scores are filled in.
        margin: how much worse is still as good; fix it before you look.

    Raises EvaluationError where they share no sample.
    """
    ours, theirs = seen(made), seen(original)
    found = compared.compare(ours, theirs, margin=margin, names=(after.name, before.name), seed=seed)
    said = {row.sample: _said(row) for row in original}
    same = [_said(row) == said[row.sample] for row in made if row.sample in said]
    return Gate(
        outcome=OUTCOMES[found.verdict],
        verdict=found.verdict,
        n=found.n,
        margin=margin,
        difference=found.difference,
        interval=found.interval,
        before=_scored(before, found.reference, original),
        after=_scored(after, found.candidate, made),
        task=task.name,
        task_hash=task.hash,
        agreement=sum(same) / len(same),
        needed=found.n_needed if found.verdict == "inconclusive" else None,
        why=_why(found),
    )


def distance(made: Floats, original: Floats, *, k: int = NEIGHBOURS) -> tuple[float, float]:
    """How far an encoder's vectors went: mean cosine to the original's, and the mean share of each text's ``k`` nearest
    neighbours that are still among its nearest.

    Args:
        made, original: unit vectors of the same texts, shape (texts, dims), more texts than ``k``.
    """
    if len(made) != len(original) or len(made) <= k:
        raise ValueError(f"{len(made)} and {len(original)} vectors: give the same texts to both, and more than {k}")
    shared = [len(set(a) & set(b)) / k for a, b in zip(_nearest(made, k), _nearest(original, k), strict=True)]
    return float((made * original).sum(axis=1).mean()), float(np.mean(shared))


def _nearest(vectors: Floats, k: int) -> NDArray[np.int64]:
    close = vectors @ vectors.T
    np.fill_diagonal(close, -np.inf)
    return np.argpartition(-close, k, axis=1)[:, :k]


def _said(row: Row) -> str:
    """What an answer comes to: as it was read, else its words."""
    return row.score.said or plain(row.text)


def _scored(side: Side, told: compared.Side, rows: Sequence[Row]) -> Side:
    return Side(
        name=side.name or told.name,
        score=told.quality,
        interval=told.interval,
        unreadable=sum(row.score.failure in UNREAD for row in rows),
        bytes=side.bytes,
        bits_per_weight=side.bits_per_weight,
        cpu_s_per_1000=side.cpu_s_per_1000,
        usd_per_1000=side.usd_per_1000 if side.usd_per_1000 is not None else _per_1000(told.cost_nanos),
    )


def _per_1000(nanos: float | None) -> float | None:
    return None if nanos is None else nanos * 1_000 / 1e9


def _why(found: compared.Comparison) -> str:
    match found.verdict:
        case "superior":
            return "It is better than what it was made from."
        case "non-inferior":
            return f"It is as good as what it was made from, to within {found.margin:.1%}."
        case "inferior":
            return f"It is worse than what it was made from by more than {found.margin:.1%}."
        case _:
            more = "" if found.n_needed is None else f"; about {found.n_needed:,} would"
            return (
                f"{found.n} samples cannot tell whether it is within {found.margin:.1%} of what it was made from{more}."
            )
