"""Weights of runs from labelled texts: logistic regression with a quadratic penalty, then one byte a weight. Knows no source.

Features of a text are its runs, each counted once, over the square root of their number, as they are when it is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...guard.injection.grams import BITS, codes, grams
from ...guard.injection.scoring import clipped
from ...guard.injection.weights import Bytes
from ..optimise.classifier import ClassifierError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]

PENALTY: Final = 1e-6
"""Of the squared weights, beside the mean loss of a text."""
ROUNDS: Final = 40
OURS: Final = 3.0
"""How much more our own sentences count than another source: they were written to hold wherever an attack comes from."""
LEAST: Final = 3
"""Texts that a run is in, at least."""
_MOST_CHARS: Final = 2_000


def features(texts: Sequence[str]) -> csr_matrix:
    """Of shape (texts, 2^BITS)."""
    try:
        from scipy import sparse  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ClassifierError("training the detector needs scipy: pip install 'demitasse[lab]'") from error
    columns, values, ends = [], [], [0]
    for text in texts:
        own = np.unique(grams(codes(clipped(text[:_MOST_CHARS]))[0])[1])
        columns.append(own.astype(np.int32))
        values.append(np.full(len(own), 1 / np.sqrt(max(1, len(own))), np.float32))
        ends.append(ends[-1] + len(own))
    return sparse.csr_matrix(
        (np.concatenate(values), np.concatenate(columns), np.array(ends)), shape=(len(texts), 1 << BITS)
    )


def fit(x: csr_matrix, y: NDArray[np.bool_], weight: Floats, *, penalty: float = PENALTY) -> tuple[Floats, float]:
    """Weights (2^BITS,) and bias with the least weighted logistic loss. The same input gives the same numbers.

    Args:
        weight: of each text; need not sum to one.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - an extra

    used = np.flatnonzero(np.bincount(x.indices, minlength=x.shape[1]) >= LEAST)
    kept = x[:, used]
    turned = kept.T.tocsr()
    share = weight / weight.sum()
    sign = np.where(y, 1.0, -1.0)

    def loss(flat: Floats) -> tuple[float, Floats]:
        margin = (kept @ flat[:-1] + flat[-1]) * sign
        slope = -share * sign / (1 + np.exp(np.clip(margin, -60, 60)))
        value = share @ np.logaddexp(0, -margin) + penalty / 2 * (flat[:-1] @ flat[:-1])
        return float(value), np.append(turned @ slope + penalty * flat[:-1], slope.sum())

    found = minimize(loss, np.zeros(len(used) + 1), jac=True, method="L-BFGS-B", options={"maxiter": ROUNDS})
    weights = np.zeros(x.shape[1])
    weights[used] = found.x[:-1]
    return weights, float(found.x[-1])


def balanced(sources: Sequence[str], y: NDArray[np.bool_]) -> Floats:
    """Weights so that each source has the same say within attacks and within honest texts (ours ``OURS`` times it), and both
    sides the same."""
    found = np.ones(len(y))
    names = np.array(sources)
    for side in (False, True):
        for name in set(sources):
            own = (y == side) & (names == name)
            if own.any():
                found[own] = (OURS if name == "own" else 1.0) / own.sum()
        found[y == side] /= found[y == side].sum()
    return found


def in_bytes(weights: Floats) -> tuple[Bytes, float]:
    """Each weight as a byte, and what a step is worth; the few that are larger than six deviations are cut."""
    spread = float(np.sqrt((weights[weights != 0] ** 2).mean())) if weights.any() else 1.0
    scale = 6 * spread / 127
    return np.clip(np.round(weights / scale), -127, 127).astype(np.int8), scale


def knots(logits: Floats) -> tuple[tuple[float, float], ...]:
    """Which share of these honest logits reaches what, rising; the last is reached by five."""
    ordered = np.sort(logits)
    n = len(ordered)
    found: list[tuple[float, float]] = []
    for share in (0.9, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001):
        if share * n < 5:
            break
        at = float(ordered[n - 1 - int(share * n)])
        if not found or at > found[-1][0] + 1e-6:
            found.append((round(at, 6), share))
    return tuple(found)
