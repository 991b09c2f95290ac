"""Ways in which a saving could break its promise, or be had by who may not have it. Each was tried; none works any more."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from demitasse.core.policy import ALWAYS_CHEAP, ALWAYS_REFERENCE

from .asgi import ask, until
from .ladder import POLICY, ladder_world, prompt, said
from .test_attacks import bearer, key_named

FIRST, AGAIN = {"x-stainless-retry-count": "0"}, {"x-stainless-retry-count": "1"}
SLICED = structs.replace(POLICY, slices=(("titles", ALWAYS_CHEAP), ("law", ALWAYS_REFERENCE)))


# A cheaper model's answer, to a call for which it is not meant.


@pytest.mark.parametrize("under_way", [False, True])
async def test_a_key_that_may_not_use_the_cheaper_model_gets_no_answer_of_it_from_its_team_either(under_way) -> None:
    world = await ladder_world()
    world.ledger.set_key(key_named("alice", "dmt_a_1", team="search"))
    world.ledger.set_key(key_named("bob", "dmt_b_1", team="search", models=("large",)))
    world.small.gate = asyncio.Event()
    first = asyncio.create_task(ask(world.app, prompt("cheap"), headers=bearer("dmt_a_1")))
    await until(lambda: world.small.calls)
    if not under_way:
        world.small.gate.set()
        await first
    second = await ask(world.app, prompt("cheap"), headers=bearer("dmt_b_1"))
    assert said(second).startswith("large") and second.headers["x-demitasse-model"] == "large"
    world.small.gate.set()
    assert said(await first).startswith("small")


@pytest.mark.parametrize("under_way", [False, True])
async def test_a_slice_that_failed_gets_no_answer_that_was_good_enough_for_another(under_way) -> None:
    world = await ladder_world(SLICED)
    world.small.gate = asyncio.Event()
    first = asyncio.create_task(ask(world.app, prompt("cheap"), headers={"x-demitasse-tags": "task=titles"}))
    await until(lambda: world.small.calls)
    if not under_way:
        world.small.gate.set()
        await first
    law = await ask(world.app, prompt("cheap"), headers={"x-demitasse-tags": "task=law"})
    assert said(law).startswith("large")
    world.small.gate.set()
    assert said(await first).startswith("small")


async def test_one_slice_still_shares_its_own_answers() -> None:
    world = await ladder_world(SLICED)
    for _ in range(2):
        answer = await ask(world.app, prompt("cheap"), headers={"x-demitasse-tags": "task=titles"})
    assert said(answer).startswith("small") and answer.headers["x-demitasse-cache"] == "exact"


async def test_a_retry_after_the_certificate_has_fallen_is_answered_by_the_reference() -> None:
    world = await ladder_world()
    await ask(world.app, prompt("cheap"), headers=FIRST)
    world.certificates = ()
    assert said(await ask(world.app, prompt("cheap"), headers=AGAIN)).startswith("large")


async def test_a_retry_that_wants_the_reference_does_not_get_what_a_policy_chose() -> None:
    world = await ladder_world()
    await ask(world.app, prompt("cheap"), headers=FIRST)
    strict = await ask(world.app, prompt("cheap"), headers=AGAIN | {"x-demitasse-route": "reference"})
    assert said(strict).startswith("large")


async def test_a_retry_names_the_certificate_that_its_answer_is_under() -> None:
    world = await ladder_world()
    await ask(world.app, prompt("cheap"), headers=FIRST)
    again = await ask(world.app, prompt("cheap"), headers=AGAIN)
    assert said(again).startswith("small") and again.headers["x-demitasse-certificate"] == "cert_1"
    assert len(world.ledger.closed) == 1


async def test_several_answers_at_once_are_no_call_that_a_certificate_was_proven_on() -> None:
    world = await ladder_world()
    answer = await ask(world.app, prompt("cheap", n=2))
    assert said(answer).startswith("large"), "shadow calls compare single answers"
    assert "x-demitasse-certificate" not in answer.headers


# A draft that nobody may see.


async def test_a_head_that_is_sent_before_a_draft_is_judged_does_not_name_its_model() -> None:
    world = await ladder_world(first_event_s=0.01, ping_s=0.01)
    world.small.worth, world.small.gate = 0.65, asyncio.Event()
    asking = asyncio.create_task(ask(world.app, prompt("draft", stream=True)))
    await until(lambda: world.small.calls)
    await asyncio.sleep(0.05)
    world.small.gate.set()
    answer = await asking
    assert b": ping\n\n" in answer.pieces and said(answer).startswith("large")
    assert "x-demitasse-model" not in answer.headers and world.entry.model == "large"
