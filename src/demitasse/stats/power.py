"""Before the run, and after one that decided nothing: how many samples it takes, and what so many can show.

The verdict is that of ``paired``. Its chance is found by drawing whole samples from what differences are like (their values and
how often each comes) and asking each whether its bound passes; the bound's weights are not drawn again but told by
their first three moments (Cornish and Fisher 1938), which agrees with drawing them. Pure; knows scores only.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from .bounded import Floats

MOST: Final = 10_000_000
"""More samples than this are nobody's plan."""
_RUNS: Final = 4_000


class Spread(Struct, frozen=True):
    """What differences are like: values and their probabilities."""

    values: tuple[float, ...]
    shares: tuple[float, ...]

    @classmethod
    def right_or_wrong(cls, discordance: float, difference: float = 0.0) -> Spread:
        """Of scores 0 and 1: they differ on a share of samples, and by so much on the whole.

        Raises ValueError where the difference is larger than the discordance.
        """
        if not 0 <= discordance <= 1 or abs(difference) > discordance + 1e-12:
            raise ValueError(
                f"discordance {discordance:g}, difference {difference:g}: a difference is no larger than the share of "
                "samples on which two differ, and that is at most 1"
            )
        up, down = (discordance + difference) / 2, (discordance - difference) / 2
        return cls((-1.0, 0.0, 1.0), (max(0.0, down), 1 - discordance, max(0.0, up)))

    @classmethod
    def seen(cls, differences: npt.ArrayLike, *, at: float | None = None) -> Spread:
        """As in a sample, with half a sample more at either end of -1..1: what was not seen may still be.

        Args:
            at: shift the mean here by weighing ups and downs anew (exponential tilting); None leaves it.
        """
        values, counts = np.unique(
            np.concatenate([np.asarray(differences, float), [-1.0, 1.0]]).round(2), return_counts=True
        )
        weights = counts.astype(float)
        weights[[0, -1]] -= 0.5
        shares = weights / weights.sum()
        if at is not None:
            shares = _tilted(values, shares, at)
        return cls(tuple(values.tolist()), tuple(shares.tolist()))

    @property
    def mean(self) -> float:
        return float(np.dot(self.values, self.shares))

    @property
    def deviation(self) -> float:
        return math.sqrt(max(0.0, float(np.dot(np.square(self.values), self.shares)) - self.mean**2))


def power(n: int, spread: Spread, *, margin: float, alpha: float = 0.05, seed: int = 7) -> float:
    """The chance that n samples, each standing alone, end the question of the margin: non-inferior, superior or inferior."""
    values = np.array(spread.values)
    counts = np.random.default_rng(seed).multinomial(n, spread.shares, size=_RUNS).astype(float)
    z = NormalDist().inv_cdf(1 - alpha / 2)
    low = _bound(counts, values, -1.0, -z)
    high = _bound(counts, values, 1.0, z)
    return float(((low > -margin) | (high < -margin)).mean())


def needed(
    spread: Spread, *, margin: float, alpha: float = 0.05, power: float = 0.8, effect: float = 1.0, seed: int = 7
) -> int | None:
    """The fewest samples that decide with this power; None: more than anybody has, since the difference is the margin.

    Args:
        effect: the design effect of clusters, ≥ 1.
    """
    gap = abs(spread.mean + margin)
    z = NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(power)
    if gap <= 0 or (z * max(spread.deviation, 1e-3) / gap) ** 2 * effect > MOST:
        return None
    few, many = 1, 2
    while _power(many, spread, margin, alpha, seed) < power:
        few, many = many, many * 2
        if many > 2 * MOST:
            return None
    while many - few > max(1, few // 100):
        middle = (few + many) // 2
        few, many = (few, middle) if _power(middle, spread, margin, alpha, seed) >= power else (middle, many)
    return math.ceil(many * effect)


def detectable(n: int, spread: Spread, *, alpha: float = 0.05, power: float = 0.8, effect: float = 1.0) -> float:
    """The minimum detectable effect: how far from the margin the truth must lie for n samples to tell, with this power.

    Normal approximation of ``power``, with the one value more that its bound counts.
    """
    alone = max(1.0, n / effect)
    z = NormalDist().inv_cdf(1 - alpha / 2)
    deviation = spread.deviation
    bound = z * math.sqrt(alone * deviation**2 + 1.0) / (alone + 1) + 1.0 / (alone + 1)
    return min(2.0, bound + NormalDist().inv_cdf(power) * deviation / math.sqrt(alone))


def _power(n: int, spread: Spread, margin: float, alpha: float, seed: int) -> float:
    return power(n, spread, margin=margin, alpha=alpha, seed=seed)


def _bound(counts: Floats, values: Floats, end: float, z: float) -> Floats:
    """(runs,) quantile of the mean under Dirichlet weights of (runs, values) counts and one value more at ``end``."""
    total = counts.sum(axis=1) + 1
    mean = (counts @ values + end) / total
    off = values - mean[:, None]
    last = end - mean
    second = (counts * off**2).sum(axis=1) + last**2
    third = (counts * off**3).sum(axis=1) + last**3
    deviation = np.sqrt(second / (total * (total + 1)))
    skew = 2 * third / np.maximum(second, 1e-12) ** 1.5 * np.sqrt(total * (total + 1)) / (total + 2)
    return np.asarray(mean + deviation * (z + (z * z - 1) / 6 * skew))


def _tilted(values: Floats, shares: Floats, at: float) -> Floats:
    """Shares ∝ shares · exp(t · value) whose mean is ``at``, inside the ends."""
    low, high = -60.0, 60.0
    for _ in range(80):
        t = (low + high) / 2
        weights = shares * np.exp(t * values - abs(t))
        weights /= weights.sum()
        low, high = (t, high) if float(weights @ values) < at else (low, t)
    return np.asarray(weights)
