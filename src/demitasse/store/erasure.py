"""Making somebody's texts unreadable for good: the keys go, the chain says so, and nothing in the chain has to change.

First the chain tells that it is done, then it is done: whoever was killed in between, or laid an old copy of the keys in their
place, is caught up with by the next start (``again``). Knows keys, bodies and the chain; nothing of caches in memory: a running
gateway follows the chain and empties its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from .bodies import drop_rows
from .migrations import FILE, connect, prepare
from .subjects import FILE as KEYS
from .subjects import Subject, open_file, told
from .trouble import trouble
from .writer import Batch, Writer

_PUT = "INSERT INTO erased VALUES (?,?) ON CONFLICT (subject) DO UPDATE SET at_us = max(at_us, excluded.at_us)"


class Erased(Struct, frozen=True):
    """An erasure as the chain tells it."""

    seq: int
    name: str
    """The subject's HMAC; or the tenant's, when ``tenant`` says so."""
    tenant: bool
    at_us: int


class Gone(Struct, frozen=True):
    """What an erasure destroyed."""

    subjects: int
    """Those that anything was known of."""
    bodies: int


def erase(
    data: Path,
    subjects: Iterable[Subject],
    at_us: int,
    *,
    tenant: bool = False,
    old_names: Iterable[str] = (),
    say: Mapping[str, str] | None = None,
) -> Gone:
    """Make the texts of ``subjects`` unreadable; ``tenant``: with all persons that these tenants name.

    ``old_names``: tenants as an older version wrote them, in plain; the chain does not tell those. ``say``: who has it
    done and why, for the chain. Works beside a running
    gateway, and may be done again. Raises StoreError; then it may be half done, and is to be done again.
    """
    wanted = list(subjects)
    path = Path(data) / FILE
    prepare(path)
    db = connect(path, wait_ms=5_000)

    def tell(batch: Batch) -> None:
        for subject in wanted:
            batch.note("erased", subject.name, at_us, tenant=tenant, **(say or {}))
        batch.revise()

    try:
        Writer(db, "audit").commit([tell])
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        db.close()
    done = _destroy(data, [(subject.name, at_us) for subject in wanted], tenant=tenant)
    old = _destroy(data, [(name, at_us) for name in old_names], tenant=False)
    return Gone(done.subjects + old.subjects, done.bodies + old.bodies)


def again(data: Path) -> Gone:
    """Do what the chain says was done: for keys that came back with a copy, and erasures that were broken off."""
    if not (Path(data) / KEYS).exists():
        return Gone(0, 0)
    told_of = erased(data)
    gone = [
        _destroy(data, [(one.name, one.at_us) for one in told_of if one.tenant is kind], tenant=kind)
        for kind in (False, True)
    ]
    return Gone(sum(one.subjects for one in gone), sum(one.bodies for one in gone))


def erased(data: Path, after: int = 0) -> list[Erased]:
    """The erasures that the chain tells of, after the row ``after``. Raises StoreError."""
    path = Path(data) / FILE
    db = connect(path, wait_ms=2_000)
    try:
        rows = db.execute(
            "SELECT seq, leaf FROM events WHERE kind = 'erased' AND seq > ? ORDER BY seq", (after,)
        ).fetchall()
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    finally:
        db.close()
    found = []
    for seq, leaf in rows:
        event = msgspec.json.decode(leaf)
        found.append(Erased(seq, event["id"], event["tenant"], event["at_us"]))
    return found


def _destroy(data: Path, names: list[tuple[str, int]], *, tenant: bool) -> Gone:
    """Keys first: from then on the texts are unreadable, wherever they lie."""
    column = "tenant" if tenant else "subject"
    gone: set[str] = set()
    with closing(open_file(data, wait_ms=5_000)) as db, told(data):
        db.execute("BEGIN IMMEDIATE")
        try:
            for name, at_us in names:
                # A key that was made since is of calls that came since.
                for table in ("salts", "subjects"):
                    where = f"FROM {table} WHERE {column} = ? AND created_us <= ?"
                    gone |= {row[0] for row in db.execute(f"SELECT subject {where}", (name, at_us))}
                    db.execute(f"DELETE {where}", (name, at_us))
                for subject in {*gone, name}:
                    db.execute(_PUT, (subject, at_us))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    # Rows that came since lie under a key that is there: they are not to go with those from before.
    return Gone(len(gone), drop_rows(data, gone))
