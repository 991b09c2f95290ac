"""What was answered before, or is being answered now: exact cache, coalescing, and a client's retries.

Knows calls and replies; knows no model and no money. Memory only, bounded, with a lifetime.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable

import msgspec
from msgspec import Struct

from ..core.call import Call, Event, Reply, Send
from ..core.entry import Decision
from ..core.errors import DemitasseError, UpstreamError
from ..core.fingerprint import fingerprint
from .route import Route
from .settings import CacheSettings

_ENTRY_BYTES = 1_500
"""What a kept answer weighs beside its body."""


class Kept(Struct, frozen=True):
    """An answer with what the books need to say what serving it again saved."""

    reply: Reply
    model: str
    """Our name of the model that once answered."""
    provider: str
    entry_id: str
    kept_us: int
    tenant: str
    mark: str = ""
    """The certificate that let a cheaper model give it (``Plan.mark``); it is served only while that is in force."""
    decision: Decision | None = None
    """Why that model answered."""

    @property
    def certificate(self) -> str:
        """The one whose promise the answer is under; empty: none's."""
        return self.decision.certificate if self.mark and self.decision is not None else ""


class Flight:
    """One call under way, which identical calls may join. The leader publishes; followers read from the beginning."""

    __slots__ = (
        "_alone",
        "_wake",
        "booked",
        "events",
        "failure",
        "followers",
        "joined",
        "kept",
        "landed",
        "mark",
        "shape",
        "stopping",
    )

    def __init__(self, call: Call, mark: str = "") -> None:
        self.mark = mark
        """As ``Kept.mark``: who may share it."""
        self.shape = (call.stream, call.include_usage)
        """How the leader's answer is delivered; only a follower that wants the same may read its events."""
        self.events: list[Event] = []
        self.followers = 0
        self.joined = 0
        self.booked = False
        """Its entry is written; a retry that joins from now on is an event of its own."""
        self.kept: Kept | None = None
        self.failure: BaseException | None = None
        self.landed = False
        self.stopping = False
        """Told to stop, because nobody waited any more: whoever comes now asks anew."""
        self._wake: asyncio.Future[None] | None = None
        self._alone: Callable[[], object] | None = None

    def open_to(self, mark: str) -> bool:
        """Whether it may be shared by who is under the certificate of ``mark``."""
        needs = self.mark if self.kept is None else self.kept.mark
        return not self.stopping and needs in ("", mark)

    def when_alone(self, stop: Callable[[], object]) -> None:
        """The leader's client has left: ``stop`` as soon as nobody else waits for the answer."""
        if self.followers:
            self._alone = stop
        else:
            self.stopping = True
            stop()

    def publish(self, event: Event) -> None:
        self.events.append(event)
        if self._wake is not None:
            self._rouse()

    def land(self, kept: Kept | None, failure: BaseException | None = None) -> None:
        """The leader is done: with an answer, with an error that followers share, or with neither (they try themselves)."""
        self.kept, self.failure, self.landed = kept, failure, True
        if self._wake is not None:
            self._rouse()

    def _rouse(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None and not wake.done():
            wake.set_result(None)

    async def follow(self, call: Call, send: Send) -> tuple[Kept | None, bool]:
        """Wait for the answer, passing events on as they come where both want them in the same shape.

        Returns the answer (None: the leader gave up without one) and whether its events were sent.

        Raises what the leader raised when an upstream failed it.
        """
        self.followers += 1
        # A call that has landed keeps its answer and not its events.
        live = call.stream and not self.landed and self.shape == (call.stream, call.include_usage)
        events, at = self.events, 0
        try:
            while True:
                if live:
                    while at < len(events):
                        await send(events[at])
                        at += 1
                if self.landed:
                    break
                if self._wake is None:
                    self._wake = asyncio.get_running_loop().create_future()
                await asyncio.shield(self._wake)
        finally:
            self.followers -= 1
            if self._alone is not None and not (self.followers or self.landed):
                self.stopping = True
                self._alone()
        if self.kept is None and live and at:
            # Its beginning is with the client and can't be taken back, so nothing else may be tried.
            raise UpstreamError(
                "the call whose answer this one shared was given up", code="upstream_broken_off", after_content=True
            ) from self.failure
        if isinstance(self.failure, DemitasseError):
            raise self.failure
        return self.kept, live


class Cache:
    """Exact answers in memory, flights under way, and answers just given (for retries of the same client).

    Args:
        clock: UTC microseconds, for lifetimes.
        retry_memory_s: how long an answer just given is kept for the same client's retry.
    """

    def __init__(self, settings: CacheSettings, *, clock: Callable[[], int], retry_memory_s: float) -> None:
        self.settings = settings
        self._clock = clock
        self._retry_us = int(retry_memory_s * 1e6)
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._bytes = 0
        self._flights: dict[bytes, Flight] = {}
        self._retriable: dict[bytes, Flight] = {}
        """Flights whose client would say that it retries, by its retry key."""
        self._recent: OrderedDict[bytes, tuple[int, Flight]] = OrderedDict()
        """What became of them and when they landed, oldest first."""
        self._recent_bytes = 0
        self.hits = self.misses = self.coalesced = self.evicted = 0

    def key(self, call: Call, route: Route) -> bytes | None:
        """The canonical whole request within the tenant's partition, or None for what is never cached or has no such form.

        An answer sampled at a temperature above 0 is one of many; it is cached only by setting or on request.
        """
        if call.temperature and not (self.settings.sampled or call.wish.sampled):
            return None
        head = f"{call.caller.tenant}\0{call.kind}\0{route.name}\0{route.stamp}\0".encode()
        try:
            return fingerprint(head, call.body)
        except msgspec.DecodeError:
            return None  # it holds a number that only its model may be able to read

    def find(self, key: bytes, mark: str = "") -> Kept | None:
        """The answer kept under ``key``, unless it has outlived its time, or the certificate that allowed it (``mark``: the
        one in force) is another or none."""
        kept = self._kept.get(key)
        if kept is None or kept.mark not in ("", mark):
            self.misses += 1
            return None
        if self._clock() - kept.kept_us > self.settings.ttl_s * 1e6:
            self._drop(key)
            self.misses += 1
            return None
        self._kept.move_to_end(key)
        self.hits += 1
        return kept

    def keep(self, key: bytes, kept: Kept) -> None:
        """Only whole answers; the least recently used make room."""
        size = _weight(kept)
        if not kept.reply.complete or size > self.settings.max_bytes // 4:
            return
        if key in self._kept:
            self._drop(key)
        self._kept[key] = kept
        self._bytes += size
        while self._bytes > self.settings.max_bytes:
            self._drop(next(iter(self._kept)))
            self.evicted += 1

    def _drop(self, key: bytes) -> None:
        self._bytes -= _weight(self._kept.pop(key))

    def flight(self, key: bytes, mark: str = "") -> Flight | None:
        """The identical call under way, if one may be joined by who is under the certificate of ``mark``."""
        flight = self._flights.get(key) if self.settings.coalesce else None
        return flight if flight is not None and flight.open_to(mark) else None

    def take_off(self, key: bytes | None, retry_key: bytes | None, flight: Flight) -> None:
        """A call is about to be put to a model."""
        if key is not None:
            self._flights[key] = flight
        if retry_key is not None:
            self._retriable[retry_key] = flight

    def land(
        self,
        key: bytes | None,
        retry_key: bytes | None,
        flight: Flight,
        kept: Kept | None,
        failure: BaseException | None,
    ) -> None:
        """The call is closed. Only an answer is kept for a retry; after a failure it tries again."""
        flight.land(kept, failure)
        if key is not None and self._flights.get(key) is flight:
            del self._flights[key]
        if retry_key is None:
            return
        if self._retriable.get(retry_key) is flight:
            del self._retriable[retry_key]
        if kept is not None:
            flight.events = []  # followers hold on to the old list until they have read it
            self._remember(retry_key, flight, kept)

    def _remember(self, retry_key: bytes, flight: Flight, kept: Kept) -> None:
        recent, now_us = self._recent, self._clock()
        if retry_key in recent:
            self._forget(retry_key)
        recent[retry_key] = (now_us, flight)
        self._recent_bytes += _weight(kept)
        while recent:
            oldest, (at_us, _) = next(iter(recent.items()))
            if at_us >= now_us - self._retry_us and self._recent_bytes <= self.settings.max_bytes // 4:
                break
            self._forget(oldest)

    def _forget(self, retry_key: bytes) -> None:
        _, flight = self._recent.pop(retry_key)
        if flight.kept is not None:
            self._recent_bytes -= _weight(flight.kept)

    def retried(self, call: Call, retry_key: bytes, mark: str = "") -> Flight | None:
        """The call that this one repeats, as far as the client says so (retry count or Idempotency-Key), if its answer may
        be given to who is under the certificate of ``mark``."""
        if not (call.wish.retry_count or call.wish.idempotency_key):
            return None
        under_way = self._retriable.get(retry_key)
        if under_way is not None and under_way.open_to(mark):
            return under_way
        recent = self._recent.get(retry_key)
        if recent is None or recent[0] < call.at_us - self._retry_us:
            return None
        return recent[1] if recent[1].open_to(mark) else None

    def clear(self, tenant: str | None = None) -> int:
        """Forget kept answers (of one tenant); returns how many."""
        gone = [key for key, kept in self._kept.items() if tenant is None or kept.tenant == tenant]
        for key in gone:
            self._drop(key)
        return len(gone)

    def stats(self) -> dict[str, int | float | bool]:
        return {
            "exact": self.settings.exact,
            "coalesce": self.settings.coalesce,
            "entries": len(self._kept),
            "bytes": self._bytes,
            "max_bytes": self.settings.max_bytes,
            "ttl_s": self.settings.ttl_s,
            "hits": self.hits,
            "misses": self.misses,
            "coalesced": self.coalesced,
            "evicted": self.evicted,
            "in_flight": len(self._flights),
            "retry_bytes": self._recent_bytes,
        }


def retry_key(call: Call) -> bytes | None:
    """The same client asking the same thing again: key, kind, body to the byte, whether only the reference will do, and the
    Idempotency-Key if it sent one.

    None for a client that would never say that it retries: its calls need not be remembered.
    """
    if call.wish.retry_count is None and call.wish.idempotency_key is None:
        return None
    who, wish = call.caller, call.wish
    head = f"{who.key}\0{who.tenant}\0{call.kind}\0{wish.route}\0{wish.idempotency_key or ''}\0".encode()
    return hashlib.sha256(head + call.body).digest()


def _weight(kept: Kept) -> int:
    return len(kept.reply.body) + _ENTRY_BYTES
