"""transformers' own server, supervised: the promises that llama.cpp keeps in test_local_engine, as far as it can keep them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec
import pytest
from folders import folder

from demitasse.core.call import Call, drop
from demitasse.core.errors import UpstreamError
from demitasse.providers import http
from demitasse.providers.engine_folder import folder_from_gguf, read_folder
from demitasse.providers.engine_kinds import TRANSFORMERS
from demitasse.providers.local import LocalEngine, LocalModel, Pace
from demitasse.providers.openai import OpenAICompatible

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
pytest.importorskip("transformers", reason="needs the extra train")
pytest.importorskip("fastapi", reason="needs the extra transformers")

PARENT = """
import asyncio, pathlib, sys
from demitasse.providers.engine_kinds import TRANSFORMERS
from demitasse.providers.local import LocalEngine

async def main():
    engine = LocalEngine("small", pathlib.Path(sys.argv[1]), log=pathlib.Path(sys.argv[2]), threads=1, kind=TRANSFORMERS)
    await engine.ensure()
    print(engine.status().pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
async def start(tmp_path):
    running = []

    def make(path: Path, pace: Pace | None = None) -> LocalModel:
        engine = LocalEngine(
            "small", path, log=tmp_path / "small.log", threads=1, kind=TRANSFORMERS,
            pace=pace or Pace(health_every_s=0.5, rest_s=0.05),
        )  # fmt: skip
        client = http.choose(http.Settings(), {})
        running.append((engine, client))
        return LocalModel(
            engine,
            lambda url, key: OpenAICompatible(
                "small", TRANSFORMERS.vendor, client, model=engine.served_as, base_url=url, api_key=key
            ),
        )

    yield make
    for engine, client in running:
        await engine.stop()
        await client.close()


def call(kind="chat", **body) -> Call:
    if kind == "chat":
        body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 8, "temperature": 0, **body}
    raw = msgspec.json.encode({"model": "small", **body})
    return Call(
        id="c1", request_id="c1", at_us=0, kind=kind, body=raw, model="small", n=body.get("n", 1),
        fields=msgspec.json.decode(raw, type=dict[str, msgspec.Raw]), stream=body.get("stream", False),
    )  # fmt: skip


def text(reply) -> str:
    return msgspec.json.decode(reply.body)["choices"][0]["message"]["content"]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def test_it_answers_with_usage_and_refuses_what_it_cannot_and_who_has_no_key(start, tmp_path):
    small = start(folder(tmp_path / "tiny"))
    events = []

    async def keep(event) -> None:
        events.append(event)

    whole = await small(call(), keep)
    assert events == []
    assert whole.usage.text_out == 8
    assert whole.usage.uncached_in > 8
    assert whole.energy.method in ("modelled", "measured")
    assert str(tmp_path) not in whole.body.decode()
    streamed = await small(call(stream=True), keep)
    assert text(streamed) == text(whole)
    assert streamed.usage == whole.usage
    assert sum(event.content for event in events) > 1
    several = await small(call(n=2), drop)
    assert several.usage.text_out == 16
    completion = await small(call("completion", prompt="Once", max_tokens=4), drop)
    assert completion.usage.text_out == 4
    side_by_side = await asyncio.gather(*(small(call(), drop) for _ in range(3)))
    assert {text(reply) for reply in side_by_side} == {text(whole)}
    with pytest.raises(UpstreamError, match="response_format"):
        await small(call(response_format={"type": "json_object"}), drop)
    with pytest.raises(UpstreamError, match="context 256") as raised:
        await small(call(messages=[{"role": "user", "content": "cup " * 300}]), drop)
    assert (raised.value.status, raised.value.retryable) == (400, False)

    base = (await small.engine.ensure()).removesuffix("/v1")

    def status(path: str, key: str | None) -> int:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        body = None if path == "/health" else b'{"prompt":"x","max_tokens":1}'
        try:
            with urllib.request.urlopen(urllib.request.Request(base + path, body, headers)) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert await asyncio.to_thread(status, "/health", None) == 200
    assert await asyncio.to_thread(status, "/v1/completions", None) == 401
    assert await asyncio.to_thread(status, "/v1/completions", "wrong") == 401
    assert await asyncio.to_thread(status, "/v1/models", small.engine.key) == 404
    assert await asyncio.to_thread(status, "/load_model", small.engine.key) == 404
    assert small.engine.status().restarts == 0


async def test_a_call_that_is_cancelled_stops_the_model_stream_or_not(start, tmp_path):
    small = start(folder(tmp_path / "tiny", context=8192))
    await small(call(), drop)
    for stream in (True, False):
        task = asyncio.create_task(small(call(max_tokens=8000, stream=stream), drop))
        await asyncio.sleep(2)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        answered = time.monotonic()
        await small(call(), drop)  # calls queue: it is answered only when the one before has stopped
        assert time.monotonic() - answered < 60
        assert await rests(small.engine), f"it goes on computing (stream={stream})"


async def rests(engine: LocalEngine) -> bool:
    for _ in range(10):
        used = engine.status().cpu_seconds
        await asyncio.sleep(1.0)
        if engine.status().cpu_seconds - used < 0.1:
            return True
    return False


async def test_a_crash_in_an_answer_is_no_bill_and_a_restart_and_a_hung_one_is_killed(start, tmp_path):
    pace = Pace(health_every_s=0.5, health_s=1.0, hung_s=4.0, rest_s=0.05)
    small = start(folder(tmp_path / "tiny", context=8192), pace)
    begun = asyncio.Event()

    async def notice(_event) -> None:
        begun.set()

    task = asyncio.create_task(small(call(max_tokens=8000, stream=True), notice))
    await begun.wait()
    os.kill(small.engine.status().pid, signal.SIGSEGV)
    with pytest.raises(UpstreamError, match="being restarted") as raised:
        await task
    assert not raised.value.billable
    assert (await small(call(), drop)).usage.text_out == 8
    assert small.engine.status().restarts == 1

    pid = small.engine.status().pid
    os.kill(pid, signal.SIGSTOP)
    for _ in range(120):
        if small.engine.status().pid not in (None, pid) and small.engine.status().state == "ready":
            break
        await asyncio.sleep(0.5)
    assert gone(pid)
    assert "did not answer" in small.engine.status().last_error
    assert (await small(call(), drop)).usage.text_out == 8


async def test_a_folder_whose_weights_do_not_fit_its_config_is_told_with_the_engines_own_words(start, tmp_path):
    path = folder(tmp_path / "tiny")
    config = (path / "config.json").read_text()
    (path / "config.json").write_text(config.replace('"hidden_size": 32', '"hidden_size": 48'))
    small = start(path, Pace(rest_s=0.01))
    with pytest.raises(UpstreamError, match="does not run") as raised:
        await small(call(), drop)
    assert str(small.engine.log) in raised.value.message


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_ends_with_its_parent_however_that_ends(tmp_path):
    command = [sys.executable, "-c", PARENT, str(folder(tmp_path / "tiny")), str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        for _ in range(100):
            if gone(pid):
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        pytest.fail("the engine went on without its parent")


@pytest.mark.model
@pytest.mark.filterwarnings("ignore")
async def test_a_gguf_file_unpacked_to_a_folder_speaks_as_the_file_does(start, smollm_path, tmp_path):
    pytest.importorskip("gguf", reason="needs the extra train")
    path = await asyncio.to_thread(folder_from_gguf, smollm_path, tmp_path / "smol")
    assert read_folder(path).parameters == 134_515_008
    reply = await start(path)(call(messages=[{"role": "user", "content": "Say hello."}]), drop)
    assert "hello" in text(reply).lower()
