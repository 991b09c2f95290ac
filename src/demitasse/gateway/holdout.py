"""What a control group says our keys do: a share of sessions gets none, and only the difference is claimed.

A provider that caches by itself would have cached something without us. How much, only sessions that were left alone can
tell. Which ones is decided by a hash of the session, so by nothing that could matter. Pure Python and
incremental: it stands in the way of a call.
"""

from __future__ import annotations

import hashlib
from math import log, log1p, sqrt

from msgspec import Struct

HELD_OUT = 0.05
"""Share of sessions that get no key."""
ALPHA = 0.05
"""Both bounds together hold with 95 % confidence, at every moment at once."""
_CAP = 0.5


def held_out(session: bytes) -> bool:
    """Whether a session belongs to the control group; the same answer for ever."""
    return int.from_bytes(hashlib.blake2b(session, digest_size=4, person=b"dmt-holdout").digest()) < HELD_OUT * 2**32


class Mean(Struct):
    """A mean of observations in [0, 1] with bounds that hold at all times at once, so that looking often costs nothing.

    The predictable plug-in empirical-Bernstein confidence sequence of Waudby-Smith & Ramdas, "Estimating means of
    bounded random variables by betting" (2024), theorem 2, with the running intersection.
    """

    n: int = 0
    total: float = 0.0
    spread: float = 0.25
    """1/4 + the squared distances from the running mean."""
    weights: float = 0.0
    weighted: float = 0.0
    penalty: float = 0.0
    low: float = 0.0
    high: float = 1.0

    def see(self, x: float) -> None:
        mean = (0.5 + self.total) / (self.n + 1)
        t = self.n + 1
        rate = min(_CAP, sqrt(2 * log(4 / ALPHA) / (self.spread * log1p(t))))
        self.penalty += 4 * (x - mean) ** 2 * (-log1p(-rate) - rate) / 4
        self.weights += rate
        self.weighted += rate * x
        self.n, self.total = t, self.total + x
        self.spread += (x - (0.5 + self.total) / (t + 1)) ** 2
        middle, margin = self.weighted / self.weights, (log(4 / ALPHA) + self.penalty) / self.weights
        self.low = min(max(self.low, middle - margin), 1.0)
        self.high = max(min(self.high, middle + margin), 0.0)

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None


class Effect(Struct):
    """Share of a repeated prefix that was read from the cache, by session: with our key and without."""

    treated: Mean
    control: Mean

    @classmethod
    def none(cls) -> Effect:
        return cls(Mean(), Mean())

    def see(self, share: float, *, held_out: bool) -> None:
        (self.control if held_out else self.treated).see(share)

    @property
    def caused(self) -> float:
        """At least this share of what treated sessions read would not have been read without the key; 0 until proven."""
        low = self.treated.low
        return max(0.0, 1 - self.control.high / low) if low > 0 else 0.0
