"""What an option costs at one point of all its inputs, and between which bounds over their ranges. Pure.

At a point the arithmetic is ``core.hardware``'s and ``core.price``'s; here is how much machine a traffic needs. A range is the
hull of corners: every input takes *one* value at a time, in all the places where it occurs, so that none widens the result
twice. Cost rises or falls with each input alone, so the two corners at which all inputs are kind, or unkind, are the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from ...core import hardware as machines_of
from ...core import price
from ...core.call import Energy, Usage
from ...core.hardware import HOURS_PER_YEAR, Hardware, Interval
from ...core.money import NANOS
from .options import Option
from .staffing import machines, wait_quantile_s

DAYS_PER_MONTH: Final = HOURS_PER_YEAR / 24 / 12
HOURS_PER_MONTH: Final = HOURS_PER_YEAR / 12
UJ_PER_KWH: Final = 3_600_000_000_000

Inputs = Mapping[str, float]
Tag = Literal["measured", "modelled", "vendor", "unknown"]


class Point(Struct, frozen=True):
    """One option at one point. Money in nano-dollars a month."""

    marginal: int
    """What comes and goes with the calls: tokens, electricity, or rented machines billed only while they work."""
    full: int
    """All of it: machines that stand idle too, and the care for them."""
    units: int
    """GPUs, boxes or cores; 0: none of one's own."""
    utilisation: float
    p50_s: float
    p95_s: float
    busy_kwh: float | None
    """A month; None: unknown."""
    all_kwh: float | None
    """With what machines draw while they wait."""
    calls: float
    """A month, those the gateway's cache answers included."""

    @property
    def marginal_per_1000(self) -> float:
        """Nano-dollars."""
        return self.marginal / self.calls * 1000

    @property
    def full_per_1000(self) -> float:
        """Nano-dollars."""
        return self.full / self.calls * 1000


class Span(Struct, frozen=True):
    """A figure between its bounds; ``middle`` is with all inputs at theirs."""

    low: float
    middle: float
    high: float


class Costed(Struct, frozen=True):
    """One option over the ranges of its inputs. Money in whole nano-dollars: low, middle, high."""

    marginal_nanos: tuple[int, int, int]
    """A month."""
    full_nanos: tuple[int, int, int]
    marginal_per_1000_nanos: tuple[int, int, int]
    full_per_1000_nanos: tuple[int, int, int]
    units: tuple[int, int, int]
    utilisation: Span
    p50_s: Span
    p95_s: Span
    busy_kwh: Span | None
    all_kwh: Span | None
    energy_method: Tag
    carbon_kg: Interval | None
    calls_per_month: Span


def at(option: Option, x: Inputs) -> Point:
    """One point. ``x`` holds the profile's figures and the option's inputs."""
    calls_s = x["calls_per_day"] / 86_400 * (1 - x["answered"])
    return _hosted(option, x, calls_s) if option.card is not None else _machines(option, x, calls_s)


def full(option: Option, x: Inputs) -> float:
    """Nano-dollars a month; infinite where there aren't as many machines as it takes."""
    point = at(option, x)
    return math.inf if option.most_units is not None and point.units > option.most_units else point.full


def _hosted(option: Option, x: Inputs, calls_s: float) -> Point:
    assert option.card is not None
    per_month = calls_s * 86_400 * DAYS_PER_MONTH
    kept = round(x["tokens_in"] * x["cached"])
    usage = Usage(uncached_in=round(x["tokens_in"]) - kept, cache_read=kept, text_out=round(x["tokens_out"]))
    each = price.cost(option.card, usage, at_us=0)
    assert each is not None, "an option has a price for every bucket"
    marginal = round(each * x["hosted.price_factor"] * per_month)
    stream, first = x["hosted.stream_per_s"], x["hosted.first_s"]
    kwh = option.kwh_per_token_out
    used = None if kwh is None else x.get("vendor_kwh_per_token", kwh.middle) * x["tokens_out"] * per_month
    return Point(
        marginal=marginal,
        full=marginal + round(x["ops.hosted.usd_per_month"] * NANOS),
        units=0,
        utilisation=1.0,
        p50_s=first + x["tokens_out"] / stream,
        p95_s=first + x["tokens_out"] * x["plan.p95_over_mean"] / stream,
        busy_kwh=used,
        all_kwh=used,
        calls=x["calls_per_day"] * DAYS_PER_MONTH,
    )


def _machines(option: Option, x: Inputs, calls_s: float) -> Point:
    speed, home = f"speed.{option.hardware}.{option.model}", option.home
    each = round(x.get(f"{speed}.units", 1))
    prefill_s = x["tokens_in"] * (1 - x["cached"]) / (x[f"{speed}.input_per_s"] * each)
    service_s = prefill_s + x["tokens_out"] / (x[f"{speed}.output_per_s"] * each)
    offered = calls_s * x["peak"] * service_s
    count = machines(offered, service_s, wait_s=x["plan.wait_s"], max_load=x["plan.max_load"])
    units = count * each
    busy_h = calls_s * service_s * each * HOURS_PER_MONTH
    busy = busy_h / (units * HOURS_PER_MONTH)
    unit = _unit(option, x)
    power = machines_of.usd_per_hour(unit, "marginal", threads=1).low
    if option.kind == "rented":
        rent = x[f"{home}.usd_per_hour"]
        marginal, standing = rent * busy_h, rent * units * HOURS_PER_MONTH
    else:
        share = x[f"{home}.utilisation"] if option.shared else busy
        marginal = power * busy_h
        standing = machines_of.usd_per_hour(unit, "full", threads=1, utilisation=share).low * busy_h
    joules = machines_of.modelled(unit, Interval(busy_h * 3600, busy_h * 3600))
    idle_h = 0.0 if option.shared else units * HOURS_PER_MONTH
    stream = x.get(f"{speed}.stream_per_s", x[f"{speed}.output_per_s"])
    answer_s = x["tokens_out"] / stream
    return Point(
        marginal=round(marginal * NANOS),
        full=round((standing + x[f"ops.{option.kind}.usd_per_month"]) * NANOS),
        units=units,
        utilisation=busy,
        p50_s=prefill_s + answer_s + wait_quantile_s(0.5, offered, service_s, count),
        p95_s=prefill_s + answer_s * x["plan.p95_over_mean"] + wait_quantile_s(0.95, offered, service_s, count),
        busy_kwh=joules.low_uj / UJ_PER_KWH,
        all_kwh=joules.low_uj / UJ_PER_KWH + x[f"{home}.watts_idle"] * x["power.pue"] * idle_h / 1000,
        calls=x["calls_per_day"] * DAYS_PER_MONTH,
    )


def _unit(option: Option, x: Inputs) -> Hardware:
    """One unit as the hardware module knows machines: its one "core" is the unit at work."""

    def point(name: str, otherwise: float = 0.0) -> Interval:
        value = x.get(name, otherwise)
        return Interval(value, value)

    home = option.home
    return Hardware(
        capex_usd=point(f"{home}.capex_usd"),
        cores=Interval(1, 1),
        life_years=point(f"{home}.life_years", 1.0),
        utilisation=Interval(1, 1),
        watts_idle=point(f"{home}.watts_idle"),
        watts_per_busy_core=point(f"{home}.watts_busy"),
        pue=point("power.pue"),
        usd_per_kwh=point("power.usd_per_kwh"),
        ops_usd_per_year=Interval(0, 0),
    )


def middle(ranges: Mapping[str, Interval]) -> dict[str, float]:
    """Every input at the middle of its range."""
    return {name: value.middle for name, value in ranges.items()}


_METRICS: Final = (
    "marginal", "full", "marginal_per_1000", "full_per_1000", "units", "utilisation", "p50_s", "p95_s", "busy_kwh", "all_kwh",
)  # fmt: skip


_EASES: Final = ("_per_s", "life_years", "cached", "answered", "wait_s", "max_load", "utilisation", ".units")
"""Endings of the inputs of which more makes everything less: all others make everything more."""


def _eases(name: str, metric: str) -> bool:
    """By construction and not by trial: whole machines hide the direction of an input that is too small to move one."""
    if name == "calls_per_day" and metric.endswith("_per_1000"):
        return True
    return name.endswith(_EASES)


def spans(option: Option, ranges: Mapping[str, Interval]) -> dict[str, Span]:
    """Every metric between its bounds: see the module. Metrics that are unknown are left out.

    Utilisation and the cost of a call jump where a machine is added; theirs is the hull of the corners and of every input alone.
    """
    centre = middle(ranges)
    base = at(option, centre)
    loose = [n for n, r in ranges.items() if r.low < r.high and (n in option.inputs or "." not in n)]
    alone = [at(option, centre | {n: end}) for n in loose for end in ranges[n]]
    found = {}
    for metric in _METRICS:
        value = getattr(base, metric)
        if value is None:
            continue
        eased = {n: _eases(n, metric) for n in loose}
        kind = at(option, centre | {n: ranges[n].high if eased[n] else ranges[n].low for n in loose})
        unkind = at(option, centre | {n: ranges[n].low if eased[n] else ranges[n].high for n in loose})
        seen = [getattr(point, metric) for point in (base, kind, unkind, *alone)]
        found[metric] = Span(min(seen), value, max(seen))
    return found


def costed(option: Option, ranges: Mapping[str, Interval], carbon_g_per_kwh: Interval) -> Costed:
    """One option over its ranges, with its carbon."""
    if option.kwh_per_token_out is not None:
        ranges = {**ranges, "vendor_kwh_per_token": option.kwh_per_token_out}
    found = spans(option, ranges)
    calls = ranges["calls_per_day"]
    energy = found.get("all_kwh")
    carbon = None
    method: Tag = "unknown" if energy is None else "vendor" if option.card else "modelled"
    if energy is not None and method in ("vendor", "modelled"):
        used = Energy(
            round(energy.low * UJ_PER_KWH), round(energy.high * UJ_PER_KWH), "vendor" if option.card else "modelled"
        )
        low, high = machines_of.carbon_mg(Hardware(carbon_g_per_kwh=carbon_g_per_kwh), used)
        carbon = Interval(low / 1e6, high / 1e6)

    def whole(metric: str) -> tuple[int, int, int]:
        span = found[metric]
        return round(span.low), round(span.middle), round(span.high)

    return Costed(
        marginal_nanos=whole("marginal"),
        full_nanos=whole("full"),
        marginal_per_1000_nanos=whole("marginal_per_1000"),
        full_per_1000_nanos=whole("full_per_1000"),
        units=whole("units"),
        utilisation=found["utilisation"],
        p50_s=found["p50_s"],
        p95_s=found["p95_s"],
        busy_kwh=found.get("busy_kwh"),
        all_kwh=energy,
        energy_method=method,
        carbon_kg=carbon,
        calls_per_month=Span(calls.low * DAYS_PER_MONTH, calls.middle * DAYS_PER_MONTH, calls.high * DAYS_PER_MONTH),
    )
