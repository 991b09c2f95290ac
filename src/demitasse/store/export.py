"""A part of the ledger as one file that proves itself, written from the store; what its lines say and how they are checked
without the store is told in ``exported``.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..core.errors import StoreError
from . import checkpoints
from .checkpoints import Checkpoint
from .exported import KIND, PURPOSE, Header, Signed, Trailer, encode, line_of, row_line
from .migrations import FILE, connect
from .segments import Leaves
from .signing import Signer
from .tree import around
from .trouble import trouble

MOST_SEALS = 500
"""Checkpoints in an export, but for the last; more of them tell more narrowly which rows were changed."""


def span(db: sqlite3.Connection, since_us: int | None, until_us: int | None) -> tuple[int, int]:
    """The first and last row of events in [since_us, until_us): all rows between them belong to the answer.

    Raises StoreError: there are none.
    """
    wheres, values = ["1"], []
    for sign, bound in ((">=", since_us), ("<", until_us)):
        if bound is not None:
            wheres.append(f"at_us {sign} ?")
            values.append(bound)
    sql = f"SELECT min(seq), max(seq) FROM events WHERE {' AND '.join(wheres)}"  # noqa: S608 - ours
    low, high = db.execute(sql, values).fetchone()
    if low is None:
        raise StoreError("there are no rows in that time; see what there is with: demitasse ledger")
    return low, high


def write(
    data: Path, out: IO[bytes], signer: Signer, at_us: int, *, since_us: int | None = None, until_us: int | None = None
) -> tuple[int, int]:
    """Write the rows of [since_us, until_us) to ``out``; returns the first and the last. Signs a checkpoint where one is missing.

    Works beside a running gateway. Raises StoreError, OSError.
    """
    checkpoints.make(data, signer, at_us)
    path = Path(data) / FILE
    db = connect(path, wait_ms=2_000)
    try:
        db.execute("BEGIN")
        leaves = Leaves(db)
        low, high = span(db, since_us, until_us)
        seals = _seals(db, low, high, signer.public)
        digest = hashlib.sha256()
        for line in _lines(db, leaves, signer, low, high, seals, at_us):
            digest.update(line)
            out.write(line)
        signature = signer.seal(PURPOSE, digest.hexdigest().encode())
        out.write(line_of(encode(Trailer(KIND, high - low + 1, len(seals), digest.hexdigest(), signature))))
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        db.close()
    return low, high


def _lines(
    db: sqlite3.Connection, leaves: Leaves, signer: Signer, low: int, high: int, seals: list[Checkpoint], at_us: int
) -> Iterator[bytes]:
    proof = around(low - 1, high, seals[-1].size, leaves.node)
    key = "ed25519:" + base64.b64encode(signer.public).decode()
    yield line_of(encode(Header(KIND, key, low, high, tuple(h.hex() for h in proof.before), at_us)))
    waiting = list(seals)
    for seq, leaf in db.execute("SELECT seq, leaf FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq", (low, high)):
        yield row_line(seq, leaf)
        while waiting and (waiting[0].size == seq or seq == high):
            one = waiting.pop(0)
            after = around(low - 1, high, one.size, leaves.node).after if one.size > seq else ()
            yield line_of(encode(Signed(one.note, tuple(h.hex() for h in after))))


def _seals(db: sqlite3.Connection, low: int, high: int, public: bytes) -> list[Checkpoint]:
    """This key's checkpoints of these rows, and the first that covers them all; where they are very many, some of them."""
    found: list[Checkpoint] = []
    for (note,) in db.execute("SELECT note FROM checkpoints WHERE size >= ? ORDER BY size", (low,)):
        try:
            one = checkpoints.read(str(note))
        except ValueError:
            raise StoreError("a checkpoint in the ledger is damaged; see: demitasse audit verify") from None
        if one.public != public:
            continue
        found.append(one)
        if one.size >= high:
            return [*found[: -1 : len(found) // MOST_SEALS + 1], found[-1]]
    raise StoreError("no checkpoint covers these rows; make one with: demitasse audit checkpoint")
