from __future__ import annotations

import asyncio
import os
import signal
import sys
import urllib.request
from pathlib import Path

import msgspec
import pytest
from ggufs import gguf

from demitasse.core.errors import UpstreamError
from demitasse.providers.gguf import Head
from demitasse.providers.supervisor import LocalEngine, Pace, child_environment, context_each

CHILD = (sys.executable, str(Path(__file__).with_name("engine_child.py")))
QUICK = Pace(start_s=10, health_every_s=0.05, health_s=2, rest_s=0.01, crashes=3, give_up_s=60, stop_s=0.5)


@pytest.fixture
async def engines(tmp_path: Path):
    made: list[LocalEngine] = []

    def make(name: str = "small", pace: Pace = QUICK, **more) -> LocalEngine:
        model = gguf(tmp_path / "model.gguf")
        made.append(LocalEngine(name, model, log=tmp_path / "log" / "small.log", command=CHILD, pace=pace, **more))
        return made[-1]

    yield make
    for engine in made:
        await engine.stop()


async def post(engine: LocalEngine, **body) -> dict:
    def ask(url: str) -> dict:
        request = urllib.request.Request(url, msgspec.json.encode(body), {"authorization": engine.key})
        with urllib.request.urlopen(request) as answer:
            return msgspec.json.decode(answer.read())

    async with engine.lease() as lease:
        try:
            return await asyncio.to_thread(ask, lease.url)
        except OSError:
            assert await engine.died(lease, within_s=10)
            raise


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(claim) -> None:
    for _ in range(400):
        if claim():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about")


async def test_many_callers_at_once_start_one_engine(engines):
    engine = engines()
    urls = await asyncio.gather(*(engine.ensure() for _ in range(8)))
    assert len(set(urls)) == 1
    status = engine.status()
    assert (status.state, status.restarts, status.slots) == ("ready", 0, 4)
    assert urls[0] == f"http://127.0.0.1:{status.port}/v1"
    assert status.threads is not None
    assert status.threads >= 1
    if sys.platform == "linux":
        assert status.rss_bytes
        assert status.cpu_seconds is not None


async def test_nothing_runs_before_it_is_needed_nor_after_stop(engines):
    engine = engines()
    assert engine.status().state == "stopped"
    await engine.ensure()
    pid = engine.status().pid
    assert alive(pid)
    await engine.stop()
    assert not alive(pid)
    assert engine.status().state == "stopped"
    await engine.ensure()
    assert engine.status().pid != pid


async def test_a_crash_is_a_restart_under_another_key(engines):
    engine = engines()
    first = await post(engine)
    with pytest.raises(OSError):
        await post(engine, crash=True)
    second = await post(engine)
    assert second["pid"] != first["pid"]
    assert second["key"] != first["key"]
    assert engine.status().restarts == 1
    assert "exit status 3" in engine.status().last_error


async def test_an_engine_killed_from_outside_is_restarted_without_being_asked(engines):
    engine = engines()
    await engine.ensure()
    pid = engine.status().pid
    os.kill(pid, signal.SIGKILL)
    await until(lambda: engine.status().state == "ready" and engine.status().pid not in (None, pid))
    assert engine.status().last_error == "it was ended by SIGKILL"


async def test_an_engine_that_cannot_start_names_its_log_and_shows_the_end_of_it(engines, tmp_path):
    broken = tmp_path / "broken"
    broken.touch()
    engine = engines(f"dies:{broken}")
    with pytest.raises(UpstreamError) as raised:
        await engine.ensure()
    assert "exit status 7" in raised.value.message
    assert str(engine.log) in raised.value.message
    assert "no model could be loaded" in raised.value.message
    assert raised.value.status == 503
    assert not raised.value.billable
    assert engine.status().state == "failed"
    with pytest.raises(UpstreamError):  # at once, without a further attempt
        await engine.ensure()
    assert engine.log.read_text().count("no model could be loaded") == QUICK.false_starts


async def test_a_failed_engine_is_tried_again_after_a_while(engines, tmp_path):
    broken = tmp_path / "broken"
    broken.touch()
    engine = engines(f"dies:{broken}", pace=msgspec.structs.replace(QUICK, give_up_s=0.0))
    with pytest.raises(UpstreamError):
        await engine.ensure()
    broken.unlink()
    assert await engine.ensure()


async def test_an_engine_that_crashes_again_and_again_is_given_up(engines):
    engine = engines()
    for _ in range(QUICK.crashes):
        with pytest.raises((OSError, UpstreamError)):
            await post(engine, crash=True)
    await until(lambda: engine.status().state == "failed")
    with pytest.raises(UpstreamError, match="boom: something native"):
        await engine.ensure()


async def test_what_the_engine_says_of_its_failure_is_passed_on(engines):
    with pytest.raises(UpstreamError, match="out of memory"):
        await engines("refuses").ensure()


async def test_an_engine_that_never_listens_is_given_up(engines):
    engine = engines("mute", pace=msgspec.structs.replace(QUICK, start_s=0.2, false_starts=1))
    with pytest.raises(UpstreamError, match="did not listen"):
        await engine.ensure()
    assert engine.status().pid is None


async def test_a_file_that_is_no_model_is_said_so_without_a_start(engines):
    engine = engines()
    engine.gguf.write_bytes(b"<html>not found</html>")
    with pytest.raises(UpstreamError, match="not a GGUF file"):
        await engine.ensure()


async def test_an_engine_that_ignores_sigterm_is_killed(engines):
    engine = engines("deaf")
    await engine.ensure()
    pid = engine.status().pid
    await engine.stop()
    assert not alive(pid)


async def test_an_engine_that_is_silent_for_long_is_replaced(engines):
    engine = engines("sick", pace=msgspec.structs.replace(QUICK, hung_s=0.1, rest_s=30))
    await engine.ensure()
    await until(lambda: engine.status().state == "resting")
    assert "did not answer" in engine.status().last_error


async def test_an_idle_engine_stops_and_comes_back(engines):
    engine = engines(pace=msgspec.structs.replace(QUICK, idle_stop_s=0.1))
    first = await engine.ensure()
    await until(lambda: engine.status().state == "stopped")
    assert engine.status().last_error is None
    assert await engine.ensure() != first


async def test_an_engine_with_a_call_under_way_is_not_idle(engines):
    engine = engines(pace=msgspec.structs.replace(QUICK, idle_stop_s=0.05))
    async with engine.lease():
        await asyncio.sleep(0.4)
        assert engine.status().state == "ready"
        assert engine.status().in_flight == 1
    await until(lambda: engine.status().state == "stopped")


async def test_those_who_wait_when_it_is_stopped_are_told(engines):
    engine = engines("mute")
    waiting = asyncio.create_task(engine.ensure())
    await until(lambda: engine.status().state == "starting")
    await engine.stop()
    with pytest.raises(UpstreamError, match="was stopped"):
        await waiting


async def test_a_caller_that_gives_up_does_not_stop_the_start_for_others(engines):
    engine = engines()
    hasty, patient = asyncio.create_task(engine.ensure()), asyncio.create_task(engine.ensure())
    await asyncio.sleep(0)
    hasty.cancel()
    assert await patient


async def test_the_engine_sees_no_provider_key_and_its_own_is_no_argument(engines, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    engine = engines()
    await engine.ensure()
    said = engine.log.read_text()
    assert "'gguf'" in said
    assert "OPENAI_API_KEY" not in said
    if sys.platform == "linux":
        assert engine.key.encode() not in Path(f"/proc/{engine.status().pid}/cmdline").read_bytes()
    assert child_environment({"PATH": "a", "LC_ALL": "C", "AWS_SECRET_ACCESS_KEY": "x"}) == {"PATH": "a", "LC_ALL": "C"}


async def test_a_large_log_is_put_aside_while_the_engine_runs(engines, monkeypatch):
    monkeypatch.setattr("demitasse.providers.supervisor._LOG_BYTES", 1000)
    engine = engines()
    await engine.ensure()
    with engine.log.open("ab") as log:
        log.write(b"x" * 2000)
    aside = engine.log.with_name("small.log.1")
    await until(lambda: aside.exists() and engine.log.stat().st_size == 0)
    assert aside.stat().st_size > 2000


def head(**facts) -> Head:
    plain = Head("llama", "m", 8192, 1, "Q4_1", 5.0, None, 1 << 10, 1)
    return msgspec.structs.replace(plain, **facts)


@pytest.mark.parametrize(
    ("ctx", "slots", "kv", "free", "expected"),
    [
        (None, 4, 1 << 10, None, 8192),
        (None, 4, 23040, None, 8192),
        (2048, 4, 1 << 20, 1 << 20, 2048),  # what is asked for is given
        (999_999, 1, 1 << 10, None, 8192),  # more than it was trained for is no use
        (None, 4, 1 << 16, None, 4096),
        (None, 4, 1 << 10, 64 << 20, 4096),  # a quarter of what is free
        (None, 4, 1 << 20, 64 << 20, 1024),  # and no less than is of any use
        (None, 2, 0, None, 8192),
    ],
)
def test_each_slot_has_the_models_own_context_as_far_as_memory_allows(ctx, slots, kv, free, expected):
    assert context_each(head(kv_bytes_per_token=kv), ctx, slots, free) == expected


def test_a_model_that_does_not_say_its_context_gets_what_is_asked_for():
    assert context_each(head(context=0), 16_384, 1, None) == 16_384
    assert context_each(head(context=0, kv_bytes_per_token=0), None, 1, None) == 4096
