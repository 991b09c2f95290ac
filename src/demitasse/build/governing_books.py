"""Documents on what happened: guards, security, energy, alerts, retention, history; and the list of all documents of a pack.

Each is a plain JSON object with a sentence on what it is (``about``). Knows the store and the lab; judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ..core.ledger import Bucket
from ..lab.drift.streams import KINDS, STREAMS
from ..lab.governance.proofs import FLOOR_DAYS
from ..store import checkpoints
from ..store.counts import DAY_US, DOOR
from ..store.examine import examine
from ..store.tally import Happened
from ..store.windows import FILE as WINDOWS
from ..store.windows import Windows
from ..web.promises import promises
from ..web.report import HOUR_US, build_report, iso, watt_hours
from .governing_use import (
    bias_runs,
    certificates,
    deactivations,
    evaluations,
    failover,
    inventory,
    licence_register,
    provider_register,
)
from .governing_view import MOST_ALERTS, RESIDUAL, View, redteam_runs

_SHOWN: Final = ("personal", "secrets", "names", "hidden", "injection", "untrusted", "checks")
"""Of the guard's settings, those that a document of counts begins with; all of them are in ``in_force``."""


def guard(view: View) -> dict[str, Any]:
    periods = view.configurations
    rules = periods[-1].value["guard"] if periods else msgspec.to_builtins(view.sources.config.guard)
    told = view.in_force(
        lambda value: {
            "on": value["guard"]["on"], **{name: value[name] for name in ("guard", "guards", "classes", "tenants")}
        }
    )  # fmt: skip
    spans = told["in_force"]
    residual = view.sources.store.get_setting(RESIDUAL) or []
    recent = [one for one in residual if iso(view.window.since_us) <= one["at"] <= iso(view.window.until_us)]
    return {
        "about": "Personal data, secrets and hidden characters found in prompts, and what was done: counts by type, no value.",
        "on": all(one["on"] for one in spans) if spans else rules["on"],
        "settings": {name: rules[name] for name in _SHOWN},
        **told,
        "off": [{"from": one["from"], "until": one["until"]} for one in spans if not one["on"]],
        "calls": view.calls,
        "guarded": sum(view.total("guarded").values()),
        "found": view.total("found"),
        "hidden": view.total("hidden"),
        "acted": sum(view.total("acted").values()),
        "done": view.total("done"),
        "moderated": view.total("moderated"),
        "classes": view.total("class"),
        "cut": sum(view.total("cut").values()),
        "by_day": view.by_day("found"),
        "done_by_day": view.by_day("done"),
        "residual": recent[-1] if recent else None,
        "residual_runs": recent,
        "counted": {"rows": view.counted.seq, "of": view.counted.top, "whole": view.counted.whole},
    }  # fmt: skip


def grounding(view: View) -> dict[str, Any]:
    scores = view.total("grounding")
    checks = view.total("check")
    return {
        "about": "How much of an answer the given sources bear, as the grounding check scores it: 0 none of it, 1 all.",
        "n": checks.get("grounding passed", 0) + checks.get("grounding failed", 0),
        "failed_checks": checks.get("grounding failed", 0),
        "distribution": [
            {"from": at / 10, "to": (at + 1) / 10, "answers": scores.get(f"{at / 10:.1f}", 0)} for at in range(10)
        ],
        "checks": checks,
    }


def security(view: View) -> dict[str, Any]:
    return {
        "about": "Refusals by reason, injection risk by band, replays of attacks. Requests turned away before they "
        "were a call (no key, a wrong one, too many wrong ones, a foreign page) are no rows of the ledger: they are sums by day "
        "beside it, so that nobody fills the disk by knocking.",
        "calls": view.calls,
        "refused": view.total("refused"),
        "refused_by_day": view.by_day("refused"),
        "turned_away": view.total(DOOR),
        "turned_away_by_day": view.by_day(DOOR),
        "errors": view.total("error"),
        "bands": view.total("band"),
        "bands_by_day": view.by_day("band"),
        "hidden": view.total("hidden"),
        "redteam": redteam_runs(view),
    }


def energy(view: View) -> dict[str, Any]:
    total = _added(view.traffic)
    hosted = view.meter.hosted is not None
    by_model = view.sources.books.buckets(*_span(view), ("model", "cache", "outcome")) if hosted else []
    sums, lacking = view.meter.sums(total, by_model)
    free = sum(row.requests for row in view.traffic if row.cache in ("exact", "coalesced", "semantic"))
    asked = sum(row.requests for row in view.traffic if row.attempts)
    methods = []
    for one in sums:
        calls = one.calls or asked
        wh = [watt_hours(one.low_uj), watt_hours(one.high_uj)]
        co2 = [one.carbon_mg.low / 1e3, one.carbon_mg.high / 1e3]
        methods.append({
            "method": one.method, "wh": wh, "co2_g": co2, "calls": calls,
            "wh_per_call": [part / calls for part in wh] if calls else None,
            "co2_g_per_call": [part / calls for part in co2] if calls else None,
            "spared_wh": [part / calls * free for part in wh] if calls else None,
        })  # fmt: skip
    return {
        "about": "Energy and emissions of calls, from and to, by method; methods are never added up. What was spared is the mean "
        "call's energy times the calls that a cache answered: modelled, grade C.",
        "calls": total.requests,
        "answered_by_a_model": asked,
        "answered_without_a_model": free,
        "methods": methods,
        "lacking": lacking or None,
    }


def incidents(view: View) -> dict[str, Any]:
    alerts: dict[str, dict[str, Any]] = {}
    for event in view.happened:
        if event.kind == "alerted":
            facts = event.facts
            alerts[event.id] = {
                "at": iso(facts.get("at_us") or event.at_us), "kind": facts["kind"], "subject": facts["subject"],
                "message": facts["message"], "resolved": facts["resolved_us"] and iso(facts["resolved_us"]),
            }  # fmt: skip
    found = sorted(alerts.values(), key=lambda one: one["at"])[-MOST_ALERTS:]
    labels = len(view.sources.evidence.labels(since_us=view.window.since_us, until_us=view.window.until_us))
    kept = promises(view.certificates, view.window.now_us)  # type: ignore[arg-type]
    return {
        "about": "Alerts that people were given, with when they were resolved, and what is watched.",
        "calls": view.calls,
        "alerts": found,
        "open": len(view.sources.books.alerts(open_only=True, last=MOST_ALERTS)),
        "labels": labels,
        "watched": sorted({one.route for one in kept if one.in_force}),
        "drift": [one for one in found if one["kind"] in KINDS],
        "watched_for": [{"stream": one.name, "says": one.says, "alert": one.alert} for one in STREAMS],
        "watch": _watch(view),
    }


def _watch(view: View) -> list[dict[str, Any]]:
    """Routes that the watch over drift has summed up, with the days since it began."""
    if not (view.sources.data / WINDOWS).exists():
        return []
    windows = Windows(view.sources.data)
    try:
        found = windows.routes(view.window.since_us // HOUR_US)
    finally:
        windows.close()
    now = view.window.now_us // HOUR_US
    return [
        {"route": route, "hours_with_calls": hours, "since": iso(first * HOUR_US), "days": (now - first) // 24}
        for route, (hours, first) in sorted(found.items())
    ]


def retention(view: View) -> dict[str, Any]:
    stats = view.sources.books.stats()
    first = stats["first_us"]
    now = {
        "days": view.sources.config.keep.ledger_days,
        "bodies": _bodies(msgspec.to_builtins(view.sources.config.keep.bodies)),
    }
    told = view.in_force(
        lambda value: {"days": value["keep"]["ledger_days"], "bodies": _bodies(value["keep"]["bodies"])}
    )
    spans = told["in_force"] or [now]
    return {
        "about": "How long rows of the ledger are kept. Bodies, where they are kept at all, go sooner; the rows stay.",
        "floor_days": FLOOR_DAYS,
        "keep_days": spans[-1]["days"],
        "least_days": min((one["days"] for one in spans if one["days"] is not None), default=None),
        **told,
        "oldest": first and iso(first),
        "newest": stats["last_us"] and iso(stats["last_us"]),
        "days": 0 if first is None else (view.window.now_us - first) // DAY_US,
        "rows": stats["rows"],
        "erasures": [
            {"at": iso(event.at_us), "of": "a tenant" if event.facts["tenant"] else "a person", **_whose(event)}
            for event in view.happened
            if event.kind == "erased"
        ],
        "dropped": [
            {"at": iso(event.at_us), "rows_up_to": event.facts["rows"], **_whose(event)}
            for event in view.happened
            if event.kind == "dropped"
        ],
        "other_acts": [
            {"at": iso(event.at_us), "what": f"{event.facts['what']} {event.facts['did']}", **_whose(event)}
            for event in view.happened
            if event.facts.get("what") in ("master key", "ledger", "held request")
        ],
        "bodies": spans[-1]["bodies"],
    }


def _whose(event: Happened) -> dict[str, Any]:
    """Who did it and why, as far as the chain says so; nobody: the gateway did it by itself, or an older version told less."""
    return {name: event.facts.get(name) or None for name in ("by", "who", "why")}


def _bodies(kept: Any) -> dict[str, Any]:
    """``[keep] bodies`` as it is set: off, on, or on with what differs from the default."""
    return {"kept": True, **kept} if isinstance(kept, dict) else {"kept": bool(kept)}


def marking(view: View) -> dict[str, Any]:
    told = view.in_force(lambda value: {"disclosure": value["disclose"]} if "disclose" in value else {})
    known = [one["disclosure"] for one in told["in_force"] if "disclosure" in one]
    return {
        "about": "How an answer says that a machine made it, and which: a signed receipt for whoever asks for one, and a header "
        "that discloses it.",
        "receipts": True,
        "receipt_by": "header x-demitasse-receipt: 1, or GET /demitasse/calls/{id}/receipt; check: demitasse audit verify FILE",
        "disclosure": all(known) if known else view.sources.config.audit.disclose,
        **told,
        "disclosure_by": "[audit] disclose: the header x-demitasse-ai: generated",
        "headers": ["x-request-id", "x-demitasse-model", "x-demitasse-route", "x-demitasse-certificate"],
    }


def report(view: View) -> dict[str, Any]:
    window = view.window
    kept = promises(view.certificates, window.now_us)  # type: ignore[arg-type]
    made = build_report(view.sources.books, window.since_us, window.until_us, window.now_us, view.meter, kept)
    return {
        "about": "What the same calls would have cost, what was paid and saved; as demitasse report tells it.",
        **made.as_json(),
    }


def history(view: View, *, recompute: bool) -> dict[str, Any]:
    stats = view.sources.books.stats()
    told = examine(view.sources.data) if recompute and stats["rows"] else None
    broken = [] if told is None else [one.message for one in told.problems if one.kind != "checkpoint"]
    return {
        "about": "The ledger is a chain and a Merkle tree (RFC 6962): a row that is changed, added or taken out later is found. "
        "Checkpoints are its signed root at a moment; copies that are kept elsewhere bind whoever runs this gateway.",
        "events": stats["rows"],
        "head": stats["chain_head"],
        "root": told.root if told is not None else None,
        "holds": None if told is None else not broken,
        "problems": broken,
        "first_changed": told.first_bad_row if told is not None else None,
        "dropped": told.dropped if told is not None else None,
        "recomputed": told is not None,
        "rows_since_checkpoint": told.rows_since if told is not None else None,
        "checkpoint_problems": [] if told is None else [one.message for one in told.problems if one.kind == "checkpoint"],
        "checkpoints": [
            {
                "size": place.checkpoint.size, "at": iso(place.checkpoint.at_us), "root": place.checkpoint.root.hex(),
                "key": place.checkpoint.key, "valid": checkpoints.signed(place.checkpoint).valid,
            }
            for place in view.sources.tally.checkpoints()
        ],
    }  # fmt: skip


DOCUMENTS: Final[Mapping[str, Callable[[View], dict[str, Any]]]] = {
    "certificates": certificates,
    "evaluations": evaluations,
    "inventory": inventory,
    "licences": licence_register,
    "deactivations": deactivations,
    "providers": provider_register,
    "failover": failover,
    "guard": guard,
    "grounding": grounding,
    "security": security,
    "bias": bias_runs,
    "energy": energy,
    "incidents": incidents,
    "retention": retention,
    "marking": marking,
    "report": report,
}


def _added(found: list[Bucket]) -> Bucket:
    names = [
        name
        for name in Bucket.__struct_fields__
        if name not in ("hour", "key", "team", "route", "model", "outcome", "cache")
    ]
    return Bucket(**{name: sum(getattr(row, name) for row in found) for name in names})


def _span(view: View) -> tuple[int, int]:
    return view.window.since_us, view.window.until_us
