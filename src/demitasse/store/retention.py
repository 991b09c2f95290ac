"""Rows whose time is over: whole segments of them go, and what they came to stays.

Of a segment that is dropped its hash stays, so that the tree, every checkpoint and later proofs go on as they were; its
sums and charges, so that the books still add up; and an event in the chain that says so. Only what is signed is dropped, and
only after it was held against its hash, so that a lie cannot be cleared away. Rows that are in no export go only after a person
was told, and seven days have passed by a clock that nobody can set. Knows the tables; nothing of configuration.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from ..core.entry import Charge
from ..core.errors import StoreError
from ..core.limits import Alert
from . import tally
from .chain import decode_entry
from .changes import Correction, corrected
from .migrations import FILE, connect, prepare
from .rollup import ADD_CARRIED, DIMENSIONS, HOUR_US, MEASURES, Sums, dimensions, measures
from .segments import ROWS, Leaves, fill
from .tree import Frontier, consistency
from .trouble import trouble
from .writer import Batch, Writer

LEAST_DAYS = 183
SWEEP_US = 3_600_000_000
NOTICE_DAYS = 7
"""So long before rows go a person is told."""
_DAY_US = 24 * HOUR_US
_NOTICE_US = NOTICE_DAYS * _DAY_US
_NOTICED = "noticed"
_JOINED = MEASURES.index("joined")
_PUT_USED = (
    "INSERT INTO carried_used VALUES (?,?,?) ON CONFLICT (budget, window) DO UPDATE SET nanos = nanos + excluded.nanos"
)
_DIM = f"SELECT id FROM dims WHERE {' AND '.join(f'{name} = ?' for name in DIMENSIONS)}"  # noqa: S608 - ours


class Notice(Struct, frozen=True):
    """That rows up to this one go, which a person was told by the alert ``id``."""

    rows: int
    id: str
    stood_us: int = 0
    """So long it has been told, counting only while a gateway ran."""


class Notices(Struct, frozen=True):
    """Those that stand, the first rows first, and when they were last counted on."""

    at_us: int = 0
    notices: tuple[Notice, ...] = ()


def sweep(data: Path, days: int | None, now_us: int, *, passed_us: int = 0) -> Alert | None:
    """Drop what is older than ``days`` and was exported, or told of for seven days.

    Returns what a person is to be told: rows that go next and are in no export.

    Args:
        days: None: rows are kept for ever, and what was told of their going holds no more.
        passed_us: since the last sweep of this process, by a clock that only goes on; 0 at the first one. Time that nobody
            measured (the gateway was off, the clock was set) is no time in which somebody was told.

    Raises StoreError.
    """
    if days is not None and days < LEAST_DAYS:
        raise ValueError(f"rows are kept {LEAST_DAYS} days at least")
    alert, may_go = _told(data, days, now_us, passed_us)
    if days is not None and may_go:
        drop(data, now_us - days * _DAY_US, now_us, why=f"[keep] ledger_days = {days}", until=may_go)
    return alert


def _told(data: Path, days: int | None, now_us: int, passed_us: int) -> tuple[Alert | None, int]:
    """What is to be told, and up to which row everything was exported or told of for long enough."""
    path = Path(data) / FILE
    prepare(path)
    db = connect(path, wait_ms=5_000)
    try:
        if days is not None:
            fill(db)
        db.execute("BEGIN IMMEDIATE")
        soon = None if days is None else _soon(db, now_us - (days - NOTICE_DAYS) * _DAY_US)
        exported = _exported(db)
        if soon is None or days is None:
            _keep(db, Notices(now_us))
            db.execute("COMMIT")
            return None, exported
        rows, until_us = soon
        known = _notices(db)
        passed_us = max(0, min(passed_us, now_us - known.at_us))
        until = dt.datetime.fromtimestamp(until_us / 1e6, dt.UTC).date() + dt.timedelta(days=1)
        stand = [_aged(db, notice, passed_us) for notice in known.notices if notice.rows <= rows]
        if rows > exported and (not stand or stand[-1].rows < rows):
            stand.append(Notice(rows, f"audit-export-{until}"))
        done = max((notice.rows for notice in stand if notice.stood_us >= _NOTICE_US), default=0)
        _keep(db, Notices(now_us, tuple(notice for notice in stand if notice.rows >= done)))
        db.execute("COMMIT")
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
        db.close()
    if rows <= max(exported, done):
        return None, max(exported, done)
    alert = Alert(
        id=f"audit-export-{until}",
        at_us=now_us,
        kind="audit",
        subject="rows",
        message=f"rows of before {until} (up to {rows:,}) go in {NOTICE_DAYS} days ([keep] ledger_days = {days}) "
        "and are in no export",
        remedy=f"demitasse audit export FILE --until {until}",
    )
    return alert, max(exported, done)


def _aged(db: sqlite3.Connection, notice: Notice, passed_us: int) -> Notice:
    """A notice after some time. What is not in the books was told to nobody."""
    if db.execute("SELECT 1 FROM alerts WHERE id = ?", (notice.id,)).fetchone() is None:
        return notice
    return msgspec.structs.replace(notice, stood_us=notice.stood_us + passed_us)


def drop(data: Path, before_us: int, now_us: int, *, why: str = "", until: int | None = None) -> int:
    """Drop the whole segments whose events all lie before ``before_us``, the oldest first; returns how many rows went.

    ``why``: the reason that the chain gives. ``until``: none beyond this row; None: whether they were exported or told of or
    not. Works beside a running gateway, a segment at a time. Raises StoreError: a segment is
    not what its hash says.
    """
    path = Path(data) / FILE
    prepare(path)
    tally.catch_up(data)  # what is gone can be counted no more
    db = connect(path, wait_ms=5_000)
    gone = 0
    try:
        db.execute("PRAGMA secure_delete=ON")
        fill(db)
        writer = Writer(db, "audit")
        while (went := _answer(writer.commit([_drop_next(before_us, now_us, why, until)])[0])) > 0:
            gone += went
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        db.close()
    return gone


def note_export(data: Path, first: int, last: int) -> None:
    """Remember that rows are in an export, so that nobody is told to make one. Raises StoreError."""
    path = Path(data) / FILE
    db = connect(path, wait_ms=5_000)
    try:
        if first <= _exported(db) + 1 or first <= _dropped(db) + 1:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('exported', max(?, ?))", (last, _exported(db)))
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        db.close()


def _answer(answer: int | StoreError) -> int:
    """A Writer hands back what a change raised."""
    if isinstance(answer, StoreError):
        raise answer
    return answer


def _drop_next(before_us: int, now_us: int, why: str, until: int | None) -> Callable[[Batch], int]:
    def change(batch: Batch) -> int:
        db = batch.writer.db
        at = _dropped(db) // ROWS
        row = db.execute("SELECT hash, last_us FROM segments WHERE at = ?", (at,)).fetchone()
        signed = db.execute("SELECT coalesce(max(size), 0) FROM checkpoints").fetchone()[0]
        first, end = at * ROWS + 1, (at + 1) * ROWS
        if row is None or row[1] >= before_us or signed < end or batch.seq <= end:
            return 0
        if until is not None and end > until:
            return 0
        leaves = Leaves(db)
        frontier = Frontier()
        for hash in leaves.hashes(at):
            frontier.append(hash)
        if frontier.root() != bytes(row[0]):
            raise StoreError(
                f"rows {first} to {end} are not what their hash says, so they are not dropped; see: demitasse audit verify"
            )
        for (size,) in db.execute(
            "SELECT size FROM checkpoints WHERE size > ? AND size < ?", (first - 1, end)
        ).fetchall():
            proof = b"".join(consistency(size, end, leaves.node))
            db.execute("UPDATE checkpoints SET proof = ? WHERE size = ?", (end.to_bytes(8) + proof, size))
        _carry(db, first, end)
        tally.carry(db, first, end)
        db.execute("UPDATE segments SET dropped_us = ? WHERE at = ?", (now_us, at))
        db.execute("DELETE FROM labels WHERE seq BETWEEN ? AND ?", (first, end))
        db.execute("DELETE FROM events WHERE seq BETWEEN ? AND ?", (first, end))
        batch.note("dropped", f"rows-{end}", now_us, rows=end, root=leaves.root(end).hex(), why=why)
        return ROWS

    return change


def _carry(db: sqlite3.Connection, first: int, end: int) -> None:
    """Keep what the entries of these rows come to: sums by hour and dimension, charges by budget."""
    invoiced = {
        id: msgspec.json.decode(said, type=Correction) for id, said in db.execute("SELECT id, json FROM corrections")
    }
    sums: dict[tuple[int, int], Sums] = {}
    used: dict[tuple[str, str], int] = {}
    rows = db.execute("SELECT seq, leaf FROM events WHERE seq BETWEEN ? AND ? AND outcome IS NOT NULL", (first, end))
    for seq, leaf in rows.fetchall():
        booked = decode_entry(leaf)
        entry = corrected(booked, invoiced.get(booked.id))
        row = measures(entry)
        late = "SELECT count(*) FROM events WHERE id = ? AND kind = 'joined' AND seq > ?"
        row[_JOINED] += db.execute(late, (entry.id, seq)).fetchone()[0]
        at = (entry.at_us // HOUR_US, db.execute(_DIM, dimensions(entry)).fetchone()[0])
        present = sums.get(at)
        sums[at] = row if present is None else [a + b for a, b in zip(present, row, strict=True)]
        for charge in entry.charges:
            _add(used, charge)
    db.executemany(ADD_CARRIED, [(*at, *row) for at, row in sums.items()])
    db.executemany(_PUT_USED, [(*at, nanos) for at, nanos in used.items()])


def _add(used: dict[tuple[str, str], int], charge: Charge) -> None:
    at = (charge.budget, charge.window)
    used[at] = used.get(at, 0) + charge.nanos


def _soon(db: sqlite3.Connection, before_us: int) -> tuple[int, int] | None:
    """The last row of the segments that go next, and its time; None: none does."""
    found = None
    for segment, last_us in db.execute(
        "SELECT at, last_us FROM segments WHERE at >= ? ORDER BY at", (_dropped(db) // ROWS,)
    ):
        if last_us >= before_us:
            break
        found = ((segment + 1) * ROWS, last_us)
    return found


def _dropped(db: sqlite3.Connection) -> int:
    return ROWS * int(db.execute("SELECT count(*) FROM segments WHERE dropped_us IS NOT NULL").fetchone()[0])


def _exported(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT v FROM meta WHERE k = 'exported'").fetchone()
    return row[0] if row is not None and isinstance(row[0], int) else 0


def _notices(db: sqlite3.Connection) -> Notices:
    """What was told; what cannot be read was told to nobody."""
    row = db.execute("SELECT v FROM meta WHERE k = ?", (_NOTICED,)).fetchone()
    try:
        return Notices() if row is None else msgspec.json.decode(row[0], type=Notices)
    except (msgspec.DecodeError, TypeError):
        return Notices()


def _keep(db: sqlite3.Connection, notices: Notices) -> None:
    if notices.notices or _notices(db).notices:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (_NOTICED, msgspec.json.encode(notices).decode()))
