"""The official client through a ladder, against processes as users start them: drafts kept and refused, tools, classes of its
own, and a certificate that another process takes away."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from math import inf
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from demitasse.core.policy import Certificate, Policy, Setting
from demitasse.store.settings import Settings
from demitasse.testing.running import create_key, gateway_process, mock_process
from tests.clients.test_openai_sdk import TOOLS, new, user
from tests.clients.world import CONFIG, World

ROUTES = """
[models.small]
provider = "openai"
model = "mock-small"
base_url = "{base_url}"
price = {{ input_usd_per_mtok = 0.125, output_usd_per_mtok = 1.0 }}

[routes.refuses]
ladder = ["small", "mock"]

[routes.accepts]
ladder = ["small", "mock"]

[routes.streams]
ladder = ["small", "mock"]

[routes.revoked]
ladder = ["small", "mock"]
"""
SETTINGS = {
    "refuses": Setting(draft=-inf, accept=inf),
    "accepts": Setting(draft=-inf, accept=-inf),
    "streams": Setting(direct=-inf),
    "revoked": Setting(direct=-inf),
}


def certificate(route: str) -> Certificate:
    now_us = time.time_ns() // 1000
    return Certificate(
        id=f"cert_{route}", policy=Policy(route, "small", "mock", SETTINGS[route]), quality=0.9, delta=0.05,
        estimate=0.95, floor=0.9, saving=0.5, saving_low=0.4, saving_high=0.6, n_train=1, n_certify=1, since_us=0,
        until_us=now_us, issued_us=now_us, expires_us=now_us + 3_600_000_000,
        models=(("small", "mock-small"), ("mock", "mock")),
    )  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data = tmp_path_factory.mktemp("ladder") / "data"
    with mock_process() as mock:
        key = create_key(data, "alice")
        store = Settings(data)
        for route in SETTINGS:
            store.put_certificate(certificate(route), "certified")
            store.put_certificate(certificate(route), "promoted")
        store.close()
        with gateway_process(data, (CONFIG + ROUTES).format(base_url=mock.base_url)) as gateway:
            world = World(gateway, mock, data, key)
            yield world
            world.books.close()


@pytest.fixture
async def client(world: World) -> AsyncIterator[openai.AsyncOpenAI]:
    async with world.client() as client:
        yield client


def asked(world: World, id: str) -> list[str]:
    """Which models the provider served for one call, in order."""
    return [record.model for record in world.served(id)]


@pytest.mark.parametrize(
    ("route", "models", "action"),
    [
        ("refuses", ["mock-small", "mock"], "escalated"),
        ("accepts", ["mock-small"], "draft"),
        ("streams", ["mock-small"], "cheap"),
    ],
)
async def test_a_stream_is_one_whole_stream_whoever_answers(world, client, route, models, action) -> None:
    id = new()
    stream = await client.chat.completions.create(
        model=route, messages=user(f"one {id}"), user=id, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert asked(world, id) == models
    assert len({chunk.id for chunk in chunks}) == 1, "one answer, not two"
    assert {chunk.model for chunk in chunks} == {route}
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text.split() == ["one", id] * 8
    assert [c.usage for c in chunks[:-1]] == [None] * (len(chunks) - 1)
    record = world.served(id)[-1]
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (
        record.prompt_tokens,
        record.completion_tokens,
    )
    entry = world.entries(route=route)[0]
    assert entry.decision.action == action and [a.upstream_model for a in entry.attempts] == models
    assert entry.baseline_nanos - entry.cost_nanos == sum(nanos for _, nanos in entry.saved)
    own = record.prompt_tokens * 1_250 + record.completion_tokens * 10_000
    assert entry.baseline_nanos == own, "what the reference costs for these tokens"
    assert dict(entry.saved)["routed"] == (-own // 10 if action == "escalated" else own - own // 10)


@pytest.mark.parametrize("route", ["refuses", "accepts"])
async def test_parallel_tools_survive_in_a_stream(client, route) -> None:
    stream = await client.chat.completions.create(
        model=route, messages=user(f"weather and tides {new()}"), tools=TOOLS, stream=True
    )
    calls: dict[int, Any] = {}
    async for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or []:
            known = calls.setdefault(call.index, {"names": [], "arguments": ""})
            known["names"] += [call.function.name] if call.id is not None else []
            known["arguments"] += call.function.arguments or ""
    assert {i: c["names"] for i, c in calls.items()} == {0: ["weather"], 1: ["tides"]}
    assert all(c["arguments"] == '{"city": "small cup"}' for c in calls.values())


class Cup(BaseModel):
    size: str


@pytest.mark.parametrize("route", list(SETTINGS)[:3])
async def test_a_json_schema_comes_back_as_the_clients_own_class(client, route) -> None:
    answer = await client.chat.completions.parse(model=route, messages=user(f"a cup {new()}"), response_format=Cup)
    assert isinstance(answer.choices[0].message.parsed, Cup)


async def test_facts_of_the_answer_are_in_its_headers(world, client) -> None:
    raw = await client.chat.completions.with_raw_response.create(model="refuses", messages=user(new()))
    assert raw.headers["x-demitasse-model"] == "mock"
    assert raw.headers["x-demitasse-certificate"] == "cert_refuses"
    assert float(raw.headers["x-demitasse-saved-usd"]) < 0
    raw = await client.chat.completions.with_raw_response.create(
        model="accepts", messages=user(new()), extra_headers={"x-demitasse-route": "reference"}
    )
    assert raw.headers["x-demitasse-model"] == "mock" and "x-demitasse-certificate" not in raw.headers


async def test_what_another_process_revokes_serves_no_more_within_a_second(world, client) -> None:
    async def model() -> str:
        raw = await client.chat.completions.with_raw_response.create(model="revoked", messages=user(new()))
        return raw.headers["x-demitasse-model"]

    assert await model() == "small"
    question = user(f"kept {new()}")
    await client.chat.completions.create(model="revoked", messages=question)
    store = Settings(world.data)
    store.put_certificate(certificate("revoked"), "revoked", "quality fell below the floor")
    store.close()
    at = time.monotonic()
    served: list[str] = []
    while "mock" not in served:
        served.append(await model())
        assert time.monotonic() < at + 5, "it never ended"
    raw = await client.chat.completions.with_raw_response.create(model="revoked", messages=question)
    assert raw.headers["x-demitasse-cache"] == "miss" and raw.headers["x-demitasse-model"] == "mock"
