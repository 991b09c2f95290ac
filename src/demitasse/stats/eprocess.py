"""The watch over a promise: evidence that quality has fallen below its floor, at every moment at once. Knows scores only.

A verdict on a call is the loss ``x = weight · (quality · reference - served)``; while the promise holds, its mean given all
that came before is at most 0. Whoever bets a share of his money that losses will be high owns a non-negative
supermartingale then, so that the promise holds and the money ever grows 1/delta-fold with probability delta at most
(Ville). That is the alarm. It needs no horizon, and looking costs nothing.

What remains free is when to bet. Money that bets all the time is gone when quality at last falls after months of good
service. So the money lies idle, and only a run of bad verdicts (a CUSUM past 1/delta) opens a *stake*: a part of
what is left, at risk until the run is over. A run that came to nothing takes its stake along, and later stakes are
smaller: what is spent are false suspicions, of which good quality has few, and not time. From the drop to the alarm it
takes ln(1/delta) of evidence for the suspicion and as much again for the proof; ``bench/watch`` measures it.

Plain Python, since it runs in the gateway. Sources: Waudby-Smith and Ramdas, "Estimating means of bounded random variables
by betting" (JRSS B 2024); Shin, Ramdas and Rinaldo, "E-detectors" (2023) for betting again and again; Page, "Continuous
inspection schemes" (1954) for the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Self

import msgspec
from msgspec import Struct, field

DROPS: Final = (0.005, 0.01, 0.02, 0.04)
"""The bets that a watch over quality holds: each fits a fall of so much below the floor. The last one also catches larger
falls, nearly as soon as one of their own would."""
STAKE: Final = 0.6
"""Of the idle money, at the first suspicion; after k false ones ``STAKE / (1 + k / PATIENCE)``."""
PATIENCE: Final = 2.0
LARGEST_BET: Final = 0.95
"""Of what could ruin the bettor."""
MOST_OPEN: Final = 256
"""Sessions remembered; one that comes back after so many younger ones counts as new."""


class Session(Struct):
    """What has been bet on the verdicts of one session: inside a session bets add up, between sessions they multiply."""

    began: int
    bets: list[float]
    """Fixed when it begins: what it says itself must not choose them."""
    worth: list[float]
    count: int = 0


class Watch(Struct):
    """One promise under watch. It may go on across certificates that renew the same promise.

    Args:
        quality: the floor, a share of what the reference scores, in (0, 1].
        delta: the probability of ever raising an alarm while the promise holds, at most.
        least: how far below 0 a loss can be: ``1 - quality`` (None) where the reference's own answer scores 1, and 1
            where anything may be scored better than it. A smaller one allows larger bets.
        unit: so many verdicts of one session count; of longer sessions the first ones.
        drops: how far below the floor one looks.

    Raises:
        ValueError: a number is out of bounds.
    """

    quality: float
    delta: float
    least: float | None = None
    unit: int = 1
    drops: tuple[float, ...] = DROPS
    crossed: bool = False
    """The promise is broken. Stays so."""
    n: int = 0
    """Verdicts that counted."""
    lost: float = 0.0
    whole: float = 0.0
    """Weighted sums of what was lost, and of the reference's score."""
    cash: float = 1.0
    false: int = 0
    """Suspicions that came to nothing."""
    stakes: list[float] = []
    runs: list[float] = []
    opened: list[int] = []
    """Of each bet: the verdict at which its stake was opened."""
    sums: list[float] = field(default_factory=lambda: [0.0] * 4)
    """Of weight, its square, loss, its square."""
    sessions: dict[str, Session] = {}

    def __post_init__(self) -> None:
        if not (0 < self.quality <= 1 and 0 < self.delta < 1 and self.unit >= 1 and self.drops):
            raise ValueError(
                f"a watch over {self.quality:g} with delta {self.delta:g}, unit {self.unit}: out of bounds"
            )
        if not self.runs:
            bets = len(self.drops)
            self.stakes, self.runs, self.opened = [0.0] * bets, [1.0] * bets, [0] * bets

    @property
    def evidence(self) -> float:
        """What 1 has become by betting that quality is below the floor; 1/delta is proof."""
        return self.cash + sum(self.stakes)

    @property
    def seen(self) -> float | None:
        """The share of the reference's score that was kept; None: no call was seen."""
        return 1 - self.lost / self.whole if self.whole > 0 else None

    @property
    def largest_bet(self) -> float:
        """With which no session can ruin the bettor."""
        least = 1 - self.quality if self.least is None else self.least
        return LARGEST_BET / (max(least, 0.01) * self.unit)

    def saw(self, reference: float, served: float, weight: float = 1.0, session: str = "") -> bool:
        """One verdict; True: the promise is broken, revoke now.

        Args:
            reference, served: scores in 0..1.
            weight: in (0, 1], known before the scores are: the smallest propensity that the design allows / this call's.
            session: its verdicts depend on each other; "" stands alone.

        Raises:
            ValueError: a number is out of bounds; nothing has changed then.
        """
        if not (0 <= reference <= 1 and 0 <= served <= 1 and 0 < weight <= 1):
            raise ValueError(f"reference {reference:g}, served {served:g}, weight {weight:g}: they lie in 0..1")
        own = self._session(session)
        if self.crossed or own.count >= self.unit:
            return self.crossed
        loss = weight * (self.quality * reference - served)
        self._bet(loss, own)
        self.crossed = self.evidence >= 1 / self.delta
        self._lay()
        for i, value in enumerate((weight, weight * weight, loss, loss * loss)):
            self.sums[i] += value
        self.lost += weight * (reference - served)
        self.whole += weight * reference
        return self.crossed

    def to_json(self) -> bytes:
        """All of it, to be kept."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """The same watch again. Raises msgspec.DecodeError: it is none."""
        return msgspec.json.decode(text, type=cls)

    def _session(self, name: str) -> Session:
        known = self.sessions.get(name) if name else None
        if known is None:
            laid = bets(self.quality, self.n, self.sums, self.drops, self.largest_bet)
            known = Session(self.n + 1, laid, [1.0] * len(laid))
            if name:
                self.sessions[name] = known
                if len(self.sessions) > MOST_OPEN:
                    del self.sessions[next(iter(self.sessions))]
        return known

    def _bet(self, loss: float, own: Session) -> None:
        self.n += 1
        own.count += 1
        for i, bet in enumerate(own.bets):
            before = own.worth[i]
            # Below 0 only where a gain is larger than ``least`` says.
            own.worth[i] = max(before + bet * loss, 0.02)
            factor = own.worth[i] / before
            self.runs[i] = min(max(self.runs[i] * factor, 1.0), 1e9)
            # What a session has said before a stake was opened may be why it was opened: the rest of it stays out.
            if own.began > self.opened[i]:
                self.stakes[i] *= factor

    def _lay(self) -> None:
        """Take back the stakes whose run is over; lay new ones on runs that have become suspicious."""
        for i, run in enumerate(self.runs):
            if self.stakes[i] > 0 and run <= 1:
                self.cash += self.stakes[i]
                self.stakes[i] = 0.0
                self.false += 1
            elif self.stakes[i] == 0 and run >= 1 / self.delta:
                self.stakes[i] = self.cash * STAKE / (1 + self.false / PATIENCE)
                self.cash -= self.stakes[i]
                self.opened[i] = self.n


def bets(quality: float, n: int, sums: Sequence[float], drops: Sequence[float], most: float) -> list[float]:
    """For each drop the bet that grows fastest if quality has fallen by so much: ``drop · E[weight] / E[loss²]``.

    The square is what it would be at the floor: each good verdict that turned bad on the way there adds, each bad one that
    turned good takes ``(2 quality - 1) · weight²``. One verdict of weight 1 at the floor is taken as seen. Depends on the
    past only, and any bets are valid.

    Args:
        n, sums: verdicts so far, and their sums of weight, its square, loss, its square.
        most: the largest bet.
    """
    weights, weight_squares, losses, squares = sums
    spread = quality * (1 - quality)
    turned = losses * (1 + weight_squares) / (1 + weights) * (2 * quality - 1)
    at_floor = max(spread + squares - turned, spread / 4 * (1 + weight_squares), 1e-4 * (1 + n))
    each = (1 + weights) / at_floor
    return [min(drop * each, most) for drop in drops]
