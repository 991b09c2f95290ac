"""Evidence of a change at an unknown moment, for many streams at once, and a bound on how often all of them together cry wolf.

An e-value is what 1 becomes by a bet that is fair or losing while nothing has changed: its mean, given all that came before,
is at most 1. ``Detector`` adds a dollar a day and lets it ride: ``M = (M + 1) · e`` (Shiryaev and Roberts; as an e-detector Shin,
Ramdas and Rinaldo 2023). It calls at M >= c and begins anew. Then ``M + c · calls - days`` is a supermartingale, so that in any
number of days the *expected number of false calls is at most days / c*, however streams depend on each other: bounds add up.
For one false call a month over k streams, c = 30 k.

Bets are on how far a number lies from where it usually does, in deviations of Student's prediction of one further value: the
ratio of that law moved by ``SHIFTS`` to itself has mean 1 where nothing has changed. Each shift is a purse of its own and the
purses' mean is the money, so that not knowing the size of a move is paid for once and not every day. Pure; plain Python, for it
runs beside the gateway.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

SHIFTS: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Deviations; what the purses bet on. What lies beyond the last counts as the last and a half."""
_FAIR: Final = 0.996
"""That makes a ratio worth up to 1.0036 in the mean, with three degrees of freedom; this takes it back."""


class Detector(Struct):
    """One stream's money: ``purses`` after the last whole day, ``today`` the sum of today's bets so far, for each shift.

    Bets of one day add up and do not multiply: what makes one hour unusual makes the next one so too, and an average of bets is
    fair however they depend on each other. So a bad day is one piece of evidence.
    """

    purses: list[float] = field(default_factory=lambda: [0.0] * len(SHIFTS))
    today: list[float] = field(default_factory=lambda: [0.0] * len(SHIFTS))

    def bet(self, t: float, freedom: float, share: float) -> None:
        """One part of today: a number that lies ``t`` deviations above its usual; ``share`` of the day's money is on it. A day's
        shares are known before it begins and add up to 1."""
        for at, ratio in enumerate(ratios(t, freedom)):
            self.today[at] += share * ratio

    @property
    def now(self) -> float:
        """What there is already, whatever the rest of the day brings."""
        both = zip(self.purses, self.today, strict=True)
        return sum((purse + 1) * today for purse, today in both) / len(SHIFTS)

    def end(self, missing: float = 0.0) -> None:
        """The day is over; of ``missing``, a share of its money, nothing was seen, and it stays as it was."""
        both = zip(self.purses, self.today, strict=True)
        self.purses = [(purse + 1) * (today + missing) for purse, today in both]
        self.today = [0.0] * len(SHIFTS)


def ratios(t: float, freedom: float) -> list[float]:
    """The e-value of each shift: Student's density around it over that around nought, at ``t``."""
    t = min(t, 1.5 * SHIFTS[-1])
    power = (freedom + 1) / 2
    own = 1 + t * t / freedom
    return [_FAIR * math.exp(power * math.log(own / (1 + (t - shift) ** 2 / freedom))) for shift in SHIFTS]


def student_tail(t: float, freedom: float) -> float:
    """P(T > t) of Student's law; accurate to ten digits."""
    if freedom <= 0:
        return 1.0
    x = freedom / (freedom + t * t)
    half = 0.5 * _incomplete_beta(freedom / 2, 0.5, x)
    return half if t >= 0 else 1 - half


def student_quantile(p: float, freedom: float) -> float:
    """The t above which lies p in (0, 0.5]."""
    low, high = 0.0, 1.0
    while student_tail(high, freedom) > p:
        low, high = high, 2 * high
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if student_tail(middle, freedom) > p else (low, middle)
    return high


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1); the latter 0 for fewer than two."""
    n = len(values)
    mean = math.fsum(values) / n
    return mean, math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (n - 1)) if n > 1 else 0.0


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised; by Lentz's continued fraction (Numerical Recipes, 6.4)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return front * _fraction(a, b, x) / a if x < (a + 1) / (a + b + 2) else 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    found = d
    for m in range(1, 300):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + step * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + step / c
            c = c if abs(c) > tiny else tiny
            found *= d * c
        if abs(d * c - 1) < 1e-12:
            break
    return found
