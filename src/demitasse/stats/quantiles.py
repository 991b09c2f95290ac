"""A quantile with its interval from order statistics, whatever the distribution (latencies have long tails). Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct


class Quantile(Struct, frozen=True):
    """A quantile and where it lies; None: so few values don't bound it on that side."""

    value: float
    low: float | None
    high: float | None


def quantile(values: Sequence[float], q: float, level: float = 0.95) -> Quantile:
    """Each side errs with (1 - level)/2 at most: how many values lie below the true quantile is binomial (n, q).

    Raises:
        ValueError: no values, or q out of (0, 1).
    """
    if not len(values) or not 0 < q < 1:
        raise ValueError(f"quantile {q:g} of {len(values)} values: it takes one value at least, and a share in 0..1")
    ordered = np.sort(np.asarray(values, dtype=float))
    n, tail = len(ordered), (1 - level) / 2
    steps = np.array([_log_chance(k, n, q) for k in range(n + 1)])
    at_most = np.cumsum(np.exp(steps))  # [k] P(at most k lie below)
    at_least = np.cumsum(np.exp(steps[::-1]))[::-1]  # [k] P(at least k lie below)
    below = int(np.searchsorted(at_most, tail, side="right"))  # so many can be cut off at the bottom
    above = int(np.searchsorted(-at_least, -tail, side="left"))  # the first whose excess is that unlikely
    return Quantile(
        float(np.quantile(ordered, q)),
        float(ordered[below - 1]) if below else None,
        float(ordered[above - 1]) if above <= n else None,
    )


def _log_chance(k: int, n: int, q: float) -> float:
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return choose + k * math.log(q) + (n - k) * math.log1p(-q)
