"""One call from question to books, in the order in which things happen. This is the gateway's policy; the steps are next door.

    key → guard → known answer? one that means the same? → policy → budget → ladder of models → check → ledger

Whoever reads one file of the gateway should read this one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from time import perf_counter

import msgspec
from msgspec import structs

from ..core.call import Call, Event, Reply, Send, drop
from ..core.entry import Entry, Outcome
from ..core.errors import Refused, UpstreamError
from ..core.evidence import OWN_KEY
from ..core.limits import Alert
from ..wire.chunks import Assembler
from ..wire.ending import finish_chunk
from .attempt import Climb, CutAtHold
from .budget import Held
from .cache import Flight, Kept, retry_key
from .closing import Facts, Way
from .ladder import Ascent
from .locality import approved_only, some_approved
from .passage import Passage
from .pilot import Plan, plain
from .route import Route, Rung
from .share import Similar, find_similar, follow, join, mark_of, remember, serve_kept
from .steps import Client, Steps, close, committed, tell

log = logging.getLogger("demitasse")


async def answer(call: Call, facts: Facts, client: Client, steps: Steps) -> Reply:
    """The reply to a call, which is in the books when this returns. Raises Refused, UpstreamError or StoreError.

    Our own calls (``OWN_KEY``: shadows, judges, checks) are put to just the model that they name: they share no answer,
    and nobody shares theirs.
    """
    own = call.caller.key == OWN_KEY
    route = steps.routes.find(call.model)
    if route is None or call.caller.models:
        route = await steps.routes.resolve(call.model, call.caller)
    if call.wish.route == "reference" or own:
        route = steps.routes.strict(route)
    facts.route = route.name
    if own or steps.guard is None:
        return await _answer(_approved(Passage(call, route), steps), facts, client, steps)
    if steps.approved.providers:
        some_approved(route, steps.approved)
    # From here on nobody but the client sees what was redacted: not caches, models, traces nor kept bodies.
    passage = await steps.guard.admit(call, route, facts)
    passage = _approved(passage, steps)  # only now: what stays here is put to none of those who are not
    listening = passage.listening(client)
    try:
        reply = await _answer(passage, facts, listening, steps)
    except UpstreamError as error:
        await passage.end(listening)
        raise passage.restored_error(error) from error
    await passage.end(listening)
    return passage.restored(reply)


def _approved(passage: Passage, steps: Steps) -> Passage:
    if not steps.approved.providers:
        return passage
    route = approved_only(passage.route, steps.approved)
    return passage if route is passage.route else structs.replace(passage, route=route)


async def _answer(passage: Passage, facts: Facts, client: Client, steps: Steps) -> Reply:
    call, route = passage.call, passage.route
    own = call.caller.key == OWN_KEY
    again = None if own else retry_key(call)
    if again is not None and (joined := steps.cache.retried(call, again, mark_of(call, route, steps))) is not None:
        reply = await join(call, joined, facts, client, steps)
        if reply is not None:
            return reply
    steps.keys.admit(call.caller)
    if passage.harm is not None:
        await passage.harm(call, facts)

    settings = steps.settings.cache
    key = (
        steps.cache.key(call, route)
        if (settings.exact or settings.coalesce) and call.wish.cache != "no-store" and not own
        else None
    )
    while key is not None:
        facts.cache, mark = "miss", mark_of(call, route, steps)
        if settings.exact and call.wish.cache == "use" and (kept := steps.cache.find(key, mark)) is not None:
            return await serve_kept(call, kept, "exact", facts, client, steps, route)
        if (flight := steps.cache.flight(key, mark)) is None:
            break
        found = await follow(call, flight, facts, client, steps, route)
        if found is not None:
            return found
    aside = own or passage.restricted or passage.redacted
    similar = find_similar(call, route, steps) if steps.semantic is not None and not aside else None
    if similar is not None:
        facts.cache = "miss"
        if similar.hit is not None:
            return await serve_kept(call, similar.hit, "semantic", facts, client, steps, route)
    return await _ask(passage, key, again, facts, client, steps, similar)


async def _ask(
    passage: Passage,
    key: bytes | None,
    again: bytes | None,
    facts: Facts,
    client: Client,
    steps: Steps,
    similar: Similar | None = None,
) -> Reply:
    """Choose a way, hold the money, ask the models, close the books, and let whoever asked the same share the answer."""
    call, route = passage.call, passage.route
    plan = steps.pilot.plan(call, route) if steps.pilot is not None and not passage.restricted else plain(route)
    facts.certificate = plan.certificate
    flight = Flight(call, plan.mark if plan.courses[0].action != "reference" else "")
    steps.cache.take_off(key, again, flight)
    kept: Kept | None = None
    failure: BaseException | None = None
    try:
        held = await _hold(steps.shape(call, route) if steps.shape is not None else call, route, plan, facts, steps)
        reply, entry = await _climb(held, passage, plan, flight, facts, client, steps)
        if steps.shadow is not None and call.caller.key != OWN_KEY and not passage.restricted:
            _shadow(call, reply, entry, route, steps)  # as it came, unshaped: that is what a policy scores
        passage.given(reply, entry)
        # What stood in while another was down is nobody's answer for the rest of the day.
        own_answer = entry.model == route.reference.alias
        under_promise = entry.decision is not None and entry.decision.action in ("cheap", "draft")
        kept = Kept(
            reply,
            entry.model or "",
            entry.provider or "",
            call.id,
            call.at_us,
            call.caller.tenant,
            mark="" if own_answer else plan.mark,
            decision=entry.decision,
        )
        if (own_answer or under_promise) and (key is not None or similar is not None):
            poisoned = steps.poisoned(call, reply, entry.guard) if steps.poisoned is not None else ""
            if key is not None and steps.settings.cache.exact and not poisoned:
                steps.cache.keep(key, kept)
            if similar is not None and not poisoned:
                remember(similar, kept, call, entry, steps)
    except UpstreamError as error:
        failure = error
        raise
    else:
        return reply
    finally:
        steps.cache.land(key, again, flight, kept, failure)


async def _hold(call: Call, route: Route, plan: Plan, facts: Facts, steps: Steps) -> Held:
    try:
        held = await steps.budgets.hold(call, route, plan.asks)
    except asyncio.CancelledError:
        # The hold may be in the file or not: closing the call releases it in either case.
        steps.ledger.post(close(call, route, facts, steps, "cancelled"))
        raise
    facts.held_nanos = held.nanos
    if held.call.clamped:
        facts.clamped = held.call.max_output
    return held


async def _climb(
    held: Held, passage: Passage, plan: Plan, flight: Flight, facts: Facts, client: Client, steps: Steps
) -> tuple[Reply, Entry]:
    call, route, course = held.call, passage.route, plan.courses[held.course]
    own = call.caller.key == OWN_KEY
    mark = None if own else steps.repeats.admitted(call)
    task = asyncio.current_task()
    assert task is not None
    gone = False

    def on_hangup() -> None:
        nonlocal gone
        gone = True
        if steps.settings.on_hangup == "cancel":
            flight.when_alone(task.cancel)

    async def publish(event: Event) -> None:
        if not flight.events:  # the head of the stream names who speaks
            _name(ascent, plan, facts)
        flight.publish(event)
        if not gone:
            await client.send(event)

    # The head of a stream that is slow to begin names nobody whom a later model may yet replace.
    facts.model = course.asks[0].alias if len(course.asks) == 1 else None

    async def extend(rung: Rung) -> bool:
        nonlocal held
        more = await steps.budgets.extend(held, rung, route)
        held = more or held
        return more is not None

    climb = Climb(
        call,
        limit=held.output_bound,
        extend=extend,
        breakers=steps.breakers,
        retry=steps.settings.retry,
        draw=steps.draw,
    )
    ladder, judge = passage.way(course, plan.judge)
    ascent = Ascent(ladder, climb, judge, passage.confirm)
    client.watch(on_hangup)
    if call.stream:
        client.expect_stream()
    outcome: Outcome = "failed"
    reply: Reply | None = None
    error: str | None = None
    flags: tuple[str, ...] = ()
    done: Awaitable[None] | None = None
    try:
        reply = await ascent.run(publish if call.stream else drop)
        outcome = "cancelled" if gone else "answered"
        if gone:
            flags = ("drained",)
        if reply.finish == "length":
            flags = (*flags, "truncated")
        facts.guard = passage.checked(reply, facts.guard)
        facts.guard = await passage.moderated(reply, facts.guard)
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
        facts.model = course.asks[0].alias  # where nobody could be asked at all
        _name(ascent, plan, facts)
        entry = close(
            call,
            route,
            facts,
            steps,
            outcome,
            way=Way(plan, course, held, ascent),
            error=error,
            flags=flags + (("clamped",) if call.clamped else ()),
            joined=flight.joined,
            body_ref=steps.keep(call, reply) if reply is not None else None,
            reply=reply,
        )
        flight.booked = True
        # No wait in `finally`: a cancelled task would lose the row. It is queued here; its commit is waited for below.
        if outcome == "answered":
            done = steps.ledger.settle(entry)
        else:
            steps.ledger.post(entry)
        _after(call, entry, held, mark, steps)
        if plan.certificate and steps.pilot is not None:
            steps.pilot.learn(call, route, plan, escalated=ascent.escalated, attempts=climb.attempts)
        if reply is not None and steps.shape is not None:
            steps.shape.learn(call, route, reply)
    if done is not None:
        await done
    return reply, entry


def _name(ascent: Ascent, plan: Plan, facts: Facts) -> None:
    """Who answers, as far as it is known, and whether a certificate speaks of it: of what only stands in, none does."""
    rung = ascent.speaker
    if rung is not None:
        facts.model = rung
    facts.certificate = "" if ascent.stands_in else plan.certificate


def _shadow(call: Call, reply: Reply, entry: Entry, route: Route, steps: Steps) -> None:
    assert steps.shadow is not None
    try:
        steps.shadow(call, reply, entry, route)
    except Exception:
        # What is only there to learn may not cost an answer that is given and booked.
        log.exception("the shadow of call %s was not made", call.id)


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


_LIMITS = frozenset(
    {
        *("insufficient_quota", "unpriced_model", "loop_detected", "key_paused", "rate_limit_exceeded"),
        *(
            "approval_needed",
            "approval_rejected",
            "data_may_not_leave",
            "guard_cap",
            "guard_unavailable",
            "hidden_characters",
        ),
        *(
            "injection_refused",
            "moderation_refused",
            "private_data_refused",
            "prompt_too_long",
            "provider_not_approved",
        ),
    }
)
"""Refusals whose sentence names limits, sums and types alone; others may quote what was asked, which is not kept."""


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
        session=_session(call),
        stream=call.stream,
        cache=facts.cache,
        error=error.code or error.type,
        why=error.message if error.code in _LIMITS else None,
        duration_ms=round((perf_counter() - facts.started) * 1e3, 3),
        guard=facts.guard,
        prompt_mac=committed(call, facts, steps)[0],
    )
    if error.code == "approval_needed" and steps.withheld is not None:
        steps.withheld(facts.sent or call)
    tell(entry, facts, steps)
    steps.ledger.post(entry)


def _session(call: Call) -> str:
    """Of a refused call. What its body named it by is kept out of the books: the guard took nothing out of it."""
    if (told := call.fields.get("prompt_cache_key")) is None:
        return call.session
    try:
        named = msgspec.json.decode(told)
    except msgspec.DecodeError:
        return ""
    return "" if isinstance(named, str) and named[:128] == call.session else call.session


__all__ = ["Client", "Facts", "Send", "Steps", "answer", "refused"]
