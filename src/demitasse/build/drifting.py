"""The watch over drift and spend as it runs beside the gateway: a look every half a minute, in a thread, and who is told.

Nothing of it can delay or fail a call. What looks (`drift_watch`, with the lab's arithmetic) is imported by the first look and
not by a start.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..core.errors import DemitasseError, StoreError
from ..core.ledger import Books
from ..core.limits import Alert
from ..core.policy import Certificate
from ..web.drift_facts import NOBODY, WatchFacts

if TYPE_CHECKING:
    from .drift_topics import Recordings
    from .drift_watch import DriftWatch, Store

log = logging.getLogger("demitasse.watch")

EVERY_S: Final = 30.0


class Drifting:
    """Implements ``web.drift_facts.WatchBooks``.

    Args:
        data: the directory of the ledger.
        store: where alerts are marked as over.
        promoted: the certificates in force.
        clock: UTC microseconds.
        recordings: the kept bodies of a call, from which it is told what prompts are about; None: none are kept.
    """

    def __init__(
        self,
        data: Path,
        books: Books,
        store: Store,
        *,
        promoted: Callable[[], Sequence[Certificate]],
        clock: Callable[[], int],
        recordings: Recordings | None = None,
    ) -> None:
        self._recordings = recordings
        self._data = data
        self._books = books
        self._store = store
        self._promoted = promoted
        self._clock = clock
        self._making = threading.Lock()
        self._watch: DriftWatch | None = None
        self._closed = False

    async def run(self, alarm: Callable[[Alert], None]) -> None:
        """Look until cancelled; ``alarm`` tells a person and returns at once."""
        while True:
            try:
                for alert in await asyncio.to_thread(self.look):
                    alarm(alert)
            except DemitasseError as error:
                log.warning("drift could not be watched: %s", error)
            except Exception:  # what only watches may not bring down what serves
                log.exception("drift could not be watched")
            await asyncio.sleep(EVERY_S)

    def look(self, *, tell: bool = True) -> list[Alert]:
        """What is to be told now; see ``DriftWatch.look``. Raises StoreError."""
        return self._opened().look(tell=tell)

    def facts(self) -> WatchFacts:
        """As of the last look."""
        return self._watch.facts if self._watch is not None else NOBODY

    def accept(self, route: str, stream: str) -> None:
        """What comes from today on is the usual. Raises ConfigError: no such stream."""
        self._opened().accept(route, stream)

    def unaccept(self, route: str, stream: str) -> None:
        """Undoes ``accept``."""
        self._opened().unaccept(route, stream)

    def close(self) -> None:
        """Waits for a look that is under way; there is none after it."""
        with self._making:
            self._closed = True
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    def _opened(self) -> DriftWatch:
        from .drift_topics import Topics  # noqa: PLC0415 - see the module
        from .drift_watch import DriftWatch  # noqa: PLC0415 - see the module

        with self._making:
            if self._closed:
                raise StoreError("the watch is closed, since this process stops")
            if self._watch is None:
                topics = Topics(self._recordings, self._data / "models") if self._recordings is not None else None
                self._watch = DriftWatch(
                    self._data, self._books, self._store, promoted=self._promoted, clock=self._clock, topics=topics
                )
            return self._watch
