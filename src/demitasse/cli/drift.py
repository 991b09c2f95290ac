"""`drift` and `forecast`: what is watched and where each stands; what the month will have cost."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from .ground import Place, placed, say, say_json, table

if TYPE_CHECKING:
    from ..build.drifting import Drifting
    from ..store.books import SqliteBooks


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--accept", metavar="ROUTE/STREAM", help="What comes from today on is the usual, e.g. chat/cost.")
@click.option("--unaccept", metavar="ROUTE/STREAM", help="Take that back.")
@placed
def drift(place: Place, as_json: bool, accept: str | None, unaccept: str | None) -> None:
    """What is watched of calls and spending, where each stands, and what was told. Looks anew before it answers."""
    from ..web.drift_views import as_json as watch_json
    from ..web.drift_views import is_ours, value_text

    with _watch(place) as (watch, books):
        watch.look(tell=False)
        for name, change in ((accept, watch.accept), (unaccept, watch.unaccept)):
            if name is not None:
                route, _, stream = name.rpartition("/")
                change(route, stream)
        if accept or unaccept:
            watch.look(tell=False)
        facts, alerts = watch.facts(), books.alerts(open_only=False, last=200)
    if as_json:
        say_json(watch_json(facts, alerts))
        return
    if accept or unaccept:
        done, back = ("what comes from today on is the usual", "--unaccept") if accept else ("as before", "--accept")
        say(f"{accept or unaccept}: {done}; undo with: demitasse drift {back} {accept or unaccept}")
        return
    if not facts.streams:
        say("nothing to watch yet: it takes five whole days with twenty calls or more on a route")
    else:
        table(
            ("route", "what", "usual", "now", "evidence", "stands"),
            [
                [
                    row.route,
                    row.says,
                    value_text(row.usual, row.unit),
                    value_text(row.now, row.unit),
                    f"{row.evidence:.0%}",
                    f"learning: it takes {row.needs}" if row.needs else row.state,
                ]
                for row in facts.streams
            ],
            right=("usual", "now", "evidence"),
            whole=("route",),
        )
    for one in facts.spend:
        who = f"{one.dimension} '{one.name}'" if one.dimension else "all together"
        say(f"out of line: {who} has spent ${one.since_usd:,.2f} since {_hour(one.at_us)}")
    for alert in alerts:
        if is_ours(alert) and alert.resolved_us is None:
            say(f"▲ {alert.message}")
            say(f"  {alert.remedy}    undo: {alert.undo}")
    say(f"{facts.watched} streams; at most {facts.false_alarms_a_month:g} false alarm a month, all together")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def forecast(place: Place, as_json: bool) -> None:
    """What the running month will have cost when it ends, with the interval that it lies in."""
    from ..build.drift_rows import month_forecast
    from ..web.drift_facts import WatchFacts
    from ..web.drift_views import forecast_json, value_text

    with place.books() as books:
        row = month_forecast(books, place.clock())
    if as_json:
        say_json(forecast_json(WatchFacts(looked_us=None, forecast=row)))
        return
    so_far = f"{value_text(row.so_far_usd, 'usd')} so far this month"
    if row.usd is None:
        say(f"{so_far}; {row.why}")
        return
    low, high = (value_text(end, "usd") for end in (row.low_usd, row.high_usd))
    say(f"{value_text(row.usd, 'usd')} by the month's end, between {low} and {high} with {row.level:.0%}")
    pattern = ", weekdays told apart" if row.weekdays else "; weekdays are told apart from 14 on"
    say(f"{so_far}; from {row.days} whole days{pattern}")


@contextlib.contextmanager
def _watch(place: Place) -> Iterator[tuple[Drifting, SqliteBooks]]:
    from ..build.drifting import Drifting

    with place.books() as books, place.settings() as settings:
        watch = Drifting(place.data, books, settings, promoted=settings.promoted, clock=place.clock)
        try:
            yield watch, books
        finally:
            watch.close()


def _hour(at_us: int) -> str:
    import datetime as dt

    return f"{dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC):%-d %b %H:%M} UTC"
