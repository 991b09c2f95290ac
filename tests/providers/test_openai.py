"""The OpenAI-compatible provider against a client without sockets: what it sends, what it makes of each answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from demitasse.core.call import Call, Caller, Event, Model, Reply, Usage, Wish
from demitasse.core.errors import UpstreamError
from demitasse.providers.http import BadResponse, BrokenOff, ConnectFailed, HttpError, TimedOut, Timeouts
from demitasse.providers.openai import OpenAICompatible
from demitasse.providers.vendors import VENDORS
from demitasse.wire.ask import read

KEY = "sk-verysecret1234"


class Answer:
    """A Response of `providers.http` from bytes; an exception among the pieces is raised in its place."""

    def __init__(self, pieces: Any, status: int = 200, **headers: str) -> None:
        self.status = status
        self.pieces = [pieces] if isinstance(pieces, bytes) else pieces
        self.headers = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        self.at_its_end = self.aborted = False

    def header(self, name: bytes) -> bytes | None:
        return dict(self.headers).get(name)

    async def read(self, limit: int = 1 << 20) -> bytes:
        return b"".join([piece async for piece in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            await asyncio.sleep(0)
            if isinstance(piece, Exception):
                raise piece
            yield piece
        self.at_its_end = True

    def abort(self) -> None:
        self.aborted = not self.at_its_end


class Client:
    """Gives the answer it was made with, and keeps what was sent."""

    def __init__(self, answer: Answer | HttpError) -> None:
        self.answer = answer

    async def post(self, origin: Any, path: bytes, headers: bytes, body: bytes, timeouts: Timeouts) -> Answer:
        self.origin, self.path, self.headers, self.sent, self.timeouts = origin, path, headers, body, timeouts
        if isinstance(self.answer, HttpError):
            raise self.answer
        return self.answer

    async def get(self, origin: Any, path: bytes, headers: bytes, timeouts: Timeouts) -> Answer:
        return await self.post(origin, path, headers, b"", timeouts)

    async def close(self) -> None: ...


def a_call(kind: str = "chat", *, body: bytes | None = None, **more: Any) -> Call:
    members = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    if kind == "completion":
        members = {"model": "auto", "prompt": "hi"}
    if kind == "embedding":
        members = {"model": "auto", "input": "hi"}
    known = {k: more.pop(k) for k in list(more) if k not in Call.__struct_fields__ or k in ("stream", "n")}
    ask = read(kind, body or json.dumps(members | known).encode())
    asked = {"stream": ask.stream, "include_usage": ask.include_usage, "n": ask.n, "max_output": ask.max_output}
    return Call("c1", "r", 1_700_000_000_000_000, kind, ask.body, ask.fields, ask.model, **asked | more)


def a_model(answer: Answer | HttpError, vendor: str = "openai", **settings: Any) -> tuple[OpenAICompatible, Client]:
    client = Client(answer)
    given = {"model": "gpt-up", "api_key": KEY, "key_env": "MY_KEY"} | settings
    if not VENDORS[vendor].base_url:
        given.setdefault("base_url", "http://127.0.0.1:9/v1")
    return OpenAICompatible("large", VENDORS[vendor], client, **given), client


async def ask(model: Model, call: Call) -> tuple[Reply, list[Event]]:
    events: list[Event] = []

    async def send(event: Event) -> None:
        events.append(event)

    return await model(call, send), events


async def failure(answer: Answer | HttpError, call: Call | None = None, **settings: Any) -> UpstreamError:
    model, _ = a_model(answer, **settings)
    with pytest.raises(UpstreamError) as caught:
        await ask(model, call or a_call())
    assert "'large'" in str(caught.value)
    assert KEY not in f"{caught.value}{caught.value.body!r}{caught.value.facts}"
    if isinstance(answer, Answer):
        assert answer.at_its_end or answer.aborted
    return caught.value


WHOLE = b'{"id":"i","object":"chat.completion","created":7,"model":"gpt-up-2026","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10},"service_tier":"flex"}'


def events_of(*choices: dict[str, Any], done: bool = True, **tail: Any) -> list[bytes]:
    head = {"id": "i", "object": "chat.completion.chunk", "created": 7, "model": "gpt-up-2026"}
    rows = [head | {"choices": [{"index": 0} | c]} for c in choices]
    rows += [head | {"choices": []} | tail] if tail else []
    return [b"data: %b\n\n" % json.dumps(row).encode() for row in rows] + ([b"data: [DONE]\n\n"] if done else [])


HELLO = (
    {"delta": {"role": "assistant", "content": ""}, "finish_reason": None},
    {"delta": {"content": "he"}, "finish_reason": None},
    {"delta": {"content": "llo"}, "finish_reason": None},
    {"delta": {}, "finish_reason": "stop"},
)
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


def stream(pieces: list[Any]) -> Answer:
    return Answer(pieces, content_type="text/event-stream; charset=utf-8")


# what is sent


async def test_only_the_model_changes_in_what_is_sent() -> None:
    body = b'{"zeta":1.50,"model":"auto","messages":[ {"role":"user","content":"\\u00e9"} ],"prompt_cache_key":"k","new":{"b":1,"a":2}}'
    model, client = a_model(Answer(WHOLE))
    await ask(model, a_call(body=body))
    assert client.sent == body.replace(b'"auto"', b'"gpt-up"')
    assert (client.path, client.origin.host, client.origin.base_path) == (
        b"/chat/completions",
        "api.openai.com",
        b"/v1",
    )
    assert b"authorization: Bearer " + KEY.encode() in client.headers


@pytest.mark.parametrize(
    ("vendor", "options", "sent"),
    [
        ("openai", None, {"include_usage": True}),
        ("openai", {"include_usage": False, "new": 1}, {"include_usage": True, "new": 1}),
        ("openai", {"include_usage": True}, {"include_usage": True}),
        ("mistral", {"include_usage": True}, None),
        ("mistral", None, None),
    ],
)
async def test_a_stream_is_always_asked_for_its_usage_where_that_is_understood(
    vendor: str, options: Any, sent: Any
) -> None:
    model, client = a_model(stream(events_of(*HELLO)), vendor)
    await ask(model, a_call(stream=True, **({"stream_options": options} if options else {})))
    assert json.loads(client.sent).get("stream_options") == sent
    assert b"text/event-stream" in client.headers


@pytest.mark.parametrize(
    ("vendor", "asked", "limit", "sent"),
    [
        ("openai", {}, 50, {"max_completion_tokens": 50}),
        ("openai", {"max_tokens": 90}, 50, {"max_tokens": 50}),
        ("openai", {"max_tokens": 90, "max_completion_tokens": 80}, 50, {"max_completion_tokens": 50}),
        ("openai", {"max_tokens": None}, 50, {"max_tokens": 50}),
        ("ollama", {}, 50, {"max_tokens": 50}),
        ("ollama", {"max_completion_tokens": 90}, 50, {"max_tokens": 50}),
        ("ollama", {"max_completion_tokens": 90}, None, {"max_tokens": 90}),
        ("ollama", {"max_completion_tokens": 90, "max_tokens": 80}, None, {"max_tokens": 80}),
        ("mistral", {"max_completion_tokens": 90}, None, {"max_tokens": 90}),
        ("mistral", {"max_completion_tokens": 90, "max_tokens": None}, None, {"max_tokens": 90}),
        ("openai", {"max_completion_tokens": 90}, None, {"max_completion_tokens": 90}),
        ("openai", {"max_tokens": 90}, None, {"max_tokens": 90}),
        ("generic", {"max_completion_tokens": 90}, None, {"max_completion_tokens": 90}),
        ("openai", {}, None, {}),
    ],
)
async def test_an_output_limit_goes_out_under_a_name_that_is_obeyed(
    vendor: str, asked: Any, limit: int | None, sent: Any
) -> None:
    model, client = a_model(Answer(WHOLE), vendor)
    clamp = {"max_output": limit, "clamped": True} if limit else {}
    await ask(model, a_call(**asked, **clamp))
    told = json.loads(client.sent)
    assert {k: v for k, v in told.items() if k.startswith("max_")} == sent


async def test_a_clients_deadline_shortens_the_wait() -> None:
    model, client = a_model(Answer(WHOLE), timeouts=Timeouts(first_byte_s=60, idle_s=20))
    await ask(model, a_call(wish=Wish(deadline_s=30)))
    assert (client.timeouts.first_byte_s, client.timeouts.idle_s) == (30, 20)
    await ask(model, a_call(wish=Wish(deadline_s=600)))
    assert (client.timeouts.first_byte_s, client.timeouts.idle_s) == (60, 20)


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({"api_key": None, "client_keys": True}, True),
        ({"api_key": None, "key_env": None, "client_keys": True, "base_url": "https://elsewhere.example/v1"}, False),
        ({"api_key": KEY, "client_keys": True}, False),
    ],
)
async def test_a_clients_own_key_goes_to_the_vendors_own_host_alone(settings: Any, sent: bool) -> None:
    model, client = a_model(Answer(WHOLE), **settings)
    await ask(model, a_call(caller=Caller(provider_key="sk-the-clients")))
    assert (b"sk-the-clients" in client.headers) is sent


async def test_a_clients_key_that_is_plainly_another_vendors_goes_nowhere() -> None:
    model, client = a_model(Answer(WHOLE), api_key=None, client_keys=True)
    with pytest.raises(UpstreamError, match="needs a key"):
        await ask(model, a_call(caller=Caller(provider_key="sk-ant-the-clients")))
    assert not hasattr(client, "sent")


@pytest.mark.parametrize(("kind", "path"), [("completion", b"/completions"), ("embedding", b"/embeddings")])
async def test_other_endpoints_have_their_own_paths(kind: str, path: bytes) -> None:
    answer = (
        WHOLE
        if kind == "completion"
        else b'{"data":[{"embedding":"AACAPw=="}],"usage":{"prompt_tokens":1,"total_tokens":1}}'
    )
    model, client = a_model(Answer(answer.replace(b'"message":{"role":"assistant","content":"hi"}', b'"text":"hi"')))
    reply, _ = await ask(model, a_call(kind))
    assert client.path == path
    assert reply.usage is not None
    assert reply.usage.uncached_in in (1, 9)


# whole answers


async def test_a_whole_answer_is_renamed_and_metered() -> None:
    model, _ = a_model(Answer(WHOLE))
    reply, events = await ask(model, a_call())
    assert reply.body == WHOLE.replace(b'"gpt-up-2026"', b'"auto"')
    assert (reply.model, reply.finish, reply.complete, reply.service_tier) == ("gpt-up-2026", "stop", True, "flex")
    assert reply.usage == Usage(uncached_in=9, text_out=1)
    assert bytes(reply.usage_raw or b"") == b'{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}'
    assert events == []


@pytest.mark.parametrize(
    ("vendor", "cost", "nanos"),
    [("openrouter", 0.5, 500_000_000), ("openrouter", 0, 0), ("generic", 0.5, 500_000_000), ("generic", 0, None)],
)
async def test_a_reported_cost_is_read_and_a_zero_believed_from_those_who_are_known_to_tell(
    vendor: str, cost: float, nanos: int | None
) -> None:
    body = WHOLE.replace(b'"total_tokens":10', b'"total_tokens":10,"cost":%b' % str(cost).encode())
    reply, _ = await ask(a_model(Answer(body), vendor)[0], a_call())
    assert reply.reported_cost_nanos == nanos


async def test_a_meter_that_contradicts_itself_is_doubted() -> None:
    reply, _ = await ask(a_model(Answer(WHOLE.replace(b'"total_tokens":10', b'"total_tokens":99')))[0], a_call())
    assert reply.usage == Usage(uncached_in=9, text_out=90)
    assert "total_tokens" in reply.doubt


async def test_a_local_engines_own_clock_is_kept() -> None:
    body = WHOLE[:-1] + b',"timings":{"prompt_ms":12.5,"predicted_ms":40,"note":"x"}}'
    reply, _ = await ask(a_model(Answer(body), "llamacpp")[0], a_call())
    assert reply.timings == {"prompt_ms": 12.5, "predicted_ms": 40.0}


# streams


async def test_a_stream_is_relayed_metered_and_its_connection_read_to_the_end() -> None:
    answer = stream(events_of(*HELLO, usage=USAGE))
    model, _ = a_model(answer)
    reply, events = await ask(model, a_call(stream=True))
    assert b"".join(e.data for e in events).count(b'"model":"auto"') == 4
    assert not any(b"usage" in e.data for e in events)
    assert [(e.content, e.text_chars) for e in events] == [(False, 0), (True, 2), (True, 3), (False, 0)]
    assert json.loads(reply.body)["choices"][0]["message"]["content"] == "hello"
    assert (reply.usage, reply.finish, reply.complete) == (Usage(uncached_in=9, text_out=2), "stop", True)
    assert answer.at_its_end


async def test_a_stream_that_lingers_after_its_end_is_closed_and_whole() -> None:
    class Lingering(Answer):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in self.pieces:
                yield piece
            await asyncio.sleep(3600)

    answer = Lingering(events_of(*HELLO), content_type="text/event-stream")
    reply, _ = await ask(a_model(answer)[0], a_call(stream=True))
    assert reply.complete
    assert answer.aborted


async def test_a_connection_that_breaks_after_the_end_breaks_nothing() -> None:
    reply, _ = await ask(a_model(stream([*events_of(*HELLO), BrokenOff("gone")]))[0], a_call(stream=True))
    assert reply.complete


async def test_a_server_that_does_not_stream_is_streamed_for() -> None:
    model, _ = a_model(Answer(WHOLE, content_type="application/json"))
    reply, events = await ask(model, a_call(stream=True, stream_options={"include_usage": True}))
    chunks = [json.loads(e.data) for e in events]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[1]["choices"][0]["delta"] == {"content": "hi"}
    assert chunks[-1]["usage"] == {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    assert reply.usage == Usage(uncached_in=9, text_out=1)
    assert sum(e.text_chars for e in events) == 2


async def test_a_clients_send_that_fails_closes_the_upstream() -> None:
    answer = stream(events_of(*HELLO))

    async def gone(_event: Event) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await a_model(answer)[0](a_call(stream=True), gone)
    assert answer.aborted


# errors


@pytest.mark.parametrize(
    ("status", "shown", "retryable"),
    [
        (400, 400, False),
        (402, 402, False),
        (404, 404, False),
        (408, 408, True),
        (409, 409, True),
        (413, 413, False),
        (422, 422, False),
        (429, 429, True),
        (500, 502, True),
        (502, 502, True),
        (503, 503, True),
        (504, 504, True),
        (529, 503, True),
        (301, 502, False),
    ],
)
async def test_an_error_status_is_kept_or_translated_and_never_billed(status: int, shown: int, retryable: bool) -> None:
    error = await failure(Answer(b'{"error":{"message":"nope","type":"t","code":"c"}}', status))
    assert (error.status, error.retryable, error.billable, error.after_content) == (shown, retryable, False, False)
    assert "nope" in error.message
    assert (error.body is not None) is (400 <= status < 500)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after_ms": "250", "retry_after": "7"}, 0.25),
        ({"retry_after": "Sat, 21 Nov 2026 10:00:30 GMT", "date": "Sat, 21 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry_after": "Sat, 21 Nov 2026 10:00:30 GMT"}, None),
        ({"retry_after": "soon", "date": "now"}, None),
        ({}, None),
    ],
)
async def test_the_wait_that_an_upstream_asks_for_is_read(headers: dict[str, str], wait_s: float | None) -> None:
    assert (await failure(Answer(b"{}", 429, **headers))).retry_after_s == wait_s


async def test_an_upstream_that_says_not_to_try_again_is_believed() -> None:
    assert not (await failure(Answer(b"{}", 500, x_should_retry="false"))).retryable
    assert not (await failure(Answer(b'{"error":{"code":"insufficient_quota"}}', 429))).retryable


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "the key in MY_KEY"),
        ({"api_key": None, "key_env": None, "base_url": "http://elsewhere/v1"}, "set OPENAI_API_KEY"),
        ({"api_key": None, "client_keys": True}, "the provider key that came with the request"),
    ],
)
async def test_a_refused_key_is_named_and_not_shown(settings: Any, words: str) -> None:
    words_of_upstream = b'{"error":{"message":"Incorrect API key provided: %b"}}' % KEY.encode()
    error = await failure(Answer(words_of_upstream, 401), a_call(caller=Caller(provider_key="sk-theirs")), **settings)
    assert (error.status, error.code, error.body) == (401, "upstream_key_refused", None)
    assert words in error.message


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"key_env": "MY_KEY"}, "MY_KEY"),
        ({"key_env": "MY_KEY", "base_url": "http://elsewhere/v1"}, "MY_KEY"),
        ({"key_env": None, "client_keys": True}, "OPENAI_API_KEY"),
        ({"client_keys": False, "caller": Caller(provider_key="sk-theirs")}, "MY_KEY"),
    ],
)
async def test_without_its_key_a_provider_is_not_asked(settings: Any, name: str) -> None:
    caller = settings.get("caller", Caller())
    model, client = a_model(Answer(b"{}"), api_key=None, **{k: v for k, v in settings.items() if k != "caller"})
    with pytest.raises(UpstreamError, match=f"it needs a key; set {name} where the gateway runs") as caught:
        await ask(model, a_call(caller=caller))
    assert (caught.value.status, caught.value.retryable, hasattr(client, "sent")) == (401, False, False)


async def test_a_key_in_any_error_is_blotted_out() -> None:
    error = await failure(Answer(b'{"error":{"message":"bad %b"}}' % KEY.encode(), 400))
    assert "bad …" in error.message


async def test_a_page_of_html_becomes_a_short_text() -> None:
    page = b"<html><head><title>502 Bad Gateway</title></head>" + b"<p>x</p>" * 50_000
    error = await failure(Answer(page, 502, content_type="text/html"))
    assert "502 Bad Gateway" in error.message
    assert len(error.message) < 500


@pytest.mark.parametrize(
    ("why", "status", "code", "billable"),
    [
        (ConnectFailed("refused"), 502, "upstream_unreachable", False),
        (BrokenOff("lost"), 502, "upstream_broken_off", True),
        (BadResponse("no http"), 502, "upstream_broken_off", True),
        (TimedOut("slow", phase="first_byte", sent=True), 504, "upstream_timeout", True),
        (TimedOut("no connection", phase="connect", sent=False), 504, "upstream_timeout", False),
    ],
)
async def test_a_lost_connection_is_billable_once_something_was_sent(
    why: HttpError, status: int, code: str, billable: bool
) -> None:
    error = await failure(why)
    assert (error.status, error.code, error.billable, error.retryable) == (status, code, billable, True)


async def test_an_error_object_in_a_200_is_an_error_with_the_status_it_names() -> None:
    error = await failure(Answer(b'{"error":{"message":"no capacity","code":503}}'))
    assert (error.status, error.billable, error.retryable) == (503, True, True)
    error = await failure(
        stream([b'data: {"error":{"message":"slow down","code":"rate_limit_exceeded"}}\n\n']), a_call(stream=True)
    )
    assert (error.status, error.after_content) == (429, False)


@pytest.mark.parametrize("body", [b"", b"{", b"<html>hm</html>", b'{"choices":[]}'])
async def test_a_200_without_an_answer_may_have_been_billed(body: bytes) -> None:
    error = await failure(Answer(body))
    assert (error.status, error.code, error.billable) == (502, "upstream_bad_answer", True)


BREAKS: dict[str, list[Any]] = {
    "no [DONE]": events_of(*HELLO, done=False),
    "truncated": events_of(*HELLO[:2], done=False),
    "half an event": [*events_of(*HELLO[:2], done=False), b'data: {"id":"i","cho'],
    "invalid JSON": [*events_of(*HELLO[:2], done=False), b"data: {oops}\n\n"],
    "an error object": [*events_of(*HELLO[:2], done=False), b'data: {"error":{"message":"overheated"}}\n\n'],
    "a reset": [*events_of(*HELLO[:2], done=False), BrokenOff("reset")],
    "silence": [*events_of(*HELLO[:2], done=False), TimedOut("idle", phase="idle", sent=True)],
}


@pytest.mark.parametrize("case", BREAKS)
async def test_a_stream_that_breaks_is_never_taken_for_whole(case: str) -> None:
    error = await failure(stream(BREAKS[case]), a_call(stream=True))
    assert (error.billable, error.after_content) == (True, True)
    assert error.status == (504 if case == "silence" else 502)


async def test_nothing_but_done_is_no_answer() -> None:
    error = await failure(stream([b"data: [DONE]\n\n"]), a_call(stream=True))
    assert (error.billable, error.after_content) == (True, False)


async def test_a_vendor_that_never_says_done_may_end_with_a_finish_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from msgspec import structs

    quirky = structs.replace(VENDORS["generic"], sends_done=False)
    model = OpenAICompatible(
        "large", quirky, Client(stream(events_of(*HELLO, done=False))), model="m", base_url="http://h/v1"
    )
    reply, _ = await ask(model, a_call(stream=True))
    assert reply.complete
    model = OpenAICompatible(
        "large", quirky, Client(stream(events_of(*HELLO[:3], done=False))), model="m", base_url="http://h/v1"
    )
    with pytest.raises(UpstreamError):
        await ask(model, a_call(stream=True))


async def test_usage_seen_before_the_break_is_told() -> None:
    pieces = [*events_of(*HELLO[:2], done=False, usage=USAGE), BrokenOff("reset")]
    error = await failure(stream(pieces), a_call(stream=True))
    assert error.facts["usage"] == Usage(uncached_in=9, text_out=2)


async def test_comments_without_end_are_silence() -> None:
    class Spam(Answer):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0.01)
                yield b": spam\n\n"

    answer = Spam(b"", content_type="text/event-stream")
    model, _ = a_model(answer, timeouts=Timeouts(first_byte_s=0.1, idle_s=0.1))
    with pytest.raises(UpstreamError, match="comments") as caught:
        await ask(model, a_call(stream=True))
    assert (caught.value.status, answer.aborted) == (504, True)


@pytest.mark.parametrize(
    ("vendor", "why", "asked"),
    [
        ("llamacpp", BrokenOff("gone", reused=True), 2),
        ("llamacpp", BrokenOff("gone", reused=True, received=5), 1),
        ("llamacpp", BrokenOff("gone", reused=False), 1),
        ("openai", BrokenOff("gone", reused=True), 1),
    ],
)
async def test_a_stale_connection_is_replaced_only_where_nothing_can_be_billed(
    vendor: str, why: BrokenOff, asked: int
) -> None:
    class Stale(Client):
        posts = 0

        async def post(self, *told: Any) -> Answer:
            self.posts += 1
            if self.posts == 1:
                raise why
            return Answer(WHOLE)

    client = Stale(why)
    model = OpenAICompatible("large", VENDORS[vendor], client, model="m", base_url="http://127.0.0.1:9/v1")
    if asked == 2:
        assert (await ask(model, a_call()))[0].complete
    else:
        with pytest.raises(UpstreamError):
            await ask(model, a_call())
    assert client.posts == asked


# models


async def test_the_servers_models_are_listed_by_id() -> None:
    model, client = a_model(Answer(b'{"object":"list","data":[{"id":"b"},{"id":"a/x"},{}]}'))
    assert await model.models() == ["b", "a/x"]
    assert client.path == b"/models"


@pytest.mark.parametrize("answer", [Answer(b"oops"), Answer(b"{}", 500), ConnectFailed("refused")])
async def test_a_list_of_models_that_does_not_come_is_an_upstream_error(answer: Any) -> None:
    with pytest.raises(UpstreamError):
        await a_model(answer)[0].models()


def test_a_models_printed_form_does_not_hold_its_key() -> None:
    assert KEY not in repr(a_model(Answer(WHOLE))[0])
