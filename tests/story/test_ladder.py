"""A route with a ladder under a certificate: each action, in each shape, whole and streamed; what the client sees and what
the books hold."""

from __future__ import annotations

from math import inf

import pytest
from msgspec import structs

from demitasse.core.errors import UpstreamError
from demitasse.core.policy import Policy, Setting

from .asgi import ask
from .ladder import PROMPTS, SETTING, SHAPES, LadderWorld, adds_up, ladder_world, prompt, said

SMALL, MINI, LARGE = 300_000, 600_000, 3_000_000
"""What an answer of each costs: 100 tokens in, 20 out."""
DOWN = UpstreamError("it is down", status=503, retryable=False)

WAYS = {
    # the policy's action, what small and mini are worth, who answers, who was asked, what it cost, the action booked
    "cheap": ("cheap", 0.1, 0.1, "small", {"small": 1, "mini": 0, "large": 0}, SMALL, "cheap"),
    "accepted": ("draft", 0.9, 0.1, "small", {"small": 1, "mini": 0, "large": 0}, SMALL, "draft"),
    "accepted by a second": ("draft", 0.55, 0.9, "small", {"small": 1, "mini": 1, "large": 0}, SMALL + MINI, "draft"),
    "refused": ("draft", 0.65, 0.1, "large", {"small": 1, "mini": 0, "large": 1}, SMALL + LARGE, "escalated"),
    "refused by a second": (
        "draft", 0.55, 0.6, "large", {"small": 1, "mini": 1, "large": 1}, SMALL + MINI + LARGE, "escalated"
    ),
    "reference": ("reference", 0.9, 0.9, "large", {"small": 0, "mini": 0, "large": 1}, LARGE, "reference"),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_the_client_gets_one_answer_whole_and_in_its_shape_and_the_books_add_up(way, stream, shape) -> None:
    action, small, mini, answers, asked, cost, booked = WAYS[way]
    world = await ladder_world()
    world.small.worth, world.mini.worth = small, mini
    answer = await ask(world.app, prompt(action, stream=stream, shape=shape))
    assert answer.status == 200
    assert said(answer, shape) == f"{answers} speaks, worth {world.models[answers].worth}"
    assert answer.headers["x-demitasse-model"] == answers
    assert answer.headers["x-demitasse-certificate"] == "cert_1"
    assert world.asked() == asked
    others = [name for name in world.models if name != answers]
    assert not any(f"{name} speaks" in answer.body.decode() or f"id-{name}" in answer.body.decode() for name in others)
    entry = world.entry
    assert (entry.outcome, entry.model, entry.cost_nanos) == ("answered", answers, cost)
    assert adds_up(entry)
    assert entry.baseline_nanos == LARGE, "100 tokens in, 20 out at the reference's price"
    assert entry.saved == ((("routed", LARGE - cost),) if cost != LARGE else ())
    assert entry.grade == ("B" if entry.saved else "A")
    assert entry.cost_nanos <= entry.hold_nanos and not world.ledger.open
    decision = entry.decision
    assert (decision.action, decision.chosen, decision.certificate) == (booked, answers, "cert_1")
    assert decision.policy.startswith("pol_") and decision.reason and decision.propensity == 1.0
    if stream:
        (usage,) = [e["usage"] for e in answer.events() if isinstance(e, dict) and e.get("usage")]
        assert usage["total_tokens"] == 120
        assert "x-demitasse-held-usd" in answer.headers
    else:
        assert float(answer.headers["x-demitasse-saved-usd"]) == pytest.approx((LARGE - cost) / 1e9)


async def test_a_stream_whose_client_wants_no_usage_gets_none_from_a_draft_either() -> None:
    world = await ladder_world()
    body = {k: v for k, v in prompt("draft", stream=True).items() if k != "stream_options"}
    answer = await ask(world.app, body)
    assert "usage" not in answer.body.decode() and said(answer).startswith("small")


async def test_the_cheap_model_streams_live_and_a_draft_only_when_it_stands() -> None:
    for action, live in (("cheap", True), ("draft", False)):
        world = await ladder_world()
        world.small.after, world.small.fails = 3, UpstreamError("broke off", billable=True, after_content=True)
        answer = await ask(world.app, prompt(action, stream=True))
        assert ("small" in answer.body.decode()) is live
        assert ("[DONE]" in answer.body.decode()) is not live, "what was begun can't be taken back"


async def test_reasons_are_told_in_words_with_the_scores() -> None:
    world = await ladder_world()
    reasons = {}
    for action in PROMPTS:
        await ask(world.app, prompt(action))
        reasons[action] = (world.entry.decision.reason, world.entry.decision.score)
    assert reasons["cheap"] == ("the prompt scores 0.900, 0.800 is enough", 0.9)
    assert reasons["reference"] == ("the prompt scores 0.100, 0.500 would be enough", 0.1)
    text, score = reasons["draft"]
    assert text == "the prompt scores 0.600, 0.500 is enough for a draft; the draft scores 0.900, 0.700 is enough"
    assert score == 0.9


async def test_a_call_that_wants_the_reference_gets_it_without_a_policy() -> None:
    world = await ladder_world()
    answer = await ask(world.app, prompt("cheap"), headers={"x-demitasse-route": "reference"})
    assert said(answer).startswith("large")
    assert "x-demitasse-certificate" not in answer.headers
    assert world.entry.decision.policy == "reference" and not world.entry.decision.action
    assert world.entry.saved == () and world.entry.baseline_nanos == LARGE


async def test_without_a_certificate_in_force_all_is_as_if_there_were_no_ladder() -> None:
    world = LadderWorld()
    world.certificates = ()
    answer = await ask(world.app, prompt("cheap"))
    assert said(answer).startswith("large") and "x-demitasse-certificate" not in answer.headers
    assert world.entry.decision.candidates == ("large",)


async def test_a_session_that_escalated_goes_to_the_reference_from_then_on() -> None:
    world = await ladder_world()
    world.small.worth = 0.65
    talk = {"x-demitasse-session": "talk"}
    await ask(world.app, prompt("draft", words="one"), headers=talk)
    await ask(world.app, prompt("draft", words="two"), headers=talk)
    await ask(world.app, prompt("cheap", words="three"), headers=talk)
    assert world.asked() == {"small": 1, "mini": 0, "large": 3}
    assert "session" in world.entry.decision.reason and world.entry.decision.action == "reference"
    await ask(world.app, prompt("cheap", words="four"), headers={"x-demitasse-session": "other"})
    assert world.asked()["small"] == 2


async def test_a_certificate_that_expires_while_a_session_goes_on_ends_the_saving_at_once() -> None:
    world = await ladder_world()
    await ask(world.app, prompt("cheap", words="before"))
    world.now_us = world.certificates[0].expires_us
    answer = await ask(world.app, prompt("cheap", words="after"))
    assert said(answer).startswith("large") and world.entry.saved == ()


async def test_a_revocation_holds_for_the_very_next_call_and_not_for_the_one_under_way() -> None:
    world = await ladder_world()
    import asyncio

    world.small.gate = asyncio.Event()
    under_way = asyncio.create_task(ask(world.app, prompt("cheap", words="first")))
    while not world.small.calls:
        await asyncio.sleep(0)
    world.certificates = ()
    answer = await ask(world.app, prompt("cheap", words="second"))
    assert said(answer).startswith("large")
    world.small.gate.set()
    assert said(await under_way).startswith("small")


async def test_a_policy_of_the_lab_may_always_draft_and_always_refuse() -> None:
    never = Setting(draft=-inf, accept=inf)
    world = await ladder_world(Policy("auto", "small", "large", never))
    answer = await ask(world.app, prompt("cheap", stream=True))
    assert said(answer).startswith("large") and world.asked()["small"] == 1
    assert world.entry.saved == (("routed", -SMALL),), "double pay is a saving below nothing"


async def test_a_shadow_is_offered_each_answered_call_once_its_books_are_closed() -> None:
    world = await ladder_world()
    await ask(world.app, prompt("draft"))
    ((call, reply, entry, route),) = world.shadowed
    assert (call.model, entry.model, route.name) == ("auto", "small", "auto")
    assert b"small speaks" in reply.body and entry is world.entry
    await ask(world.app, prompt("draft"))
    assert world.entry.cache == "exact" and len(world.shadowed) == 1, "the cache's answers are no new evidence"
    world.large.fails = world.small.fails = DOWN
    await ask(world.app, prompt("reference"))
    assert len(world.shadowed) == 1, "nor is a failure"


async def test_a_shadow_that_fails_costs_nobody_an_answer(caplog) -> None:
    world = await ladder_world()
    world.steps = structs.replace(world.steps, shadow=lambda *_: 1 / 0)
    world.app.replace(world.steps)
    assert (await ask(world.app, prompt("cheap"))).status == 200
    assert any("shadow of call" in record.getMessage() for record in caplog.records)


async def test_a_setting_without_drafts_is_a_router() -> None:
    router = structs.replace(SETTING, draft=inf)
    world = await ladder_world(structs.replace((await ladder_world()).certificates[0].policy, setting=router))
    await ask(world.app, prompt("draft"))
    assert world.asked() == {"small": 0, "mini": 0, "large": 1}
