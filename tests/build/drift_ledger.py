"""A made ledger: weeks of calls by the rhythm of day and week, written as a gateway would have, on a clock of its own."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from demitasse.build.drifting import Drifting
from demitasse.core.call import Usage
from demitasse.core.entry import Attempt, Decision, Entry, Guarded
from demitasse.core.limits import Alert
from demitasse.store.books import SqliteBooks
from demitasse.store.settings import Settings

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
MONDAY_US = 20_759 * DAY_US  # 2 November 2026
RHYTHM = (0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 3, 2, 3, 3, 3, 2, 2, 1, 1, 0, 0, 0, 0)
"""Of thirty calls a day, how many begin in each hour."""


def entry(
    id: str, at_us: int, *, key: str = "web", usd: float = 0.01, tokens: int = 400, ms: float = 900.0, **more: Any
) -> Entry:
    nanos = round(usd * 1e9)
    route = more.pop("route", "chat")
    model = more.pop("model", "large")
    attempt = Attempt(model, "openai", "gpt", "ok", at_us, ms, first_byte_ms=ms / 4, usage=Usage(uncached_in=tokens, text_out=50), cost_nanos=nanos)  # fmt: skip
    fields: dict[str, Any] = {
        "kind": "chat", "asked_model": route, "outcome": "answered", "route": route, "model": model, "provider": "openai", "cache": "miss",
        "usage": attempt.usage, "cost_nanos": nanos, "baseline_nanos": nanos, "attempts": (attempt,), "duration_ms": ms,
        "first_byte_ms": ms / 4, "guard": Guarded(band="low"),
    }  # fmt: skip
    return Entry(id=id, at_us=at_us, key=key, **fields | more)


def usual_day(
    day: int, rng: random.Random, *, change: Callable[[dict[str, Any]], None] = lambda _fields: None, scale: int = 3
) -> Iterator[Entry]:
    """About ninety calls (a third of that at a weekend) of two keys for half a cent to two cents each."""
    weekend = day % 7 >= 5
    level = rng.gauss(0, 0.05)
    for hour, calls in enumerate(RHYTHM):
        for n in range(max(calls, calls * scale // 3) if weekend else calls * scale):
            fields: dict[str, Any] = {
                "key": rng.choice(("web", "web", "jobs")),
                "usd": 0.01 * math.exp(level + rng.gauss(0, 0.4)),
                "tokens": round(400 * math.exp(level + rng.gauss(0, 0.5))),
                "ms": 900 * math.exp(level + rng.gauss(0, 0.4)),
            }
            change(fields)
            at_us = MONDAY_US + day * DAY_US + hour * HOUR_US + rng.randrange(HOUR_US)
            yield entry(f"c{day:03d}{hour:02d}{n:04d}{rng.getrandbits(32):08x}", at_us, **fields)


class Watched:
    """A ledger with a watch over it. ``told`` is what persons were told."""

    def __init__(self, data: Path, certificates: tuple[Any, ...] = ()) -> None:
        self.now_us = MONDAY_US
        self.settings = Settings(data, clock=lambda: self.now_us)
        self.books = SqliteBooks(data)
        self.certificates = certificates
        self.drifting = Drifting(
            data, self.books, self.settings, promoted=lambda: self.certificates, clock=lambda: self.now_us
        )
        self.told: list[Alert] = []

    def book(self, entries: Iterator[Entry] | list[Entry]) -> None:
        self.settings._commit(sorted(entries, key=lambda e: e.at_us))

    def look(self, at_us: int) -> list[Alert]:
        self.now_us = at_us
        alerts = self.drifting.look()
        for alert in alerts:
            self.settings.raise_alert(alert)
        self.told += alerts
        return alerts

    def live(self, first: int, days: int, rng: random.Random, every_h: int = 1, **more: Any) -> None:
        """Days one after another, with a look after every few hours."""
        for day in range(first, first + days):
            entries = sorted(usual_day(day, rng, **more), key=lambda e: e.at_us)
            for hour in range(0, 24, every_h):
                end_us = MONDAY_US + day * DAY_US + (hour + every_h) * HOUR_US
                self.book([e for e in entries if end_us - every_h * HOUR_US <= e.at_us < end_us])
                self.look(end_us + 11 * 60_000_000)

    def before(self, days: int, rng: random.Random, **more: Any) -> None:
        """Days that were booked before anybody looked."""
        for day in range(days):
            self.book(usual_day(day, rng, **more))

    def kinds(self) -> list[str]:
        return [alert.kind for alert in self.told]

    def row(self, stream: str, route: str = "chat") -> Any:
        return next(row for row in self.drifting.facts().streams if (row.route, row.stream) == (route, stream))

    def close(self) -> None:
        self.drifting.close()
        self.books.close()
        self.settings.close()


def scored(fields: dict[str, Any], score: float) -> None:
    fields["decision"] = Decision("p", "large", score=score)
