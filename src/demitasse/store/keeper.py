"""The housekeeping beside the event loop: syncs, checkpoints, news from other processes, the dead ones' holds.

One daemon thread with its own connection, so that nothing slow ever runs where calls are answered. Knows files and
SQLite; knows nothing of calls.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from .changes import fold_days
from .marks import number
from .migrations import connect
from .procs import Recovered, recover
from .rollup import HOUR_US
from .trouble import is_locked
from .writer import Facts, Writer, read_facts, revision

log = logging.getLogger("demitasse.store")

TICK_S = 0.4
SYNC_EVERY = 2  # ticks: a power cut costs at most about a second
RECOVER_EVERY = 8  # ticks
IDLE_EVERY = 25  # ticks: a quiet store is tidied too
CHECKPOINT_EVENTS = 1_000
RESTART_FRAMES = (32 << 20) // 4096
TRUNCATE_BYTES = 128 << 20
DAY_US = 24 * HOUR_US
_PATIENCE_MS = 30  # a checkpoint that waits for readers keeps writers waiting: better to try again at the next tick


class Keeper:
    """Runs until ``stop``; tells ``see`` of new facts and ``found`` of recovered holds."""

    def __init__(
        self, path: Path, own: str, clock: Callable[[], int], see: Callable[[Facts], None],
        found: Callable[[Recovered], None],
    ) -> None:  # fmt: skip
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._own = own
        self._clock = clock
        self._see = see
        self._found = found
        self._db = connect(path, wait_ms=_PATIENCE_MS)
        self._writer = Writer(self._db, own)
        self._wal_file: int | None = None
        self._synced = (0, 0)
        self._moved = 0
        self._tidied = (0, 0)
        self._revision = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demitasse-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close its connection."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._wal_file is not None:
            os.close(self._wal_file)
            self._wal_file = None
        self._db.close()

    def _run(self) -> None:
        tick = 0
        while not self._end.wait(TICK_S):
            tick += 1
            try:
                self._tick(tick)
            except (sqlite3.Error, OSError) as error:
                # Writers meet the same trouble and tell the callers; here it is only tried again.
                level = logging.DEBUG if is_locked(error) else logging.WARNING
                log.log(level, "the ledger's housekeeping could not run: %s", error)

    def _tick(self, tick: int) -> None:
        if (at := revision(self._db)) != self._revision:
            self._see(read_facts(self._db))
            self._revision = at
        if tick % RECOVER_EVERY == 1:
            self._recover()
            self._fold()
        if tick % SYNC_EVERY == 0:
            self._sync()
        top = self._db.execute("SELECT max(seq) FROM events").fetchone()[0] or 0
        if top - self._moved >= CHECKPOINT_EVENTS or (tick % IDLE_EVERY == 0 and self._look() != self._tidied):
            self._checkpoint()
            self._moved, self._tidied = top, self._look()

    def _recover(self) -> None:
        found = recover(self._path.parent, self._writer, self._own, self._clock())
        if found.count:
            self._found(found)

    def _fold(self) -> None:
        """Once a day the hours of the day before are summed up."""
        today = self._clock() // DAY_US
        if number(self._db, "folded") < today:
            self._writer.commit([fold_days(today)])

    def _sync(self) -> None:
        """Bring the log to the disk, so that even a power cut loses no more than the last moment."""
        written = self._look()
        if written == self._synced or not written[0]:
            return
        if self._wal_file is None:
            # SQLite's locks lie on other files, so that closing this one cannot drop them.
            self._wal_file = os.open(self._wal, os.O_RDONLY | os.O_CLOEXEC)
        os.fdatasync(self._wal_file)
        self._synced = written

    def _checkpoint(self) -> None:
        """Move the log into the file, without the write lock where possible, and let the log begin anew.

        The log is used again, not cut off: writing over pages that the system has in memory takes half the time.
        """
        _, frames, moved = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if self._look()[0] > TRUNCATE_BYTES:
            _, frames, moved = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        elif frames > moved and frames > RESTART_FRAMES:
            _, frames, moved = self._db.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        if frames == moved:
            # Whoever writes next begins the log and syncs its header: better here than in the event loop.
            self._db.execute("UPDATE meta SET v = ? WHERE k = 'touched'", (self._clock(),))

    def _look(self) -> tuple[int, int]:
        """Size and time of the log's last change."""
        try:
            stat = self._wal.stat()
        except FileNotFoundError:
            return (0, 0)
        return (stat.st_size, stat.st_mtime_ns)
