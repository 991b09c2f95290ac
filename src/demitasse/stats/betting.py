"""Betting against "this mean is too high": wealth that can grow only if the claim is false. Pure; knows no models, no prices.

A loss x with values in [-1, bound] is put to the claim E[x] >= 0. Who bets the share ``bet`` of his wealth against it
holds wealth x (1 - bet x) afterwards; while the claim is true this is a non-negative supermartingale whatever the bets
are, as long as each is chosen before its loss is seen, so that wealth ever reaches 1/delta with probability delta at most
(Ville). Waudby-Smith & Ramdas, *Estimating means of bounded random variables by betting*, JRSS B 86 (2024).

Two bettors. ``aimed`` knows beforehand how many losses there will be and bets as one who must own 1/delta by the last of
them: the hedge of a digital option, which is the most powerful test where sums are nearly normal. ``Martingale`` does not
know when it ends: it holds a fixed mixture of bets and goes on for as long as losses come in.
"""

from __future__ import annotations

import functools
import math
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

Floats = npt.NDArray[np.float64]

LARGEST_BET = 0.95
"""Of what could ruin the bettor: one loss of ``bound`` leaves a twentieth."""


def aimed(
    losses: Floats,
    *,
    delta: float,
    bound: float = 1.0,
    spread: Floats | float | None = None,
    prior: float = 20.0,
    boldness: float = 1.0,
    beyond: float = 1.15,
) -> Floats:
    """Largest log wealth of a bettor who aims at 1/delta with the last loss; at least ``log(1/delta)`` rejects the claim.

    The bet is the hedge of an option that pays 1/delta if the sum of losses ends low enough (its value, were losses
    normal with mean 0, is the wealth): ``phi(d) / (Phi(d) s sqrt(m))`` with ``Phi(d) = delta x wealth``, m losses to come
    and s their root mean square, learned as they come. Valid for any losses in bounds and in any order that does not
    depend on them. Once the target is reached no more is bet.

    Args:
        losses: (rows, ...) in [-1, bound]; each trailing cell is a test of its own.
        delta: level.
        bound: the largest possible loss, > 0.
        spread: (...) what is expected of the root mean square of the losses; from other data. None: half the bound.
        prior: how many losses ``spread`` is worth.
        boldness, beyond: how much more than the hedge is bet, and how far beyond 1/delta is aimed, because losses come
            in lumps and the last step must not stop short. Chosen by power in simulation; any value is valid.

    Returns:
        (...) the peak of the log wealth.
    """
    shape = losses.shape[1:]
    target = math.log(1 / delta)
    log_p, hazard = _hedge()
    wealth = np.zeros(shape)
    seen = np.full(shape, prior)
    squares = np.broadcast_to(np.asarray(bound / 2 if spread is None else spread, float) ** 2 * prior, shape).copy()
    np.maximum(squares, 1e-6 * prior, out=squares)
    most = LARGEST_BET / bound
    rows = len(losses)
    for t, loss in enumerate(losses):
        hedge = np.interp(wealth - target - math.log(beyond), log_p, hazard)
        bet = np.minimum(boldness * hedge / np.sqrt(squares / seen * (rows - t)), most)
        bet[wealth >= target] = 0.0
        wealth = wealth + np.log1p(-bet * loss)
        squares += loss * loss
        seen += 1.0
    return np.asarray(np.maximum(wealth, 0.0))


def needed(delta: float, margin: float, bound: float = 1.0) -> int:
    """So many losses of ``-margin`` each, and nothing else, would reject at most: below this no test can pass."""
    if margin <= 0:
        return 10**9
    return math.ceil(math.log(1 / delta) / math.log1p(LARGEST_BET / bound * margin))


def steadied(
    losses: Floats, predicted: Floats, pool: Floats, share: Floats | float = 1.0, *, bound: float = 1.0
) -> tuple[Floats, float]:
    """Losses less what could be predicted of them, and their new bound: a control variate that costs no validity.

    Each loss is held against the predictions of calls of its own that nobody labelled: ``loss - share x (predicted - mean
    of its part of the pool)``. Pool and labelled calls being drawn alike, the bracket has mean 0 exactly, whatever the
    predictions are worth, so that the mean of the losses stays what it is and each is still one independent piece.
    (Subtracting the mean of the whole pool from all would tie the pieces together.)

    Args:
        losses: (rows, ...) in [-1, bound].
        predicted: (rows, ...) of the same calls, by a predictor that has not seen their losses; bounded.
        pool: (many, ...) predictions for other calls, in random order. Fewer than rows: nothing is changed.
        share: (...) how much of the prediction is taken off, >= 0; from training rows. 0 takes nothing.
    """
    each = len(pool) // max(len(losses), 1)
    if each == 0:
        return losses, bound
    own = pool[: each * len(losses)].reshape(len(losses), each, *pool.shape[1:]).mean(axis=1)
    everything = np.concatenate([predicted, pool])
    span = float((share * (everything.max(axis=0) - everything.min(axis=0))).max(initial=0.0))
    return losses - share * (predicted - own), bound + span


class Martingale:
    """Wealth per step of a path that goes on across looks: certify today, add labels, certify again tomorrow.

    Holds a mixture of constant bets (Ville holds for the mixture), so that it does not matter when one looks or stops.
    Losses must come in an order that does not depend on them, each once.

    Args:
        aims: (steps,) the bets that are expected to be the right ones, from other data; below 0 or nan: nothing is known of
            that step. Half of the money is laid near them: any split is valid, a good one saves labels.

    Attributes:
        n: losses seen.
        peak: (steps,) the largest log wealth at any time.
    """

    def __init__(self, steps: int, *, bound: float = 1.0, bets: int = 24, aims: Floats | None = None) -> None:
        self.bound = bound
        self.n = 0
        self.bets: Floats = np.geomspace(0.004, LARGEST_BET, bets) / bound
        self._log: Floats = np.zeros((steps, bets))
        if aims is not None:
            self._log += _near(self.bets, aims)
        self.peak: Floats = np.zeros(steps)

    @property
    def log_wealth(self) -> Floats:
        """(steps,) now."""
        return _log_mean_exp(self._log)

    def update(self, losses: Floats) -> Self:
        """Add (rows, steps) losses in [-1, bound]; returns itself.

        Raises:
            ValueError: a loss is out of bounds, or the steps differ.
        """
        if losses.ndim != 2 or losses.shape[1] != len(self.peak):
            raise ValueError(f"losses have shape {losses.shape}; this martingale has {len(self.peak)} steps")
        if losses.size and not (losses.min() >= -1 - 1e-9 and losses.max() <= self.bound + 1e-9):
            raise ValueError(f"losses reach from {losses.min():g} to {losses.max():g}; they lie in -1..{self.bound:g}")
        for loss in losses:
            self._log += np.log1p(-loss[:, None] * self.bets)
            np.maximum(self.peak, _log_mean_exp(self._log), out=self.peak)
        self.n += len(losses)
        return self

    def rejects(self, delta: float) -> npt.NDArray[np.bool_]:
        """(steps,) whether "the loss is not below 0" has been refuted at this level, at any look so far."""
        return np.asarray(self.peak >= math.log(1 / delta))

    def to_json(self) -> bytes:
        """All of it, to be kept."""
        return msgspec.json.encode(
            _Kept(self.bound, self.n, self.bets.tolist(), self._log.tolist(), self.peak.tolist())
        )

    @classmethod
    def from_json(cls, data: bytes | str) -> Martingale:
        """The same martingale again."""
        kept = msgspec.json.decode(data, type=_Kept)
        it = cls(len(kept.peak), bound=kept.bound, bets=len(kept.bets))
        it.n, it.bets, it.peak = kept.n, np.array(kept.bets), np.array(kept.peak)
        it._log = np.array(kept.log).reshape(len(kept.peak), len(kept.bets))
        return it


def _near(bets: Floats, aims: Floats) -> Floats:
    """(steps, bets) logs of how the money is split, times their number: half near the aims, half the larger the bet is."""
    large = bets / bets.sum()
    known = np.where(aims > 0, np.clip(aims, bets[0], bets[-1]), np.nan)
    near = np.exp(-0.5 * ((np.log(bets) - np.log(known)[:, None]) / _WIDTH) ** 2)
    near = near / near.sum(axis=1, keepdims=True)
    split = np.where(np.isnan(near), large, 0.5 * near + 0.5 * large)
    return np.asarray(np.log(split * len(bets)))


_WIDTH = 0.5
"""Of the money around an aim, in logs."""


class _Kept(Struct, frozen=True):
    bound: float
    n: int
    bets: list[float]
    log: list[list[float]]
    peak: list[float]


def floor(
    reference: Floats,
    served: Floats,
    *,
    delta: float,
    start: float = 0.0,
    end: float = 1.0,
    grid: int = 201,
    spread: float | None = None,
) -> float:
    """Lower bound on E[served] / E[reference] with confidence 1 - delta, by inversion of ``aimed``.

    Every share of a grid is put to the test, upwards from ``start``; the last before the first that is not refuted is
    the bound. Upwards in fixed order, so all together err with probability delta at most.

    Args:
        reference, served: (rows,) scores in 0..1, weighted alike where they are weighted.
        start: where to begin; what is known already.
        end: where to stop.

    Returns:
        the bound, or ``start`` where not even the first share is refuted.
    """
    shares = np.linspace(start, end, grid)[1:]
    losses = shares[None, :] * reference[:, None] - served[:, None]
    passed = aimed(losses, delta=delta, bound=max(end, 1e-6), spread=spread) >= math.log(1 / delta)
    count = int(np.argmin(passed)) if not passed.all() else len(shares)
    return float(shares[count - 1]) if count else start


def _log_mean_exp(log: Floats) -> Floats:
    top = log.max(axis=-1)
    return np.asarray(top + np.log(np.exp(log - top[..., None]).mean(axis=-1)))


@functools.cache
def _hedge() -> tuple[Floats, Floats]:
    """Table of phi(d)/Phi(d) against log Phi(d), for d from -37 (beyond which Phi underflows) to 8."""
    d = np.linspace(-37.0, 8.0, 4501)
    tail = np.array([math.erfc(-x / math.sqrt(2)) / 2 for x in d])
    density = np.exp(-d * d / 2) / math.sqrt(2 * math.pi)
    return np.log(tail), density / tail
