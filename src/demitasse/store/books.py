"""The reading side of the ledger, for commands, report and pages: safe beside a running gateway, from any thread.

Knows the tables and answers from the roll-ups; writes nothing and knows nothing of calls under way.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from ..core.entry import Entry
from ..core.ledger import Bucket
from ..core.limits import Alert, Spent
from ..core.money import window
from .chain import GENESIS, decode_entry, decode_hold, leaf_hash
from .changes import Correction, corrected
from .marks import number
from .migrations import FILE, connect, prepare
from .rollup import DIMENSIONS, HOUR_US, MEASURES
from .trouble import trouble
from .writer import read_facts

WALK_ROWS = 200_000
"""How far ``entries`` walks back for rows that match before it gives up."""

_SUMS = tuple(f"sum({name})" for name in MEASURES)
_SPENT = "SELECT settled_nanos, held_nanos, closed FROM used WHERE budget = ? AND window = ?"
_CORRECTION = "SELECT json FROM corrections WHERE id = ?"


class Reading:
    """Connections to the ledger in the directory ``data`` that only read, one for each thread that asks."""

    def __init__(self, data: Path) -> None:
        self.path = Path(data) / FILE
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._quiet = threading.Condition()
        self._readers = 0
        prepare(self.path)

    def close(self) -> None:
        """Close the connections of all threads. Whoever is reading is broken off and waited for: a task that was cancelled
        may have left a thread behind, and a connection that is closed under one brings the whole process down."""
        with self._quiet:
            while self._readers:
                for db in self._opened:
                    db.interrupt()
                self._quiet.wait(0.01)  # a question may have been put just after the interruption
            for db in self._opened:
                db.close()
            self._opened.clear()
            self._local = threading.local()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view of the file for all that is asked inside. Raises StoreError."""
        with self._quiet:
            self._readers += 1
        try:
            db = getattr(self._local, "db", None)
            if db is None:
                db = connect(self.path, wait_ms=2_000)
                db.execute("PRAGMA query_only=ON")
                self._local.db = db
                self._opened.append(db)
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise trouble(self.path, error) from error
        finally:
            with self._quiet:
                self._readers -= 1
                self._quiet.notify_all()


class SqliteBooks(Reading):
    """Reads the ledger in the directory ``data``; see ``core.ledger.Books`` for the contract.

    Each thread that asks gets its own connection. Every method may raise StoreError.
    """

    def entries(
        self,
        *,
        last: int = 50,
        before: int | None = None,
        key: str | None = None,
        model: str | None = None,
        route: str | None = None,
        outcome: str | None = None,
        since_us: int | None = None,
    ) -> list[tuple[int, Entry]]:
        """The newest entries that match, newest first; looks at no more than the last ``WALK_ROWS`` events."""
        with self._reading() as db:
            top = before if before is not None else _top(db) + 1
            wheres, values = ["seq < ?", "seq >= ?", "outcome IS NOT NULL"], [top, top - WALK_ROWS]
            filters = (("key", key), ("model", model), ("route", route), ("outcome", outcome))
            for name, value in filters:
                if value is not None:
                    wheres.append(f"{name} = ?")
                    values.append(value)  # type: ignore[arg-type]
            if since_us is not None:
                wheres.append("at_us >= ?")
                values.append(since_us)
            sql = f"SELECT seq, leaf FROM events WHERE {' AND '.join(wheres)} ORDER BY seq DESC LIMIT ?"  # noqa: S608
            rows = db.execute(sql, (*values, last)).fetchall()
            return [(seq, _as_known(db, decode_entry(leaf))) for seq, leaf in rows]

    def entry(self, id: str) -> Entry | None:
        """One entry by our id, or by the request id that a client sent (then the newest), as corrected."""
        with self._reading() as db:
            row = db.execute("SELECT leaf FROM events WHERE id = ? AND outcome IS NOT NULL", (id,)).fetchone()
            if row is None:
                sql = "SELECT leaf FROM events WHERE request_id = ? ORDER BY seq DESC LIMIT 1"
                row = db.execute(sql, (id,)).fetchone()
            return None if row is None else _as_known(db, decode_entry(row[0]))

    def place(self, id: str) -> tuple[int, str, str] | None:
        """Where an entry stands in the chain: sequence number, RFC 6962 leaf hash and the chain's hash after it, in hex."""
        with self._reading() as db:
            sql = "SELECT seq, leaf, chain FROM events WHERE id = ? AND outcome IS NOT NULL"
            row = db.execute(sql, (id,)).fetchone()
            return None if row is None else (row[0], leaf_hash(row[1]).hex(), row[2].hex())

    def buckets(self, since_us: int, until_us: int, group_by: Iterable[str] = ()) -> list[Bucket]:
        """Sums per combination of ``group_by``, ordered by it; whole hours, the first and the last included.

        Whole days come from the daily roll-up unless the hours are asked for.
        """
        names = list(dict.fromkeys(group_by))
        unknown = [name for name in names if name not in (*DIMENSIONS, "hour", "day")]
        if unknown:
            raise ValueError(f"cannot group by {unknown[0]!r}; group by some of: {', '.join(DIMENSIONS)}, hour, day")
        first, end = since_us // HOUR_US, -(-until_us // HOUR_US)
        with self._reading() as db:
            folded = 0 if "hour" in names else number(db, "folded")
            spans = _spans(first, end, folded)
            sql, fields = _sum_up(names, spans)
            values = [bound for *_, low, high in spans for bound in (low, high)]
            rows = db.execute(sql, values).fetchall()
        return [Bucket(**dict(zip(fields, row, strict=True))) for row in rows if row[-1] is not None]

    def spent(self, at_us: int) -> list[Spent]:
        """Every budget in the window that ``at_us`` falls into, by name."""
        with self._reading() as db:
            answer = []
            for budget in read_facts(db).budgets.values():
                at = window(budget.period, at_us)
                settled, held, closed = db.execute(_SPENT, (budget.name, at)).fetchone() or (0, 0, 0)
                answer.append(Spent(budget, at, settled, held, closed=bool(closed)))
            return answer

    def held_nanos(self) -> int:
        """What is set aside at this moment for calls that are under way."""
        with self._reading() as db:
            return sum(decode_hold(row[0]).nanos for row in db.execute("SELECT leaf FROM holds"))

    def alerts(self, *, open_only: bool = True, last: int = 20, begins: str = "") -> list[Alert]:
        """What persons were told, newest first. ``begins``: of those only whose id begins so."""
        where = "id >= ? AND id < ?" + (" AND resolved_us IS NULL" if open_only else "")
        with self._reading() as db:
            sql = f"SELECT json FROM alerts WHERE {where} ORDER BY at_us DESC, id DESC LIMIT ?"  # noqa: S608
            rows = db.execute(sql, (begins, begins + chr(0x10FFFF), last))
            return [msgspec.json.decode(row[0], type=Alert) for row in rows]

    def find_alert(self, id: str) -> Alert | None:
        with self._reading() as db:
            row = db.execute("SELECT json FROM alerts WHERE id = ?", (id,)).fetchone()
            return None if row is None else msgspec.json.decode(row[0], type=Alert)

    def stats(self) -> dict[str, Any]:
        """Facts about the store; ``recovered`` is what the last recovery settled: count, nanos, at_us, or None."""
        with self._reading() as db:
            seq, chain = db.execute("SELECT seq, chain FROM events ORDER BY seq DESC LIMIT 1").fetchone() or (
                0,
                GENESIS,
            )
            first = db.execute("SELECT at_us FROM events ORDER BY seq LIMIT 1").fetchone()
            last = db.execute("SELECT at_us FROM events ORDER BY seq DESC LIMIT 1").fetchone()
            found = db.execute("SELECT v FROM meta WHERE k = 'recovered'").fetchone()
            return {
                "path": str(self.path),
                "bytes": sum(p.stat().st_size for p in _files(self.path) if p.exists()),
                "rows": seq,
                "first_us": first and first[0],
                "last_us": last and last[0],
                "schema": db.execute("PRAGMA user_version").fetchone()[0],
                "chain_head": bytes(chain).hex(),
                "open_holds": db.execute("SELECT count(*) FROM holds").fetchone()[0],
                "recovered": found and msgspec.json.decode(found[0]),
            }


def _spans(first: int, end: int, folded: int) -> list[tuple[str, str, str, int, int]]:
    """Tables, the time column as hours, its name, and its bounds, that together cover the hours [first, end)."""
    low, high = -(-first // 24), min(end // 24, folded)
    if low >= high:
        return [("rollup_hours", "hour", "hour", first, end)]
    return [
        ("rollup_days", "day * 24", "day", low, high),
        ("rollup_hours", "hour", "hour", first, low * 24),
        ("rollup_hours", "hour", "hour", high * 24, end),
    ]


def _sum_up(names: list[str], spans: list[tuple[str, str, str, int, int]]) -> tuple[str, list[str]]:
    time = "t" if "hour" in names else "t / 24 * 24"
    columns = [time if name in ("hour", "day") else f"dims.{name}" for name in names]
    parts = [
        f"SELECT {hours} AS t, * FROM {table} WHERE {column} >= ? AND {column} < ?"  # noqa: S608
        for table, hours, column, *_ in spans
    ]
    by = ", ".join(columns)
    group = f" GROUP BY {by} ORDER BY {by}" if columns else ""
    picked = ", ".join([*columns, *_SUMS])
    sql = f"SELECT {picked} FROM ({' UNION ALL '.join(parts)}) JOIN dims ON dims.id = dim{group}"  # noqa: S608
    return sql, ["hour" if name == "day" else name for name in names] + list(MEASURES)


def _as_known(db: sqlite3.Connection, entry: Entry) -> Entry:
    """An entry with what was learnt since: an invoice's figures, and the retries that came late."""
    row = db.execute(_CORRECTION, (entry.id,)).fetchone()
    if row is not None:
        entry = corrected(entry, msgspec.json.decode(row[0], type=Correction))
    late = db.execute("SELECT count(*) FROM events WHERE id = ? AND kind = 'joined'", (entry.id,)).fetchone()[0]
    return structs.replace(entry, joined=entry.joined + late) if late else entry


def _top(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def _files(path: Path) -> tuple[Path, ...]:
    return path, path.with_name(path.name + "-wal")
