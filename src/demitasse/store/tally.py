"""Counts by day that auditors ask for and the roll-ups don't have, as they are read: what guards found and did, refusals,
fail-overs, changes.

The ledger's writer adds them up in the transaction that books a call; ``counts`` says what is counted. Rows from before it did
so are counted by the first look, once, some thousands at a time, beside a running gateway. Rows that retention has dropped since
stay counted.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Self

import msgspec
from msgspec import Struct

from ..core.entry import Entry
from ..core.errors import StoreError
from . import checkpoints
from .books import Reading
from .chain import decode_entry, encode
from .counts import CONFIGURATION, DAY_US, DOOR, HAPPENED, Name, configuration_of, counts_of, facts_of, written
from .marks import number
from .migrations import FILE, connect
from .trouble import trouble

OLD_FILE: Final = "tally.sqlite3"
"""Where the counts lay in earlier versions."""
BATCH_ROWS: Final = 5_000
MOST_NAMES: Final = 500
"""Of one kind in one day; the rarest beyond are told together as ``(others)``."""

_TOLD = ", ".join(f"'{kind}'" for kind in sorted(HAPPENED))
_ROWS = (
    "SELECT seq, kind, id, at_us, leaf, outcome IS NOT NULL FROM events WHERE seq > ? AND seq <= ? AND "  # noqa: S608 - ours
    f"(outcome IS NOT NULL OR kind IN ({_TOLD})) ORDER BY seq LIMIT ?"
)
_ADD = "INSERT INTO {} VALUES (?,?,?) ON CONFLICT (day, name) DO UPDATE SET n = n + excluded.n"
_CARRIED = "carried_configuration"

Row = tuple[int, str, str, int, bytes, int]
"""seq, kind, id, at_us, leaf, whether it closed a call."""


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


class Counting:
    """Rows in their order, counted as the writer counts them."""

    def __init__(self, configuration: str = "") -> None:
        self.configuration = configuration
        """The short hash of what was in force after the last row."""
        self.days: Counter[tuple[int, Name]] = Counter()
        self.happened: list[tuple[Any, ...]] = []
        """Rows of the table."""

    def take(self, rows: Iterable[Row]) -> Iterator[Entry]:
        """Count rows; gives the entries among them, for whoever has more to do with them."""
        for seq, kind, id, at_us, leaf, is_call in rows:
            if is_call:
                yield (entry := decode_entry(leaf))
                day = entry.at_us // DAY_US
                for name, n in counts_of(entry, self.configuration):
                    self.days[day, name] += n
                continue
            event = msgspec.json.decode(leaf)
            if not isinstance(event, dict):
                continue  # the row itself is found to be bad elsewhere
            if id == f"setting:{CONFIGURATION}":
                self.configuration = configuration_of(event.get("value"))
            if (facts := facts_of(kind, id, event)) is not None:
                self.happened.append((seq, at_us, kind, id, encode(facts)))

    def all(self, rows: Iterable[Row]) -> Self:
        """The same for whoever has not."""
        for _ in self.take(rows):
            pass
        return self

    def put(self, db: sqlite3.Connection, table: str = "tally_days") -> None:
        """Add the days to a table, inside a transaction of the caller's."""
        found: Counter[tuple[int, int]] = Counter()
        ids: dict[Name, int] = {}
        for (day, name), n in self.days.items():
            if name not in ids:
                row = (name[0], written(name))
                db.execute("INSERT OR IGNORE INTO tally_names (what, name) VALUES (?,?)", row)
                ids[name] = db.execute("SELECT id FROM tally_names WHERE what = ? AND name = ?", row).fetchone()[0]
            found[day, ids[name]] += n
        db.executemany(_ADD.format(table), [(*at, n) for at, n in found.items()])


class SqliteTally(Reading):
    """The counts of the ledger in the directory ``data``. Every method may raise StoreError."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self._data = Path(data)

    def fold(self, *, most: int | None = None, step: Callable[[int, int], None] = lambda _done, _all: None) -> Counted:
        """See that rows from before the writer counted are counted, at most about ``most`` of them now.

        ``step`` hears rows done and how many in all.
        """
        at, until = self._marks()
        if at < until:
            at = catch_up(self._data, most=most, step=step)
        return Counted(at, until) if at < until else Counted(*[self._top()] * 2)

    def days(self, since_us: int, until_us: int) -> dict[tuple[int, str, str], int]:
        """Counts by day (days since 1970-01-01 UTC), kind and name; whole days, the first and the last included."""
        sql = (
            "SELECT day, what, names.name, n FROM tally_days JOIN tally_names AS names ON names.id = tally_days.name "
            "WHERE day >= ? AND day < ? ORDER BY day, what, n DESC, names.name"
        )
        found: dict[tuple[int, str, str], int] = {}
        named: Counter[tuple[int, str]] = Counter()
        for day, what, name, n in self._rows(sql, (since_us // DAY_US, -(-until_us // DAY_US))):
            named[day, what] += 1
            at = (day, what, name if named[day, what] <= MOST_NAMES else "(others)")
            found[at] = found.get(at, 0) + n
        return found

    def happened(self, since_us: int, until_us: int) -> list[Happened]:
        """Events that are no calls, in their order."""
        sql = "SELECT at_us, kind, id, json FROM happened WHERE at_us >= ? AND at_us < ? ORDER BY seq"
        rows = self._rows(sql, (since_us, until_us))
        return [Happened(at_us, kind, id, msgspec.json.decode(text)) for at_us, kind, id, text in rows]

    def cards(self) -> list[Any]:
        """Price cards that were ever used, as JSON values; of one identity, the newest."""
        return [msgspec.json.decode(row[0]) for row in self._rows("SELECT json FROM cards ORDER BY version", ())]

    def checkpoints(self) -> list[checkpoints.Place]:
        """The signed checkpoints of the ledger, the oldest first."""
        with self._reading() as db:
            return checkpoints.kept(db)[0]

    def _marks(self) -> tuple[int, int]:
        with self._reading() as db:
            return marks(db)

    def _top(self) -> int:
        return int(self._rows("SELECT coalesce(max(seq), 0) FROM events", ())[0][0])

    def _rows(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._reading() as db:
            return db.execute(sql, values).fetchall()


def marks(db: sqlite3.Connection) -> tuple[int, int]:
    """Up to which row those from before the writer counted are counted, and which is the last of them.

    Raises sqlite3.DatabaseError: a mark is no number.
    """
    return number(db, "tallied"), number(db, "tally_until")


def catch_up(
    data: Path, *, most: int | None = None, step: Callable[[int, int], None] = lambda _done, _all: None
) -> int:
    """Count rows from before the writer did; returns the last one that is counted. Several processes may do so at once, and a
    gateway goes on writing. Raises StoreError.
    """
    (Path(data) / OLD_FILE).unlink(missing_ok=True)
    path = Path(data) / FILE
    db = connect(path, wait_ms=5_000)
    try:
        at, until = marks(db)
        first = at
        while at < until and (most is None or at - first < most):
            rows = db.execute(_ROWS, (at, until, BATCH_ROWS)).fetchall()
            end = rows[-1][0] if len(rows) == BATCH_ROWS else until
            counting = Counting(_before(db, at)).all(rows)
            db.execute("BEGIN IMMEDIATE")
            if marks(db)[0] == at:  # else another process was faster
                counting.put(db)
                db.executemany("INSERT OR IGNORE INTO happened VALUES (?,?,?,?,?)", counting.happened)
                db.execute("UPDATE meta SET v = ? WHERE k = 'tallied'", (end,))
            db.execute("COMMIT")
            at = marks(db)[0]
            step(at, until)
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"a row of {path} cannot be read, so nothing after it is counted: {error}; see: demitasse audit verify"
        ) from error
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
        db.close()
    return at


def _before(db: sqlite3.Connection, seq: int) -> str:
    """What was in force after this row, by what is counted already."""
    sql = "SELECT json FROM happened WHERE id = ? AND seq <= ? ORDER BY seq DESC LIMIT 1"
    row = db.execute(sql, (f"setting:{CONFIGURATION}", seq)).fetchone()
    return "" if row is None else configuration_of(msgspec.json.decode(row[0]).get("value"))


# ── what dropped rows came to, and whether all of it is what the rows say ───────────────────────────────────────────


def counting_of(db: sqlite3.Connection, first: int, end: int) -> tuple[Counting, list[Row] | sqlite3.Cursor]:
    """Rows of a stretch that begins where rows were dropped, and what is to count them."""
    row = db.execute("SELECT v FROM meta WHERE k = ?", (_CARRIED,)).fetchone()
    return Counting("" if row is None else str(row[0])), db.execute(_ROWS, (first - 1, end, -1))


def carry(db: sqlite3.Connection, first: int, end: int) -> None:
    """Keep what rows come to that are about to be dropped, inside the transaction that does so."""
    counting, rows = counting_of(db, first, end)
    counting.all(list(rows)).put(db, "carried_tally")
    db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (_CARRIED, counting.configuration))


def differing(db: sqlite3.Connection, counted: Counting) -> list[str]:
    """A sentence for each count that is not what the rows come to; rows that nobody has counted yet are no difference.

    ``counted``: all rows that are there.
    """
    at, until = marks(db)
    if at < until:
        return []
    told: Counter[tuple[int, str, str]] = Counter()
    for (day, name), n in counted.days.items():
        told[day, name[0], written(name)] += n
    sql = "SELECT day, what, names.name, n FROM {0} JOIN tally_names AS names ON names.id = {0}.name"
    for day, what, name, n in db.execute(sql.format("carried_tally")):
        told[day, what, name] += n
    kept = {row[:3]: row[3] for row in db.execute(sql.format("tally_days")) if row[1] != DOOR}
    return [
        f"day {day}, {what} {name!r}: {kept.get((day, what, name), 0)} in the counts and {told[day, what, name]} by the entries"
        for day, what, name in sorted(kept.keys() | told.keys())
        if kept.get((day, what, name), 0) != told[day, what, name]
    ] + _untrue(db, counted)


def _untrue(db: sqlite3.Connection, counted: Counting) -> list[str]:
    """What is told of events that are no calls, held against them."""
    first = db.execute("SELECT coalesce(min(seq), 0) FROM events").fetchone()[0]
    rows = db.execute("SELECT seq, at_us, kind, id, json FROM happened WHERE seq >= ?", (first,)).fetchall()
    kept = {row[0]: row[1:] for row in rows}
    says = {row[0]: row[1:] for row in counted.happened}
    return [
        f"what is told of row {seq} is not what the row says"
        for seq in sorted(kept.keys() | says.keys())
        if not _agree(kept.get(seq), says.get(seq))
    ]


def _agree(kept: tuple[Any, ...] | None, says: tuple[Any, ...] | None) -> bool:
    """Another version may have told more of an event, or less."""
    if kept is None or says is None or kept[:3] != says[:3]:
        return False
    one, other = msgspec.json.decode(kept[3]), msgspec.json.decode(says[3])
    return all(one[name] == other[name] for name in one.keys() & other.keys())
