"""Who is alive: one locked file per process, and what becomes of the holds of those who are not.

The kernel drops a lock when its process dies, however it dies; whoever then gets it settles what was left behind, at
the full hold. Knows lock files and holds; knows nothing of event loops.
"""

from __future__ import annotations

import fcntl
import logging
import os
import uuid
from pathlib import Path

from msgspec import Struct

from ..core.entry import Entry, Hold
from .chain import encode
from .writer import Batch, Writer

log = logging.getLogger("demitasse.store")


class Recovered(Struct, frozen=True):
    """What was left behind by processes that died: calls, and what they are charged."""

    count: int = 0
    nanos: int = 0
    at_us: int = 0

    def __add__(self, other: Recovered) -> Recovered:
        return Recovered(self.count + other.count, self.nanos + other.nanos, max(self.at_us, other.at_us))


class Proc:
    """This process's place among those that write the ledger."""

    def __init__(self, data: Path) -> None:
        self.uuid = uuid.uuid4().hex
        self._path = lock_path(data, self.uuid)
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file: int | None = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def register(self, writer: Writer, now_us: int) -> None:
        """Enter the process, before it may hold anything."""

        def change(batch: Batch) -> None:
            batch.execute("INSERT INTO procs VALUES (?,?,?)", (self.uuid, os.getpid(), now_us))

        writer.commit([change])

    def leave(self, writer: Writer) -> None:
        """Strike the process off; if it leaves open holds, the next one to start finds and settles them."""

        def change(batch: Batch) -> bool:
            left = batch.execute("SELECT count(*) FROM holds WHERE proc = ?", (self.uuid,)).fetchone()[0]
            if left == 0:
                batch.execute("DELETE FROM procs WHERE uuid = ?", (self.uuid,))
            return bool(left)

        if not writer.commit([change])[0]:
            self._path.unlink(missing_ok=True)

    def let_go(self) -> None:
        """Drop the lock, as death would."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def lock_path(data: Path, uuid: str) -> Path:
    """Where a process's lock lies."""
    return data / "run" / f"{uuid}.lock"


def recover(data: Path, writer: Writer, own: str, now_us: int) -> Recovered:
    """Settle the open holds of processes that are no more, each as a ``lost`` Entry at its full hold."""
    total = Recovered()
    for (other,) in writer.db.execute("SELECT uuid FROM procs").fetchall():
        if other == own:
            continue
        path = lock_path(data, other)
        lock = _try_lock(path)
        if lock is None:
            continue
        try:
            total += _bury(writer, other, now_us)
            path.unlink(missing_ok=True)
        finally:
            os.close(lock)
    return total


def alive(data: Path) -> list[str]:
    """The processes that hold the store at this moment."""
    living = []
    for path in sorted((data / "run").glob("*.lock")):
        lock = _try_lock(path)
        if lock is None:
            living.append(path.stem)
        else:
            os.close(lock)
    return living


def lost(hold: Hold) -> Entry:
    """The entry of a call whose process died: nothing is known but what it may have cost at most."""
    return Entry(
        id=hold.id, at_us=hold.at_us, key=hold.key, kind="unknown", asked_model=hold.model, outcome="lost",
        request_id=hold.request_id, route=hold.route, model=hold.model, cost_nanos=hold.nanos, hold_nanos=hold.nanos,
        charges=hold.charges, estimated=True, flags=("recovered",), error="process_died",
    )  # fmt: skip


def _bury(writer: Writer, dead: str, now_us: int) -> Recovered:
    def change(batch: Batch) -> Recovered:
        rows = batch.execute("SELECT id, leaf FROM holds WHERE proc = ?", (dead,)).fetchall()
        holds = [batch.read_hold(id, leaf) for id, leaf in rows]
        for hold in holds:
            batch.settle(lost(hold))
        batch.execute("DELETE FROM procs WHERE uuid = ?", (dead,))
        found = Recovered(len(holds), sum(hold.nanos for hold in holds), now_us)
        if holds:
            batch.execute("INSERT OR REPLACE INTO meta VALUES ('recovered', ?)", (encode(found),))
        return found

    found: Recovered = writer.commit([change])[0]
    if found.count:
        log.warning("%d calls of a process that died were settled at their full holds", found.count)
    return found


def _try_lock(path: Path) -> int | None:
    """The lock of a dead process, or None while it lives. A missing file is a dead one: the data was moved here."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
