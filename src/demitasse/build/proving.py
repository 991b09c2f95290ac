"""Looks by itself at what new labels prove, and tells a person when it is enough. Promotes nothing.

Looking often costs nothing (``lab.standing``) but time, so it is done in another process, and not before there is news.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from ..config import Config
from ..core.errors import ConfigError, DemitasseError
from ..core.limits import Alert
from ..store.evidence import SqliteEvidence
from .certifying import Proven, Terms, terms

log = logging.getLogger("demitasse.watch")

LABELS = 40
"""So many new labels are news."""
EVERY_US = 600_000_000
SOON_US = 3 * 86_400_000_000
"""So long before a certificate ends its successor is looked for."""


class Proving:
    """Args:
    ask: looks at a route's labels; see ``certifying.ask``.
    clock: UTC microseconds.
    """

    def __init__(
        self,
        data: Path,
        evidence: SqliteEvidence,
        alarm: Callable[[Alert], None],
        ask: Callable[[Path, Terms], Awaitable[Proven]],
        *,
        config: Callable[[], Config],
        clock: Callable[[], int],
    ) -> None:
        self._data = data
        self._evidence = evidence
        self._alarm = alarm
        self._ask = ask
        self._config = config
        self._clock = clock
        self._news: dict[str, int] = {}
        self._last_us: dict[str, int] = {}
        self._looking: asyncio.Task[None] | None = None

    def labelled(self, counts: Mapping[str, int]) -> None:
        """Labels have come, so many of each route. Returns at once."""
        for route, count in counts.items():
            self._news[route] = self._news.get(route, 0) + count
        if self._config().certificates.look and (self._looking is None or self._looking.done()):
            due = [route for route in self._news if self._due(route)]
            if due:
                self._looking = asyncio.get_running_loop().create_task(self._look(due[0]))

    async def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))

    def _due(self, route: str) -> bool:
        return self._news[route] >= LABELS and self._clock() - self._last_us.get(route, -EVERY_US) >= EVERY_US

    async def _look(self, route: str) -> None:
        self._news[route], self._last_us[route] = 0, self._clock()
        try:
            wanted = terms(self._config(), route)
        except ConfigError:
            return  # not a route that anything could be proven for
        try:
            if not await asyncio.to_thread(self._wanting, route):
                return
            found = await self._ask(self._data, wanted)
        except DemitasseError as error:
            log.warning("%s", error)
            return
        if found.certificate is None:
            return
        self._alarm(
            Alert(
                id=f"ready-{found.certificate}",
                at_us=self._clock(),
                kind="certificate_ready",
                subject=route,
                message=f"on route '{route}' a cheaper model can save {found.saving:.0%} at {found.quality:.4g} of the "
                f"reference's quality: {found.certificate} is proven",
                remedy=f"demitasse promote {route}",
            )
        )

    def _wanting(self, route: str) -> bool:
        """Whether neither a certificate in force nor one that waits will do for some time."""
        late_us = self._clock() + SOON_US
        rows = self._evidence.certificates(route=route)
        return not any(state in ("promoted", "certified") and c.expires_us > late_us for c, state, *_ in rows)
