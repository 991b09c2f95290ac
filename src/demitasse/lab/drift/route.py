"""One route under watch: its hours as they end, put to every stream in turn. Pure; it is handed the past, by day and hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from . import standing
from .sketch import value_of
from .standing import FEWEST_DAYS, Past, Standing
from .streams import STREAMS, Stream
from .usual import FEWEST_CALLS, SLOTS_H, Found

HOUR_US = 3_600_000_000
DRAWN_DAYS = 35


class Event(NamedTuple):
    """A stream has moved, or its move is over."""

    what: Literal["moved", "over"]
    route: str
    stream: Stream
    found: Found | None
    back: bool = True
    """Of what is over: it is as it was before, and has not become the usual."""


class Route(Struct):
    """Where a route stands. Kept as JSON between looks.

    Args:
        next_h: the first hour that was not looked at yet, in hours since 1970.
    """

    name: str
    next_h: int
    standings: dict[str, Standing] = {}
    day: int = 0
    hours: int | None = None
    """How long slots are today; None: there are too few calls, or no usual to hold them against."""
    parts: dict[str, list[tuple[int, int, float]]] = {}
    """Slots of today that can be bet on, by stream: hours, number, share of the day's money."""
    usual: list[int] = []
    """The days that today is held against."""
    days: int = 0
    """Whole days with calls that are known."""
    calls_a_day: float = 0.0
    daily: dict[str, dict[int, tuple[float, int]]] = {}
    """By stream and day, the day's value and its calls: the last five weeks, to be drawn."""

    @property
    def watched(self) -> int:
        """Streams that can be bet on today."""
        return sum(bool(parts) for parts in self.parts.values())

    def advance(
        self,
        past: Past,
        until_h: int,
        *,
        streams: int,
        window: tuple[int, int] | None = None,
    ) -> list[Event]:
        """Look at all hours before ``until_h`` that were not looked at.

        Args:
            past: the days from five weeks ago, today included.
            streams: so many are watched in all, on all routes.
            window: first and last day of the certificate's window.
        """
        events: list[Event] = []
        for hour in range(self.next_h, until_h + 1):
            day = hour // 24
            if day != self.day:
                events += self._end()
                self._begin(past, day, window)
            if hour == until_h:  # it has only begun
                break
            for long in SLOTS_H:
                if self.hours is not None and long >= self.hours and (hour + 1) % long == 0:
                    events += self._slot(past, day, long, hour % 24 // long, hour, streams)
            self.next_h = hour + 1
        return events

    def needs(self) -> str:
        """What is missing before anything can be said; "" where nothing is."""
        if self.days < FEWEST_DAYS:
            return f"{FEWEST_DAYS} whole days with calls; there are {self.days}"
        if self.hours is None:
            return f"{FEWEST_CALLS} calls a day; it has about {self.calls_a_day:.0f}"
        return ""

    def _begin(self, past: Past, day: int, window: tuple[int, int] | None) -> None:
        known = [one for one in sorted(past) if one < day and any(past[one])]
        self.day, self.days = day, len(known)
        self.usual = standing.usual_days(known, day, window=window)
        self.hours = standing.hours_of_slots(past, self.usual) if self.usual else None
        calls = [sum(max((s.n for s in hour.values()), default=0) for hour in past[one]) for one in known[-7:]]
        self.calls_a_day = sum(calls) / len(calls) if calls else 0.0
        self._remember(past, known)
        self.parts = {}
        for stream in STREAMS:
            one = self.standings.setdefault(stream.name, Standing())
            days = self._days(one, known, window)
            hours = self.hours
            parts = standing.begin(one, stream, past, days, day, hours) if hours is not None else {}
            self.parts[stream.name] = [(*slot, share) for slot, share in parts.items()]

    def _remember(self, past: Past, known: Sequence[int]) -> None:
        days = known[-DRAWN_DAYS:]
        for stream in STREAMS:
            own = self.daily.get(stream.name, {})
            for day in days:
                if day not in own and (sketch := standing.slot_of(stream, past[day], 0, 24)).n:
                    own[day] = (value_of(stream, sketch), sketch.n)
            self.daily[stream.name] = {day: own[day] for day in days if day in own}

    def _slot(self, past: Past, day: int, long: int, slot: int, hour: int, streams: int) -> list[Event]:
        events, enough = [], standing.threshold(max(streams, self.watched))
        known = [one for one in sorted(past) if one < day and any(past[one])]
        for stream in STREAMS:
            share = next((own for h, at, own in self.parts.get(stream.name, ()) if (h, at) == (long, slot)), None)
            if share is None or day not in past:
                continue
            one = self.standings[stream.name]
            like = standing.like(stream, past, self._days(one, known, None), day, slot, long)
            now = standing.slot_of(stream, past[day], slot, long)
            at_us = (hour + 1) * HOUR_US
            if standing.bet(one, stream, now, like, share=share, at_us=at_us, enough=enough):
                events.append(Event("moved", self.name, stream, one.last))
        return events

    def _days(self, one: Standing, known: Sequence[int], window: tuple[int, int] | None) -> list[int]:
        if not one.since_day:
            return self.usual
        return standing.usual_days(known, self.day, since=one.since_day, window=window)

    def _end(self) -> list[Event]:
        events = []
        for stream in STREAMS:
            one = self.standings.get(stream.name)
            if one is not None and self.parts.get(stream.name) and standing.end(one):
                events.append(Event("over", self.name, stream, one.last, standing.back(one, stream)))
        return events
