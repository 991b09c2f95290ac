"""Pictures of the watch as pure functions: a month's days with those to come, and a stream's days as a small line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from .drift_facts import Day, ForecastRow

DAY_US: Final = 86_400_000_000
WIDE, HIGH = 120.0, 24.0


def month(row: ForecastRow, now_us: int) -> dict[str, Any]:
    """What each day has cost, today so far too, and upon it what is still expected, in another colour."""
    today_us = now_us // DAY_US * DAY_US
    spent = [*(round(day.value, 6) for day in row.daily), round(row.today_usd, 6)]
    ahead = [round(usd, 6) for usd in row.ahead or (0.0,)]
    days = [*(day.at_us for day in row.daily), *(today_us + at * DAY_US for at in range(len(ahead)))]
    return {
        "animation": False,
        "aria": {"enabled": True},
        "grid": {"left": 14, "right": 18, "top": 16, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}},
        "xAxis": {
            "type": "category",
            "data": [f"{_date(at):%-d %b}" for at in days],
            "axisTick": {"show": False},
            "axisLine": {"lineStyle": {"color": "var(--line)"}},
            "axisLabel": {"color": "var(--muted)", "hideOverlap": True},
        },
        "yAxis": {
            "type": "value",
            "splitNumber": 3,
            "splitLine": {"lineStyle": {"color": "var(--line)"}},
            "axisLabel": {"color": "var(--muted)", "formatter": "@usd"},
        },
        "series": [
            _bars("spent", [*spent, *(None for _ in ahead[1:])], {"color": "var(--paid)"}),
            _bars("expected", [*(None for _ in row.daily), *ahead], {"color": "var(--muted)", "opacity": 0.45}),
        ],
    }


def line(days: Sequence[Day]) -> str:
    """The days' values as the points of an SVG polyline ``WIDE`` by ``HIGH``, today at the right; "" for fewer than two."""
    if len(days) < 2:
        return ""
    first, span = days[0].at_us, max(DAY_US, days[-1].at_us - days[0].at_us)
    low, high = min(0.0, *(day.value for day in days)), max(day.value for day in days)
    scale = (HIGH - 3) / (high - low) if high > low else 0.0
    return " ".join(
        f"{(day.at_us - first) / span * (WIDE - 2) + 1:.1f},{HIGH - 1.5 - (day.value - low) * scale:.1f}"
        for day in days
    )


def _bars(name: str, data: list[float | None], style: dict[str, Any]) -> dict[str, Any]:
    return {"type": "bar", "name": name, "stack": "day", "barMaxWidth": 28, "itemStyle": style, "data": data}


def _date(at_us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC)
