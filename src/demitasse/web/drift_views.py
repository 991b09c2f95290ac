"""What the page on the watch shows, as plain values: for HTML, for JSON and for ``demitasse drift``. Knows no request."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from ..core.limits import Alert
from . import drift_charts
from .done import done
from .drift_facts import NOBODY, StreamRow, WatchFacts
from .needs import needs
from .report import iso

if TYPE_CHECKING:
    from .desk import Desk

MOST_PAST: Final = 20


class Group(Struct, frozen=True):
    """A route with its streams."""

    route: str
    rows: tuple[StreamRow, ...]
    moved: int
    certificate: str
    needs: str
    """What all of them lack; "" where one lacks nothing."""


def watch(desk: Desk, query: Mapping[str, str]) -> dict[str, Any]:
    """The page. ``needs=all``: all that needs somebody, not the newest five alone."""
    facts = desk.watch.facts() if desk.watch is not None else NOBODY
    alerts = [alert for alert in desk.books.alerts(open_only=False, last=500) if is_ours(alert)]
    return {
        "facts": facts,
        "groups": groups(facts.streams),
        **needs(desk, every=query.get("needs") == "all"),
        "in_force": done(desk),
        "past": [alert for alert in alerts if alert.resolved_us is not None][:MOST_PAST],
        "chart": drift_charts.month(facts.forecast, desk.clock()) if facts.forecast is not None else None,
        "lines": {f"{row.route}/{row.stream}": drift_charts.line(row.days) for row in facts.streams},
        "now_us": desk.clock(),
        "text": value_text,
    }


def is_ours(alert: Alert) -> bool:
    """Whether the watch over drift and spend has told it."""
    return alert.kind.startswith("drift_") or alert.kind == "spend_anomaly"


def groups(rows: Sequence[StreamRow]) -> list[Group]:
    """By route: those where something moved first, then those that can be watched, by name."""
    by_route: dict[str, list[StreamRow]] = {}
    for row in rows:
        by_route.setdefault(row.route, []).append(row)
    found = [
        Group(
            route=route,
            rows=tuple(own),
            moved=sum(row.state == "moved" for row in own),
            certificate=next((row.certificate for row in own if row.certificate), ""),
            needs=own[0].needs if all(row.needs for row in own) and len({row.needs for row in own}) == 1 else "",
        )
        for route, own in by_route.items()
    ]
    return sorted(found, key=lambda group: (-group.moved, bool(group.needs), group.route))


def value_text(value: float | None, unit: str) -> str:
    """A stream's value for people."""
    if value is None:
        return "–"
    if unit == "usd":
        digits = 2 if value >= 1 or not value else min(7, 2 - math.floor(math.log10(value)))
        return f"${value:,.{digits}f}"
    if unit == "ms":
        return f"{value / 1000:,.1f} s" if value >= 1000 else f"{value:.0f} ms"
    if unit == "share":
        return f"{value:.1%}"
    return f"{value:,.0f}"


def as_json(facts: WatchFacts, alerts: Sequence[Alert]) -> dict[str, Any]:
    """The stable, documented object of ``demitasse drift --json``; null is unknown, never zero."""
    return {
        "looked_at": iso(facts.looked_us) if facts.looked_us is not None else None,
        "watched": facts.watched,
        "false_alarms_a_month": facts.false_alarms_a_month,
        "streams": [
            {
                "route": row.route,
                "stream": row.stream,
                "unit": row.unit,
                "state": row.state,
                "usual": row.usual,
                "now": row.now,
                "evidence": round(row.evidence, 4),
                "needs": row.needs or None,
                "moved_at": iso(row.moved_us) if row.moved_us is not None else None,
                "certificate": row.certificate or None,
                "accepted_at": iso(row.since_us) if row.since_us is not None else None,
            }
            for row in facts.streams
        ],
        "spend": [
            {
                "dimension": row.dimension or "all",
                "name": row.name or None,
                "hour": iso(row.at_us),
                "usd": round(row.usd, 9),
                "usual_usd": round(row.usual_usd, 9),
                "since_usd": round(row.since_usd, 9),
                "new": row.new,
                "told": row.said,
            }
            for row in facts.spend
        ],
        "forecast": forecast_json(facts),
        "alerts": [msgspec.to_builtins(alert) for alert in alerts if is_ours(alert)],
    }


def forecast_json(facts: WatchFacts) -> dict[str, Any] | None:
    """The stable, documented object of ``demitasse forecast --json``."""
    row = facts.forecast
    if row is None:
        return None
    return {
        "so_far_usd": round(row.so_far_usd, 9),
        "ends_at": iso(row.ends_us),
        "usd": _rounded(row.usd),
        "low_usd": _rounded(row.low_usd),
        "high_usd": _rounded(row.high_usd),
        "level": row.level,
        "days": row.days,
        "weekdays": row.weekdays,
        "needs": row.why or None,
    }


def _rounded(usd: float | None) -> float | None:
    return None if usd is None else round(usd, 6)
