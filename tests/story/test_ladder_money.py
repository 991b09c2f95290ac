"""What a ladder holds, what fits, what is kept for others and what our own calls cost: the books of a route under a certificate."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from demitasse.core.call import Caller, Usage
from demitasse.core.errors import UpstreamError
from demitasse.core.evidence import OWN_KEY
from demitasse.core.limits import Budget
from demitasse.core.policy import Policy, Setting
from demitasse.gateway.answer import Facts, answer
from demitasse.gateway.request import as_call
from demitasse.wire.ask import read

from .asgi import ask, chat, until
from .conftest import NOON_US
from .ladder import POLICY, LadderWorld, adds_up, certificate, ladder_world, prompt, said

SMALL, MINI, LARGE = 300_000, 600_000, 3_000_000


async def holds(world: LadderWorld, action: str) -> int:
    await ask(world.app, prompt(action, max_tokens=100, words=action))
    assert world.entry.cost_nanos <= world.entry.hold_nanos
    return world.entry.hold_nanos


async def test_exactly_those_are_held_for_that_the_action_may_ask() -> None:
    """A token of input is bounded by a byte; output is 100 tokens at 10, 20 and 100 dollars a million."""
    world = await ladder_world()
    world.settings = structs.replace(world.settings)
    bounds = {}
    for name in world.models:
        await ask(world.app, prompt("cheap", max_tokens=100, words="cheap", model=name))
        bounds[name] = world.entry.hold_nanos
    small, mini, large = bounds.values()
    near = lambda nanos: pytest.approx(nanos, rel=0.02)  # the words differ by some bytes
    assert await holds(world, "cheap") == near(small + large)
    assert await holds(world, "draft") == near(small + mini + large)
    assert await holds(world, "reference") == near(large)


async def budget_for(world: LadderWorld, *which: str, spare: float = 1.05) -> int:
    """A limit that holds these models' bounds for one call, and little more."""
    total = 0
    for name in which:
        await ask(world.app, prompt("cheap", max_tokens=100, words="which", model=name))
        total += world.entry.hold_nanos
    spent = sum(e.cost_nanos for e in world.ledger.closed)
    return spent + int(total * spare)


async def limited(action: str, *which: str, **settings):
    world = await ladder_world(**settings)
    limit = await budget_for(world, *which)
    world.ledger.set_budget(Budget(name="default", limit_nanos=limit))
    got = await ask(world.app, prompt(action, max_tokens=100, words="which"))
    assert not world.ledger.open
    return world, got


async def test_a_draft_whose_hold_does_not_fit_goes_to_the_reference_alone_where_that_fits() -> None:
    world, got = await limited("draft", "large")
    assert said(got).startswith("large") and world.asked()["mini"] == 0
    assert "room for 'large' alone" in world.entry.decision.reason and world.entry.decision.action == "reference"


async def test_a_cheap_answer_goes_on_without_its_stand_in_where_only_that_fits() -> None:
    world, got = await limited("cheap", "small")
    assert said(got).startswith("small")
    assert "room for 'small' alone" in world.entry.decision.reason and world.entry.decision.action == "cheap"


async def test_a_cheap_model_whose_own_budget_is_spent_leaves_the_call_to_the_reference() -> None:
    world = await ladder_world()
    world.ledger.set_budget(Budget(name="smalls", scope="model", subject="small", limit_nanos=1))
    got = await ask(world.app, prompt("cheap"))
    assert said(got).startswith("large") and not world.small.calls


async def test_a_call_that_fits_in_no_way_is_refused_with_the_command_that_raises_the_limit() -> None:
    world = await ladder_world()
    world.ledger.set_budget(Budget(name="default", limit_nanos=1000))
    for action in ("cheap", "draft", "reference"):
        got = await ask(world.app, prompt(action))
        assert got.status == 429 and "demitasse budgets set default" in got.json()["error"]["message"]
        assert world.entry.outcome == "refused"
    assert world.asked() == {"small": 0, "mini": 0, "large": 0}


async def test_clamping_shortens_the_cheapest_way_when_none_fits_whole() -> None:
    world = await ladder_world(clamp=True)
    world.ledger.set_budget(Budget(name="default", limit_nanos=1_300_000))
    got = await ask(world.app, prompt("cheap", max_tokens=1000))
    assert got.status == 200 and said(got).startswith("small")
    limit = world.small.calls[0].max_output
    assert 16 <= limit < 1000 and got.headers["x-demitasse-clamped"] == f"max_completion_tokens={limit}"
    assert world.entry.hold_nanos <= 1_300_000 and "clamped" in world.entry.flags


async def test_a_cheaper_model_without_a_price_is_not_asked_under_a_hard_limit() -> None:
    world = await ladder_world()
    world.rungs["small"] = structs.replace(world.rungs["small"], card=None)
    world.route()
    for action in ("cheap", "draft"):
        got = await ask(world.app, prompt(action))
        assert got.status == 200 and said(got).startswith("large")
    assert not world.small.calls


async def test_a_certificate_lets_a_local_model_go_on_when_the_budget_is_spent() -> None:
    world = await ladder_world(on_spent="local")
    world.rungs["small"] = structs.replace(world.rungs["small"], local=True)
    world.route()
    from demitasse.gateway.budget import Budgets

    spare = Budgets(world.ledger, clamp=False, assume_max_output=4096, spare_local=True)
    world.steps = structs.replace(world.steps, budgets=spare)
    world.app.replace(world.steps)
    world.ledger.set_budget(Budget(name="default", limit_nanos=1000))
    assert said(await ask(world.app, prompt("cheap"))).startswith("small")
    assert (await ask(world.app, prompt("draft"))).status == 429, "a draft may need the reference"


async def test_what_each_model_cost_is_charged_to_its_own_budget() -> None:
    world = await ladder_world()
    for name in world.models:
        world.ledger.set_budget(Budget(name=f"b-{name}", scope="model", subject=name, limit_nanos=10**9))
    world.small.worth, world.mini.worth = 0.55, 0.6
    await ask(world.app, prompt("draft"))
    charged = {c.budget: c.nanos for c in world.entry.charges}
    assert charged == {"b-small": SMALL, "b-mini": MINI, "b-large": LARGE, "default": SMALL + MINI + LARGE}


async def test_a_saving_is_priced_by_the_answers_own_tokens() -> None:
    world = await ladder_world()
    world.small.usage = Usage(uncached_in=1000, text_out=7)
    await ask(world.app, prompt("cheap"))
    assert world.entry.cost_nanos == 1000 * 1_000 + 7 * 10_000
    assert world.entry.baseline_nanos == 1000 * 10_000 + 7 * 100_000
    assert world.entry.saved == (("routed", world.entry.baseline_nanos - world.entry.cost_nanos),)


async def test_a_draft_without_a_price_makes_the_cost_unknown_and_claims_nothing() -> None:
    world = await ladder_world()
    world.ledger.set_budget(Budget(name="default", limit_nanos=None))
    world.rungs["small"] = structs.replace(world.rungs["small"], card=None)
    world.route()
    world.small.worth = 0.65
    await ask(world.app, prompt("draft"))
    assert world.entry.cost_nanos is None and world.entry.saved == () and "unpriced" in world.entry.flags


# What is kept for others.


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("action", ["cheap", "draft"])
async def test_a_cheaper_models_answer_is_served_again_while_its_certificate_is_in_force_and_not_a_call_longer(
    action, stream
) -> None:
    world = await ladder_world()
    await ask(world.app, prompt(action))
    again = await ask(world.app, prompt(action, stream=stream))
    assert said(again).startswith("small") and again.headers["x-demitasse-cache"] == "exact"
    assert again.headers["x-demitasse-certificate"] == "cert_1"
    entry = world.entry
    assert entry.saved == (("exact_cache", LARGE),) and entry.grade == "B"
    assert entry.decision.certificate == "cert_1" and entry.decision.chosen == "small"
    world.certificates = ()
    after = await ask(world.app, prompt(action, stream=stream))
    assert said(after).startswith("large") and after.headers["x-demitasse-cache"] == "miss"
    world.certificates = (certificate(id="cert_2"),)
    await world.ready()
    asked = world.asked()["small"]
    later = await ask(world.app, prompt(action, stream=stream))
    assert said(later).startswith("large") and later.headers["x-demitasse-cache"] == "exact", (
        "the reference's own is good"
    )
    assert world.asked()["small"] == asked


async def test_the_references_answers_outlive_every_certificate() -> None:
    world = await ladder_world()
    await ask(world.app, prompt("reference"))
    for certificates in ((), (certificate(id="cert_2"),)):
        world.certificates = certificates
        again = await ask(world.app, prompt("reference"))
        assert again.headers["x-demitasse-cache"] == "exact" and said(again).startswith("large")
        assert "x-demitasse-certificate" not in again.headers
    assert world.asked()["large"] == 1


async def test_a_call_that_wants_the_reference_never_gets_a_cheaper_models_kept_answer() -> None:
    world = await ladder_world()
    await ask(world.app, prompt("cheap"))
    strict = await ask(world.app, prompt("cheap"), headers={"x-demitasse-route": "reference"})
    assert said(strict).startswith("large")
    after = await ask(world.app, prompt("cheap"))
    assert said(after).startswith("large"), "and leaves the better one behind"


async def test_what_stood_in_for_a_failed_cheap_model_is_kept_because_it_is_the_reference() -> None:
    world = await ladder_world()
    world.small.fails = UpstreamError("down", status=503, retryable=False)
    await ask(world.app, prompt("cheap"))
    world.certificates = ()
    assert (await ask(world.app, prompt("cheap"))).headers["x-demitasse-cache"] == "exact"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("worth", [0.9, 0.65])
async def test_identical_calls_share_one_draft_and_its_verdict(worth, stream) -> None:
    world = await ladder_world()
    world.small.worth, world.small.gate = worth, asyncio.Event()
    calls = [asyncio.create_task(ask(world.app, prompt("draft", stream=stream))) for _ in range(4)]
    await until(lambda: world.small.calls)
    world.small.gate.set()
    answers = await asyncio.gather(*calls)
    assert {said(a).split()[0] for a in answers} == {"small" if worth > 0.7 else "large"}
    assert world.asked()["small"] == 1 and world.asked()["large"] == (worth < 0.7)
    assert sorted(e.cache for e in world.ledger.closed) == ["coalesced"] * 3 + ["miss"]
    if worth < 0.7:
        assert not any(b"small" in a.body for a in answers)


async def test_nobody_joins_a_flight_whose_certificate_was_revoked_meanwhile() -> None:
    world = await ladder_world()
    world.small.gate = asyncio.Event()
    first = asyncio.create_task(ask(world.app, prompt("cheap")))
    await until(lambda: world.small.calls)
    world.certificates = ()
    second = await ask(world.app, prompt("cheap"))
    assert said(second).startswith("large") and second.headers["x-demitasse-cache"] == "miss"
    world.small.gate.set()
    assert said(await first).startswith("small")
    assert said(await ask(world.app, prompt("cheap"))).startswith("large"), "nor does its answer outlive it"


async def test_a_clients_retry_joins_a_draft_and_is_billed_once() -> None:
    world = await ladder_world()
    world.small.worth, world.small.gate = 0.65, asyncio.Event()
    first = asyncio.create_task(ask(world.app, prompt("draft"), headers={"x-stainless-retry-count": "0"}))
    await until(lambda: world.small.calls)
    again = asyncio.create_task(ask(world.app, prompt("draft"), headers={"x-stainless-retry-count": "1"}))
    await asyncio.sleep(0.01)
    world.small.gate.set()
    assert said(await first) == said(await again) and said(await again).startswith("large")
    (entry,) = world.ledger.closed
    assert entry.joined == 1 and adds_up(entry)


async def test_tools_and_schemas_are_kept_apart_in_the_cache() -> None:
    world = await ladder_world()
    for shape in ("text", "tools", "schema"):
        await ask(world.app, prompt("cheap", shape=shape))
    assert world.asked()["small"] == 3


# Our own calls.


class Nobody:
    """The other end of a call of our own."""

    async def send(self, event) -> None:
        raise AssertionError("nobody listens")

    def watch(self, on_hangup) -> None: ...

    def unwatch(self) -> None: ...

    def expect_stream(self) -> None: ...


async def own(world: LadderWorld, purpose: str, model: str = "auto", text: str = "score 0.9"):
    import json

    world.ids += 1
    body = json.dumps(chat(text, model=model)).encode()
    call = as_call(
        read("chat", body), f"own-{world.ids}", f"own-{world.ids}", NOON_US, Caller(key=OWN_KEY, name=OWN_KEY), {}
    )
    call = structs.replace(call, tags=(("purpose", purpose),))
    return await answer(call, Facts(), Nobody(), world.steps)


@pytest.mark.parametrize(
    ("purpose", "cause"), [("shadow", "routed"), ("judge", "routed"), ("check", "semantic_cache"), ("other", "routed")]
)
async def test_our_own_calls_are_taken_off_the_saving_that_they_serve(purpose, cause) -> None:
    world = await ladder_world()
    await own(world, purpose, model="mini")
    entry = world.entry
    assert (entry.baseline_nanos, entry.saved, entry.grade) == (0, ((cause, -MINI),), "A")
    assert adds_up(entry)


async def test_our_own_calls_ask_the_model_that_they_name_share_nothing_and_are_not_shadowed() -> None:
    world = await ladder_world()
    world.large.fails = UpstreamError("down", status=503, retryable=False)
    world.route(fallbacks=(world.rungs["mini"],))
    with pytest.raises(UpstreamError):
        await own(world, "shadow")
    assert world.asked() == {"small": 0, "mini": 0, "large": 1}, "neither a policy nor a stand-in answers for it"
    world.large.fails = None
    for _ in range(2):
        await own(world, "shadow")
    assert world.asked()["large"] == 3 and {e.cache for e in world.ledger.closed} == {"off"}
    assert not world.shadowed
    # and no client gets an answer of ours
    assert (await ask(world.app, prompt("reference"))).headers["x-demitasse-cache"] == "miss"


async def test_our_own_calls_do_not_count_as_a_loop() -> None:
    world = LadderWorld()
    for _ in range(400):  # at 0.003 dollars: more than a fifth of the budget
        await own(world, "judge", model="large", text="the same question")
    assert not world.ledger.paused() and not world.alerts


async def test_a_small_local_model_is_routed_to_like_any_other() -> None:
    always = Policy("auto", "small", "large", Setting(direct=-1e9), scorer=POLICY.scorer)
    world = await ladder_world(always)
    world.rungs["small"] = structs.replace(world.rungs["small"], local=True)
    world.route()
    await ask(world.app, prompt("cheap"))
    assert world.entry.saved == (("routed", LARGE - SMALL),) and world.entry.grade == "B"
