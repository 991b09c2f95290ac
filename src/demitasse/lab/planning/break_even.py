"""From how many calls a day one option is cheaper than another, as a range. Knows costs; draws no picture.

The traffic is laid over a logarithmic grid, and all inputs are drawn at once (log-uniformly within their ranges, seeded): one
draw is one world in which *both* options are costed, so that what they share does not widen the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from ...core.hardware import Interval
from . import costs
from .options import Option

DRAWS: Final = 100
_PER_DECADE: Final = 8
_SELDOM: Final = 0.05
"""A pair that crosses in fewer draws than this has no break-even worth telling."""
LEAST, MOST = 1.0, 1e8
"""Calls a day between which is looked."""


class BreakEven(Struct, frozen=True):
    """Where ``cheaper_above`` begins to be cheaper than ``cheaper_below``, in calls a day."""

    cheaper_below: str
    cheaper_above: str
    low: float | None
    """5 % of the draws cross before it; None: none does."""
    middle: float | None
    """With all inputs at their middles; None: no crossing there."""
    high: float | None
    """95 % of the draws have crossed by then; None: more than 5 % never cross."""
    crossing: float
    """Share of the draws that cross at all."""


def draws(ranges: Mapping[str, Interval], count: int, seed: int) -> list[dict[str, float]]:
    """Worlds: every input log-uniform within its range (uniform where it may be 0); the first one is all middles."""
    chance = np.random.default_rng(seed)
    found = [costs.middle(ranges)]
    for _ in range(count):
        world = {}
        for name, (low, high) in ranges.items():
            u = float(chance.random())
            world[name] = low if low == high else low * (high / low) ** u if low > 0 else low + (high - low) * u
        found.append(world)
    return found


def break_evens(options: Sequence[Option], ranges: Mapping[str, Interval], *, seed: int = 7) -> list[BreakEven]:
    """Every pair that crosses in some world, by where it does."""
    traffic = np.geomspace(LEAST, MOST, round(_PER_DECADE * np.log10(MOST / LEAST)) + 1)
    worlds = draws(ranges, DRAWS, seed)
    full = np.array(
        [[[costs.full(o, w | {"calls_per_day": float(n)}) for n in traffic] for w in worlds] for o in options],
        dtype=float,
    )
    found = []
    for i, first in enumerate(options):
        for j in range(i + 1, len(options)):
            second = options[j]
            below, above = (full[i], full[j]) if (as_named := _starts_cheaper(full[i], full[j])) else (full[j], full[i])
            crossed = [_crossing(traffic, a, b) for a, b in zip(below, above, strict=True)]
            names = (first.name, second.name) if as_named else (second.name, first.name)
            told = _told(*names, crossed)
            if told is not None:
                found.append(told)
    return sorted(found, key=lambda b: b.middle or b.low or MOST)


def _starts_cheaper(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """In most worlds, at the smallest traffic."""
    return bool((a[:, 0] <= b[:, 0]).mean() >= 0.5)


def _crossing(traffic: NDArray[np.float64], below: NDArray[np.float64], above: NDArray[np.float64]) -> float | None:
    """The traffic at which ``above`` first costs less; between two grid points where the difference is 0 on a log scale."""
    less = np.flatnonzero(above < below)
    if not len(less):
        return None
    k = int(less[0])
    if k == 0:
        return float(traffic[0])
    if not np.isfinite(below[k]):
        return float(traffic[k])  # the other has no more machines
    gap = np.log(above[k - 1 : k + 1] + 1) - np.log(below[k - 1 : k + 1] + 1)
    part = float(gap[0] / (gap[0] - gap[1])) if gap[0] > gap[1] else 0.5
    return float(traffic[k - 1] * (traffic[k] / traffic[k - 1]) ** part)


def _told(below: str, above: str, crossed: list[float | None]) -> BreakEven | None:
    known = [c for c in crossed[1:] if c is not None]
    if len(known) < _SELDOM * len(crossed):
        return None
    every = sorted(known) + [np.inf] * (len(crossed) - 1 - len(known))
    low, high = (float(every[min(len(every) - 1, int(share * len(every)))]) for share in (0.05, 0.95))
    return BreakEven(below, above, _finite(low), crossed[0], _finite(high), len(known) / len(every))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
