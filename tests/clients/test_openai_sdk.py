"""The official OpenAI client, unchanged, against a running gateway: what it can do with OpenAI it can do here."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import openai
import pytest
from openai import DefaultAsyncHttpxClient
from pydantic import BaseModel

from demitasse.testing.running import create_key
from tests.clients.world import World, until

TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "made up",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name in ("weather", "tides")
]
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def new() -> str:
    """An id that is no other call's: the provider files its record under it, and no cache knows the question."""
    return uuid.uuid4().hex


async def test_a_chat_is_answered_and_booked_as_the_provider_served_it(
    world: World, client: openai.AsyncOpenAI
) -> None:
    id = new()
    answer = await client.chat.completions.create(model="mock", messages=user(f"hello {id}"), user=id, max_tokens=4)
    assert answer.choices[0].message.content == f"hello {id} hello {id}"
    assert answer.choices[0].finish_reason == "length"
    assert answer.model == "mock"
    [record] = world.served(id)
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (
        record.prompt_tokens,
        record.completion_tokens,
    )
    entry = world.entries()[0]
    assert entry.cost_nanos == record.prompt_tokens * 1_250 + record.completion_tokens * 10_000
    assert (entry.outcome, entry.key) == ("answered", "alice")


async def test_a_stream_ends_with_the_usage_that_was_asked_for(world: World, client: openai.AsyncOpenAI) -> None:
    id = new()
    stream = await client.chat.completions.create(
        model="mock", messages=user(f"one {id}"), user=id, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text.split() == ["one", id] * 8
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == world.served(id)[0].completion_tokens == 16
    assert [c.usage for c in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert {chunk.model for chunk in chunks} == {"mock"}


async def test_a_stream_without_that_wish_shows_no_usage_and_is_booked_all_the_same(
    world: World, client: openai.AsyncOpenAI
) -> None:
    id = new()
    stream = await client.chat.completions.create(model="mock", messages=user(id), user=id, stream=True)
    chunks = [chunk async for chunk in stream]
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    [record] = world.served(id)
    entry = world.entries()[0]
    assert entry.usage is not None
    assert (entry.usage.total_in, entry.usage.total_out) == (record.prompt_tokens, record.completion_tokens)
    assert not entry.estimated


async def test_tools_are_called_with_their_arguments(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="mock", messages=user(f"weather {new()}"), tools=TOOLS)
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    [call] = choice.message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "small cup"})


async def test_parallel_tools_stream_under_stable_indices(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="mock", messages=user(f"weather and tides {new()}"), tools=TOOLS, stream=True
    )
    calls: dict[int, list[str]] = {}
    names: dict[int, str | None] = {}
    finish = None
    async for chunk in stream:
        finish = chunk.choices[0].finish_reason or finish
        for call in chunk.choices[0].delta.tool_calls or []:
            assert call.function is not None
            if call.id is not None:
                names[call.index] = call.function.name
            calls.setdefault(call.index, []).append(call.function.arguments or "")
    assert finish == "tool_calls"
    assert names == {0: "weather", 1: "tides"}
    assert [json.loads("".join(parts)) for parts in calls.values()] == [{"city": "small cup"}] * 2


async def test_a_conversation_goes_on_after_tools(client: openai.AsyncOpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    messages: Any = [
        *user("what is it like"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": f"sunny {new()}"},
        *user("thanks"),
    ]
    answer = await client.chat.completions.create(model="mock", messages=messages, tools=TOOLS)
    assert answer.choices[0].message.content is not None
    assert set(answer.choices[0].message.content.split()) == {"thanks"}


async def test_an_image_in_a_data_url_reaches_the_provider(world: World, client: openai.AsyncOpenAI) -> None:
    id = new()
    parts = [{"type": "text", "text": id}, {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}]
    answer = await client.chat.completions.create(
        model="mock",
        messages=[{"role": "user", "content": parts}],
        user=id,
        max_tokens=8,  # type: ignore[typeddict-item,misc,list-item]
    )
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3 + 4 + len(id) // 4 + 85
    assert world.served(id)[0].prompt_tokens == answer.usage.prompt_tokens


class Cup(BaseModel):
    name: str
    millilitres: int
    hot: bool


async def test_a_json_schema_comes_back_as_the_clients_own_class(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.parse(model="mock", messages=user(new()), response_format=Cup)
    assert answer.choices[0].message.parsed == Cup(name="small cup", millilitres=7, hot=True)


async def test_embeddings_are_the_same_in_both_encodings(client: openai.AsyncOpenAI) -> None:
    texts = [new(), "small cup"]
    packed = await client.embeddings.create(model="embed", input=texts, dimensions=12)
    plain = await client.embeddings.create(model="embed", input=texts, dimensions=12, encoding_format="float")
    assert [d.embedding for d in packed.data] == [d.embedding for d in plain.data]
    assert len(plain.data[0].embedding) == 12
    tokens = await client.embeddings.create(model="embed", input=[[1, 2, 3], [4]])
    assert len(tokens.data) == 2
    assert packed.usage.prompt_tokens == 32 // 4 + 9 // 4


async def test_plain_completions_are_answered_too(client: openai.AsyncOpenAI) -> None:
    id = new()
    answer = await client.completions.create(model="mock", prompt=f"say {id}", max_tokens=2)
    assert answer.choices[0].text == f"say {id}"
    stream = await client.completions.create(model="mock", prompt=f"tell {id}", max_tokens=2, stream=True)
    assert "".join([c.choices[0].text async for c in stream]) == f"tell {id}"


async def test_models_are_listed_and_found_also_with_slashes(client: openai.AsyncOpenAI) -> None:
    listed = {model.id async for model in client.models.list()}
    assert {"mock", "embed", "org/mock-with/slashes"} <= listed
    found = await client.models.retrieve("org/mock-with/slashes")
    assert found.id == "org/mock-with/slashes"
    answer = await client.chat.completions.create(model=found.id, messages=user(new()), max_tokens=1)
    assert answer.model == found.id
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("no/such")


async def test_what_a_client_may_have_sampled_twice_is_answered_twice(world: World, client: openai.AsyncOpenAI) -> None:
    id = new()
    for _ in range(2):
        await client.chat.completions.create(model="mock", messages=user(id), user=id, temperature=1.0)
    assert len(world.served(id)) == 2


async def test_the_same_question_is_paid_for_once(world: World, client: openai.AsyncOpenAI) -> None:
    id = new()
    answers = [await client.chat.completions.create(model="mock", messages=user(id), user=id) for _ in range(2)]
    assert answers[0].choices[0].message.content == answers[1].choices[0].message.content
    assert len(world.served(id)) == 1
    assert [(e.cache, e.cost_nanos) for e in world.entries()[:1]] == [("exact", 0)]


@pytest.mark.parametrize(
    ("behave", "kind", "status"),
    [
        ("400", openai.BadRequestError, 400),
        ("422", openai.UnprocessableEntityError, 422),
        ("429", openai.RateLimitError, 429),
        ("500", openai.InternalServerError, None),
        ("503", openai.InternalServerError, None),
        ("529", openai.InternalServerError, None),
        ("html-error", openai.InternalServerError, None),
        ("html-200", openai.InternalServerError, 502),
        ("bad-json", openai.InternalServerError, 502),
        ("truncate", openai.APIError, None),
    ],
)
async def test_a_providers_error_becomes_the_right_exception(
    world: World, client: openai.AsyncOpenAI, behave: str, kind: type[openai.APIError], status: int | None
) -> None:
    async def asked() -> None:
        stream = await client.chat.completions.create(
            model="mock", messages=user(new()), stream=behave == "truncate", extra_body={"mock": {"behave": behave}}
        )
        async for _ in stream:  # type: ignore[union-attr]
            pass

    with pytest.raises(kind) as caught:
        await asked()
    if isinstance(caught.value, openai.APIStatusError):
        assert caught.value.status_code >= 400
        assert status in (None, caught.value.status_code)
        assert caught.value.response.headers["x-request-id"]
    assert world.entries()[0].outcome == "failed"


async def test_our_own_refusals_become_the_right_exceptions(world: World, client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.chat.completions.create(model="mokc", messages=user("x"))
    assert unknown.value.code == "model_not_found"
    assert "mock" in unknown.value.message
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(model="mock", messages=[])
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(model="mock", messages=user("x"), max_tokens=-1)
    async with world.client("dmt_aaaaaaaa_wrong") as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.chat.completions.create(model="mock", messages=user("x"))
    reader = create_key(world.data, f"reader-{new()[:6]}", "--scope", "read")
    async with world.client(reader) as other:
        await until_known(other)
        with pytest.raises(openai.PermissionDeniedError):
            await other.chat.completions.create(model="mock", messages=user("x"))


async def until_known(client: openai.AsyncOpenAI) -> None:
    """A key that a command has just made is known to the running gateway within a second."""
    for _ in range(500):
        try:
            await client.models.list()
        except openai.AuthenticationError:
            await asyncio.sleep(0.02)
        else:
            return
    raise AssertionError("the new key was never known")


async def test_a_refusal_by_budget_is_tried_exactly_once(world: World) -> None:
    name, id = f"poor-{new()[:6]}", new()
    key = create_key(world.data, name, "--budget", "0.0000001")
    sent: list[str] = []

    async def count(request: Any) -> None:
        sent.append(str(request.url))

    http = DefaultAsyncHttpxClient(event_hooks={"request": [count]})
    async with world.client(key, max_retries=5, http_client=http) as client:
        await until_known(client)
        sent.clear()
        with pytest.raises(openai.RateLimitError) as refused:
            await client.chat.completions.create(model="mock", messages=user("x"), user=id)
    assert refused.value.code == "insufficient_quota"
    assert f"key-{name}" in refused.value.message
    assert len(sent) == 1
    assert world.served(id) == []
    await until(lambda: world.entries(key=name))
    assert [(e.outcome, e.cost_nanos) for e in world.entries(key=name)] == [("refused", 0)]


async def test_a_retry_after_a_providers_error_is_booked_as_two_calls_and_paid_once(world: World) -> None:
    id = new()
    async with world.client(max_retries=2) as client:
        answer = await client.chat.completions.create(
            model="mock", messages=user(id), user=id, extra_body={"mock": {"behave": "flaky-1"}}
        )
    assert answer.choices
    assert [record.status for record in world.served(id)] == [500, 200]
    assert [e.outcome for e in world.entries()[:2]] == ["answered", "failed"]
    assert world.entries()[1].cost_nanos == 0


async def test_a_request_id_is_on_every_answer_and_a_clients_own_is_kept(
    world: World, client: openai.AsyncOpenAI
) -> None:
    raw = await client.chat.completions.with_raw_response.create(model="mock", messages=user(new()))
    assert raw.headers["x-request-id"]
    assert raw.request_id == raw.headers["x-request-id"]
    own = f"mine-{new()}"
    raw = await client.chat.completions.with_raw_response.create(
        model="mock", messages=user(new()), extra_headers={"x-request-id": own}
    )
    assert raw.headers["x-request-id"] == own
    entry = world.books.entry(own)
    assert entry is not None
    assert entry.request_id == own


async def test_a_timeout_frees_the_provider(world: World) -> None:
    id = new()
    async with world.client(timeout=0.3) as client:
        with pytest.raises(openai.APITimeoutError):
            await client.chat.completions.create(
                model="mock", messages=user("x"), user=id, extra_body={"mock": {"behave": "hang"}}
            )
    await until(lambda: all(r.hung_up for r in world.served(id)))


async def test_a_client_that_hangs_up_stops_the_model_and_is_booked(world: World, client: openai.AsyncOpenAI) -> None:
    id, before = new(), len(world.entries())
    stream = await client.chat.completions.create(
        model="mock",
        messages=user(id),
        user=id,
        stream=True,
        extra_body={"mock": {"tokens": 100_000, "chunk_ms": 5}},
    )
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    await until(lambda: world.served(id)[0].hung_up)
    await until(lambda: len(world.entries()) > before)
    entry = world.entries()[0]
    assert (entry.outcome, entry.estimated) == ("cancelled", True)
    assert entry.cost_nanos
    assert world.served(id)[0].completion_tokens < 10_000
    assert world.books.held_nanos() == 0


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
async def test_many_streams_at_once_are_neither_lost_nor_mixed_up_and_all_are_booked(world: World, count: int) -> None:
    run, before = new(), len(world.entries())

    async def one(client: openai.AsyncOpenAI, n: int) -> str:
        stream = await client.chat.completions.create(
            model="mock",
            messages=user(f"stream-{run}-{n}"),
            user=f"{run}-{n}",
            stream=True,
            extra_body={"mock": {"tokens": 6, "chunk_ms": 20}},
        )
        return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])

    limits = {"max_connections": count, "max_keepalive_connections": count}
    http = DefaultAsyncHttpxClient(limits=openai_limits(**limits), timeout=120)
    async with world.client(http_client=http, timeout=120) as client:
        texts = await asyncio.gather(*(one(client, n) for n in range(count)))
    assert texts == [" ".join([f"stream-{run}-{n}"] * 6) for n in range(count)]
    rows = world.entries()[: len(world.entries()) - before]
    assert len(rows) == count
    assert {row.outcome for row in rows} == {"answered"}
    records = [r for r in world.served() if r.id.startswith(run)]
    assert sum(row.cost_nanos or 0 for row in rows) == sum(
        r.prompt_tokens * 1_250 + r.completion_tokens * 10_000 for r in records
    )


def openai_limits(**limits: int) -> Any:
    """The limits class of whichever HTTP library the client was built on."""
    import inspect

    return (
        inspect.signature(DefaultAsyncHttpxClient.__mro__[1].__init__).parameters["limits"].default.__class__(**limits)
    )
