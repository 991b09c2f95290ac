"""Cost against quality: who is beaten by nobody, how sure that is, and where paying more stops paying. Pure numpy.

Everything takes (..., candidates) arrays, so that thousands of bootstrap draws are judged at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from .bounded import Floats

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

DRAWS: Final = 4_000
_FEWEST: Final = 1_000
_CELLS: Final = 40_000_000
NONE: Final = -1
"""In place of a candidate's number: there is no knee."""
_FREE: Final = 0.1
"""On a logarithmic axis what costs nothing stands at this share of the cheapest that costs something."""


def dominated(cost: Floats, quality: Floats) -> Bools:
    """(..., i, j) whether j beats i: not dearer, not worse, and one of both better."""
    cheaper = cost[..., None, :] <= cost[..., :, None]
    better = quality[..., None, :] >= quality[..., :, None]
    strictly = (cost[..., None, :] < cost[..., :, None]) | (quality[..., None, :] > quality[..., :, None])
    return np.asarray(cheaper & better & strictly)


def front(cost: Floats, quality: Floats) -> Bools:
    """(..., candidates) whether nobody beats them: the Pareto set. Equals are both in it."""
    return np.asarray(~dominated(cost, quality).any(axis=-1))


def worth_it(cost: Floats, quality: Floats, worth: float) -> Ints:
    """(...) the candidate up to which each step pays, where ``worth`` units of cost are paid for a whole unit of quality.

    On the concave hull of the Pareto set the marginal price rises from step to step; the last step whose price does not exceed
    the worth leads to the largest ``worth x quality - cost``. Among equals the cheapest.
    """
    value = worth * quality - cost
    best = value.max(axis=-1, keepdims=True)
    tied = value >= best - 1e-12 * np.maximum(1.0, np.abs(best))
    return np.asarray(np.where(tied, cost, np.inf).argmin(axis=-1))


def bend(cost: Floats, quality: Floats) -> Ints:
    """(...) the candidate farthest above the chord from the cheapest of the Pareto set to its best, costs on a log scale.

    The criterion of Satopää et al., "Finding a 'kneedle' in a haystack" (2011), scale-free in both: other units of cost or
    another grade of quality change nothing. A set of one has its knee there; NONE where no member lies above the chord (so
    always for two).
    """
    x, inside = log_cost(cost), front(cost, quality)
    low, high = _ends(x, inside)
    worst, best = _ends(quality, inside)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = (quality - worst) / (best - worst) - (x - low) / (high - low)
    above = np.where(inside & np.isfinite(above), above, -np.inf)
    found = above.argmax(axis=-1)
    alone = (best - worst)[..., 0] <= 0
    return np.asarray(np.where(alone, inside.argmax(axis=-1), np.where(above.max(axis=-1) > 1e-9, found, NONE)))


def log_cost(cost: Floats) -> Floats:
    """Natural logarithm; what is free stands a decade left of the cheapest that is not."""
    priced = np.where(cost > 0, cost, np.inf).min(axis=-1, keepdims=True)
    least = np.where(np.isfinite(priced), priced * _FREE, 1.0)
    return np.asarray(np.log(np.maximum(cost, least)))


def resampled(
    quality: Floats, cost: Floats, clusters: Sequence[str] | None = None, *, seed: int = 7, draws: int = DRAWS
) -> tuple[Floats, Floats]:
    """(draws, candidates) mean quality and mean cost under bootstrap weights that all candidates share: they are paired.

    Weights are drawn per cluster from an exponential distribution (Rubin, "The Bayesian bootstrap", 1981), so that no two
    candidates tie by chance. One sample more is added to each draw, on which every candidate is right or wrong by a coin of
    its own: two that never differed on sixty samples may still differ on the next.

    Args:
        quality, cost: (samples, candidates), scores in 0..1 and costs.
        clusters: (samples,) names; None: each stands alone.
    """
    rng = np.random.default_rng(seed)
    both = np.hstack([quality, cost, np.ones((len(quality), 1))])
    if clusters is not None:
        _, index = np.unique(np.asarray(clusters), return_inverse=True)
        grouped = np.zeros((int(index.max()) + 1, both.shape[1]))
        np.add.at(grouped, index, both)
        both = grouped
    sizes = both[:, -1]
    count, many = quality.shape[1], max(_FEWEST, min(draws, _CELLS // len(both)))
    sums = np.empty((many, both.shape[1]))
    rows = max(1, 4_000_000 // len(both))
    for at in range(0, many, rows):
        some = min(rows, many - at)
        sums[at : at + some] = rng.standard_exponential((some, len(both))) @ both
    extra = rng.standard_exponential((many, 1)) * float((sizes**2).sum() / sizes.sum())
    coins = rng.integers(0, 2, (many, count))
    weight = sums[:, -1:]
    return (sums[:, :count] + extra * coins) / (weight + extra), sums[:, count:-1] / weight


def price_interval(gained: Floats, paid: Floats, level: float) -> tuple[float, float]:
    """Of paid / gained over draws; where nothing is gained the price has no limit (inf), where nothing is paid it is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        price = np.where(gained > 0, np.maximum(paid, 0.0) / gained, np.inf)
    tail = (1 - level) / 2
    low, high = np.quantile(price, [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)


def central(masses: Sequence[float], level: float) -> tuple[int, int]:
    """First and last of the middle places that hold ``level`` of the mass, each tail at most half of the rest."""
    total = np.cumsum(masses) / max(float(np.sum(masses)), 1e-300)
    tail = (1 - level) / 2
    return int((total > tail + 1e-12).argmax()), int((total >= 1 - tail - 1e-12).argmax())


def _ends(x: Floats, inside: Bools) -> tuple[Floats, Floats]:
    low = np.where(inside, x, np.inf).min(axis=-1, keepdims=True)
    return low, np.where(inside, x, -np.inf).max(axis=-1, keepdims=True)
