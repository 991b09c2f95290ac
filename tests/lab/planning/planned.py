"""Traffic and options to plan with; a hosted model at a made-up price."""

from __future__ import annotations

import datetime as dt

from demitasse.core.hardware import Interval
from demitasse.core.price import Card, rates
from demitasse.lab.planning.facts import Facts, defaults
from demitasse.lab.planning.options import Option, hosted_option, machine_option
from demitasse.lab.planning.profile import Profile

TODAY = dt.date(2026, 11, 21)
CARD = Card(id="made up", provider="p", model="m", base=rates(input=250_000, output=2_000_000, cache_read=25_000))
FACTS: Facts = defaults()


def point(value: float) -> Interval:
    return Interval(value, value)


def traffic(calls: float = 50_000, into: float = 800, out: float = 200, peak: float = 4) -> Profile:
    return Profile(calls_per_day=point(calls), tokens_in=point(into), tokens_out=point(out), peak=point(peak))


def hosted(name: str = "hosted:p/m", **more: object) -> Option:
    return hosted_option(name, CARD, **more)  # type: ignore[arg-type]


def usual() -> list[Option]:
    names = ["rented:h100/gpt-oss-20b", "own:h100/gpt-oss-20b", "edge:mac-mini-m4/qwen3.5-9b"]
    return [hosted(), *(machine_option(name, FACTS) for name in names)]
