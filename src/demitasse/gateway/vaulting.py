"""Placeholders into the vault, out of a call's way, and back for texts that bear some of an earlier turn.

Knows calls and when something is over; knows no detector, and not how a vault keeps what it is given.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..core.call import Call
from ..core.errors import DemitasseError
from ..guard.placeholders import literals
from ..store.subjects import Subject

if TYPE_CHECKING:
    from ..store.erasure import Erased
    from ..store.vault import Vault

log = logging.getLogger("demitasse.vault")

DAYS = 30
"""A value that was not seen for so long is deleted."""
MOST_LOOKED_UP = 64
"""Placeholders of earlier turns that one call may ask for."""
_DAY_US = 86_400_000_000
_AGAIN_US = 3_600_000_000
_EXPIRE_US = 600_000_000
_MOST_KNOWN = 16_384


class Vaulting:
    """Writes in a thread of its own: a value that can't be written is said and left out, and no call waits for one.

    Args:
        open: opens the vault, in that thread when there is something to keep: most gateways redact nothing.
        subject: whose a call is, as the client sent it.
        clock: UTC microseconds.
    """

    def __init__(self, open: Callable[[], Vault], subject: Callable[[Call], Subject], clock: Callable[[], int]) -> None:
        self._open = open
        self._subject = subject
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "vault")
        self._vault: Vault | None = None
        self._known: OrderedDict[tuple[str, str, str], int] = OrderedDict()
        self._expired_us = 0

    def remember(self, call: Call, values: Mapping[str, str]) -> None:
        """Keep what a call's placeholders stand for; returns at once."""
        now_us, fresh = self._clock(), {}
        for placeholder, value in values.items():
            known = (call.caller.tenant, call.session, placeholder)
            if self._known.get(known, -_AGAIN_US) + _AGAIN_US <= now_us:
                self._known[known] = now_us
                self._known.move_to_end(known)
                fresh[placeholder] = value
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        if fresh:
            self._thread.submit(self._put, call.caller.tenant, call.session, self._subject(call), fresh, now_us)

    def recall(self, call: Call, texts: Iterable[str], known: Iterable[str] = ()) -> dict[str, str]:
        """What the placeholders stand for that these texts bear, but for the ``known``: those of this tenant and session."""
        found: set[str] = set()
        for text in texts:
            found |= literals(text)
        found.difference_update(known)
        if not found:
            return {}
        try:
            if self._vault is None:
                self._thread.submit(self._opened).result()
            vault = self._opened()
            return vault.get(call.caller.tenant, call.session, sorted(found)[:MOST_LOOKED_UP], self._clock())
        except DemitasseError as error:
            log.warning("placeholders of call %s could not be looked up: %s", call.id, error)
            return {}

    def forget(self, told: Iterable[Erased]) -> None:
        """Somebody was erased: of a vault on disk the keys are gone already, one in memory has to be told."""
        self._known.clear()
        self._thread.submit(self._erase, [(one.name, one.tenant) for one in told])

    def _erase(self, names: list[tuple[str, bool]]) -> None:
        if self._vault is not None and self._vault.in_memory:
            for name, tenant in names:
                self._vault.erase(name, tenant=tenant)

    def close(self) -> None:
        """Write what is under way, and end."""
        self._thread.shutdown(wait=True)
        if self._vault is not None:
            self._vault.close()

    def _opened(self) -> Vault:
        if self._vault is None:
            self._vault = self._open()
        return self._vault

    def _put(self, tenant: str, session: str, subject: Subject, values: Mapping[str, str], at_us: int) -> None:
        try:
            vault = self._opened()
            vault.put(tenant, session, subject, values, at_us=at_us, expires_us=at_us + DAYS * _DAY_US)
            if at_us - self._expired_us >= _EXPIRE_US:
                self._expired_us = at_us
                vault.expire(at_us)
        except DemitasseError as error:
            log.error("%d placeholders could not be kept for later turns: %s", len(values), error)  # noqa: TRY400 - its sentence is enough
            for placeholder in values:
                self._known.pop((tenant, session, placeholder), None)
        except Exception:
            log.exception("the vault failed; placeholders of earlier turns stay what they are")
