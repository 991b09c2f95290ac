"""Where the watch stands, as rows for pages and commands: out of routes, anomalies and the books. Pure but for the books."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ..core.ledger import Books
from ..core.policy import Certificate
from ..lab.drift import spend
from ..lab.drift.route import Route
from ..lab.drift.spend import Hours
from ..lab.drift.standing import threshold
from ..lab.drift.streams import STREAMS
from ..stats.forecast import FEWEST, MOST, forecast
from ..web.drift_facts import Day, ForecastRow, SpendRow, StreamRow, WatchFacts
from ..web.report import month_end_us, month_start_us

if TYPE_CHECKING:
    from .drift_watch import Open

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US


def facts_of(
    routes: Iterable[Route],
    found: Sequence[Open],
    hours: Hours,
    books: Books,
    certificates: Mapping[str, Certificate],
    now_us: int,
) -> WatchFacts:
    """Moved streams first, then by route; streams without a number are left out."""
    routes = list(routes)
    watched = sum(route.watched for route in routes)
    rows = [row for route in routes for row in _rows(route, watched, certificates.get(route.name))]
    rows.sort(key=lambda row: (row.state != "moved", row.route))
    hour = now_us // HOUR_US
    return WatchFacts(
        looked_us=now_us,
        streams=tuple(rows),
        watched=watched,
        spend=tuple(
            SpendRow(
                dimension=one.anomaly.dimension,
                name=one.anomaly.name,
                at_us=one.anomaly.hour * HOUR_US,
                usd=one.anomaly.usd,
                usual_usd=one.anomaly.usual_usd,
                since_usd=spend.since(hours, one.anomaly, hour),
                new=one.anomaly.new,
                said=one.told,
            )
            for one in found
        ),
        forecast=month_forecast(books, now_us),
    )


def month_forecast(books: Books, now_us: int) -> ForecastRow:
    """What the running month will have cost. Raises StoreError."""
    today, ends_us = now_us // DAY_US, month_end_us(now_us)
    rows = books.buckets((today - MOST) * DAY_US, today * DAY_US - 1, ("day",))
    by_day = {row.hour // 24: row for row in rows if row.hour is not None}
    first = min((day for day, row in by_day.items() if row.requests), default=today)
    usd = [by_day[day].cost_nanos / 1e9 if day in by_day else 0.0 for day in range(first, today)]
    month = books.buckets(month_start_us(now_us), now_us, ())
    so_far = sum(row.cost_nanos for row in month) / 1e9
    today_usd = sum(row.cost_nanos for row in books.buckets(today * DAY_US, now_us, ())) / 1e9
    daily = tuple(
        Day(day * DAY_US, amount, by_day[day].requests if day in by_day else 0)
        for day, amount in zip(range(first, today), usd, strict=True)
    )[-35:]
    told = forecast(usd, (ends_us - now_us) / DAY_US, first_weekday=(first + 3) % 7, so_far=so_far)
    if told is None:
        known = (
            f"{len(usd)} whole days are known" if any(usd) else "nothing that has a price was spent on a whole day yet"
        )
        why = f"a forecast takes {FEWEST} whole days; {known}"
        return ForecastRow(so_far, ends_us, why=why, daily=daily, today_usd=today_usd)
    return ForecastRow(
        so_far_usd=so_far,
        ends_us=ends_us,
        usd=told.value,
        low_usd=told.low,
        high_usd=told.high,
        level=told.level,
        days=told.days,
        weekdays=told.weekdays,
        daily=daily,
        today_usd=today_usd,
        ahead=told.ahead,
    )


def _rows(route: Route, watched: int, certificate: Certificate | None) -> Iterable[StreamRow]:
    enough = math.log1p(threshold(max(watched, route.watched)))
    for stream in STREAMS:
        one, daily = route.standings.get(stream.name), route.daily.get(stream.name, {})
        if one is None or not (daily or one.last):
            continue
        needs = route.needs() or (
            "" if one.last or route.parts.get(stream.name) else "days of the same sort to compare with"
        )
        last = one.last
        yield StreamRow(
            route=route.name,
            stream=stream.name,
            says=stream.says,
            unit=stream.unit,
            state="moved" if one.moved_us is not None else "learning" if needs else "steady",
            usual=last.usual if last else None,
            now=last.now if last else None,
            evidence=1.0 if one.moved_us is not None else min(1.0, math.log1p(one.detector.now) / enough),
            needs=needs,
            moved_us=one.moved_us,
            certificate=certificate.id if certificate is not None and not one.since_day else "",
            since_us=one.since_day * DAY_US or None,
            days=tuple(Day(day * DAY_US, value, calls) for day, (value, calls) in sorted(daily.items())),
        )
