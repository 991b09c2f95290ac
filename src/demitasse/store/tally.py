"""Counts by day that auditors ask for and the roll-ups don't have: what guards found and did, refusals, fail-overs, changes.

Derived from the chain's events, and kept beside the ledger in a file of its own, so that a call pays nothing for it: each look
reads what has come since the last one. The file may be deleted at any time; the next look counts anew. Holds types, names and
numbers, never a value that was found. Rows that retention has dropped since stay counted.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from ..core.entry import Guarded
from ..core.evidence import OWN_KEYS
from . import checkpoints
from .books import Reading
from .migrations import connect
from .trouble import trouble

FILE: Final = "tally.sqlite3"
DAY_US: Final = 86_400_000_000
BATCH_ROWS: Final = 20_000
APPLICATION_TAGS: Final = frozenset({"app", "application", "feature", "product", "project", "service", "task", "team"})
"""Tags whose values name applications. Of others only the name is counted: a value may be a person."""
MOST_NAMES: Final = 500
"""Of one kind in one day; what comes beyond is counted as ``(others)``."""

_TABLES = """
CREATE TABLE IF NOT EXISTS state (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS days (
  day INTEGER NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (day, what, name))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS happened (
  seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, json BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS happened_at ON happened (at_us);
"""
_VERSION = 2
_ADD = "INSERT INTO days VALUES (?,?,?,?) ON CONFLICT (day, what, name) DO UPDATE SET n = n + excluded.n"
_NEW = (
    "SELECT seq, kind, id, at_us, leaf, chain, outcome IS NOT NULL FROM events WHERE seq > ? AND "
    "(outcome IS NOT NULL OR kind IN ('changed', 'alerted', 'certificate', 'erased', 'dropped')) ORDER BY seq LIMIT ?"
)


class Happened(Struct, frozen=True):
    """An event that is no call: a key, budget, setting or certificate that changed, or an alert."""

    at_us: int
    kind: str
    """``changed``, ``alerted``, ``certificate``, ``erased`` or ``dropped``."""
    id: str
    """``key:…``, ``budget:…``, ``setting:…``; of an alert or a certificate its own."""
    facts: dict[str, Any]


class Counted(Struct, frozen=True):
    """How far the counting is: events counted, and how many there are."""

    seq: int
    top: int

    @property
    def whole(self) -> bool:
        return self.seq >= self.top


class _Attempt(Struct):
    model: str
    provider: str
    status: str
    upstream_model: str = ""
    card: str | None = None
    region: str | None = None


class _Call(Struct):
    at_us: int
    key: str
    route: str = ""
    outcome: str = ""
    error: str | None = None
    team: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    attempts: tuple[_Attempt, ...] = ()
    guard: Guarded | None = None


_call = msgspec.json.Decoder(_Call).decode


class SqliteTally(Reading):
    """The counts of the ledger in the directory ``data``. Every method may raise StoreError."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self._file = Path(data) / FILE

    def fold(self, *, most: int | None = None, step: Callable[[int, int], None] = lambda _done, _all: None) -> Counted:
        """Count what has come since the last time, at most about ``most`` rows; ``step`` hears rows done and how many in all."""
        with self._counts() as own:
            done = 0
            at = self._begin(own)
            top = self._top()
            while at < top and (most is None or done < most):
                rows = self._rows(_NEW, (at, BATCH_ROWS))
                own.execute("BEGIN IMMEDIATE")
                if _seq(own) != at:  # another process was faster
                    own.execute("ROLLBACK")
                    at = _seq(own)
                    continue
                last, chain = (rows[-1][0], bytes(rows[-1][5])) if rows else (top, self._chain(top))
                _count(own, rows)
                own.execute("INSERT OR REPLACE INTO state VALUES ('seq', ?), ('chain', ?)", (last, chain))
                own.execute("COMMIT")
                done, at = done + len(rows), last
                step(at, top)
            return Counted(at, top)

    def days(self, since_us: int, until_us: int) -> dict[tuple[int, str, str], int]:
        """Counts by day (days since 1970-01-01 UTC), kind and name; whole days, the first and the last included."""
        with self._counts() as own:
            rows = own.execute(
                "SELECT day, what, name, n FROM days WHERE day >= ? AND day < ? ORDER BY day, what, name",
                (since_us // DAY_US, -(-until_us // DAY_US)),
            )
            return {(day, what, name): n for day, what, name, n in rows}

    def happened(self, since_us: int, until_us: int) -> list[Happened]:
        """Events that are no calls, in their order."""
        with self._counts() as own:
            rows = own.execute(
                "SELECT at_us, kind, id, json FROM happened WHERE at_us >= ? AND at_us < ? ORDER BY seq",
                (since_us, until_us),
            )
            return [Happened(at_us, kind, id, msgspec.json.decode(text)) for at_us, kind, id, text in rows]

    def cards(self) -> list[Any]:
        """Price cards that were ever used, as JSON values; of one identity, the newest."""
        return [msgspec.json.decode(row[0]) for row in self._rows("SELECT json FROM cards ORDER BY version", ())]

    def checkpoints(self) -> list[checkpoints.Place]:
        """The signed checkpoints of the ledger, the oldest first."""
        with self._reading() as db:
            return checkpoints.kept(db)[0]

    def _counts(self) -> _Own:
        return _Own(self._file)

    def _begin(self, own: sqlite3.Connection) -> int:
        """Where to go on; from the start where the counts are another ledger's, or an older shape's."""
        kept = dict(own.execute("SELECT k, v FROM state").fetchall())
        at = int(kept.get("seq", 0))
        here = self._chain(at)
        if (
            kept.get("version", _VERSION) != _VERSION
            or (at and here and here != bytes(kept["chain"]))
            or at > self._top()
        ):
            own.execute("BEGIN IMMEDIATE")
            for name in ("days", "happened", "state"):
                own.execute(f"DELETE FROM {name}")  # noqa: S608 - names are ours
            own.execute("COMMIT")
            at = 0
        own.execute("INSERT OR IGNORE INTO state VALUES ('version', ?)", (_VERSION,))
        return at

    def _top(self) -> int:
        return int(self._rows("SELECT coalesce(max(seq), 0) FROM events", ())[0][0])

    def _chain(self, seq: int) -> bytes:
        rows = self._rows("SELECT chain FROM events WHERE seq = ?", (seq,))
        return bytes(rows[0][0]) if rows else b""

    def _rows(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._reading() as db:
            return db.execute(sql, values).fetchall()


class _Own:
    """A connection to the counts' own file, for one look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._db = connect(self._path, wait_ms=5_000)
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            raise trouble(self._path, error) from error
        return self._db

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._db is not None:
            self._db.close()
        if isinstance(error, sqlite3.Error):
            raise trouble(self._path, error) from error


def _seq(own: sqlite3.Connection) -> int:
    row = own.execute("SELECT v FROM state WHERE k = 'seq'").fetchone()
    return int(row[0]) if row else 0


def _count(own: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    found: Counter[tuple[int, str, str]] = Counter()
    for seq, kind, id, at_us, leaf, _, is_call in rows:
        if is_call:
            call = _call(leaf)
            for what, name, n in counts_of(call):
                found[call.at_us // DAY_US, what, name] += n
        else:
            facts = facts_of(kind, id, msgspec.json.decode(leaf))
            if facts is not None:
                own.execute(
                    "INSERT OR IGNORE INTO happened VALUES (?,?,?,?,?)",
                    (seq, at_us, kind, id, msgspec.json.encode(facts)),
                )
    kinds: Counter[tuple[int, str]] = Counter()
    for (day, what, name), n in sorted(found.items()):
        kinds[day, what] += 1
        own.execute(_ADD, (day, what, name if kinds[day, what] <= MOST_NAMES else "(others)", n))


def counts_of(call: _Call) -> Iterator[tuple[str, str, int]]:
    """What one call adds: kind, name and number."""
    for attempt in call.attempts:
        yield "asked", f"{attempt.model}\t{attempt.provider}\t{attempt.region or ''}", 1
        if attempt.status == "ok":
            told = (attempt.model, attempt.provider, attempt.upstream_model, attempt.card or "")
            yield "upstream", "\t".join(told), 1
    if len(call.attempts) > 1 and call.outcome == "answered":
        first, last = call.attempts[0], call.attempts[-1]
        if first.status in ("error", "broken") and first.model != last.model:
            yield "failover", f"{call.route}: {first.model} → {last.model}", 1
    if call.key in OWN_KEYS:
        return
    yield "calls", "", 1
    if call.error:
        yield ("refused" if call.outcome == "refused" else "error"), call.error, 1
    if call.team:
        yield "team", call.team, 1
    for name, value in call.tags:
        yield "tag", f"{name}={value}" if name in APPLICATION_TAGS else name, 1
    if call.guard is not None:
        yield from _guarded(call.guard)


def _guarded(guard: Guarded) -> Iterator[tuple[str, str, int]]:
    yield "guarded", "", 1
    for name, n in guard.found:
        yield "found", name, n
    for name, n in guard.hidden:
        yield "hidden", name, n
    if guard.band:
        yield "band", guard.band, 1
    for action, what, n in guard.done:
        yield "done", f"{action} {what}", n
    if guard.done:
        yield "acted", "", 1
    for category, _ in guard.moderated:
        yield "moderated", category, 1
    if guard.data_class:
        yield "class", guard.data_class, 1
    if guard.stays:
        yield "stays", guard.stays, 1
    if guard.cut:
        yield "cut", "", 1
    for check in guard.checks:
        yield "check", f"{check.name} {'passed' if check.passed else 'failed'}", 1
        if check.name == "grounding" and check.score is not None:
            yield "grounding", f"{min(9, int(max(0.0, check.score) * 10)) / 10:.1f}", 1


def facts_of(kind: str, id: str, event: dict[str, Any]) -> dict[str, Any] | None:
    """What is worth telling of an event that is no call; None: nothing. Never a key's MAC, never a learned value."""
    if kind == "certificate":
        certificate = event.get("certificate") or {}
        route = (certificate.get("policy") or {}).get("route", "")
        return {"state": event.get("state"), "why": event.get("why", ""), "route": route}
    if kind == "alerted":
        alert = event.get("alert") or {}
        return {name: alert.get(name) for name in ("kind", "subject", "message", "at_us", "resolved_us")}
    if kind == "erased":  # whose texts they were is nobody's business
        return {"what": "texts", "did": "erased", "tenant": bool(event.get("tenant"))}
    if kind == "dropped":
        return {"what": "rows", "did": "dropped", "rows": event.get("rows")}
    what, _, name = id.partition(":")
    if what == "key" and "paused" in event:
        return {
            "what": "key",
            "name": name,
            "did": "resumed" if event["paused"] is None else "paused",
            "why": event["paused"],
        }
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
    if what == "card":
        return {"what": "card", "name": (event.get("card") or {}).get("id", name), "did": "kept"}
    if what == "setting":
        told = {"what": "setting", "name": name, "did": "removed" if event.get("value") is None else "set"}
        return told | ({"value": event.get("value")} if name in SHOWN_SETTINGS else {})
    return None


SHOWN_SETTINGS: Final = frozenset(
    {"switches", "configuration", "governance.accepted", "governance.drills", "governance.residual"}
)
"""Settings whose values are decisions of people, or results that were made to be shown."""
