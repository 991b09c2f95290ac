"""What an event adds to the counts by day that auditors ask for: what guards found and did, refusals, fail-overs, changes.

Pure: an event in, names and numbers out; the writer adds them up, and who recounts gets the same. Types, names and numbers,
never a value that was found. Whoever changes what is counted takes a step of the schema that has all rows counted anew.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from ..core.entry import Entry, Guarded
from ..core.evidence import OWN_KEYS

CONFIGURATION: Final = "configuration"
"""The setting that says what is in force; its events stand in the chain as ``setting:configuration``."""
DOOR: Final = "turned_away"
"""Requests that were refused before they were calls: counted beside the chain, for they are no rows of it."""
HAPPENED: Final = frozenset({"changed", "alerted", "certificate", "erased", "dropped"})
"""Kinds of events that are no calls and are told one by one."""
APPLICATION_TAGS: Final = frozenset({"app", "application", "feature", "product", "project", "service", "task", "team"})
"""Tags whose values name applications. Of others only the name is counted: a value may be a person."""
SHOWN_SETTINGS: Final = frozenset(
    {"switches", CONFIGURATION, "governance.accepted", "governance.drills", "governance.residual"}
)
"""Settings whose values are decisions of people, or results that were made to be shown."""
DAY_US: Final = 86_400_000_000

Name = tuple[str, ...]
"""Kind and name; a name of several parts is kept with tabs between them."""


def written(name: Name) -> str:
    """The name as a table has it."""
    return "\t".join(part.replace("\t", " ") for part in name[1:])


class _Configuration(Struct):
    hash: str = ""


def short(hash: str) -> str:
    """A configuration's hash as names of counts bear it."""
    return hash[:12]


def configuration_of(value: Any) -> str:
    """The short hash of the setting ``configuration``, as it is kept (bytes) or decoded; empty: it tells none."""
    try:
        found = msgspec.json.decode(value) if isinstance(value, bytes) else value
        return short(msgspec.convert(found, _Configuration).hash)
    except msgspec.MsgspecError:
        return ""


def counts_of(call: Entry, configuration: str) -> list[tuple[Name, int]]:
    """What one call adds, by kind and name. ``configuration``: the short hash of what the ledger was last told of when it was
    booked; of several gateways on one ledger each has its own in force, and an entry says so itself."""
    configuration = call.configuration or configuration
    found: list[tuple[Name, int]] = []
    add = found.append
    attempts = call.attempts
    for attempt in attempts:
        add((("asked", attempt.model, attempt.provider, attempt.region or "", configuration), 1))
        if attempt.status == "ok":
            add((("upstream", attempt.model, attempt.provider, attempt.upstream_model, attempt.card or ""), 1))
    if len(attempts) > 1 and call.outcome == "answered":
        first, last = attempts[0], attempts[-1]
        if first.status in ("error", "broken") and first.model != last.model:
            add((("failover", f"{call.route}: {first.model} → {last.model}"), 1))
    if call.key in OWN_KEYS:
        return found
    add((("calls", ""), 1))
    if call.error:
        add((("refused" if call.outcome == "refused" else "error", call.error), 1))
    if call.team:
        add((("team", call.team), 1))
    for name, value in call.tags:
        add((("tag", f"{name}={value}" if name in APPLICATION_TAGS else name), 1))
    if call.guard is not None:
        _guarded(call.guard, found)
    return found


def _guarded(guard: Guarded, found: list[tuple[Name, int]]) -> None:
    add = found.append
    add((("guarded", ""), 1))
    for name, n in guard.found:
        add((("found", name), n))
    for name, n in guard.hidden:
        add((("hidden", name), n))
    if guard.band:
        add((("band", guard.band), 1))
    for action, what, n in guard.done:
        add((("done", f"{action} {what}"), n))
    if guard.done:
        add((("acted", ""), 1))
    for category, _ in guard.moderated:
        add((("moderated", category), 1))
    if guard.data_class:
        add((("class", guard.data_class), 1))
    if guard.stays:
        add((("stays", guard.stays), 1))
    if guard.cut:
        add((("cut", ""), 1))
    for check in guard.checks:
        add((("check", f"{check.name} {'passed' if check.passed else 'failed'}"), 1))
        if check.name == "grounding" and check.score is not None:
            add((("grounding", f"{min(9, int(max(0.0, check.score) * 10)) / 10:.1f}"), 1))


def facts_of(kind: str, id: str, event: dict[str, Any]) -> dict[str, Any] | None:
    """What is worth telling of an event that is no call; None: nothing. Never a key's MAC, never a learned value."""
    told = _facts(kind, id, event)
    return told if told is None else told | {name: event[name] for name in ("by", "who") if name in event}


def _facts(kind: str, id: str, event: dict[str, Any]) -> dict[str, Any] | None:
    if kind == "certificate":
        certificate = event.get("certificate") or {}
        route = (certificate.get("policy") or {}).get("route", "")
        return {"state": event.get("state"), "why": event.get("why", ""), "route": route}
    if kind == "alerted":
        alert = event.get("alert") or {}
        return {name: alert.get(name) for name in ("kind", "subject", "message", "at_us", "resolved_us")}
    if kind == "erased":  # whose texts they were is nobody's business
        return {"what": "texts", "did": "erased", "tenant": bool(event.get("tenant")), "why": event.get("why", "")}
    if kind == "dropped":
        return {"what": "rows", "did": "dropped", "rows": event.get("rows"), "why": event.get("why", "")}
    what, _, name = id.partition(":")
    if what == "key" and "paused" in event:
        why = event["paused"]
        return {"what": "key", "name": name, "did": "resumed" if why is None else "paused", "why": why}
    if what == "key":
        key = event.get("key") or {}
        did = "revoked" if key.get("revoked_us") else "set"
        return {
            "what": "key",
            "name": key.get("name", name),
            "did": did,
            "scopes": list(key.get("scopes") or ("call",)),
        }
    if what == "budget":
        return {"what": "budget", "name": name, "did": "removed" if event.get("budget") is None else "set"}
    if what == "master_key":
        return {"what": "master key", "did": "changed", "keys": event.get("keys"), "why": event.get("why", "")}
    if what == "held":
        return {"what": "held request", "name": name, "did": event.get("did"), "call": event.get("call")}
    if what == "ledger":
        return {"what": "ledger", "did": "restored", "why": event.get("why", "")}
    if what == "card":
        return {"what": "card", "name": (event.get("card") or {}).get("id", name), "did": "kept"}
    if what == "setting":
        told = {"what": "setting", "name": name, "did": "removed" if event.get("value") is None else "set"}
        return told | ({"value": event.get("value")} if name in SHOWN_SETTINGS else {})
    return None
