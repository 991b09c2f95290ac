"""What a month will have cost when it ends, from whole days so far: an interval that keeps its word, weekdays, few data. Pure.

A day is a level times a factor of its weekday, plus noise. The level wanders and grows: a local level with a slope (Harvey
1989), filtered by Kalman's recursions. How much it wanders is not estimated but averaged over a grid, each weighed by how well
it foretold the days there are; of the slope it is believed beforehand that it is about nought, give or take ``SLOPE`` a day. So
few days, or restless ones, give a wide interval and not a wrong one. Weekdays are told apart from two weeks on, drawn towards 1
as if a week without any pattern had been seen too. The interval lies on the scale of the logarithm, since no month costs less
than nothing. ``bench.drift`` measures how often it holds; single large days of a size that never was are not foreseen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from .detector import mean_and_spread, student_quantile

FEWEST: Final = 5
"""Whole days before anything is said."""
MOST: Final = 56
"""Days that are looked at, the newest."""
WEEKDAYS_FROM: Final = 14
"""Whole days from which on weekdays are told apart."""
SLOPE: Final = 0.008
"""Of the level a day: a quarter more in a month."""
_WANDERS: Final = (0.003, 0.03, 0.1, 0.5)
"""Variance of the level's step, over that of a day's noise."""
_LEAST_LEVEL: Final = 0.8
"""Of the mean day: a day's noise grows with the level, and where that was lower the noise is not taken for much less."""
_SHRINK: Final = 1.0
"""Weeks without a pattern that are added to those seen."""


class Forecast(Struct, frozen=True):
    """An amount and the interval it lies in with ``level``, by ``days`` whole days; ``weekdays``: their pattern is in it.

    ``ahead`` is what is expected of each day to come, the rest of today first.
    """

    value: float
    low: float
    high: float
    days: int
    weekdays: bool
    level: float = 0.95
    ahead: tuple[float, ...] = ()


def forecast(
    past: Sequence[float],
    rest: float,
    *,
    first_weekday: int = 0,
    so_far: float = 0.0,
    level: float = 0.95,
) -> Forecast | None:
    """What ``so_far`` will have become after ``rest`` more days.

    Args:
        past: amounts of whole days, oldest first, the last one yesterday; days of nothing included.
        rest: days that are left, today's rest as a fraction.
        first_weekday: of ``past[0]``, 0..6.
        so_far: spent of what is forecast, today's part included.

    Returns:
        None where fewer than ``FEWEST`` days are known, or nothing was ever spent.
    """
    known = list(past[-MOST:])
    n = len(known)
    if n < FEWEST or not any(known):
        return None
    first = (first_weekday + len(past) - n) % 7
    factors = _factors(known, first) if n >= WEEKDAYS_FROM else [1.0] * 7
    flat = [amount / factors[(first + at) % 7] for at, amount in enumerate(known)]
    mean, spread = mean_and_spread(flat)
    # Where weekdays are not known, those that were seen and those that come may be any.
    unknown = spread / math.sqrt(n) if n < WEEKDAYS_FROM else 0.0
    weights = _weights(rest, (first + n) % 7, factors)
    expected, deviation = _total([x / mean for x in flat], weights, spread / mean)
    expected, deviation = max(expected, 0.05 * rest) * mean, math.hypot(deviation * mean, unknown * rest)
    if rest <= 0 or not expected:
        return Forecast(so_far, so_far, so_far, n, n >= WEEKDAYS_FROM, level)
    relative = deviation / expected
    wide = student_quantile((1 - level) / 2, max(2.0, n - 3)) * math.sqrt(math.log1p(relative * relative))
    return Forecast(
        value=so_far + expected,
        low=so_far + expected * math.exp(-wide),
        high=so_far + expected * math.exp(wide),
        days=n,
        weekdays=n >= WEEKDAYS_FROM,
        level=level,
        ahead=tuple(expected * weight / sum(weights) for weight in weights),
    )


def _total(flat: Sequence[float], weights: Sequence[float], spread: float) -> tuple[float, float]:
    """Mean and deviation of ``Σ w · day`` over the days to come, averaged over how much the level may wander."""
    noise = max(_noise(flat), 1e-3 * spread, 1e-6)
    runs = [_filtered(flat, wander, SLOPE / noise) for wander in _WANDERS]
    best = max(run.likelihood for run in runs)
    shares = [math.exp(run.likelihood - best) for run in runs]
    found = [_summed(run, wander, weights) for run, wander in zip(runs, _WANDERS, strict=True)]
    whole = sum(shares)
    mean = sum(share * one[0] for share, one in zip(shares, found, strict=True)) / whole
    variance = sum(share * (one[1] + (one[0] - mean) ** 2) for share, one in zip(shares, found, strict=True)) / whole
    return mean, math.sqrt(variance)


class _Run(Struct, frozen=True):
    level: float
    slope: float
    p: tuple[float, float, float]
    """Variances of level and slope, and between them their covariance, over that of the noise."""
    variance: float
    """Of the noise."""
    likelihood: float


def _filtered(flat: Sequence[float], wander: float, slope: float) -> _Run:
    """Kalman's recursions with the noise's variance taken out. The first day begins the level; errors are shares of it."""
    a, b = flat[0], 0.0
    pa, pab, pb = 1.0, 0.0, slope * slope
    squares = logs = 0.0
    for x in flat[1:]:
        a, pa, pab = a + b, pa + 2 * pab + pb + wander, pab + pb
        f = pa + 1
        error, ka, kb, size = x - a, pa / f, pab / f, max(a, _LEAST_LEVEL)
        a, b = a + ka * error, b + kb * error
        pa, pab, pb = pa - ka * pa, pab - ka * pab, pb - kb * pab
        squares, logs = squares + (error / size) ** 2 / f, logs + math.log(f * size * size)
    n, size = len(flat) - 1, max(a, _LEAST_LEVEL)
    variance = max(squares / n, 1e-12)
    return _Run(a, b, (pa, pab, pb), variance * size * size, -0.5 * (n * math.log(variance) + logs))


def _summed(run: _Run, wander: float, weights: Sequence[float]) -> tuple[float, float]:
    whole, ahead = sum(weights), sum(w * (at + 1) for at, w in enumerate(weights))
    pa, pab, pb = run.p
    variance = whole * whole * pa + 2 * whole * ahead * pab + ahead * ahead * pb + sum(w * w for w in weights)
    left = whole
    for w in weights:
        variance += wander * left * left
        left -= w
    return whole * run.level + ahead * run.slope, run.variance * variance


def _noise(flat: Sequence[float]) -> float:
    """Of a day, from differences of neighbours: what wanders slowly is not in it."""
    steps = [(b - a) ** 2 for a, b in zip(flat, flat[1:], strict=False)]  # noqa: RUF007 - one pass over a slice
    return math.sqrt(sum(steps) / len(steps) / 2)


def _factors(days: Sequence[float], first: int) -> list[float]:
    mean = sum(days) / len(days)
    sums, counts = [_SHRINK * mean] * 7, [_SHRINK] * 7
    for at, amount in enumerate(days):
        sums[(first + at) % 7] += amount
        counts[(first + at) % 7] += 1
    raw = [max(total / count / mean, 0.02) for total, count in zip(sums, counts, strict=True)]
    scale = sum(raw) / 7
    return [factor / scale for factor in raw]


def _weights(rest: float, weekday: int, factors: Sequence[float]) -> list[float]:
    """Of each day to come, today's rest first."""
    today = rest - math.floor(rest)
    days = [(today, weekday)] + [(1.0, weekday + (1 if today else 0) + at) for at in range(math.floor(rest))]
    return [share * factors[day % 7] for share, day in days if share]
