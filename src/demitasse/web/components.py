"""Made-up values for the page that shows every piece of the dashboard once. Fixed: no books, no clock."""

from __future__ import annotations

from typing import Any

from ..core.call import Usage
from ..core.entry import Entry
from . import charts
from .guard import Done
from .report import HOUR_US, Slice
from .views import Stretch

_AT_US = 1_795_262_400_000_000  # 21 Nov 2026, noon
_CENT = 10_000_000


def samples() -> dict[str, Any]:
    stretches = [Stretch("today", "Today", 0, 0), Stretch("7d", "7 days", 0, 0), Stretch("month", "November", 0, 0)]
    hours = [_hour(_AT_US + (i - 12) * HOUR_US, (i * 7) % 5 + 1, (i * 3) % 4) for i in range(12)]
    return {
        "periods": stretches,
        "period": stretches[1],
        "sample_done": Done(
            "budget 'default' is now $10.00 a day; it was $5.00 a day", "/budgets/set", {"name": "default"}
        ),
        "sample_failed": Done("a limit is an amount of dollars like 5 or 0.25, or 'none', not 'much'", failed=True),
        "sample_chart": charts.cost_over_time(hours, hourly=True),
        "sample_entries": _entries(),
    }


def _hour(at_us: int, paid: int, saved: int) -> Slice:
    return Slice("", paid, paid * _CENT, (paid + saved) * _CENT, saved * _CENT, 0, 900, 100, at_us)


def _entries() -> list[Entry]:
    usage = Usage(uncached_in=640, text_out=172)
    common: dict[str, Any] = {
        "at_us": _AT_US,
        "key": "alice",
        "team": "support",
        "kind": "chat",
        "usage": usage,
        "duration_ms": 812.0,
    }
    return [
        Entry(
            id="c-sample-1",
            asked_model="chat",
            route="chat",
            model="large",
            provider="openai",
            outcome="answered",
            cache="miss",
            cost_nanos=2_520_000,
            baseline_nanos=2_520_000,
            **common,
        ),
        Entry(
            id="c-sample-2",
            asked_model="chat",
            route="chat",
            model="large",
            provider="openai",
            outcome="answered",
            cache="exact",
            cost_nanos=0,
            baseline_nanos=2_520_000,
            saved=(("exact_cache", 2_520_000),),
            **common,
        ),
        Entry(
            id="c-sample-3",
            asked_model="mystery",
            model="mystery",
            provider="elsewhere",
            outcome="answered",
            cache="miss",
            cost_nanos=None,
            **common,
        ),
        Entry(id="c-sample-4", asked_model="chat", outcome="refused", error="insufficient_quota", **common),
    ]
