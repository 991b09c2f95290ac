"""Is what is kept what was written? Recomputes the chain, the sums and budgets from the entries, and what is enforced.

Reads only; knows the tables and the chain, nothing of who asks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from . import tally
from .chain import GENESIS, decode_entry, decode_hold, facts, leaf_hash, link
from .changes import Correction, corrected, label_name
from .enforced import Compared, compare
from .evidence import read_label
from .marks import amiss, number
from .migrations import FILE, connect, prepare
from .rollup import DIMENSIONS, HOUR_US, MEASURES, Sums, dimensions, measures
from .segments import LEVEL, ROWS, rows
from .tally import Counting
from .tree import Frontier
from .trouble import trouble


class _State(Struct):
    state: str
    certificate: Raw


_read_certificate = msgspec.json.Decoder(_State).decode
K = TypeVar("K")

_COLUMNS = "seq, leaf, chain, id, kind, at_us, key, route, model, outcome, cost_nanos, request_id"
_LATE = (
    "SELECT closing.leaf FROM events AS joined JOIN events AS closing USING (id) "
    "WHERE joined.kind = 'joined' AND closing.outcome IS NOT NULL AND joined.seq > closing.seq"
)
Place = tuple[int, tuple[str, ...]]
Step = Callable[[int, int], None]


class Followed(Struct):
    """What the rows come to, read from the first to the last."""

    size: int = 0
    """Rows, those that were dropped included."""
    dropped: int = 0
    bad: int | None = None
    """The first row that is not what was written; nothing after it was read."""
    chain: bytes = GENESIS
    root: bytes = b""
    roots: dict[int, bytes] = {}
    """The root at each size that was asked for, and at the end of what was dropped."""
    differing: list[str] = []
    """Segments whose kept hash is not what their rows come to, as sentences."""


def verify(data: Path) -> tuple[bool, int | None]:
    """Recompute the chain of the ledger in ``data``: whether all is as it was written, else the first row that is not.

    A row that is gone, out of place, or whose columns say something else than its leaf, counts as changed. Raises
    StoreError when the file cannot be read.
    """
    path = Path(data) / FILE
    prepare(path)
    db = connect(path, wait_ms=2_000)
    try:
        return _follow(db)
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        db.close()


def recount(data: Path) -> list[str]:
    """Sum the entries, corrections and open holds anew and compare with the roll-ups and the budgets; evidence, keys, limits,
    settings, alerts and cards likewise.

    Returns a sentence for each difference; none when the books agree with themselves. Raises StoreError.
    """
    return recounted(data).differing


def recounted(data: Path) -> Compared:
    """As ``recount``, and what could not be compared, as sentences. Raises StoreError."""
    path = Path(data) / FILE
    prepare(path)
    db = connect(path, wait_ms=2_000)
    try:
        db.execute("BEGIN")
        if wrong := amiss(db):  # what the rest is read by
            return Compared(wrong, [])
        sums, used, counts = _anew(db)
        found = compare(db)
        wrong = [*found.differing, *_compare_sums(db, sums), *_compare_days(db)]
        wrong += [*_compare_used(db, used), *_compare_evidence(db), *tally.differing(db, counts)]
        return Compared(wrong, found.uncompared)
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        db.close()


def follow(db: sqlite3.Connection, sizes: Iterable[int] = (), step: Step = lambda _done, _total: None) -> Followed:
    """Read all rows, recompute chain and tree, and note the root at each of ``sizes``. Inside one transaction.

    ``step``: told how many rows were read since it was last told, and of how many.
    """
    total = rows(db)
    done = Followed(roots={}, differing=[])
    segments = db.execute("SELECT at, hash, chain, dropped_us IS NOT NULL FROM segments ORDER BY at").fetchall()
    frontier, chain = Frontier(), GENESIS
    wanted = set(sizes)
    for at, hash, after, gone in segments:
        if gone and at == frontier.size >> LEVEL:
            frontier.add(LEVEL, bytes(hash))
            chain = bytes(after)
            if frontier.size in wanted:
                done.roots[frontier.size] = frontier.root()
    done.dropped = frontier.size
    done.roots[frontier.size] = frontier.root()
    known = {at: (bytes(hash), bytes(after)) for at, hash, after, gone in segments if not gone}
    expected = frontier.size + 1
    segment = Frontier()
    for seq, leaf, kept, *columns in db.execute(f"SELECT {_COLUMNS} FROM events ORDER BY seq"):  # noqa: S608
        if seq != expected or not isinstance(leaf, bytes) or not _says(columns, leaf):
            done.bad = min(seq, expected)
            break
        chain = link(chain, leaf)
        if chain != kept:
            done.bad = seq
            break
        segment.append(leaf_hash(leaf))
        if segment.size == ROWS or seq in wanted:
            if segment.size == ROWS:
                step(ROWS, total)
                at = (seq - 1) >> LEVEL
                if known.pop(at, (segment.root(), chain)) != (segment.root(), chain):
                    done.differing.append(f"rows {seq - ROWS + 1} to {seq} are not what their segment's hash says")
                frontier.add(LEVEL, segment.root())
                segment = Frontier()
            if seq in wanted:
                done.roots[seq] = _with(frontier, segment).root()
        expected += 1
    else:
        done.differing += [f"segment {at} is kept, and its rows are not there" for at in known]
    done.size, done.chain, done.root = expected - 1, chain, _with(frontier, segment).root()
    return done


def _with(frontier: Frontier, segment: Frontier) -> Frontier:
    """The rows of whole segments and those of one that has begun."""
    both = Frontier(frontier.size, frontier.hashes)
    for at, hash in zip(_levels(segment.size), segment.hashes, strict=True):
        both.add(at, hash)
    return both


def _levels(size: int) -> list[int]:
    """Of the whole subtrees that so many leaves come to, the largest first."""
    return [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]


def _follow(db: sqlite3.Connection) -> tuple[bool, int | None]:
    db.execute("BEGIN")
    done = follow(db)
    return done.bad is None, done.bad


def _says(columns: list[object], leaf: bytes) -> bool:
    try:
        return facts(str(columns[1]), leaf) == tuple(columns)
    except (msgspec.DecodeError, AttributeError):
        return False


def _anew(db: sqlite3.Connection) -> tuple[dict[Place, Sums], dict[tuple[str, str], list[int]], Counting]:
    # What rows came to that were dropped is kept; all else follows from the rows that are there.
    names = ", ".join((*DIMENSIONS, *MEASURES))
    carried = db.execute(f"SELECT hour, {names} FROM carried_hours JOIN dims ON dims.id = dim")  # noqa: S608
    sums: dict[Place, Sums] = {(row[0], row[1:7]): list(row[7:]) for row in carried}
    used = {
        (budget, at): [nanos, 0] for budget, at, nanos in db.execute("SELECT budget, window, nanos FROM carried_used")
    }
    invoiced = {
        id: msgspec.json.decode(said, type=Correction) for id, said in db.execute("SELECT id, json FROM corrections")
    }
    counting, found = tally.counting_of(db, 1, rows(db))
    for booked in counting.take(found):
        entry = corrected(booked, invoiced.get(booked.id))
        at, row = (entry.at_us // HOUR_US, dimensions(entry)), measures(entry)
        present = sums.get(at)
        sums[at] = row if present is None else [a + b for a, b in zip(present, row, strict=True)]
        for charge in entry.charges:
            used.setdefault((charge.budget, charge.window), [0, 0])[0] += charge.nanos
    joined = MEASURES.index("joined")
    for (leaf,) in db.execute(_LATE):
        entry = decode_entry(leaf)
        sums[entry.at_us // HOUR_US, dimensions(entry)][joined] += 1
    for (leaf,) in db.execute("SELECT leaf FROM holds"):
        for charge in decode_hold(leaf).charges:
            used.setdefault((charge.budget, charge.window), [0, 0])[1] += charge.nanos
    return sums, used, counting


def _compare_sums(db: sqlite3.Connection, sums: dict[Place, Sums]) -> list[str]:
    said = []
    names = ", ".join((*DIMENSIONS, *MEASURES))
    kept = {
        (row[0], row[1:7]): row[7:]
        for row in db.execute(f"SELECT hour, {names} FROM rollup_hours JOIN dims ON dims.id = dim")  # noqa: S608
    }
    for at in kept.keys() | sums.keys():
        for name, a, b in zip(MEASURES, kept.get(at, (0,) * 99), sums.get(at, [0] * 99), strict=False):
            if abs(a - b) > 1e-6 * max(abs(a), 1):
                said.append(f"hour {at[0]}, {'/'.join(at[1])}: {name} is {a} in the roll-up and {b} by the entries")
    return sorted(said)


def _compare_days(db: sqlite3.Connection) -> list[str]:
    """Days that were summed up must be what their hours come to."""
    folded, names = number(db, "folded"), ", ".join(MEASURES)
    added = ", ".join(f"sum({name})" for name in MEASURES)
    hours = f"SELECT hour / 24, dim, {added} FROM rollup_hours WHERE hour / 24 < ? GROUP BY hour / 24, dim"  # noqa: S608
    told = {row[:2]: row[2:] for row in db.execute(hours, (folded,))}
    days = f"SELECT day, dim, {names} FROM rollup_days WHERE day < ?"  # noqa: S608
    kept = {row[:2]: row[2:] for row in db.execute(days, (folded,))}
    return [
        f"day {at[0]}: what is summed up is not what its hours come to"
        for at in sorted(kept.keys() | told.keys())
        if any(
            abs(a - b) > 1e-6 * max(abs(a), 1)
            for a, b in zip(kept.get(at, (0,) * 99), told.get(at, (0,) * 99), strict=False)
        )
    ]


def _compare_used(db: sqlite3.Connection, used: dict[tuple[str, str], list[int]]) -> list[str]:
    said = []
    kept = {
        (row[0], row[1]): row[2:] for row in db.execute("SELECT budget, window, settled_nanos, held_nanos FROM used")
    }
    for at in sorted(kept.keys() | used.keys()):
        for name, a, b in zip(("settled", "held"), kept.get(at, (0, 0)), used.get(at, [0, 0]), strict=True):
            if a != b:
                said.append(f"budget {at[0]!r} in {at[1]}: {name} is {a} nanos and {b} by the events")
    return said


def _compare_evidence(db: sqlite3.Connection) -> list[str]:
    """Labels and certificates must be what the chain's events come to."""
    labels: dict[tuple[str, ...], tuple[int, str, int]] = {}
    certificates: dict[str, tuple[str, int, int, bytes]] = {}
    events = "SELECT seq, id, kind, at_us, leaf FROM events WHERE kind IN ('labelled', 'certificate') ORDER BY seq"
    for seq, id, kind, at_us, leaf in db.execute(events):
        if kind == "labelled":
            label = read_label(leaf)
            labels[id, label.source, label_name(label)] = (seq, label.route, at_us)
        else:
            event = _read_certificate(leaf)
            certificates[id] = (event.state, at_us, seq, bytes(event.certificate))
    kept = {row[:3]: row[3:] for row in db.execute("SELECT id, source, name, seq, route, at_us FROM labels")}
    first = db.execute("SELECT min(seq) FROM events").fetchone()[0] or 0
    states = db.execute("SELECT id, state, at_us, seq, json FROM certificates WHERE seq >= ?", (first,))
    held = {row[0]: row[1:] for row in states}
    said = [f"the label of {'/'.join(at)} is not the last one in the chain" for at in _differing(kept, labels)]
    return said + [f"certificate {id} is not what the chain says" for id in _differing(held, certificates)]


def _differing(kept: Mapping[K, object], told: Mapping[K, object]) -> list[K]:
    return sorted(at for at in kept.keys() | told.keys() if kept.get(at) != told.get(at))  # type: ignore[type-var]
