"""Puts a plan together: the traffic from the books, prices from the database, qualities from evaluations, this machine's speeds.

Knows where each comes from; the arithmetic is ``lab.planning``'s.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import structs

from ..core.evidence import OWN_KEYS
from ..core.hardware import DEFAULTS_DATE, Hardware, Interval
from ..lab.evals import result
from ..lab.planning.facts import Fact, Facts, PlanError, near
from ..lab.planning.options import Option, hosted_option, machine_option, split
from ..lab.planning.profile import Profile, from_buckets
from ..providers import catalogue, price_cards, vendor_energy
from ..store.books import SqliteBooks

HOUR_US = 3_600_000_000
LATEST = 2_000
"""Calls whose answers' lengths are looked at one by one."""
FEW = 1_000
"""Calls below which a traffic's figures say little of what is to come."""
ENOUGH = 40
"""Answers from which a 95th percentile says something."""
_UJ_PER_KWH = 3_600_000_000_000
HERE = "here"
"""This machine, as hardware."""


def traffic(books: SqliteBooks, *, route: str | None, since_us: int, now_us: int) -> Profile:
    """What clients asked since a moment, of one route or of all. Raises PlanError when that is nothing.

    Shadows, judges and evaluations are no traffic: nobody has to plan for what the lab asked.
    """
    hours = [b for b in books.buckets(since_us, now_us, ("hour", "cache", "route", "key")) if b.key not in OWN_KEYS]
    routes = {b.route or "" for b in hours}
    if route is not None:
        if route not in routes:
            raise PlanError(
                f"no calls on a route '{route}'{near(route, routes)}; there are: {', '.join(sorted(routes)) or 'none'}"
            )
        hours = [b for b in hours if b.route == route]
    first = min((b.hour or 0 for b in hours), default=0) * HOUR_US
    span_hours = max(1.0, (now_us - max(since_us, first)) / HOUR_US)
    calls = sum(b.requests for b in hours)
    where = f"the ledger{f', route {route}' if route else ''}, {calls:,} calls in {span_hours / 24:.3g} days"
    if 0 < calls < FEW:
        where += "; so few that means and peak may be chance"
    return structs.replace(
        from_buckets(hours, span_hours=span_hours, source=where),
        p95_over_mean=_length_spread(books, route, since_us),
    )


def _length_spread(books: SqliteBooks, route: str | None, since_us: int) -> Interval | None:
    """95th percentile of the answers' lengths over their mean, from the latest calls."""
    rows = books.entries(last=LATEST, route=route, since_us=since_us)
    lengths = sorted(
        a.usage.total_out
        for _, e in rows
        if e.key not in OWN_KEYS
        for a in e.attempts
        if a.usage is not None and a.usage.total_out
    )
    if len(lengths) < ENOUGH:
        return None
    ratio = lengths[int(0.95 * (len(lengths) - 1))] / (sum(lengths) / len(lengths))
    return Interval(ratio, ratio)


def this_machine(facts: Facts, machine: Hardware) -> Facts:
    """Rows for this machine: one core of it as the unit, with the catalogue's measured speeds of one thread."""
    date, cores = dt.date.fromisoformat(DEFAULTS_DATE), machine.cores.middle
    figures = {
        "capex_usd": (_over(machine.capex_usd, cores), "USD for one core's share"),
        "watts_idle": (_over(machine.watts_idle, cores), "W for one core's share"),
        "watts_busy": (machine.watts_per_busy_core, "W for one busy core"),
        "life_years": (machine.life_years, "years"),
        "utilisation": (machine.utilisation, "share of all hours in which it works, other work included"),
    }
    figures["most_units"] = (machine.cores, "cores there are")
    rows = [
        Fact(f"box.{HERE}.{name}", value.low, value.high, unit, date, "estimate", f"[hardware]: {machine.origin}")
        for name, (value, unit) in figures.items()
    ]
    for name, entry in catalogue.catalogue().items():
        if not entry.input_per_s or not entry.output_per_s:
            continue
        measured = dt.date.fromisoformat(str(entry.measured))
        for last, value in (("input_per_s", entry.input_per_s), ("output_per_s", entry.output_per_s)):
            per_core = value / entry.threads
            rows.append(
                Fact(
                    f"speed.{HERE}.{name}.{last}",
                    per_core,
                    per_core,
                    "tokens/s of one core",
                    measured,
                    "measured",
                    entry.measured_on,
                )
            )
    return facts.with_rows(rows)


def _over(value: Interval, parts: float) -> Interval:
    return Interval(value.low / parts, value.high / parts)


def options(names: Iterable[str], facts: Facts, *, at_us: int) -> list[Option]:
    """The options of these names, hosted ones with their price cards. Raises PlanError with the nearest name there is."""
    return [
        _hosted(name, at_us) if split(name)[0] == "hosted" else machine_option(name, facts)
        for name in dict.fromkeys(names)
    ]


def _hosted(name: str, at_us: int) -> Option:
    _, provider, model = split(name)
    card = price_cards.compile_card(provider, model, at_us)
    if card is None:
        raise PlanError(f"'{name}': the price database has no price of it{near(f'{provider}/{model}', _priced())}")
    return hosted_option(name, card, kwh_per_token_out=_vendor_kwh(provider, model))


def _vendor_kwh(provider: str, model: str) -> Interval | None:
    """Electricity of a hosted model per token put out; EcoLogits' estimate is linear in them."""
    tokens = 1_000.0
    found = vendor_energy.estimate(provider, model, tokens, duration_s=600.0)
    return (
        None if found is None else Interval(found.low_uj / _UJ_PER_KWH / tokens, found.high_uj / _UJ_PER_KWH / tokens)
    )


def _priced() -> list[str]:
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - heavy, and only for an error's sentence

    return [f"{p.id}/{m.id}" for p in get_snapshot().providers for m in p.models]


def with_scores(found: list[Option], scores: Mapping[str, str], data: Path) -> list[Option]:
    """Options with their quality: a number, or an evaluation whose score it is.

    Raises:
        PlanError: for an option that isn't compared, a score that is neither a share nor an evaluation that has ended.
    """
    names = [o.name for o in found]
    for name in scores:
        if name not in names:
            raise PlanError(f"--score names '{name}', which isn't compared{near(name, names)}")
    return [_scored(o, scores[o.name], data) if o.name in scores else o for o in found]


def _scored(option: Option, given: str, data: Path) -> Option:
    try:
        value = float(given)
    except ValueError:
        run = result.load(result.find(data, given))
        if run.summary is None or run.summary.quality is None:
            raise PlanError(f"evaluation '{run.id}' has no score yet; go on with it: {run.command}") from None
        low, high = run.summary.quality_interval or (run.summary.quality, run.summary.quality)
        told = f"evaluation {run.id}, {run.summary.n:,} answers of {run.model}"
        return structs.replace(
            option, quality=run.summary.quality, quality_interval=Interval(low, high), quality_source=told
        )
    if not 0 <= value <= 1:
        raise PlanError(f"--score {option.name}={given}: a score is a share from 0 to 1")
    return structs.replace(option, quality=value, quality_source="given")
