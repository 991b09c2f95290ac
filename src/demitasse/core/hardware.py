"""What an own machine costs: an hour, a token, a call's joules, its carbon. Pure arithmetic on intervals.

Every input is an interval; where one bound is not the other, neither is the result's. Booked is the *middle*, the
geometric mean of the two ends, because the inputs that matter are known by their order of magnitude: how much of
its time the machine works moves the price of a token 16-fold and more.

*Marginal* is what one more busy hour adds: electricity. *Full* is all that the machine costs, spread over the hours in
which it works; idle power is paid around the clock and spread likewise.
"""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

from msgspec import Struct, structs

from .call import Energy
from .price import Card, rates

DEFAULTS_DATE: Final = "2026-11-21"
HOURS_PER_YEAR: Final = 8766
_UJ_PER_KWH: Final = 3_600_000_000_000
_PICO_PER_USD: Final = 10**12

Scope = Literal["marginal", "full"]


class Interval(NamedTuple):
    """Two bounds, ``low <= high``."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """Geometric mean; the arithmetic one where a bound is 0."""
        return math.sqrt(self.low * self.high) if self.low > 0 else (self.low + self.high) / 2


class Hardware(Struct, frozen=True):
    """One machine: ``[hardware]`` of the configuration, with defaults of `DEFAULTS_DATE` and where they come from."""

    capex_usd: Interval = Interval(800, 1600)
    """Assumed: retail price of a desktop or small server with `cores` cores and 32 GB."""
    cores: Interval = Interval(8, 8)
    """Cores the price is for; an engine bears its threads' share."""
    life_years: Interval = Interval(4, 6)
    """Large operators write servers off over 5 to 6 years (annual reports for 2024); 4 is customary for a desktop."""
    utilisation: Interval = Interval(0.05, 0.8)
    """Share of all hours in which it works: from a developer's machine to a queue that is never empty."""
    watts_idle: Interval = Interval(15, 60)
    """Assumed: a small desktop at rest to an entry server at rest, at the socket."""
    watts_per_busy_core: Interval = Interval(3, 12)
    """Assumed: processors' full-load power less idle, by core: efficient server cores to fast desktop cores."""
    pue: Interval = Interval(1.0, 1.56)
    """1.0: a machine in a room without cooling of its own; 1.56: industry average, Uptime Institute survey 2024."""
    usd_per_kwh: Interval = Interval(0.08, 0.40)
    """US industrial average (EIA, 2024) to a German household's price (Eurostat, 2024)."""
    ops_usd_per_year: Interval = Interval(0, 200)
    """Assumed: from a machine one has anyway to a little care, space and spare parts."""
    carbon_g_per_kwh: Interval = Interval(45, 475)
    """France to the world's average (Ember, electricity in 2024), gCO2e."""
    origin: str = DEFAULTS_DATE


def hardware(**settings: float | None) -> Hardware:
    """The defaults with a user's own figures in their place; a figure is exact, so its interval is a point.

    Raises:
        TypeError: for a name that is no field.
    """
    own = {name: Interval(value, value) for name, value in settings.items() if value is not None}
    if not own:
        return Hardware()
    return structs.replace(Hardware(), **own, origin=f"{Hardware().origin} with own {', '.join(sorted(own))}")


def usd_per_hour(machine: Hardware, scope: Scope, *, threads: int, utilisation: float | None = None) -> Interval:
    """Dollars that an hour of ``threads`` busy cores costs.

    Args:
        machine: whose hour.
        scope: marginal or full, see the module.
        threads: cores the engine keeps busy; its share of the machine is ``threads / cores``.
        utilisation: instead of the machine's own interval.
    """
    m = machine
    busy = Interval(threads * m.watts_per_busy_core.low, threads * m.watts_per_busy_core.high)
    if scope == "marginal":
        return Interval(_usd(busy.low, m.pue.low, m.usd_per_kwh.low), _usd(busy.high, m.pue.high, m.usd_per_kwh.high))
    used = m.utilisation if utilisation is None else Interval(utilisation, utilisation)
    low_share, high_share = min(1.0, threads / m.cores.high), min(1.0, threads / m.cores.low)
    low = low_share * (m.capex_usd.low / m.life_years.high + m.ops_usd_per_year.low) / (HOURS_PER_YEAR * used.high)
    high = high_share * (m.capex_usd.high / m.life_years.low + m.ops_usd_per_year.high) / (HOURS_PER_YEAR * used.low)
    return Interval(
        low + _usd(busy.low + low_share * m.watts_idle.low / used.high, m.pue.low, m.usd_per_kwh.low),
        high + _usd(busy.high + high_share * m.watts_idle.high / used.low, m.pue.high, m.usd_per_kwh.high),
    )


def _usd(watts: float, pue: float, usd_per_kwh: float) -> float:
    return watts / 1000 * pue * usd_per_kwh


class Throughput(Struct, frozen=True):
    """How fast an engine computes one call alone, and where the figures come from."""

    input_per_s: float
    output_per_s: float
    threads: int
    source: str
    """Which benchmark, on which machine, when."""


class TokenPrices(Struct, frozen=True):
    """Pico-dollars per token: the booked middle, and the interval it lies in. ``id`` names it in the books.

    Tokens that the engine still has from an earlier call cost nothing anew.
    """

    id: str
    input_pico: int
    output_pico: int
    input_range: tuple[int, int]
    output_range: tuple[int, int]


def token_prices(machine: Hardware, speed: Throughput, scope: Scope = "full") -> TokenPrices:
    """An hour's price over the tokens made in it, in whole pico-dollars, the bounds rounded outwards."""
    hour = usd_per_hour(machine, scope, threads=speed.threads)

    def pico(usd: float, per_s: float) -> float:
        return usd / (per_s * 3600) * _PICO_PER_USD

    def interval(per_s: float) -> tuple[int, int]:
        return math.floor(pico(hour.low, per_s)), math.ceil(pico(hour.high, per_s))

    return TokenPrices(
        id=f"hardware {machine.origin} {scope}, {speed.source}",
        input_pico=round(pico(hour.middle, speed.input_per_s)),
        output_pico=round(pico(hour.middle, speed.output_per_s)),
        input_range=interval(speed.input_per_s),
        output_range=interval(speed.output_per_s),
    )


def card(prices: TokenPrices, *, model: str, context: int | None = None) -> Card:
    """The price card of a local model for the books."""
    base = rates(input=prices.input_pico, output=prices.output_pico, cache_read=0)
    return Card(id=prices.id, provider="local", model=model, base=base, max_input=context)


def modelled(machine: Hardware, cpu_s: Interval) -> Energy:
    """Energy from CPU seconds: what a busy core adds, times the building's overhead. Idle power is not in it."""
    low = cpu_s.low * machine.watts_per_busy_core.low * machine.pue.low
    high = cpu_s.high * machine.watts_per_busy_core.high * machine.pue.high
    return Energy(low_uj=round(low * 1e6), high_uj=round(high * 1e6), method="modelled")


def measured(package_uj: int, cpu_s: Interval, busy_cpu_s: float) -> Energy:
    """A share of what the processor's own counters saw: by CPU seconds of all that the machine spent meanwhile.

    The counters cover the processor alone, not the rest of the machine or the building. With ``busy_cpu_s`` of 0 the
    call gets all of it.
    """
    low, high = (min(1.0, s / busy_cpu_s) if busy_cpu_s > 0 else 1.0 for s in cpu_s)
    return Energy(low_uj=round(package_uj * low), high_uj=round(package_uj * high), method="measured")


def counted_uj(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> int:
    """Micro-joules between two readings ``{counter: (value, wraps at)}``; a counter wraps at most once between them."""
    total = 0
    for name, (start, wraps_at) in before.items():
        end, _ = after.get(name, (start, wraps_at))
        total += end - start if end >= start else wraps_at - start + end
    return total


def carbon_mg(machine: Hardware, energy: Energy) -> Interval:
    """Milligrams of CO2 equivalent."""
    grams = machine.carbon_g_per_kwh
    return Interval(
        energy.low_uj / _UJ_PER_KWH * grams.low * 1000,
        energy.high_uj / _UJ_PER_KWH * grams.high * 1000,
    )
