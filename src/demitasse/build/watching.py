"""The watch over certificates in force: every new label bets against the promise, and what falls serves no call more.

Stands between the ledger and those who use it: labels written here are looked at before the writer goes on, those of
other processes within a second; what has fallen is not among ``promoted()`` from that moment on, whether or not the
ledger has been told yet. Knows states, alerts and labels; what a bet is worth is ``stats``' business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from ..core.errors import DemitasseError
from ..core.evidence import Label
from ..core.limits import Alert
from ..core.policy import Certificate, CertificateState
from ..store.evidence import SqliteEvidence
from ..store.ledger import SqliteLedger

if TYPE_CHECKING:
    from ..lab.watch import Fallen, Watched

log = logging.getLogger("demitasse.watch")

EVERY_S = 1.0
SOON_US = 3 * 86_400_000_000
"""So long before a certificate ends a person is told."""


class Raise(Protocol):
    """Tells a person; returns at once."""

    def __call__(self, alert: Alert) -> None: ...


class Watching:
    """Implements ``core.evidence.EvidenceStore`` for those who write labels and ``InForce`` for those who serve.

    Args:
        clock: UTC microseconds.
        labelled: called when labels have come, with how many of each route.
    """

    def __init__(
        self,
        ledger: SqliteLedger,
        evidence: SqliteEvidence,
        alarm: Raise,
        *,
        clock: Callable[[], int],
        labelled: Callable[[dict[str, int]], None] | None = None,
    ) -> None:
        self._ledger = ledger
        self._evidence = evidence
        self._alarm = alarm
        self._clock = clock
        self._labelled = labelled
        self._watched: dict[str, Watched] = {}
        self._fallen: dict[str, Fallen] = {}
        """By id: what serves nothing here, although the ledger does not know it yet."""
        self._seq = -1
        """Place of the last label that was looked at; -1: none yet."""
        self._looking = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._from_ledger: Sequence[Certificate] | None = None
        self._standing: Sequence[Certificate] = ()

    def promoted(self) -> Sequence[Certificate]:
        """The certificates whose policies serve: those of the ledger that have not fallen here."""
        current = self._ledger.promoted()
        if current is not self._from_ledger:
            self._from_ledger = current
            self._sift()
        return self._standing

    def against(self) -> dict[str, float]:
        """By route under a certificate: how far its calls speak against the promise, the worst of its floors; 1 revokes it."""
        return {
            watched.certificate.policy.route: max(w.evidence * w.delta for w in watched.watches.values())
            for watched in self._watched.values()
        }

    def suspend(self, certificate: Certificate, why: str) -> None:
        """What it was proven on has changed: it serves no more here; then the ledger and a person are told."""
        from ..lab.watch import Fallen  # noqa: PLC0415 - only where a certificate is in force

        self._fell(certificate, Fallen("suspended", why))
        task = asyncio.get_running_loop().create_task(self._soon())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def label(self, label: Label) -> None:
        """Keep a label, and look at it. After this a promise that it breaks serves no call."""
        await self._ledger.label(label)
        await self.look()

    async def certificate(self, certificate: Certificate, state: CertificateState, at_us: int, why: str = "") -> None:
        await self._ledger.certificate(certificate, state, at_us, why)

    async def start(self) -> None:
        """Take up all that came since the certificates in force were promoted. Raises StoreError."""
        await self.look()

    async def run(self) -> None:
        """Follow other processes, the clock, and what could not be written; cancel it to stop."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self._soon()

    async def close(self) -> None:
        """Let what is being written down be written."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    async def _soon(self) -> None:
        try:
            await self.look()
        except DemitasseError as error:
            log.warning("certificates could not be watched: %s", error)

    async def look(self) -> None:
        """Take up new labels, see what has expired, and tell the ledger what has fallen. Raises StoreError."""
        async with self._looking:
            if self._seq < 0:
                self._seq = await asyncio.to_thread(self._evidence.last_place)
            await self._follow()
            labels = await asyncio.to_thread(self._evidence.newer, self._seq)
            counts: dict[str, int] = {}
            for seq, label in labels:
                self._seq = max(self._seq, seq)
                if label.source != "grounding":  # nothing is proven with it
                    counts[label.route] = counts.get(label.route, 0) + 1
                for watched in self._watched.values():
                    if watched.certificate.id not in self._fallen and (fallen := watched.saw(label)) is not None:
                        self._fell(watched.certificate, fallen)
            self._expire()
            await self._tell()
        if counts and self._labelled is not None:
            self._labelled(counts)

    async def _follow(self) -> None:
        """Begin to watch what is in force since the last look; forget what is not."""
        standing = {certificate.id: certificate for certificate in self.promoted()}
        self._watched = {id: watched for id, watched in self._watched.items() if id in standing}
        for id, certificate in standing.items():
            if id not in self._watched:
                self._watched[id] = watched = await asyncio.to_thread(self._begin, certificate)
                if watched.fallen is not None:
                    self._fell(certificate, watched.fallen)

    def _begin(self, certificate: Certificate) -> Watched:
        """With all that its calls have said until now, in the order in which it came."""
        from ..lab.watch import Watched  # noqa: PLC0415 - as above

        since_us = _serves_since(self._evidence.history(certificate.id))
        route = certificate.policy.route
        before = self._evidence.labels(route=route, since_us=certificate.since_us, until_us=certificate.until_us + 1)
        watched = Watched(certificate, before)
        for seq, label in self._evidence.newer(0, route=route, since_us=since_us):
            if seq <= self._seq:  # what is newer comes with the next look
                watched.saw(label)
        return watched

    def _expire(self) -> None:
        now_us = self._clock()
        for certificate in self.promoted():
            route = certificate.policy.route
            if certificate.expires_us <= now_us:
                from ..lab.watch import Fallen  # noqa: PLC0415 - as above

                self._fell(certificate, Fallen("expired", "its time is over"))
            elif certificate.expires_us - now_us < min(SOON_US, (certificate.expires_us - certificate.issued_us) // 4):
                self._alarm(
                    Alert(
                        id=f"expiring-{certificate.id}",
                        at_us=now_us,
                        kind="certificate_expiring",
                        subject=route,
                        message=f"certificate {certificate.id} of route '{route}' soon expires; its calls then go to "
                        f"'{certificate.policy.reference}'",
                        remedy=f"demitasse certify {route}",
                    )
                )

    def _fell(self, certificate: Certificate, fallen: Fallen) -> None:
        if certificate.id in self._fallen:
            return
        self._fallen[certificate.id] = fallen
        self._sift()
        log.warning("certificate %s of route '%s' is %s: %s", certificate.id, certificate.policy.route, *fallen[:2])

    def _sift(self) -> None:
        self._standing = tuple(c for c in self._from_ledger or () if c.id not in self._fallen)

    async def _tell(self) -> None:
        """Write down what has fallen, and tell a person; what cannot be written stays fallen here and is tried again."""
        for id, fallen in list(self._fallen.items()):
            certificate = next((c for c in self._ledger.promoted() if c.id == id), None)
            if certificate is not None:
                await self._ledger.certificate(certificate, fallen.state, self._clock(), fallen.why)
                self._alarm(_alert(certificate, fallen, self._clock()))
            # From here on the ledger speaks for itself: what a person promotes anew is watched anew.
            self._fallen.pop(id, None)
            self._watched.pop(id, None)
            self._from_ledger = None


def _serves_since(history: Sequence[tuple[CertificateState, int, str]]) -> int:
    """When it began to serve what it speaks of now. That a person took it back and promoted it again does not wipe out what
    was seen; after a suspension it is another world."""
    since_us: int | None = None
    for state, at_us, _ in history:
        if state == "promoted" and since_us is None:
            since_us = at_us
        elif state == "suspended":
            since_us = None
    return since_us or 0


def _alert(certificate: Certificate, fallen: Fallen, at_us: int) -> Alert:
    route, reference = certificate.policy.route, certificate.policy.reference
    broken, over = fallen.state == "revoked", fallen.state == "expired"
    return Alert(
        id=f"{fallen.state}-{certificate.id}",
        at_us=at_us,
        kind="certificate_revoked" if broken else "certificate_expired" if over else "certificate_suspended",
        subject=route,
        message=f"route '{route}' is back on '{reference}': its certificate {certificate.id} is {fallen.state}, {fallen.why}",
        remedy=f"demitasse certify {route}",
    )
