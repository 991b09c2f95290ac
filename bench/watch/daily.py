"""A user who presses *certify* every day, on calls whose true quality under every threshold is known.

The evidence is ``stats.betting.Martingale``, one per threshold, which goes on from day to day. Beside it, on the same labels:
whoever tests all data afresh each day, and whoever takes the threshold that looks best.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
from msgspec import Struct

from demitasse.stats.betting import Martingale, aimed
from demitasse.stats.purses import Floats

QUALITY = 0.95


class Traffic(Struct, frozen=True):
    """Scores are uniform; the small model fails with probability ``risk · (1 - score)``. A step serves it from ``1 - reach`` on.

    Args:
        reaches: of the steps, from the most careful on.
        near: shadow calls favour scores in this range ...
        favour: ... by this factor, and are weighted inversely.
    """

    reaches: tuple[float, ...]
    risk: float = 0.2
    near: tuple[float, float] = (0.2, 0.6)
    favour: float = 1.0

    def quality(self) -> Floats:
        """(steps,) true, as a share of the reference's."""
        return 1 - self.risk * np.array(self.reaches) ** 2 / 2

    def losses(self, rng: np.random.Generator, rows: int, runs: int) -> Floats:
        """(rows, runs, steps) weighted losses of drawn calls."""
        score = rng.random((rows, runs))
        if self.favour > 1:
            low, high = self.near
            share = self.favour * (high - low) / (self.favour * (high - low) + 1 - (high - low))
            near = rng.random((rows, runs)) < share
            outside = score * (1 - (high - low))
            score = np.where(near, low + score * (high - low), np.where(outside < low, outside, outside + high - low))
            weight = np.where(near, 1 / self.favour, 1.0)
        else:
            weight = np.ones((rows, runs))
        fails = rng.random((rows, runs)) < self.risk * (1 - score)
        served = score[..., None] >= 1 - np.array(self.reaches)
        return np.asarray(weight[..., None] * (QUALITY - 1 + (served & fails[..., None])))


PATH = Traffic((0.3, 0.4, 0.5, 0.6, 0.714, 0.8, 1.0))
"""Four steps keep 95 %, the fifth falls short by a tenth of a point."""
EDGE = Traffic((0.7072,))
"""One step, 0.001 points below the floor: whoever certifies it at all is wrong."""


def broken(
    traffic: Traffic, *, runs: int, days: int, per_day: int, delta: float, seed: int, naive: bool = True
) -> dict[str, Any]:
    """In how many runs a certificate was ever in force whose true quality lies below the floor.

    Args:
        per_day: labels.
    """
    rng = np.random.default_rng(seed)
    steps = len(traffic.reaches)
    bad = traffic.quality() < QUALITY
    standing = Martingale(runs * steps, bound=QUALITY)
    sums, squares = np.zeros((runs, steps)), np.zeros((runs, steps))
    wrong = {name: np.zeros(runs, dtype=bool) for name in ("standing", "afresh", "best")}
    z = NormalDist().inv_cdf(1 - delta)
    first, chosen = np.zeros(runs), np.full(runs, -1)
    for day in range(days):
        x = traffic.losses(rng, per_day, runs)
        standing.update(x.reshape(per_day, -1))
        chosen = _walk(standing.rejects(delta).reshape(runs, steps))
        wrong["standing"] |= _wrong(chosen, bad)
        first = np.where((first == 0) & (chosen >= 0), day + 1, first)
        if naive:
            sums += x.sum(axis=0)
            squares += (x * x).sum(axis=0)
            n = (day + 1) * per_day
            mean = sums / n
            error = np.sqrt(np.maximum(squares / n - mean * mean, 1e-9) / n)
            wrong["afresh"] |= _wrong(_walk(mean + z * error < 0), bad)
            wrong["best"] |= _wrong(
                np.where((mean <= 0).any(axis=1), steps - 1 - np.argmax((mean <= 0)[:, ::-1], axis=1), -1), bad
            )
    found = {name: int(each.sum()) for name, each in wrong.items() if naive or name == "standing"}
    certified = first > 0
    return {
        "runs": runs,
        "broken": found,
        "certified_at_the_end": float((chosen >= 0).mean()),
        "median_day_of_the_first": float(np.median(first[certified])) if certified.any() else None,
        "median_step_at_the_end": float(np.median(chosen)),
        "best_true_step": int(np.argmax(bad)) - 1 if bad.any() else steps - 1,
    }


def afresh(traffic: Traffic, *, runs: int, days: int, per_day: int, delta: float, seed: int) -> dict[str, Any]:
    """The same for a valid test (``betting.aimed``) that is done afresh each day on all labels so far."""
    rng = np.random.default_rng(seed)
    x = traffic.losses(rng, days * per_day, runs)
    bad = traffic.quality() < QUALITY
    wrong, once = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    for day in range(1, days + 1):
        rejected = aimed(x[: day * per_day], delta=delta, bound=QUALITY) >= math.log(1 / delta)
        once = _wrong(_walk(rejected), bad)
        wrong |= once
    return {"runs": runs, "broken": {"afresh": int(wrong.sum()), "once, at the end": int(once.sum())}}


def _walk(passed: np.ndarray) -> np.ndarray:
    """The last step before the first that fails; -1: none."""
    return np.where(passed.all(axis=1), passed.shape[1], np.argmin(passed, axis=1)) - 1


def _wrong(chosen: np.ndarray, bad: np.ndarray) -> np.ndarray:
    return (chosen >= 0) & bad[np.maximum(chosen, 0)]
