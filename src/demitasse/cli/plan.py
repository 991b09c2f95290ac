"""`plan`: where to run a traffic, in words, as tables, a picture and JSON. Decides nothing itself."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.money import usd as dollars
from .ground import Place, placed, say, say_json, table
from .units import moment_us

if TYPE_CHECKING:
    from ..core.hardware import Interval
    from ..lab.planning.asked import Asked
    from ..lab.planning.facts import Fact, Facts
    from ..lab.planning.plan import Line, Plan
    from ..lab.planning.profile import Profile

_TORNADO = 8
_PAIRS = 8


@click.command()
@click.option(
    "--from", "source", metavar="ledger[:ROUTE]", help="Take the traffic from the ledger, of one route or of all."
)
@click.option("--since", default="30d", show_default=True, metavar="WHEN", help="With --from: how far back.")
@click.option(
    "--calls-per-day", metavar="N", help="The traffic; like all its figures a number or a range, 30000..80000."
)
@click.option("--in", "tokens_in", metavar="N", help="Tokens of a prompt, mean.")
@click.option("--out", "tokens_out", metavar="N", help="Tokens of an answer, mean.")
@click.option("--cached", metavar="SHARE", help="Share of the prompts' tokens that a prompt cache has already.")
@click.option("--peak", metavar="RATIO", help="Calls in the busiest hour over the mean hour.")
@click.option(
    "--quality", type=click.FloatRange(0, 1, min_open=True), metavar="SHARE", help="The score that is needed."
)
@click.option("--score", "scores", multiple=True, metavar="OPTION=SHARE|EVALUATION", help="An option's measured score.")
@click.option("--option", "options", multiple=True, metavar="OPTION", help="Compare these instead of the usual ones.")
@click.option(
    "--set", "figures", multiple=True, metavar="NAME=VALUE", help="A figure of yours: gpu.h100.usd_per_hour=1.8..2.4."
)
@click.option(
    "--file", "path", type=click.Path(path_type=Path), metavar="FILE", help="A TOML file that says all of this."
)
@click.option("--svg", metavar="FILE", help="Write the picture there.")
@click.option(
    "--inputs", is_flag=True, help="List the figures that a plan is made of, with source and date; plan nothing."
)
@click.option("--seed", type=int, default=7, metavar="N", show_default=True, help="Of the draws for break-evens.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def plan(
    place: Place,
    source: str | None,
    since: str,
    quality: float | None,
    scores: tuple[str, ...],
    options: tuple[str, ...],
    figures: tuple[str, ...],
    path: Path | None,
    svg: str | None,
    inputs: bool,
    seed: int,
    as_json: bool,
    **traffic: str | None,
) -> None:
    """Where to run a traffic: hosted, rented GPU, own server or a box at the edge, with ranges, break-evens and what decides.

    OPTION is hosted:PROVIDER/MODEL, or rented:, own: or edge:HARDWARE/MODEL; edge:here/MODEL is one core of this machine.
    """
    from ..build import planning
    from ..lab.planning import asked as file
    from ..lab.planning import svg as drawing
    from ..lab.planning.facts import parse_set
    from ..lab.planning.plan import make_plan, ranges_of

    asked = file.Asked() if path is None else file.read((place.cwd / path).read_text(encoding="utf-8"), str(path))
    now_us = place.clock()
    today = dt.datetime.fromtimestamp(now_us / 1e6, dt.UTC).date()
    facts = _facts(place, asked).put(dict(map(parse_set, figures)), today)
    facts = facts.put({n: v for n, v in asked.figures.items() if n not in dict(map(parse_set, figures))}, today)
    if inputs:
        _say_inputs(facts, today, as_json=as_json)
        return
    profile = _profile(place, source, moment_us(since, now_us), now_us, traffic, asked)
    names = options or asked.options or facts.compared
    found = planning.options(names, facts, at_us=now_us)
    found = planning.with_scores(found, asked.scores | _pairs(scores), place.data)
    made = make_plan(profile, found, facts, today=today, quality=quality or asked.quality, seed=seed)
    if svg is not None:
        ranges = ranges_of(profile, facts, [row.name for row in made.facts])
        (place.cwd / svg).write_text(drawing.picture(made, ranges), encoding="utf-8")
    if as_json:
        say_json(as_object(made))
        return
    _say(made)
    if svg is not None:
        say()
        say(f"the picture: {svg}")


def _facts(place: Place, asked: Asked) -> Facts:
    """The package's rows, this machine's, and the file's own."""
    from ..build import planning
    from ..config.derive import machine
    from ..lab.planning.facts import defaults

    return planning.this_machine(defaults(), machine(place.config())).with_rows(asked.rows.rows.values())


def _profile(
    place: Place, source: str | None, since_us: int, now_us: int, typed: dict[str, str | None], asked: Asked
) -> Profile:
    """From the ledger or from nothing, the file's figures over it, and those typed in over both."""
    from msgspec import structs

    from ..build import planning
    from ..lab.planning.facts import parse_range
    from ..lab.planning.profile import Profile, checked

    given: dict[str, Interval] = dict(asked.traffic)
    given |= {name: parse_range(text, what=name.replace("_", "-")) for name, text in typed.items() if text is not None}
    if source is None:
        lacking = [flag for name, flag in _NEEDED.items() if name not in given]
        if lacking:
            raise click.UsageError(f"a traffic needs {', '.join(lacking)}; or take it from the books: --from ledger")
        blank = Profile(given["calls_per_day"], given["tokens_in"], given["tokens_out"])
        return checked(structs.replace(blank, **given))
    kind, _, route = source.partition(":")
    if kind != "ledger":
        raise click.UsageError(f"--from {source}: a traffic comes from ledger or ledger:ROUTE")
    with place.books() as books:
        seen = planning.traffic(books, route=route or None, since_us=since_us, now_us=now_us)
    also = f", but {', '.join(given)} typed in" if given else ""
    return checked(structs.replace(seen, **given, source=seen.source + also))


_NEEDED = {"calls_per_day": "--calls-per-day", "tokens_in": "--in", "tokens_out": "--out"}


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, sign, value = text.rpartition("=")
        if not sign:
            raise click.UsageError(f"--score {text}: write it as OPTION=0.91 or OPTION=EVALUATION")
        found[name] = value
    return found


# ── as JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def as_object(made: Plan) -> dict[str, Any]:
    """The stable, documented object. Money in USD as ``[low, middle, high]``."""
    import msgspec

    from ..lab.planning import words

    return {
        "profile": msgspec.to_builtins(made.profile),
        "quality": made.quality,
        "options": [_option(line) for line in made.lines],
        "break_evens": msgspec.to_builtins(made.break_evens),
        "tornado": [_swing(swing) for swing in msgspec.to_builtins(made.tornado)],
        "inputs": msgspec.to_builtins(made.facts),
        "stale": list(made.stale),
        "date": made.date.isoformat(),
        "seed": made.seed,
        "words": words.recommendation(made),
    }


def _swing(told: dict[str, Any]) -> dict[str, Any]:
    return {
        n.replace("_nanos", "_usd"): dollars(v) if v is not None and n.endswith("_nanos") else v
        for n, v in told.items()
    }


def _option(line: Line) -> dict[str, Any]:
    option, found = line.option, line.costed
    spans = {n: getattr(found, n) for n in ("utilisation", "p50_s", "p95_s", "busy_kwh", "all_kwh")}
    return {
        "name": option.name,
        "kind": option.kind,
        "privacy": option.privacy,
        "meets": line.meets,
        "fits": line.fits,
        "quality": option.quality,
        "quality_interval": option.quality_interval,
        "quality_source": option.quality_source,
        "marginal_usd_per_month": _usd(found.marginal_nanos),
        "full_usd_per_month": _usd(found.full_nanos),
        "marginal_usd_per_1000": _usd(found.marginal_per_1000_nanos),
        "full_usd_per_1000": _usd(found.full_per_1000_nanos),
        "units": list(found.units),
        **{n: None if s is None else [s.low, s.middle, s.high] for n, s in spans.items()},
        "latency_method": "modelled",
        "energy_method": found.energy_method,
        "carbon_kg": found.carbon_kg,
        "card": option.card.id if option.card else None,
    }


def _usd(nanos: tuple[int, int, int]) -> list[float]:
    return [dollars(n) for n in nanos]


# ── in words ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _say(made: Plan) -> None:
    from ..lab.planning import words

    say(words.recommendation(made))
    say()
    table(
        ("option", "a month", "1,000 calls", "of it marginal"),
        [_money(line) for line in made.lines],
        right=("a month",),
        whole=("option",),
    )
    say()
    table(
        ("option", "units", "busy", "p50 s", "p95 s", "quality", "prompts"),
        [_service(line) for line in made.lines],
        whole=("option",),
    )
    say()
    table(
        ("option", "kWh a month", "kg CO2e", "energy by"),
        [_energy(line) for line in made.lines],
        right=("kWh a month", "kg CO2e"),
        whole=("option",),
    )
    say(f"Latencies are modelled. {words.ENERGY_TAGS}")
    asked = made.profile.calls_per_day.middle
    told = sorted(
        (b for b in made.break_evens if b.crossing >= 0.5 and b.middle),
        key=lambda b: abs(math.log((b.middle or 1) / asked)),
    )
    if told:
        say()
        say("Break-even, in calls a day (5 to 95 % of the draws), the nearest first:")
        for found in told[:_PAIRS]:
            say(f"  {words.broke_even(found)}")
    if made.tornado:
        say()
        table(
            ("what decides", "range", "lead at low", "lead at high", "the cheapest changes"),
            [
                (
                    s.name,
                    words.figure(s.low) if s.low == s.high else f"{words.figure(s.low)} to {words.figure(s.high)}",
                    _signed(s.lead_low_nanos),
                    _signed(s.lead_high_nanos),
                    "no"
                    if s.threshold is None
                    else words.turned(s).removeprefix(f"{s.name} ") + ("; outside" if s.outside else ""),
                )
                for s in made.tornado[:_TORNADO]
            ],
            right=("lead at low", "lead at high"),
        )
    if made.profile.source != "typed in":
        say()
        say(f"The traffic: {made.profile.source}.")


def _money(line: Line) -> tuple[str, ...]:
    from ..lab.planning import words

    found = line.costed
    return (
        line.option.name,
        words.usd_span(found.full_nanos),
        words.usd_span(found.full_per_1000_nanos),
        words.usd_span(found.marginal_per_1000_nanos),
    )


def _service(line: Line) -> tuple[str, ...]:
    from ..lab.planning import words

    found, option = line.costed, line.option
    low, _, high = found.units
    units = f"{low} to {high}" if low < high else str(high) if high else ""
    quality = (
        "unknown" if option.quality is None else f"{option.quality:.3g}" + (" too low" if line.meets is False else "")
    )
    return (
        option.name,
        units if line.fits else f"{units} of {option.most_units:g}",
        words.percent(found.utilisation) if high else "",
        words.spread(found.p50_s),
        words.spread(found.p95_s),
        quality,
        option.privacy,
    )


def _energy(line: Line) -> tuple[str, ...]:
    from ..lab.planning import words

    found = line.costed
    return (
        line.option.name,
        "" if found.all_kwh is None else words.spread(found.all_kwh),
        "" if found.carbon_kg is None else words.spread(found.carbon_kg),
        found.energy_method,
    )


def _signed(nanos: int | None) -> str:
    if nanos is None:
        return "too few"
    from ..lab.planning import words

    return f"-{words.usd(-nanos)}" if nanos < 0 else words.usd(nanos)


def _say_inputs(facts: Facts, today: dt.date, *, as_json: bool) -> None:
    import msgspec

    rows: list[Fact] = [facts.rows[name] for name in sorted(facts.rows)]
    if as_json:
        say_json([msgspec.to_builtins(row) for row in rows])
        return
    from ..lab.planning import words

    table(
        ("figure", "value", "unit", "date", "method", "source"),
        [
            (
                row.name,
                words.spread(row.range),
                row.unit,
                f"{row.date}{' old' if row.stale(today) else ''}",
                row.method,
                row.source + (f" {row.url}" if row.url else ""),
            )
            for row in rows
        ],
        right=("value",),
        whole=("figure",),
    )
