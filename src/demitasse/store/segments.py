"""The tree over the ledger's rows, as far as it is kept: one hash for every 1,024 rows, the rest is computed from it.

A segment is written once its rows are there, by whoever makes a checkpoint, never in the way of a call. When its rows are
dropped its hash stays, and with it every root. Knows the tables; knows nothing of signatures.
"""

from __future__ import annotations

import sqlite3

from ..core.errors import StoreError
from .chain import leaf_hash
from .tree import Frontier, grown, root

LEVEL = 10
ROWS = 1 << LEVEL
"""Rows of a segment."""
_AT_ONCE = 32
_PUT = "INSERT OR IGNORE INTO segments (at, hash, chain, last_us) VALUES (?,?,?,?)"


class Leaves:
    """The tree of one moment of the ledger; ``node`` is what ``tree`` asks for. Use it inside one transaction.

    Raises StoreError where a row is gone, or where rows are asked for that were dropped.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.size = rows(db)
        kept = db.execute("SELECT at, hash, dropped_us IS NOT NULL FROM segments ORDER BY at").fetchall()
        self._segments = [bytes(hash) for _, hash, _ in kept]
        self.dropped = ROWS * sum(gone for *_, gone in kept)
        """So many rows are there no more: the first ones."""
        if [at for at, *_ in kept] != list(range(len(kept))):
            raise StoreError("the list of segments in the ledger has a gap; see: demitasse audit verify")
        for at in range(len(kept), self.size // ROWS):
            self._segments.append(self._hash_of(at))
        self._upper = grown(self._segments, LEVEL)
        self._lower: tuple[int, dict[tuple[int, int], bytes]] = (-1, {})

    def node(self, level: int, at: int) -> bytes:
        """The hash of a whole subtree."""
        if level >= LEVEL:
            return self._upper[level, at]
        segment = at << level >> LEVEL
        if self._lower[0] != segment:
            self._lower = segment, grown(self.hashes(segment))
        return self._lower[1][level, at - (segment << LEVEL - level)]

    def root(self, size: int | None = None) -> bytes:
        """The root over the first ``size`` rows, or over all."""
        return root(self.size if size is None else size, self.node)

    def hashes(self, segment: int) -> list[bytes]:
        """The leaf hashes of a segment's rows, of those that are there yet."""
        found = _read(self._db, segment, self.size)
        return [leaf_hash(leaf) for leaf, *_ in found]

    def _hash_of(self, segment: int) -> bytes:
        return _root(self.hashes(segment))


def rows(db: sqlite3.Connection) -> int:
    """How many rows the ledger has had."""
    return int(db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def fill(db: sqlite3.Connection) -> int:
    """Write the segments that are whole by now and not there yet; returns how many. Several processes may do so at once."""
    written = 0
    while True:
        have = db.execute("SELECT count(*) FROM segments").fetchone()[0]
        size = rows(db)
        wanted = range(have, min(size // ROWS, have + _AT_ONCE))
        if not wanted:
            return written
        made = []
        for at in wanted:
            found = _read(db, at, size)
            hash = _root([leaf_hash(leaf) for leaf, *_ in found])
            made.append((at, hash, found[-1][1], max(at_us for *_, at_us in found)))
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany(_PUT, made)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        written += len(made)


def _root(hashes: list[bytes]) -> bytes:
    frontier = Frontier()
    for hash in hashes:
        frontier.append(hash)
    return frontier.root()


def _read(db: sqlite3.Connection, segment: int, size: int) -> list[tuple[bytes, bytes, int]]:
    """Leaf, chain and time of a segment's rows."""
    first, end = segment * ROWS + 1, min((segment + 1) * ROWS, size) + 1
    sql = "SELECT seq, leaf, chain, at_us FROM events WHERE seq >= ? AND seq < ? ORDER BY seq"
    found = db.execute(sql, (first, end)).fetchall()
    for seq, row in enumerate(found, first):
        if row[0] != seq or not isinstance(row[1], bytes):
            raise StoreError(f"row {seq} of the ledger is not there; see: demitasse audit verify")
    if len(found) != end - first:
        raise StoreError(f"row {first + len(found)} of the ledger is not there; see: demitasse audit verify")
    return [(leaf, bytes(chain), at_us) for _, leaf, chain, at_us in found]
