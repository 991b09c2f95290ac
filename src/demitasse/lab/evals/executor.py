"""Work in pieces, on this machine's cores or elsewhere, each piece once. Knows bytes and functions by name; knows no evaluation.

    async for index, result in Local(4, journal=folder).map("demitasse.lab.evals.embedding:embed", pieces):
        ...

A piece is bytes, the function takes bytes and gives bytes, and is named by its import path, so that it can run in any process
that has this package. Results come as they are done, with their piece's index. With a ``journal`` folder what was done once is
not done again: results are kept under the hash of function, edition and piece, and whoever is killed at any point goes on from
there. Two processes on one folder share the work: a piece is locked by who runs it, and the kernel drops the lock of a process
that dies.

There is one way through here; `Local` and ``executor_ray.Ray`` are the two places where a piece can run (`Place`).
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import threading
import traceback
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from ...core.errors import DemitasseError
from .executor_kept import ExecutorError, Kept, key_of

__all__ = [
    "Executor",
    "ExecutorError",
    "Local",
    "PiecesFailed",
    "Place",
    "Said",
    "WorkerLost",
    "call",
    "executor",
    "key_of",
    "named",
]

Function = Callable[[bytes], bytes]
RETRIES: Final = 2
"""How often a piece whose worker died is tried again."""
_POLL_S: Final = 0.1
_SHOWN: Final = 3


class PiecesFailed(DemitasseError):
    """Some pieces failed; all others are done, handed out and kept. ``failed``: why, by index."""

    def __init__(self, failed: dict[int, str]) -> None:
        self.failed = failed
        first = "; ".join(f"piece {index}: {why}" for index, why in list(failed.items())[:_SHOWN])
        more = f"; and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
        super().__init__(
            f"{len(failed)} of the pieces failed ({first}{more}); what is done is kept, run it again for the rest"
        )


class WorkerLost(Exception):
    """The process that ran a piece died. ``sure``: it was this piece's own and no neighbour's."""

    def __init__(self, *, sure: bool) -> None:
        self.sure = sure
        super().__init__("its worker died")


class Said(NamedTuple):
    """What became of a piece: its result, or why the function failed."""

    result: bytes | None
    why: str = ""


class Place(Protocol):
    """Where one piece runs. ``width``: how many are under way at once."""

    width: int

    async def run(self, function: str, piece: bytes) -> Said:
        """Run one piece. Raises WorkerLost."""
        ...

    async def close(self) -> None:
        """Give back what it holds; it may be used again afterwards."""
        ...


class Executor:
    """Maps a function over pieces at a `Place`.

    Args:
        journal: where results are kept; None: nowhere, and a run begins anew.
        edition: of whatever else the results depend on: the function's version, a model's hash.
        retries: for pieces whose worker died. A function's own exception is not tried again.
    """

    def __init__(self, place: Place, *, journal: Path | None = None, edition: str = "", retries: int = RETRIES) -> None:
        self._place = place
        self._journal = journal
        self._edition = edition
        self._retries = retries

    async def map(self, function: str, pieces: Sequence[bytes]) -> AsyncGenerator[tuple[int, bytes], None]:
        """Each piece's index and result, in the order in which they are done. Equal pieces are run once.

        Args:
            function: ``package.module:name`` of a `Function`.

        Raises:
            ExecutorError: no such function, or the journal can't be written.
            PiecesFailed: at the end, when some failed.
        """
        named(function)
        run = _Run(self._place, function, pieces, Kept(self._journal), self._edition, self._retries)
        try:
            async for found in run.results():
                yield found
        finally:
            await run.stop()
            await self._place.close()
        if run.failed:
            raise PiecesFailed(dict(sorted(run.failed.items())))


def Local(  # noqa: N802 - reads as the noun that it makes
    workers: int | None = None, *, journal: Path | None = None, edition: str = "", retries: int = RETRIES
) -> Executor:
    """On this machine: so many processes (default: the cores it may use); with 1 in this very process."""
    count = workers or len(os.sched_getaffinity(0))
    if count < 1:
        raise ExecutorError(f"{count} workers do no work; give 1 or more")
    return Executor(InProcess() if count == 1 else Processes(count), journal=journal, edition=edition, retries=retries)


def executor(
    on: str = "local", *, workers: int | None = None, journal: Path | None = None, edition: str = ""
) -> Executor:
    """What ``--on`` names: ``local``, ``ray`` (on this machine), or a Ray cluster's address. Raises ExecutorError."""
    if on == "local":
        return Local(workers, journal=journal, edition=edition)
    if on == "ray" or on.startswith("ray://") or on == "auto" or ":" in on:
        from .executor_ray import Ray  # noqa: PLC0415 - an extra

        return Ray(None if on == "ray" else on, workers=workers, journal=journal, edition=edition)
    raise ExecutorError(
        f"--on {on}: work is done on 'local', on 'ray', or at a Ray cluster's address (ray://host:10001)"
    )


def named(function: str) -> Function:
    """The function behind an import path. Raises ExecutorError."""
    module, sign, name = function.partition(":")
    try:
        found = getattr(importlib.import_module(module), name) if sign else None
    except (ImportError, AttributeError, ValueError) as why:
        raise ExecutorError(f"no function '{function}' ({why}); write it as package.module:name") from why
    if not callable(found):
        raise ExecutorError(f"'{function}' names no function; write it as package.module:name")
    return found  # type: ignore[no-any-return]


def call(function: str, piece: bytes) -> Said:
    """Run a piece here; what every worker does. An exception becomes its sentence, with where it was raised."""
    try:
        return Said(named(function)(piece))
    except Exception as error:  # noqa: BLE001 - it is told to who asked
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Said(None, f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})")


# ── where a piece runs ──────────────────────────────────────────────────────────────────────────────────────────────


class InProcess:
    """One piece at a time, in a thread of this process."""

    width = 1

    async def run(self, function: str, piece: bytes) -> Said:
        return await asyncio.to_thread(call, function, piece)

    async def close(self) -> None:
        return None


class Processes:
    """A pool of processes; they end when this one does, however it ends."""

    def __init__(self, workers: int) -> None:
        self.width = workers
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, function: str, piece: bytes) -> Said:
        if self._pool is None:
            # Spawned, so that no lock, thread or connection of this process comes along.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.width, mp_context=context, initializer=_end_with_parent)
        pool = self._pool
        try:
            return await asyncio.wrap_future(pool.submit(call, function, piece))
        except BrokenProcessPool:
            if self._pool is pool:
                self._pool = None
            raise WorkerLost(sure=False) from None  # the pool doesn't say whose piece it was

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (wait_for([parent.sentinel]), os._exit(1)), daemon=True).start()


# ── the one way through ─────────────────────────────────────────────────────────────────────────────────────────────


class _Run:
    def __init__(
        self, place: Place, function: str, pieces: Sequence[bytes], journal: Kept, edition: str, retries: int
    ) -> None:
        self._place = place
        self._function = function
        self._pieces = pieces
        self._journal = journal
        self._retries = retries
        self._at: dict[str, list[int]] = {}
        for index, piece in enumerate(pieces):
            self._at.setdefault(key_of(function, edition, piece), []).append(index)
        self._lost: dict[str, int] = {}
        self._under_way: dict[asyncio.Task[Said], str] = {}
        self.failed: dict[int, str] = {}

    async def results(self) -> AsyncGenerator[tuple[int, bytes], None]:
        todo = deque(self._at)
        suspects: deque[str] = deque()
        """Pieces under way when a worker died whose piece isn't known: tried again alone, so that only the guilty one fails."""
        elsewhere: deque[str] = deque()
        """Pieces that another process runs."""
        while todo or suspects or elsewhere or self._under_way:
            while todo and len(self._under_way) < self._place.width:
                key = todo.popleft()
                found = self._begin(key, elsewhere)
                if found is not None:
                    for index in self._at[key]:
                        yield index, found
            if not self._under_way and not todo:
                if suspects:
                    todo.append(suspects.popleft())
                elif elsewhere:
                    await asyncio.sleep(_POLL_S)
                    todo, elsewhere = elsewhere, deque()
                continue
            if not self._under_way:
                continue
            done, _ = await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                key = self._under_way.pop(task)
                result = self._end(key, task, todo, suspects)
                if result is not None:
                    for index in self._at[key]:
                        yield index, result

    async def stop(self) -> None:
        """Nothing is under way afterwards, and nothing locked."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._under_way.clear()
        self._journal.close()

    def _begin(self, key: str, elsewhere: deque[str]) -> bytes | None:
        """Its result where the journal has it; else it is under way, here or elsewhere."""
        found = self._journal.get(key)
        if found is not None:
            return found
        if not self._journal.claim(key):
            elsewhere.append(key)
            return None
        found = self._journal.get(key)  # another process may have ended it just before the lock was ours
        if found is not None:
            self._journal.release(key)
            return found
        task = asyncio.ensure_future(self._place.run(self._function, self._pieces[self._at[key][0]]))
        self._under_way[task] = key
        return None

    def _end(self, key: str, task: asyncio.Task[Said], todo: deque[str], suspects: deque[str]) -> bytes | None:
        try:
            said = task.result()
        except WorkerLost as lost:
            self._journal.release(key)
            # A piece that ran alone is guilty, whatever the pool knows.
            if lost.sure or key in self._lost:
                self._lost[key] = self._lost.get(key, 0) + 1
                if self._lost[key] > self._retries:
                    self._fail(key, f"its worker died {self._lost[key]} times")
                    return None
            else:
                self._lost[key] = 0
            (todo if lost.sure else suspects).append(key)
            return None
        if said.result is None:
            self._journal.release(key)
            self._fail(key, said.why)
            return None
        self._journal.put(key, said.result)
        return said.result

    def _fail(self, key: str, why: str) -> None:
        self.failed |= dict.fromkeys(self._at[key], why)
