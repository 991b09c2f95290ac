"""One call from question to books, in the order in which things happen. This is the gateway's policy; the steps are next door.

    key → known answer? → budget → model → ledger

Whoever reads one file of the gateway should read this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache
from time import perf_counter
from typing import Protocol

from msgspec import Struct

from ..core.call import Call, Event, Reply, Send, drop
from ..core.entry import Attempt, CacheTier, Cause, Decision, Entry, Outcome
from ..core.errors import Refused, UpstreamError
from ..core.ledger import Ledger
from ..core.limits import Alert
from ..core.price import cost
from ..wire.chunks import Assembler, explode
from ..wire.ending import finish_chunk
from .attempt import Breakers, Climb, CutAtHold
from .budget import Budgets, Held
from .cache import Cache, Flight, Kept, retry_key
from .keys import KeyRing
from .loop_guard import Repeats
from .metrics import Metrics
from .route import Route, Routes, Rung
from .settings import Settings


class Client(Protocol):
    """The other end of a call, as far as an answer needs it."""

    async def send(self, event: Event) -> None:
        """Pass an event on; the first one opens the response with what ``facts`` then hold. Never fails."""
        ...

    def watch(self, on_hangup: Callable[[], object]) -> None:
        """Begin to look out for a hang-up. It costs more than anything else here, so only when a model is asked."""
        ...

    def unwatch(self) -> None: ...

    def expect_stream(self) -> None:
        """A stream may be slow to begin: keep the client waiting politely from now on."""
        ...


class Facts:
    """What is known of a call while it is answered, for the response's headers."""

    __slots__ = ("cache", "clamped", "entry", "held_nanos", "model", "route", "started", "trace")

    def __init__(self) -> None:
        self.started = perf_counter()
        self.route = ""
        self.model: str | None = None
        self.cache: CacheTier = "off"
        self.held_nanos: int | None = None
        self.clamped: int | None = None
        self.entry: Entry | None = None
        self.trace: bytes | None = None
        """The request's ``traceparent``, where somebody observes."""


class Steps(Struct, frozen=True):
    """What the way of a call is made of. ``build`` puts it together."""

    ledger: Ledger
    keys: KeyRing
    routes: Routes
    cache: Cache
    budgets: Budgets
    repeats: Repeats
    breakers: Breakers
    metrics: Metrics
    settings: Settings
    clock: Callable[[], int]
    """UTC microseconds."""
    draw: Callable[[], float]
    """Uniform in [0, 1): the jitter of retries."""
    keep: Callable[[Call, Reply], str | None]
    """Keep an answered call's bodies, where the configuration asks for it; returns the reference. Returns at once."""
    alarm: Callable[[Alert], None]
    """Tell a person; returns at once."""
    observe: Callable[[Entry, bytes | None], None] | None = None
    """Told of every closed call, with the request's ``traceparent``; returns at once and never raises."""


async def answer(call: Call, facts: Facts, client: Client, steps: Steps) -> Reply:
    """The reply to a call, which is in the books when this returns. Raises Refused, UpstreamError or StoreError."""
    route = steps.routes.find(call.model)
    if route is None or call.caller.models:
        route = await steps.routes.resolve(call.model, call.caller)
    if call.wish.route == "reference":
        route = steps.routes.strict(route)
    facts.route = route.name
    again = retry_key(call)
    if again is not None and (joined := steps.cache.retried(call, again)) is not None:
        reply = await _join(call, joined, facts, client, steps)
        if reply is not None:
            return reply
    steps.keys.admit(call.caller)

    settings = steps.settings.cache
    key = (
        steps.cache.key(call, route)
        if (settings.exact or settings.coalesce) and call.wish.cache != "no-store"
        else None
    )
    while key is not None:
        facts.cache = "miss"
        if settings.exact and call.wish.cache == "use" and (kept := steps.cache.find(key)) is not None:
            return await _serve_kept(call, kept, "exact", facts, client, steps, route)
        if (flight := steps.cache.flight(key)) is None:
            break
        found = await _follow(call, flight, facts, client, steps, route)
        if found is not None:
            return found
    return await _ask(call, route, key, again, facts, client, steps)


async def _ask(
    call: Call, route: Route, key: bytes | None, again: bytes | None, facts: Facts, client: Client, steps: Steps
) -> Reply:
    """Hold the money, ask the models, close the books, and let whoever asked the same share the answer."""
    flight = Flight(call)
    steps.cache.take_off(key, again, flight)
    kept: Kept | None = None
    failure: BaseException | None = None
    try:
        held = await _hold(call, route, facts, steps)
        reply, entry = await _climb(held, route, flight, facts, client, steps)
        kept = Kept(reply, entry.model or "", entry.provider or "", call.id, call.at_us, call.caller.tenant)
        # What stood in while the reference was down is nobody's answer for the rest of the day.
        if key is not None and steps.settings.cache.exact and entry.model == route.reference.alias:
            steps.cache.keep(key, kept)
    except UpstreamError as error:
        failure = error
        raise
    else:
        return reply
    finally:
        steps.cache.land(key, again, flight, kept, failure)


async def _hold(call: Call, route: Route, facts: Facts, steps: Steps) -> Held:
    try:
        held = await steps.budgets.hold(call, route)
    except asyncio.CancelledError:
        # The hold may be in the file or not: closing the call releases it in either case.
        steps.ledger.post(_close(call, route, facts, steps, "cancelled"))
        raise
    facts.held_nanos = held.nanos
    if held.call.clamped:
        facts.clamped = held.call.max_output
    return held


async def _climb(
    held: Held, route: Route, flight: Flight, facts: Facts, client: Client, steps: Steps
) -> tuple[Reply, Entry]:
    call = held.call
    mark = steps.repeats.admitted(call)
    task = asyncio.current_task()
    assert task is not None
    gone = False

    def on_hangup() -> None:
        nonlocal gone
        gone = True
        if steps.settings.on_hangup == "cancel":
            flight.when_alone(task.cancel)

    async def publish(event: Event) -> None:
        flight.publish(event)
        if not gone:
            await client.send(event)

    facts.model = route.reference.alias

    async def extend(rung: Rung) -> bool:
        nonlocal held
        more = await steps.budgets.extend(held, rung, route)
        held = more or held
        return more is not None

    climb = Climb(call, publish if call.stream else drop, limit=held.output_bound, extend=extend)
    client.watch(on_hangup)
    if call.stream:
        client.expect_stream()
    outcome: Outcome = "failed"
    reply: Reply | None = None
    error: str | None = None
    flags: tuple[str, ...] = ()
    done: Awaitable[None] | None = None
    try:
        reply, rung = await climb.run(route, steps.breakers, steps.settings.retry, steps.draw)
        facts.model = rung.alias
        outcome = "cancelled" if gone else "answered"
        flags = ("drained",) if gone else ()
    except CutAtHold:
        outcome, flags = "answered", ("cut_at_hold",)
        await publish(Event(finish_chunk(flight.events[-1].data, "length")))
        reply = _so_far(call, flight, climb)
    except UpstreamError as failed:
        error = failed.code
        raise
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    finally:
        client.unwatch()
        entry = _close(
            call,
            route,
            facts,
            steps,
            outcome,
            held=held,
            climb=climb,
            error=error,
            flags=flags + (("clamped",) if call.clamped else ()),
            joined=flight.joined,
            body_ref=steps.keep(call, reply) if reply is not None else None,
        )
        flight.booked = True
        # No wait in `finally`: a cancelled task would lose the row. It is queued here; its commit is waited for below.
        if outcome == "answered":
            done = steps.ledger.settle(entry)
        else:
            steps.ledger.post(entry)
        _after(call, entry, held, mark, steps)
    if done is not None:
        await done
    return reply, entry


def _so_far(call: Call, flight: Flight, climb: Climb) -> Reply:
    """What a stream that was cut adds up to."""
    whole = Assembler(call.kind)
    for event in flight.events:
        whole.feed(event.data)
    last = climb.attempts[-1]
    return Reply(whole.body(), last.upstream_model, last.usage, finish="length", complete=False)


def _after(call: Call, entry: Entry, held: Held, mark: bytes | None, steps: Steps) -> None:
    """What follows from a closed call: the minute's tokens, and the loop guard's verdict."""
    if entry.usage is not None:
        steps.keys.used(call.caller, entry.usage)
    why = steps.repeats.settled(call, mark, entry.cost_nanos or 0, [budget for budget, _ in held.applies])
    if why is not None and call.caller.key not in steps.ledger.paused():
        steps.repeats.forgive(call.caller.key)
        steps.alarm(
            Alert(
                id=f"loop-{call.id}",
                at_us=call.at_us,
                kind="loop_detected",
                subject=call.caller.key,
                message=f"key '{call.caller.key}' is paused: {why}",
                remedy=f"demitasse keys resume {call.caller.key}",
            )
        )
    if "over_hold" in entry.flags:
        if not held.nanos:
            steps.budgets.distrust(entry.model or "")
        steps.alarm(
            Alert(
                id=f"over-{call.id}",
                at_us=call.at_us,
                kind="over_hold",
                subject=entry.model or "",
                message=f"'{entry.model}' billed more than the bound held for call {call.id}; its budgets are closed",
                remedy=f"demitasse explain {call.id}",
            )
        )


async def _serve_kept(
    call: Call,
    kept: Kept,
    tier: CacheTier,
    facts: Facts,
    client: Client,
    steps: Steps,
    route: Route,
    *,
    sent: bool = False,
) -> Reply:
    """An answer that cost nothing: the same bytes of content, in the shape that this client wants."""
    facts.cache, facts.model = tier, kept.model
    cause: Cause = "exact_cache" if tier == "exact" else "coalesced"
    booked = steps.ledger.settle(_close(call, route, facts, steps, "answered", kept=kept, cause=cause))
    if call.stream and not sent:
        for data in explode(kept.reply.body, include_usage=call.include_usage, kind=call.kind):
            await client.send(Event(data, content=True))
    await booked
    return kept.reply


async def _follow(call: Call, flight: Flight, facts: Facts, client: Client, steps: Steps, route: Route) -> Reply | None:
    """Share the answer of an identical call under way; None when its leader gave up and this call must ask itself."""
    facts.cache = "coalesced"
    task = asyncio.current_task()
    assert task is not None
    client.watch(task.cancel)
    if call.stream:
        client.expect_stream()
    try:
        kept, sent = await flight.follow(call, client.send)
    except UpstreamError as failed:
        steps.ledger.post(_close(call, route, facts, steps, "failed", error=failed.code))
        raise
    except asyncio.CancelledError:
        steps.ledger.post(_close(call, route, facts, steps, "cancelled"))
        raise
    finally:
        client.unwatch()
    if kept is None:
        return None
    steps.cache.coalesced += 1
    return await _serve_kept(call, kept, "coalesced", facts, client, steps, route, sent=sent)


async def _join(call: Call, flight: Flight, facts: Facts, client: Client, steps: Steps) -> Reply | None:
    """A client's retry gets the answer of the call that it repeats, and no entry of its own: that entry counts it."""
    late = flight.booked
    flight.joined += 1
    facts.cache = "coalesced"
    task = asyncio.current_task()
    assert task is not None
    client.watch(task.cancel)
    if call.stream:
        client.expect_stream()
    try:
        kept, sent = await flight.follow(call, client.send)
    finally:
        client.unwatch()
    if kept is None:
        return None
    facts.model = kept.model
    if late:
        steps.ledger.join(kept.entry_id, call.at_us)
        await steps.ledger.flush()
    if call.stream and not sent:
        for data in explode(kept.reply.body, include_usage=call.include_usage, kind=call.kind):
            await client.send(Event(data, content=True))
    return kept.reply


def _close(
    call: Call,
    route: Route,
    facts: Facts,
    steps: Steps,
    outcome: Outcome,
    *,
    held: Held | None = None,
    climb: Climb | None = None,
    kept: Kept | None = None,
    cause: Cause | None = None,
    error: str | None = None,
    flags: tuple[str, ...] = (),
    joined: int = 0,
    body_ref: str | None = None,
) -> Entry:
    """The entry that closes a call: what it cost, what it would have cost, and why."""
    took_s = perf_counter() - facts.started
    attempts: tuple[Attempt, ...] = tuple(climb.attempts) if climb is not None else ()
    last = attempts[-1] if attempts else None
    nanos: int | None = 0
    baseline: int | None = None
    saved: tuple[tuple[Cause, int], ...] = ()
    usage = last.usage if last is not None else None
    model = facts.model
    provider = last.provider if last is not None else None
    if kept is not None and cause is not None:
        usage, provider = kept.reply.usage, kept.provider
        reference = route.reference.card
        if reference is not None and usage is not None:
            tier = kept.reply.service_tier or call.service_tier
            baseline = cost(reference, usage, at_us=call.at_us, service_tier=tier)
        if baseline:
            saved = ((cause, baseline),)
    elif attempts:
        parts = [a.cost_nanos for a in attempts]
        nanos = None if None in parts else sum(p for p in parts if p is not None)
        baseline = nanos
        if outcome == "answered" and last is not None and last.model != route.reference.alias:
            reference = route.reference.card
            if reference is not None and usage is not None:
                baseline = cost(reference, usage, at_us=call.at_us, service_tier=call.service_tier)
            else:
                baseline = None
            if baseline is not None and nanos is not None and baseline != nanos:
                saved = (("routed", baseline - nanos),)
    if held is not None and held.firm and nanos is not None and nanos > held.nanos:
        flags = (*flags, "over_hold")
    if nanos is None:
        flags = (*flags, "unpriced")
    if climb is not None and climb.doubt:
        flags = (*flags, "doubtful_usage")
    entry = Entry(
        id=call.id,
        at_us=call.at_us,
        key=call.caller.key,
        kind=call.kind,
        asked_model=call.model,
        outcome=outcome,
        request_id=call.request_id if call.request_id != call.id else None,
        route=route.name,
        model=model,
        provider=provider,
        team=call.caller.team,
        tags=call.tags,
        session=call.session,
        stream=call.stream,
        cache=facts.cache,
        usage=usage,
        cost_nanos=nanos,
        baseline_nanos=baseline,
        saved=saved,
        # Another model's answer has other tokens than the reference's would have had.
        grade="C" if saved and saved[0][0] == "routed" else "A",
        hold_nanos=held.nanos if held is not None else 0,
        charges=steps.budgets.charges(held, climb.costs) if held is not None and climb is not None else (),
        attempts=attempts,
        decision=_decision(route, model or ""),
        estimated=any(a.estimated for a in attempts),
        flags=flags,
        joined=joined,
        error=error,
        duration_ms=round(took_s * 1e3, 3),
        overhead_us=int((took_s - climb.open_s) * 1e6) if climb is not None else int(took_s * 1e6),
        first_byte_ms=last.first_byte_ms if last is not None else None,
        body_ref=body_ref,
    )
    _closed(entry, facts, steps)
    return entry


def _closed(entry: Entry, facts: Facts, steps: Steps) -> None:
    facts.entry = entry
    steps.metrics.closed(entry)
    if steps.observe is not None:
        steps.observe(entry, facts.trace)


@lru_cache(maxsize=1024)
def _decision(route: Route, chosen: str) -> Decision:
    """Why this model. Without a certificate a route has one policy: its reference, and what stands in when it fails."""
    return Decision(policy="reference", chosen=chosen, candidates=tuple(rung.alias for rung in route.rungs))


_LIMITS = frozenset({"insufficient_quota", "unpriced_model", "loop_detected", "rate_limit_exceeded"})
"""Refusals whose sentence names limits and sums alone; others may quote what was asked, which is not kept."""


def refused(call: Call, facts: Facts, error: Refused, steps: Steps) -> None:
    """A refusal is a row too: who, what, why; it cost nothing."""
    entry = Entry(
        id=call.id,
        at_us=call.at_us,
        key=call.caller.key,
        kind=call.kind,
        asked_model=call.model,
        outcome="refused",
        request_id=call.request_id if call.request_id != call.id else None,
        route=facts.route,
        team=call.caller.team,
        tags=call.tags,
        session=call.session,
        stream=call.stream,
        cache=facts.cache,
        error=error.code or error.type,
        why=error.message if error.code in _LIMITS else None,
        duration_ms=round((perf_counter() - facts.started) * 1e3, 3),
    )
    _closed(entry, facts, steps)
    steps.ledger.post(entry)


__all__ = ["Client", "Facts", "Send", "Steps", "answer", "refused"]
