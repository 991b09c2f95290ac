from __future__ import annotations

import asyncio

import msgspec
import pytest

from demitasse.core.call import Call, Reply, Usage
from demitasse.core.errors import UpstreamError
from demitasse.providers.choices import OneByOne, split
from demitasse.testing.fakes import FakeModel


def call(kind="chat", n=1, stream=False, include_usage=False, **body) -> Call:
    asked = {"model": "m", **({"n": n} if n > 1 else {}), **body}
    raw = msgspec.json.encode(asked)
    return Call(
        id="c1", request_id="c1", at_us=0, kind=kind, body=raw, model="m", n=n, stream=stream, include_usage=include_usage,
        fields=msgspec.json.decode(raw, type=dict[str, msgspec.Raw]),
    )  # fmt: skip


def answer(text: str, tokens: int, prompt: int = 10, **more) -> Reply:
    usage = {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}
    body = {"id": "x", "choices": [{"index": 0, "message": {"content": text}}], "usage": usage}
    return Reply(
        body=msgspec.json.encode(body), model="m", usage=Usage(uncached_in=prompt, text_out=tokens),
        usage_raw=msgspec.Raw(msgspec.json.encode(usage)), timings={"prompt_ms": 5.0, "predicted_ms": 10.0}, **more,
    )  # fmt: skip


async def drop(_event) -> None:
    return None


async def test_a_call_for_one_answer_passes_through_untouched():
    model, one = FakeModel(answer("a", 3)), call()
    assert (await OneByOne(model)(one, drop)).usage.text_out == 3
    assert model.calls == [one]


async def test_every_choice_is_counted_and_the_prompt_once():
    model = FakeModel(answer("a", 3), answer("b", 4), answer("c", 5))
    reply = await OneByOne(model)(call(n=3), drop)
    body = msgspec.json.decode(reply.body)
    assert [(c["index"], c["message"]["content"]) for c in body["choices"]] == [(0, "a"), (1, "b"), (2, "c")]
    assert body["usage"] == {"prompt_tokens": 10, "completion_tokens": 12, "total_tokens": 22}
    assert reply.usage == Usage(uncached_in=10, text_out=12)
    assert msgspec.json.decode(reply.usage_raw) == body["usage"]
    assert reply.timings["predicted_ms"] == 30.0
    assert all("n" not in c.fields and c.n == 1 for c in model.calls)


async def test_each_prompt_of_a_list_is_counted():
    model = FakeModel(answer("a", 3, prompt=2), answer("b", 4, prompt=7))
    reply = await OneByOne(model)(call("completion", prompt=["x", "y"], max_tokens=9), drop)
    assert reply.usage == Usage(uncached_in=9, text_out=7)


def test_a_list_of_prompts_is_split_by_prompt_and_then_by_choice():
    rows = split(call("completion", prompt=["x", [1, 2]], n=2))
    assert [bytes(r["prompt"]) for r in rows] == [b'"x"', b'"x"', b"[1,2]", b"[1,2]"]
    assert len(split(call("completion", prompt=[1, 2, 3]))) == 1
    assert len(split(call("completion", prompt="x"))) == 1
    assert len(split(call("embedding", input=["x", "y"]))) == 1


def test_a_seed_does_not_make_all_choices_the_same():
    assert [bytes(r["seed"]) for r in split(call(n=3, seed=7))] == [b"7", b"8", b"9"]


async def test_streamed_choices_bear_their_number_and_one_usage_comes_last():
    events = []

    async def keep(event) -> None:
        events.append(msgspec.json.decode(event.data))

    reply = await OneByOne(FakeModel("one two", "three"))(call(n=2, stream=True, include_usage=True), keep)
    assert {c["index"] for e in events for c in e["choices"]} == {0, 1}
    told = [e for e in events if e.get("usage")]
    assert told == [events[-1]]
    assert told[0]["choices"] == []
    assert told[0]["usage"]["completion_tokens"] == reply.usage.total_out
    assert len({e["id"] for e in events}) == 1


async def test_when_one_fails_the_others_are_stopped_and_content_that_went_out_is_remembered():
    slow, seen = FakeModel("one two three", chunk_s=60), asyncio.Event()

    async def keep(event) -> None:
        if event.content:
            seen.set()

    class SecondFails:
        async def __call__(self, one, send):
            if bytes(one.fields["seed"]) == b"8":
                await seen.wait()
                raise UpstreamError("lost")
            return await slow(one, send)

    with pytest.raises(UpstreamError, match="lost") as raised:
        await OneByOne(SecondFails())(call(n=2, seed=7, stream=True), keep)
    assert slow.cancelled == 1
    assert raised.value.after_content


async def test_a_usage_that_one_did_not_tell_is_unknown_for_all():
    silent = msgspec.structs.replace(answer("b", 4), usage=None, usage_raw=None, complete=False)
    reply = await OneByOne(FakeModel(answer("a", 3), silent))(call(n=2), drop)
    assert reply.usage is None
    assert reply.usage_raw is None
    assert not reply.complete
