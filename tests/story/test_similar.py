"""The semantic cache's place on the way of a call, with one that finds whatever a test tells it to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Struct, structs

from demitasse.core.errors import UpstreamError
from demitasse.gateway.cache import Kept

from .asgi import ask
from .ladder import LadderWorld, adds_up, certificate, ladder_world, prompt, said

LARGE = 3_000_000


class Question(Struct):
    text: str
    partition: tuple[str, str, str]
    look: bool


class Known(Struct):
    action: str
    kept: Kept
    propensity: float = 0.04


class Meaning:
    """Two questions mean the same when they differ in their capitals only."""

    def __init__(self, action: str = "hit") -> None:
        self.action = action
        self.kept: dict[Any, Kept] = {}
        self.asked: list[Question] = []
        self.fails: Exception | None = None

    def read(self, call, route, stamp):
        if self.fails is not None:
            raise self.fails
        if call.has_tools or call.wish.cache == "no-store":
            return None
        text = json.loads(call.body)["messages"][-1]["content"]
        self.asked.append(Question(text, (call.caller.tenant, route, stamp), call.wish.cache == "use"))
        return self.asked[-1]

    def find(self, asked):
        kept = self.kept.get((asked.partition, asked.text.lower()))
        return None if kept is None or not asked.look else Known(self.action, kept)

    def keep(self, asked, kept):
        self.kept[asked.partition, asked.text.lower()] = kept


class SimilarWorld(LadderWorld):
    def build(self):
        gateway = super().build()
        if not hasattr(self, "meaning"):
            self.meaning, self.checked = Meaning(), []
        check = lambda *told: self.checked.append(told)
        self.steps = structs.replace(self.steps, semantic=self.meaning, check=check)
        gateway.replace(self.steps)
        return gateway


async def similar_world(action: str = "hit") -> SimilarWorld:
    world = SimilarWorld()
    world.meaning.action = action
    await world.ready()
    return world


@pytest.mark.parametrize("stream", [False, True])
async def test_a_question_that_means_the_same_gets_the_answer_that_was_given(stream) -> None:
    world = await similar_world()
    first = await ask(world.app, prompt("reference", words="what is a cup"))
    again = await ask(world.app, prompt("reference", words="What is a CUP", stream=stream))
    assert said(again) == said(first) and again.headers["x-demitasse-cache"] == "semantic"
    assert world.asked()["large"] == 1 and "x-demitasse-certificate" not in again.headers
    entry = world.entry
    assert (entry.cache, entry.outcome, entry.model, entry.cost_nanos) == ("semantic", "answered", "large", 0)
    assert (entry.saved, entry.grade, entry.baseline_nanos) == ((("semantic_cache", LARGE),), "B", LARGE)
    assert entry.decision.policy == "semantic_cache" and entry.decision.propensity == 0.96
    assert entry.decision.reason == f"it means the same as call {world.ledger.closed[0].id}"
    if not stream:
        assert float(again.headers["x-demitasse-saved-usd"]) == LARGE / 1e9


async def test_the_very_same_question_is_the_exact_caches_and_nobody_looks_for_its_meaning() -> None:
    world = await similar_world()
    for _ in range(2):
        answer = await ask(world.app, prompt("reference", words="the same"))
    assert answer.headers["x-demitasse-cache"] == "exact" and len(world.meaning.asked) == 1


async def test_a_check_asks_the_model_and_offers_both_answers_for_a_verdict() -> None:
    world = await similar_world("check")
    await ask(world.app, prompt("reference", words="a question"))
    assert not world.checked
    answer = await ask(world.app, prompt("reference", words="A QUESTION"))
    assert answer.headers["x-demitasse-cache"] == "miss" and world.asked()["large"] == 2
    ((call, reply, entry, found),) = world.checked
    assert "A QUESTION" in call.body.decode() and entry is world.entry and found.kept.reply.body != b""
    assert (
        reply.body
        == world.meaning.kept[world.meaning.asked[-1].partition, world.meaning.asked[-1].text.lower()].reply.body
    )
    assert adds_up(entry) and entry.saved == ()


async def test_a_cheaper_models_answer_is_shared_under_its_certificate_and_not_beyond_it() -> None:
    world = await similar_world()
    await ask(world.app, prompt("cheap", words="small talk"))
    again = await ask(world.app, prompt("cheap", words="Small Talk"))
    assert again.headers["x-demitasse-cache"] == "semantic" and said(again).startswith("small")
    assert again.headers["x-demitasse-certificate"] == "cert_1" == world.entry.decision.certificate
    for certificates, words in (((), "SMALL talk"), ((certificate(id="cert_2"),), "small TALK")):
        world.certificates = certificates
        await world.ready()
        other = await ask(world.app, prompt("cheap", words=words))
        assert other.headers["x-demitasse-cache"] == "miss"


async def test_what_stood_in_for_a_failed_reference_is_not_kept() -> None:
    world = await similar_world()
    world.small.worth, world.large.fails = 0.65, UpstreamError("down", status=503, retryable=False)
    await ask(world.app, prompt("draft", words="a"))
    assert "draft_kept" in world.entry.flags and not world.meaning.kept


async def test_a_fresh_answer_may_be_wished_for_and_is_kept_for_others() -> None:
    world = await similar_world()
    await ask(world.app, prompt("reference", words="x"))
    fresh = await ask(world.app, prompt("reference", words="X"), headers={"x-demitasse-cache": "refresh"})
    assert fresh.headers["x-demitasse-cache"] == "miss" and len(world.meaning.kept) == 1
    hidden = await ask(world.app, prompt("reference", words="y"), headers={"x-demitasse-cache": "no-store"})
    assert hidden.headers["x-demitasse-cache"] == "off" and len(world.meaning.kept) == 1


async def test_a_semantic_cache_that_fails_costs_nobody_an_answer(caplog) -> None:
    world = await similar_world()
    world.meaning.fails = ValueError("a vector of the wrong shape")
    assert (await ask(world.app, prompt("reference"))).status == 200
    world.meaning.fails = None
    world.meaning.keep = lambda *_: 1 / 0  # type: ignore[method-assign]
    assert (await ask(world.app, prompt("reference", words="b"))).status == 200
    assert caplog.text.count("the semantic cache") == 2


async def test_our_own_calls_neither_look_nor_leave_anything() -> None:
    from .test_ladder_money import own

    world = await similar_world()
    await own(world, "check", model="large")
    assert not world.meaning.asked and not world.meaning.kept


async def test_without_a_semantic_cache_nothing_changes() -> None:
    world = await ladder_world()
    answer = await ask(world.app, prompt("reference"))
    assert world.steps.semantic is None and answer.headers["x-demitasse-cache"] == "miss"
