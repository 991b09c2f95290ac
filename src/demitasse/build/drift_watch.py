"""One look of the watch over drift and spend: follows the ledger, holds each hour against its like, says what is to be told.

Several processes on one folder share the work (`store.windows`): whoever comes first takes the next hours. What an hour or an
amount is worth is ``lab.drift``'s business.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from ..core.entry import Entry
from ..core.errors import ConfigError, DemitasseError
from ..core.evidence import LAB_KEY, OWN_KEYS
from ..core.ledger import Books, Bucket
from ..core.limits import Alert
from ..core.policy import Certificate
from ..lab.drift import cause, spend
from ..lab.drift.cause import Cause
from ..lab.drift.route import Event, Route
from ..lab.drift.sketch import Sketches, take
from ..lab.drift.spend import Anomaly, Hours
from ..lab.drift.streams import BY_NAME, KINDS
from ..store.windows import KEEP_DAYS, Closed, Windows
from ..web.drift_facts import WatchFacts
from . import drift_alerts as told
from .drift_rows import facts_of
from .drift_topics import Topics

log = logging.getLogger("demitasse.watch")

GRACE_US: Final = 600_000_000
"""After an hour is over, until it is looked at: calls are booked where they began."""
MOST_OPEN: Final = 5
"""Alerts of the watch that wait for a person; what more there is stands in the list, and is told when there is room."""
MOST_ROUTES: Final = 30
HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
_AT_ONCE: Final = 5_000
_MOST_AT_ONCE: Final = 10
OURS: Final = frozenset((*KINDS, told.SPEND))


class Store(Protocol):
    """What is changed in the ledger: ``store.settings.Settings``."""

    def resolve_alert(self, id: str) -> None: ...


class Open(Struct):
    """Money out of line that is not over yet."""

    anomaly: Anomaly
    told: bool = False


class DriftWatch:
    """One look after another, from any thread. ``build.drifting.Drifting`` is what runs it.

    Args:
        data: the directory of the ledger.
        promoted: the certificates in force.
        clock: UTC microseconds.
        topics: what prompts are about; None: their words are not kept.
    """

    def __init__(
        self,
        data: Path,
        books: Books,
        store: Store,
        *,
        promoted: Callable[[], Sequence[Certificate]],
        clock: Callable[[], int],
        topics: Topics | None = None,
    ) -> None:
        self._topics = topics
        self._data = data
        self._books = books
        self._store = store
        self._promoted = promoted
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: Windows | None = None
        self._closed: Closed | None = None
        self._hours: Hours | None = None
        self._hours_at = -1
        self.facts = WatchFacts(looked_us=None)
        """As of the last look."""

    def close(self) -> None:
        with self._lock:
            for one in (self._windows, self._closed):
                if one is not None:
                    one.close()
            self._windows = self._closed = None

    def look(self, *, tell: bool = True) -> list[Alert]:
        """Follow the ledger up to now; what is to be told. Alerts that are over are marked so.

        Args:
            tell: whether the caller tells people; else what there is to tell waits for one who does.

        Raises StoreError.
        """
        with self._lock:
            now_us = self._clock()
            windows, closed = self._open()
            since_us = now_us - 2 * 35 * DAY_US
            if self._topics is not None:
                self._topics.begin(windows.meta("topics"))
            for _ in range(_MOST_AT_ONCE):
                if windows.follow(closed, self._fold, _route_of, since_us=since_us, most=_AT_ONCE) < _AT_ONCE:
                    break
            hours = self._spent(now_us)
            daily = _daily_usd(hours, now_us)
            room = MOST_OPEN - sum(a.kind in OURS for a in self._books.alerts(open_only=True, last=200)) if tell else 0
            alerts: list[Alert] = []
            over: list[str] = []
            with windows.changing():
                routes, events = self._advance(windows, now_us)
                found = self._out_of_line(windows, hours, now_us)
                if tell:
                    alerts, over = self._to_tell(windows, routes, events, found, hours, daily, room, now_us)
                for route in routes.values():
                    windows.put_state(route.name, msgspec.json.encode(route))
                windows.set_meta("spend", msgspec.json.encode(found))
                if self._topics is not None:
                    windows.set_meta("topics", self._topics.kept())
                windows.forget(now_us // HOUR_US - 24 * KEEP_DAYS)
            for id in over:
                self._resolve(id)
            certificates = {c.policy.route: c for c in self._promoted()}
            self.facts = facts_of(routes.values(), found, hours, self._books, certificates, now_us)
            return alerts

    def accept(self, route: str, stream: str) -> None:
        self._set(route, stream, self._clock() // DAY_US)

    def unaccept(self, route: str, stream: str) -> None:
        self._set(route, stream, 0)

    def _set(self, route: str, stream: str, day: int) -> None:
        with self._lock:
            windows, _ = self._open()
            with windows.changing():
                state = windows.states().get(route)
                known = _decode(state) if state is not None else None
                one = known.standings.get(stream) if known is not None else None
                if known is None or one is None:
                    there = ", ".join(sorted(windows.states())) or "none yet"
                    raise ConfigError(
                        f"nothing is watched as '{route}/{stream}'; routes: {there}; streams: {', '.join(BY_NAME)}"
                    )
                alert = one.alert
                one.accept(day)
                known.parts.pop(stream, None)
                windows.put_state(route, msgspec.json.encode(known))
            if alert and day:
                self._resolve(alert)

    def _fold(self, kept: bytes | None, entries: list[Entry]) -> bytes:
        sketches = msgspec.json.decode(kept, type=Sketches) if kept else {}
        for entry in entries:
            take(sketches, entry, self._topics(entry) if self._topics is not None else None)
        return msgspec.json.encode(sketches)

    def _open(self) -> tuple[Windows, Closed]:
        if self._windows is None or self._closed is None:
            self._windows, self._closed = Windows(self._data), Closed(self._data)
        return self._windows, self._closed

    def _resolve(self, id: str) -> None:
        try:
            self._store.resolve_alert(id)
        except DemitasseError as error:
            log.info("%s", error)

    def _advance(self, windows: Windows, now_us: int) -> tuple[dict[str, Route], list[Event]]:
        """All routes with calls of late, up to the last hour that is over."""
        until_h = (now_us - GRACE_US) // HOUR_US
        states = windows.states()
        lately = windows.routes(now_us // HOUR_US - 24 * 35)
        busiest = sorted(lately, key=lambda name: (-lately[name][0], name))[:MOST_ROUTES]
        routes = {name: _decode(states[name]) if name in states else Route(name, until_h) for name in busiest}
        streams = sum(route.watched for route in routes.values())
        windows_of = {c.policy.route: (c.since_us // DAY_US, c.until_us // DAY_US) for c in self._promoted()}
        events: list[Event] = []
        for name, route in routes.items():
            # A route that nobody looked at for days goes on where it is now.
            route.next_h = max(route.next_h, until_h - 24 * 3)
            if route.next_h >= until_h and route.day:
                continue
            window = windows_of.get(name)
            if not route.day:
                route.next_h = until_h // 24 * 24
            first = min(route.next_h // 24 - 36, window[0] - 14 if window else route.next_h // 24)
            past = _past(windows.hours(name, 24 * first, until_h))
            past.setdefault(until_h // 24, [{} for _ in range(24)])
            events += route.advance(past, until_h, streams=streams, window=window)
        return routes, events

    def _spent(self, now_us: int) -> Hours:
        """What was spent by hour, the running one included; whole hours are read once each."""
        hour = now_us // HOUR_US
        if self._hours is None or self._hours_at != hour:
            self._hours, self._hours_at = Hours({}), hour
            _add(self._hours, self._books, (hour - spend.BACK_H - 1) * HOUR_US, (hour - 1) * HOUR_US)
        whole = Hours({subject: dict(own) for subject, own in self._hours.by.items()})
        _add(whole, self._books, (hour - 1) * HOUR_US, (hour + 1) * HOUR_US)
        return whole

    def _out_of_line(self, windows: Windows, hours: Hours, now_us: int) -> list[Open]:
        kept = windows.meta("spend")
        found = msgspec.json.decode(kept, type=list[Open]) if kept else []
        known = [(one.anomaly.dimension, one.anomaly.name) for one in found]
        return found + [Open(one) for one in spend.out_of_line(hours, now_us // HOUR_US, known)]

    def _to_tell(
        self,
        windows: Windows,
        routes: Mapping[str, Route],
        events: Iterable[Event],
        found: list[Open],
        hours: Hours,
        daily: Mapping[tuple[str, str], float],
        room: int,
        now_us: int,
    ) -> tuple[list[Alert], list[str]]:
        """Money first. Moves and ends of moves that nobody was told of yet are in the standings, not only in ``events``."""
        alerts: list[Alert] = []
        resolved: list[str] = []
        hour = now_us // HOUR_US
        for one in list(found):
            if spend.over(hours, one.anomaly, hour):
                found.remove(one)
                if one.told:
                    alerts.append(told.spend_over(one.anomaly, now_us, spend.since(hours, one.anomaly, hour)))
                    resolved.append(told.alert_id(one.anomaly))
            elif not one.told and room > 0:
                one.told, room = True, room - 1
                alerts.append(told.out_of_line(one.anomaly, now_us, daily))
        ended = {(event.route, event.stream.name): event for event in events if event.what == "over"}
        certificates = {c.policy.route: c for c in self._promoted()}
        for route in routes.values():
            for name, standing in route.standings.items():
                if standing.told:
                    continue
                stream = BY_NAME[name]
                if standing.moved_us is None:
                    event = ended.get((route.name, name), Event("over", route.name, stream, standing.last))
                    if standing.alert:
                        alerts.append(told.over(event, now_us, id=standing.alert, began_us=standing.began_us))
                        resolved.append(standing.alert)
                    standing.told, standing.alert = True, ""
                elif room > 0:
                    room -= 1
                    alert = told.moved(
                        Event("moved", route.name, stream, standing.at_move),
                        now_us,
                        id=told.moved_id(route.name, name, standing),
                        certificate=certificates.get(route.name),
                        cause=self._cause(route, stream.name, windows, now_us),
                        daily_usd=daily,
                    )
                    standing.told, standing.alert = True, alert.id
                    alerts.append(alert)
        return alerts, resolved

    def _cause(self, route: Route, stream: str, windows: Windows, now_us: int) -> Cause | None:
        """Who moved it most, over the last day beside its usual days."""
        if not route.usual:
            return None
        kind, since_us, until_us = BY_NAME[stream].kind, route.usual[0] * DAY_US, (route.usual[-1] + 1) * DAY_US
        if kind == "rate":
            first = list(windows.hours(route.name, since_us // HOUR_US, until_us // HOUR_US).values())
            later = list(windows.hours(route.name, now_us // HOUR_US - 24, now_us // HOUR_US + 1).values())
            rates = [
                (
                    d,
                    _per_call(first, stream, d),
                    _per_call(later, stream, d),
                    _shares(self._buckets(now_us - DAY_US, now_us, route.name, d), d),
                )
                for d in ("key", "model")
            ]
            return cause.strongest(cause.of_amounts(*rate) for rate in rates)
        found = []
        for dimension in ("key", "model"):
            before = self._buckets(since_us, until_us, route.name, dimension)
            now = self._buckets(now_us - DAY_US, now_us, route.name, dimension)
            if kind == "spread":
                shares = [_shares(rows, dimension) for rows in (before, now)]
                found.append(_grown(dimension, *shares))
            else:
                measure = "cost_nanos" if stream == "cost" else "duration_ms"
                found.append(cause.of_means(dimension, before, now, measure))
        return cause.strongest(found)

    def _buckets(self, since_us: int, until_us: int, route: str, dimension: str) -> list[Bucket]:
        rows = self._books.buckets(since_us, until_us, ("route", "key", dimension))
        return [row for row in rows if row.route == route and row.key not in OWN_KEYS]


def _route_of(entry: Entry) -> str:
    return "" if entry.key in OWN_KEYS else entry.route


def _decode(state: bytes) -> Route:
    return msgspec.json.decode(state, type=Route)


def _past(hours: Mapping[int, bytes]) -> dict[int, list[Sketches]]:
    past: dict[int, list[Sketches]] = {}
    for hour, kept in hours.items():
        day = past.setdefault(hour // 24, [{} for _ in range(24)])
        day[hour % 24] = msgspec.json.decode(kept, type=Sketches)
    return past


def _add(hours: Hours, books: Books, since_us: int, until_us: int) -> None:
    """Of clients and of ourselves: what runs away may be our own shadow calls. Not of the lab: somebody asked for that."""
    for dimension in (*spend.DIMENSIONS, ""):
        by = tuple(name for name in dict.fromkeys(("hour", "key", dimension)) if name)
        for row in books.buckets(since_us, until_us - 1, by):
            if row.key == LAB_KEY:
                continue
            if row.cost_nanos and row.hour is not None and (not dimension or getattr(row, dimension)):
                own = hours.by.setdefault((dimension, getattr(row, dimension) if dimension else ""), {})
                own[row.hour] = own.get(row.hour, 0.0) + row.cost_nanos / 1e9


def _daily_usd(hours: Hours, now_us: int) -> dict[tuple[str, str], float]:
    """The mean day of the last four weeks, yesterday's the last."""
    end = now_us // DAY_US * 24
    first = min((at for own in hours.by.values() for at in own), default=end)
    days = max(1.0, (end - max(first, end - spend.BACK_H)) / 24)
    return {subject: sum(usd for at, usd in own.items() if at < end) / days for subject, own in hours.by.items()}


def _per_call(hours: Iterable[bytes], stream: str, dimension: str) -> dict[str, float]:
    """Of a rate: whose calls they were, each as a share of all calls."""
    counts: dict[str, float] = {}
    calls = 0
    for kept in hours:
        sketch = msgspec.json.decode(kept, type=Sketches).get(stream)
        if sketch is not None:
            calls += sketch.n
            for name, count in (sketch.keys if dimension == "key" else sketch.models).items():
                counts[name] = counts.get(name, 0) + count
    return {name: count / calls for name, count in counts.items()} if calls else {}


def _shares(rows: Iterable[Bucket], dimension: str) -> dict[str, float]:
    counts: dict[str, float] = {}
    for row in rows:
        counts[getattr(row, dimension) or ""] = counts.get(getattr(row, dimension) or "", 0) + row.requests
    whole = sum(counts.values())
    return {name: count / whole for name, count in counts.items()} if whole else {}


def _grown(dimension: str, before: Mapping[str, float], now: Mapping[str, float]) -> Cause | None:
    """Whose share of the calls has grown most; its part of the change is all that has grown."""
    grown = {name: share - before.get(name, 0.0) for name, share in now.items() if share > before.get(name, 0.0)}
    whole = sum(grown.values())
    if whole < 0.1:
        return None
    name = max(grown, key=lambda one: (grown[one], one))
    return Cause(dimension, name, grown[name] / whole, before.get(name, 0.0), now[name])
