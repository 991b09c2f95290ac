"""Which input decides: each is moved over its range alone, the others at their middles. Knows costs; says nothing in words.

``threshold`` is the value at which the cheapest option changes, found by bisection within the range; where the range holds none,
up to ten times beyond either end is looked at, and ``outside`` says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from ...core.hardware import Interval
from . import costs
from .options import Option

_STEPS: Final = 16
_BEYOND: Final = 10.0


class Swing(Struct, frozen=True):
    """One bar of the tornado."""

    name: str
    low: float
    high: float
    cheapest_low: str
    """At the low end."""
    cheapest_high: str
    lead_low_nanos: int | None
    """By how much the cheapest in the middle leads the best other one, a month; negative where it lost the lead, None: its
    machines, or those of all others, are too few."""
    lead_high_nanos: int | None
    threshold: float | None
    """Where the cheapest option changes; None: nowhere near."""
    then: str
    """Who is cheapest beyond it."""
    outside: bool
    """The threshold lies outside the input's range."""

    @property
    def swing_nanos(self) -> float:
        if self.lead_low_nanos is None or self.lead_high_nanos is None:
            return 0 if self.lead_low_nanos is self.lead_high_nanos else math.inf
        return abs(self.lead_high_nanos - self.lead_low_nanos)


def tornado(options: Sequence[Option], ranges: Mapping[str, Interval]) -> list[Swing]:
    """All inputs that move the lead, the strongest first; empty where there is only one option."""
    centre = costs.middle(ranges)
    if len(options) < 2:
        return []
    first = _cheapest(options, centre)
    found = []
    for name, (low, high) in ranges.items():
        if not any(name in o.inputs or "." not in name for o in options):
            continue
        less, more = centre | {name: low}, centre | {name: high}
        threshold, outside = _threshold(options, centre, name, Interval(low, high), first)
        swing = Swing(
            name=name,
            low=low,
            high=high,
            cheapest_low=_cheapest(options, less),
            cheapest_high=_cheapest(options, more),
            lead_low_nanos=_lead(options, less, first),
            lead_high_nanos=_lead(options, more, first),
            threshold=threshold and threshold[0],
            then=threshold[1] if threshold else "",
            outside=outside,
        )
        if swing.swing_nanos or threshold:
            found.append(swing)
    return sorted(found, key=lambda s: (s.threshold is None or s.outside, -s.swing_nanos))


def _full(options: Sequence[Option], x: costs.Inputs) -> dict[str, float]:
    return {o.name: costs.full(o, x) for o in options}


def _cheapest(options: Sequence[Option], x: costs.Inputs) -> str:
    full = _full(options, x)
    return min(full, key=lambda name: full[name])


def _lead(options: Sequence[Option], x: costs.Inputs, name: str) -> int | None:
    full = _full(options, x)
    lead = min(cost for other, cost in full.items() if other != name) - full[name]
    return round(lead) if math.isfinite(lead) else None


def _threshold(
    options: Sequence[Option], centre: dict[str, float], name: str, span: Interval, first: str
) -> tuple[tuple[float, str] | None, bool]:
    """The value nearest to the middle at which another becomes the cheapest, who, and whether it is outside the range."""
    start = centre[name]
    for outside in (False, True) if not name.endswith(_FIXED) else (False,):
        low, high = _reach(name, span) if outside else span
        near = []
        for end in (low, high):
            found = _toward(options, centre, name, start, end, first)
            if found is not None:
                near.append(found)
        if near:
            return min(near, key=lambda f: abs(f[0] - start)), outside
    return None, False


_FIXED: Final = (".units", "wait_s", "max_load")
"""Endings of what is a rule or a count, and not a guess: beyond its range there is nothing to look for."""
_SHARES: Final = ("cached", "answered")


def _reach(name: str, span: Interval) -> Interval:
    if name in _SHARES or name.endswith(("max_load", "utilisation")):
        return Interval(0.0 if name in _SHARES else 0.01, 0.95)
    if name in ("power.pue", "peak"):
        return Interval(1.0, span.high * _BEYOND)
    return Interval(span.low / _BEYOND, max(span.high, 1e-9) * _BEYOND)


def _toward(
    options: Sequence[Option], centre: dict[str, float], name: str, start: float, end: float, first: str
) -> tuple[float, str] | None:
    last = start
    for step in range(1, _STEPS + 1):
        part = step / _STEPS
        value = start * (end / start) ** part if start > 0 and end > 0 else start + (end - start) * part
        if _cheapest(options, centre | {name: value}) != first:
            for _ in range(24):
                half = (last + value) / 2
                if _cheapest(options, centre | {name: half}) == first:
                    last = half
                else:
                    value = half
            return value, _cheapest(options, centre | {name: value})
        last = value
    return None
