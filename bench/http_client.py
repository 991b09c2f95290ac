"""What an HTTP client costs: µs of CPU per POST, and per piece of a stream, for `small`, `aiohttp` and a bare socket.

    python bench/http_client.py                  # about half a minute
    python bench/http_client.py --seconds 2 --rounds 9

The upstream is a process of its own. The bare socket (one write, one future, no HTTP) is the floor that the kernel and
uvloop set; what a client costs itself is the difference. Writes bench/out/http_client.json. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from typing import Any

import uvloop
from machine import Watch, facts, table, write

from demitasse.providers.http import HttpClient, Origin, Settings, choose, encode_headers

BODY = b'{"model":"gpt-5.1","messages":[{"role":"user","content":"%s"}]}' % (b"a" * 220)
ANSWER = (
    b"HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 06:00:00 GMT\r\nserver: uvicorn\r\ncontent-type: application/json\r\n"
    b"content-length: 300\r\nx-request-id: 0123456789abcdef\r\n\r\n" + b"{" + b"x" * 298 + b"}"
)
PIECES = 200
PIECE = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % (b"w" * 200)
HEADERS = encode_headers([(b"content-type", b"application/json"), (b"authorization", b"Bearer sk-0123456789")])


class Upstream(asyncio.Protocol):
    """Answers every write of the client; ``GET /stream`` with pieces sent one at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET /stream"):
            self.streaming = asyncio.ensure_future(self.stream())
        else:
            self.transport.write(ANSWER)

    async def stream(self) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(PIECES):
            await asyncio.sleep(0.0005)
            self.transport.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
        self.transport.write(b"0\r\n\r\n")


class Bare(asyncio.Protocol):
    """The floor."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.loop = asyncio.get_running_loop()

    def data_received(self, _data: bytes) -> None:
        self.answered.set_result(None)

    async def ask(self, request: bytes) -> None:
        self.answered = self.loop.create_future()
        self.transport.write(request)
        await self.answered


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def posts(client: HttpClient, origin: Origin, connections: int, seconds: float) -> tuple[float, int]:
    """CPU seconds, requests."""
    until, done = time.perf_counter() + seconds, 0

    async def one() -> None:
        nonlocal done
        while time.perf_counter() < until:
            for _ in range(20):
                answer = await client.post(origin, b"/v1/chat/completions", HEADERS, BODY)
                await answer.read()
            done += 20

    before = time.process_time()
    await asyncio.gather(*(one() for _ in range(connections)))
    return time.process_time() - before, done


async def bare_posts(port: int, connections: int, seconds: float) -> tuple[float, int]:
    until, done = time.perf_counter() + seconds, 0
    request = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n%bcontent-length: %d\r\n\r\n%b" % (
        HEADERS,
        len(BODY),
        BODY,
    )
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_connection(Bare, "127.0.0.1", port) for _ in range(connections)]

    async def one(bare: Bare) -> None:
        nonlocal done
        while time.perf_counter() < until:
            for _ in range(20):
                await bare.ask(request)
            done += 20

    before = time.process_time()
    await asyncio.gather(*(one(bare) for _, bare in pairs))
    used = time.process_time() - before
    for transport, _ in pairs:
        transport.close()
    return used, done


async def streams(client: HttpClient, origin: Origin, connections: int, seconds: float) -> tuple[float, int]:
    """CPU seconds, pieces that came."""
    until, done = time.perf_counter() + seconds, 0

    async def one() -> None:
        nonlocal done
        while time.perf_counter() < until:
            answer = await client.get(origin, b"/stream", HEADERS)
            async for _ in answer:
                done += 1

    before = time.process_time()
    await asyncio.gather(*(one() for _ in range(connections)))
    return time.process_time() - before, done


async def measure(port: int, seconds: float, rounds: int) -> dict[str, dict[str, list[float]]]:
    """µs per request or piece: figures[what][who] is one number for each round."""
    origin = Origin.parse(f"http://127.0.0.1:{port}")
    clients = {kind: choose(Settings(client=kind), {}) for kind in ("small", "aiohttp")}
    figures: dict[str, dict[str, list[float]]] = {}

    def note(what: str, who: str, result: tuple[float, int]) -> None:
        used_s, count = result
        figures.setdefault(what, {}).setdefault(who, []).append(round(used_s / count * 1e6, 2))

    for _ in range(rounds):  # interleaved, so that a busy moment hits all alike
        for connections in (1, 16, 64):
            what = f"post at {connections}"
            note(what, "bare", await bare_posts(port, connections, seconds))
            for kind, client in clients.items():
                note(what, kind, await posts(client, origin, connections, seconds))
        for kind, client in clients.items():
            note("piece at 16", kind, await streams(client, origin, 16, seconds))
    for client in clients.values():
        await client.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        uvloop.run(serve())
        return
    with subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True) as upstream:
        assert upstream.stdout is not None
        port = int(upstream.stdout.readline())
        with Watch([upstream.pid]) as watch:
            figures = uvloop.run(measure(port, asked.seconds, asked.rounds))
        upstream.terminate()
    median = {what: {who: statistics.median(rounds) for who, rounds in by.items()} for what, by in figures.items()}
    result = {"machine": facts() | watch.facts(), "unit": "µs CPU", "median": median, "rounds": figures}
    rows = [
        [what, *(by.get(who, "–") for who in ("bare", "small", "aiohttp")), _times(by)] for what, by in median.items()
    ]
    print(table(rows, ["µs CPU per", "bare", "small", "aiohttp", "aiohttp / small"]))
    print("written to", write("http_client", result))


def _times(by: dict[str, float]) -> str:
    return f"{by['aiohttp'] / by['small']:.1f}"


if __name__ == "__main__":
    main()
