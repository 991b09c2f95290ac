"""Entries as spans and metrics: what is told, under which names, and what never is."""

from __future__ import annotations

import logging
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra is not installed: pip install 'demitasse[otel]'")

from msgspec.structs import replace
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from demitasse.core.call import Energy, Usage
from demitasse.core.entry import Attempt, Entry
from demitasse.core.errors import ConfigError
from demitasse.providers.otel import Telemetry, _Seldom, read_headers

NOON_US = 1_795_262_400_000_000
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

BROKEN = Attempt(
    model="large",
    provider="openai",
    upstream_model="gpt-5.1-2025-11-13",
    status="broken",
    started_us=NOON_US + 1_000,
    duration_ms=40.0,
    error="upstream_lost",
    usage=Usage(uncached_in=100, text_out=3),
    estimated=True,
    cost_nanos=155_000,
)
GOOD = Attempt(
    model="small",
    provider="local",
    upstream_model="smollm2-135m",
    status="ok",
    started_us=NOON_US + 41_000,
    duration_ms=900.0,
    usage=Usage(uncached_in=90, cache_read=10, text_out=20, reasoning_out=5),
    cost_nanos=2_000,
    card="hardware 2026-11-21",
    energy=Energy(low_uj=3_000_000, high_uj=9_000_000, method="modelled"),
)
ENTRY = Entry(
    id="c0001",
    at_us=NOON_US,
    key="ci",
    team="search",
    kind="chat",
    asked_model="auto",
    route="auto",
    model="small",
    provider="local",
    outcome="answered",
    cache="miss",
    stream=True,
    first_byte_ms=120.0,
    usage=GOOD.usage,
    cost_nanos=157_000,
    baseline_nanos=400_000,
    saved=(("routed", 243_000),),
    grade="C",
    hold_nanos=900_000,
    tags=(("feature", "titles"),),
    flags=("clamped",),
    attempts=(BROKEN, GOOD),
    duration_ms=950.0,
    overhead_us=400,
)


class Collected:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.telemetry = Telemetry(self.exporter, self.reader, version="1.2.3")

    def spans(self, entry: Entry = ENTRY, trace: bytes | None = None) -> list[ReadableSpan]:
        """The call's span first, then its attempts."""
        self.telemetry.record(entry, trace)
        self.telemetry._tracers.force_flush()
        made = list(self.exporter.get_finished_spans())
        self.exporter.clear()
        return sorted(made, key=lambda span: (span.kind is not SpanKind.SERVER, span.start_time))

    def points(self) -> dict[str, list[Any]]:
        data = self.reader.get_metrics_data()
        assert data is not None
        return {
            m.name: list(m.data.data_points) for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics
        }


@pytest.fixture
def collected() -> Any:
    made = Collected()
    yield made
    made.telemetry.close()


def test_a_call_is_a_span_with_the_conventions_names(collected: Collected) -> None:
    call, *_ = collected.spans()
    assert call.name == "chat auto"
    told = dict(call.attributes or {})
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "local"
    assert told["gen_ai.request.model"] == "auto"
    assert told["gen_ai.response.model"] == "smollm2-135m"
    assert told["gen_ai.usage.input_tokens"] == 100
    assert told["gen_ai.usage.output_tokens"] == 25
    assert told["gen_ai.usage.cache_read.input_tokens"] == 10
    assert told["gen_ai.usage.reasoning.output_tokens"] == 5
    assert told["gen_ai.response.time_to_first_chunk"] == 0.12
    assert call.resource.attributes["service.name"] == "demitasse"
    assert call.resource.attributes["service.version"] == "1.2.3"


def test_the_names_are_those_that_the_sdks_own_list_knows() -> None:
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

    known = {v for k, v in vars(gen_ai_attributes).items() if k.startswith("GEN_AI_") and isinstance(v, str)}
    from demitasse.providers import otel

    used = otel.call_attributes(ENTRY) | otel.attempt_attributes(ENTRY, GOOD)
    assert {name for name in used if name.startswith("gen_ai.")} <= known
    operations = {v.value for v in gen_ai_attributes.GenAiOperationNameValues}
    assert (
        set(otel.OPERATIONS.values()) - {"moderation"} <= operations
    )  # they allow a word of one's own for what they lack
    providers = {v.value for v in gen_ai_attributes.GenAiProviderNameValues}
    assert set(otel.PROVIDERS.values()) <= providers


def test_money_cache_and_energy_are_told_under_names_of_our_own(collected: Collected) -> None:
    told = dict(collected.spans()[0].attributes or {})
    assert told["demitasse.cost_usd"] == 0.000157
    assert told["demitasse.baseline_usd"] == 0.0004
    assert told["demitasse.saved_usd"] == 0.000243
    assert told["demitasse.cache"] == "miss"
    assert (told["demitasse.energy.modelled.low_j"], told["demitasse.energy.modelled.high_j"]) == (3.0, 9.0)
    assert told["demitasse.tag.feature"] == "titles"
    assert told["demitasse.flags"] == ("clamped",)


def test_an_unpriced_call_has_no_cost_rather_than_none(collected: Collected) -> None:
    told = collected.spans(replace(ENTRY, cost_nanos=None, baseline_nanos=None))[0].attributes or {}
    assert "demitasse.cost_usd" not in told
    assert "demitasse.baseline_usd" not in told


def test_each_attempt_is_a_child_at_its_own_time(collected: Collected) -> None:
    call, broken, good = collected.spans()
    assert broken.parent is not None
    assert broken.parent.span_id == good.parent.span_id == call.context.span_id  # type: ignore[union-attr]
    assert call.start_time == NOON_US * 1000
    assert call.end_time == NOON_US * 1000 + 950_000_000
    assert (good.start_time, good.end_time) == ((NOON_US + 41_000) * 1000, (NOON_US + 941_000) * 1000)
    assert broken.status.status_code is StatusCode.ERROR
    assert (broken.attributes or {})["error.type"] == "upstream_lost"
    assert good.status.status_code is StatusCode.UNSET
    assert call.status.status_code is StatusCode.UNSET


def test_adding_up_usage_over_all_spans_counts_each_call_once(collected: Collected) -> None:
    total = sum((span.attributes or {}).get("gen_ai.usage.output_tokens", 0) for span in collected.spans())
    assert total == 25


def test_the_requests_trace_is_the_parent(collected: Collected) -> None:
    call, *_ = collected.spans(trace=f"00-{TRACE}-{SPAN}-01".encode())
    assert f"{call.context.trace_id:032x}" == TRACE
    assert call.parent is not None
    assert f"{call.parent.span_id:016x}" == SPAN


@pytest.mark.parametrize("trace", [b"", b"nonsense", b"00-0-0-01", b"\xff" * 55, b"ff-" + b"1" * 32 + b"-" + b"1" * 16])
def test_a_malformed_trace_begins_a_new_one(collected: Collected, trace: bytes) -> None:
    call, *_ = collected.spans(trace=trace)
    assert call.parent is None


def test_a_trace_that_its_caller_does_not_sample_has_no_spans_and_counts_all_the_same(collected: Collected) -> None:
    assert collected.spans(trace=f"00-{TRACE}-{SPAN}-00".encode()) == []
    assert collected.points()["gen_ai.client.operation.duration"][0].count == 1


def test_a_failed_call_says_so_and_an_upstreams_odd_code_is_not_repeated(collected: Collected) -> None:
    call, *_ = collected.spans(replace(ENTRY, outcome="failed", error="a whole sentence, perhaps of the prompt"))
    assert call.status.status_code is StatusCode.ERROR
    assert (call.attributes or {})["error.type"] == "_OTHER"
    call, *_ = collected.spans(replace(ENTRY, outcome="refused", error="insufficient_quota", attempts=()))
    assert (call.attributes or {})["error.type"] == "insufficient_quota"


def test_a_name_that_no_route_bears_is_not_told(collected: Collected) -> None:
    asked = replace(
        ENTRY, asked_model="tell me a secret", route="", model=None, provider=None, outcome="refused", attempts=()
    )
    (call,) = collected.spans(asked)
    assert call.name == "chat"
    assert "tell me a secret" not in call.to_json()


def test_tokens_are_counted_as_they_were_paid_for(collected: Collected) -> None:
    collected.telemetry.record(ENTRY)
    collected.telemetry.record(replace(ENTRY, cache="exact", cost_nanos=0, attempts=()))
    points = collected.points()
    sums = {
        (p.attributes["gen_ai.request.model"], p.attributes["gen_ai.token.type"]): p.sum
        for p in points["gen_ai.client.token.usage"]
    }
    assert sums == {("large", "input"): 100, ("large", "output"): 3, ("small", "input"): 100, ("small", "output"): 25}
    durations = {p.attributes["demitasse.cache"]: p.sum for p in points["gen_ai.client.operation.duration"]}
    assert durations == {"miss": 0.95, "exact": 0.95}
    cost = {p.attributes["gen_ai.request.model"]: p.value for p in points["demitasse.cost"]}
    assert cost == {"large": 0.000155, "small": 0.000002}


def test_the_buckets_are_those_that_the_conventions_advise(collected: Collected) -> None:
    collected.telemetry.record(ENTRY)
    points = collected.points()
    assert points["gen_ai.client.token.usage"][0].explicit_bounds[-1] == 67_108_864
    assert points["gen_ai.client.operation.duration"][0].explicit_bounds[-1] == 81.92


async def test_an_sdk_that_breaks_harms_no_call_and_is_told_once(collected: Collected, caplog: Any) -> None:
    import asyncio

    def broken(*_given: Any, **_named: Any) -> None:
        raise RuntimeError("of the SDK's own")

    collected.telemetry._seconds.record = broken  # type: ignore[method-assign]
    collected.telemetry.observe(ENTRY, None)
    collected.telemetry.observe(ENTRY, None)
    await asyncio.sleep(0)
    assert [r.name for r in caplog.records] == ["demitasse.otel"]


def test_headers_are_read_as_the_sdk_would_and_never_repeated() -> None:
    assert read_headers("Api-Key=se%20cret, x-team = a=b ,") == {"api-key": "se cret", "x-team": "a=b"}
    with pytest.raises(ConfigError, match="entry 2 is no name=value") as refused:
        read_headers("a=b,hush")
    assert "hush" not in str(refused.value)


def test_a_collector_that_is_down_is_said_once_in_a_while() -> None:
    seldom = _Seldom()
    record = logging.LogRecord("x", logging.WARNING, "x", 1, "down", (), None)
    assert [seldom.filter(record) for _ in range(3)] == [True, False, False]
