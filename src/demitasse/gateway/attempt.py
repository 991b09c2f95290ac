"""Asking models until one answers: retries, fallbacks, circuit breakers. Knows rungs and errors, not budgets or policies.

Only what nothing later can refuse is passed on: events are held back until the first content, so that another model can
still be asked; after it a failure is final. A draft passes nothing on at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from time import perf_counter
from typing import NamedTuple

from msgspec import Struct, structs

from ..core.call import Call, Event, Reply, Send, Usage, drop
from ..core.entry import Attempt, AttemptStatus, Cause, Grade
from ..core.errors import UpstreamError
from ..core.price import PICO_PER_NANO, cost
from .locality import permits
from .route import Rung
from .settings import BreakerSettings, Retry

log = logging.getLogger("demitasse")

_FALLBACK_STATUSES = frozenset({401, 403, 404, 408, 409, 429, 500, 502, 503, 504, 529})
"""After these another model may know better; a 400, 413 or 422 is the caller's to mend."""


_CALLERS_FAULT = frozenset({400, 401, 403, 404, 413, 422})
"""After these a model does not rest: it answers, and another caller, or one with another key, may be served."""
_PATIENCE_S = 10.0
"""A client that waits less than this says nothing about the model."""
_MOST_BREAKERS = 10_000


class CutAtHold(Exception):
    """A model went on beyond what was held for it; its stream is cut, its answer so far stands."""


class Breaker:
    """Stops asking a model that keeps failing: open after ``failures`` in a row, one probe after ``open_s``."""

    __slots__ = ("_settings", "failures", "open_until", "probing")

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self.failures = 0
        self.open_until = 0.0
        self.probing = False

    def closed(self, now_s: float) -> bool:
        """May this model be asked now? In the half-open state exactly one caller is let through."""
        if self.failures < self._settings.failures:
            return True
        if now_s < self.open_until or self.probing:
            return False
        self.probing = True
        return True

    def record(self, *, ok: bool, now_s: float) -> None:
        self.probing = False
        if ok:
            self.failures = 0
        else:
            self.failures += 1
            if self.failures >= self._settings.failures:
                self.open_until = now_s + self._settings.open_s


class Draft(Struct, frozen=True):
    """A whole answer that nobody has seen, with the events that it came in, to be replayed should it stand."""

    reply: Reply
    events: tuple[Event, ...]
    nth: int
    """Which of the call's attempts it was."""


class Spared(NamedTuple):
    """What one attempt would have cost more, had it been asked as the client asked."""

    attempt: int
    cause: Cause
    nanos: int
    grade: Grade
    tokens: int = 0
    """Of the prompt that were not sent."""


class Climb:
    """One call's way through its rungs, and the record of it: what each attempt used and cost.

    An instance lives as long as its call. ``attempts`` is complete at every moment, also when the task is cancelled,
    so that the books can be closed without waiting.
    """

    __slots__ = (
        "_breakers",
        "_call",
        "_draw",
        "_extend",
        "_limit",
        "_retry",
        "_seen",
        "_send",
        "_started",
        "attempts",
        "content",
        "costs",
        "doubt",
        "open_s",
        "rung",
        "spared",
    )

    def __init__(
        self,
        call: Call,
        *,
        limit: int,
        extend: Callable[[Rung], Awaitable[bool]],
        breakers: Breakers,
        retry: Retry,
        draw: Callable[[], float],
    ) -> None:
        self._call = call
        self._send: Send = drop
        self._limit = limit
        self._extend = extend
        self._breakers = breakers
        self._retry = retry
        self._draw = draw
        self.rung: Rung | None = None
        """The one that is being asked, or was last."""
        self._started = 0.0
        self._seen = _Seen()
        self.attempts: list[Attempt] = []
        self.costs: list[tuple[str, int]] = []
        self.spared: list[Spared] = []
        self.content = False
        self.doubt = False
        """A model's meter reading contradicts itself; see ``Reply.doubt``."""
        self.open_s = 0.0
        """Seconds spent waiting for models; the rest of the call's time is our own overhead."""

    async def run(self, rungs: Sequence[Rung], send: Send, *, forgive: Rung | None = None) -> tuple[Reply, Rung]:
        """The first whole answer, or UpstreamError from the last model asked.

        Args:
            send: where its events go as they come.
            forgive: a rung that only a policy put first: whatever it fails by, the next one is asked.
        """
        self._send = send
        failure: UpstreamError | None = None
        for rung in rungs:
            breaker, retry = self._breakers.of(rung), self._retry
            for turn in range(retry.attempts):
                if not breaker.closed(self._started or perf_counter()):
                    failure = failure or _rests(rung, breaker)
                    break
                try:
                    reply = await self._ask(rung, self._call)
                except UpstreamError as error:
                    breaker.record(ok=_is_callers_fault(error, self._call), now_s=perf_counter())
                    failure = error
                    if self.content or error.after_content:
                        raise
                    if not error.retryable or turn + 1 == retry.attempts:
                        break
                    wait_s = retry.backoff_s * 2**turn * (0.5 + self._draw() / 2)
                    if error.retry_after_s is not None:
                        wait_s = max(wait_s, error.retry_after_s)
                    if wait_s > retry.max_wait_s or (error.billable and not await self._extend(rung)):
                        break
                    await asyncio.sleep(wait_s)
                except asyncio.CancelledError:
                    breaker.probing = False
                    raise
                except CutAtHold:
                    breaker.record(ok=True, now_s=0.0)
                    raise
                else:
                    breaker.record(ok=True, now_s=0.0)
                    return reply, rung
            if failure is not None and failure.status not in _FALLBACK_STATUSES and rung is not forgive:
                break
        assert failure is not None
        raise failure

    async def whole(self, rung: Rung) -> Draft:
        """A whole answer, of which nothing is passed on, asked for as often and for as long as one that is given as it comes.

        Raises UpstreamError, also where the model had to be cut off at what was held for it.
        """
        events: list[Event] = []

        async def keep(event: Event) -> None:
            events.append(event)

        try:
            reply, _ = await self.run((rung,), keep)
        except CutAtHold as cut:
            raise UpstreamError(f"'{rung.alias}' went on beyond what was held for it") from cut
        finally:
            self.content = False  # it was seen by nobody
        return Draft(reply, tuple(events), len(self.attempts) - 1)

    async def draft(self, rung: Rung) -> Draft:
        """A whole answer, of which nothing is passed on. One attempt, in half of the time that the client will wait: who
        asks for a draft has another model ready.

        Raises UpstreamError, also where the model had to be cut off at what was held for it.
        """
        breaker = self._breakers.of(rung)
        if not breaker.closed(self._started or perf_counter()):
            raise _rests(rung, breaker)
        events: list[Event] = []

        async def keep(event: Event) -> None:
            events.append(event)

        self._send = keep
        call = self._call
        if call.wish.deadline_s is not None:
            call = structs.replace(call, wish=structs.replace(call.wish, deadline_s=call.wish.deadline_s / 2))
        try:
            reply = await self._ask(rung, call)
        except UpstreamError as error:
            breaker.record(ok=_is_callers_fault(error, call), now_s=perf_counter())
            raise
        except asyncio.CancelledError:
            breaker.probing = False
            raise
        except CutAtHold as cut:
            breaker.record(ok=True, now_s=0.0)
            raise UpstreamError(f"'{rung.alias}' went on beyond what was held for it") from cut
        finally:
            self.content = False  # it was seen by nobody
        breaker.record(ok=True, now_s=0.0)
        return Draft(reply, tuple(events), len(self.attempts) - 1)

    async def _ask(self, rung: Rung, call: Call) -> Reply:
        self.rung, self._seen = rung, _Seen()
        self._started = perf_counter()
        if call.stays and not permits(call.stays, rung):
            # Routes are narrowed long before this; here is the last door, and it is shut whatever was decided.
            raise UpstreamError(
                f"'{rung.alias}' may not be asked: this call's data stays in {call.stays}",
                status=403,
                code="data_may_not_leave",
                type="permission_error",
                retryable=False,
            )
        try:
            reply = await rung.model(call, self._pass_on)
        except UpstreamError as error:
            self._close("broken" if error.billable else "error", error=error)
            raise
        except (CutAtHold, asyncio.CancelledError):
            self._close("cancelled")
            raise
        except Exception as bug:
            log.exception("asking '%s' failed", rung.alias)
            fault = UpstreamError(
                f"asking '{rung.alias}' failed by a fault of this gateway; its log says where",
                status=500,
                code="internal_error",
                type="server_error",
                retryable=False,
                billable=True,  # it may have come after the question was sent
            )
            self._close("broken", error=fault)
            raise fault from bug
        if self._seen.held_back:
            await self._let_go()
        self._close("ok", reply=reply)
        return reply

    async def _pass_on(self, event: Event) -> None:
        seen = self._seen
        seen.chars += event.text_chars
        if event.content:
            if not seen.events:
                seen.first_ms = (perf_counter() - self._started) * 1e3
                self.content = True
                if seen.held_back:
                    await self._let_go()
            seen.events += 1
            # A token is at least one character, and a chunk is at least one token unless the upstream splits tokens;
            # both together exceed the hold only when tokens do.
            if self._limit and seen.events > self._limit < seen.chars:
                raise CutAtHold
        elif not self.content:
            seen.held_back.append(event)
            return
        await self._send(event)

    async def _let_go(self) -> None:
        held_back, self._seen.held_back = self._seen.held_back, []
        for event in held_back:
            await self._send(event)

    def _close(self, status: AttemptStatus, *, reply: Reply | None = None, error: UpstreamError | None = None) -> None:
        rung, call, seen = self.rung, self._call, self._seen
        assert rung is not None
        took_s = perf_counter() - self._started
        self.open_s += took_s
        usage = None
        if reply is not None:
            usage = reply.usage
            self.doubt |= reply.doubt != ""
        if error is not None:
            usage = error.facts.get("usage")  # what a broken stream had told before it broke
        estimated = False
        if usage is None and status != "error":
            usage, estimated = estimate(call, seen.chars, seen.events, most=self._limit, whole=reply), True
            at_work = reply is None and not rung.local and (error is None or error.status == 504)
            if at_work and not call.stream:
                # A provider may go on writing what nobody waits for any more: at most what was held.
                usage = structs.replace(usage, text_out=self._limit)
        nanos: int | None = 0
        if reply is not None and reply.reported_cost_nanos is not None:
            nanos = reply.reported_cost_nanos
        elif usage is not None:
            nanos = None
            if rung.card is not None:
                tier = reply.service_tier if reply is not None and reply.service_tier else call.service_tier
                nanos = cost(rung.card, usage, at_us=call.at_us, service_tier=tier)
        self.attempts.append(
            Attempt(
                model=rung.alias,
                provider=rung.provider,
                upstream_model=reply.model if reply is not None and reply.model else rung.upstream_model,
                status=status,
                started_us=call.at_us + int(self.open_s * 1e6 - took_s * 1e6),
                duration_ms=round(took_s * 1e3, 3),
                first_byte_ms=round(seen.first_ms, 3) if seen.first_ms is not None else None,
                http_status=error.status if error is not None else None,
                error=error.code if error is not None else None,
                region="local" if rung.here else rung.region,
                usage=usage,
                usage_raw=reply.usage_raw if reply is not None else None,
                estimated=estimated,
                cost_nanos=nanos,
                card=rung.card.id if rung.card is not None else None,
                energy=reply.energy if reply is not None else None,
            )
        )
        self.costs.append((rung.alias, nanos or 0))
        if reply is not None and nanos is not None:
            self.spared += _spared(len(self.attempts) - 1, call, rung, reply)


def _spared(nth: int, call: Call, rung: Rung, reply: Reply) -> Iterator[Spared]:
    for cause, nanos, grade in reply.saved:
        yield Spared(nth, cause, nanos, grade)  # type: ignore[arg-type]  # the vocabulary is core.entry's
    if not call.shaped_bytes or reply.usage is None or rung.card is None:
        return
    per_byte = reply.usage.total_in / max(1, call.text_bytes - call.shaped_bytes)
    rates = rung.card.base
    fresh_pico = rates.uncached_in or 0
    # What was left out at an earlier turn would by now be read from the provider's cache, where it has one.
    again_pico = rates.cache_read if reply.usage.cache_read and rates.cache_read is not None else fresh_pico
    again = int(per_byte * call.shaped_again_bytes)
    fresh = int(per_byte * call.shaped_bytes) - again
    if nanos := (fresh * fresh_pico + again * again_pico) // PICO_PER_NANO:
        yield Spared(nth, "shaped", nanos, "C", fresh + again)


def _is_callers_fault(error: UpstreamError, call: Call) -> bool:
    deadline_s = call.wish.deadline_s
    impatient = error.status == 504 and deadline_s is not None and deadline_s < _PATIENCE_S
    return impatient or error.status in _CALLERS_FAULT


def _rests(rung: Rung, breaker: Breaker) -> UpstreamError:
    return UpstreamError(
        f"'{rung.alias}' failed {breaker.failures} times in a row and rests for a few seconds; "
        "see: demitasse models list",
        status=503,
        code="circuit_open",
        retry_after_s=max(1.0, breaker.open_until - perf_counter()),
    )


class _Seen:
    """What has been seen of one attempt's stream."""

    __slots__ = ("chars", "events", "first_ms", "held_back")

    def __init__(self) -> None:
        self.chars = 0
        self.events = 0
        self.first_ms: float | None = None
        self.held_back: list[Event] = []


class Breakers:
    """A breaker per model; made anew with every change of the configuration."""

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._of: dict[str, Breaker] = {}

    def of(self, rung: Rung) -> Breaker:
        breaker = self._of.get(rung.alias)
        if breaker is None:
            if len(self._of) >= _MOST_BREAKERS:
                self._of.clear()
            breaker = self._of[rung.alias] = Breaker(self._settings)
        return breaker

    def states(self) -> dict[str, str]:
        """``closed``, ``open`` or ``half-open`` by model, for pages and metrics."""
        now_s = perf_counter()
        return {
            alias: "closed" if b.failures < self._settings.failures else "open" if now_s < b.open_until else "half-open"
            for alias, b in self._of.items()
        }


def estimate(call: Call, chars: int, events: int, *, most: int, whole: Reply | None = None) -> Usage:
    """Tokens counted from what was seen, where the upstream never said: four characters a token, and no fewer than chunks.

    Never more than ``most``, the limit that the upstream was given: words of many characters would else be charged above
    what is held for the call.

    For the prompt the same over its bytes; a rule of thumb for English text (OpenAI, "What are tokens", 2023).
    """
    if whole is not None and not chars:
        chars = len(whole.body)
    return Usage(uncached_in=max(1, call.text_bytes // 4), text_out=min(most, max(events, -(-chars // 4))))
