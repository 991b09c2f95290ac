"""What an engine lacks is refused by name; what it is started with is what was set. No framework is loaded."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import pytest
from folders import folder
from ggufs import gguf

from demitasse.core.call import Call, Reply, drop
from demitasse.core.errors import UpstreamError
from demitasse.providers import engine_transformers
from demitasse.providers.engine import Setup
from demitasse.providers.engine_kinds import ENGINES, LLAMA_CPP, TRANSFORMERS
from demitasse.providers.local import LocalEngine, LocalModel, Pace
from demitasse.testing.fakes import FakeModel

CHILD = (sys.executable, str(Path(__file__).with_name("engine_child.py")))
PACE = Pace(health_every_s=0.05, rest_s=0.01, stop_s=0.5, start_s=30)


def call(kind="chat", **body) -> Call:
    raw = msgspec.json.encode({"model": "small", "messages": [{"role": "user", "content": "hi"}], **body})
    return Call(
        id="c1", request_id="c1", at_us=0, kind=kind, body=raw, fields=msgspec.json.decode(raw, type=dict[str, msgspec.Raw]),
        model="small", stream=body.get("stream", False),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wish", "lacks"),
    [
        ({"response_format": {"type": "json_schema"}}, "'response_format'"),
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": None}, None),
        ({"logprobs": True}, "'logprobs'"),
        ({"logprobs": False}, None),
        ({"tool_choice": "required"}, "'tool_choice'"),
        ({"tool_choice": "auto"}, None),
        ({"presence_penalty": 0.0}, None),
        ({"presence_penalty": 0.5}, "'presence_penalty'"),
        ({"top_logprobs": 0}, None),
        ({"temperature": 0.5, "seed": 3, "stop": ["."]}, None),
    ],
)
def test_what_transformers_would_drop_in_silence_is_refused_unless_it_asks_for_nothing(wish, lacks):
    assert TRANSFORMERS.refuses(call(**wish)) == lacks
    assert LLAMA_CPP.refuses(call(**wish)) is None


def test_embeddings_are_refused_by_an_engine_that_has_none():
    assert TRANSFORMERS.refuses(call("embedding", input="x")) == "embeddings"


def test_every_feature_is_told_of_every_engine_in_the_same_order():
    names = [[feature.name for feature in kind.features] for kind in ENGINES.values()]
    assert names[0] == names[1]
    assert all(f.support == "yes" or f.how for kind in ENGINES.values() for f in kind.features)


@pytest.fixture
async def engines(tmp_path):
    made = []

    def make(kind, **more) -> LocalEngine:
        path = folder(tmp_path / "tiny") if kind is TRANSFORMERS else gguf(tmp_path / "m.gguf")
        made.append(LocalEngine("small", path, log=tmp_path / "log", command=CHILD, pace=PACE, kind=kind, **more))
        return made[-1]

    yield make
    for engine in made:
        await engine.stop()


async def test_a_refusal_reaches_no_engine_and_lets_another_model_be_asked(engines):
    inner = FakeModel(Reply(body=b"{}", model="m", usage=None))
    model = LocalModel(engines(TRANSFORMERS), lambda *_: inner)
    with pytest.raises(UpstreamError, match="transformers, which does not do 'logprobs'") as raised:
        await model(call(logprobs=True), drop)
    assert (raised.value.status, raised.value.code, raised.value.retryable) == (404, "engine_lacks", False)
    assert inner.calls == []


async def test_an_engine_that_stops_only_in_a_stream_is_asked_for_one_and_the_client_hears_none(engines):
    heard = []

    class Streaming:
        async def __call__(self, asked, send):
            self.asked = asked
            await send("event")
            return Reply(body=b"{}", model="m", usage=None)

    async def hear(event):
        heard.append(event)

    inner = Streaming()
    model = LocalModel(engines(TRANSFORMERS), lambda *_: inner)
    await model(call(), hear)
    assert inner.asked.stream
    assert bytes(inner.asked.fields["stream"]) == b"true"
    assert heard == []
    await model(call(stream=True), hear)
    assert heard == ["event"]


@pytest.mark.parametrize("kind", ENGINES.values(), ids=ENGINES)
async def test_every_kind_is_started_watched_and_started_again_alike(kind, engines):
    engine = engines(kind, batch=256, gpu_layers=3)
    setup = engine._prepare()
    assert (setup.batch, setup.gpu_layers, setup.gguf) == (256, 3, str(engine.gguf))
    await engine.ensure()
    first = engine.status().pid
    engine._process.kill()
    await engine._process.wait()
    await engine.ensure()
    assert engine.status().pid != first
    assert engine.served_as == ("tiny" if kind is TRANSFORMERS else "small")


async def test_an_engine_that_is_not_installed_says_how_to_get_it(tmp_path):
    nowhere = msgspec.structs.replace(TRANSFORMERS, package="no_such_package_here")
    engine = LocalEngine("small", folder(tmp_path / "t"), log=tmp_path / "log", kind=nowhere, pace=PACE)
    with pytest.raises(UpstreamError, match=r"pip install 'demitasse\[transformers\]'"):
        await engine.ensure()
    await engine.stop()


def test_a_batch_and_gpu_layers_reach_llama_cpp_and_unset_ones_leave_its_own():
    pytest.importorskip("xllamacpp", reason="needs the extra local")
    from demitasse.providers.engine import parameters

    base = Setup(gguf="m.gguf", key="k", alias="small", slots=2, threads=3, context=100)
    own = parameters(base)
    assert own.n_batch == own.n_ubatch == 512
    assert own.n_ctx == 200
    ours = parameters(msgspec.structs.replace(base, batch=128, gpu_layers=20))
    assert (ours.n_batch, ours.n_ubatch, ours.n_gpu_layers) == (128, 128, 20)
    assert own.n_gpu_layers != 20


def test_transformers_knows_a_gpu_as_all_or_nothing():
    assert [engine_transformers.device(layers) for layers in (None, 0, 1, 99)] == ["auto", "cpu", "cuda", "cuda"]
    told = engine_transformers.environment(Setup(gguf="f", key="k", alias="a", threads=3))
    assert told["OMP_NUM_THREADS"] == "3"
    assert told["HF_HUB_OFFLINE"] == "1"


async def ask(app, path: str, *, key: str | None = "k", method: str = "POST", body: bytes = b"{}") -> tuple[int, bytes]:
    sent = []
    parts = [body[:1], body[1:]]

    async def receive():
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message):
        sent.append(message)

    headers = [] if key is None else [(b"authorization", f"Bearer {key}".encode())]
    await app({"type": "http", "path": path, "method": method, "headers": headers}, receive, send)
    return sent[0]["status"], sent[1]["body"]


async def echo(_scope, receive, send):
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message.get("body", b"")})


async def test_the_guard_lets_through_calls_with_the_key_and_nothing_else():
    app = engine_transformers.guarded(echo, "k", 1000, lambda _body: 0)
    assert await ask(app, "/v1/chat/completions", body=b'{"a":1}') == (200, b'{"a":1}')
    assert (await ask(app, "/v1/chat/completions", key=None))[0] == 401
    assert (await ask(app, "/v1/completions", key="wrong"))[0] == 401
    assert (await ask(app, "/v1/models", method="GET"))[0] == 404
    assert (await ask(app, "/load_model"))[0] == 404
    assert (await ask(app, "/reset"))[0] == 404
    assert (await ask(app, "/health", key=None, method="GET"))[0] == 200


@pytest.mark.parametrize(
    ("part", "status"),
    [
        ({"type": "text", "text": "hi"}, 200),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, 200),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, 200),
        ({"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}}, 400),
        ({"type": "image_url", "image_url": "/etc/passwd"}, 400),
        ({"type": "input_image", "image_url": "file:///etc/passwd"}, 400),
        ({"type": "input_audio", "input_audio": "/etc/passwd"}, 400),
        ({"type": "input_audio", "input_audio": {"data": "/etc/passwd"}}, 400),
        ({"type": "video_url", "video_url": {"url": "http://localhost/"}}, 400),
        ("text", 400),
    ],
)
async def test_what_a_call_names_instead_of_sending_is_not_opened(part, status):
    """transformers' server would fetch any address and open any file of the machine."""
    app = engine_transformers.guarded(echo, "k", 1000, lambda _body: 0)
    body = json.dumps({"messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, part]}]}).encode()
    assert (await ask(app, "/v1/chat/completions", body=body))[0] == status


async def test_a_prompt_beyond_the_context_is_refused_and_a_short_one_is_not_even_counted():
    counted = []

    def count(body):
        counted.append(body)
        return len(body["prompt"]) // 4

    app = engine_transformers.guarded(echo, "k", 50, count)
    assert (await ask(app, "/v1/completions", body=b'{"prompt":"short"}'))[0] == 200
    assert counted == []
    assert (await ask(app, "/v1/completions", body=b'{"prompt":"%s"}' % (b"x" * 120)))[0] == 200
    status, said = await ask(app, "/v1/completions", body=b'{"prompt":"%s"}' % (b"x" * 240))
    assert status == 400
    assert b"60 tokens and the context 50" in said
    assert (await ask(app, "/v1/completions", body=b"x" * 100))[0] == 200  # not JSON: the server will say so
