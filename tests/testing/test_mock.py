"""The mock provider: what it says is what it counts, and each misbehaviour is the one that its name promises."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from demitasse.testing import Ask, MockUpstream, prompt_tokens
from demitasse.testing.behaviours import BEHAVIOURS, ERRORS


@pytest.fixture
async def up() -> AsyncIterator[MockUpstream]:
    async with MockUpstream(tokens=8) as up:
        yield up


def chat(text: str = "one two three", model: str = "mock", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def post(up: MockUpstream, body: Any, path: str = "/v1/chat/completions") -> tuple[int, bytes, bytes, bool]:
    """Status, head, body as it came (still chunked where it was), and whether it ended by a reset."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    reader, writer = await asyncio.open_connection(up.host, up.port)
    writer.write(
        b"POST %b HTTP/1.1\r\nhost: mock\r\nx-request-id: r1\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
        % (path.encode(), len(data), data)
    )
    got, reset = b"", False
    try:
        while piece := await reader.read(65536):
            got += piece
    except ConnectionResetError:
        reset = True
    finally:
        writer.transport.abort()
    head, _, rest = got.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]) if b" " in head else 0, head.lower(), rest, reset


def events(chunked: bytes) -> list[Any]:
    """The JSON of every whole ``data:`` line, ``[DONE]`` as a string."""
    body = b""
    while chunked:
        size, _, chunked = chunked.partition(b"\r\n")
        length = int(size, 16)
        body, chunked = body + chunked[:length], chunked[length + 2 :]
    lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def text(found: list[Any]) -> str:
    return "".join(c["delta"].get("content") or "" for e in found if e != "[DONE]" for c in e["choices"])


async def test_an_answer_repeats_the_question_and_says_what_it_counted(up: MockUpstream) -> None:
    status, _, body, _ = await post(up, chat("one two three"))
    answer = json.loads(body)
    assert status == 200
    assert answer["choices"][0]["message"]["content"] == "one two three one two three one two"
    assert answer["usage"] == {"prompt_tokens": 3 + 4 + 13 // 4, "completion_tokens": 8, "total_tokens": 18}
    record = up.served[0]
    assert (record.id, record.prompt_tokens, record.completion_tokens, record.done) == ("r1", 10, 8, True)


async def test_a_limit_cuts_the_answer_and_says_so(up: MockUpstream) -> None:
    _, _, body, _ = await post(up, chat(max_completion_tokens=2))
    choice = json.loads(body)["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two", "length")


async def test_a_stream_says_the_same_as_the_whole_answer(up: MockUpstream) -> None:
    _, _, body, _ = await post(up, chat(stream=True, stream_options={"include_usage": True}))
    found = events(body)
    assert found[-1] == "[DONE]"
    assert text(found) == "one two three one two three one two"
    assert found[-2]["choices"] == []
    assert found[-2]["usage"]["completion_tokens"] == 8 == up.served[0].completion_tokens


async def test_usage_is_streamed_only_on_request(up: MockUpstream) -> None:
    _, _, body, _ = await post(up, chat(stream=True))
    assert not any("usage" in e for e in events(body) if e != "[DONE]")


async def test_tools_are_called_when_they_are_named(up: MockUpstream) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
    tools = [{"type": "function", "function": {"name": name, "parameters": schema}} for name in ("weather", "tides")]
    _, _, body, _ = await post(up, chat("weather and tides please", tools=tools))
    calls = json.loads(body)["choices"][0]["message"]["tool_calls"]
    assert [c["function"]["name"] for c in calls] == ["weather", "tides"]
    assert json.loads(calls[0]["function"]["arguments"]) == {"city": "small cup", "days": 7}
    _, _, streamed, _ = await post(up, chat("tides", tools=tools, stream=True))
    deltas = [e["choices"][0]["delta"] for e in events(streamed)[:-1]]
    parts = [d["tool_calls"][0] for d in deltas if "tool_calls" in d]
    assert {p["index"] for p in parts} == {0}
    assert json.loads("".join(p["function"]["arguments"] for p in parts)) == {"city": "small cup", "days": 7}


async def test_embeddings_are_the_same_in_both_encodings(up: MockUpstream) -> None:
    ask = {"model": "mock-embed", "input": ["a", "b"], "dimensions": 4}
    _, _, plain, _ = await post(up, ask, "/v1/embeddings")
    _, _, packed, _ = await post(up, {**ask, "encoding_format": "base64"}, "/v1/embeddings")
    for one, other in zip(json.loads(plain)["data"], json.loads(packed)["data"], strict=True):
        assert list(struct.unpack("<4f", base64.b64decode(other["embedding"]))) == one["embedding"]


async def test_hanging_up_is_counted_with_what_was_written(up: MockUpstream) -> None:
    reader, writer = await asyncio.open_connection(up.host, up.port)
    data = json.dumps(chat(stream=True, mock={"tokens": 1000, "chunk_ms": 5})).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: m\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data))
    await reader.readuntil(b"one")
    writer.transport.abort()
    while not up.served[0].done:
        await asyncio.sleep(0.005)
    record = up.served[0]
    assert record.hung_up
    assert 0 < record.completion_tokens < 1000
    assert up.sums["completion_tokens"] == record.completion_tokens


async def test_pipelined_requests_are_answered_in_order(up: MockUpstream) -> None:
    reader, writer = await asyncio.open_connection(up.host, up.port)
    for n, delay in ((1, 20), (2, 0), (3, 0)):
        data = json.dumps(chat(f"number{n}", mock={"tokens": 1, "delay_ms": delay})).encode()
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: m\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data)
        )
    got = b""
    while got.count(b"number") < 3:
        got += await reader.read(4096)
    assert got.index(b"number1") < got.index(b"number2") < got.index(b"number3")
    writer.close()


@pytest.mark.parametrize("name", sorted(ERRORS))
async def test_an_error_has_its_status_and_bills_nothing(up: MockUpstream, name: str) -> None:
    status, head, body, _ = await post(up, chat(model=f"mock-{name}"))
    assert status == ERRORS[name][0]
    assert (b"retry-after" in head) == ERRORS[name][2]
    assert json.loads(body)["error"]["message"]
    assert up.served[0].prompt_tokens == 0


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("truncate", lambda raw, found: "[DONE]" not in found and not raw.endswith(b"0\r\n\r\n")),
        ("truncate-clean", lambda raw, found: "[DONE]" not in found and raw.endswith(b"0\r\n\r\n")),
        ("no-done", lambda raw, found: found[-1]["choices"][0]["finish_reason"] == "stop"),
        ("error-mid-stream", lambda raw, found: "error" in found[-1]),
        ("usage-every-chunk", lambda raw, found: all("usage" in e for e in found[:-1])),
        (
            "usage-with-choices",
            lambda raw, found: found[-2]["usage"]["completion_tokens"] == 8 and found[-2]["choices"],
        ),
        ("comment-spam", lambda raw, found: raw.count(b": still thinking") == len(found)),
        ("crlf", lambda raw, found: b"[DONE]\r\n\r\n" in raw),
        ("split", lambda raw, found: len(raw.split(b"\r\n")) > 100),
        ("no-usage", lambda raw, found: b'"usage"' not in raw),
    ],
)
async def test_a_stream_goes_wrong_as_named(up: MockUpstream, name: str, claim: Any) -> None:
    usage = {"include_usage": name == "no-usage"}
    _, _, raw, _ = await post(up, chat("één twee", model=f"mock-{name}", stream=True, stream_options=usage))
    assert claim(raw, events(raw))


async def test_a_reset_comes_after_exactly_so_many_bytes(up: MockUpstream) -> None:
    _, whole_head, _, _ = await post(up, chat(stream=True))
    for count in (0, 1, 60, len(whole_head), len(whole_head) + 150):
        _, head, rest, reset = await post(up, chat(model=f"mock-reset-after-{count}", stream=True))
        got = len(head) + len(rest)
        # A reset may overtake what was sent just before it; never does more arrive.
        assert reset
        assert got <= count


async def test_a_flaky_request_fails_as_often_as_asked(up: MockUpstream) -> None:
    statuses = [(await post(up, chat(model="mock-flaky-2", user="u1")))[0] for _ in range(3)]
    assert statuses == [500, 500, 200]


async def test_what_hangs_is_under_way(up: MockUpstream) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(post(up, chat(mock={"behave": "hang"})), 0.05)
    assert up.served[0].prompt_tokens > 0


async def test_an_unknown_behaviour_is_refused_with_the_list(up: MockUpstream) -> None:
    status, _, body, _ = await post(up, chat(mock={"behave": "dance"}))
    assert status == 400
    assert all(name in json.loads(body)["error"]["message"] for name in BEHAVIOURS)


async def test_served_tells_records_and_sums(up: MockUpstream) -> None:
    for n in range(3):
        await post(up, chat(user=f"u{n}"))
    assert [r.id for r in up.told(since=1)["records"]] == ["u1", "u2"]
    assert up.told()["requests"] == 3
    status, _, body, _ = await post(up, b"{", "/v1/chat/completions")
    assert status == 400
    assert up.told()["requests"] == 3
    assert json.loads(body)["error"]["message"]


async def test_a_key_is_demanded_where_one_is_set() -> None:
    async with MockUpstream(key="secret") as up:
        status, _, _, _ = await post(up, chat())
        assert status == 401
        assert up.sums["requests"] == 0


def test_the_prompts_meter_can_be_computed_again() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 41}, image]}]}
    assert prompt_tokens(msgspec.convert(body, Ask)) == 3 + 4 + 10 + 85
    assert prompt_tokens(Ask(model="m", input=["x" * 9, "y"])) == 2 + 1
