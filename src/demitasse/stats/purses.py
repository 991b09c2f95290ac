"""Many purses that bet at once, as ``eprocess.Watch`` bets with one: idle money, runs, stakes. Pure numpy; knows no scores.

For simulation, and where one question is put in many ways (``drift``). Sources: see ``eprocess``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .eprocess import PATIENCE, STAKE

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Purses:
    """Each begins with 1 and holds some bets side by side.

    Args:
        bets: how many different bets each purse holds.
        purses: how many purses.
        delta: a run past 1/delta is suspicious.
    """

    def __init__(self, bets: int, purses: int, delta: float) -> None:
        self.delta = delta
        self.cash: Floats = np.ones(purses)
        self.false: Floats = np.zeros(purses)
        self.stakes: Floats = np.zeros((bets, purses))
        self.runs: Floats = np.ones((bets, purses))
        self.opened: npt.NDArray[np.int64] = np.zeros((bets, purses), dtype=np.int64)
        self.n = 0

    @property
    def e(self) -> Floats:
        """(purses,) what each holds now."""
        return np.asarray(self.cash + self.stakes.sum(axis=0))

    def step(self, factor: Floats, began: int | None = None) -> Floats:
        """One round.

        Args:
            factor: (bets, purses) what 1 becomes at this round under each bet.
            began: the round in which the session of this one began; stakes opened since then stay out of it.

        Returns:
            (purses,) what each holds now.
        """
        self.n += 1
        np.multiply(self.runs, factor, out=self.runs)
        np.clip(self.runs, 1.0, 1e9, out=self.runs)
        if began is None or began == self.n:
            self.stakes *= factor
        else:
            self.stakes *= np.where(self.opened < began, factor, 1.0)
        held = self.e
        self._stake()
        return held

    def keep(self, which: Flags) -> None:
        """Drop the other purses."""
        self.cash, self.false = self.cash[which], self.false[which]
        self.stakes, self.runs = self.stakes[:, which], self.runs[:, which]
        self.opened = self.opened[:, which]

    def _stake(self) -> None:
        laid = self.stakes > 0
        suspicious = self.runs >= 1 / self.delta
        done = laid & (self.runs <= 1.0)
        begun = suspicious & ~laid
        if not (done.any() or begun.any()):
            return
        for i in np.flatnonzero((done | begun).any(axis=1)):
            over, new = done[i], begun[i]
            self.cash[over] += self.stakes[i, over]
            self.stakes[i, over] = 0.0
            self.false[over] += 1
            laying = self.cash[new] * STAKE / (1 + self.false[new] / PATIENCE)
            self.stakes[i, new] = laying
            self.cash[new] -= laying
            self.opened[i, new] = self.n
