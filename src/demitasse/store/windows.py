"""What the watch over drift has summed up of closed calls, by hour and route, in a file of its own. No texts.

It holds nothing that the ledger does not have: whoever deletes it loses the time to read the ledger anew, and where the watch
stood. A file of its own, so that the ledger's writer, which calls wait for, never waits for this one. Several processes on one
folder share the work: whoever comes first takes the next calls. Knows rows of bytes; knows nothing of what they mean.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..core.entry import Entry
from ..core.errors import StoreError
from .books import Reading
from .chain import decode_entry
from .transaction import transaction

FILE = "windows.sqlite3"
KEEP_DAYS = 70
_TABLES = (
    """CREATE TABLE IF NOT EXISTS hours (route TEXT NOT NULL, hour INTEGER NOT NULL, sketches BLOB NOT NULL,
       PRIMARY KEY (route, hour)) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS routes (name TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS meta (k TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID",
)

Fold = Callable[[bytes | None, list[Entry]], bytes]
"""Sketches of an hour as they were and further calls of it: the sketches as they are now."""


class Closed(Reading):
    """Closed calls in the order in which they were booked."""

    def after(self, seq: int, most: int) -> list[tuple[int, Entry]]:
        """The entries that come next, oldest first."""
        sql = "SELECT seq, leaf FROM events WHERE seq > ? AND outcome IS NOT NULL ORDER BY seq LIMIT ?"
        with self._reading() as db:
            return [(at, decode_entry(leaf)) for at, leaf in db.execute(sql, (seq, most))]

    def before(self, at_us: int) -> int:
        """The place before the first event of ``at_us`` or later, within a few events: events come nearly in order of time."""
        with self._reading() as db:
            low, high = 0, int(db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])
            while low < high:
                middle = (low + high) // 2
                row = db.execute("SELECT at_us FROM events WHERE seq > ? ORDER BY seq LIMIT 1", (middle,)).fetchone()
                if row is None or row[0] >= at_us:
                    high = middle
                else:
                    low = middle + 1
            return low


class Windows:
    """The file in the directory ``data``. May be used from one thread at a time. Every method may raise StoreError."""

    def __init__(self, data: Path) -> None:
        self.path = Path(data) / FILE
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._told():
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5.0)
            self.path.chmod(0o600)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            for table in _TABLES:
                self._db.execute(table)

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """What is read and written inside, no other process does meanwhile; all of it is kept, or nothing."""
        with self._told(), transaction(self._db):
            yield

    def follow(self, closed: Closed, fold: Fold, route_of: Callable[[Entry], str], *, since_us: int, most: int) -> int:
        """Sum up the calls that were closed since the last time; how many they were.

        Args:
            route_of: whose calls they are; "" is nobody's.
            since_us: where to begin when nothing was ever summed up.
            most: calls that are looked at.
        """
        with self.changing():
            kept = self.meta("seq")
            seq = closed.before(since_us) if kept is None else int(kept)
            rows = closed.after(seq, most)
            groups: dict[tuple[str, int], list[Entry]] = {}
            for _, entry in rows:
                if (route := route_of(entry)) and entry.at_us >= since_us:
                    groups.setdefault((route, entry.at_us // 3_600_000_000), []).append(entry)
            for at, entries in groups.items():
                row = self._db.execute("SELECT sketches FROM hours WHERE route = ? AND hour = ?", at).fetchone()
                self._db.execute("INSERT OR REPLACE INTO hours VALUES (?,?,?)", (*at, fold(row and row[0], entries)))
            self.set_meta("seq", str(rows[-1][0] if rows else seq).encode())
        return len(rows)

    def hours(self, route: str, first: int, end: int) -> dict[int, bytes]:
        """Of one route, hours since 1970 in [first, end), those with calls."""
        sql = "SELECT hour, sketches FROM hours WHERE route = ? AND hour >= ? AND hour < ?"
        with self._told():
            return dict(self._db.execute(sql, (route, first, end)).fetchall())

    def routes(self, since: int) -> dict[str, tuple[int, int]]:
        """Routes with calls since an hour: how many hours, and the first of them."""
        sql = "SELECT route, count(*), min(hour) FROM hours WHERE hour >= ? GROUP BY route"
        with self._told():
            return {name: (count, first) for name, count, first in self._db.execute(sql, (since,))}

    def states(self) -> Mapping[str, bytes]:
        """Where each route stands."""
        with self._told():
            return dict(self._db.execute("SELECT name, state FROM routes").fetchall())

    def put_state(self, route: str, state: bytes) -> None:
        with self._told():
            self._db.execute("INSERT OR REPLACE INTO routes VALUES (?,?)", (route, state))

    def meta(self, name: str) -> bytes | None:
        with self._told():
            row = self._db.execute("SELECT v FROM meta WHERE k = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def set_meta(self, name: str, value: bytes) -> None:
        with self._told():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (name, value))

    def forget(self, before: int) -> None:
        """Drop the hours before this one."""
        with self._told():
            self._db.execute("DELETE FROM hours WHERE hour < ?", (before,))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.path} cannot be used: {error}; if it is damaged, delete it: it is made anew from the ledger"
            ) from error
