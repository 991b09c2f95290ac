"""The equivalence gate: what an artefact answers against what it was made from, on the same samples. Knows scores and answers.

A gate passes where the verdict is superior or non-inferior at a margin that was fixed before; an inconclusive one is told with
the number of samples that would decide it. Quality is the task's own score, paired; beside it stand what a score does not see:
how many answers stayed the same, size, bits per weight, and CPU time.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Verdict = Literal["superior", "non-inferior", "inferior", "inconclusive"]
Outcome = Literal["passed", "failed", "inconclusive"]


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
