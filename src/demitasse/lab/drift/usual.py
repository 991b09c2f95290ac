"""One hour, quarter of a day or day held against its like: how unlikely it is that nothing has changed. Pure.

Like is what lay at the same time of day on the same sort of day (Monday to Friday, or the weekend), so that the rhythm of days
and weeks is no drift. Each slot becomes one number, and the question is whether the new one could have come from where the
others came from: Student's prediction of one further value, which knows that days differ by more than their calls do (an hour of
a thousand calls is still one hour). A move within the stream's tolerance is none. Fewer calls than usual make a slot less
certain.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ...stats.detector import mean_and_spread, student_tail
from .sketch import Sketch
from .streams import Stream

FEWEST_CALLS: Final = 20
"""Of a slot; fewer say nothing of it."""
FEWEST_LIKE: Final = 4
"""Slots to compare with."""
SLOTS_H: Final = (1, 6, 24)
"""How long a slot may be, in hours: as short as calls allow."""
_MOST_FREEDOM: Final = 10.0
"""Of Student's law, however many slots there are: numbers of real days have heavier tails than a normal law."""
_KOLMOGOROV: Final = (0.8687, 0.2603)
"""Mean and deviation of the largest gap between a sample of n and its law, times the root of n."""


class Found(Struct, frozen=True):
    """What one slot says: it lies ``t`` deviations beyond its usual and the tolerance, by Student's law of ``freedom``.

    ``now`` and ``usual`` are in the stream's unit; of a spread ``gap`` is how far it has moved.
    """

    t: float
    freedom: float
    now: float
    usual: float
    n: int
    gap: float = 0.0

    @property
    def p(self) -> float:
        """The chance of as much where nothing has changed."""
        return student_tail(self.t, self.freedom)


def sort_of_day(day: int) -> int:
    """0 from Monday to Friday, 1 at the weekend; ``day``: days since 1970, UTC."""
    return int((day + 3) % 7 >= 5)


def slot_hours(calls_by_hour: Sequence[Sequence[int]]) -> int | None:
    """How long slots must be that most calls lie in one of ``FEWEST_CALLS`` or more; None: even days are too small.

    Args:
        calls_by_hour: of each day, 24 counts.
    """
    whole = sum(map(sum, calls_by_hour))
    for hours in SLOTS_H:
        sums = [sum(day[at : at + hours]) for day in calls_by_hour for at in range(0, 24, hours)]
        if whole and sum(n for n in sums if n >= FEWEST_CALLS) >= 0.7 * whole:
            return hours
    return None


def held_against(stream: Stream, now: Sketch, like: Sequence[Sketch]) -> Found | None:
    """The slot ``now`` beside its like; None where either has too few calls."""
    known = [sketch for sketch in like if sketch.n >= FEWEST_CALLS]
    if now.n < FEWEST_CALLS or len(known) < FEWEST_LIKE:
        return None
    if stream.kind == "spread":
        return _spread(stream, now, known)
    if stream.kind == "rate":
        return _rate(stream, now, known)
    return _level(stream, now, known)


def _level(stream: Stream, now: Sketch, known: Sequence[Sketch]) -> Found:
    """Costs by their mean, since that is what is paid; times by their geometric mean, which a few slow calls don't move."""
    money = stream.unit == "usd"
    values = [math.log(max(s.mean, 1e-12)) if money else s.logs / s.n for s in known]
    value = math.log(max(now.mean, 1e-12)) if money else now.logs / now.n
    own = [_relative(s) if money else _variance(s.logs, s.log_squares, s.n) for s in (*known, now)]
    t, freedom = _predicted(value - math.log1p(stream.tolerance), values, _extra(own, now, known), 0.02**2)
    usual = math.exp(math.fsum(values) / len(values))
    return Found(t, freedom, math.exp(value), usual, now.n)


def _rate(stream: Stream, now: Sketch, known: Sequence[Sketch]) -> Found:
    """On the scale of the arcsine of the root (Freeman and Tukey), where a share's error depends on its calls alone."""
    values = [_arc(s.sum, s.n) for s in known]
    usual = sum(s.sum for s in known) / sum(s.n for s in known)
    room = math.asin(math.sqrt(min(1.0, usual + stream.tolerance))) - math.asin(math.sqrt(usual))
    least = sum(1 / (4 * s.n + 2) for s in known) / len(known)
    extra = max(0.0, 1 / (4 * now.n + 2) - least)
    t, freedom = _predicted(_arc(now.sum, now.n) - room, values, extra, least)
    return Found(t, freedom, now.mean, usual, now.n)


def _spread(stream: Stream, now: Sketch, known: Sequence[Sketch]) -> Found:
    """The largest gap between distribution functions, less what a sample of this size has anyway; of each known slot it is
    the gap to all others."""
    whole = Sketch()
    for sketch in known:
        whole.add(Sketch(n=sketch.n, bins=sketch.bins))
    mean, deviation = _KOLMOGOROV
    gaps = [_gap(s.bins, s.n, whole.bins, whole.n, apart=True) - mean / math.sqrt(s.n) for s in known]
    gap = _gap(now.bins, now.n, whole.bins, whole.n, apart=False)
    least = deviation**2 * sum(1 / s.n for s in known) / len(known)
    extra = max(0.0, deviation**2 / now.n - least)
    t, freedom = _predicted(gap - mean / math.sqrt(now.n) - stream.tolerance, gaps, extra, least)
    sizes = stream.unit != "share"
    usual = math.exp(sum(s.logs for s in known) / whole.n) if sizes else sum(s.sum for s in known) / whole.n
    return Found(t, freedom, now.typical if sizes else now.mean, usual, now.n, gap)


def _predicted(value: float, values: Sequence[float], extra: float, least: float) -> tuple[float, float]:
    """How far one further value lies above some, in deviations of its prediction, and the freedom of Student's law of that;
    ``extra`` variance of its own, ``least`` variance of any."""
    n = len(values)
    mean, spread = mean_and_spread(values)
    variance = max(spread * spread, least) * (1 + 1 / n) + extra
    return (value - mean) / math.sqrt(variance), min(n - 1, _MOST_FREEDOM)


def _extra(own: Sequence[float], now: Sketch, known: Sequence[Sketch]) -> float:
    """Variance that a slot has because it has fewer calls than its like."""
    usual = math.fsum(own[:-1]) / len(known)
    return usual * max(0.0, 1 / now.n - math.fsum(1 / s.n for s in known) / len(known))


def _relative(sketch: Sketch) -> float:
    mean = sketch.mean
    return _variance(sketch.sum, sketch.squares, sketch.n) / (mean * mean) if mean > 0 else 0.0


def _variance(total: float, squares: float, n: int) -> float:
    return max(0.0, (squares - total * total / n) / max(1, n - 1))


def _arc(count: float, n: int) -> float:
    return 0.5 * (math.asin(math.sqrt(count / (n + 1))) + math.asin(math.sqrt((count + 1) / (n + 1))))


def _gap(own: dict[int, int], n: int, whole: dict[int, int], m: int, *, apart: bool) -> float:
    """Of two distribution functions; ``apart``: the whole without the own calls in it."""
    below = below_whole = 0
    worst = 0.0
    rest = m - n if apart else m
    if not rest:
        return 0.0
    for at in sorted({*own, *whole}):
        below += own.get(at, 0)
        below_whole += whole.get(at, 0) - (own.get(at, 0) if apart else 0)
        worst = max(worst, abs(below / n - below_whole / rest))
    return worst


def date(day: int) -> str:
    """``2026-11-21``."""
    return f"{dt.date(1970, 1, 1) + dt.timedelta(days=day):%Y-%m-%d}"
