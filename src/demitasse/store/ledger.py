"""The ledger on SQLite: what is asked for in one turn of the event loop, or two, is committed as one transaction.

Knows the event loop, who waits for what, and patience with a file that is locked or full; what a transaction does is
the Writer's business. A commit is a write into the operating system's cache: a killed process loses nothing of it, a
power cut at most the last second (``durability="full"`` syncs every commit, in a thread).
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, Self

from ..core.entry import Entry, Hold
from ..core.errors import DemitasseError, StoreError
from ..core.evidence import Label
from ..core.ledger import Denied
from ..core.limits import Alert, Budget, Key
from ..core.policy import Certificate, CertificateState
from . import changes
from .keeper import Keeper
from .migrations import connect
from .procs import Proc, Recovered, lost, recover
from .settings import Settings, now_us
from .trouble import is_locked, trouble
from .writer import Op, Writer

log = logging.getLogger("demitasse.store")

PATIENCE_S = 5.0
_GROUP = 64
_FIRST_DELAY_S, _LAST_DELAY_S, _SICK_DELAY_S = 0.001, 0.05, 0.25
_NOBODY: asyncio.Future[Any] | None = None

Waiter = asyncio.Future[Any] | None


class SqliteLedger(Settings):
    """The writing side, one per process and file; ``core.ledger.Ledger`` is the contract, ``open`` is how to begin.

    An entry that was given to ``settle`` or ``post`` is never dropped: while the file cannot be written, ``settle``
    raises StoreError after some seconds, and the entry is committed as soon as it can be. Only holds fail for good.
    """

    def __init__(
        self, data: Path, *, clock: Callable[[], int] = now_us, durability: Literal["normal", "full"] = "normal"
    ) -> None:
        super().__init__(data, clock=clock)
        self.recovered = Recovered()
        self._proc = Proc(self.data)
        self._writer = Writer(connect(self.path, wait_ms=0, full=durability == "full"), self._proc.uuid)
        self._proc.register(self._side, clock())
        self._note(recover(self.data, self._side, self._proc.uuid, clock()))
        self._thread = ThreadPoolExecutor(1, "demitasse-ledger") if durability == "full" else None
        self._keeper = Keeper(self.path, self._proc.uuid, clock, self._see, self._note)
        self._keeper.start()
        self._ops: list[Op] = []
        self._waiters: list[Waiter] = []
        self._due = False
        self._gathered = 0
        self._since: float | None = None
        self._delay = _FIRST_DELAY_S
        self._sick: StoreError | None = None
        self._closed = False

    @classmethod
    def open(
        cls, data: Path, *, clock: Callable[[], int] = now_us, durability: Literal["normal", "full"] = "normal"
    ) -> Self:
        """Open or create ``data/ledger.sqlite3`` and settle what dead processes left behind.

        ``clock`` gives UTC microseconds. May be called inside or outside a running loop. Raises StoreError.
        """
        try:
            return cls(data, clock=clock, durability=durability)
        except sqlite3.Error as error:
            raise trouble(Path(data), error) from error

    def hold(self, hold: Hold) -> Awaitable[Denied | None]:
        """Set money aside; see the contract. A waiter that is cancelled before the commit holds nothing; one that is
        cancelled after it must post an entry, as for any other call."""
        if self._sick is not None:
            raise self._sick
        return self._submit(hold)

    def settle(self, entry: Entry) -> Awaitable[None]:
        """Close a call; see the contract. A second entry of the same id is left out, with a line in the log."""
        return self._submit(entry)

    def post(self, entry: Entry) -> None:
        """As ``settle``, for those who may not await; outside a loop it is committed by ``close``."""
        self._queue(entry)

    def _queue(self, op: Op) -> None:
        self._ops.append(op)
        self._waiters.append(_NOBODY)
        if not self._due:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return
            self._due = True
            loop.call_soon(self._gather)

    async def flush(self) -> None:
        """Returns when everything posted so far is committed."""
        await self._submit(_nothing)

    def budgets(self) -> Sequence[Budget]:
        """All budgets, by name, from memory."""
        return tuple(self._facts.budgets.values())

    def keys(self) -> Sequence[Key]:
        """All keys, from memory; a paused ``local`` is among them, without a secret."""
        return self._facts.keys

    def paused(self) -> Mapping[str, str]:
        """Names of the keys that are stopped (``local`` included) and why, from memory."""
        return self._facts.paused

    def join(self, id: str, at_us: int) -> None:
        """A client's retry got the answer of a closed call; queued like ``post``."""
        self._queue(changes.join(id, at_us))

    def look(self) -> None:
        """Take up at once what other processes have set: one row is read. Not while a change is being written here."""
        if self._lock.acquire(blocking=False):  # the event loop waits for no lock
            self._lock.release()
            self._look()

    @property
    def revision(self) -> int:
        """Rises whenever keys, budgets, settings or certificates changed."""
        return self._facts.revision

    async def pause_key(self, key: str, why: str | None, at_us: int) -> None:
        """Stop a key (``local`` included) with a reason, or resume it with None."""
        await self._submit(changes.pause_key(key, why, at_us))

    async def alert(self, alert: Alert) -> None:
        """Record that a person was told."""
        await self._submit(changes.raise_alert(alert))

    async def label(self, label: Label) -> None:
        """Keep evidence about an answer; see ``core.evidence.EvidenceStore``."""
        await self._submit(changes.post_label(label))

    async def certificate(self, certificate: Certificate, state: CertificateState, at_us: int, why: str = "") -> None:
        """Keep a certificate in this state; see ``core.evidence.EvidenceStore`` and ``core.policy.FOLLOWING``."""
        await self._submit(changes.put_certificate(certificate, state, at_us, why))

    def promoted(self) -> Sequence[Certificate]:
        """The certificates whose policies serve, from memory."""
        return self._facts.promoted

    def close(self) -> None:
        """Commit what is queued, strike this process off, close the file. Raises StoreError if that cannot be done."""
        if self._closed:
            return
        self._closed = True
        self._keeper.stop()
        if self._thread is not None:
            self._thread.shutdown(wait=True)
        try:
            self._last_commit()
            self._proc.leave(self._side)
        except sqlite3.Error as error:
            raise trouble(self.path, error) from error
        finally:
            self._proc.let_go()
            self._writer.db.close()
            super().close()

    def _submit(self, op: Op) -> asyncio.Future[Any]:
        if self._closed:
            raise StoreError(f"the ledger {self.path} is closed; start Demitasse again")
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._ops.append(op)
        self._waiters.append(future)
        if not self._due:
            self._due = True
            loop.call_soon(self._gather)
        return future

    def _gather(self) -> None:
        """Commit once a turn of the loop has brought nothing more: what many sockets ask for shares one transaction.

        The other tasks that a poll woke run after this; not waiting for their turn would make groups of one.
        """
        count = len(self._ops)
        if self._gathered < count < _GROUP:
            self._gathered = count
            asyncio.get_running_loop().call_soon(self._gather)
        else:
            self._gathered = 0
            self._flush()

    def _flush(self) -> None:
        """Commit the queue; after gathering, or after a pause."""
        if self._closed:
            return
        ops, waiters = self._take()
        if self._thread is None:
            try:
                answers = self._writer.commit(ops)
            except Exception as error:  # noqa: BLE001 every kind is told apart and answered in _failed
                self._failed(ops, waiters, error)
            else:
                self._done(waiters, answers)
            return
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._writer.commit, ops)
        work.add_done_callback(lambda done: self._committed(ops, waiters, done))

    def _take(self) -> tuple[list[Op], list[Waiter]]:
        ops, waiters = self._ops, self._waiters
        self._ops, self._waiters = [], []
        if any(waiter is not None and waiter.cancelled() for waiter in waiters):
            kept = [
                (op, waiter)
                for op, waiter in zip(ops, waiters, strict=True)
                if not (type(op) is Hold and waiter is not None and waiter.cancelled())
            ]
            ops, waiters = [op for op, _ in kept], [waiter for _, waiter in kept]
        return ops, waiters

    def _committed(self, ops: list[Op], waiters: list[Waiter], work: asyncio.Future[list[Any]]) -> None:
        error = work.exception()
        if error is None:
            self._done(waiters, work.result())
        else:
            self._failed(ops, waiters, error)

    def _done(self, waiters: list[Waiter], answers: list[Any]) -> None:
        self._due = False
        if self._since is not None:
            self._since, self._sick, self._delay = None, None, _FIRST_DELAY_S
        if self._writer.facts is not self._facts:
            self._see(self._writer.facts)
        for waiter, answer in zip(waiters, answers, strict=True):
            if waiter is not None and not waiter.done():
                if isinstance(answer, DemitasseError):
                    waiter.set_exception(answer)
                else:
                    waiter.set_result(answer)
        if self._ops:
            self._due = True
            asyncio.get_running_loop().call_soon(self._gather)

    def _failed(self, ops: list[Op], waiters: list[Waiter], error: BaseException) -> None:
        """Nothing was committed: keep what may not be lost, tell who has waited long enough, try again later."""
        if not isinstance(error, sqlite3.OperationalError) and not _damaged(error):
            self._one_by_one(ops, waiters)
            return
        now = time.monotonic()
        if self._since is None:
            self._since = now
        locked = is_locked(error)
        if not locked or now - self._since > PATIENCE_S:
            told = trouble(self.path, error)
            if not locked:
                self._sick = told
            ops, waiters = _tell(ops, waiters, told)
        self._ops[:0], self._waiters[:0] = ops, waiters
        if not self._ops and locked:
            self._due, self._since, self._delay = False, None, _FIRST_DELAY_S
            return
        if not self._ops:
            self._ops, self._waiters = [_nothing], [_NOBODY]  # finds out when the file can be written again
        delay = self._delay if locked else _SICK_DELAY_S
        self._delay = min(self._delay * 2, _LAST_DELAY_S)
        asyncio.get_running_loop().call_later(delay, self._flush)

    def _one_by_one(self, ops: list[Op], waiters: list[Waiter]) -> None:
        """One of the group cannot be written at all: find it, so that it does not keep the others from being booked."""
        for at, (op, waiter) in enumerate(zip(ops, waiters, strict=True)):
            try:
                answers = self._writer.commit([op])
            except sqlite3.OperationalError as error:
                self._failed(ops[at:], waiters[at:], error)
                return
            except Exception as error:
                log.exception("an operation on the ledger could not be written")
                told = StoreError(
                    f"the ledger could not write {type(op).__name__.lower()}: {error}; please report this"
                )
                if isinstance(op, Entry):
                    self._bury(op)
                if waiter is not None and not waiter.done():
                    waiter.set_exception(told)
            else:
                self._done([waiter], answers)
        self._done([], [])

    def _bury(self, entry: Entry) -> None:
        """The call of an entry that cannot be written is booked at its full hold."""
        held = self._writer.open.get(entry.id)
        if held is not None:
            self._ops.append(lost(held))
            self._waiters.append(_NOBODY)

    def _last_commit(self) -> None:
        if not self._ops:
            return
        ops, waiters = self._take()
        self._writer.db.execute("PRAGMA busy_timeout=5000")
        answers = self._writer.commit(ops)
        for waiter, answer in zip(waiters, answers, strict=True):
            if waiter is not None and not waiter.done() and not waiter.get_loop().is_closed():
                waiter.set_result(answer)

    def _note(self, found: Recovered) -> None:
        self.recovered += found


def _nothing(_batch: Any) -> None:
    """A change that changes nothing: whoever waits for it waits for all before it."""


def _damaged(error: BaseException) -> bool:
    return type(error) is sqlite3.DatabaseError


def _tell(ops: list[Op], waiters: list[Waiter], told: StoreError) -> tuple[list[Op], list[Waiter]]:
    """Raise ``told`` to all who wait; what is left are the entries, now without a waiter."""
    for waiter in waiters:
        if waiter is not None and not waiter.done():
            waiter.set_exception(told)
    entries: list[Op] = [op for op in ops if type(op) is Entry]
    return entries, [_NOBODY] * len(entries)
