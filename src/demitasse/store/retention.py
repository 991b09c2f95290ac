"""Rows whose time is over: whole segments of them go, and what they came to stays.

Of a segment that is dropped its hash stays, so that the tree, every checkpoint and later proofs go on as they were; its
sums and charges, so that the books still add up; and an event in the chain that says so. Only what is signed is dropped, and
only after it was held against its hash, so that a lie cannot be cleared away. Knows the tables; nothing of configuration.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec

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
_JOINED = MEASURES.index("joined")
_PUT_USED = (
    "INSERT INTO carried_used VALUES (?,?,?) ON CONFLICT (budget, window) DO UPDATE SET nanos = nanos + excluded.nanos"
)
_DIM = f"SELECT id FROM dims WHERE {' AND '.join(f'{name} = ?' for name in DIMENSIONS)}"  # noqa: S608 - ours


def sweep(data: Path, days: int, now_us: int) -> Alert | None:
    """Drop what is older than ``days``; returns what a person should be told: rows that go soon and were not exported.

    Raises StoreError.
    """
    if days < LEAST_DAYS:
        raise ValueError(f"rows are kept {LEAST_DAYS} days at least")
    drop(data, now_us - days * _DAY_US, now_us, why=f"[keep] ledger_days = {days}")
    soon = _soon(data, now_us - (days - NOTICE_DAYS) * _DAY_US)
    if soon is None:
        return None
    rows, until_us = soon
    until = dt.datetime.fromtimestamp(until_us / 1e6, dt.UTC).date() + dt.timedelta(days=1)
    return Alert(
        id=f"audit-export-{until}",
        at_us=now_us,
        kind="audit",
        subject="rows",
        message=f"rows up to {rows:,} go within {NOTICE_DAYS} days ([keep] ledger_days = {days}) and are in no export",
        remedy=f"demitasse audit export FILE --until {until}",
    )


def drop(data: Path, before_us: int, now_us: int, *, why: str = "") -> int:
    """Drop the whole segments whose events all lie before ``before_us``, the oldest first; returns how many rows went.

    ``why``: the reason that the chain gives. Works beside a running gateway, a segment at a time. Raises StoreError: a segment is
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
        while (went := _answer(writer.commit([_drop_next(before_us, now_us, why)])[0])) > 0:
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


def _drop_next(before_us: int, now_us: int, why: str) -> Callable[[Batch], int]:
    def change(batch: Batch) -> int:
        db = batch.writer.db
        at = _dropped(db) // ROWS
        row = db.execute("SELECT hash, last_us FROM segments WHERE at = ?", (at,)).fetchone()
        signed = db.execute("SELECT coalesce(max(size), 0) FROM checkpoints").fetchone()[0]
        first, end = at * ROWS + 1, (at + 1) * ROWS
        if row is None or row[1] >= before_us or signed < end or batch.seq <= end:
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


def _soon(data: Path, before_us: int) -> tuple[int, int] | None:
    """The last row of those that go next and are in no export, and its time; None: there are none."""
    path = Path(data) / FILE
    db = connect(path, wait_ms=2_000)
    try:
        at = _dropped(db) // ROWS
        found = None
        for segment, last_us in db.execute("SELECT at, last_us FROM segments WHERE at >= ? ORDER BY at", (at,)):
            if last_us >= before_us:
                break
            found = ((segment + 1) * ROWS, last_us)
        return found if found is not None and found[0] > _exported(db) else None
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        db.close()


def _dropped(db: sqlite3.Connection) -> int:
    return ROWS * int(db.execute("SELECT count(*) FROM segments WHERE dropped_us IS NOT NULL").fetchone()[0])


def _exported(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT v FROM meta WHERE k = 'exported'").fetchone()
    return 0 if row is None else int(row[0])
