"""Pictures of the watch as pure functions: a month's days with those to come, and a stream's days as a small line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from .drift_facts import Day, ForecastRow

DAY_US: Final = 86_400_000_000
WIDE, HIGH = 120.0, 24.0


def month(row: ForecastRow, now_us: int) -> dict[str, Any]:
    """Each day's spending, and from today on what it is expected to come to, in another colour."""
    today_us = now_us // DAY_US * DAY_US
    past = [(day.at_us, day.value) for day in row.daily]
    today, *later = row.ahead or (0.0,)
    coming = [(today_us + at * DAY_US, usd) for at, usd in enumerate((row.today_usd + today, *later))]
    return {
        "animation": False,
        "aria": {"enabled": True},
        "grid": {"left": 14, "right": 18, "top": 16, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}},
        "xAxis": {
            "type": "category",
            "data": [f"{_date(at):%-d %b}" for at, _ in (*past, *coming)],
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
            {
                "type": "bar",
                "name": "spent or expected",
                "barMaxWidth": 28,
                "color": "var(--paid)",
                "data": [
                    *(round(usd, 6) for _, usd in past),
                    *(
                        {"value": round(usd, 6), "itemStyle": {"color": "var(--muted)", "opacity": 0.45}}
                        for _, usd in coming
                    ),
                ],
            }
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


def _date(at_us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC)
