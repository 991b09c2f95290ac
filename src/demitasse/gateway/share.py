"""Answers that are there already: kept, being given to somebody else, given a moment ago, or given to a question that means
the same. Knows how they are served and booked; asks no model."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from ..core.call import Call, Event, Reply
from ..core.entry import CacheTier, Cause, Decision, Entry
from ..core.errors import UpstreamError
from ..wire.chunks import explode
from .cache import Flight, Kept
from .closing import SEMANTIC, Facts
from .route import Route
from .steps import Client, Steps, close

if TYPE_CHECKING:
    from .semantic import Asked, Found

log = logging.getLogger("demitasse")


_CAUSES: dict[CacheTier, Cause] = {"exact": "exact_cache", "coalesced": "coalesced", "semantic": "semantic_cache"}


def mark_of(call: Call, route: Route, steps: Steps) -> str:
    """Which cheaper model's answers may be given to this call now, as they are marked; empty: none."""
    return steps.pilot.mark(call, route) if steps.pilot is not None else ""


async def serve_kept(
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
    facts.certificate = kept.certificate
    cause = _CAUSES[tier]
    booked = steps.ledger.settle(close(call, route, facts, steps, "answered", kept=kept, cause=cause))
    if call.stream and not sent:
        for data in explode(kept.reply.body, include_usage=call.include_usage, kind=call.kind):
            await client.send(Event(data, content=True))
    await booked
    return kept.reply


async def follow(call: Call, flight: Flight, facts: Facts, client: Client, steps: Steps, route: Route) -> Reply | None:
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
        steps.ledger.post(close(call, route, facts, steps, "failed", error=failed.code))
        raise
    except asyncio.CancelledError:
        steps.ledger.post(close(call, route, facts, steps, "cancelled"))
        raise
    finally:
        client.unwatch()
    if kept is None:
        return None
    steps.cache.coalesced += 1
    return await serve_kept(call, kept, "coalesced", facts, client, steps, route, sent=sent)


async def join(call: Call, flight: Flight, facts: Facts, client: Client, steps: Steps) -> Reply | None:
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
    facts.model, facts.certificate = kept.model, kept.certificate
    if late:
        steps.ledger.join(kept.entry_id, call.at_us)
        await steps.ledger.flush()
    if call.stream and not sent:
        for data in explode(kept.reply.body, include_usage=call.include_usage, kind=call.kind):
            await client.send(Event(data, content=True))
    return kept.reply


class Similar(NamedTuple):
    """A call's question as the semantic cache sees it, and what it has for it."""

    asked: Asked
    found: Found | None

    @property
    def hit(self) -> Kept | None:
        """The answer to serve, with why."""
        found = self.found
        if found is None or found.action != "hit":
            return None
        kept = found.kept
        decision = Decision(
            policy=SEMANTIC,
            chosen=kept.model,
            propensity=1.0 - found.propensity,
            reason=f"it means the same as call {kept.entry_id}",
            certificate=kept.certificate,
        )
        return structs.replace(kept, decision=decision)


def find_similar(call: Call, route: Route, steps: Steps) -> Similar | None:
    """What the semantic cache makes of a call; None: it is none that could share an answer."""
    assert steps.semantic is not None
    try:
        asked = steps.semantic.read(call, route.name, f"{route.stamp}\0{mark_of(call, route, steps)}")
        return None if asked is None else Similar(asked, steps.semantic.find(asked))
    except Exception:
        # What only spares a question to a model may not cost an answer.
        log.exception("the semantic cache failed on call %s; a model is asked", call.id)
        return None


def remember(similar: Similar, kept: Kept, call: Call, entry: Entry, steps: Steps) -> None:
    """A model's answer for those who mean the same, and the verdict on what was kept for this one."""
    assert steps.semantic is not None
    try:
        if steps.flooding is None or not steps.flooding(call, similar.asked.text):
            steps.semantic.keep(similar.asked, kept)
        if similar.found is not None and steps.check is not None:
            steps.check(call, kept.reply, entry, similar.found)
    except Exception:
        log.exception("the semantic cache could not keep the answer of call %s", call.id)
