"""A watch over a made installation for the dashboard's tests: quiet, loud, full and empty."""

from __future__ import annotations

import math
import random

from demitasse.core.errors import ConfigError
from demitasse.core.limits import Alert
from demitasse.web.drift_facts import Day, ForecastRow, SpendRow, StreamRow, WatchFacts

from .fakes import HOUR_US, NOW_US

DAY_US = 24 * HOUR_US
STREAMS = (
    ("length", "length of prompts", "tokens", 812.0),
    ("score", "router's scores", "share", 0.62),
    ("cost", "cost of a call", "usd", 0.00312),
    ("first_byte", "time to the first byte", "ms", 231.0),
    ("duration", "time to the last byte", "ms", 1840.0),
    ("failed", "calls that failed", "share", 0.004),
    ("refused", "calls that were refused", "share", 0.0),
    ("truncated", "answers that were cut off", "share", 0.012),
    ("injection", "prompts of high risk", "share", 0.001),
    ("personal", "prompts with personal data", "share", 0.083),
)


def days(usual: float, rng: random.Random, last: float = 1.0, n: int = 35) -> tuple[Day, ...]:
    today = NOW_US // DAY_US * DAY_US
    return tuple(
        Day(today - (n - at) * DAY_US, usual * math.exp(rng.gauss(0, 0.06)) * (last if at >= n - 2 else 1), 900)
        for at in range(n)
    )


def rows(route: str, rng: random.Random, moved: dict[str, float], **more) -> list[StreamRow]:
    found = []
    for stream, says, unit, usual in STREAMS:
        times = moved.get(stream, 1.0)
        found.append(
            StreamRow(
                route=route, stream=stream, says=says, unit=unit, state="moved" if stream in moved else "steady", usual=usual,
                now=usual * times * math.exp(rng.gauss(0, 0.04)), evidence=1.0 if stream in moved else rng.random() * 0.4,
                moved_us=NOW_US - 5 * HOUR_US if stream in moved else None, days=days(usual, rng, times), **more,
            )
        )  # fmt: skip
    return found


def learning(route: str, needs: str) -> StreamRow:
    return StreamRow(route=route, stream="cost", says="cost of a call", unit="usd", state="learning", needs=needs)


def forecast(seed: int = 3) -> ForecastRow:
    rng = random.Random(seed)
    spent = tuple(
        Day(d.at_us, d.value * (0.3 if (d.at_us // DAY_US + 3) % 7 >= 5 else 1), 900) for d in days(41.0, rng)
    )
    return ForecastRow(
        so_far_usd=806.42, ends_us=NOW_US // DAY_US * DAY_US + 10 * DAY_US, usd=1_131.0, low_usd=1_058.0, high_usd=1_214.0, days=49,
        weekdays=True, daily=spent, today_usd=21.4, ahead=(19.0, 12.3, 41.0, 42.0, 40.5, 41.0, 39.0, 12.0, 12.2, 41.0),
    )  # fmt: skip


def loud() -> WatchFacts:
    rng = random.Random(5)
    streams = [
        *rows("support", rng, {"length": 2.7, "cost": 2.2}, certificate="crt_7f3a9c21"),
        *rows("titles", rng, {}),
        *rows("a-route-with-quite-a-long-name-that-somebody-has-chosen/for-their-summaries", rng, {"failed": 30.0}),
        learning("young", "5 whole days with calls; there are 2"),
        learning("rare", "20 calls a day; it has about 3"),
    ]
    spend = (
        SpendRow("key", "nightly-embeddings-of-everything", NOW_US - 2 * HOUR_US, 24.81, 0.31, 51.22),
        SpendRow("key", "fresh", NOW_US - HOUR_US, 8.4, 0.0, 8.4, new=True, said=False),
    )
    return WatchFacts(
        looked_us=NOW_US - 21_000_000, streams=tuple(streams), watched=30, spend=spend, forecast=forecast()
    )


def quiet() -> WatchFacts:
    few = ForecastRow(
        1.2,
        NOW_US + 9 * DAY_US,
        why="a forecast takes 5 whole days; 2 whole days are known",
        daily=days(0.6, random.Random(1), n=2),
    )
    return WatchFacts(looked_us=NOW_US, streams=tuple(rows("chat", random.Random(2), {})), watched=10, forecast=few)


ALERTS = (
    Alert("spend-key-nightly-1", NOW_US - 2 * HOUR_US, "spend_anomaly", "nightly", "key 'nightly-embeddings-of-everything' spent $24.81 in the hour from 21 Nov 10:00 UTC, usually $0.31 and never more than $0.94", "demitasse budgets set watch-nightly 20/day --key nightly-embeddings-of-everything", undo="demitasse budgets remove watch-nightly"),
    Alert("drift-support-length", NOW_US - 5 * HOUR_US, "drift_inputs", "support", "route 'support' is asked prompts of another length: 2,190 tokens, usually 812 tokens, 61% of calls lie elsewhere; mostly key 'search-index'; certificate crt_7f3a9c21 was proven on other calls", "demitasse undo support", undo="demitasse promote crt_7f3a9c21"),
    Alert("drift-long-failed", NOW_US - 6 * HOUR_US, "drift_failures", "titles", "route 'titles' fails more often: 12.0%, usually 0.4%; mostly model 'small'", "demitasse drift --accept titles/failed", undo="demitasse drift --unaccept titles/failed"),
    Alert("drift-old-over", NOW_US - 90 * HOUR_US, "drift_over", "titles", "route 'titles': time to the last byte is as it was before (1.8 s), after 31 hours", resolved_us=NOW_US - 90 * HOUR_US),
)  # fmt: skip


class FakeWatch:
    """Remembers what was accepted."""

    def __init__(self, facts: WatchFacts) -> None:
        self.told = facts
        self.done: list[tuple[str, str, str]] = []

    def facts(self) -> WatchFacts:
        return self.told

    def accept(self, route: str, stream: str) -> None:
        if stream == "smell":
            raise ConfigError("nothing is watched as 'titles/smell'")
        self.done.append(("accept", route, stream))

    def unaccept(self, route: str, stream: str) -> None:
        self.done.append(("unaccept", route, stream))
