"""What a plan is computed from: rows with a range, a unit, a source and a date. Knows the file of defaults and overrides.

A figure that is not known exactly is a range, and everything downstream keeps it one. Rows say how they were got; a row older
than `STALE_DAYS` is named in every plan that uses it. Knows no traffic and no arithmetic.
"""

from __future__ import annotations

import datetime as dt
import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Final, Literal

import msgspec
from msgspec import Struct

from ...core.errors import DemitasseError
from ...core.hardware import Interval

STALE_DAYS: Final = 180
MOST: Final = 1e12
"""Above it a figure is taken for a slip of the keyboard."""

Method = Literal["listed", "survey", "measured", "derived", "estimate", "set"]


class PlanError(DemitasseError):
    """A plan cannot be made of what was given; the sentence says what to give instead."""


class Fact(Struct, frozen=True, omit_defaults=True):
    """One figure about the world. ``low == high`` where it is exact."""

    name: str
    low: float
    high: float
    unit: str
    date: dt.date
    method: Method
    source: str
    url: str = ""

    @property
    def range(self) -> Interval:
        return Interval(self.low, self.high)

    def stale(self, today: dt.date) -> bool:
        """Whether the row is too old to be taken without a word. What the user set is never stale."""
        return self.method != "set" and (today - self.date).days > STALE_DAYS


class Facts(Struct, frozen=True):
    """Rows by name, and what is compared by default."""

    rows: dict[str, Fact]
    compared: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Fact:
        try:
            return self.rows[name]
        except KeyError:
            raise PlanError(
                f"no figure '{name}'{near(name, self.rows)}; all of them: demitasse plan --inputs"
            ) from None

    def with_rows(self, rows: Iterable[Fact]) -> Facts:
        """These rows added; one of the same name is replaced."""
        return Facts(self.rows | {row.name: row for row in rows}, self.compared)

    def put(self, given: Mapping[str, Interval], today: dt.date, *, new: bool = False) -> Facts:
        """A user's own figures in the place of rows.

        Args:
            new: let names be added that are not there (a file may bring its own hardware).

        Raises:
            PlanError: for a name that is no row, with the nearest one; for a range that a row can't have.
        """
        rows = []
        for name, value in given.items():
            old = self.rows.get(name)
            if old is None and not new:
                _ = self[name]  # raises with the nearest name
            _checked(name, value)
            unit = old.unit if old else ""
            rows.append(Fact(name, value.low, value.high, unit, today, "set", "set by you"))
        return self.with_rows(rows)


def defaults() -> Facts:
    """The rows that come with the package."""
    return decode(resources.files(__package__).joinpath("facts.toml").read_text(encoding="utf-8"), "facts.toml")


def decode(text: str, place: str) -> Facts:
    """Rows from TOML. Raises PlanError with the place and the row."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as why:
        raise PlanError(f"{place}: {why}") from why
    rows: dict[str, Fact] = {}
    for number, row in enumerate(found.get("row", ()), 1):
        try:
            fact = msgspec.convert(row, Fact)
        except msgspec.ValidationError as why:
            raise PlanError(f"{place}, row {number} ({row.get('name', 'no name')}): {why}") from why
        _checked(fact.name, fact.range)
        rows[fact.name] = fact
    return Facts(rows, tuple(found.get("compared", {}).get("options", ())))


def parse_range(text: str, *, what: str = "figure") -> Interval:
    """``2.1``, ``50_000``, ``1.8..2.4``. Raises PlanError."""
    ends = text.split("..")
    try:
        values = [float(end.strip().replace("_", "").replace(",", "")) for end in ends]
    except ValueError:
        values = []
    if len(values) not in (1, 2):
        raise PlanError(f"{what}: '{text}' is no number; write it as 2.1 or as a range, 1.8..2.4")
    found = Interval(values[0], values[-1])
    _checked(what, found)
    return found


def parse_set(text: str) -> tuple[str, Interval]:
    """``gpu.h100.usd_per_hour=2.1``. Raises PlanError."""
    name, sign, value = text.partition("=")
    if not sign:
        raise PlanError(f"'{text}': write it as NAME=VALUE or NAME=LOW..HIGH, e.g. gpu.h100.usd_per_hour=2.1")
    return name.strip(), parse_range(value, what=name.strip())


def near(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` or nothing."""
    found = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f"; did you mean '{found[0]}'?" if found else ""


_ZERO: Final = ("usd_per_month", "watts_idle", "watts_busy", "carbon_g_per_kwh", "usd_per_kwh", "_s", "utilisation")
"""Endings of names whose figure may be 0; all others divide, or are no price."""


def _checked(name: str, value: Interval) -> None:
    low, high = value
    if not (math.isfinite(low) and math.isfinite(high)):
        raise PlanError(f"{name}: {low:g}..{high:g} is not finite")
    if low > high:
        raise PlanError(f"{name}: {low:g}..{high:g} is upside down; write {high:g}..{low:g}")
    if low < 0:
        raise PlanError(f"{name}: {low:g} is negative")
    may_be_zero = name.endswith(_ZERO) and not name.endswith("per_s")
    if low == 0 and name.partition(".")[2] and not may_be_zero:
        raise PlanError(f"{name}: 0 would be free or infinitely fast; give the smallest value that you believe in")
    if high > MOST:
        raise PlanError(f"{name}: {high:g} is beyond anything that exists; check its unit")
    if name == "power.pue" and low < 1:
        raise PlanError(f"{name}: {low:g} is below 1: a building that takes less than its machines")
    if name.endswith(("max_load", ".utilisation")) and high > 1:
        raise PlanError(f"{name}: {high:g} is above 1, which is all of the time")
