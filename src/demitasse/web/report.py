"""What the books say about a stretch of time: the one set of figures behind the dashboard and ``demitasse report``.

Integer nano-dollars inside, from roll-ups only, never from single rows. Knows nothing of HTML, terminals or clocks: the
moment is passed in. A saving never leaves this module without its baseline, its interval and its grade.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct, structs

from ..core.call import BUCKETS
from ..core.entry import Grade
from ..core.evidence import LAB_KEY, OWN_KEY, OWN_KEYS
from ..core.ledger import Books, Bucket
from ..core.money import usd
from ..stats.forecast import MOST, forecast
from .energy import EnergySum, Meter
from .promises import Promise, promise_json, share_text
from .savings import UNCHANGED, Saving, saved_by_all, savings_of

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

NO_CERTIFICATE = "no saving that changes an answer is on: every answer is the named model's own"


class Slice(Struct, frozen=True):
    """The sums of one key, model, route or day. ``paid_nanos`` None: calls were made, and none of them has a price."""

    name: str
    requests: int
    paid_nanos: int | None
    baseline_nanos: int | None
    saved_nanos: int
    unpriced: int
    tokens_in: int
    tokens_out: int
    at_us: int | None = None
    """Where the slice is a stretch of time: its beginning."""


class Forecast(Struct, frozen=True):
    """The month's total should it go on as it has: ``nanos`` ± ``plus_minus_nanos`` (95 %), by ``days`` whole days."""

    nanos: int
    plus_minus_nanos: int
    days: int


class Report(Struct, frozen=True):
    """One stretch of time, ``since_us`` ≤ t < ``until_us``, on whole hours as the roll-ups are."""

    since_us: int
    until_us: int
    now_us: int
    requests: int
    paid_nanos: int | None
    """What was paid for priced calls, our own cost included; None: nothing at all has a price."""
    own_nanos: int
    """The part of ``paid_nanos`` that is Demitasse's own: judges, shadows, embeddings."""
    lab_nanos: int
    """The part of ``paid_nanos`` that evaluations have cost; nothing of it is a saving or taken off one."""
    baseline_nanos: int | None
    """What the same calls would have cost; exactly paid + saved, over the priced calls."""
    saved_nanos: int
    saved_low_nanos: int
    saved_high_nanos: int
    savings: tuple[Saving, ...]
    """All causes, the largest first; they add up to ``saved_nanos`` exactly."""
    held_nanos: int
    unpriced: int
    estimated: int
    joined: int
    attempts: int
    outcomes: dict[str, int]
    caches: dict[str, int]
    tokens: dict[str, int]
    energy: tuple[EnergySum, ...]
    """One for each method, never added up."""
    energy_lacking: str
    """What would have to be installed to estimate what hosted models used; empty when nothing would help."""
    duration_ms: float
    """Mean, over all calls."""
    overhead_us: float
    """Mean of what we ourselves added to a call."""
    by_key: tuple[Slice, ...] = ()
    by_model: tuple[Slice, ...] = ()
    by_route: tuple[Slice, ...] = ()
    by_day: tuple[Slice, ...] = ()
    by_hour: tuple[Slice, ...] = ()
    """Only where the stretch is at most three days."""
    forecast: Forecast | None = None
    promises: tuple[Promise, ...] = ()
    """Certificates, those in force first."""

    @property
    def errors(self) -> int:
        """Calls that got no whole answer through no wish of the client's: failed or lost."""
        return self.outcomes.get("failed", 0) + self.outcomes.get("lost", 0)

    @property
    def grade(self) -> Grade:
        """The weakest grade among the causes that saved something; A when nothing is claimed."""
        return max((s.grade for s in self.savings if s.nanos), default="A")

    @property
    def saved_share(self) -> float | None:
        """Of the baseline; None where there is none."""
        return self.saved_nanos / self.baseline_nanos if self.baseline_nanos else None

    @property
    def bounded(self) -> tuple[Promise, ...]:
        """The promises in force."""
        return tuple(promise for promise in self.promises if promise.in_force)

    @property
    def floor(self) -> float | None:
        """The lowest quality that a promise in force allows, as a share of the reference; None: none is in force."""
        return min((promise.quality for promise in self.bounded), default=None)

    @property
    def unbounded(self) -> tuple[str, ...]:
        """Causes that saved something by changing answers, and without a promise."""
        return tuple(s.label for s in self.savings if s.nanos > 0 and s.grade == "C" and s.cause not in UNCHANGED)

    @property
    def quality(self) -> str:
        """One sentence on what the savings did to the answers."""
        said = []
        if self.floor is not None:
            routes = len(self.bounded)
            delta = max(promise.delta for promise in self.bounded)
            where = f"route '{self.bounded[0].route}'" if routes == 1 else f"{routes} routes"
            said.append(
                f"at least {share_text(self.floor)} of the reference on {where}, {100 * (1 - delta):g} % confidence"
            )
        if self.unbounded:
            said.append(f"not bounded: {', '.join(self.unbounded)} without a certificate")
        return "; ".join(said) or NO_CERTIFICATE

    def as_json(self) -> dict[str, Any]:
        """The stable, documented object of ``demitasse report --json``; None is unknown, never zero."""
        return {
            "since": iso(self.since_us),
            "until": iso(self.until_us),
            "requests": self.requests,
            "paid_usd": _usd(self.paid_nanos),
            "own_cost_usd": usd(self.own_nanos),
            "lab_cost_usd": usd(self.lab_nanos),
            "baseline_usd": _usd(self.baseline_nanos),
            "saved_usd": usd(self.saved_nanos),
            "saved_interval_usd": [usd(self.saved_low_nanos), usd(self.saved_high_nanos)],
            "saved_share": self.saved_share,
            "saved_grade": self.grade,
            "saved_by_cause": {s.cause: usd(s.nanos) for s in self.savings},
            "savings": [
                {
                    "cause": s.cause,
                    "usd": usd(s.nanos),
                    "interval_usd": [usd(s.low_nanos), usd(s.high_nanos)],
                    "grade": s.grade,
                    "bound": s.bound or None,
                }
                for s in self.savings
                if s.nanos
            ],
            "quality": {
                "certificates": len(self.bounded),
                "floor": self.floor,
                "text": self.quality,
                "bounds": [promise_json(promise) for promise in self.promises],
            },
            "held_usd": usd(self.held_nanos),
            "unpriced": self.unpriced,
            "estimated": self.estimated,
            "joined": self.joined,
            "attempts": self.attempts,
            "errors": self.errors,
            "outcomes": self.outcomes,
            "cache": self.caches,
            "tokens": self.tokens,
            "energy_wh": {e.method: [watt_hours(e.low_uj), watt_hours(e.high_uj)] for e in self.energy},
            "carbon_g": {e.method: [e.carbon_mg.low / 1e3, e.carbon_mg.high / 1e3] for e in self.energy},
            "energy_lacking": self.energy_lacking or None,
            "duration_ms": round(self.duration_ms, 3),
            "overhead_ms": round(self.overhead_us / 1000, 4),
            "forecast_usd": self.forecast
            and {
                "month": usd(self.forecast.nanos),
                "plus_minus": usd(self.forecast.plus_minus_nanos),
                "days": self.forecast.days,
            },
            "by_key": [_slice_json(s) for s in self.by_key],
            "by_model": [_slice_json(s) for s in self.by_model],
            "by_route": [_slice_json(s) for s in self.by_route],
            "by_day": [_slice_json(s) for s in self.by_day],
        }


def build_report(
    books: Books,
    since_us: int,
    until_us: int,
    now_us: int,
    meter: Meter | None = None,
    promises: Sequence[Promise] = (),
) -> Report:
    """The figures of ``since_us`` ≤ t < ``until_us`` (UTC microseconds; widened to whole hours).

    Reads roll-ups only: O(buckets). The forecast is made only for a stretch that begins with the running month.
    ``meter``: by what energy and carbon are told; without one nothing is estimated for hosted models.
    ``promises``: the certificates that savings stand on. Demitasse's own calls are costs, and no requests.
    """
    meter = meter or Meter()
    since_us, until_us = since_us // HOUR_US * HOUR_US, -(-until_us // HOUR_US) * HOUR_US
    everything = books.buckets(since_us, until_us, ("key", "outcome", "cache"))
    rows = [row for row in everything if row.key not in OWN_KEYS]
    own = add_up(row for row in everything if row.key == OWN_KEY)
    lab = add_up(row for row in everything if row.key == LAB_KEY)
    total, asked_for = add_up(everything), add_up(rows)
    routes = books.buckets(since_us, until_us, ("route",))
    savings = savings_of(total, routes, promises)
    saved = sum(s.nanos for s in savings)
    paid = _paid(total)
    short = until_us - since_us <= 3 * DAY_US
    hours = books.buckets(since_us, until_us, ("hour",)) if short else []
    # Neither a hit nor a lost call has used energy that is known, so neither may thin out the mean call.
    asked = books.buckets(since_us, until_us, ("model", "cache", "outcome")) if meter.hosted is not None else []
    energy, lacking = meter.sums(total, asked)
    days = _days(hours) if short else books.buckets(since_us, until_us, ("day",))
    return Report(
        since_us=since_us,
        until_us=until_us,
        now_us=now_us,
        requests=asked_for.requests,
        paid_nanos=paid,
        own_nanos=own.cost_nanos,
        lab_nanos=lab.cost_nanos,
        baseline_nanos=None if paid is None else paid + saved,
        saved_nanos=saved,
        saved_low_nanos=sum(s.low_nanos for s in savings),
        saved_high_nanos=sum(s.high_nanos for s in savings),
        savings=savings,
        held_nanos=books.held_nanos(),
        unpriced=total.unpriced,
        estimated=total.estimated,
        joined=total.joined,
        attempts=total.attempts,
        outcomes=_counts(rows, "outcome"),
        caches=_counts(rows, "cache"),
        tokens={name: getattr(total, name) for name in BUCKETS},
        energy=energy,
        energy_lacking=lacking,
        duration_ms=asked_for.duration_ms / asked_for.requests if asked_for.requests else 0.0,
        overhead_us=asked_for.overhead_us / asked_for.requests if asked_for.requests else 0.0,
        by_key=_slices(_by_key(everything), lambda b: b.key),
        by_model=_slices(books.buckets(since_us, until_us, ("model",)), lambda b: b.model),
        by_route=_slices(routes, lambda b: b.route),
        by_day=_times(days),
        by_hour=_times(hours),
        forecast=_forecast(books, days, now_us) if since_us == month_start_us(now_us) else None,
        promises=tuple(promises),
    )


def month_start_us(at_us: int) -> int:
    """The first moment (UTC) of the month that ``at_us`` falls into."""
    return _us(_moment(at_us).replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def month_end_us(at_us: int) -> int:
    """The first moment of the next month."""
    first = _moment(month_start_us(at_us))
    return _us((first + dt.timedelta(days=32)).replace(day=1))


def iso(at_us: int) -> str:
    """``2026-11-21T12:03:11Z``."""
    return f"{_moment(at_us):%Y-%m-%dT%H:%M:%SZ}"


def watt_hours(micro_joules: int) -> float:
    return micro_joules / 3.6e9


def add_up(rows: Iterable[Bucket]) -> Bucket:
    """One bucket with the sums of all, and no dimensions."""
    sums = dict.fromkeys(_SUMS, 0)
    for row in rows:
        for name in _SUMS:
            sums[name] += getattr(row, name)
    return Bucket(**sums)  # type: ignore[arg-type]  # every name in _SUMS is a number of Bucket's


_DIMENSIONS = ("hour", "key", "team", "route", "model", "outcome", "cache")
_SUMS = tuple(name for name in Bucket.__struct_fields__ if name not in _DIMENSIONS)


def _by_key(rows: Iterable[Bucket]) -> list[Bucket]:
    found: dict[str, list[Bucket]] = {}
    for row in rows:
        found.setdefault(row.key or "", []).append(row)
    return [structs.replace(add_up(own), key=key) for key, own in found.items()]


def _paid(row: Bucket) -> int | None:
    """None when calls were made and nothing is known of their price: unpriced is never $0."""
    return None if row.unpriced and not row.cost_nanos else row.cost_nanos


def _counts(rows: Sequence[Bucket], dimension: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        name = getattr(row, dimension) or "unknown"
        counts[name] = counts.get(name, 0) + row.requests
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _slices(rows: Iterable[Bucket], name: Callable[[Bucket], str | None]) -> tuple[Slice, ...]:
    slices = [_slice(row, name(row) or "") for row in rows]
    return tuple(sorted(slices, key=lambda s: (-(s.paid_nanos or 0), -s.requests, s.name)))


def _times(rows: Iterable[Bucket]) -> tuple[Slice, ...]:
    dated = sorted((row.hour, row) for row in rows if row.hour is not None)
    return tuple(_slice(row, iso(hour * HOUR_US)[:13] + "Z", hour * HOUR_US) for hour, row in dated)


def _slice(row: Bucket, name: str, at_us: int | None = None) -> Slice:
    paid, saved = _paid(row), saved_by_all(row)
    return Slice(
        name=name,
        requests=row.requests,
        paid_nanos=paid,
        baseline_nanos=None if paid is None else paid + saved,
        saved_nanos=saved,
        unpriced=row.unpriced,
        tokens_in=sum(getattr(row, b) for b in BUCKETS if not b.endswith("_out")),
        tokens_out=sum(getattr(row, b) for b in BUCKETS if b.endswith("_out")),
        at_us=at_us,
    )


def _days(hours: Iterable[Bucket]) -> list[Bucket]:
    by_day: dict[int, list[Bucket]] = {}
    for row in hours:
        if row.hour is not None:
            by_day.setdefault(row.hour // 24 * 24, []).append(row)
    return [_at(day, add_up(rows)) for day, rows in sorted(by_day.items())]


def _at(hour: int, row: Bucket) -> Bucket:
    return Bucket(hour=hour, **{name: getattr(row, name) for name in _SUMS})


def _forecast(books: Books, month_days: Iterable[Bucket], now_us: int) -> Forecast | None:
    """Paid so far plus what `stats.forecast` says of the rest of the month; ± is the wider side of its 95 % interval.

    None with fewer than five whole days, or nothing priced.
    """
    today, end = now_us // DAY_US, month_end_us(now_us)
    history = books.buckets(max(0, (today - MOST) * DAY_US), today * DAY_US, ("day",))
    paid = {row.hour // 24: row.cost_nanos for row in history if row.hour is not None and row.requests}
    first = min(paid, default=today)
    so_far = sum(row.cost_nanos for row in month_days)
    told = forecast(
        [float(paid.get(day, 0)) for day in range(first, today)],
        (end - now_us) / DAY_US,
        first_weekday=(first + 3) % 7,
        so_far=so_far,
    )
    if told is None:
        return None
    wider = max(told.high - told.value, told.value - told.low)
    return Forecast(round(told.value), round(wider), told.days)


def _slice_json(s: Slice) -> dict[str, Any]:
    return {
        "name": s.name,
        "requests": s.requests,
        "paid_usd": _usd(s.paid_nanos),
        "baseline_usd": _usd(s.baseline_nanos),
        "saved_usd": usd(s.saved_nanos),
        "unpriced": s.unpriced,
        "tokens_in": s.tokens_in,
        "tokens_out": s.tokens_out,
    }


def _usd(amount_nanos: int | None) -> float | None:
    return None if amount_nanos is None else usd(amount_nanos)


def _moment(at_us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC)


def _us(moment: dt.datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
