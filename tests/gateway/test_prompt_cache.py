"""What is asked of a provider's prompt cache, when, and what of its savings is ours."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from msgspec import structs

from demitasse.core.call import Call, Caller, Reply, Usage, drop
from demitasse.core.errors import UpstreamError
from demitasse.core.evidence import OWN_KEY
from demitasse.core.limits import Alert
from demitasse.core.price import Card, rates
from demitasse.gateway.holdout import held_out
from demitasse.gateway.prompt_cache import Cached, PromptCache
from demitasse.providers.prompt_caching import NO_RULE, Rule, rules
from demitasse.testing import FakeModel
from demitasse.wire import ask
from tests.gateway.caching_provider import CachingProvider, marks

RULES = {rule.id: rule for rule in rules()}
CLAUDE, GPT5, GPT56, XAI, DEEPSEEK = (
    RULES[id] for id in ("openrouter-claude", "openai-5", "openai-5.6", "xai", "deepseek")
)
NOON_US = 1_795_262_400_000_000
MINUTE_US = 60_000_000
LONG = "You answer in the voice of a patient librarian who knows every shelf. " * 250  # about 4,400 tokens


def card(rule: Rule) -> Card:
    base = rates(input=10**6, output=10**7, cache_read=int(10**6 * rule.read), cache_write_5m=int(10**6 * rule.write))
    return Card(id=f"test {rule.id}", provider="test", model="m", base=base)


class Talk:
    """A client in a conversation; its requests grow as clients' do."""

    def __init__(self, model: Any, *, session: str = "s", tenant: str = "t", system: str = LONG, **more: Any) -> None:
        self.model, self.session, self.tenant, self.more = model, session, tenant, more
        self.messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
        self.now_us = NOON_US
        self.ids = 0

    def call(self, text: str = "And what of that? " * 20, **more: Any) -> Call:
        self.messages.append({"role": "user", "content": text})
        read = ask.read("chat", json.dumps({"model": "asked", "messages": self.messages} | self.more | more).encode())
        self.ids += 1
        return Call(
            id=f"{self.session}-{self.ids}",
            request_id="r",
            at_us=self.now_us,
            kind="chat",
            body=read.body,
            fields=read.fields,
            model="asked",
            text_bytes=read.text_bound_bytes,
            session=self.session,
            caller=Caller(key="k", tenant=self.tenant),
        )

    async def say(self, text: str = "And what of that? " * 20, *, after_us: int = MINUTE_US, **more: Any) -> Reply:
        self.now_us += after_us
        reply = await self.model(self.call(text, **more), drop)
        self.messages.append({"role": "assistant", "content": "an answer"})
        return reply


def at(rule: Rule, *, on: bool = True, **how: Any) -> tuple[PromptCache, CachingProvider, Cached]:
    memory, up = PromptCache(b"salt", on=on), CachingProvider(rule, **how)
    return memory, up, memory.over(up, "large", rule, card(rule))


def treated(model: Cached, name: str = "s", **how: Any) -> Talk:
    """A conversation that is not in the control group."""
    for n in range(100):
        talk = Talk(model, session=f"{name}{n}", **how)
        if not held_out(model._memory._session(model.alias, talk.call())):
            talk.messages.pop()
            return talk
    raise AssertionError


def control(model: Cached) -> Talk:
    for n in range(1000):
        talk = Talk(model, session=f"c{n}")
        if held_out(model._memory._session(model.alias, talk.call())):
            talk.messages.pop()
            return talk
    raise AssertionError


# Keys


async def test_a_conversation_gets_one_key_that_tells_nothing_of_who_it_is() -> None:
    _, up, model = at(GPT5)
    talk = treated(model, "alice@example.com-", tenant="acme")
    for _ in range(3):
        await talk.say()
    keys = {body["prompt_cache_key"] for body in up.bodies}
    (key,) = keys
    assert key.startswith("dmt-") and len(key) <= 64
    assert "alice" not in key and "acme" not in key
    assert all(json.dumps(body["messages"]) == json.dumps(talk.messages[: len(body["messages"])]) for body in up.bodies)


async def test_other_tenants_and_other_installations_have_other_keys() -> None:
    seen = set()
    for salt, tenant in ((b"salt", "a"), (b"salt", "b"), (b"other", "a")):
        up = CachingProvider(GPT5)
        await treated(PromptCache(salt).over(up, "large", GPT5, None), tenant=tenant).say()
        seen.add(up.bodies[-1]["prompt_cache_key"])
    assert len(seen) == 3


async def test_conversations_that_share_a_long_beginning_share_a_key_until_it_is_asked_too_often() -> None:
    _, up, model = at(GPT5)
    for n in range(8):
        await treated(model, f"slow{n}-").say()
    assert len({body["prompt_cache_key"] for body in up.bodies}) == 1
    for n in range(60):
        await treated(model, f"fast{n}-").say(after_us=n * 1_000_000)
    assert 2 <= len({body["prompt_cache_key"] for body in up.bodies}) <= 16


async def test_a_provider_that_wants_a_header_gets_one_and_its_body_stays_as_it_is() -> None:
    _, up, model = at(XAI)
    talk = treated(model)
    await talk.say()
    await talk.say()
    assert up.headers[0] == up.headers[1] and set(up.headers[0]) == {"x-grok-conv-id"}
    assert set(up.bodies[-1]) == {"model", "messages"}


@pytest.mark.parametrize(
    "own",
    [
        {"prompt_cache_key": "mine"},
        {"session_id": "mine"},
        {"prompt_cache_options": {"mode": "explicit"}},
    ],
)
async def test_a_client_that_steers_its_cache_itself_is_left_alone_and_nothing_is_claimed(own: dict[str, Any]) -> None:
    for rule in (GPT5, GPT56, CLAUDE):
        _, up, model = at(rule)
        talk = Talk(model)
        for _ in range(3):
            sent = talk.call(**own)
            reply = await model(sent, drop)
            assert up.raw[-1] == up._wire.body(sent)
            assert reply.saved == ()


async def test_short_prompts_and_embeddings_are_passed_through_untouched() -> None:
    memory, up, model = at(GPT5)
    await Talk(model, system="Be brief.").say("Hi")
    assert "prompt_cache_key" not in up.bodies[0]
    assert not memory.facts()[0]["calls"]


async def test_nothing_is_added_where_it_is_switched_off_but_it_is_watched() -> None:
    for rule in (GPT5, CLAUDE):
        memory, up, model = at(rule, on=False)
        talk = treated(model)
        for _ in range(3):
            await talk.say()
        assert all(set(body) == {"model", "messages"} and not marks(body) for body in up.bodies)
        assert memory.facts()[0]["calls"] == 3 and memory.facts()[0]["used"] == []


async def test_a_server_that_refuses_a_key_is_asked_again_without_and_never_offered_one_again() -> None:
    _, up, model = at(GPT5, refuses="prompt_cache_key")
    talk = treated(model)
    assert (await talk.say()).usage is not None
    await talk.say()
    assert len(up.bodies) == 2 and all("prompt_cache_key" not in body for body in up.bodies)


async def test_any_other_refusal_is_the_callers() -> None:
    failing = FakeModel(UpstreamError("messages too long", status=400, retryable=False))
    model = PromptCache(b"salt").over(failing, "large", GPT5, None)
    with pytest.raises(UpstreamError):
        await treated(model).say()
    assert len(failing.calls) == 1


# The control group


async def test_the_control_group_gets_no_key_and_claims_nothing() -> None:
    memory, up, model = at(GPT5)
    talk = control(model)
    replies = [await talk.say() for _ in range(3)]
    assert all("prompt_cache_key" not in body for body in up.bodies)
    assert all(reply.saved == () for reply in replies)
    assert memory.learned("large").effect.control.n == 1


async def test_what_a_provider_caches_by_itself_is_not_claimed() -> None:
    """One machine: a key changes nothing, and after many sessions nothing is booked."""
    memory, _, model = at(GPT5)
    for n in range(400):
        talk = Talk(model, session=f"s{n}", system=f"{n} " + LONG)
        for _ in range(2):
            reply = await talk.say()
            assert reply.saved == ()
        assert reply.usage is not None and reply.usage.cache_read > 1024
    effect = memory.learned("large").effect
    assert effect.control.n > 5 and effect.caused == 0


async def test_a_key_that_brings_conversations_back_to_their_machine_is_booked_from_below() -> None:
    memory, _, model = at(GPT5, machines=50)
    booked, without = 0, 0
    for n in range(1500):
        talk = Talk(model, session=f"s{n}", system=f"{n} " + LONG[:6000])
        for _ in range(2):
            reply = await talk.say()
            booked += sum(nanos for _, nanos, _ in reply.saved)
            assert all(cause == "prompt_cache" and grade == "B" for cause, _, grade in reply.saved)
            if reply.usage is not None:
                without += reply.usage.cache_read * 900
    effect = memory.learned("large").effect
    assert effect.treated.mean is not None and effect.treated.mean > 0.9
    assert effect.control.mean is not None and effect.control.mean < 0.2
    assert 0.3 < effect.caused < 1
    assert 0 < booked < without


# Breakpoints


async def test_one_shot_traffic_with_nothing_in_common_is_never_charged_for_writes() -> None:
    _, up, model = at(CLAUDE)
    for n in range(50):
        await Talk(model, session=f"s{n}", system=f"{n} {LONG}").say()
    assert not any(marks(body) for body in up.bodies)


async def test_a_shared_system_prompt_is_marked_from_its_second_call_on() -> None:
    _, up, model = at(CLAUDE)
    saved = []
    for n in range(6):
        reply = await Talk(model, session=f"s{n}").say(f"question {n}")
        saved.append(sum(nanos for _, nanos, _ in reply.saved))
    assert [marks(body) for body in up.bodies] == [[], [0], [0], [0], [0], [0]]
    assert saved[0] == 0 and saved[1] < 0 < saved[2], "the write costs, the reads pay"
    assert sum(saved) > 0


async def test_a_conversation_is_marked_once_it_goes_on_and_its_history_is_read_from_then_on() -> None:
    _, up, model = at(CLAUDE)
    talk = Talk(model)
    usages = []
    for _ in range(5):
        reply = await talk.say()
        usages.append(reply.usage)
    assert [marks(body) for body in up.bodies] == [[], [0, 1, 3], [0, 1, 3, 5], [0, 3, 5, 7], [0, 5, 7, 9]]
    assert [u.cache_read > 0 for u in usages if u] == [False, False, True, True, True]
    assert all(len(marks(body)) <= CLAUDE.breakpoints for body in up.bodies)


async def test_what_is_read_and_written_through_our_breakpoints_is_booked_to_the_nano() -> None:
    _, _, model = at(CLAUDE)
    talk = Talk(model)
    for _ in range(4):
        reply = await talk.say()
        u = reply.usage
        assert u is not None
        told = sum(nanos for _, nanos, _ in reply.saved)
        assert (
            told == u.cache_read * 900 - u.cache_write_5m * 250
        )  # input at 1,000 nanos a token, reads 0.1, writes 1.25
        assert all(grade == "A" for _, _, grade in reply.saved)


async def test_a_conversation_whose_entry_has_died_is_not_counted_as_warm() -> None:
    memory, _, model = at(CLAUDE)
    talk = Talk(model)
    for _ in range(3):
        await talk.say()
    assert memory.warmth("large", talk.call()) is not None
    talk.messages.pop()
    talk.now_us += 6 * MINUTE_US
    assert memory.warmth("large", talk.call()) is None


async def test_gpt_5_6_gets_a_breakpoint_after_a_shared_beginning_and_finds_it_again_across_conversations() -> None:
    _, up, model = at(GPT56)
    reads = []
    for n in range(4):
        reply = await treated(model, f"n{n}-").say(f"question {n}")
        reads.append(reply.usage.cache_read if reply.usage else 0)
    assert all(marks(body) == [0] for body in up.bodies)
    assert reads[0] == 0 and all(read > 4000 for read in reads[1:])


async def test_one_shot_prompts_are_not_written_once_it_is_known_that_they_are_and_what_that_spares_is_booked() -> None:
    memory, up, model = at(GPT56)
    saved, asked = [], []
    for n in range(120):
        reply = await Talk(model, session=f"s{n}", system=f"{n} {LONG}").say()
        asked.append("prompt_cache_options" in up.bodies[-1])
        saved.append(sum(nanos for _, nanos, _ in reply.saved))
        u = reply.usage
        assert u is not None
        if asked[-1] and not marks(up.bodies[-1]):
            assert u.cache_write_5m == 0 and saved[-1] == u.uncached_in * 250
    assert not any(asked[:15]), "a guess is not enough to give up what the provider does by itself"
    assert sum(asked[-40:]) > 30
    assert memory.learned("large").writes


async def test_conversations_are_written_as_ever() -> None:
    _, up, model = at(GPT56)
    for n in range(60):
        talk = Talk(model, session=f"s{n}", system=f"{n} {LONG}")
        for _ in range(3):
            await talk.say()
    assert not any("prompt_cache_options" in body for body in up.bodies)


async def test_no_history_that_a_provider_has_read_is_ever_rewritten() -> None:
    """Each request's messages, as the provider hashes them, begin with those of the one before."""
    from demitasse.wire.prefix import hashed

    for rule in (CLAUDE, GPT5, GPT56, XAI, DEEPSEEK):
        _, up, model = at(rule)
        talk = Talk(model)
        sent: list[list[bytes]] = []
        for _ in range(8):
            await talk.say()
            sent.append([hashed(json.dumps(m).encode()) for m in up.bodies[-1]["messages"]])
        for before, after in itertools.pairwise(sent):
            assert after[: len(before)] == before


# What is learned


async def test_one_shot_clients_teach_that_marks_do_not_pay_and_talkers_that_they_do() -> None:
    memory, _, model = at(CLAUDE)
    for n in range(40):
        await Talk(model, session=f"one{n}", system=f"{n} {LONG}").say()
    assert memory.learned("large").goes_on(1) < 0.05
    for n in range(200):
        talk = Talk(model, session=f"two{n}", system=f"{n} {LONG}")
        await talk.say()
        await talk.say()
    assert memory.learned("large").goes_on(1) > 0.6


async def test_a_rule_that_promises_too_much_is_corrected_by_what_comes_back() -> None:
    class Forgetful(CachingProvider):
        def meter(self, *args: Any) -> Usage:
            told = super().meter(*args)
            return Usage(uncached_in=told.total_in, text_out=2)

    memory = PromptCache(b"salt")
    model = memory.over(Forgetful(GPT5), "large", GPT5, card(GPT5))
    talk = treated(model)
    for _ in range(60):
        await talk.say("Go on. " * 50)
    assert memory.learned("large").share < 0.25
    warm = memory.warmth("large", talk.call())
    assert warm is not None and warm.share < 0.25


async def test_what_a_switch_would_give_away_is_the_tokens_at_the_difference_of_the_rates() -> None:
    memory, _, model = at(GPT5)
    talk = treated(model)
    for _ in range(3):
        await talk.say()
    warm = memory.warmth("large", talk.call())
    assert warm is not None
    assert warm.tokens > 4000 and warm.worth_nanos == int(warm.tokens * warm.share * 900_000) // 1000
    assert memory.warmth("small", talk.call()) is None


async def test_another_conversation_in_the_same_session_is_not_warm() -> None:
    memory, _, model = at(GPT5)
    talk = treated(model)
    await talk.say()
    other = Talk(model, session=talk.session, system="Quite another. " * 600)
    other.now_us = talk.now_us
    assert memory.warmth("large", other.call()) is None


async def test_what_was_learned_goes_on_after_a_restart_without_any_hash_of_a_prompt() -> None:
    memory, _, model = at(GPT5)
    talk = treated(model)
    for _ in range(3):
        await talk.say()
    kept = json.loads(json.dumps(memory.kept()))
    again = PromptCache(b"salt")
    again.take_up(kept | {"odd": {"calls": "many"}})
    assert again.learned("large") == memory.learned("large")
    assert "dmt-" not in json.dumps(kept)


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demitasse.gateway.prompt_cache._MOST_KEPT", 10)
    memory, _, model = at(GPT5)
    for n in range(50):
        await Talk(model, session=f"s{n}", system=f"{n} {LONG}").say()
    assert len(memory._sessions) <= 10 and len(memory._heads) <= 10


async def test_where_no_rule_fits_a_model_is_left_as_it_is() -> None:
    memory, up, model = at(NO_RULE)
    await Talk(model).say()
    assert set(up.bodies[0]) == {"model", "messages"} and memory.findings() == ()


# Broken prefixes


async def broken(
    system: Any, *, calls: int = 12, tools: Any = None, rule: Rule = GPT5
) -> tuple[PromptCache, list[Alert]]:
    alerts: list[Alert] = []
    memory = PromptCache(b"salt", alarm=alerts.append)
    model = memory.over(CachingProvider(rule), "large", rule, card(rule))
    for n in range(calls):
        more = {"tools": tools(n)} if tools else {}
        talk = Talk(model, session=f"s{n}", system=system(n), **more)
        talk.now_us += n * MINUTE_US
        await talk.say()
    return memory, alerts


@pytest.mark.parametrize(
    ("kind", "system"),
    [
        ("date", lambda n: f"It is 2026-11-21 10:{n:02d}. {LONG}"),
        (
            "date",
            lambda n: (
                f"{LONG[:300]} Today is {['Monday', 'Tuesday'][n % 2]}, November {n + 1}, 2026 {n}:{n:02d} pm. {LONG}"
            ),
        ),
        ("id", lambda n: f"{LONG[:1000]} request 3f2b8c1e-1111-4222-8333-{n:012x} {LONG}"),
        ("id", lambda n: f"session req_{'abcdefghijkl'[n]}Zk29dLs0 {LONG}"),
        ("number", lambda n: f"{LONG[:200]} You have {n * 7} credits left. {LONG}"),
        ("space", lambda n: LONG[:500] + "\n" * (n + 1) + LONG),
        (
            "text",
            lambda n: (
                LONG[:2000]
                + "Example: "
                + " ".join(["the", "cat", "sat", "on", "mats"][n % 5 :])
                + "ab"[n % 2] * n
                + LONG
            ),
        ),
    ],
)
async def test_what_breaks_a_prefix_is_named_with_its_place_and_price(kind: str, system: Any) -> None:
    memory, _ = await broken(system)
    (found,) = memory.findings()
    assert found.kind == kind and found.place == "messages[0]"
    assert found.broken >= 9 and found.tokens_per_call > 1000 and found.nanos_per_day > 0
    assert "librarian" not in found.sentence + repr(found), "no word of the prompt"
    first, second = (json.dumps({"role": "system", "content": system(n)}) for n in (10, 11))
    differs = next(i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    assert found.offset_bytes <= differs < found.offset_bytes + 64 or kind in ("date", "text")


async def test_what_differs_further_back_than_is_looked_at_is_not_guessed() -> None:
    memory, _ = await broken(lambda n: LONG * 2 + f" It is {n} o'clock.")
    assert memory.findings() == ()


async def test_our_own_calls_are_no_finding() -> None:
    memory = PromptCache(b"salt")
    model = memory.over(CachingProvider(GPT5), "large", GPT5, card(GPT5))
    for n in range(12):
        talk = Talk(model, session=f"s{n}", system=f"It is 10:{n:02d}. {LONG}")
        asked = talk.call()
        await model(structs.replace(asked, caller=Caller(key=OWN_KEY)), drop)
    assert memory.findings() == ()


async def test_names_that_nobody_has_heard_of_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demitasse.gateway.prompt_cache._MOST_MODELS", 5)
    memory = PromptCache(b"salt")
    for n in range(20):
        await Talk(memory.over(CachingProvider(GPT5), f"openai/x{n}", GPT5, None)).say()
    assert len(memory.facts()) <= 5 and len(memory._learned) <= 6


async def test_tools_in_another_order_are_told_apart_from_other_tools() -> None:
    tools = [{"type": "function", "function": {"name": name, "description": "d" * 200}} for name in "abcdef"]
    memory, _ = await broken(lambda _: LONG, tools=lambda n: tools[n % 6 :] + tools[: n % 6], calls=6)
    (found,) = memory.findings()
    assert found.kind == "tools_order" and found.place == "tools"
    assert "same order" in found.remedy


async def test_a_stable_prompt_and_two_applications_on_one_key_are_no_finding() -> None:
    memory, alerts = await broken(lambda n: (LONG, "Translate into French. " * 400)[n % 2], calls=20)
    assert memory.findings() == () and not alerts


async def test_a_client_that_changes_what_it_said_before_is_found() -> None:
    memory = PromptCache(b"salt")
    model = memory.over(CachingProvider(GPT5), "large", GPT5, card(GPT5))
    talk = treated(model)
    for n in range(8):
        await talk.say("A long question. " * 200)
        talk.messages[1]["content"] = f"edited {n} " * 300
    (found,) = memory.findings()
    assert found.kind == "history" and found.tokens_per_call > 500


async def test_asking_the_last_question_in_other_words_is_no_finding() -> None:
    memory = PromptCache(b"salt")
    model = memory.over(CachingProvider(GPT5), "large", GPT5, card(GPT5))
    talk = treated(model)
    await talk.say()
    for n in range(8):
        talk.messages = talk.messages[:3]
        await talk.say(f"In other words {n}: " * 50)
    assert memory.findings() == ()


async def test_a_dear_break_is_told_once_a_day() -> None:
    _, alerts = await broken(lambda n: f"It is 10:{n // 60:02d}:{n % 60:02d}. {LONG * 4}", calls=60)
    assert {alert.kind for alert in alerts} == {"prompt_prefix"}
    assert len({alert.id for alert in alerts}) == 1
    assert "date or time" in alerts[0].message and "end of the prompt" in alerts[0].remedy
