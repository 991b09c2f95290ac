"""The entry that closes a call: what it cost, what it would have cost, and why. Asks nobody and waits for nothing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from time import perf_counter
from typing import NamedTuple

from ..core.call import Call
from ..core.entry import Attempt, CacheTier, Cause, Decision, Entry, Grade, Guarded, Outcome
from ..core.evidence import LAB_KEY, OWN_KEYS
from ..core.price import PICO_PER_NANO, cost
from .budget import Budgets, Held
from .cache import Kept
from .ladder import Ascent
from .pilot import Course, Plan
from .route import Route

Saved = tuple[tuple[Cause, int], ...]

SEMANTIC = "semantic_cache"
"""Whose decision a hit of the semantic cache is."""

_PURPOSES: dict[str, Cause] = {"shadow": "routed", "judge": "routed", "check": "semantic_cache"}
"""Whose saving our own calls make possible, by their tag ``purpose``; their cost is taken off it."""


class Facts:
    """What is known of a call while it is answered, for the response's headers."""

    __slots__ = (
        "cache",
        "certificate",
        "clamped",
        "entry",
        "guard",
        "held_nanos",
        "model",
        "route",
        "sent",
        "started",
        "trace",
    )

    def __init__(self) -> None:
        self.started = perf_counter()
        self.route = ""
        self.model: str | None = None
        self.cache: CacheTier = "off"
        self.certificate = ""
        """The one whose promise the answer is under."""
        self.held_nanos: int | None = None
        self.clamped: int | None = None
        self.entry: Entry | None = None
        self.guard: Guarded | None = None
        """What the guard saw and did."""
        self.sent: Call | None = None
        """The call as the client sent it, before the guard changed anything: what commitments are over."""
        self.trace: bytes | None = None
        """The request's ``traceparent``, where somebody observes."""


class Way(NamedTuple):
    """How a call that models were asked for went: what was planned, held and climbed."""

    plan: Plan
    course: Course
    held: Held
    ascent: Ascent


def entry_of(
    call: Call,
    route: Route,
    facts: Facts,
    budgets: Budgets,
    outcome: Outcome,
    *,
    way: Way | None = None,
    kept: Kept | None = None,
    cause: Cause | None = None,
    error: str | None = None,
    flags: tuple[str, ...] = (),
    joined: int = 0,
    body_ref: str | None = None,
    macs: tuple[str | None, str | None] = (None, None),
    configuration: str = "",
) -> Entry:
    """The entry of a call that was answered, failed or was cancelled.

    Args:
        way: where models were asked. kept: where an answer was at hand, and by which ``cause`` it saved the rest.
        macs: commitments to what was asked and what was answered.
        configuration: the short hash of what is in force.
    """
    took_s = perf_counter() - facts.started
    climb = way.ascent.climb if way is not None else None
    attempts: tuple[Attempt, ...] = tuple(climb.attempts) if climb is not None else ()
    answer = _answering(way)
    nanos: int | None = 0
    baseline: int | None = None
    saved: Saved = ()
    usage = answer.usage if answer is not None else None
    provider = answer.provider if answer is not None else None
    if kept is not None and cause is not None:
        usage, provider = kept.reply.usage, kept.provider
        reference = route.reference.card
        if reference is not None and usage is not None:
            tier = kept.reply.service_tier or call.service_tier
            baseline = cost(reference, usage, at_us=call.at_us, service_tier=tier)
        if baseline:
            saved = ((cause, baseline),)
    elif way is not None and attempts:
        nanos = _sum(attempts)
        baseline, saved = (
            _own(call, nanos) if call.caller.key in OWN_KEYS else _spared(call, route, way, nanos, outcome)
        )
    if way is not None:
        flags = _flagged(flags, way, nanos)
    return Entry(
        id=call.id,
        at_us=call.at_us,
        key=call.caller.key,
        kind=call.kind,
        asked_model=call.model,
        outcome=outcome,
        request_id=call.request_id if call.request_id != call.id else None,
        route=route.name,
        model=facts.model,
        provider=provider,
        region=_region(route, facts.model),
        team=call.caller.team,
        tags=call.tags,
        session=call.session,
        stream=call.stream,
        cache=facts.cache,
        usage=usage,
        cost_nanos=nanos,
        baseline_nanos=baseline,
        saved=saved,
        grade=_grade(call, saved, way, kept),
        hold_nanos=way.held.nanos if way is not None else 0,
        charges=budgets.charges(way.held, way.ascent.climb.costs) if way is not None else (),
        attempts=attempts,
        configuration=configuration if attempts else "",
        decision=_decision(route, facts.model or "", way, kept),
        estimated=any(a.estimated for a in attempts),
        flags=flags,
        joined=joined,
        error=error,
        duration_ms=round(took_s * 1e3, 3),
        overhead_us=int((took_s - climb.open_s) * 1e6) if climb is not None else int(took_s * 1e6),
        first_byte_ms=answer.first_byte_ms if answer is not None else None,
        prompt_mac=macs[0],
        reply_mac=macs[1],
        body_ref=body_ref,
        guard=facts.guard,
    )


def _region(route: Route, alias: str | None) -> str | None:
    """Where a model computes, as the configuration says."""
    return next((rung.region for rung in (*route.rungs, *route.lower) if rung.alias == alias), None)


def _answering(way: Way | None) -> Attempt | None:
    """The attempt whose answer was given; where there is none, the last."""
    if way is None or not way.ascent.climb.attempts:
        return None
    nth = way.ascent.answering
    return way.ascent.climb.attempts[-1 if nth is None else nth]


def _spared(call: Call, route: Route, way: Way, nanos: int | None, outcome: Outcome) -> tuple[int | None, Saved]:
    """What the reference would have cost, and what of it a cheaper model spared, or a refused draft cost on top."""
    attempts, answer = way.ascent.climb.attempts, _answering(way)
    assert answer is not None
    if outcome == "answered" and answer.model != route.reference.alias:
        card = route.reference.card
        baseline = None
        if card is not None and answer.usage is not None:
            baseline = cost(card, answer.usage, at_us=call.at_us, service_tier=call.service_tier)
    elif way.course.lower:
        # The reference was asked after all: it would have cost the same without the drafts before it.
        above = [attempt for attempt in attempts if attempt.model not in way.course.lower]
        baseline = _sum(above) if above else nanos
    else:
        baseline = nanos
    if baseline is None or nanos is None:
        return baseline, ()
    if not way.ascent.climb.spared:
        return baseline, (("routed", baseline - nanos),) if baseline != nanos else ()
    baseline += _unspared(route, way, answer, outcome)
    by_cause: dict[Cause, int] = {}
    for spared in way.ascent.climb.spared:
        by_cause[spared.cause] = by_cause.get(spared.cause, 0) + spared.nanos
    # What the asking itself spared has its own causes; the rest is the other model's price.
    if rest := baseline - nanos - sum(by_cause.values()):
        by_cause["routed"] = by_cause.get("routed", 0) + rest
    return baseline, tuple((cause, told) for cause, told in by_cause.items() if told)


def _unspared(route: Route, way: Way, answer: Attempt, outcome: Outcome) -> int:
    """What the baseline's own attempts would have cost more: the prompt as the client sent it, and no cache asked for."""
    climb = way.ascent.climb
    if outcome == "answered" and answer.model != route.reference.alias:
        card = route.reference.card
        rate_pico = (card.base.uncached_in or 0) if card is not None else 0
        of_answer = next((nth for nth, attempt in enumerate(climb.attempts) if attempt is answer), None)
        return sum(s.tokens for s in climb.spared if s.attempt == of_answer) * rate_pico // PICO_PER_NANO
    counted = {nth for nth, attempt in enumerate(climb.attempts) if attempt.model not in way.course.lower}
    counted = counted or set(range(len(climb.attempts)))
    return sum(s.nanos for s in climb.spared if s.attempt in counted)


def _own(call: Call, nanos: int | None) -> tuple[int | None, Saved]:
    """Our own calls would not have been made without us: all that they cost is taken off what they serve. What the lab was
    asked to find out is worth its price, and saves nothing."""
    if call.caller.key == LAB_KEY:
        return nanos, ()
    purpose = next((value for name, value in call.tags if name == "purpose"), "shadow")
    return 0, ((_PURPOSES.get(purpose, "routed"), -nanos),) if nanos else ()


def _sum(attempts: Iterable[Attempt]) -> int | None:
    total = 0
    for attempt in attempts:
        if attempt.cost_nanos is None:
            return None
        total += attempt.cost_nanos
    return total


def _flagged(flags: tuple[str, ...], way: Way, nanos: int | None) -> tuple[str, ...]:
    if way.ascent.kept_draft:
        flags = (*flags, "draft_kept")
    if way.held.firm and nanos is not None and nanos > way.held.nanos:
        flags = (*flags, "over_hold")
    if nanos is None:
        flags = (*flags, "unpriced")
    if way.ascent.climb.doubt:
        flags = (*flags, "doubtful_usage")
    return flags


def _grade(call: Call, saved: Saved, way: Way | None, kept: Kept | None) -> Grade:
    """Another model's answer has other tokens than the reference's would have had: bounded under a certificate, else a guess."""
    if call.caller.key in OWN_KEYS or not saved:
        return "A"
    if way is not None:
        grades: list[Grade] = [s.grade for s in way.ascent.climb.spared if s.nanos]
        if any(cause == "routed" for cause, _ in saved):
            grades.append("B" if way.plan.certificate and not way.ascent.stands_in else "C")
        return max(grades, default="A")
    return "B" if saved[0][0] == "semantic_cache" or (kept is not None and kept.mark) else "A"


def _decision(route: Route, chosen: str, way: Way | None, kept: Kept | None) -> Decision:
    """Why this model."""
    if kept is not None and kept.decision is not None and (kept.mark or kept.decision.policy == SEMANTIC):
        return kept.decision
    if way is None or not way.plan.certificate:
        return _plain(route, chosen)
    plan, ascent, action = way.plan, way.ascent, way.course.action
    reasons = [plan.reason]
    if way.course is not plan.courses[0]:
        reasons.append(f"the budget has room for '{way.course.asks[0].alias}' alone")
    if ascent.why:
        reasons.append(ascent.why)
    return Decision(
        policy=plan.policy,
        chosen=chosen,
        candidates=plan.candidates,
        reason="; ".join(reasons),
        action="escalated" if ascent.escalated else action,
        score=plan.score if ascent.verdict is None or ascent.verdict.score is None else ascent.verdict.score,
        certificate=plan.certificate,
    )


@lru_cache(maxsize=1024)
def _plain(route: Route, chosen: str) -> Decision:
    """Without a certificate a route has one policy: its reference, and what stands in when it fails."""
    return Decision(policy="reference", chosen=chosen, candidates=tuple(rung.alias for rung in route.rungs))
