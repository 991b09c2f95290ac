from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest
from ggufs import gguf

from demitasse.core.call import Call, Energy, Reply
from demitasse.core.errors import UpstreamError
from demitasse.core.hardware import hardware
from demitasse.providers.local import LocalEngine, LocalModel, Pace
from demitasse.testing.fakes import FakeModel

CHILD = (sys.executable, str(Path(__file__).with_name("engine_child.py")))
PACE = Pace(health_every_s=0.05, rest_s=0.01, stop_s=0.5)
WATTS = hardware(watts_per_busy_core=10, pue=1.2)


@pytest.fixture
async def engine(tmp_path: Path):
    engine = LocalEngine(
        "small", gguf(tmp_path / "m.gguf"), log=tmp_path / "small.log", command=CHILD, pace=PACE, threads=2
    )
    yield engine
    await engine.stop()


def call(**body) -> Call:
    raw = msgspec.json.encode({"model": "small", "messages": [{"role": "user", "content": "hi"}], **body})
    return Call(
        id="c1", request_id="c1", at_us=0, kind="chat", body=raw,
        fields=msgspec.json.decode(raw, type=dict[str, msgspec.Raw]), model="small", n=body.get("n", 1),
    )  # fmt: skip


async def drop(_event) -> None:
    return None


def answer(**more) -> Reply:
    return Reply(body=b"{}", model="small", usage=None, **more)


async def test_the_inner_model_is_given_address_and_key_and_made_anew_for_each_start(engine):
    made = []

    def inner(url: str, key: str):
        made.append((url, key))
        return FakeModel(answer())

    model = LocalModel(engine, inner)
    await model(call(), drop)
    await model(call(), drop)
    assert made == [(await engine.ensure(), engine.key)]
    await engine.stop()
    await model(call(), drop)
    assert len({key for _, key in made}) == 2


async def test_energy_is_the_engines_own_time_on_its_threads_as_an_interval(engine):
    timed = answer(timings={"prompt_ms": 200.0, "predicted_ms": 300.0})
    reply = await LocalModel(engine, lambda *_: FakeModel(timed), hardware=WATTS)(call(), drop)
    assert reply.energy.method == "modelled"
    assert reply.energy.low_uj == reply.energy.high_uj == 12_000_000  # 0.5 s x 2 threads x 10 W x 1.2


async def test_calls_that_share_the_engine_used_at_least_their_share_of_it(engine):
    timed = answer(timings={"prompt_ms": 0.0, "predicted_ms": 500.0})
    model = LocalModel(engine, lambda *_: FakeModel(timed), hardware=WATTS)
    async with engine.lease(), engine.lease():
        reply = await model(call(), drop)
    assert (reply.energy.low_uj, reply.energy.high_uj) == (4_000_000, 12_000_000)


async def test_where_the_processor_counts_energy_a_calls_share_of_it_is_measured(engine, monkeypatch):
    readings = iter([{"intel-rapl:0": (900, 1000)}, {"intel-rapl:0": (100, 1000)}])
    busy = iter([10.0, 14.0])
    monkeypatch.setattr("demitasse.providers.machine.rapl_uj", lambda: next(readings))
    monkeypatch.setattr("demitasse.providers.machine.busy_cpu_seconds", lambda: next(busy))
    timed = answer(timings={"prompt_ms": 0.0, "predicted_ms": 1000.0})
    reply = await LocalModel(engine, lambda *_: FakeModel(timed), hardware=WATTS)(call(), drop)
    assert reply.energy == Energy(low_uj=100, high_uj=100, method="measured")  # 2 of 4 CPU seconds, 200 of the counter


async def test_an_engine_that_does_not_tell_is_read_by_its_cpu_time(engine):
    reply = await LocalModel(engine, lambda *_: FakeModel(answer()), hardware=WATTS)(call(), drop)
    if sys.platform == "linux":
        assert reply.energy.high_uj >= reply.energy.low_uj >= 0


async def test_a_crash_during_a_call_is_no_bill_and_says_what_happens_now(engine):
    class Crashing:
        async def __call__(self, _call, _send):
            engine._process.kill()
            raise UpstreamError("connection lost", billable=True, after_content=True)

    with pytest.raises(UpstreamError, match="being restarted") as raised:
        await LocalModel(engine, lambda *_: Crashing())(call(), drop)
    assert not raised.value.billable
    assert raised.value.after_content
    assert raised.value.retryable
    assert await engine.ensure()


async def test_an_error_of_a_living_engine_is_passed_on(engine):
    refusal = UpstreamError("too long", status=400, body=b'{"error":{}}', retryable=False)
    with pytest.raises(UpstreamError, match="too long"):
        await LocalModel(engine, lambda *_: FakeModel(refusal))(call(), drop)
    assert engine.status().restarts == 0


async def test_a_call_to_an_engine_that_cannot_start_is_an_upstream_error(tmp_path):
    engine = LocalEngine("small", tmp_path / "none.gguf", log=tmp_path / "l.log", command=CHILD, pace=PACE)
    with pytest.raises(UpstreamError, match="there is no file"):
        await LocalModel(engine, lambda *_: FakeModel(answer()))(call(), drop)


async def test_tools_that_the_model_could_only_ignore_are_refused_so_that_another_may_be_asked(engine):
    with_tools = msgspec.structs.replace(call(tools=[{"type": "function"}]), has_tools=True)
    model = FakeModel(answer())
    with pytest.raises(UpstreamError, match="no place for tools") as raised:
        await LocalModel(engine, lambda *_: model)(with_tools, drop)
    assert (raised.value.status, raised.value.retryable) == (404, False)
    assert model.calls == []


async def test_several_answers_share_the_energy_of_side_by_side(engine):
    body = b'{"choices":[{"index":0}]}'
    timed = msgspec.structs.replace(answer(timings={"prompt_ms": 0.0, "predicted_ms": 500.0}), body=body)
    reply = await LocalModel(engine, lambda *_: FakeModel(timed), hardware=WATTS)(call(n=2), drop)
    assert (reply.energy.low_uj, reply.energy.high_uj) == (12_000_000, 24_000_000)
