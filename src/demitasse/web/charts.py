"""Charts as pure functions: rows in, an ECharts option out. Knows no page and no colour, only names of CSS variables.

``static/app.js`` draws them: it replaces strings that begin with ``var(--`` by the theme's colours, and formatters that
begin with ``@`` (one of ``FORMATS``) by functions. Values are floats in dollars, for the eye; the tables are exact.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from ..core.money import usd
from .report import DAY_US, HOUR_US, Report, Slice

FORMATS = ("@usd", "@count", "@percent", "@wh", "@ms")
"""What a formatter may be called; each is a function of ``app.js``."""


def cost_over_time(slices: Sequence[Slice], *, hourly: bool) -> dict[str, Any]:
    """Paid and saved, stacked, so that a column's full height is what would have been paid."""
    return {
        **_frame(),
        "xAxis": _categories(slices, hourly=hourly),
        "yAxis": _amounts("@usd"),
        "series": [
            _bars("paid", [usd(s.paid_nanos or 0) for s in slices], "var(--paid)"),
            _bars("saved", [usd(max(0, s.saved_nanos)) for s in slices], "var(--saved)"),
        ],
    }


def calls_over_time(slices: Sequence[Slice], *, hourly: bool) -> dict[str, Any]:
    """Calls per hour or day."""
    return {
        **_frame(),
        "xAxis": _categories(slices, hourly=hourly),
        "yAxis": _amounts("@count"),
        "series": [_bars("calls", [s.requests for s in slices], "var(--paid)")],
    }


def without_gaps(report: Report) -> tuple[list[Slice], bool]:
    """The report's slices with nothing left out between them, and whether they are hours.

    A day without calls is a column of nothing, not a missing column. Left out are the future and all but two columns
    of the time before the first call.
    """
    hourly = bool(report.by_hour)
    step, known = (HOUR_US, report.by_hour) if hourly else (DAY_US, report.by_day)
    by_at = {s.at_us: s for s in known}
    start = report.since_us // step * step
    if known and known[0].at_us is not None:
        start = max(start, known[0].at_us - 2 * step)
    end = min(report.until_us, report.now_us + 1)
    return [by_at.get(at) or Slice("", 0, 0, 0, 0, 0, 0, 0, at) for at in range(start, end, step)], hourly


def _frame() -> dict[str, Any]:
    return {
        "animation": False,
        "aria": {"enabled": True},
        "grid": {"left": 14, "right": 18, "top": 16, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}},
    }


def _categories(slices: Sequence[Slice], *, hourly: bool) -> dict[str, Any]:
    form = "%-d %b %H:%M" if hourly and len(slices) > 24 else "%H:%M" if hourly else "%-d %b"
    return {
        "type": "category",
        "data": [f"{_moment(s.at_us or 0):{form}}" for s in slices],
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": {"color": "var(--line)"}},
        "axisLabel": {"color": "var(--muted)", "hideOverlap": True},
    }


def _amounts(form: str) -> dict[str, Any]:
    return {
        "type": "value",
        "splitNumber": 3,
        "splitLine": {"lineStyle": {"color": "var(--line)"}},
        "axisLabel": {"color": "var(--muted)", "formatter": form},
    }


def _bars(name: str, data: Sequence[float], color: str) -> dict[str, Any]:
    return {"type": "bar", "name": name, "stack": "all", "data": data, "color": color, "barMaxWidth": 28}


def _moment(at_us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC)
