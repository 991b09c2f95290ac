"""Many runs of one watch at once, in which quality may fall. Knows how verdicts are drawn and nothing of how money is bet."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec import Struct

from demitasse.stats.eprocess import DROPS, LARGEST_BET
from demitasse.stats.purses import Floats, Purses

Rng = np.random.Generator
CHUNK = 500


class Verdicts(Struct, frozen=True):
    """Where verdicts come from: a finite population of (reference, served, weight) with probabilities before and after."""

    values: tuple[tuple[float, float, float], ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    quality: float = 0.95
    least: float = 0.05

    @property
    def losses(self) -> Floats:
        return np.array([w * (self.quality * r - s) for r, s, w in self.values])

    def quality_of(self, shares: tuple[float, ...]) -> float:
        """True quality, a share of the reference's, on all traffic."""
        p = np.array(shares)
        r, s, w = np.array(self.values).T
        return float((p * w * s).sum() / (p * w * r).sum())

    def information(self) -> float:
        """The least Kullback-Leibler divergence of what comes after the fall from any law of bounded losses that keeps the
        promise: the fastest growth that any bet can have, ``max E log(1 + bet · loss)`` (Honda & Takemura 2010)."""
        p, x = np.array(self.after), self.losses
        low, high = 0.0, 1 / self.least * (1 - 1e-12)
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if (p * x / (1 + middle * x)).sum() > 0 else (low, middle)
        return float((p * np.log1p(low * x)).sum())

    def bound(self, delta: float) -> float:
        """2 ln(1/delta) / KL, in shadow calls."""
        return 2 * math.log(1 / delta) / self.information()


def always_right(before: float, after: float, quality: float = 0.95) -> Verdicts:
    """The reference counts as 1, as in every comparison with it; served is as good or it is not."""
    return Verdicts(((1, 1, 1), (1, 0, 1)), (before, 1 - before), (after, 1 - after), quality, 1 - quality)


def both_scored(before: float, after: float, quality: float = 0.95, right: float = 0.8) -> Verdicts:
    """The reference is right in ``right`` of the calls only, and both are scored: wins offset losses."""
    values = ((1, 1, 1), (1, 0, 1), (0, 1, 1), (0, 0, 1))
    wins = 0.25 * (1 - right)

    def shares(q: float) -> tuple[float, ...]:
        kept = q * right - wins
        return (kept, right - kept, wins, 1 - right - wins)

    return Verdicts(values, shares(before), shares(after), quality, 1.0)


def weighted(before: float, after: float, quality: float = 0.95) -> Verdicts:
    """Calls near the threshold (30 %, where all the risk lies: three quarters of the failures) are drawn four times as often."""
    values = ((1, 1, 0.25), (1, 0, 0.25), (1, 1, 1), (1, 0, 1))

    def shares(q: float) -> tuple[float, ...]:
        near, far = 0.3 * 4, 0.7
        bad_near, bad_far = 0.75 * (1 - q) / 0.3, 0.25 * (1 - q) / 0.7
        all_ = near + far
        return tuple(x / all_ for x in (near * (1 - bad_near), near * bad_near, far * (1 - bad_far), far * bad_far))

    return Verdicts(values, shares(before), shares(after), quality, 1 - quality)


class Runs:
    """Bets of many watches, run side by side: the arithmetic of ``eprocess.Watch.saw``, run by run."""

    def __init__(self, runs: int, quality: float, least: float, delta: float, unit: int = 1) -> None:
        self.quality, self.most = quality, LARGEST_BET / (least * unit)
        self.purses = Purses(len(DROPS), runs, delta)
        self._sums = np.zeros((4, runs))
        self._drops = np.array(DROPS)[:, None]
        self._worth = np.ones((len(DROPS), runs))
        self._began = 0

    def step(self, loss: Floats, weight: Floats, *, follows: bool = False) -> Floats:
        """One verdict in every run; ``follows``: of the same session as the one before."""
        bets = self._bets()
        if follows:
            worth = self._worth + bets * loss
            factor = worth / self._worth
            self._worth = worth
        else:
            factor = self._worth = 1 + bets * loss
            self._began = self.purses.n + 1
        held = self.purses.step(factor, self._began)
        sums = self._sums
        sums[0] += weight
        sums[1] += weight * weight
        sums[2] += loss
        sums[3] += loss * loss
        return held

    def keep(self, which: np.ndarray) -> None:
        self.purses.keep(which)
        self._sums, self._worth = self._sums[:, which], self._worth[:, which]

    def _bets(self) -> Floats:
        n = self.purses.n
        weights, weight_squares, losses, squares = self._sums
        spread = self.quality * (1 - self.quality)
        turned = losses * (1 + weight_squares) / (1 + weights) * (2 * self.quality - 1)
        at_floor = np.maximum(spread + squares - turned, np.maximum(spread / 4 * (1 + weight_squares), 1e-4 * (1 + n)))
        each = (1 + weights) / at_floor
        return np.minimum(self._drops * each, self.most)


Step = Callable[[Floats, Floats], Floats]


def watch(
    verdicts: Verdicts,
    *,
    runs: int,
    steps: int,
    delta: float,
    seed: int,
    falls: bool,
    slide: int = 0,
    make: Callable[[int], Any] | None = None,
    patience: float = 12.0,
) -> dict[str, Any]:
    """Alarms: how many before the fall, and how long after it the others came.

    Args:
        slide: the fall takes so many steps; 0: it is sudden.
        steps: verdicts per run; the fall comes at a moment drawn from them alike, the run then goes on until the alarm.
        falls: False: quality stays as it is before the fall.
        make: another watcher, for comparison.
        patience: give up after so many times the bound.
    """
    rng = np.random.default_rng(seed)
    watcher = make(runs) if make else Runs(runs, verdicts.quality, verdicts.least, delta)
    falls_at = rng.integers(0, steps, runs) if falls else np.full(runs, steps)
    last = steps + (int(patience * verdicts.bound(delta)) + slide if falls else 0)
    alarm = np.full(runs, -1)
    alive = np.arange(runs)
    losses, weights = verdicts.losses, np.array([w for *_, w in verdicts.values])
    before, after = np.cumsum(verdicts.before), np.cumsum(verdicts.after)
    at = 0
    while at < last and len(alive):
        drawn = rng.random((CHUNK, len(alive)))
        share = _share(np.arange(at, at + CHUNK)[:, None] - falls_at[alive], slide)
        which = np.zeros((CHUNK, len(alive)), dtype=np.int64)
        for b, a in zip(before[:-1], after[:-1], strict=True):
            which += drawn >= b + (a - b) * share
        x, w = losses[which], weights[which]
        for i in range(min(CHUNK, last - at)):
            held = watcher.step(x[i], w[i])
            rung = (held >= 1 / delta) & (alarm[alive] < 0)
            if rung.any():
                alarm[alive[rung]] = at + i
        at += CHUNK
        stays = alarm[alive] < 0
        if not stays.all():
            watcher.keep(stays)
            alive = alive[stays]
    early = (alarm >= 0) & (alarm < falls_at)
    delay = np.where(alarm >= 0, alarm - falls_at + 1, 10 * last)[~early]
    return {"early": early, "delay": delay if falls else None, "missed": int((alarm[~early] < 0).sum()) if falls else 0}


def _share(since: np.ndarray, slide: int) -> Floats:
    """How far quality has gone on its way down, 0..1."""
    return np.asarray((since >= 0).astype(float) if not slide else np.clip(since / slide, 0.0, 1.0))
