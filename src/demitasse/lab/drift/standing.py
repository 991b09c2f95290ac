"""Where one stream of one route stands: its evidence from day to day, when it moved, and when it was over. Pure.

A day's slots are bets that add up, days multiply (`stats.detector`). Half of a day's money is on its slots, which see a large
move soon; half is on the whole day, which sees a small one. The usual is the four weeks before the last one: a week lies
between, so that a move has a week to show before it becomes part of what it is held against. Under a certificate the usual is
the window that the certificate was proven on, and stays so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct, field

from ...stats.detector import Detector
from .sketch import Sketch, Sketches
from .streams import Stream
from .usual import FEWEST_CALLS, FEWEST_LIKE, Found, held_against, slot_hours, sort_of_day

BACK_DAYS: Final = 28
GAP_DAYS: Final = 7
FEWEST_DAYS: Final = 5
"""Whole days with calls before anything is held against them."""
CALLS_A_MONTH: Final = 0.5
"""False calls that all streams together may be expected to raise in 30 days; as many again are `spend`'s."""
CALM_DAYS: Final = 2
"""Whole days without a sign, after which a move is over."""
WHOLE_H: Final = 24
_SIGN: Final = 0.1
"""A day's mean p below this is a sign."""

Past = Mapping[int, Sequence[Sketches]]
"""By day (since 1970), its 24 hours."""
State = Literal["learning", "steady", "moved"]


class Standing(Struct):
    """One stream of one route."""

    detector: Detector = field(default_factory=Detector)
    day: int = 0
    """The day that is being bet on; 0: none yet."""
    done: float = 0.0
    """Share of its money that was bet."""
    ps: float = 0.0
    """Sum of p-values, each by its share."""
    since_day: int = 0
    """Days before are not its usual: somebody has said that it is another now."""
    moved_us: int | None = None
    told: bool = True
    """A person knows of the move, or of its end."""
    calm: int = 0
    """Whole days without a sign."""
    alert: str = ""
    """The id under which a person was told of the move."""
    last: Found | None = None
    """The last slot that brought a bet."""
    at_move: Found | None = None
    began_us: int | None = None
    """When it moved the last time, also once that is over."""
    days: int = 0
    """Days on which anything could be bet."""

    @property
    def state(self) -> State:
        return "moved" if self.moved_us is not None else "steady" if self.days else "learning"

    def accept(self, day: int) -> None:
        """What comes from this day on is the usual now."""
        self.detector, self.moved_us, self.at_move, self.last, self.calm = Detector(), None, None, None, 0
        self.since_day, self.done, self.ps, self.days, self.told, self.alert = day, 0.0, 0.0, 0, True, ""


def threshold(streams: int) -> float:
    """The money at which a stream has moved, where so many are watched."""
    return 30 * max(1, streams) / CALLS_A_MONTH


def usual_days(days: Sequence[int], today: int, *, since: int = 0, window: tuple[int, int] | None = None) -> list[int]:
    """Of the days with calls, those that today is held against; too few is none.

    Args:
        window: first and last day of a certificate's window; where that holds too few days, days before it are taken too.
    """
    if window is not None and since <= window[1]:
        for first in (window[0], window[0] - 7, window[0] - 14):
            found = [day for day in days if max(first, since) <= day <= window[1] and day < today]
            if len(found) >= FEWEST_DAYS:
                return found
    known = [day for day in days if since <= day < today]
    if not known:
        return []
    gap = max(0, min(GAP_DAYS, today - known[0] - 2 * FEWEST_DAYS))
    found = [day for day in known if today - gap - BACK_DAYS <= day < today - gap]
    return found if len(found) >= FEWEST_DAYS else []


def hours_of_slots(past: Past, days: Sequence[int]) -> int | None:
    """How long this route's slots are; None: too few calls even in a day."""
    return slot_hours([[_calls(hour) for hour in past[day]] for day in days])


def begin(
    standing: Standing, stream: Stream, past: Past, days: Sequence[int], today: int, hours: int
) -> dict[tuple[int, int], float]:
    """A new day: the slots that can be bet on, as (hours, number), with their shares of the day's money."""

    def can(at: int, long: int) -> bool:
        return len(like(stream, past, days, today, at, long)) >= FEWEST_LIKE

    slots = [(hours, at) for at in range(24 // hours) if can(at, hours)] if hours < WHOLE_H else []
    whole = can(0, WHOLE_H)
    of_slots = 0.5 if slots and whole else 1.0
    parts = {slot: of_slots / len(slots) for slot in slots}
    if whole:
        parts[WHOLE_H, 0] = 1.0 - (of_slots if slots else 0.0)
    standing.day, standing.done, standing.ps = today, 0.0, 0.0
    standing.days += bool(parts)
    return parts


def like(stream: Stream, past: Past, days: Sequence[int], today: int, slot: int, hours: int) -> list[Sketch]:
    """The slots that this one is held against, those with enough calls."""
    sort = sort_of_day(today)
    found = [slot_of(stream, past[day], slot, hours) for day in days if sort_of_day(day) == sort]
    return [sketch for sketch in found if sketch.n >= FEWEST_CALLS]


def slot_of(stream: Stream, day: Sequence[Sketches], slot: int, hours: int) -> Sketch:
    """One slot of a day. Not to be changed: of one hour it is that hour's own."""
    parts = [hour[stream.name] for hour in day[slot * hours : (slot + 1) * hours] if stream.name in hour]
    if len(parts) == 1:
        return parts[0]
    whole = Sketch()
    for part in parts:
        whole.add(part)
    return whole


def bet(
    standing: Standing, stream: Stream, now: Sketch, known: Sequence[Sketch], *, share: float, at_us: int, enough: float
) -> bool:
    """One slot that is over, with ``share`` of the day's money on it; True: the stream has moved with it."""
    found = held_against(stream, now, known)
    if found is None:
        return False
    standing.last = found
    standing.done += share
    standing.ps += share * found.p
    if standing.moved_us is not None:
        return False
    standing.detector.bet(found.t, found.freedom, share)
    if standing.detector.now < enough:
        return False
    standing.moved_us = standing.began_us = at_us
    standing.at_move, standing.calm, standing.told = found, 0, False
    standing.detector = Detector()
    return True


def end(standing: Standing) -> bool:
    """The day is over; True: what had moved is as usual again, or has become the usual."""
    if standing.moved_us is None:
        standing.detector.end(missing=1 - standing.done)
        return False
    if standing.done:
        standing.calm = standing.calm + 1 if standing.ps / standing.done >= _SIGN else 0
    if standing.calm < CALM_DAYS:
        return False
    standing.moved_us, standing.calm, standing.told = None, 0, False
    standing.detector = Detector()
    return True


def back(standing: Standing, stream: Stream) -> bool:
    """Of what is over: whether it is as it was before, and not become the usual."""
    was, now = standing.at_move, standing.last
    if was is None or now is None:
        return True
    if stream.kind == "rate":
        return now.now <= was.usual + stream.tolerance
    return abs(now.now - was.usual) <= abs(now.now - was.now)


def _calls(hour: Sketches) -> int:
    return max((sketch.n for sketch in hour.values()), default=0)
