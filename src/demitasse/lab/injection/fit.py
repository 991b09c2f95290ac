"""Weights from labelled texts: logistic regression with a quadratic penalty, then two bytes a weight. Knows no source.

Features of a text are its runs, each counted once, over the square root of their number, and what its words say (1 each), as they
are when it is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...guard.injection.grams import BITS, ORDERS, codes, grams, word_hashes
from ...guard.injection.lexicon import MOST_WORDS, SIZE, known
from ...guard.injection.lexicon import features as said
from ...guard.injection.scoring import clipped
from ...guard.injection.weights import Steps
from ..optimise.classifier import ClassifierError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]

PENALTY: Final = 1e-6
"""Of the squared weights, beside the mean loss of a text."""
PENALTY_JOINT: Final = 2e-6
PENALTY_WORDS: Final = 1e-3
RARITY: Final = 5.0
"""A run counts the logarithm of the share of texts that have it, over this: what is rare says more. Within ``SPREAD``."""
SPREAD: Final = (0.2, 2.0)
OF_WORDS: Final = 2.0
"""How much more a run of words counts than one of characters: there are fewer of them, and they are more alike in other texts."""
JOINT: Final = 0.05
"""What a feature of the words counts beside the runs: little, so that the runs explain what they can."""
ALONE: Final = 0.3
"""The same in the model that knows words only."""
SHARE: Final = 0.3
"""How much of that second model's logit is added."""
ROUNDS: Final = 40
OURS: Final = {"own": 3.0, "orders": 3.0} | dict.fromkeys(
    ("prompts", "prompts by sentence", "documents", "documents by sentence"), 0.3
)
"""How much some of our own texts count beside another source; short ones were written to hold wherever an attack comes from."""
MOSTLY: Final = 0.7
"""Share of the texts which have something in a bucket that have a run of words in it."""
LEAST: Final = 3
"""Texts that a run is in, at least."""
_MOST_CHARS: Final = 2_000


class Runs(NamedTuple):
    """Of texts, which runs each has."""

    of_texts: csr_matrix
    """Of shape (texts, 2^BITS)."""
    of_words: NDArray[np.bool_]
    """Of each bucket, whether what falls into it is runs of words more than of characters."""


def runs(texts: Sequence[str]) -> Runs:
    """Hashed as they are when a text is scored."""
    try:
        from scipy import sparse  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ClassifierError("training the detector needs scipy: pip install 'demitasse[lab]'") from error
    columns, values, ends = [], [], [0]
    by_words, by_any = np.zeros(1 << BITS, np.int64), np.zeros(1 << BITS, np.int64)
    for text in texts:
        read = codes(clipped(text[:_MOST_CHARS]))[0]
        every = grams(read)[1]
        own = np.unique(every)
        by_any[own] += 1
        by_words[np.unique(every[sum(max(0, len(read) - n + 1) for n in ORDERS) :])] += 1
        columns.append(own.astype(np.int32))
        values.append(np.full(len(own), 1 / np.sqrt(max(1, len(own))), np.float32))
        ends.append(ends[-1] + len(own))
    shape = len(texts), 1 << BITS
    found = sparse.csr_matrix((np.concatenate(values), np.concatenate(columns), np.array(ends)), shape=shape)
    return Runs(found, (by_words > 0) & (by_words >= MOSTLY * by_any))


def words(texts: Sequence[str]) -> csr_matrix:
    """What the words of each text say, of shape (texts, lexicon.SIZE)."""
    from scipy import sparse  # noqa: PLC0415 - an extra

    columns, ends = [], [0]
    for text in texts:
        hashes = word_hashes(codes(clipped(text[:_MOST_CHARS]))[0])[1][:MOST_WORDS]
        columns.append(np.array(sorted(said(known(hashes.tolist()))), np.int32))
        ends.append(ends[-1] + len(columns[-1]))
    return sparse.csr_matrix(
        (np.ones(ends[-1], np.float32), np.concatenate(columns), np.array(ends)), shape=(len(texts), SIZE)
    )


def with_words(
    found: csr_matrix, of_words: NDArray[np.bool_], said: csr_matrix, y: NDArray[np.bool_], weight: Floats
) -> tuple[Floats, NDArray[np.float32], float]:
    """Weights of runs, weights of what words say, and the bias.

    Two regressions, and their logits summed: one of both together, and one of the words alone, which the many runs would drown.
    """
    from scipy import sparse  # noqa: PLC0415 - an extra

    both = sparse.hstack([found, said * np.float32(JOINT)]).tocsr()
    joint, bias = fit(both, y, weight, penalty=PENALTY_JOINT, say=rarity(both, of_words))
    alone, more = fit(said * np.float32(ALONE), y, weight, penalty=PENALTY_WORDS)
    own = joint[found.shape[1] :]
    return joint[: found.shape[1]], (JOINT * own + SHARE * ALONE * alone).astype(np.float32), bias + SHARE * more


def rarity(x: csr_matrix, of_words: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """How much each column counts: the penalty falls on what is left of it, so that the common ones are not the cheapest."""
    have = np.bincount(x.indices, minlength=x.shape[1])
    say: NDArray[np.float32] = np.clip(np.log(x.shape[0] / np.maximum(have, 1)) / RARITY, *SPREAD).astype(np.float32)
    if of_words is not None:
        say[: len(of_words)][of_words] *= OF_WORDS
    return say


def fit(
    x: csr_matrix,
    y: NDArray[np.bool_],
    weight: Floats,
    *,
    penalty: float = PENALTY,
    say: NDArray[np.float32] | None = None,
) -> tuple[Floats, float]:
    """Weights of the columns and the bias with the least weighted logistic loss. The same input gives the same numbers.

    Args:
        weight: of each text; need not sum to one.
        say: of each column; None: all the same.
    """
    from scipy import sparse  # noqa: PLC0415 - an extra
    from scipy.optimize import minimize  # noqa: PLC0415

    used = np.flatnonzero(np.bincount(x.indices, minlength=x.shape[1]) >= LEAST)
    kept = x[:, used].astype(np.float32)
    if say is not None:
        kept = (kept @ sparse.diags(say[used])).tocsr()
    turned = kept.T.tocsr()
    share = weight / weight.sum()
    sign = np.where(y, 1.0, -1.0)

    def loss(flat: Floats) -> tuple[float, Floats]:
        margin = (kept @ flat[:-1].astype(np.float32) + flat[-1]) * sign
        slope = -share * sign / (1 + np.exp(np.clip(margin, -60, 60)))
        value = share @ np.logaddexp(0, -margin) + penalty / 2 * (flat[:-1] @ flat[:-1])
        return float(value), np.append(turned @ slope.astype(np.float32) + penalty * flat[:-1], slope.sum())

    found = minimize(loss, np.zeros(len(used) + 1), jac=True, method="L-BFGS-B", options={"maxiter": ROUNDS})
    weights = np.zeros(x.shape[1])
    weights[used] = found.x[:-1] if say is None else found.x[:-1] * say[used]
    return weights, float(found.x[-1])


def balanced(sources: Sequence[str], y: NDArray[np.bool_]) -> Floats:
    """Weights so that each source has the same say within attacks and within honest texts (ours its own, ``OURS``), and both
    sides the same."""
    found = np.ones(len(y))
    names = np.array(sources)
    for side in (False, True):
        for name in set(sources):
            own = (y == side) & (names == name)
            if own.any():
                found[own] = OURS.get(name, 1.0) / own.sum()
        found[y == side] /= found[y == side].sum()
    return found


def in_steps(weights: Floats) -> tuple[Steps, float]:
    """Each weight as a number of steps, and what a step is worth. None is cut: the few far beyond the others tell most."""
    scale = float(np.abs(weights).max()) / 32_767 or 1.0
    return np.round(weights / scale).astype(np.int16), scale


def knots(kinds: Sequence[tuple[float, Floats]], worse: float = 1.0) -> tuple[tuple[float, float], ...]:
    """Which share of honest logits reaches what, rising; the last is reached by five.

    Args:
        kinds: of each kind of text its say, and its logits.
        worse: the share is that of the kinds that reach it most, which together have so much of all say; 1: of all of them.
    """
    if not kinds:
        return ()
    say = np.array([say for say, _ in kinds])[:, None]
    every = np.sort(np.concatenate([logits for _, logits in kinds]))
    reached = np.array([1 - np.searchsorted(np.sort(logits), every) / len(logits) for _, logits in kinds])
    order = np.argsort(-reached, axis=0, kind="stable")
    own = np.take_along_axis(np.broadcast_to(say, reached.shape), order, 0)
    counted = np.clip(worse * say.sum() - (np.cumsum(own, axis=0) - own), 0, own)
    shares = (np.take_along_axis(reached, order, 0) * counted).sum(axis=0) / (worse * say.sum())
    found: list[tuple[float, float]] = []
    for share in (0.9, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001):
        place = int((shares > share).sum())
        if len(every) - place < 5:
            break
        at = float(every[place])
        if not found or at > found[-1][0] + 1e-6:
            found.append((round(at, 6), share))
    return tuple(found)
