"""The cassette of misbehaving upstreams, over real sockets and with both HTTP clients: nothing crooked comes out whole."""

import json
from typing import Any

import pytest

from demitasse.core.call import Call, Event, Reply, Usage
from demitasse.core.errors import UpstreamError
from demitasse.providers.http import HttpClient, Timeouts
from demitasse.providers.openai import OpenAICompatible
from demitasse.providers.vendors import VENDORS
from demitasse.testing.mock import MockUpstream
from demitasse.wire.ask import read


@pytest.fixture
async def up() -> Any:
    async with MockUpstream(tokens=4) as up:
        yield up


def a_call(*, stream: bool, kind: str = "chat") -> Call:
    asked = {"input": "héllo"} if kind == "embedding" else {"messages": [{"role": "user", "content": "héllo"}]}
    ask = read(kind, json.dumps({"model": "auto", "stream": stream} | asked).encode())
    return Call("c1", "r", 1_700_000_000_000_000, kind, ask.body, ask.fields, ask.model, stream=ask.stream)


class Outcome:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.reply: Reply | None = None
        self.error: UpstreamError | None = None

    @property
    def text(self) -> str:
        chunks = [json.loads(e.data) for e in self.events]
        return "".join(c["delta"].get("content") or "" for chunk in chunks for c in chunk["choices"])


async def ask(up: MockUpstream, client: HttpClient, behave: str, *, stream: bool, **more: Any) -> Outcome:
    model = OpenAICompatible(
        "large",
        VENDORS["generic"],
        client,
        model=behave,
        base_url=up.base_url,
        timeouts=Timeouts(first_byte_s=5, idle_s=0.3),
        **more,
    )
    outcome = Outcome()

    async def send(event: Event) -> None:
        outcome.events.append(event)

    try:
        outcome.reply = await model(a_call(stream=stream), send)
    except UpstreamError as error:
        outcome.error = error
    return outcome


SPEAKING = [
    "mock", "mock-usage-with-choices", "mock-usage-every-chunk", "mock-no-usage", "mock-usage-too-large", "mock-comment-spam",
    "mock-crlf", "mock-split", "mock-cached", "mock-reasoning", "mock-reported-cost",
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("behave", SPEAKING)
async def test_an_odd_upstream_is_understood(up: MockUpstream, client: HttpClient, behave: str, stream: bool) -> None:
    outcome = await ask(up, client, behave, stream=stream)
    assert outcome.error is None
    assert outcome.reply is not None
    assert outcome.reply.complete
    record = up.served[-1]
    usage = outcome.reply.usage
    if behave == "mock-no-usage":
        assert usage is None
    elif behave == "mock-usage-too-large":
        assert usage is not None
        assert usage.total_out > record.completion_tokens
    else:
        assert usage is not None
        assert (usage.total_in, usage.total_out) == (record.prompt_tokens, record.completion_tokens)
    assert (outcome.reply.reported_cost_nanos == 1_230_000) is (behave == "mock-reported-cost")
    whole = json.loads(outcome.reply.body)
    assert whole["model"] == "auto"
    if stream:
        assert outcome.text == whole["choices"][0]["message"]["content"] != ""
        assert not any(b'"usage"' in e.data for e in outcome.events)


@pytest.mark.parametrize(
    "behave",
    ["mock-truncate", "mock-truncate-clean", "mock-no-done", "mock-bad-json", "mock-error-mid-stream", "mock-hang-mid"],
)
async def test_a_stream_that_does_not_come_to_its_end_is_an_error_after_content(
    up: MockUpstream, client: HttpClient, behave: str
) -> None:
    outcome = await ask(up, client, behave, stream=True)
    assert outcome.reply is None
    assert outcome.error is not None
    assert (outcome.error.after_content, outcome.error.billable) == (True, True)
    assert outcome.error.status == (504 if behave == "mock-hang-mid" else 502)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("behave", "status", "wait_s"),
    [
        ("mock-400", 400, None),
        ("mock-401", 401, None),
        ("mock-404", 404, None),
        ("mock-429", 429, 1.0),
        ("mock-429-bare", 429, None),
        ("mock-500", 502, None),
        ("mock-503", 503, 1.0),
        ("mock-529", 503, None),
        ("mock-html-error", 502, None),
    ],
)
async def test_an_error_status_costs_nothing(
    up: MockUpstream, client: HttpClient, behave: str, status: int, wait_s: float | None, stream: bool
) -> None:
    outcome = await ask(up, client, behave, stream=stream)
    assert outcome.error is not None
    assert (outcome.error.status, outcome.error.retry_after_s, outcome.error.billable) == (status, wait_s, False)
    assert outcome.events == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("behave", ["mock-html-200", "mock-empty"])
async def test_a_200_without_an_answer_is_an_error_that_may_cost(
    up: MockUpstream, client: HttpClient, behave: str, stream: bool
) -> None:
    outcome = await ask(up, client, behave, stream=stream)
    assert outcome.error is not None
    assert (outcome.error.status, outcome.error.billable, outcome.error.after_content) == (502, True, False)


async def test_an_upstream_that_is_not_there_costs_nothing(up: MockUpstream, client: HttpClient) -> None:
    await up.stop()
    outcome = await ask(up, client, "mock", stream=True)
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.billable, outcome.error.retryable) == (
        "upstream_unreachable",
        False,
        True,
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_a_connection_reset_after_any_byte_never_looks_like_a_whole_answer(
    up: MockUpstream, client: HttpClient, stream: bool
) -> None:
    good = await ask(up, client, "mock", stream=stream)
    for size in range(6_000):
        outcome = await ask(up, client, f"mock-reset-after-{size}", stream=stream)
        if outcome.reply is not None:
            break
        assert outcome.error is not None
        assert outcome.error.billable
        assert outcome.error.after_content is any(e.content for e in outcome.events)
        assert good.text.startswith(outcome.text)
    assert size > 300
    assert outcome.reply is not None
    assert outcome.text == good.text
    assert outcome.reply.usage == good.reply.usage


async def test_embeddings_pass_through(up: MockUpstream, client: HttpClient) -> None:
    model = OpenAICompatible("e", VENDORS["generic"], client, model="mock-embed", base_url=up.base_url)

    async def send(_event: Event) -> None:
        raise AssertionError

    reply = await model(a_call(stream=False, kind="embedding"), send)
    assert json.loads(reply.body)["data"][0]["embedding"]
    assert reply.usage == Usage(uncached_in=up.served[-1].prompt_tokens)


async def test_models_are_listed(up: MockUpstream, client: HttpClient) -> None:
    model = OpenAICompatible("e", VENDORS["generic"], client, model="mock", base_url=up.base_url)
    assert "mock/with/slashes" in await model.models()
