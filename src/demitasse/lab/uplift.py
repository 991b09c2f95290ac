"""How much better the reference would answer, from a prompt's features: two logistic heads that share what both find hard.

``P(reference right) = s(c·x + d·x/2)`` and ``P(small right) = s(c·x - d·x/2)``: difficulty ``c`` is learned from both
answers, the difference ``d`` is what is wanted. Both are shrunk, so that few labels do little harm. Pure numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..stats.betting import Floats
from .outcomes import Rows

COMMON, DIFFERENCE, FREE = (15.0, 5.0, 50.0), 3.0, 0.01
"""Ridge on ``c``, on ``d``, and on the two biases. How much of the difference is a matter of difficulty differs from pair to
pair of models, so that of several ridges on ``c`` the one is taken that foretells held-out differences best; the first
where rows are too few to tell."""
FEWEST, FOLDS, MANY, FEWER_FOLDS = 60, 5, 1_000, 3
SPAN = 3.0
"""Standard deviations beyond which a feature says no more."""
UNIT = 5.0
"""Standard deviations that count as one, so that a ridge of 1 shrinks a little."""
_MOST_STEPS = 12


@dataclass(frozen=True)
class Uplift:
    """What was learned. ``expected(x)`` is P(reference right) - P(small right), one number a row."""

    mean: Floats
    scale: Floats
    weights: Floats
    """(2, 1 + features): ``c`` and ``d``, biases first."""

    def expected(self, x: Floats) -> Floats:
        design = _design(self.unit(x))
        common, difference = design @ self.weights[0], design @ self.weights[1] / 2
        return np.asarray(_sigmoid(common + difference) - _sigmoid(common - difference))

    def unit(self, x: Floats) -> Floats:
        """The features in units of their own spread, clipped."""
        return np.asarray(np.clip((x - self.mean) / self.scale, -SPAN, SPAN) / UNIT)


def fit(x: Floats, cheap: Floats, reference: Floats) -> Uplift:
    """Learn from labelled rows.

    Args:
        x: (rows, features), any scale; a feature that never changes is ignored.
        cheap, reference: (rows,) scores in 0..1.
    """
    if len(x) < FEWEST:
        return _fit(x, cheap, reference, COMMON[0])
    folds = FOLDS if len(x) < MANY else FEWER_FOLDS
    fold = np.random.default_rng(0).permutation(len(x)) % folds
    return _fit(x, cheap, reference, min(COMMON, key=lambda common: _missed(x, cheap, reference, common, fold)))


def _missed(x: Floats, cheap: Floats, reference: Floats, common: float, fold: Rows) -> float:
    """Mean squared error of what is foretold for rows that were held out."""
    missed = 0.0
    for k in range(int(fold.max()) + 1):
        out = fold == k
        foretold = _fit(x[~out], cheap[~out], reference[~out], common).expected(x[out])
        missed += float(((foretold - (reference - cheap)[out]) ** 2).sum())
    return missed / len(x)


def _fit(x: Floats, cheap: Floats, reference: Floats, common: float) -> Uplift:
    """Newton's method on both heads at once."""
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-9, scale, np.inf)
    start = Uplift(mean, scale, np.zeros((2, x.shape[1] + 1)))
    z = _design(start.unit(x))
    k = z.shape[1]
    ridge = np.concatenate([np.full(k, common), np.full(k, DIFFERENCE)])
    ridge[[0, k]] = FREE
    w = np.zeros(2 * k)
    for _ in range(_MOST_STEPS):
        shared, half = z @ w[:k], z @ w[k:] / 2
        p, q = _sigmoid(shared + half), _sigmoid(shared - half)
        slope = np.concatenate([z.T @ (reference - p + cheap - q), z.T @ (reference - p - cheap + q) / 2]) - ridge * w
        both = (z * (p * (1 - p) + q * (1 - q))[:, None]).T @ z
        apart = (z * (p * (1 - p) - q * (1 - q))[:, None]).T @ z / 2
        step = np.linalg.solve(np.block([[both, apart], [apart, both / 4]]) + np.diag(ridge), slope)
        w = w + step
        if float(np.abs(step).max()) < 1e-4:
            break
    return Uplift(mean, scale, w.reshape(2, k))


def _design(z: Floats) -> Floats:
    return np.column_stack([np.ones(len(z)), z])


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))))
