"""What rows add up to: quality with its interval, failures apart from wrong answers, cost, latency, tokens, energy. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from ...stats.bounded import Floats
from .compare import score_interval
from .result import Row, Summary

_UNREAD = frozenset({"format", "cut", "empty", "refused"})
FEW = 500
"""Rows from which a 99th percentile says something."""


def summarise(found: Sequence[Row], *, samples: int, wall_s: float | None, seed: int = 7) -> Summary:
    """Figures of one run.

    Args:
        samples: of the task, answered or not.
        wall_s: how long the asking took; None where answers were kept ones, which have no throughput.
    """
    told = [row for row in found if row.score.value is not None]
    values = np.array([row.score.value for row in told], dtype=float)
    failures = sum(row.score.failure in _UNREAD for row in told)
    costs = [row.cost_nanos for row in found if row.score.failure != "error"]
    slices: dict[str, list[float]] = defaultdict(list)
    energy: dict[str, list[int]] = {}
    for row in told:
        slices[row.slice].append(row.score.value or 0.0)
    for row in found:
        if row.energy_uj is not None and row.energy_method is not None:
            sums = energy.setdefault(row.energy_method, [0, 0])
            sums[0] += row.energy_uj[0]
            sums[1] += row.energy_uj[1]
    out = sum(row.tokens_out or 0 for row in found)
    return Summary(
        n=len(told),
        samples=samples,
        quality=float(values.mean()) if len(values) else None,
        quality_interval=_interval(values, [row.cluster or f"\0{row.sample}" for row in told], seed),
        format_failures=failures,
        wrong=sum((row.score.value or 0.0) < 1.0 and row.score.failure not in _UNREAD for row in told),
        unscored=sum(row.score.value is None and row.score.failure != "error" for row in found),
        errors=sum(row.score.failure == "error" for row in found),
        cost_nanos=None if None in costs else sum(c for c in costs if c is not None),
        scoring_nanos=sum(row.score.cost_nanos or 0 for row in found),
        tokens_in=sum(row.tokens_in or 0 for row in found),
        tokens_out=out,
        latency_ms=_latency([row.latency_ms for row in found if row.latency_ms is not None]),
        calls_per_s=len(told) / wall_s if wall_s else None,
        tokens_out_per_s=out / wall_s if wall_s else None,
        energy_uj={method: (low, high) for method, (low, high) in energy.items()},
        slices={name: (len(part), sum(part) / len(part)) for name, part in slices.items() if name},
    )


def _interval(values: Floats, clusters: list[str], seed: int) -> tuple[float, float] | None:
    """95 %, as ``compare`` tells it; answers to one sample, and samples of one cluster, depend on each other."""
    if not len(values):
        return None
    alone = len(set(clusters)) == len(clusters)
    return score_interval(values, None if alone else clusters, seed=seed)


def _latency(found: list[float]) -> dict[str, tuple[float, float, float]]:
    """Quantiles with distribution-free 95 % intervals from order statistics."""
    if len(found) < 2:
        return {}
    ordered = sorted(found)
    n = len(ordered)
    quantiles = {"p50": 0.5, "p95": 0.95} | ({"p99": 0.99} if n >= FEW else {})
    told = {}
    for name, q in quantiles.items():
        spread = 1.96 * math.sqrt(n * q * (1 - q))
        low, high = max(0, math.floor(n * q - spread)), min(n - 1, math.ceil(n * q + spread))
        told[name] = (float(np.quantile(ordered, q)), ordered[low], ordered[high])
    return told
