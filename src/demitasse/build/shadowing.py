"""Shadow calls, made beside the way of a call: takes drawn calls out of the line and turns each into a label.

A crash loses at most a label, never money: each of these calls is held, settled and chained like any other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..config import Config
from ..core.call import Call, Reply
from ..core.entry import Entry
from ..core.errors import Refused, StoreError, UpstreamError
from ..core.evidence import EvidenceStore, Label
from ..core.policy import Certificate, CertificateState
from ..gateway.metrics import Metrics
from ..gateway.route import Route
from ..gateway.shadow import Job, Shadows
from .assessing import Assessor, Heard

log = logging.getLogger("demitasse.shadow")

WORKERS = 2
STOP_S = 2.0
"""So long a stop lets what is under way finish, before it is cancelled and booked as such."""
_SPENT = frozenset({"insufficient_quota", "unpriced_model"})


class Counted:
    """Keeps evidence and counts it."""

    def __init__(self, store: EvidenceStore, count: Callable[[Label], None]) -> None:
        self._store = store
        self._count = count

    async def label(self, label: Label) -> None:
        await self._store.label(label)
        self._count(label)

    async def certificate(self, certificate: Certificate, state: CertificateState, at_us: int, why: str = "") -> None:
        await self._store.certificate(certificate, state, at_us, why)


class Shadowing:
    """Draws calls, and works on a few of them side by side.

    Args:
        secret: of the data folder, for the draw.
    """

    def __init__(self, assessor: Assessor, metrics: Metrics, secret: bytes) -> None:
        self._assessor = assessor
        self._metrics = metrics
        self._shadows = Shadows(0.0, secret, metrics.shadow_dropped)
        self._tasks: list[asyncio.Task[None]] = []
        self._busy = 0
        self._idle = asyncio.Event()
        self._told: set[tuple[str, str]] = set()
        """What has been said in the log, so that a dead model or a spent budget is said once."""

    def set(self, config: Config) -> None:
        """From now on draw the share of calls that the configuration says; without a budget none."""
        settings = config.shadow
        self._shadows.rate = settings.rate if settings.usd_per_day else 0.0
        self._assessor.judge = settings.judge or ""
        if not self._shadows.rate:
            self._leave_out("off")

    @property
    def offer(self) -> Callable[[Call, Reply, Entry, Route], None] | None:
        """What is told of every answered call; None while no shadows are made."""
        return self._shadows.offer if self._shadows.rate else None

    @property
    def waiting(self) -> int:
        """Drawn calls in the line."""
        return len(self._shadows)

    def start(self) -> None:
        """Begin to work; needs a running loop."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._run(), name=f"shadow-{n}") for n in range(WORKERS)]

    async def stop(self) -> None:
        """Leave out what waits, and give what is under way a moment; it is booked in either case."""
        self._leave_out("stopped")
        self._shadows.rate = 0.0
        if self._busy:
            self._idle.clear()
            try:
                await asyncio.wait_for(self._idle.wait(), STOP_S)
            except TimeoutError:
                log.info("shadow calls under way are stopped")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _run(self) -> None:
        while True:
            job = await self._shadows.next()
            self._busy += 1
            try:
                await self._work(job)
            except asyncio.CancelledError:
                self._metrics.shadow_dropped("stopped")
                raise
            except StoreError as error:
                self._drop("store", "", error)
            except Exception:
                log.exception("the shadow of call %s was not made", job.call.id)
                self._metrics.shadow_dropped("fault")
            finally:
                self._busy -= 1
                if not self._busy:
                    self._idle.set()

    async def _work(self, job: Job) -> None:
        """Ask whoever has not answered yet, then judge. Without the reference, or with it alone, there is no label."""
        call, route = job.call, job.route
        if not self._assessor.purse.open:
            self._metrics.shadow_dropped("budget")
            return
        heard = {job.entry.model: Heard(job.entry.model or "", job.reply, job.entry)}
        # The reference first: without it the others would be asked in vain.
        for rung in (route.reference, *route.lower):
            if rung.alias in heard:
                continue
            try:
                heard[rung.alias] = await self._assessor.again(call, rung, purpose="shadow", entry=job.entry)
            except Refused as error:
                self._drop("budget" if error.code in _SPENT else "refused", rung.alias, error)
                if rung is route.reference:
                    return
            except UpstreamError as error:
                self._drop("upstream", rung.alias, error)
                if rung is route.reference:
                    return
            else:
                self._told -= {("upstream", rung.alias), ("budget", rung.alias)}
        candidates = [heard[rung.alias] for rung in route.lower if rung.alias in heard]
        if candidates:
            await self._assessor.label(
                call,
                heard[route.reference.alias],
                candidates,
                entry=job.entry,
                propensity=job.propensity,
            )

    def _leave_out(self, reason: str) -> None:
        for _ in range(self._shadows.clear()):
            self._metrics.shadow_dropped(reason)

    def _drop(self, reason: str, alias: str, why: object) -> None:
        self._metrics.shadow_dropped(reason)
        if (reason, alias) not in self._told:
            self._told.add((reason, alias))
            log.info("a shadow call%s was left out: %s", f" to '{alias}'" if alias else "", why)
