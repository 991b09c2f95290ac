"""What a sample says of a mean whose values lie in known bounds: interval and p-values, also for few, rare or clustered values.

The bootstrap that errs on the safe side: weights of the sample are drawn from a Dirichlet(1, …, 1), after one more value was
added to it, the worst that there could be (for a lower bound the lowest, for an upper one the highest). For right-or-wrong
values that is exactly the interval of Clopper and Pearson; for many values it becomes the bootstrap's; sixty equal ones
still leave room for what sixty draws may miss (6 %). Gaffke, "Three test statistics for a nonparametric one-sided hypothesis on
the mean of a nonnegative variable" (2005); Learned-Miller and Thomas, "A new confidence interval for the mean of a bounded
random variable" (2019). That it covers for *every* bounded distribution is a conjecture that nobody has refuted; ours are
simulated in ``tests/statistics/test_verdicts_cover.py``.

Values of one cluster depend on each other: clusters are weighted as a whole. Pure numpy; knows no models and no money.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DRAWS: Final = 20_000
"""Of the weights; the ends of an interval are off by 1 % of its length."""
_CELLS: Final = 20_000_000
"""Weights drawn at most; where clusters are too many and too different for that, their sums are normal."""
_FEWEST: Final = 4_000


class BoundedMean:
    """The mean of values in bounds, and what can be said of the mean they were drawn from.

    Args:
        values: (n,) in ``bounds``; of the lower claims, see ``upper``.
        clusters: (n,) names; None: each value stands alone. Clusters count as drawn at random, values by their number.
        bounds: the lowest and the highest value there could be.
        upper: (n,) what the upper claims are about, where a value is known only to lie between two. None: ``values``.
        seed: of the weights.

    Attributes:
        n, groups: values, and clusters they come in.
        mean: of ``values`` and ``upper``, in the middle.

    Raises:
        ValueError: no values, or some out of bounds.
    """

    def __init__(
        self,
        values: npt.ArrayLike,
        clusters: Sequence[str] | None = None,
        *,
        bounds: tuple[float, float] = (0.0, 1.0),
        upper: npt.ArrayLike | None = None,
        seed: int = 7,
        draws: int = DRAWS,
    ) -> None:
        low = np.asarray(values, dtype=float)
        high = low if upper is None else np.asarray(upper, dtype=float)
        _check(low, high, bounds)
        self.n = len(low)
        self.bounds = bounds
        self.mean = float((low.mean() + high.mean()) / 2)
        sums_low, sums_high, sizes = clustered(low, high, clusters)
        self.groups = len(sizes)
        below, above, weight, extra = _weighted(sums_low, sums_high, sizes, np.random.default_rng(seed), draws)
        self._low: Floats = np.sort((below + extra * bounds[0]) / (weight + extra))
        self._high: Floats = np.sort((above + extra * bounds[1]) / (weight + extra))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided: the truth lies below it, and above it, with probability (1 - level)/2 at most."""
        tail = (1 - level) / 2
        return float(np.quantile(self._low, tail)), float(np.quantile(self._high, 1 - tail))

    def p_at_most(self, threshold: float) -> float:
        """One-sided p-value of "the mean is at most this": small where it is larger."""
        return _share(int(np.searchsorted(self._low, threshold, side="right")), len(self._low))

    def p_at_least(self, threshold: float) -> float:
        """One-sided p-value of "the mean is at least this": small where it is smaller."""
        return _share(len(self._high) - int(np.searchsorted(self._high, threshold, side="left")), len(self._high))


def mean_interval(
    values: npt.ArrayLike,
    clusters: Sequence[str] | None = None,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    level: float = 0.95,
    seed: int = 7,
) -> tuple[float, float]:
    """The interval alone; see BoundedMean."""
    return BoundedMean(values, clusters, bounds=bounds, seed=seed).interval(level)


def clustered(low: Floats, high: Floats, clusters: Sequence[str] | None) -> tuple[Floats, Floats, Floats]:
    """(clusters,) sums of both and sizes; without clusters each value is one."""
    if clusters is None:
        return low, high, np.ones(len(low))
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums = (np.bincount(index, low), np.bincount(index, high), np.bincount(index))
    return sums[0].astype(float), sums[1].astype(float), sums[2].astype(float)


def design_effect(values: npt.ArrayLike, clusters: Sequence[str] | None) -> float:
    """How many times more samples are needed than if each stood alone: variance of the mean by clusters, over that without."""
    d = np.asarray(values, dtype=float)
    if clusters is None or len(d) < 2:
        return 1.0
    centred = d - d.mean()
    alone = float((centred**2).sum())
    sums, _, _ = clustered(centred, centred, clusters)
    return max(1.0, float((sums**2).sum()) / alone) if alone > 0 else 1.0


def _check(low: Floats, high: Floats, bounds: tuple[float, float]) -> None:
    if not len(low) or len(low) != len(high):
        raise ValueError(f"{len(low)} and {len(high)} values: a mean needs one at least, and both of a length")
    least, most = float(low.min()), float(high.max())
    if not (bounds[0] - 1e-9 <= least and most <= bounds[1] + 1e-9 and bool(np.all(low <= high + 1e-9))):
        raise ValueError(f"values reach from {least:g} to {most:g}; they lie in {bounds[0]:g}..{bounds[1]:g}")


def _weighted(
    low: Floats, high: Floats, sizes: Floats, rng: np.random.Generator, draws: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """(draws,) weighted sums of both and of sizes, and the weight of the value that was added.

    Equal clusters share one gamma draw. The added one is as large as the cluster that a value of the sample lies in on
    average, so that a worst cluster unseen weighs what those seen weigh.
    """
    draws = max(_FEWEST, draws)
    kinds, counts = np.unique(np.column_stack([low, high, sizes]), axis=0, return_counts=True)
    extra = rng.standard_exponential(draws) * float((sizes**2).sum() / sizes.sum())
    if len(kinds) * _FEWEST > _CELLS:
        return (*_normal(kinds, counts, rng, draws), extra)
    parts = np.empty((draws, 3))
    rows = max(1, 1_000_000 // len(kinds))
    draws = max(_FEWEST, min(draws, _CELLS // len(kinds)))
    for at in range(0, draws, rows):
        many = min(rows, draws - at)
        parts[at : at + many] = rng.standard_gamma(counts, size=(many, len(kinds))) @ kinds
    return parts[:draws, 0], parts[:draws, 1], parts[:draws, 2], extra[:draws]


def _normal(
    kinds: Floats, counts: npt.NDArray[np.int64], rng: np.random.Generator, draws: int
) -> tuple[Floats, Floats, Floats]:
    """The same sums, where there are so many different clusters that they are normal."""
    mean = counts @ kinds
    root = np.linalg.cholesky((kinds * counts[:, None]).T @ kinds + np.eye(3) * 1e-9)
    drawn = mean + rng.standard_normal((draws, 3)) @ root.T
    return drawn[:, 0], drawn[:, 1], np.maximum(drawn[:, 2], 1e-9)


def _share(count: int, draws: int) -> float:
    """A p-value from draws is never 0."""
    return min(1.0, (count + 1) / (draws + 1))


def standard_error(values: npt.ArrayLike, clusters: Sequence[str] | None = None) -> float:
    """Of the mean, by clusters; one pseudo-value at each end of -1..1, so that equal values are not certain ones."""
    d = np.asarray(values, dtype=float)
    spread = float(((d - d.mean()) ** 2).sum()) + 1.0
    return math.sqrt(spread * design_effect(d, clusters)) / (len(d) + 1)
