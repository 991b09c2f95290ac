"""Requests that the guard refused until a person lets them pass, kept for that person to read: encrypted, a day at most.

Only where bodies are kept at all, and ``[keep] held`` does not say otherwise. Who reads one is told to the chain before the words
are shown. What is decided is dropped. Knows codes and texts; what is risky, and who may read, others know.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from ..core.call import Call
from ..core.errors import DemitasseError
from ..core.ledger import Books
from ..core.limits import Alert
from ..gateway.alarm import AGAIN_US
from ..store.bodies import drop_ref, refs
from ..store.settings import Settings
from ..web.waiting import APPROVE, MOST_WAITING, Held, code_of
from .guarding import APPROVED, rejection
from .keeping import DAY_US, HELD, Keeper, held_ref

log = logging.getLogger("demitasse.guard")

_MOST_CODES: Final = 1_000
FOLLOW_EVERY_S: Final = 1.0
SWEEP_EVERY_S: Final = 60.0


class Tells(Protocol):
    """What writes to the chain: the running ledger, or a command's settings."""

    def tell(self, what: str, name: str, told: dict[str, Any]) -> None: ...


class Withholding:
    """Keeps what waits; implements ``web.waiting.Waiting``.

    Args:
        alarm: tells a person; whatever comes here is passed on to it.
        decided: whether nobody needs the words of a call at this time any more, by its code.
    """

    def __init__(
        self, keeper: Keeper, ledger: Tells, alarm: Callable[[Alert], None], decided: Callable[[str, int], bool]
    ) -> None:
        self._keeper, self._ledger, self._alarm, self._decided = keeper, ledger, alarm, decided
        self._codes: OrderedDict[str, str] = OrderedDict()
        """By the id of a call that is being refused."""

    def alarm(self, alert: Alert) -> None:
        if alert.id.startswith(APPROVE):
            self._codes[alert.subject] = alert.id.removeprefix(APPROVE)
            while len(self._codes) > _MOST_CODES:
                self._codes.popitem(last=False)
        self._alarm(alert)

    def keep(self, call: Call) -> None:
        """Queue the request of a call that was refused until a person lets it pass; returns at once."""
        code = self._codes.pop(call.id, None)
        if code is not None:
            self._keeper.withhold(call, code, self._decided)

    async def read(self, code: str) -> Held | None:
        return await asyncio.to_thread(read, self._keeper, self._ledger, code)


class Decisions:
    """Sees that what was decided waits nowhere: a client that asked again in the second before this gateway followed, or a
    process that was killed between two steps of a decision, leaves neither an open alert nor words behind.
    """

    def __init__(self, ledger: Settings, books: Books, clock: Callable[[], int]) -> None:
        self._ledger, self._books, self._clock = ledger, books, clock

    def decided(self, code: str, at_us: int) -> bool:
        """Whether nobody needs the words of a call at this time any more: its text may pass, or never, or its alert was taken off
        the list and none is raised anew. Where that cannot be read nothing is to be kept."""
        try:
            if self._passed(code, at_us):
                return True
            alert = self._books.find_alert(APPROVE + code)
        except DemitasseError as error:
            log.warning("whether %s is decided could not be read, so its words are not kept: %s", code, error)
            return True
        return alert is not None and alert.resolved_us is not None and at_us < alert.resolved_us + AGAIN_US

    async def run(self) -> None:
        """Follow what people decide; cancel it to stop."""
        seen, waited_s = -1, SWEEP_EVERY_S
        while True:
            revision = self._ledger.revision
            if revision != seen or waited_s >= SWEEP_EVERY_S:
                seen, waited_s = revision, 0.0
                try:
                    await asyncio.to_thread(self.sweep)
                except DemitasseError as error:
                    log.warning("what people decided could not be followed: %s", error)
                    seen = -1
            await asyncio.sleep(FOLLOW_EVERY_S)
            waited_s += FOLLOW_EVERY_S

    def sweep(self) -> None:
        """Take off the list what is decided, and drop words that wait for nobody. Blocks. Raises StoreError."""
        now_us = self._clock()
        for alert in self._books.alerts(open_only=True, last=MOST_WAITING, begins=APPROVE):
            if self._passed(code_of(alert), now_us):
                self._ledger.resolve_alert(alert.id)
        for ref, expires_us in refs(self._ledger.data, HELD):
            code = ref.removeprefix(HELD)
            asked = self._books.find_alert(APPROVE + code)
            # An alert is booked a moment after the words are kept.
            old = now_us - (expires_us - DAY_US) > AGAIN_US
            if self._passed(code, now_us) or (old and (asked is None or asked.resolved_us is not None)):
                drop(self._ledger.data, code)

    def _passed(self, code: str, at_us: int) -> bool:
        until_us = (self._ledger.get_setting(APPROVED) or {}).get(code, 0)
        return until_us > at_us or rejection(self._ledger, code) is not None


def read(keeper: Keeper, ledger: Tells, code: str) -> Held | None:
    """What waits under a code; None: it is not kept, or not any more. Raises StoreError: then nobody has read it."""
    found = keeper.held(code)
    if found is None:
        return None
    ledger.tell("held", code, {"did": "read", "call": found.call})  # first, so that nobody reads unseen
    return found


def drop(data: Path, code: str) -> None:
    """Somebody has decided, so nobody needs the words any more; needs no key."""
    try:
        drop_ref(data, held_ref(code))
    except DemitasseError as error:
        log.warning("the request under %s is decided and could not be dropped; it goes within a day: %s", code, error)
