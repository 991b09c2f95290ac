"""Whether calls still come as they came: scores and features held against those of a certificate's window. Knows numbers.

A tolerance first: traffic is never quite the same, and a test for "exactly the same" only waits for enough calls. The claim is
that at no edge (a quantile of the window) the share of calls below it has moved by more than ``tolerance``; the
window's own uncertainty (Clopper and Pearson, 1934) is added. Each edge and side is a promise of its own, "at least this
share lies on this side", and ``eprocess.Watch`` watches it: valid at every moment at once. The population stability index
stands beside it, for those who are used to it; it decides nothing.

What can be known without statistics, another model or another prompt, is ``same_ground``.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from ..core.policy import Certificate
from .eprocess import Watch
from .intervals import clopper_pearson

TOLERANCE: Final = 0.1
QUANTILES: Final = (0.1, 0.3, 0.5, 0.7, 0.9)
SHIFTS: Final = (0.08, 0.2)
"""Beyond the tolerance; what the bets fit."""
FEWEST: Final = 50
"""A window of fewer calls says nothing of how they are spread."""
_RECENT: Final = 500
_BINS: Final = 10


class Ground(Struct, frozen=True):
    """What a certificate was proven on, or what calls stand on now. "" is unknown and agrees with everything."""

    models: tuple[tuple[str, str], ...]
    """Our names, and the upstreams' own (versions). A name may have had several versions."""
    prompt_hash: str = ""
    code: str = ""

    @classmethod
    def of(cls, certificate: Certificate) -> Ground:
        """What it says of itself."""
        return cls(certificate.models, certificate.prompt_hash, certificate.code)


def same_ground(then: Ground, now: Ground) -> str | None:
    """Why a certificate proven on ``then`` says nothing about ``now``, in words; None: it does.

    Models that one of the two does not know of are not compared.
    """
    proven: dict[str, set[str]] = {}
    for name, version in then.models:
        proven.setdefault(name, set()).add(version)
    for name, version in now.models:
        was = proven.get(name, set()) - {""}
        if was and version and version not in was:
            before = " or ".join(f"'{one}'" for one in sorted(was))
            return f"'{name}' is '{version}' now; it was {before}"
    if then.prompt_hash and now.prompt_hash and then.prompt_hash != now.prompt_hash:
        return "its calls come with another system prompt now"
    if then.code and now.code and then.code != now.code:
        return f"prompts are measured by '{now.code}' now; it was '{then.code}'"
    return None


class Drift:
    """Watches one stream of numbers against those that came before.

    Args:
        before: the window's numbers, one a call; at least ``FEWEST``.
        delta: probability of an alarm although no share has moved by more than ``tolerance``, at most. A tenth of it pays
            for the window being a sample.
        tolerance: a share of calls, in (0, 1).
        unit: so many calls of one session count; the window should have been thinned alike.
        sessions: in the window; None: each call is one. Its sampling error is that of so many.

    Attributes:
        n: numbers seen.
        crossed: they come otherwise now. Stays so.

    Raises:
        ValueError: the window is too small, or a number is out of bounds.
    """

    def __init__(
        self,
        before: Iterable[float],
        delta: float,
        *,
        tolerance: float = TOLERANCE,
        unit: int = 1,
        sessions: int | None = None,
    ) -> None:
        window = sorted(before)
        self.delta = delta
        if len(window) < FEWEST or not 0 < tolerance < 1:
            raise ValueError(
                f"{len(window)} numbers before, tolerance {tolerance:g}: drift needs {FEWEST} and one in 0..1"
            )
        self.edges = sorted({window[int(q * len(window))] for q in QUANTILES})
        self.below = [bisect_right(window, edge) / len(window) for edge in self.edges]
        self._sides = _sides(self.below, sessions or len(window), 0.1 * delta, tolerance)
        each = 0.9 * delta / max(1, len(self._sides))
        self._watches = [Watch(floor, each, least=1 - floor, unit=unit, drops=SHIFTS) for *_, floor in self._sides]
        self._cuts = [window[int(i / _BINS * len(window))] for i in range(1, _BINS)]
        self._then = _counts(self._cuts, window)
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self.n = 0
        self.crossed = False

    @property
    def evidence(self) -> float:
        """The largest purse of any side, times delta / its own level; 1/delta is proof."""
        return max((watch.evidence * watch.delta for watch in self._watches), default=0.0) / self.delta

    @property
    def size(self) -> float:
        """By how much the share below some edge has moved at most, in the last 500 calls; 0 before there are 50."""
        if len(self._recent) < FEWEST:
            return 0.0
        now = [sum(x <= edge for x in self._recent) / len(self._recent) for edge in self.edges]
        return max(abs(a - b) for a, b in zip(now, self.below, strict=True))

    @property
    def psi(self) -> float:
        """Population stability index of the last 500 calls over the window's deciles; 0 before there are 50."""
        return psi(self._then, _counts(self._cuts, self._recent)) if len(self._recent) >= FEWEST else 0.0

    def saw(self, number: float, session: str = "") -> bool:
        """One number; True: they come otherwise now, suspend."""
        self.n += 1
        self._recent.append(number)
        for (i, low, _), watch in zip(self._sides, self._watches, strict=True):
            kept = (number > self.edges[i]) == low
            self.crossed = watch.saw(1.0, float(kept), session=session) or self.crossed
        return self.crossed


class Drifts:
    """Several streams that are read off the same calls; they share one delta.

    Args:
        before: by name, the window's numbers. Those that hardly vary are left out.
    """

    def __init__(
        self,
        before: Mapping[str, Sequence[float]],
        delta: float,
        *,
        tolerance: float = TOLERANCE,
        unit: int = 1,
        sessions: int | None = None,
    ) -> None:
        each = delta / max(1, len(before))
        self.streams = {
            name: Drift(numbers, each, tolerance=tolerance, unit=unit, sessions=sessions)
            for name, numbers in before.items()
        }

    def saw(self, numbers: Mapping[str, float], session: str = "") -> str | None:
        """One call; the name of a stream that comes otherwise now, or None."""
        moved = [name for name, number in numbers.items() if self.streams[name].saw(number, session)]
        return moved[0] if moved else None


def psi(then: Sequence[float], now: Sequence[float]) -> float:
    """Population stability index of two histograms over the same bins: ``Σ (q - p) ln(q / p)``; half a call is added to each bin.

    Custom calls 0.1 moderate and 0.25 large.
    """
    p = [(c + 0.5) / (sum(then) + 0.5 * len(then)) for c in then]
    q = [(c + 0.5) / (sum(now) + 0.5 * len(now)) for c in now]
    return sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))


def _sides(below: Sequence[float], calls: int, delta: float, tolerance: float) -> list[tuple[int, bool, float]]:
    """Of each edge: which side of it must keep which share at least. What can never be broken is left out."""
    level = 1 - delta / len(below)
    found = []
    for i, share in enumerate(below):
        least, _ = clopper_pearson(math.floor(share * calls), calls, level)
        _, most = clopper_pearson(math.ceil(share * calls), calls, level)
        found += [(i, True, 1 - most - tolerance), (i, False, least - tolerance)]
    return [side for side in found if side[2] > 0]


def _counts(cuts: Sequence[float], numbers: Iterable[float]) -> list[int]:
    counts = [0] * (len(cuts) + 1)
    for x in numbers:
        counts[bisect_left(cuts, x)] += 1
    return counts
