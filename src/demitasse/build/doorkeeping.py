"""Requests that were turned away before they were calls, counted by day in the ledger's file: sums, and never a row for each.

Whoever is turned away must not be able to fill the disk: what was counted since the last time is added up every few seconds. A
kill loses those seconds. Knows counters; who is turned away, and why, the door decides.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from ..core.errors import StoreError
from ..store.settings import Settings

log = logging.getLogger("demitasse")

EVERY_S: Final = 5.0


class Doorkeeping:
    """Carries counts from memory to the ledger.

    Args:
        denied: how many were turned away since the start, by code.
    """

    def __init__(self, ledger: Settings, denied: Callable[[], Mapping[str, int]]) -> None:
        self._ledger, self._denied = ledger, denied
        self._kept: dict[str, int] = {}
        self._one_by_one = threading.Lock()
        """A stop cancels ``run`` and leaves its thread, and counts at once what came since."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await asyncio.to_thread(self.keep)

    def keep(self) -> None:
        """Add what is new; what cannot be written is tried again the next time. Blocks."""
        with self._one_by_one:
            self._keep()

    def _keep(self) -> None:
        now = dict(self._denied())
        new = {code: n - self._kept.get(code, 0) for code, n in now.items() if n > self._kept.get(code, 0)}
        if not new:
            return
        try:
            self._ledger.turned_away(new)
        except StoreError as error:
            log.warning("requests that were turned away could not be counted yet: %s", error)
            return
        self._kept = now
