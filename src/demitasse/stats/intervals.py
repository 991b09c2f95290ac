"""Intervals for counts: Clopper-Pearson and Wilson. Pure; knows only successes and trials."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist


def wilson(successes: float, trials: float, level: float = 0.95) -> tuple[float, float]:
    """Approximate two-sided interval for a share (Wilson 1927); no trials know nothing: (0, 1)."""
    if trials <= 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval for a share (Clopper & Pearson 1934); each side errs with (1 - level)/2 at most."""
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no count")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else _solve(lambda p: _at_least(successes, trials, p) - tail)
    high = 1.0 if successes == trials else _solve(lambda p: _at_least(successes + 1, trials, p) - (1 - tail))
    return low, high


def _at_least(count: int, trials: int, p: float) -> float:
    """P(X >= count), X binomial."""
    if p <= 0:
        return 0.0 if count > 0 else 1.0
    if p >= 1:
        return 1.0
    log_p, log_q, top = math.log(p), math.log1p(-p), math.lgamma(trials + 1)
    total = math.fsum(
        math.exp(top - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * log_p + (trials - k) * log_q)
        for k in range(count, trials + 1)
    )
    return min(1.0, total)


def _solve(rising: Callable[[float], float]) -> float:
    """The zero in 0..1 of a rising function."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
