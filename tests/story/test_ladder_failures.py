"""A ladder whose rungs fail, break, hang or are called off: an answer wherever there is one, never a word of a refused draft,
and books that add up to the nano."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from demitasse.core.call import Usage
from demitasse.core.errors import UpstreamError

from .asgi import ask, until
from .ladder import POLICY, SHAPES, adds_up, certificate, ladder_world, prompt, said

SMALL, MINI, LARGE = 300_000, 600_000, 3_000_000

FAILURES = {
    "503": lambda: UpstreamError("it is down", status=503, retryable=False),
    "429": lambda: UpstreamError("too fast", status=429, retryable=True, retry_after_s=9.0),
    "400": lambda: UpstreamError("too long a prompt", status=400, code="context_length_exceeded", retryable=False),
    "401": lambda: UpstreamError("no key", status=401, retryable=False),
    "lost": lambda: UpstreamError("lost", status=502, billable=True, retryable=False),
    "bug": lambda: KeyError("a fault of ours"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("action", ["cheap", "draft"])
@pytest.mark.parametrize("failure", FAILURES)
async def test_whatever_the_cheaper_model_fails_by_the_reference_answers(failure, action, stream) -> None:
    world = await ladder_world()
    world.small.fails = FAILURES[failure]()
    answer = await ask(world.app, prompt(action, stream=stream))
    assert answer.status == 200 and said(answer).startswith("large")
    assert answer.headers["x-demitasse-model"] == "large"
    assert answer.headers["x-demitasse-certificate"] == "cert_1", "the reference itself is what was promised"
    entry = world.entry
    assert (entry.outcome, entry.decision.action) == ("answered", "escalated")
    assert world.asked() == {"small": 1, "mini": 0, "large": 1}
    assert adds_up(entry) and entry.baseline_nanos == LARGE
    assert sum(n for _, n in entry.saved) == -sum(a.cost_nanos for a in entry.attempts if a.model == "small")


@pytest.mark.parametrize("after", [1, 3, 5])
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_draft_that_breaks_in_the_middle_leaves_no_trace_in_the_stream(after, shape) -> None:
    world = await ladder_world()
    world.small.fails, world.small.after = UpstreamError("broke", billable=True, after_content=True), after
    answer = await ask(world.app, prompt("draft", stream=True, shape=shape))
    assert said(answer, shape).startswith("large")
    assert "small" not in answer.body.decode()
    assert [a.status for a in world.entry.attempts] == ["broken", "ok"]
    assert adds_up(world.entry) and world.entry.cost_nanos > LARGE


async def test_a_draft_is_not_tried_twice_because_the_next_rung_stands_ready() -> None:
    world = await ladder_world()
    world.small.fails = UpstreamError("busy", status=503, retryable=True)
    await ask(world.app, prompt("draft"))
    assert world.asked()["small"] == 1


async def test_a_draft_has_half_of_the_time_that_the_client_will_wait() -> None:
    world = await ladder_world()
    world.small.worth = 0.65
    await ask(world.app, prompt("draft"), headers={"x-stainless-read-timeout": "60"})
    assert (world.small.calls[0].wish.deadline_s, world.large.calls[0].wish.deadline_s) == (30.0, 60.0)


async def test_a_model_that_keeps_failing_its_drafts_is_left_alone_and_tried_again_later() -> None:
    world = await ladder_world()
    world.small.fails = UpstreamError("down", status=503, retryable=False)
    for nth in range(8):
        answer = await ask(world.app, prompt("draft", words=f"{nth}"), headers={"x-demitasse-session": f"{nth}"})
        assert said(answer).startswith("large")
    assert world.asked()["small"] == world.settings.breaker.failures
    assert world.steps.breakers.states()["small"] == "open"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("failure", FAILURES)
async def test_when_the_top_fails_the_refused_draft_is_served_rather_than_an_error(failure, shape, stream) -> None:
    world = await ladder_world()
    world.small.worth, world.large.fails = 0.65, FAILURES[failure]()
    answer = await ask(world.app, prompt("draft", stream=stream, shape=shape))
    assert answer.status == 200 and said(answer, shape) == "small speaks, worth 0.65"
    assert answer.headers["x-demitasse-model"] == "small"
    assert "x-demitasse-certificate" not in answer.headers, "nobody promised anything of it"
    entry = world.entry
    assert entry.flags == ("clamped", "draft_kept") and entry.outcome == "answered"
    assert (entry.model, entry.usage, entry.grade) == ("small", Usage(uncached_in=100, text_out=20), "C")
    assert entry.decision.action == "escalated" and "then" in entry.decision.reason
    assert adds_up(entry) and entry.baseline_nanos == LARGE
    # and it is nobody's answer for the rest of the day
    world.large.fails = None
    assert said(await ask(world.app, prompt("draft", stream=stream, shape=shape)), shape).startswith("large")


async def test_a_fallback_that_is_no_draft_is_asked_before_a_refused_draft_is_served() -> None:
    world = await ladder_world()
    world.route(lower=(world.rungs["small"],), fallbacks=(world.rungs["mini"],))
    world.certificates = (certificate(structs.replace(POLICY, second=None), id="cert_2"),)
    await world.ready()
    world.small.worth = 0.65
    world.large.fails = UpstreamError("down", status=503, retryable=False)
    answer = await ask(world.app, prompt("draft"))
    assert said(answer).startswith("mini") and "x-demitasse-certificate" not in answer.headers
    assert world.asked() == {"small": 1, "mini": 1, "large": 1}
    assert world.entry.grade == "C" and adds_up(world.entry)


async def test_a_draft_that_was_refused_is_not_asked_for_again_as_a_fallback() -> None:
    world = await ladder_world()
    world.route(fallbacks=(world.rungs["small"],))
    world.small.worth = 0.65
    world.large.fails = UpstreamError("down", status=503, retryable=False)
    answer = await ask(world.app, prompt("draft"))
    assert said(answer).startswith("small") and world.asked()["small"] == 1
    assert "draft_kept" in world.entry.flags


async def test_a_top_that_breaks_after_its_first_words_is_an_error_and_no_draft_follows() -> None:
    world = await ladder_world()
    world.small.worth = 0.65
    world.large.fails, world.large.after = UpstreamError("broke", billable=True, after_content=True), 4
    answer = await ask(world.app, prompt("draft", stream=True))
    assert b'"error"' in answer.body and b"[DONE]" not in answer.body and b"small" not in answer.body
    assert world.entry.outcome == "failed" and adds_up(world.entry)
    assert dict(world.entry.saved)["routed"] == -SMALL


async def test_a_second_opinion_that_fails_leaves_the_verdict_on_the_first() -> None:
    world = await ladder_world()
    world.small.worth, world.mini.fails = 0.55, UpstreamError("down", status=503, retryable=False)
    answer = await ask(world.app, prompt("draft"))
    assert said(answer).startswith("large")
    assert world.asked() == {"small": 1, "mini": 1, "large": 1} and adds_up(world.entry)


async def test_a_draft_that_cannot_be_judged_costs_money_and_not_an_answer(caplog) -> None:
    world = await ladder_world()
    world.small.name = "worth nothing that reads as a number: small"
    body = world.small.body
    world.small.body = lambda call: body(call).replace(b"worth", b"")  # type: ignore[method-assign]
    answer = await ask(world.app, prompt("draft"))
    assert said(answer).startswith("large") and adds_up(world.entry)
    assert any("could not be judged" in record.getMessage() for record in caplog.records)


async def test_a_draft_that_talks_beyond_its_hold_is_cut_and_refused() -> None:
    world = await ladder_world()
    world.small.name = "small " * 40
    answer = await ask(world.app, prompt("draft", stream=True, max_tokens=16))
    assert said(answer).startswith("large") and b"small" not in answer.body
    entry = world.entry
    assert [a.status for a in entry.attempts] == ["cancelled", "ok"]
    assert entry.cost_nanos <= entry.hold_nanos and adds_up(entry)


# Hang-ups and cancellation.


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_hangs_up_during_a_draft_stops_it_and_is_booked(stream) -> None:
    world = await ladder_world()
    world.small.gate = asyncio.Event()
    gone = asyncio.Event()
    under_way = asyncio.create_task(ask(world.app, prompt("draft", stream=stream), hang_up=gone))
    await until(lambda: world.small.calls)
    gone.set()
    await under_way
    assert world.small.cancelled == 1 and not world.large.calls
    assert world.entry.outcome == "cancelled" and not world.ledger.open
    assert [a.model for a in world.entry.attempts] == ["small"] and adds_up(world.entry)


async def test_a_drained_draft_is_judged_and_escalates_for_the_retry_that_will_come() -> None:
    world = await ladder_world(on_hangup="drain")
    world.small.worth, world.small.gate = 0.65, asyncio.Event()
    gone = asyncio.Event()
    under_way = asyncio.create_task(
        ask(world.app, prompt("draft"), hang_up=gone, headers={"x-stainless-retry-count": "0"})
    )
    await until(lambda: world.small.calls)
    gone.set()
    for _ in range(20):  # it is noticed
        await asyncio.sleep(0)
    world.small.gate.set()
    await until(lambda: world.ledger.closed)
    await under_way
    assert "drained" in world.entry.flags
    again = await ask(world.app, prompt("draft"), headers={"x-stainless-retry-count": "1"})
    assert said(again).startswith("large") and world.asked()["large"] == 1


async def cancelled_at(turn: int, action: str, worth: float, *, stream: bool, shape: str, how: str):
    """A call that is called off after so many turns of the event loop; whether it was over before, and its world."""
    world = await ladder_world()
    world.small.worth, world.mini.worth = worth, 0.65
    for model in world.models.values():
        model.rests = 3
    hold = world.ledger.hold

    async def slow(row):
        await asyncio.sleep(0)
        denied = await hold(row)
        await asyncio.sleep(0)
        return denied

    world.ledger.hold = slow
    seen: list[bytes] = []
    gone = asyncio.Event()
    task = asyncio.create_task(
        ask(
            world.app,
            prompt(action, stream=stream, shape=shape),
            hang_up=gone,
            on_piece=lambda a: seen.append(a.pieces[-1]),
        )
    )
    for _ in range(turn):
        await asyncio.sleep(0)
    over = task.done()
    if how == "cancel":
        task.cancel()
    else:
        gone.set()
    await asyncio.wait([task])
    return over, world, b"".join(seen)


@pytest.mark.parametrize("how", ["cancel", "hang up"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("action", "worth"), [("cheap", 0.9), ("draft", 0.9), ("draft", 0.65), ("draft", 0.55)])
async def test_a_call_that_is_called_off_at_any_moment_is_booked_once_and_leaks_nothing(
    action, worth, stream, how
) -> None:
    for turn in range(400):
        over, world, seen = await cancelled_at(turn, action, worth, stream=stream, shape="text", how=how)
        if worth < 0.7:
            assert b"small" not in seen and b"mini" not in seen, f"turn {turn}"
        assert not world.ledger.open, f"turn {turn}: a hold was left"
        closed = world.ledger.closed
        assert len(closed) <= 1, f"turn {turn}"
        if world.ledger.log:
            assert len(closed) == 1, f"turn {turn}: what was held is closed"
        for entry in closed:
            assert adds_up(entry), f"turn {turn}"
            assert entry.cost_nanos <= max(entry.hold_nanos, 0), f"turn {turn}"
            assert len(entry.attempts) == sum(world.asked().values()), f"turn {turn}: every asking is an attempt"
        if over:
            break
    else:
        raise AssertionError("it never ended")
