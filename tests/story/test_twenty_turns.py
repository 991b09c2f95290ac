"""A conversation of twenty turns keeps its prefix to the byte, whatever happens to its calls on the way: the provider can read
each turn's history from its cache."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from demitasse.core.call import Call
from demitasse.core.price import Card, rates
from demitasse.gateway.pilot import Pilot
from demitasse.gateway.prompt_cache import PromptCache
from demitasse.gateway.route import Rung
from demitasse.providers.prompt_caching import Rule, rules
from demitasse.wire.prefix import hashed, read
from tests.gateway.caching_provider import CachingProvider, marks

from .asgi import ask
from .ladder import PROMPTS, TOOLS, LadderWorld, Scores, adds_up

TURNS = 20
RULES = {rule.id: rule for rule in rules()}
SYSTEM = {"role": "system", "content": "Answer as a patient librarian would, in one sentence. " * 200}
MINUTE_US = 60_000_000
KEYED = ("openai-5", "xai", "deepseek", "mistral")
MARKED = ("openrouter-claude", "openai-5.6")


def priced(name: str, rule: Rule, usd: int) -> Card:
    base = rates(
        input=usd * 10**6,
        output=usd * 10**7,
        cache_read=int(usd * 10**6 * rule.read),
        cache_write_5m=int(usd * 10**6 * rule.write),
    )
    return Card(id=f"test {name}", provider="test", model=name, base=base)


class LastScores(Scores):
    """The score stands in the latest question."""

    def prompt(self, call: Call) -> float:
        return float(re.findall(rb"score ([\d.]+)", call.body)[-1])


class Talk:
    """A client, a gateway, and providers that cache after a rule and keep what they were sent."""

    def __init__(self, rule: Rule) -> None:
        self.world = LadderWorld()
        self.memory = PromptCache(b"salt")
        self.up = {
            name: CachingProvider(rule, words=f"{name} speaks, worth 0.1") for name in ("small", "mini", "large")
        }
        self.world.rungs = {
            name: Rung(
                name, "test", f"{name}-1", self.memory.over(up, name, rule, card := priced(name, rule, usd)), card
            )
            for (name, up), usd in zip(self.up.items(), (1, 2, 10), strict=True)
        }
        self.world.pilot = Pilot(self.world, lambda _raw: LastScores(), clock=self.world.clock)
        self.world.route()
        self.messages: list[dict[str, Any]] = [SYSTEM]
        self.entries: list[Any] = []

    async def turn(self, text: str, *, model: str = "large", **more: Any) -> Any:
        self.world.now_us += MINUTE_US
        self.messages.append({"role": "user", "content": text})
        answer = await ask(self.world.app, {"model": model, "messages": self.messages} | more)
        assert answer.status == 200, answer.body
        self.messages.append({"role": "assistant", "content": answer.text()})
        self.entries.append(self.world.entry)
        return answer

    def tool_round(self, n: int) -> None:
        """The client calls a tool and puts its result into the conversation."""
        call = {"id": f"call_{n}", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
        self.messages[-1] = {"role": "assistant", "content": None, "tool_calls": [call]}
        self.messages.append({"role": "tool", "tool_call_id": f"call_{n}", "content": json.dumps({"degrees": n})})


def sent(up: CachingProvider) -> list[list[bytes]]:
    """The messages of each request, to the byte."""
    found = []
    for raw in up.raw:
        members = msgspec.json.decode(raw, type=dict[str, Raw])
        found.append([bytes(m) for m in msgspec.json.decode(members["messages"], type=list[Raw])])
    return found


def assert_stable(up: CachingProvider, *, to_the_byte: bool) -> None:
    """Each request begins with all that the one before held."""
    turns = sent(up)
    assert len(turns) >= 2
    for before, after in itertools.pairwise(turns):
        assert [hashed(m) for m in after[: len(before)]] == [hashed(m) for m in before]
        if to_the_byte:
            assert after[: len(before)] == before
    chains = [read(msgspec.json.decode(raw, type=dict[str, Raw])) for raw in up.raw]
    for one, other in itertools.pairwise(chains):
        assert one is not None and other is not None
        assert not to_the_byte or other.shared(len(one.messages), one.chain[-1]), "the hash of each turn's prefix"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("id", [*KEYED, *MARKED])
async def test_twenty_turns_go_out_with_one_prefix(id: str, stream: bool) -> None:
    talk = Talk(RULES[id])
    for n in range(TURNS):
        await talk.turn(f"Question {n}: {'why so? ' * 20}", stream=stream)
    up = talk.up["large"]
    assert len(up.raw) == TURNS
    assert_stable(up, to_the_byte=id in KEYED)
    assert all(entry.usage.cache_read > 0 for entry in talk.entries[2:]), "so the provider reads it"
    assert all(adds_up(entry) for entry in talk.entries)


@pytest.mark.parametrize("id", MARKED)
async def test_the_message_that_a_turn_ended_with_goes_out_again_in_the_same_bytes(id: str) -> None:
    talk = Talk(RULES[id])
    for n in range(TURNS):
        await talk.turn(f"Question {n}: {'why so? ' * 20}")
    bodies = [b for b in talk.up["large"].bodies if len(marks(b)) > 1 or id == "openai-5.6"]
    assert bodies
    turns = sent(talk.up["large"])[-len(bodies) :]
    for before, after in itertools.pairwise(turns):
        assert after[len(before) - 1] == before[-1] and after[0] == before[0]
        assert sum(a != b for a, b in zip(before, after, strict=False)) <= 1, (
            "one mark, the fourth from the end, is let go"
        )


@pytest.mark.parametrize("id", [*KEYED, *MARKED])
async def test_twenty_turns_with_tools_keep_their_prefix(id: str) -> None:
    talk = Talk(RULES[id])
    for n in range(TURNS):
        await talk.turn(f"Weather in place {n}? {'please ' * 20}", tools=TOOLS, stream=n % 2 == 0)
        if n % 3 == 0:
            talk.tool_round(n)
    assert_stable(talk.up["large"], to_the_byte=id in KEYED)
    assert talk.entries[-1].usage.cache_read > 1000


@pytest.mark.parametrize("id", ["openai-5", "openrouter-claude"])
async def test_an_escalation_in_the_middle_leaves_each_model_a_prefix_of_its_own_that_never_changes(id: str) -> None:
    talk = Talk(RULES[id])
    await talk.world.ready()
    for n in range(TURNS):
        action = "cheap" if n < 8 else "draft"
        await talk.turn(f"{PROMPTS[action]} {n} {'why so? ' * 20}", model="auto", stream=n % 2 == 1)
    assert len(talk.up["small"].raw) == 9 and len(talk.up["large"].raw) == 12, (
        "eight alone, one draft, then the reference"
    )
    for up in (talk.up["small"], talk.up["large"]):
        assert_stable(up, to_the_byte=id in KEYED)
    assert {entry.model for entry in talk.entries[8:]} == {"large"}
    assert all(adds_up(entry) for entry in talk.entries)
    assert all(entry.usage.cache_read > 0 for entry in talk.entries[10:])


async def test_what_breakpoints_saved_over_twenty_turns_is_in_the_books_with_its_losses() -> None:
    talk = Talk(RULES["openrouter-claude"])
    for n in range(TURNS):
        await talk.turn(f"Question {n}: {'why so? ' * 20}")
    saved = [dict(entry.saved).get("prompt_cache", 0) for entry in talk.entries]
    assert saved[0] == 0 and saved[1] < 0 and all(nanos > 0 for nanos in saved[2:])
    assert {entry.grade for entry in talk.entries} == {"A"}
    bare = sum(entry.usage.total_in * 10_000 + entry.usage.text_out * 100_000 for entry in talk.entries)
    assert sum(entry.baseline_nanos for entry in talk.entries) == bare, "what it would have cost without a cache"
    paid = sum(entry.cost_nanos for entry in talk.entries)
    assert paid < 0.4 * bare


async def test_with_the_setting_off_the_bytes_of_a_request_are_the_clients_own() -> None:
    for id in MARKED:
        talk = Talk(RULES[id])
        talk.memory.on = False
        for n in range(3):
            await talk.turn(f"Question {n}")
        assert all(set(body) <= {"model", "messages", "max_completion_tokens"} for body in talk.up["large"].bodies)
        assert_stable(talk.up["large"], to_the_byte=True)
        assert all(entry.saved == () for entry in talk.entries)
