"""What verdicts and frontiers read of an evaluation: one Seen per sample, repeats folded. Pure; knows no files and no model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from ..scorers.scorer import Failure
from .result import Method, Row

UNREAD: frozenset[Failure] = frozenset({"format", "cut", "empty", "refused"})
"""An answer came that could not be read."""


class Seen(Struct, frozen=True, omit_defaults=True):
    """One sample as one candidate answered it."""

    sample: str
    value: float | None
    """0 to 1, the mean of repeats; None: unknown, of one of them at least."""
    cluster: str = ""
    slice: str = ""
    failure: Failure = ""
    """Of the first repeat that failed."""
    cost_nanos: float | None = None
    """Of one call, the mean of repeats; None: unpriced or unknown."""
    latency_ms: float | None = None
    energy_uj: float | None = None
    """Of one call, the middle of its interval."""
    energy_method: Method | None = None


def seen(rows: Iterable[Row]) -> list[Seen]:
    """One per sample, in the order in which samples first come."""
    by_sample: dict[str, list[Row]] = {}
    for row in rows:
        by_sample.setdefault(row.sample, []).append(row)
    return [_fold(repeats) for repeats in by_sample.values()]


def _fold(repeats: Sequence[Row]) -> Seen:
    first = repeats[0]
    methods = {row.energy_method for row in repeats}
    return Seen(
        sample=first.sample,
        value=_mean([row.score.value for row in repeats]),
        cluster=first.cluster,
        slice=first.slice,
        failure=next((row.score.failure for row in repeats if row.score.failure), ""),
        cost_nanos=_mean([row.cost_nanos for row in repeats]),
        latency_ms=_mean([row.latency_ms for row in repeats]),
        energy_uj=_mean([None if row.energy_uj is None else sum(row.energy_uj) / 2 for row in repeats]),
        energy_method=methods.pop() if len(methods) == 1 else None,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
