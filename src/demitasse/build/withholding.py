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
from ..core.limits import Alert
from ..store.bodies import drop_ref
from ..web.waiting import APPROVE, Held
from .keeping import Keeper, held_ref

log = logging.getLogger("demitasse.guard")

_MOST_CODES: Final = 1_000


class Tells(Protocol):
    """What writes to the chain: the running ledger, or a command's settings."""

    def tell(self, what: str, name: str, told: dict[str, Any]) -> None: ...


class Withholding:
    """Keeps what waits; implements ``web.waiting.Waiting``.

    Args:
        alarm: tells a person; whatever comes here is passed on to it.
    """

    def __init__(self, keeper: Keeper, ledger: Tells, alarm: Callable[[Alert], None]) -> None:
        self._keeper, self._ledger, self._alarm = keeper, ledger, alarm
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
            self._keeper.withhold(call, code)

    async def read(self, code: str) -> Held | None:
        return await asyncio.to_thread(read, self._keeper, self._ledger, code)


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
