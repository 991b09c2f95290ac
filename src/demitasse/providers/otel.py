"""Closed calls as OpenTelemetry spans and metrics, by the GenAI semantic conventions. Knows entries and the SDK, no call.

A call is a span, each of its attempts a child. What was asked and answered is in neither: an Entry does not hold it, and
what a client may write freely (a name that no route bears, a session) is left out too. The SDK is the extra ``[otel]`` and is
imported only where an endpoint is configured.

A call's span has an id that follows from the call's, so that a server which is sent ``traceparent`` (``Traced``) joins the trace
before it is told.

Tokens on a call's span are those of its answer; the metric counts what was paid for, attempt by attempt, so a hit of the
cache adds nothing to it and a retry that was billed does.

Names are those of the semantic conventions 1.44.0, the last release that holds the GenAI ones (their own repository,
open-telemetry/semantic-conventions-genai, has released none by 21 Nov 2026); what they lack is ``demitasse.*``.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from msgspec import structs

from ..core.call import Call, Energy, Model, Reply, Send, Usage
from ..core.entry import Attempt, Entry, Guarded
from ..core.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace.export import SpanExporter

log = logging.getLogger("demitasse.otel")

Attributes = dict[str, str | bool | int | float | list[str]]
Address = tuple[str, int]

OPERATIONS: Final = {
    "chat": "chat",
    "completion": "text_completion",
    "embedding": "embeddings",
    "moderation": "moderation",
}
PROVIDERS: Final = {"google": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai"}
"""Where the conventions have another name for a provider than we do; every other name is the same or one of our own."""

SEMCONV: Final = "https://opentelemetry.io/schemas/1.44.0"

TOKEN_BOUNDS: Final = [4**power for power in range(14)]
SECOND_BOUNDS: Final = [0.01 * 2**power for power in range(14)]
"""Bucket boundaries as the conventions advise."""

EXPORT_TIMEOUT_S: Final = 5.0
CLOSE_S: Final = 2.0
"""How long the end of the process waits for the last spans, and again for the last metrics."""
QUIET_S: Final = 600.0
_MOST_TEXT = 256
_SAFE_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}").fullmatch


def call_attributes(entry: Entry) -> Attributes:
    """A call's span. What is unknown is left out."""
    found: Attributes = {
        "gen_ai.operation.name": OPERATIONS[entry.kind],
        "gen_ai.provider.name": _provider(entry),
        "gen_ai.request.stream": entry.stream,
        "demitasse.call.id": entry.id,
        "demitasse.outcome": entry.outcome,
        "demitasse.key": entry.key,
        "demitasse.cache": entry.cache,
        "demitasse.saved_usd": sum(nanos for _, nanos in entry.saved) / 1e9,
        "demitasse.grade": entry.grade,
        "demitasse.estimated": entry.estimated,
        "demitasse.held_usd": entry.hold_nanos / 1e9,
    }
    if entry.session:
        found["gen_ai.conversation.id"] = conversation(entry.session)
    if entry.route:
        found |= {"gen_ai.request.model": entry.asked_model, "demitasse.route": entry.route}
    if entry.attempts:
        found["gen_ai.response.model"] = entry.attempts[-1].upstream_model
    if entry.usage is not None:
        found |= _usage(entry.usage)
    if entry.stream and entry.first_byte_ms is not None:
        found["gen_ai.response.time_to_first_chunk"] = entry.first_byte_ms / 1e3
    if entry.cost_nanos is not None:
        found["demitasse.cost_usd"] = entry.cost_nanos / 1e9
    if entry.baseline_nanos is not None:
        found["demitasse.baseline_usd"] = entry.baseline_nanos / 1e9
    if entry.overhead_us is not None:
        found["demitasse.overhead_ms"] = entry.overhead_us / 1e3
    if entry.flags:
        found["demitasse.flags"] = list(entry.flags)
    for name, text in (("model", entry.model), ("team", entry.team)):
        if text:
            found[f"demitasse.{name}"] = text
    for name, text in entry.tags:
        found[f"demitasse.tag.{name}"] = text
    for method, (low_uj, high_uj) in _energies(entry).items():
        found |= {f"demitasse.energy.{method}.low_j": low_uj / 1e6, f"demitasse.energy.{method}.high_j": high_uj / 1e6}
    if entry.decision is not None and entry.decision.certificate:
        found["demitasse.certificate"] = entry.decision.certificate
    if entry.guard is not None:
        found |= _guarded(entry.guard)
    if failed := _failed(entry):
        found["error.type"] = failed
    return found


def attempt_attributes(entry: Entry, attempt: Attempt, address: Address | None = None) -> Attributes:
    """The span of one physical call. Its tokens have names of their own: whoever adds up ``gen_ai.usage`` counts calls."""
    found: Attributes = {
        "gen_ai.operation.name": OPERATIONS[entry.kind],
        "gen_ai.provider.name": PROVIDERS.get(attempt.provider, attempt.provider),
        "gen_ai.request.model": attempt.upstream_model,
        "demitasse.model": attempt.model,
        "demitasse.attempt.status": attempt.status,
        "demitasse.estimated": attempt.estimated,
    }
    if address is not None:
        found |= {"server.address": address[0], "server.port": address[1]}
    if attempt.usage is not None:
        found["demitasse.attempt.input_tokens"] = attempt.usage.total_in
        found["demitasse.attempt.output_tokens"] = attempt.usage.total_out
    if attempt.cost_nanos is not None:
        found["demitasse.cost_usd"] = attempt.cost_nanos / 1e9
    if attempt.card is not None:
        found["demitasse.card"] = attempt.card
    if attempt.energy is not None:
        found |= _energy(attempt.energy)
    if attempt.status != "ok":
        found["error.type"] = _code(attempt.error or attempt.status)
    return found


class Telemetry:
    """Makes spans and metrics of entries and hands them to the SDK, whose own threads send them.

    Args:
        spans: where spans go; asked in a thread of the SDK's.
        metrics: reads the metrics, likewise.
        version: ours.
        address_of: host and port of a model's server, by our name of it; None where it has none.
    """

    def __init__(
        self,
        spans: SpanExporter,
        metrics: MetricReader,
        *,
        version: str,
        address_of: Callable[[str], Address | None] = lambda _model: None,
    ) -> None:
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import (  # noqa: PLC0415 - the same
            SERVICE_NAME,
            SERVICE_VERSION,
            OTELResourceDetector,
            Resource,
        )
        from opentelemetry.sdk.trace import SpanLimits, TracerProvider  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - the same

        # What OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say is stronger.
        about = Resource.create({SERVICE_NAME: "demitasse", SERVICE_VERSION: version})
        about = about.merge(OTELResourceDetector().detect())
        self._exporter, self._reader = spans, metrics
        self._address_of = address_of
        self._ids = _ids()
        self._tracers = TracerProvider(
            resource=about,
            span_limits=SpanLimits(max_attribute_length=_MOST_TEXT),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        self._tracers.add_span_processor(BatchSpanProcessor(spans))
        self._tracer = self._tracers.get_tracer("demitasse", version, SEMCONV)
        self._meters = MeterProvider([metrics], resource=about, shutdown_on_exit=False)
        meter = self._meters.get_meter("demitasse", version, SEMCONV)
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens paid for, by attempt.",
            explicit_bucket_boundaries_advisory=TOKEN_BOUNDS,
        )
        self._seconds = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="From the request to the end of its answer.",
            explicit_bucket_boundaries_advisory=SECOND_BOUNDS,
        )
        self._first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="From asking a model to the first chunk of its stream.",
            explicit_bucket_boundaries_advisory=SECOND_BOUNDS,
        )
        self._first_token = meter.create_histogram(
            "gen_ai.server.time_to_first_token",
            unit="s",
            description="From a client's request to the first word of its stream.",
            explicit_bucket_boundaries_advisory=SECOND_BOUNDS,
        )
        self._saved = meter.create_up_down_counter(
            "demitasse.saved", unit="{USD}", description="Saved against the reference, by cause."
        )
        self._found = meter.create_counter(
            "demitasse.guard.findings", unit="{finding}", description="Found in prompts, by type and what was done."
        )
        self._cost = meter.create_counter("demitasse.cost", unit="{USD}", description="Paid, by the model asked.")
        self._failed_once = False

    def observe(self, entry: Entry, trace: bytes | None) -> None:
        """Record a closed call soon, when the loop has nothing better to do; no answer waits for it.

        ``trace``: the request's W3C ``traceparent``, whose child the call becomes.
        """
        asyncio.get_running_loop().call_soon(self._record_safely, entry, trace)

    def _record_safely(self, entry: Entry, trace: bytes | None) -> None:
        try:
            self.record(entry, trace)
        except Exception:  # whatever goes wrong in the SDK, the gateway lives; said once, since it would repeat
            if not self._failed_once:
                log.exception("a call could not be told to OpenTelemetry; this is not said again")
            self._failed_once = True

    def record(self, entry: Entry, trace: bytes | None = None) -> None:
        """Make the spans and count the metrics of a closed call."""
        self._span(entry, trace)
        self._count(entry)

    def _span(self, entry: Entry, trace: bytes | None) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context  # noqa: PLC0415 - an extra

        operation = OPERATIONS[entry.kind]
        start_ns = entry.at_us * 1_000
        self._ids.call = call_ids(entry.id)
        span = self._tracer.start_span(
            f"{operation} {entry.asked_model}" if entry.route else operation,
            context=_parent(trace),
            kind=SpanKind.SERVER,
            attributes=call_attributes(entry),
            start_time=start_ns,
        )
        self._ids.call = None
        if span.is_recording():
            within = set_span_in_context(span)
            for attempt in entry.attempts:
                from_ns = attempt.started_us * 1_000
                child = self._tracer.start_span(
                    f"{operation} {attempt.upstream_model}",
                    context=within,
                    kind=SpanKind.CLIENT,
                    attributes=attempt_attributes(entry, attempt, self._address_of(attempt.model)),
                    start_time=from_ns,
                )
                if attempt.status in {"error", "broken"}:
                    child.set_status(Status(StatusCode.ERROR))
                child.end(from_ns + int(attempt.duration_ms * 1e6))
            if _failed(entry):
                span.set_status(Status(StatusCode.ERROR))
        span.end(start_ns + int(entry.duration_ms * 1e6))

    def _count(self, entry: Entry) -> None:
        operation = OPERATIONS[entry.kind]
        who: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": _provider(entry),
            "demitasse.cache": entry.cache,
        }
        if entry.route:
            who["gen_ai.request.model"] = entry.route
        if failed := _failed(entry):
            who["error.type"] = failed
        self._seconds.record(entry.duration_ms / 1e3, who)
        if entry.stream and entry.first_byte_ms is not None:
            self._first_token.record(entry.first_byte_ms / 1e3, who)
        for cause, nanos in entry.saved:
            self._saved.add(nanos / 1e9, {"demitasse.cause": cause, "demitasse.route": entry.route})
        for type, count in entry.guard.found if entry.guard is not None else ():
            self._found.add(count, {"demitasse.guard.type": type})
        for attempt in entry.attempts:
            what: Attributes = {
                "gen_ai.operation.name": operation,
                "gen_ai.provider.name": PROVIDERS.get(attempt.provider, attempt.provider),
                "gen_ai.request.model": attempt.model,
                "gen_ai.response.model": attempt.upstream_model,
            }
            if (address := self._address_of(attempt.model)) is not None:
                what |= {"server.address": address[0], "server.port": address[1]}
            if entry.stream and attempt.first_byte_ms is not None:
                self._first_chunk.record(attempt.first_byte_ms / 1e3, what)
            if attempt.usage is not None:
                self._tokens.record(attempt.usage.total_in, what | {"gen_ai.token.type": "input"})
                if attempt.usage.total_out or entry.kind != "embedding":
                    self._tokens.record(attempt.usage.total_out, what | {"gen_ai.token.type": "output"})
            if attempt.cost_nanos:
                self._cost.add(attempt.cost_nanos / 1e9, what | {"demitasse.team": entry.team or ""})

    def close(self) -> None:
        """Send what is left and stop; blocks for at most about twice ``CLOSE_S`` where nobody listens."""
        last = threading.Thread(target=self._tracers.shutdown, name="otel-last-spans", daemon=True)
        last.start()
        self._reader.shutdown(CLOSE_S * 1e3)
        last.join(CLOSE_S)
        if last.is_alive():
            self._exporter.shutdown()  # breaks its retries off; the provider's own way would wait for 30 s


class Traced:
    """A Model whose server is sent the trace's context, so that its own spans become children of the call's."""

    def __init__(self, model: Model) -> None:
        self.inner = model
        self.base_url: str = getattr(model, "base_url", "")

    def __repr__(self) -> str:
        return f"Traced({self.inner!r})"

    async def __call__(self, call: Call, send: Send) -> Reply:
        """As the model itself answers. Raises UpstreamError."""
        return await self.inner(
            structs.replace(call, headers=(*call.headers, ("traceparent", traceparent(call.id, call.trace)))), send
        )


def call_ids(id: str) -> tuple[int, int]:
    """Trace and span of a call: hashes of its id, so that whoever knows the one knows the others. The trace counts for a
    call that came without one."""
    digest = hashlib.blake2b(id.encode(), digest_size=24, person=b"dmt call span").digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:]) or 1


def traceparent(id: str, given: str) -> str:
    """What a server is told: the client's trace and its flags, else one of our own; the call's span as the parent."""
    trace, span = call_ids(id)
    theirs = _TRACEPARENT(given)
    if theirs is None or theirs[1] == "0" * 32 or theirs[2] == "0" * 16:
        return f"00-{trace:032x}-{span:016x}-01"
    return f"00-{theirs[1]}-{span:016x}-{int(theirs[3], 16) & 1:02x}"


def conversation(session: str) -> str:
    """A conversation's id: a hash, because a client may call its session whatever it likes."""
    return hashlib.blake2b(session.encode("utf-8", "surrogatepass"), digest_size=8, person=b"dmt otel").hexdigest()


def telemetry(
    endpoint: str, headers: str, *, version: str, address_of: Callable[[str], Address | None] = lambda _model: None
) -> Telemetry:
    """Telemetry that goes to a collector by OTLP over HTTP.

    Args:
        endpoint: the collector's address without ``/v1/traces``.
        headers: ``name=value,name=value``, percent-encoded as in ``OTEL_EXPORTER_OTLP_HEADERS``.

    Raises ConfigError when the extra is not installed, or the headers cannot be read.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415 - an extra
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - the same
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415 - the same
    except ImportError as why:
        raise ConfigError(
            "otel.endpoint: the OpenTelemetry SDK is not installed; install it with: pip install 'demitasse[otel]'"
        ) from why
    base, sent = endpoint.rstrip("/"), read_headers(headers)
    for name in _TALKATIVE:
        if not any(isinstance(f, _Seldom) for f in logging.getLogger(name).filters):
            logging.getLogger(name).addFilter(_Seldom())
    return Telemetry(
        OTLPSpanExporter(f"{base}/v1/traces", headers=sent, timeout=EXPORT_TIMEOUT_S),
        PeriodicExportingMetricReader(OTLPMetricExporter(f"{base}/v1/metrics", headers=sent, timeout=EXPORT_TIMEOUT_S)),
        version=version,
        address_of=address_of,
    )


def read_headers(text: str) -> Mapping[str, str]:
    """``name=value,name=value``; raises ConfigError without repeating a value, since they are secrets."""
    found = {}
    for number, part in enumerate(filter(None, (p.strip() for p in text.split(","))), 1):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"otel.headers_env: its entry {number} is no name=value; write e.g. api-key=…,x-team=…")
        found[name.strip().lower()] = unquote(value.strip())
    return found


_TALKATIVE = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.sdk._shared_internal",
)


class _Seldom(logging.Filter):
    """Lets one record through in ``QUIET_S``: a collector that is down is no news every five seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._next_s = 0.0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - logging's signature
        now_s = monotonic()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + QUIET_S
        return True


_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?").fullmatch


def _ids() -> Any:
    """Random ids, but for the span of a call, whose ids are told beforehand."""
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415 - an extra

    class Ids(RandomIdGenerator):
        call: tuple[int, int] | None = None

        def generate_trace_id(self) -> int:
            return self.call[0] if self.call is not None else super().generate_trace_id()

        def generate_span_id(self) -> int:
            return self.call[1] if self.call is not None else super().generate_span_id()

    return Ids()


def _parent(trace: bytes | None) -> Context:
    """The request's own trace, or a new one where it has none, or a malformed one."""
    from opentelemetry.context import Context  # noqa: PLC0415 - an extra

    if trace is None:
        return Context()
    return _propagator().extract({"traceparent": trace.decode("latin-1")}, Context())  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _propagator() -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - an extra

    return TraceContextTextMapPropagator()


def _provider(entry: Entry) -> str:
    """Who answered; a call that nobody was asked for was answered by us."""
    return PROVIDERS.get(entry.provider, entry.provider) if entry.provider else "demitasse"


def _failed(entry: Entry) -> str | None:
    """``error.type``: None for a call that was answered, or that its client gave up."""
    return None if entry.outcome in {"answered", "cancelled"} else _code(entry.error or entry.outcome)


def _code(error: str) -> str:
    """An upstream may put anything where a code should be; the conventions' word for that is ``_OTHER``."""
    return error if _SAFE_CODE(error) else "_OTHER"


def _usage(usage: Usage) -> Attributes:
    found: Attributes = {
        "gen_ai.usage.input_tokens": usage.total_in,
        "gen_ai.usage.output_tokens": usage.total_out,
    }
    if usage.cache_read:
        found["gen_ai.usage.cache_read.input_tokens"] = usage.cache_read
    if written := usage.cache_write_5m + usage.cache_write_1h:
        found["gen_ai.usage.cache_creation.input_tokens"] = written
    if usage.reasoning_out:
        found["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_out
    return found


def _guarded(guard: Guarded) -> Attributes:
    """Types, counts and bands; an Entry holds no value."""
    found: Attributes = {f"demitasse.guard.found.{type}": count for type, count in guard.found}
    found |= {f"demitasse.guard.hidden.{kind}": count for kind, count in guard.hidden}
    found["demitasse.guard.seconds"] = guard.took_us / 1e6
    if guard.band:
        found |= {"demitasse.guard.injection.band": guard.band, "demitasse.guard.injection.source": guard.source}
    for name, text in (("data_class", guard.data_class), ("stays", guard.stays)):
        if text:
            found[f"demitasse.guard.{name}"] = text
    if guard.done:
        found["demitasse.guard.done"] = sorted({f"{action} {what}" for action, what, _ in guard.done})
    if failed := [check.name for check in guard.checks if not check.passed]:
        found["demitasse.guard.failed_checks"] = failed
    return found


def _energy(energy: Energy) -> Attributes:
    return {
        f"demitasse.energy.{energy.method}.low_j": energy.low_uj / 1e6,
        f"demitasse.energy.{energy.method}.high_j": energy.high_uj / 1e6,
    }


def _energies(entry: Entry) -> dict[str, tuple[int, int]]:
    """Micro-joules by method: figures of different methods are never added up."""
    sums: dict[str, tuple[int, int]] = {}
    for attempt in entry.attempts:
        if (used := attempt.energy) is not None:
            low_uj, high_uj = sums.get(used.method, (0, 0))
            sums[used.method] = (low_uj + used.low_uj, high_uj + used.high_uj)
    return sums
