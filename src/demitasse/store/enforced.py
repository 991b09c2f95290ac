"""Is what is enforced what the chain says? Keys, budgets, pauses, settings, alerts and price cards, replayed from their events.

Their tables are what a gateway goes by, and a row of one can be changed without touching the chain. Reads only, inside a
transaction of the caller's; knows these tables and the events ``changed`` and ``alerted``.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec
from msgspec import Struct

_UNKNOWN = object()
"""An event that told that something changed, and not to what."""
Place = tuple[str, str]
"""Kind and name of one thing."""

_EVENTS = "SELECT id, kind, leaf FROM events WHERE kind IN ('changed', 'alerted') ORDER BY seq"


class Compared(Struct, frozen=True):
    """Sentences: what is not what the chain says, and what could not be held against it."""

    differing: list[str]
    uncompared: list[str]


def compare(db: sqlite3.Connection) -> Compared:
    """Hold the tables against the last event of each thing in them. Raises sqlite3.Error."""
    told, kept = _told(db), _kept(db)
    first = db.execute("SELECT min(seq) FROM events").fetchone()[0] or 1
    differing, open_ = [], []
    for at in sorted(told.keys() | kept.keys()):
        says, is_ = told.get(at), kept.get(at)
        if says is _UNKNOWN or (at not in told and first > 1):
            open_.append(at)
        elif says != is_:
            differing.append(_sentence(at, says, is_))
    return Compared(differing, _uncompared(open_))


def _told(db: sqlite3.Connection) -> dict[Place, Any]:
    """What each thing is by its last event; None: it was taken away."""
    told: dict[Place, Any] = {}
    for id, kind, leaf in db.execute(_EVENTS):
        event = _decoded(leaf)
        if not isinstance(event, dict):
            continue  # the row itself is found to be bad elsewhere
        if kind == "alerted":
            told["alert", id] = event.get("alert", _UNKNOWN)
            continue
        what, _, name = id.partition(":")
        if what == "budget":
            told["budget", name] = event.get("budget", _UNKNOWN)
        elif what == "setting":
            told["setting", name] = event.get("value", _UNKNOWN)
        elif what == "card":
            told.setdefault(("card", f"{name} {event.get('version')}"), event.get("card", _UNKNOWN))
        elif what == "key" and "paused" in event:
            told["pause", name] = event["paused"]
        elif what == "key":
            told["key", name] = event.get("key", _UNKNOWN)
    return told


def _kept(db: sqlite3.Connection) -> dict[Place, Any]:
    """What each thing is by its table; a column that says something else than its row's text makes it nothing's equal."""
    kept: dict[Place, Any] = {}
    for name, origin, text in db.execute("SELECT name, origin, json FROM budgets"):
        budget = _decoded(text)
        kept["budget", name] = _if(budget, _get(budget, "origin", "command") == origin)
    for id, text in db.execute("SELECT id, json FROM keys"):
        kept["key", id] = _decoded(text)
    for id, why in db.execute("SELECT key, why FROM paused"):
        kept["pause", id] = why
    for name, text in db.execute("SELECT k, v FROM settings"):
        kept["setting", name] = _decoded(text)
    for id, at_us, resolved_us, text in db.execute("SELECT id, at_us, resolved_us, json FROM alerts"):
        alert = _decoded(text)
        kept["alert", id] = _if(alert, _get(alert, "at_us") == at_us and _get(alert, "resolved_us") == resolved_us)
    for provider, model, version, text in db.execute("SELECT provider, model, version, json FROM cards"):
        kept["card", f"{provider}/{model} {version}"] = _decoded(text)
    return kept


def _sentence(at: Place, says: Any, is_: Any) -> str:
    what, name = at
    if what == "key" and isinstance(_get(is_, "name", _get(says, "name")), str):
        name = f"{name} ({_get(is_, 'name', _get(says, 'name'))})"
    if is_ is None:
        return f"{what} {name} is gone, and the chain tells of no such change"
    if says is None:
        return f"{what} {name} is there, and the chain does not tell of it"
    fields: list[str] = []
    if isinstance(says, dict) and isinstance(is_, dict):
        fields = sorted(field for field in says.keys() | is_.keys() if says.get(field) != is_.get(field))
    return f"{what} {name} is not what the chain says{': ' + ', '.join(fields) if fields else ''}"


def _uncompared(open_: list[Place]) -> list[str]:
    """One sentence per kind."""
    said = []
    for kind in sorted({what for what, _ in open_}):
        names = [name for what, name in open_ if what == kind]
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        said.append(
            f"{kind} {names[0]}{more} could not be compared with the chain: the row that told of it was dropped, or an older "
            "Demitasse wrote it without its content"
        )
    return said


def _decoded(text: bytes | str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return "unreadable"


def _get(value: Any, field: str, default: Any = None) -> Any:
    return value.get(field, default) if isinstance(value, dict) else default


def _if(value: Any, agrees: bool) -> Any:
    return value if agrees else {"columns": value}
