"""The ledger's tables as one readable list of steps, each taken once and never back.

Knows SQL and files; knows nothing of calls. A file of a newer Demitasse is refused; before an older one is changed, a
copy of it is laid beside it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from ..core.errors import StoreError
from .chain import decode_entry
from .rollup import DIMENSIONS, HOUR_US, dimensions

FILE = "ledger.sqlite3"
APPLICATION_ID = 0x444D5431  # "DMT1"

# A step never changes once it was taken: a measure that comes later is a step of its own.
_SUMS = """
  requests INTEGER NOT NULL, cost_nanos INTEGER NOT NULL, baseline_nanos INTEGER NOT NULL, saved_exact_nanos
  INTEGER NOT NULL, saved_semantic_nanos INTEGER NOT NULL, saved_coalesced_nanos INTEGER NOT NULL,
  saved_prompt_nanos INTEGER NOT NULL, saved_shaped_nanos INTEGER NOT NULL, saved_routed_nanos INTEGER NOT
  NULL, saved_batch_nanos INTEGER NOT NULL, saved_local_nanos INTEGER NOT NULL, unpriced INTEGER NOT NULL,
  estimated INTEGER NOT NULL, attempts INTEGER NOT NULL, joined INTEGER NOT NULL, uncached_in INTEGER NOT
  NULL, cache_read INTEGER NOT NULL, cache_write_5m INTEGER NOT NULL, cache_write_1h INTEGER NOT NULL,
  image_in INTEGER NOT NULL, audio_in INTEGER NOT NULL, text_out INTEGER NOT NULL, reasoning_out INTEGER NOT
  NULL, audio_out INTEGER NOT NULL, energy_modelled_low_uj INTEGER NOT NULL, energy_modelled_high_uj INTEGER
  NOT NULL, energy_measured_low_uj INTEGER NOT NULL, energy_measured_high_uj INTEGER NOT NULL, duration_ms
  REAL NOT NULL, overhead_us INTEGER NOT NULL"""

_FIRST = f"""
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, at_us INTEGER NOT NULL,
  key TEXT, route TEXT, model TEXT, outcome TEXT, cost_nanos INTEGER, request_id TEXT,
  leaf BLOB NOT NULL, chain BLOB NOT NULL);
CREATE UNIQUE INDEX entry_by_id ON events (id) WHERE outcome IS NOT NULL;
CREATE INDEX entry_by_request ON events (request_id) WHERE request_id IS NOT NULL;

CREATE TABLE holds (id TEXT PRIMARY KEY, proc TEXT NOT NULL, leaf BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE used (
  budget TEXT NOT NULL, window TEXT NOT NULL, settled_nanos INTEGER NOT NULL, held_nanos INTEGER NOT NULL,
  closed INTEGER NOT NULL, PRIMARY KEY (budget, window)) WITHOUT ROWID;

CREATE TABLE dims (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL, team TEXT NOT NULL, route TEXT NOT NULL, model TEXT NOT NULL,
  outcome TEXT NOT NULL, cache TEXT NOT NULL, UNIQUE (key, team, route, model, outcome, cache));
CREATE TABLE rollup_hours (hour INTEGER NOT NULL, dim INTEGER NOT NULL, {_SUMS}, PRIMARY KEY (hour, dim)) WITHOUT ROWID;
CREATE TABLE rollup_days (day INTEGER NOT NULL, dim INTEGER NOT NULL, {_SUMS}, PRIMARY KEY (day, dim)) WITHOUT ROWID;

CREATE TABLE budgets (name TEXT PRIMARY KEY, origin TEXT NOT NULL, json BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE keys (id TEXT PRIMARY KEY, json BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE paused (key TEXT PRIMARY KEY, why TEXT NOT NULL, at_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE settings (k TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE alerts (
  id TEXT PRIMARY KEY, at_us INTEGER NOT NULL, resolved_us INTEGER, json BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE cards (
  provider TEXT NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL, json BLOB NOT NULL,
  PRIMARY KEY (provider, model, version)) WITHOUT ROWID;
CREATE TABLE corrections (
  id TEXT PRIMARY KEY, seq INTEGER NOT NULL, cost_nanos INTEGER, json BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE procs (uuid TEXT PRIMARY KEY, pid INTEGER NOT NULL, started_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO meta VALUES ('revision', 1), ('folded', 0), ('touched', 0);
"""  # noqa: S608


_JOINED = """
CREATE INDEX joined_by_id ON events (id) WHERE kind = 'joined'
"""


_EVIDENCE = """
CREATE TABLE labels (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, source TEXT NOT NULL, name TEXT NOT NULL, route TEXT NOT NULL,
  at_us INTEGER NOT NULL, UNIQUE (id, source, name));
CREATE INDEX labels_by_route ON labels (route, at_us);
CREATE TABLE certificates (
  id TEXT PRIMARY KEY, route TEXT NOT NULL, state TEXT NOT NULL, at_us INTEGER NOT NULL, why TEXT NOT NULL,
  seq INTEGER NOT NULL, json BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX certificates_by_route ON certificates (route, state);
CREATE INDEX certificate_by_id ON events (id) WHERE kind = 'certificate'
"""


_AUDIT = f"""
CREATE TABLE segments (
  at INTEGER PRIMARY KEY, hash BLOB NOT NULL, chain BLOB NOT NULL, last_us INTEGER NOT NULL, dropped_us INTEGER);
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, note TEXT NOT NULL, proof BLOB);
CREATE TABLE carried_hours (hour INTEGER NOT NULL, dim INTEGER NOT NULL, {_SUMS}, PRIMARY KEY (hour, dim)) WITHOUT ROWID;
CREATE TABLE carried_used (
  budget TEXT NOT NULL, window TEXT NOT NULL, nanos INTEGER NOT NULL, PRIMARY KEY (budget, window)) WITHOUT ROWID;
CREATE INDEX told_of_audit ON events (kind, seq) WHERE kind IN ('dropped', 'erased')
"""


_COUNTS = """
CREATE TABLE tally_names (id INTEGER PRIMARY KEY, what TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (what, name));
CREATE TABLE tally_days (
  day INTEGER NOT NULL, name INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (day, name)) WITHOUT ROWID;
CREATE TABLE carried_tally (
  day INTEGER NOT NULL, name INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (day, name)) WITHOUT ROWID;
CREATE TABLE happened (
  seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, json BLOB NOT NULL);
CREATE INDEX happened_at ON happened (at_us);
INSERT INTO meta SELECT 'tally_until', coalesce(max(seq), 0) FROM events;
INSERT INTO meta SELECT 'tallied', coalesce(min(seq), 1) - 1 FROM events
"""  # rows up to tally_until are counted by the first look (tally.py), later ones by the writer


class Migration(Struct, frozen=True):
    """One step of the schema: the version it leads to, why it was taken, its SQL, and what must be computed."""

    version: int
    why: str
    sql: str
    fill: Callable[[sqlite3.Connection], None] | None = None


def _count_joined(db: sqlite3.Connection) -> None:
    rows = db.execute(
        "SELECT closing.leaf FROM events AS joined JOIN events AS closing USING (id) "
        "WHERE joined.kind = 'joined' AND closing.outcome IS NOT NULL AND joined.seq > closing.seq"
    ).fetchall()
    where = " AND ".join(f"{name} = ?" for name in DIMENSIONS)
    for table, time, span in (("rollup_hours", "hour", HOUR_US), ("rollup_days", "day", 24 * HOUR_US)):
        for (leaf,) in rows:
            entry = decode_entry(leaf)
            db.execute(
                f"UPDATE {table} SET joined = joined + 1 WHERE {time} = ? AND dim = "  # noqa: S608
                f"(SELECT id FROM dims WHERE {where})",
                (entry.at_us // span, *dimensions(entry)),
            )


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "the first tables", _FIRST),
    Migration(2, "late retries are found by their call and counted in the sums", _JOINED, _count_joined),
    Migration(3, "evidence: labels and certificates, as views of the chain", _EVIDENCE),
    Migration(4, "the tree's segments, signed checkpoints, and what dropped segments came to", _AUDIT),
    Migration(5, "counts by day for auditors, added up by the writer", _COUNTS),
)
LATEST = MIGRATIONS[-1].version


def connect(path: Path, *, wait_ms: int, full: bool = False) -> sqlite3.Connection:
    """A connection in WAL mode that leaves checkpoints to the keeper; usable from any one thread at a time."""
    db = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=wait_ms / 1000
    )
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(f"PRAGMA synchronous={'FULL' if full else 'NORMAL'}")
    db.execute("PRAGMA wal_autocheckpoint=0")
    db.execute(f"PRAGMA busy_timeout={wait_ms}")
    db.execute("PRAGMA cache_size=-16000")
    db.execute("PRAGMA temp_store=MEMORY")
    return db


def prepare(path: Path, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Create the file's tables, or bring them to the latest schema. Safe when several processes start at once.

    Raises:
        StoreError: not a ledger, or one of a newer Demitasse.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = None
    try:
        db = connect(path, wait_ms=10_000)
        version = _version(db, path, migrations)
        if version == migrations[-1].version:
            return
        if version:
            _copy(db, path.with_name(f"{path.name}.v{version}"))
        db.execute("BEGIN IMMEDIATE")
        try:
            _climb(db, _version(db, path, migrations), migrations)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise StoreError(
            f"the ledger {path} cannot be opened: {error}; check the disk and the file's rights, "
            "or lay a backup in its place with: demitasse restore FILE"
        ) from error
    finally:
        if db is not None:
            db.close()


def _version(db: sqlite3.Connection, path: Path, migrations: tuple[Migration, ...]) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    mark = int(db.execute("PRAGMA application_id").fetchone()[0])
    if mark != APPLICATION_ID and (version or db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]):
        raise StoreError(f"{path} is an SQLite file but no Demitasse ledger; name another directory with --data")
    if version > migrations[-1].version:
        raise StoreError(
            f"the ledger {path} has schema {version}, this Demitasse knows up to {migrations[-1].version}; "
            "start the newer Demitasse that wrote it, or name another directory with --data"
        )
    return version


def _climb(db: sqlite3.Connection, version: int, migrations: tuple[Migration, ...]) -> None:
    for step in migrations:
        if step.version <= version:
            continue
        for statement in step.sql.split(";"):
            if statement.strip():
                db.execute(statement)
        if step.fill is not None:
            step.fill(db)
        db.execute(f"PRAGMA user_version={step.version}")
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")


def _copy(db: sqlite3.Connection, target: Path) -> None:
    copy = sqlite3.connect(target)
    try:
        db.backup(copy)
    finally:
        copy.close()
