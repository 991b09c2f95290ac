"""Shaping on the whole way: what goes upstream, what stays, and what the books say was saved."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from demitasse.core.call import Usage
from demitasse.gateway.shape import Mode, Shape, ShapeSettings

from .asgi import ask
from .conftest import World
from .ladder import PROMPTS, LadderWorld, adds_up

PRETTY = json.dumps({"rows": [{"id": n, "name": f"name {n}"} for n in range(40)]}, indent=2)
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "Which row is named so?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "rows", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c", "content": PRETTY},
]


def shaping(world: World, mode: Mode = "on") -> None:
    shape = Shape(
        ShapeSettings(routes=frozenset({"auto"}), compact_json=mode),
        lambda _route, _shaper: None,
        revision=lambda: 1,
        clock=world.clock,
    )
    world.steps = structs.replace(world.steps, shape=shape)
    world.app.replace(world.steps)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_shaped_call_is_answered_booked_and_adds_up(world: World, stream: bool) -> None:
    shaping(world)
    world.large.usage = Usage(uncached_in=400, text_out=10)
    answer = await ask(world.app, {"model": "auto", "messages": MESSAGES, "stream": stream})
    assert answer.status == 200
    (asked,) = world.large.calls
    told = json.loads(bytes(asked.fields["messages"]))
    assert json.loads(told[2]["content"]) == json.loads(PRETTY) and len(told[2]["content"]) < 0.7 * len(PRETTY)
    assert told[:2] == MESSAGES[:2]
    entry = world.entry
    ((cause, nanos),) = entry.saved
    assert cause == "shaped" and entry.grade == "C" and adds_up(entry)
    sent_bytes = asked.text_bytes - asked.shaped_bytes
    assert nanos == 400 * asked.shaped_bytes // sent_bytes * 10_000, "at 10 USD a million"
    assert entry.baseline_nanos == entry.cost_nanos + nanos


async def test_without_a_proof_nothing_is_touched(world: World) -> None:
    shaping(world, "proven")
    await ask(world.app, {"model": "auto", "messages": MESSAGES})
    assert json.loads(bytes(world.large.calls[0].fields["messages"])) == MESSAGES
    assert world.entry.saved == ()


async def test_the_same_request_is_one_cached_answer_shaped_or_not(world: World) -> None:
    await ask(world.app, {"model": "auto", "messages": MESSAGES})
    shaping(world)
    answer = await ask(world.app, {"model": "auto", "messages": MESSAGES})
    assert answer.headers["x-demitasse-cache"] == "exact"


async def test_a_cheaper_models_saving_and_the_shapers_are_told_apart() -> None:
    world = await LadderWorld().ready()
    shaping(world)
    messages = [{"role": "user", "content": PROMPTS["cheap"]}, *MESSAGES[1:]]
    await ask(world.app, {"model": "auto", "messages": messages})
    entry = world.entry
    saved = dict(entry.saved)
    assert entry.model == "small" and set(saved) == {"shaped", "routed"} and adds_up(entry)
    (call,) = world.small.calls
    tokens = 100 * call.shaped_bytes // (call.text_bytes - call.shaped_bytes)
    assert saved["shaped"] == tokens * 1_000, "at the small model's price"
    assert entry.baseline_nanos == 3_000_000 + tokens * 10_000, "the prompt as it was sent, at the reference's price"
