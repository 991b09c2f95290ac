"""What each page shows, as plain values: the same for HTML and for JSON. Knows no request and no template."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from ..core.access import role_of
from ..core.entry import Entry
from ..core.evidence import OWN_KEYS
from ..core.limits import Key, Spent, tenant_of
from ..core.money import opens_at
from . import charts
from .arithmetic import Bill, Comparison, bill, compare
from .desk import Desk
from .done import done
from .facts import SettingRow
from .guarded import guard_sentences
from .key_facts import last_days
from .needs import needs
from .promises import Promise, promises
from .report import DAY_US, HOUR_US, Report, build_report, month_end_us, month_start_us

LIVE_ROWS = 12
LIVE_SAMPLE = 100
PAGE_ROWS = 50
REMEMBER_US = 2_000_000
OUTCOMES = ("answered", "refused", "failed", "cancelled", "lost")


class Stretch(Struct, frozen=True):
    """A choice of time: ``name`` as in ``?period=``."""

    name: str
    label: str
    since_us: int
    until_us: int


class Live(Struct, frozen=True):
    """The stream of calls and its pulse; rates are of the last minute, shares and the median of the last calls."""

    rows: tuple[Entry, ...]
    per_minute: float
    overhead_ms: float | None
    cache_share: float | None
    error_share: float | None
    held_nanos: int
    seen: str
    """Changes whenever anything here does."""


class KeyRow(Struct, frozen=True):
    """A key as it may be shown: without its MAC."""

    id: str
    name: str
    team: str | None
    scopes: tuple[str, ...]
    models: tuple[str, ...]
    rpm: int | None
    tpm: int | None
    created_us: int | None
    expires_us: int | None
    revoked_us: int | None
    paused: str | None
    state: str
    """``active``, ``paused``, ``expired`` or ``revoked``."""
    requests: int = 0
    paid_nanos: int | None = 0
    role: str = ""
    """The role that its scopes make, see ``core.access.ROLES``; empty where they make none."""
    last_used_us: int | None = None
    """The beginning of the day of its last call."""
    data_class: str = ""
    """The class of data that the configuration says its calls are of."""
    old_until_us: int | None = None
    """Until when the secret before the present one still opens."""


class BudgetRow(Struct, frozen=True):
    """A budget in its present window; shares are of the limit, None where there is no limit."""

    spent: Spent
    left_nanos: int | None
    settled_share: float | None
    held_share: float | None
    opens_us: int | None
    """When the next window opens; None for one that never does."""
    editable: bool


def overview(desk: Desk, query: Mapping[str, str]) -> dict[str, Any]:
    now_us = desk.clock()
    stretch = period(query.get("period", ""), now_us)
    report = report_of(desk, stretch)
    slices, hourly = charts.without_gaps(report)
    return {
        "period": stretch,
        "periods": periods(now_us),
        "report": report,
        "charts": {
            "cost": charts.cost_over_time(slices, hourly=hourly),
            "calls": charts.calls_over_time(slices, hourly=hourly),
        },
        "models": report.by_model[:6],
        **needs(desk),
        "in_force": done(desk),
        "live": live(desk),
        "limit": _main_limit(budget_rows(desk)),
        "empty": not desk.books.entries(last=1),
        "base_url": desk.base_url,
        "model_names": [m.name for m in desk.models() if m.kind != "catalogue"][:3],
    }


def live(desk: Desk) -> Live:
    # Our own calls cost money and stand in the ledger; the stream and its pulse are of what clients asked.
    entries = [entry for _, entry in desk.books.entries(last=LIVE_SAMPLE) if entry.key not in OWN_KEYS]
    now_us = desk.clock()
    recent = [e for e in entries if e.at_us >= now_us - 60_000_000]
    # A minute that holds more calls than the sample is measured by the sample's own length.
    span_us = now_us - recent[-1].at_us if len(recent) == LIVE_SAMPLE else 60_000_000
    overheads = sorted(e.overhead_us for e in entries if e.overhead_us is not None)
    held = desk.books.held_nanos()
    per_minute = round(len(recent) * 60_000_000 / max(span_us, 1), 1)
    return Live(
        rows=tuple(entries[:LIVE_ROWS]),
        per_minute=per_minute,
        overhead_ms=overheads[len(overheads) // 2] / 1000 if overheads else None,
        cache_share=_share(sum(e.cache in {"exact", "coalesced", "semantic"} for e in entries), len(entries)),
        error_share=_share(sum(e.outcome in {"failed", "lost"} for e in entries), len(entries)),
        held_nanos=held,
        seen=f"{entries[0].id if entries else ''}.{held}.{per_minute}",
    )


def ledger(desk: Desk, query: Mapping[str, str]) -> dict[str, Any]:
    """Entries that match ``key, model, route, outcome, since`` (a period's name), newest first; ``before`` pages on."""
    now_us = desk.clock()
    since = query.get("since", "")
    before = query.get("before", "")
    filters = {name: query.get(name, "") for name in ("key", "model", "route", "outcome")}
    rows = desk.books.entries(
        last=PAGE_ROWS + 1,
        before=int(before) if before.isdigit() else None,
        since_us=period(since, now_us).since_us if since else None,
        **{name: value or None for name, value in filters.items()},
    )
    month = report_of(desk, period("month", now_us))
    return {
        "rows": [{"seq": seq, "entry": entry} for seq, entry in rows[:PAGE_ROWS]],
        "older": rows[PAGE_ROWS - 1][0] if len(rows) > PAGE_ROWS else None,
        "first_page": not before,
        "filters": {**filters, "since": since},
        "filtered": any(filters.values()) or bool(since),
        "choices": {
            "key": [s.name for s in month.by_key[:100] if s.name],
            "model": [s.name for s in month.by_model[:100] if s.name],
            "route": [s.name for s in month.by_route[:100] if s.name],
            "outcome": list(OUTCOMES),
        },
        "periods": periods(now_us),
        "base_url": desk.base_url,
    }


def entry(desk: Desk, id: str) -> dict[str, Any] | None:
    """One call, explained; None when there is no such entry."""
    found = desk.books.entry(id)
    if found is None:
        return None
    bills: list[Bill] = [bill(attempt, desk.cards) for attempt in found.attempts]
    others: list[Comparison] = compare(found, desk.models())
    costs = [b.cost_nanos for b in bills]
    meter = desk.meter()
    return {
        "entry": found,
        "bills": bills,
        "energies": [meter.used(attempt) for attempt in found.attempts],
        "attempts_nanos": None if None in costs else sum(c for c in costs if c is not None),
        "others": others,
        "saved_nanos": sum(nanos for _, nanos in found.saved),
        "chain": desk.chain(found.id) if desk.chain else None,
        "guard": guard_sentences(found.guard, refused=found.outcome == "refused"),
    }


def budgets(desk: Desk, _query: Mapping[str, str]) -> dict[str, Any]:
    now_us = desk.clock()
    month = report_of(desk, period("month", now_us))
    last = last_days(desk.books, now_us)
    return {
        "budgets": budget_rows(desk),
        "keys": [
            structs.replace(
                row, last_used_us=last.get(row.name), data_class=desk.data_class(tenant_of(row.name, row.team))
            )
            for row in key_rows(desk.control.keys(), desk.control.paused(), month, now_us)
        ],
        "base_url": desk.base_url,
    }


def models(desk: Desk, _query: Mapping[str, str]) -> dict[str, Any]:
    month = report_of(desk, period("month", desk.clock()))
    return {
        "models": list(desk.models()),
        "engines": list(desk.engine_status()),
        "made": list(desk.lab.made()) if desk.lab is not None else [],
        "hardware": desk.hardware(),
        "use": {s.name: s for s in month.by_model},
        "now_us": desk.clock(),
    }


def cache(desk: Desk, query: Mapping[str, str]) -> dict[str, Any]:
    now_us = desk.clock()
    stretch = period(query.get("period", ""), now_us)
    report = report_of(desk, stretch)
    answered = report.outcomes.get("answered", 0)
    return {
        "cache": desk.cache_facts(),
        "period": stretch,
        "periods": periods(now_us),
        "tiers": report.caches,
        "requests": report.requests,
        "answered": answered,
        "savings": [s for s in report.savings if s.cause in {"exact_cache", "coalesced", "prompt_cache"}],
        "paid_nanos": report.paid_nanos,
        "baseline_nanos": report.baseline_nanos,
        "tokens": report.tokens,
        "read_share": _share(
            report.tokens["cache_read"],
            report.tokens["cache_read"]
            + report.tokens["uncached_in"]
            + report.tokens["cache_write_5m"]
            + report.tokens["cache_write_1h"],
        ),
    }


def settings(desk: Desk, _query: Mapping[str, str]) -> dict[str, Any]:
    rows = desk.settings_rows()
    sections: dict[str, list[SettingRow]] = {}
    for row in rows:
        sections.setdefault(row.name.split(".", 1)[0], []).append(row)
    return {
        "changed": [row for row in rows if row.origin != "default"],
        "sections": sections,
        "store": desk.books.stats(),
    }


def report_of(desk: Desk, stretch: Stretch) -> Report:
    """The stretch's report, at most two seconds old, or twenty times as long as it took: open pages are never a load."""
    asked, now_us = (stretch.since_us, stretch.until_us), desk.clock()
    made = desk.reports.get(asked)
    if made and now_us < made[0]:
        return made[1]
    report = build_report(desk.books, stretch.since_us, stretch.until_us, now_us, desk.meter(), promises_of(desk))
    if len(desk.reports) >= 16:
        desk.reports.clear()
    done_us = desk.clock()
    desk.reports[asked] = (done_us + max(REMEMBER_US, 20 * (done_us - now_us)), report)
    return report


def promises_of(desk: Desk) -> tuple[Promise, ...]:
    """The certificates that savings stand on."""
    return promises(desk.evidence.certificates(), desk.clock()) if desk.evidence is not None else ()


def period(name: str, now_us: int) -> Stretch:
    """``today``, ``7d``, ``30d``, ``2026-10``; anything else is the running month. Ends on a whole hour."""
    today, end = now_us // DAY_US * DAY_US, (now_us // HOUR_US + 1) * HOUR_US
    if name == "today":
        return Stretch(name, "Today", today, end)
    if name in {"7d", "30d"}:
        days = int(name[:-1])
        return Stretch(name, f"{days} days", today - (days - 1) * DAY_US, end)
    try:
        first = dt.datetime.strptime(name, "%Y-%m").replace(tzinfo=dt.UTC)
        since_us = int(first.timestamp()) * 1_000_000
        if since_us < month_start_us(now_us):
            return Stretch(
                name,
                f"{first:%B}" if _moment(now_us).year == first.year else f"{first:%b %Y}",
                since_us,
                month_end_us(since_us),
            )
    except ValueError:
        pass  # no month: the running one, as for an empty choice
    since_us = month_start_us(now_us)
    return Stretch("month", f"{_moment(now_us):%B}", since_us, end)


def periods(now_us: int) -> list[Stretch]:
    """What can be chosen, shortest first, then the month before."""
    before = _moment(month_start_us(now_us) - 1)
    return [period(name, now_us) for name in ("today", "7d", "month", f"{before:%Y-%m}")]


def budget_rows(desk: Desk) -> list[BudgetRow]:
    now_us = desk.clock()
    return [_budget_row(spent, now_us) for spent in desk.books.spent(now_us)]


def key_rows(keys: Sequence[Key], paused: Mapping[str, str], month: Report, now_us: int) -> list[KeyRow]:
    """Keys in force first; calls without a key are ``local`` and have a row once there are any."""
    use = {s.name: s for s in month.by_key}
    rows = [_key_row(key, paused, now_us) for key in keys]
    if "local" in use or "local" in paused:
        why = paused.get("local")
        rows.append(
            KeyRow(
                id="",
                name="local",
                team=None,
                scopes=("call",),
                models=(),
                rpm=None,
                tpm=None,
                created_us=None,
                expires_us=None,
                revoked_us=None,
                paused=why,
                state="paused" if why is not None else "active",
            )
        )
    rows.sort(key=lambda r: (("paused", "active", "expired", "revoked").index(r.state), r.name))
    return [_with_use(row, use.get(row.name)) for row in rows]


def _with_use(row: KeyRow, use: Any) -> KeyRow:
    if use is None:
        return row
    return structs.replace(row, requests=use.requests, paid_nanos=use.paid_nanos)


def _key_row(key: Key, paused: Mapping[str, str], now_us: int) -> KeyRow:
    why = key.paused or paused.get(key.name)
    if key.revoked_us is not None:
        state = "revoked"
    elif key.expires_us is not None and key.expires_us <= now_us:
        state = "expired"
    else:
        state = "paused" if why is not None else "active"
    return KeyRow(
        id=key.id,
        name=key.name,
        team=key.team,
        scopes=key.scopes,
        models=key.models,
        rpm=key.rpm,
        tpm=key.tpm,
        created_us=key.created_us,
        expires_us=key.expires_us,
        revoked_us=key.revoked_us,
        paused=why,
        state=state,
        role=role_of(key.scopes),
        old_until_us=key.old_until_us if key.old_until_us is not None and key.old_until_us > now_us else None,
    )


def _budget_row(spent: Spent, now_us: int) -> BudgetRow:
    limit = spent.budget.limit_nanos
    opens = opens_at(spent.budget.period, now_us)
    return BudgetRow(
        spent=spent,
        left_nanos=spent.left_nanos,
        settled_share=_share(spent.settled_nanos, limit),
        held_share=_share(spent.held_nanos, limit),
        opens_us=None if opens is None else int(opens.timestamp()) * 1_000_000,
        editable=spent.budget.origin != "file",
    )


def _main_limit(rows: list[BudgetRow]) -> BudgetRow | None:
    """The one for the top of the screen: the total limit that is nearest to its end."""
    limited = [r for r in rows if r.spent.budget.scope == "total" and r.spent.budget.limit_nanos]
    return max(limited, key=lambda r: (r.settled_share or 0) + (r.held_share or 0), default=None)


def _share(part: int, whole: int | None) -> float | None:
    return part / whole if whole else None


def _moment(at_us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_us / 1e6, dt.UTC)
