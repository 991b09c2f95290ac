"""The audit log of a running gateway: commitments and receipts for its calls, checkpoints as it goes, erasures that a
command asks for.

What takes time runs in threads beside the event loop; a checkpoint that cannot be made is told and tried again, and stops
nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

from ..config import Config
from ..core.call import Call
from ..core.entry import Entry
from ..core.errors import DemitasseError
from ..core.limits import Alert, tenant_of
from ..store import checkpoints, erasure, retention
from ..store.books import Reading, SqliteBooks
from ..store.chain import encode, leaf_hash
from ..store.commitments import Commitments, find_key
from ..store.erasure import Erased
from ..store.ledger import SqliteLedger
from ..store.receipts import as_header, as_text, receipt
from ..store.segments import rows
from ..store.signing import Signer

log = logging.getLogger("demitasse.audit")

TICK_S = 1.0


class Auditing:
    """Proves what a gateway does.

    Args:
        config: as it is now.
        forget: empties what is in memory of calls' texts, for the erasures given.
        clock: UTC microseconds.
    """

    def __init__(
        self,
        data: Path,
        secret: bytes,
        ledger: SqliteLedger,
        books: SqliteBooks,
        *,
        config: Callable[[], Config],
        alarm: Callable[[Alert], None],
        forget: Callable[[list[Erased]], Awaitable[None]],
        clock: Callable[[], int],
    ) -> None:
        self._data = data
        self._secret = secret
        self._ledger = ledger
        self._books = books
        self._config = config
        self._alarm = alarm
        self._forget = forget
        self._clock = clock
        self._tail = _Tail(data)
        self._signer = Signer(data)
        self._commitments = Commitments(data, secret, clock=clock)
        self.commit = self._commitments.of
        self._revision = -1
        self._seen = 0
        """The last row that told of an erasure."""
        self._signed_us = 0
        self._signed_rows = 0
        self._swept_s: float | None = None

    def receipt(self, call: Call, entry: Entry) -> bytes:
        """The receipt of a call that was closed a moment ago, as a header's value."""
        leaf = encode(entry)
        return as_header(receipt(entry, leaf_hash(leaf), self._commitments.key(call), self._signer))

    def receipt_of(self, id: str) -> tuple[str, bytes, bytes] | None:
        """Whose a call of the books is, its receipt, and the same without the key to its texts. Blocks. Raises StoreError."""
        entry = self._books.entry(id)
        place = None if entry is None else self._books.place(entry.id)
        if entry is None or place is None:
            return None
        key = None
        if entry.prompt_mac is not None:
            tenant = tenant_of(entry.key, entry.team)
            key = find_key(self._data, self._secret, tenant, entry.id, entry.prompt_mac)
        leaf = bytes.fromhex(place[1])
        opened, closed = (as_text(receipt(entry, leaf, one, self._signer)) for one in (key, None))
        return entry.key, opened, closed

    async def start(self) -> None:
        """Do again what the chain says was erased, before anything that came back with a copy is read."""
        await asyncio.to_thread(self._begin)

    async def run(self) -> None:
        """Sign what the last run left, then follow the ledger until cancelled."""
        await self._checkpoint()
        while True:
            await asyncio.sleep(TICK_S)
            await self._follow_erasures()
            if await self._is_due():
                await self._checkpoint()
            await self._retain()

    async def stop(self) -> None:
        """Sign what is in the books at the end."""
        try:
            await self._ledger.flush()
        except DemitasseError as error:
            log.warning("the last rows are not signed, they wait for their commit: %s", error)
        await self._checkpoint()
        self._commitments.close()
        self._tail.close()

    def _begin(self) -> None:
        try:
            gone = erasure.again(self._data)
            if gone.subjects or gone.bodies:
                again = "%d keys and %d texts that the chain tells as erased were there again, and are gone"
                log.warning(again, gone.subjects, gone.bodies)
            told = erasure.erased(self._data)
            self._seen = told[-1].seq if told else 0
        except DemitasseError as error:
            log.error("what the chain tells as erased could not be looked after: %s", error)  # noqa: TRY400 - enough

    async def _is_due(self) -> bool:
        settings = self._config().audit
        if self._clock() - self._signed_us >= settings.checkpoint_minutes * 60e6:
            return True
        try:
            return await asyncio.to_thread(self._tail.rows) - self._signed_rows >= settings.checkpoint_rows
        except DemitasseError:
            return False  # who writes meets the same trouble, and tells

    async def _checkpoint(self) -> None:
        now_us = self._clock()
        try:
            made = await asyncio.to_thread(checkpoints.make, self._data, self._signer, now_us)
        except DemitasseError as error:
            log.error("no checkpoint was signed: %s", error)  # noqa: TRY400 - its sentence is enough
            self._alarm(
                Alert(
                    id="audit-checkpoint",
                    at_us=now_us,
                    kind="audit",
                    subject="checkpoint",
                    message=f"no checkpoint was signed: {error}",
                    remedy="demitasse audit verify",
                )
            )
            made = None
        self._signed_us = now_us
        if made is not None:
            self._signed_rows = made.size

    async def _follow_erasures(self) -> None:
        revision = self._ledger.revision
        if revision == self._revision:
            return
        try:
            told = await asyncio.to_thread(erasure.erased, self._data, self._seen)
            if told:
                self._commitments.forget()
                await self._forget(told)
                self._seen = told[-1].seq
            self._revision = revision
        except DemitasseError as error:
            log.warning("erasures could not be followed: %s", error)

    async def _retain(self) -> None:
        """Once an hour: drop the rows whose time is over, and say so in good time."""
        days, now_us, ticks_s = self._config().keep.ledger_days, self._clock(), monotonic()
        passed_us = 0 if self._swept_s is None else int((ticks_s - self._swept_s) * 1e6)
        if self._swept_s is not None and passed_us < retention.SWEEP_US:
            return
        self._swept_s = ticks_s
        try:
            notice = await asyncio.to_thread(retention.sweep, self._data, days, now_us, passed_us=passed_us)
        except DemitasseError as error:
            log.warning("rows whose time is over could not be dropped: %s", error)
            return
        if notice is not None:
            self._alarm(notice)


class _Tail(Reading):
    """How far the ledger has come."""

    def rows(self) -> int:
        with self._reading() as db:
            return rows(db)
