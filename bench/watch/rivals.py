"""Other ways to watch, run on the same verdicts for comparison. None of them is used by the gateway."""

from __future__ import annotations

import numpy as np

from demitasse.stats.purses import Floats

from .runs import Verdicts


class AllIn:
    """A mixture of bets that are laid from the first verdict on and never taken back."""

    def __init__(self, runs: int, verdicts: Verdicts) -> None:
        self._bets = np.geomspace(0.05, 0.95 / verdicts.least, 10)[:, None]
        self._money = np.full((10, runs), 0.1)

    def step(self, loss: Floats, _weight: Floats) -> Floats:
        self._money *= 1 + self._bets * loss
        return np.asarray(self._money.sum(axis=0))

    def keep(self, which: np.ndarray) -> None:
        self._money = self._money[:, which]


class BegunAnew:
    """The same, begun anew every ten verdicts with money that was kept back: half of it in the first 500, half of the
    rest in the next 1,000, and so on. Spends by time what ours spends by suspicion."""

    BLOCK, EPOCH = 10, 50

    def __init__(self, runs: int, verdicts: Verdicts) -> None:
        self._bets = np.geomspace(0.05, 0.95 / verdicts.least, 10)[:, None]
        self._money = np.zeros((10, runs))
        self._n = 0

    def step(self, loss: Floats, _weight: Floats) -> Floats:
        if self._n % self.BLOCK == 0:
            epoch = int(np.log2(self._n / self.BLOCK / self.EPOCH + 1))
            self._money += 0.1 * 0.5 ** (epoch + 1) / (self.EPOCH * 2**epoch)
        self._n += 1
        self._money *= 1 + self._bets * loss
        return np.asarray(self._money.sum(axis=0))

    def keep(self, which: np.ndarray) -> None:
        self._money = self._money[:, which]


class Oracle:
    """Page's CUSUM that knows how large the fall will be, and whose limit was set by simulation so that it calls in a share
    delta of runs of this very length at the floor: what no watcher can know, and hardly any can beat."""

    def __init__(self, runs: int, verdicts: Verdicts, limit: float, delta: float) -> None:
        self._bet = verdicts.best_bet()
        self._scale = 1 / (limit * delta)
        self._run = np.ones(runs)

    def step(self, loss: Floats, _weight: Floats) -> Floats:
        np.maximum(self._run * (1 + self._bet * loss), 1.0, out=self._run)
        return np.asarray(self._run * self._scale)

    def keep(self, which: np.ndarray) -> None:
        self._run = self._run[which]


def limit(verdicts: Verdicts, *, runs: int, steps: int, delta: float, seed: int) -> float:
    """Where the oracle must call: the value that its run exceeds in a share delta of runs of so many steps at the floor."""
    rng = np.random.default_rng(seed)
    run, top = np.ones(runs), np.ones(runs)
    up, down = 1 + verdicts.best_bet() * verdicts.quality, 1 - verdicts.best_bet() * (1 - verdicts.quality)
    for _ in range(steps):
        run *= np.where(rng.random(runs) < verdicts.quality, down, up)
        np.maximum(run, 1.0, out=run)
        np.maximum(top, run, out=top)
    return float(np.quantile(top, 1 - delta))
