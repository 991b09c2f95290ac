"""How often a cache's hits are wrong, bounded at every moment at once. Knows coins and verdicts; nothing of texts or models.

A *would-be hit* is served, or with a probability known beforehand (its propensity) it is checked: the model is asked all
the same and a verdict says whether the kept answer would have been wrong. Only checks are seen.

All three accounts are products of bets, so looking at them after every call costs nothing (Ville's inequality). The bets
are fixed numbers, mixed; therefore ``HitBound`` bounds the *running mean* of the error, also where that differs from call
to call and depends on the past: for X in [0, 1] of mean m, ``E[1 + b(e - X)] <= exp(b(e - m))``.

Sources: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (JRSS B 2024), sections 4 and
B.6; Shin, Ramdas and Rinaldo, "E-detectors" (2023), section 2 for the watch.
"""

from __future__ import annotations

from math import inf, log
from statistics import NormalDist
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

_BETS: Final = np.array([0.15, 0.3, 0.5, 0.7, 0.95])
_PARTS: Final = np.array([0.05, 0.15, 0.35, 0.35, 0.1])
"""Bets against the error being as high as supposed, and the parts of the capital that are bet so: mostly as if it were a
third or a half of that."""
_GRID: Final = np.array(
    [0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3]
)
_MOST: Final = 4.0
"""Log of the most capital that is kept above what certifies: what was earned long ago must not hide what is new."""


class BoundState(Struct, frozen=True):
    """A ``HitBound`` as data."""

    logs: list[float]
    checked: int
    wrong: int
    rows: int


class HitBound:
    """An upper bound on the mean error of would-be hits so far, valid at all times at once with confidence 1 - ``delta``.

    A row weighs as much as its ``scale``: 1 where every would-be hit is checked, less where few are.
    """

    def __init__(self, max_error: float, delta: float = 0.05, state: BoundState | None = None) -> None:
        self.max_error, self.delta = max_error, delta
        self._errors = np.unique(np.append(_GRID, max_error))
        self._at = int(np.searchsorted(self._errors, max_error))
        self._logs: NDArray[np.float64] = np.zeros((len(self._errors), len(_BETS)))
        self.checked = self.wrong = self.rows = 0
        if state is not None and len(state.logs) == self._logs.size:
            self._logs = np.array(state.logs).reshape(self._logs.shape)
            self.checked, self.wrong, self.rows = state.checked, state.wrong, state.rows

    def add(self, wrong: bool | None, propensity: float, scale: float | None = None) -> None:
        """One would-be hit: its verdict, or None when it was served unseen.

        Args:
            propensity: with which probability it was to be checked, in (0, 1].
            scale: the least propensity that any row of its kind can have; its own where that is not given.
        """
        scale = propensity if scale is None else min(scale, propensity)
        seen = scale / propensity if wrong else 0.0
        self._logs += np.log1p(np.outer(self._errors * scale - seen, _BETS))
        np.minimum(self._logs, _MOST + log(1 / self.delta), out=self._logs)
        self.rows += 1
        self.checked += wrong is not None
        self.wrong += bool(wrong)

    def capital(self) -> float:
        """Log of what betting against ``max_error`` has made of 1; ``log(1/delta)`` proves that it lies below."""
        return float(_log_mean(self._logs[self._at], _PARTS))

    @property
    def certified(self) -> bool:
        return self.capital() >= log(1 / self.delta)

    def upper(self) -> float:
        """The bound itself: the least error of a grid that is disproved with everything above it; 1.0 when none is."""
        proven = _log_mean(self._logs, _PARTS) >= log(1 / self.delta)
        bound = 1.0
        for error, held in zip(self._errors[::-1], proven[::-1], strict=True):
            if not held:
                break
            bound = float(error)
        return bound

    def state(self) -> BoundState:
        return BoundState(self._logs.ravel().tolist(), self.checked, self.wrong, self.rows)


class HitWatch:
    """Tells when checks come out worse than they were said to: an e-detector over checks alone.

    As long as no check is wrong with more than the chance that was supposed for it, false alarms are ``patience`` checks
    apart on average at least. Bets are likelihood ratios against chances that are ``_TIMES`` as high.
    """

    _TIMES: Final = np.array([2.0, 4.0, 8.0])

    def __init__(self, patience: int = 1_000, logs: list[float] | None = None) -> None:
        self.patience = patience
        self._logs: NDArray[np.float64] = np.array(logs) if logs and len(logs) == 3 else np.zeros(3)

    def add(self, *, wrong: bool, supposed: float) -> bool:
        """One verdict and the chance to be wrong that was supposed, in (0, 1); True: the alarm."""
        feared = np.minimum(self._TIMES * supposed, (1 + supposed) / 2)
        ratio = feared / supposed if wrong else (1 - feared) / (1 - supposed)
        self._logs = np.maximum(self._logs, 0.0) + np.log(ratio)
        return self.level() >= log(self.patience)

    def level(self) -> float:
        """How far it is to the alarm: log of the capital, ``log(patience)`` at the alarm."""
        return float(_log_mean(self._logs, np.full(3, 1 / 3)))

    def state(self) -> list[float]:
        return [float(value) for value in self._logs]


class ServedErrors:
    """How many of the answers that were served were wrong, at most: counted, and nothing assumed of the traffic.

    What was wrong is fixed; only our own coin is drawn. For a wrong would-be hit with propensity p,
    ``exp(l [served] - g [checked])`` has mean 1 for ``exp(-g) = (1 - (1-p) exp(l)) / p``. Small shares of checks make this
    bound wide: below ``log(1/delta) / share`` errors it says nothing.
    """

    def __init__(self, floor: float, delta: float = 0.05, sums: list[float] | None = None, served: int = 0) -> None:
        self.delta, self.served = delta, served
        self._rates = -np.log1p(-floor) * np.array([0.15, 0.3, 0.5, 0.7, 0.85])
        self._sums: NDArray[np.float64] = np.array(sums) if sums and len(sums) == 5 else np.zeros(5)

    def add(self, wrong: bool | None, propensity: float) -> None:
        if wrong is None:
            self.served += 1
        elif wrong and propensity < 1:
            self._sums -= np.log((1 - (1 - propensity) * np.exp(self._rates)) / propensity)

    def at_most(self) -> float:
        """Wrong answers among all ``served`` so far, with confidence 1 - ``delta`` at all times at once."""
        bounds = (log(len(self._rates) / self.delta) + self._sums) / self._rates
        return min(float(self.served), float(bounds.min()))

    def state(self) -> list[float]:
        return [float(value) for value in self._sums]


def allowance(hits: int, max_error: float, doubt: float) -> float:
    """The sum of the hits' own chances to be wrong that may be run with, so that more than ``max_error`` of ``hits`` are
    wrong with probability ``doubt`` at most (Poisson; Wilson and Hilferty's approximation of its quantile)."""
    allowed = int(max_error * hits + 1e-9)
    if not allowed:
        return -log(1 - doubt)
    freedom = 2 * (allowed + 1)
    spread = 2 / (9 * freedom)
    return float(freedom / 2 * (1 - spread + NormalDist().inv_cdf(doubt) * spread**0.5) ** 3)


def widest(chances: NDArray[np.float64], mean: float) -> float:
    """The highest threshold under which recent chances to be wrong have at most this mean; 0.0 when there is none."""
    ordered = np.sort(chances)
    means = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    inside = np.flatnonzero(means <= mean)
    return float(ordered[inside[-1]]) if len(inside) else 0.0


def soonest(chances: NDArray[np.float64], max_error: float) -> float:
    """The threshold under which a bound of ``max_error`` would be proven with the fewest further calls.

    A row below the threshold is worth the divergence of its mean chance from ``max_error``.
    """
    ordered = np.sort(chances)
    count = np.arange(1, len(ordered) + 1)
    mean = np.clip(np.cumsum(ordered) / count, 1e-4, None)
    worth = count * (mean * np.log(mean / max_error) + (1 - mean) * np.log((1 - mean) / (1 - max_error)))
    worth[mean >= max_error] = -inf
    best = int(np.argmax(worth)) if len(worth) else 0
    return float(ordered[best]) if len(worth) and worth[best] > 0 else 0.0


def _log_mean(logs: NDArray[np.float64], parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the weighted mean of ``exp(logs)`` along the last axis."""
    top = logs.max(axis=-1)
    return np.asarray(top + np.log(np.exp(logs - top[..., None]) @ parts))
