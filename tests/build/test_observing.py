"""A gateway that tells a collector: a small OTLP receiver on a socket, and collectors that are not there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra is not installed: pip install 'demitasse[otel]'")

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from demitasse.core.errors import ConfigError
from demitasse.providers import otel
from demitasse.testing import MockUpstream
from tests.build.test_app import Site
from tests.story.asgi import ask, chat

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECRETS = ("the colour of my front door", "the answer nobody else may read", "a system prompt", "a session of mine")


class Collector:
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, str], bytes]] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers["content-length"]))
                self.posts.append((head[0].split()[1], headers, body))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()

    def spans(self) -> list[Any]:
        found = []
        for path, _, body in self.posts:
            if path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    found += [span for scope in resource.scope_spans for span in scope.spans]
        return found

    def metrics(self) -> set[str]:
        found = set()
        for path, _, body in self.posts:
            if path == "/v1/metrics":
                for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    found |= {metric.name for scope in resource.scope_metrics for metric in scope.metrics}
        return found


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.write()
        yield site


async def test_a_call_arrives_at_the_collector_as_spans_and_metrics(site: Site) -> None:
    collector = Collector()
    async with collector.listening() as url:
        site.env["OTEL_KEYS"] = "api-key=se%20cret"
        site.write(more=f'[otel]\nendpoint = "{url}"\nheaders_env = "OTEL_KEYS"\n')
        async with site.app() as app:
            assert app.banner().telemetry == url
            answer = await ask(app.gateway, chat(model="mock"), headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
            assert answer.status == 200
            missing = await ask(app.gateway, chat(model="nobody's"))
            assert missing.status == 404
    call, attempt = sorted((s for s in collector.spans() if s.trace_id.hex() == TRACE), key=lambda s: s.kind)
    assert call.parent_span_id.hex() == SPAN
    assert attempt.parent_span_id == call.span_id
    assert attributes(call)["demitasse.call.id"] == answer.headers["x-request-id"]
    assert f"{attributes(call)['demitasse.cost_usd']:.9f}" == answer.headers["x-demitasse-cost-usd"]
    (refused,) = (s for s in collector.spans() if s.trace_id.hex() != TRACE)
    assert attributes(refused)["error.type"] == "model_not_found"
    assert collector.metrics() == {"gen_ai.client.token.usage", "gen_ai.client.operation.duration", "demitasse.cost"}
    assert {headers["api-key"] for _, headers, _ in collector.posts} == {"se cret"}


async def test_nothing_that_was_said_is_ever_sent(site: Site) -> None:
    collector = Collector()
    async with collector.listening() as url:
        site.write(more=f'[otel]\nendpoint = "{url}"\n')
        async with site.app() as app:
            said = {"messages": [{"role": "system", "content": SECRETS[2]}, {"role": "user", "content": SECRETS[0]}]}
            for more in ({}, {"stream": True}, {"model": SECRETS[1]}, {"messages": SECRETS[0]}):
                body = {"model": "mock", "user": SECRETS[1], "metadata": {"a": SECRETS[1]}} | said | more
                await ask(app.gateway, body, headers={"x-demitasse-session": SECRETS[3], "tracestate": SECRETS[1]})
            await ask(app.gateway, b'{"model": "' + SECRETS[0].encode())
    assert len(collector.spans()) >= 6
    sent = b"".join(body for _, _, body in collector.posts)
    assert not [text for text in SECRETS if text.encode() in sent]


@pytest.mark.parametrize("collector", ["nobody listens", "it never answers"])
async def test_a_dead_collector_harms_no_call_and_no_end(site: Site, monkeypatch: Any, collector: str) -> None:
    monkeypatch.setattr(otel, "CLOSE_S", 0.2)
    hung = asyncio.Event()

    async def never(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hung.wait()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if collector == "nobody listens":
        server.close()
    site.write(more=f'[otel]\nendpoint = "http://127.0.0.1:{port}"\n')
    async with site.app() as app:
        for number in range(20):
            answer = await ask(app.gateway, chat(f"number {number}", model="mock"))
            assert answer.status == 200
        assert len(app.books.entries(last=50)) == 20
    hung.set()
    server.close()


async def test_a_collector_is_taken_up_and_given_up_without_a_restart(site: Site) -> None:
    collector = Collector()
    async with collector.listening() as url, site.app() as app:
        await ask(app.gateway, chat("before", model="mock"))
        site.write(more=f'[otel]\nendpoint = "{url}"\n')
        await app.take_up(site.read())
        await ask(app.gateway, chat("during", model="mock"))
        site.write()
        await app.take_up(site.read())
        await ask(app.gateway, chat("after", model="mock"))
        assert len(collector.spans()) == 2
        assert app.gateway.steps.observe is None


async def test_without_the_extra_the_start_says_what_to_install(site: Site, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    site.write(more='[otel]\nendpoint = "http://127.0.0.1:4318"\n')
    with pytest.raises(ConfigError, match=r"pip install 'demitasse\[otel\]'"):
        async with site.app():
            pass


async def test_headers_that_are_not_there_are_named(site: Site) -> None:
    site.write(more='[otel]\nendpoint = "http://127.0.0.1:4318"\nheaders_env = "OTEL_KEYS"\n')
    with pytest.raises(ConfigError, match="OTEL_KEYS is not set"):
        async with site.app():
            pass


def test_the_sdk_is_not_imported_by_a_gateway_that_tells_nobody() -> None:
    code = "import sys, demitasse.build, demitasse.providers.otel; sys.exit('opentelemetry' in str(sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
