"""Entries as JSON: the stable, documented objects that commands, API and pages share. Null is unknown, never zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..core.call import BUCKETS, Usage
from ..core.entry import Attempt, Entry
from ..core.money import usd
from ..core.price import Card
from .arithmetic import bill
from .energy import Meter, energy_json
from .guarded import guard_json
from .report import iso


def entry_json(entry: Entry) -> dict[str, Any]:
    """The stable, documented object of ``ledger --json``; null is unknown, never zero."""
    return {
        "id": entry.id,
        "at": iso_us(entry.at_us),
        "key": entry.key,
        "team": entry.team,
        "route": entry.route,
        "kind": entry.kind,
        "asked_model": entry.asked_model,
        "model": entry.model,
        "provider": entry.provider,
        "outcome": entry.outcome,
        "error": entry.error,
        "why": entry.why,
        "cost_usd": _usd(entry.cost_nanos),
        "baseline_usd": _usd(entry.baseline_nanos),
        "saved_usd": usd(sum(nanos for _, nanos in entry.saved)),
        "saved_by_cause": {cause: usd(nanos) for cause, nanos in entry.saved},
        "grade": entry.grade,
        "hold_usd": usd(entry.hold_nanos),
        "usage": usage_json(entry.usage),
        "attempts": [attempt_json(attempt) for attempt in entry.attempts],
        "cache": entry.cache,
        "tags": dict(entry.tags),
        "session": entry.session,
        "stream": entry.stream,
        "estimated": entry.estimated,
        "flags": list(entry.flags),
        "joined": entry.joined,
        "request_id": entry.request_id or entry.id,
        "decision": entry.decision and msgspec.to_builtins(entry.decision),
        "charges": [{"budget": c.budget, "window": c.window, "usd": usd(c.nanos)} for c in entry.charges],
        "duration_ms": entry.duration_ms,
        "first_byte_ms": entry.first_byte_ms,
        "overhead_ms": None if entry.overhead_us is None else entry.overhead_us / 1000,
        "guard": guard_json(entry.guard),
        "prompt_mac": entry.prompt_mac,
        "reply_mac": entry.reply_mac,
    }


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "model": attempt.model,
        "provider": attempt.provider,
        "region": attempt.region,
        "upstream_model": attempt.upstream_model,
        "status": attempt.status,
        "at": iso_us(attempt.started_us),
        "duration_ms": attempt.duration_ms,
        "first_byte_ms": attempt.first_byte_ms,
        "http_status": attempt.http_status,
        "error": attempt.error,
        "usage": usage_json(attempt.usage),
        "usage_raw": None if attempt.usage_raw is None else msgspec.json.decode(attempt.usage_raw),
        "estimated": attempt.estimated,
        "cost_usd": _usd(attempt.cost_nanos),
        "card": attempt.card,
        "energy_j": attempt.energy and energy_json(attempt.energy),
    }


def usage_json(usage: Usage | None) -> dict[str, int] | None:
    """All buckets, disjoint; they add up to what the provider counted."""
    return None if usage is None else {name: getattr(usage, name) for name in BUCKETS}


def bill_json(attempt: Attempt, cards: Callable[[str], Card | None], meter: Meter) -> dict[str, Any]:
    """One attempt's cost, bucket × rate, and its energy: metered, or estimated now."""
    made = bill(attempt, cards)
    return {
        "model": attempt.model,
        "card": attempt.card,
        "rates": made.rates,
        "lines": [
            {
                "bucket": line.bucket,
                "tokens": line.tokens,
                "usd_per_mtok": None if line.pico_per_token is None else line.pico_per_token / 1e6,
                "usd": None if line.pico is None else line.pico / 1e12,
            }
            for line in made.lines
        ],
        "per_request_usd": usd(made.per_request_nanos),
        "booked_usd": _usd(made.cost_nanos),
        "agrees": made.agrees,
        **meter.used(attempt).as_json(),
    }


def iso_us(at_us: int) -> str:
    """``2026-11-21T12:03:11.000123Z``."""
    return f"{iso(at_us)[:-1]}.{at_us % 1_000_000:06d}Z"


def _usd(nanos: int | None) -> float | None:
    return None if nanos is None else usd(nanos)
