"""A plan: a traffic held against options, each costed, the break-evens between them, what decides, and what is advised.

Pure: profile, facts and options in, `Plan` out. Nothing is fetched and no clock is read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ...core.hardware import Interval
from .break_even import BreakEven, break_evens
from .costs import Costed, costed
from .facts import Fact, Facts, PlanError
from .options import Option
from .profile import Profile, checked
from .sensitivity import Swing, tornado

MOST_OPTIONS: Final = 12


class Line(Struct, frozen=True):
    """One option in a plan."""

    option: Option
    costed: Costed
    meets: bool | None
    """The quality that is wanted; None: not measured, or not decided by its interval."""
    fits: bool = True
    """There are as many machines as it takes."""


class Plan(Struct, frozen=True):
    """Everything that was found. Lines are by full cost a month, the cheapest first, those that can't do it last."""

    profile: Profile
    quality: float | None
    lines: tuple[Line, ...]
    break_evens: tuple[BreakEven, ...]
    tornado: tuple[Swing, ...]
    facts: tuple[Fact, ...]
    """Every row that went in."""
    stale: tuple[str, ...]
    date: dt.date
    seed: int

    @property
    def running(self) -> tuple[Line, ...]:
        """Those that fit and aren't known to be below the wanted quality."""
        return tuple(line for line in self.lines if line.meets is not False and line.fits)

    @property
    def overlapping(self) -> tuple[Line, ...]:
        """The cheapest and all whose range of full cost reaches below the top of its range."""
        if not self.running:
            return ()
        top = self.running[0].costed.full_nanos[2]
        return tuple(line for line in self.running if line.costed.full_nanos[0] <= top)


def make_plan(
    profile: Profile,
    options: Sequence[Option],
    facts: Facts,
    *,
    today: dt.date,
    quality: float | None = None,
    seed: int = 7,
) -> Plan:
    """Hold the traffic against the options.

    Raises:
        PlanError: a profile that can't be, no options, or too many of them.
    """
    checked(profile)
    if not options:
        raise PlanError("nothing to compare; name options: --option rented:h100/gpt-oss-20b")
    if len(options) > MOST_OPTIONS:
        raise PlanError(
            f"{len(options)} options are more than a reader can hold against each other; name at most {MOST_OPTIONS}"
        )
    if quality is not None and not 0 < quality <= 1:
        raise PlanError(
            f"quality: {quality:g} is not possible; it is a share of the reference's score, above 0 and up to 1"
        )
    used = sorted({name for option in options for name in option.inputs} | {"power.carbon_g_per_kwh"})
    ranges = ranges_of(profile, facts, used)
    carbon = facts["power.carbon_g_per_kwh"].range
    lines = [_line(o, costed(o, ranges, carbon), quality) for o in options]
    lines.sort(key=lambda line: (line.meets is False or not line.fits, line.costed.full_nanos[1]))
    running = [line.option for line in lines if line.meets is not False and line.fits]
    rows = tuple(facts[name] for name in used)
    return Plan(
        profile=profile,
        quality=quality,
        lines=tuple(lines),
        break_evens=tuple(break_evens(running, ranges, seed=seed)),
        tornado=tuple(tornado(running, ranges)),
        facts=rows,
        stale=tuple(row.name for row in rows if row.stale(today)),
        date=today,
        seed=seed,
    )


def _line(option: Option, found: Costed, quality: float | None) -> Line:
    fits = option.most_units is None or found.units[1] <= option.most_units
    return Line(option, found, option.meets(quality), fits)


def ranges_of(profile: Profile, facts: Facts, names: Sequence[str]) -> dict[str, Interval]:
    """Every input of the arithmetic: the profile's figures and the rows, the traffic's own measured ones in their place."""
    ranges = {name: facts[name].range for name in names} | profile.ranges()
    if profile.p95_over_mean is not None:
        ranges["plan.p95_over_mean"] = profile.p95_over_mean
    return ranges
