"""Many runs of one watch at once, in which quality may fall. Knows how verdicts are drawn and nothing of how money is bet."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec import Struct

from demitasse.stats.eprocess import DROPS, LARGEST_BET, Watch
from demitasse.stats.purses import Floats, Purses

Rng = np.random.Generator
CHUNK = 500
PATIENCE = 12.0
"""A run is given up after so many times the bound."""


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

    def draw(self, rng: Rng, share: Floats) -> tuple[Floats, Floats]:
        """Losses and weights; ``share`` says how far each is on its way from ``before`` to ``after``."""
        before, after = np.cumsum(self.before), np.cumsum(self.after)
        lot = rng.random(share.shape)
        which = np.zeros(share.shape, dtype=np.int64)
        for b, a in zip(before[:-1], after[:-1], strict=True):
            which += lot >= b + (a - b) * share
        return self.losses[which], np.array([w for *_, w in self.values])[which]

    def quality_of(self, shares: tuple[float, ...]) -> float:
        """True quality, a share of the reference's, on all traffic."""
        p = np.array(shares)
        r, s, w = np.array(self.values).T
        return float((p * w * s).sum() / (p * w * r).sum())

    def best_bet(self) -> float:
        """Under which money grows fastest after the fall."""
        p, x = np.array(self.after), self.losses
        low, high = 0.0, 1 / self.least * (1 - 1e-12)
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if (p * x / (1 + middle * x)).sum() > 0 else (low, middle)
        return low

    def information(self) -> float:
        """The least Kullback-Leibler divergence of what comes after the fall from any law of bounded losses that keeps the
        promise: the fastest growth that any bet can have, ``max E log(1 + bet · loss)`` (Honda & Takemura 2010)."""
        return float((np.array(self.after) * np.log1p(self.best_bet() * self.losses)).sum())

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
        self._worth = self._laid = np.ones((len(DROPS), runs))
        self._began = 0

    def step(self, loss: Floats, weight: Floats, *, follows: bool = False) -> Floats:
        """One verdict in every run; ``follows``: of the same session as the one before."""
        if follows:
            worth = self._worth + self._laid * loss
            factor = worth / self._worth
            self._worth = worth
        else:
            self._laid = self._bets()
            factor = self._worth = 1 + self._laid * loss
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
        self._sums = self._sums[:, which]
        self._worth, self._laid = self._worth[:, which], self._laid[:, which]

    def _bets(self) -> Floats:
        n = self.purses.n
        weights, weight_squares, losses, squares = self._sums
        spread = self.quality * (1 - self.quality)
        turned = losses * (1 + weight_squares) / (1 + weights) * (2 * self.quality - 1)
        at_floor = np.maximum(spread + squares - turned, np.maximum(spread / 4 * (1 + weight_squares), 1e-4 * (1 + n)))
        each = (1 + weights) / at_floor
        return np.minimum(self._drops * each, self.most)


class Alarms(Struct, frozen=True):
    """What became of many runs.

    Attributes:
        early: (runs,) the alarm came while the promise still held.
        delay: (the others,) verdicts from the fall to the alarm, both included; inf where it never came.
    """

    early: np.ndarray
    delay: np.ndarray


def watch(
    verdicts: Verdicts,
    *,
    runs: int,
    steps: int,
    delta: float,
    seed: int,
    falls: bool,
    slide: int = 0,
    wavers: int = 0,
    make: Callable[[int], Any] | None = None,
) -> Alarms:
    """Runs of a watch over verdicts that do not depend on each other.

    Args:
        steps: verdicts per run; the fall comes at a moment drawn from them alike, the run then goes on until the alarm.
        falls: False: quality stays as it is before the fall.
        slide: the fall takes so many steps; 0: it is sudden.
        wavers: every so many steps quality is drawn anew between ``before`` and ``after``; 0: it stays.
        make: another watcher, for comparison.
    """
    rng = np.random.default_rng(seed)
    watcher = make(runs) if make else Runs(runs, verdicts.quality, verdicts.least, delta)
    falls_at = rng.integers(0, steps, runs) if falls else np.full(runs, steps)
    levels = rng.random((steps // wavers + 1, runs)) if wavers else None
    last = steps + (int(PATIENCE * verdicts.bound(delta)) + slide if falls else 0)
    alarm = np.full(runs, np.inf)
    alive = np.arange(runs)
    for at in range(0, last, CHUNK):
        times = np.arange(at, min(at + CHUNK, last))
        waver = None if levels is None else levels[times // wavers][:, alive]
        share = _share(times[:, None] - falls_at[alive], slide) if waver is None else waver
        losses, weights = verdicts.draw(rng, share)
        for i, time in enumerate(times):
            rung = watcher.step(losses[i], weights[i]) >= 1 / delta
            if rung.any():
                alarm[alive[rung]] = np.minimum(alarm[alive[rung]], time)
        stays = np.isinf(alarm[alive])
        watcher.keep(stays)
        alive = alive[stays]
        if not len(alive):
            break
    early = alarm < falls_at
    return Alarms(early, (alarm - falls_at + 1)[~early] if falls else np.empty(0))


def sessions(
    *, runs: int, steps: int, delta: float, seed: int, size: int, known: bool, falls: bool, quality: float = 0.95
) -> Alarms:
    """Runs in which calls come in sessions of ``size`` that go well together or badly together: one in ten keeps 68 % and the
    others 98 %, which makes 95; after the fall 26.7 % of them go badly, which makes 90.

    Args:
        known: the watch is told which verdicts belong together.
    """
    rng = np.random.default_rng(seed)
    watcher = Runs(runs, quality, 1 - quality, delta, unit=size if known else 1)
    falls_at = rng.integers(0, steps // size, runs) * size if falls else np.full(runs, steps)
    last = steps + (steps if falls else 0)
    alarm = np.full(runs, np.inf)
    for at in range(0, last, size):
        bad = rng.random(runs) < np.where(at >= falls_at, 0.08 / 0.3, 0.1)
        kept = rng.random((size, runs)) < np.where(bad, 0.68, 0.98)
        for i in range(size):
            rung = watcher.step(quality - kept[i], np.ones(runs), follows=known and i > 0) >= 1 / delta
            alarm[rung] = np.minimum(alarm[rung], at + i)
        if np.isfinite(alarm).all():
            break
    early = alarm < falls_at
    return Alarms(early, (alarm - falls_at + 1)[~early] if falls else np.empty(0))


def bound_of_sessions(size: int, delta: float, quality: float = 0.95) -> float:
    """2 ln(1/delta) / KL in verdicts, when a session's losses together are one observation."""
    failures = np.arange(size + 1)
    ways = np.array([math.comb(size, k) for k in range(size + 1)])
    bad, good = (ways * q**failures * (1 - q) ** (size - failures) for q in (0.32, 0.02))
    loss = failures - (1 - quality) * size
    share = 0.08 / 0.3
    bets = np.linspace(0, 1 / ((1 - quality) * size), 2001)[:-1]
    growth = np.log1p(bets[:, None] * loss) @ (share * bad + (1 - share) * good)
    return float(2 * math.log(1 / delta) * size / growth.max())


def side_by_side(
    *, runs: int, steps: int, delta: float, seed: int, size: int, open: int = 10, quality: float = 0.95
) -> Alarms:
    """The same at the floor with ``open`` sessions going on at a time, by the watch that the gateway runs."""
    early = np.zeros(runs, dtype=bool)
    for run in range(runs):
        rng = np.random.default_rng((seed, run))
        watcher = Watch(quality, delta, unit=size)
        began, going = 0, []
        for pick, lot in rng.random((steps, 2)):
            while len(going) < open:
                going.append([f"s{began}", 0.68 if rng.random() < 0.1 else 0.98, size])
                began += 1
            at = int(pick * open)
            name, keeps, left = going[at]
            if watcher.saw(1.0, float(lot < keeps), session=name):
                break
            going[at][2] = left - 1
            if left == 1:
                del going[at]
        early[run] = watcher.crossed
    return Alarms(early, np.empty(0))


def _share(since: np.ndarray, slide: int) -> Floats:
    """How far quality has gone on its way down, 0..1."""
    return np.asarray((since >= 0).astype(float) if not slide else np.clip(since / slide, 0.0, 1.0))
