"""Spans and metrics at a real receiver: names of the conventions, the trace handed on, guard and certificate, and no word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra is not installed: pip install 'demitasse[otel]'")

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import error_attributes, server_attributes

from demitasse.build.observing import addresses
from demitasse.config import load
from demitasse.core.errors import ConfigError
from demitasse.providers.otel import SEMCONV, call_ids, conversation, traceparent
from demitasse.testing import MockUpstream
from tests.build.test_app import Site
from tests.build.test_observing import SPAN, TRACE, Collector, attributes
from tests.story.asgi import Answer, ask, chat

WORDS = ("the colour of my front door", "jane.canary@example.com", "my own session")


def known(module: Any) -> set[str]:
    return {value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)}


CONVENTIONS = known(gen_ai_attributes) | known(error_attributes) | known(server_attributes)
METRICS = known(gen_ai_metrics)


class Heard:
    """What a collector got of a few calls."""

    def __init__(self, collector: Collector, up: MockUpstream, answers: list[Answer]) -> None:
        self.collector, self.up, self.answers = collector, up, answers

    def requests(self) -> list[Any]:
        return [
            ExportTraceServiceRequest.FromString(body) for path, _, body in self.collector.posts if path == "/v1/traces"
        ]

    def points(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for path, _, body in self.collector.posts:
            if path == "/v1/metrics":
                for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    for scope in resource.scope_metrics:
                        for metric in scope.metrics:
                            kind = metric.WhichOneof("data")
                            found[metric.name] = list(getattr(metric, kind).data_points)
        return found


async def heard(home: Path, *, upstream: str = "") -> Heard:
    collector = Collector()
    async with MockUpstream(keep=True) as up, collector.listening() as url:
        site = Site(home, up)
        guard = '[guard]\npersonal = { EMAIL = "redact" }\n'
        site.write(more=f'[otel]\nendpoint = "{url}"\n{upstream}\n{guard}')
        async with site.app() as app:
            headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "x-demitasse-session": WORDS[2]}
            said = f"{WORDS[0]}: {WORDS[1]}"
            answers = [
                await ask(app.gateway, chat(said, model="mock", stream=True), headers=headers),
                await ask(app.gateway, chat(f"{said}!", model="mock"), headers={"x-demitasse-session": WORDS[2]}),
            ]
    return Heard(collector, up, answers)


@pytest.fixture
async def told(tmp_path: Path) -> Heard:
    return await heard(tmp_path)


async def test_every_name_is_of_the_conventions_or_our_own(told: Heard) -> None:
    names = {name for span in told.collector.spans() for name in attributes(span)}
    for points in told.points().values():
        names |= {attribute.key for point in points for attribute in point.attributes}
    strange = {name for name in names if not name.startswith("demitasse.")} - CONVENTIONS
    assert strange == set()
    assert "gen_ai.system" not in names, "its old name"
    assert {m for m in told.points() if not m.startswith("demitasse.")} <= METRICS
    assert {"gen_ai.client.token.usage", "gen_ai.client.operation.duration", "gen_ai.server.time_to_first_token", "gen_ai.client.operation.time_to_first_chunk"} <= set(told.points())  # fmt: skip


async def test_spans_say_by_which_conventions_they_are_named(told: Heard) -> None:
    scopes = [
        scope for request in told.requests() for resource in request.resource_spans for scope in resource.scope_spans
    ]
    assert {scope.schema_url for scope in scopes} == {SEMCONV}


async def test_a_call_tells_conversation_guard_and_address(told: Heard) -> None:
    calls = [s for s in told.collector.spans() if s.kind == s.SPAN_KIND_SERVER]
    attempts = [s for s in told.collector.spans() if s.kind == s.SPAN_KIND_CLIENT]
    assert {attributes(s)["gen_ai.conversation.id"] for s in calls} == {conversation(WORDS[2])}
    for call in calls:
        assert attributes(call)["demitasse.guard.found.EMAIL"] == 1
        assert attributes(call)["demitasse.guard.seconds"] > 0
    assert {(attributes(s)["server.address"], attributes(s)["server.port"]) for s in attempts} == {
        ("127.0.0.1", told.up.port)
    }
    assert {s.parent_span_id for s in attempts} == {s.span_id for s in calls}


async def test_the_first_word_is_timed_from_both_sides_and_only_of_streams(told: Heard) -> None:
    points = told.points()
    for name in ("gen_ai.server.time_to_first_token", "gen_ai.client.operation.time_to_first_chunk"):
        assert sum(point.count for point in points[name]) == 1


async def test_no_word_value_or_session_is_sent(told: Heard) -> None:
    sent = b"".join(body for _, _, body in told.collector.posts)
    assert sent
    assert not [text for text in WORDS if text.encode() in sent]


async def test_a_server_is_sent_the_trace_only_where_that_is_configured(told: Heard, tmp_path: Path) -> None:
    assert all("traceparent" not in headers for headers in told.up.headers)
    (tmp_path / "b").mkdir()
    joined = await heard(tmp_path / "b", upstream='upstream = ["mock"]')
    first, second = (headers["traceparent"] for headers in joined.up.headers)
    calls = {s.trace_id.hex(): s for s in joined.collector.spans() if s.kind == s.SPAN_KIND_SERVER}
    version, trace, span, flags = first.split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert calls[trace].span_id.hex() == span
    trace, span = second.split("-")[1:3]
    assert calls[trace].span_id.hex() == span, "a call that came without a trace begins one, and its server joins it"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
    ],
)
def test_a_malformed_trace_is_replaced_by_our_own(given: str) -> None:
    trace, span = call_ids("c1")
    assert traceparent("c1", given) == f"00-{trace:032x}-{span:016x}-01"


def test_a_trace_that_is_not_sampled_stays_so() -> None:
    assert traceparent("c1", f"00-{TRACE}-{SPAN}-00").endswith("-00")


def test_a_models_address_is_the_configurations_else_its_providers(tmp_path: Path) -> None:
    file = tmp_path / "demitasse.toml"
    file.write_text(
        '[models.mine]\nprovider = "openai"\nbase_url = "http://10.0.0.5:8000/v1"\n[models.large]\nprovider = "openai"\n'
    )
    address_of = addresses(load(file, {}, tmp_path))
    assert address_of("mine") == ("10.0.0.5", 8000)
    assert address_of("large") == ("api.openai.com", 443)
    assert address_of("openai/gpt-5.1") == ("api.openai.com", 443)
    assert address_of("small") is None


def test_only_models_that_there_are_can_be_sent_the_trace(tmp_path: Path) -> None:
    file = tmp_path / "demitasse.toml"
    file.write_text(
        '[otel]\nendpoint = "http://127.0.0.1:4318"\nupstream = ["smal"]\n[models.small]\nprovider = "openai"\n'
    )
    with pytest.raises(ConfigError, match="did you mean 'small'"):
        load(file, {}, tmp_path)
