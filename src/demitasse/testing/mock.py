"""A provider on a socket: speaks the OpenAI format, counts what it served, and misbehaves on request.

It stands where a vendor would in tests and benchmarks, so it must never be what is measured: a raw protocol, no
framework. What it says is in `replies`; what can go wrong on the way is in `behaviours`. A behaviour is chosen by
the model's name (``mock-429``, ``mock-reset-after-37``) or by the body's member
``"mock": {"behave": …, "tokens": …, "delay_ms": …, "chunk_ms": …}``.

``GET /served`` tells what was served and since when (``?since=N`` skips the first N records), ``DELETE /served``
forgets it. A record counts the completion tokens that were really written, and whether the client hung up.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from typing import Any, Self, cast
from urllib.parse import parse_qs, unquote

import httptools
import msgspec
from msgspec import Struct

from . import replies
from .behaviours import BEHAVIOURS, ERRORS, PAGES, TWEAKS, behaviour, first_bytes, numbered
from .replies import Ask, Piece

MODELS = ("mock", "mock-embed", "mock/with/slashes")
_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    404: b"Not Found",
    429: b"Too Many Requests",
    500: b"Internal Server Error",
}
_RESET = struct.pack("ii", 1, 0)
_SLOW_FIRST_MS = 1500.0
_ask = msgspec.json.Decoder(Ask)


class Served(Struct):
    """One request as the provider's own books have it. ``id``: the body's ``user`` or ``x-request-id``."""

    n: int
    id: str
    path: str
    model: str
    stream: bool
    status: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    hung_up: bool = False
    done: bool = False


class MockUpstream:
    """The provider, in this process: ``async with MockUpstream() as up: … up.base_url``.

    Args:
        port: 0 picks a free one.
        tokens: words of an answer, where neither the request nor its limit says otherwise.
        delay_ms, chunk_ms: before the first byte, and between the events of a stream.
        key: when given, requests need it as a bearer token.
        keep: keep bodies and headers, as ``bodies`` and ``headers``.
        log: how many records ``served`` holds; the sums go on.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tokens: int = 16,
        delay_ms: float = 0.0,
        chunk_ms: float = 0.0,
        key: str | None = None,
        keep: bool = False,
        log: int = 200_000,
    ) -> None:
        self.host, self.port = host, port
        self.tokens, self.delay_ms, self.chunk_ms = tokens, delay_ms, chunk_ms
        self.key = key
        self.keep = keep
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[_Connection] = set()
        self.created = int(time.time())
        self._server: asyncio.Server | None = None
        self._tries: dict[str, int] = {}
        self._size = log
        self.reset()

    def reset(self) -> None:
        """Forget what was served."""
        self.served: deque[Served] = deque(maxlen=self._size)
        self.sums = {"requests": 0, "prompt_tokens": 0, "completion_tokens": 0, "hung_up": 0}

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}/v1"

    @property
    def under_way(self) -> int:
        """Answers being given at this moment."""
        return sum(1 for connection in self.connections if connection.record is not None)

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), self.host, self.port, backlog=2048)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection at once, whatever is under way."""
        if self._server is not None:
            self._server.close()
            for connection in list(self.connections):
                connection.abort()
            await asyncio.sleep(0)
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def begin(self, id: str, path: str, model: str, *, stream: bool) -> Served:
        """A new record. Requests are counted when they come, tokens when they go."""
        record = Served(self.sums["requests"], id, path, model, stream)
        self.sums["requests"] += 1
        self.served.append(record)
        return record

    def end(self, record: Served, *, hung_up: bool = False) -> None:
        record.done, record.hung_up = True, hung_up
        self.sums["prompt_tokens"] += record.prompt_tokens
        self.sums["completion_tokens"] += record.completion_tokens
        self.sums["hung_up"] += hung_up

    def fails_still(self, id: str, times: int) -> bool:
        """Count a try of a flaky request; true while it has not failed often enough."""
        self._tries[id] = self._tries.get(id, 0) + 1
        return self._tries[id] <= times

    def told(self, since: int = 0) -> dict[str, Any]:
        """What ``GET /served`` answers."""
        first = self.sums["requests"] - len(self.served)
        records = list(islice(self.served, max(0, since - first), None))
        return {**self.sums, "under_way": self.under_way, "records": records}


class _Connection(asyncio.Protocol):
    """One client's connection. Requests wait in a queue while an answer is being given."""

    def __init__(self, up: MockUpstream) -> None:
        self._up = up
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[tuple[bytes, bytes, dict[bytes, bytes], bytes, bool]] = deque()
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body = b""
        self._timer: asyncio.TimerHandle | None = None
        self._sending: deque[tuple[bytes, int]] = deque()
        self._ending = "done"
        self._pause_s = 0.0
        self._blocked = False
        self._keep_alive = True
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.record: Served | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self._up.connections.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()
            return
        if self.record is None:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._up.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self.record is not None:
            self._up.end(self.record, hung_up=True)
            self.record = None

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        if self.record is not None and self._sending and self._timer is None:
            self._step()

    # What httptools calls.

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        parser = self._parser
        self._queue.append((parser.get_method(), self._url, self._headers, self._body, parser.should_keep_alive()))
        self._url, self._headers, self._body = b"", {}, b""

    # The way of a request.

    def abort(self) -> None:
        self._transport.abort()

    def _next(self) -> None:
        while self._queue and self.record is None:
            method, url, headers, body, self._keep_alive = self._queue.popleft()
            path, _, query = url.partition(b"?")
            answer = _POSTS.get(path) if method == b"POST" else None
            if answer is not None:
                self._asked(answer, path, headers, body)
            else:
                self._told(method, path, query)

    def _told(self, method: bytes, path: bytes, query: bytes) -> None:
        """The mock's own facts: models and what was served."""
        up = self._up
        if path == b"/served" and method == b"DELETE":
            up.reset()
            self._write(200, b"{}")
        elif path == b"/served":
            since = parse_qs(query.decode()).get("since", ["0"])[0]
            self._write(200, msgspec.json.encode(up.told(int(since))))
        elif path == b"/v1/models":
            models = [_model(name, up.created) for name in MODELS]
            self._write(200, msgspec.json.encode({"object": "list", "data": models}))
        elif path.startswith(b"/v1/models/") and (name := unquote(path[11:].decode())) in MODELS:
            self._write(200, msgspec.json.encode(_model(name, up.created)))
        else:
            self._write(404, replies.error(404, f"the mock has no {path.decode('latin-1')}"))

    def _asked(
        self,
        answer: Callable[[_Connection, Ask, Served, str], None],
        path: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
    ) -> None:
        up = self._up
        if up.keep:
            up.bodies.append(body)
            up.headers.append({k.decode("latin-1"): v.decode("latin-1") for k, v in headers.items()})
        if up.key is not None and headers.get(b"authorization") != b"Bearer " + up.key.encode():
            self._write(401, replies.error(401, "the mock does not know this key", "invalid_api_key"))
            return
        try:
            ask = _ask.decode(body)
        except msgspec.DecodeError as error:
            self._write(400, replies.error(400, str(error)))
            return
        id = ask.user or headers.get(b"x-request-id", b"").decode("latin-1")
        record = self.record = up.begin(id, path.decode(), ask.model, stream=bool(ask.stream))
        behave = (ask.mock.behave if ask.mock is not None else None) or behaviour(ask.model)
        if behave:
            self._misbehave(answer, ask, record, behave)
        else:
            record.prompt_tokens = replies.prompt_tokens(ask)
            self._after(self._delay_ms(ask), lambda: answer(self, ask, record, ""))

    def _misbehave(
        self, answer: Callable[[_Connection, Ask, Served, str], None], ask: Ask, record: Served, behave: str
    ) -> None:
        name, number = numbered(behave)
        if name == "flaky" and self._up.fails_still(record.id, number):
            name = "500"
        delay_ms = self._delay_ms(ask) + (_SLOW_FIRST_MS if name == "slow-first" else 0.0)
        if name in ERRORS:
            self._after(delay_ms, lambda: self._error(name))
        elif name in PAGES:
            status, kind, page = PAGES[name]
            self._after(delay_ms, lambda: self._finish(status, page, kind=kind))
        elif name == "hang":
            record.status, record.prompt_tokens = 200, replies.prompt_tokens(ask)
        elif name in BEHAVIOURS:
            record.prompt_tokens = replies.prompt_tokens(ask)
            self._after(delay_ms, lambda: answer(self, ask, record, behave))
        else:
            self._finish(
                400, replies.error(400, f"the mock has no behaviour '{behave}'; it has: {', '.join(BEHAVIOURS)}")
            )

    def _error(self, name: str) -> None:
        status, sentence, later = ERRORS[name]
        codes = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
        body = replies.error(status, sentence, codes.get(status))
        self._finish(status, body, extra=b"retry-after: 1\r\n" if later else b"")

    def _delay_ms(self, ask: Ask) -> float:
        wish = ask.mock
        return wish.delay_ms if wish is not None and wish.delay_ms is not None else self._up.delay_ms

    def _after(self, delay_ms: float, do: Callable[[], None]) -> None:
        if delay_ms <= 0:
            do()
            return

        def due() -> None:
            self._timer = None
            do()
            self._next()

        self._timer = self._loop.call_later(delay_ms / 1e3, due)

    def _chat(self, ask: Ask, record: Served, behave: str) -> None:
        """Chat and completions, whole or as a stream."""
        up, wish = self._up, ask.mock
        tokens = wish.tokens if wish is not None and wish.tokens is not None else up.tokens
        said = replies.answer(ask, tokens)
        id = f"mock-{record.n}"
        prompt = record.prompt_tokens
        if ask.stream:
            events = replies.pieces(ask, said, (id, up.created), prompt, behave)
            ms = wish.chunk_ms if wish is not None and wish.chunk_ms is not None else up.chunk_ms
            self._stream(events, behave, ms / 1e3)
            return
        completion = said.tokens * (ask.n or 1)
        used = None if behave == "no-usage" else replies.usage(prompt, completion, behave)
        body = replies.whole(ask, said, id, up.created, used)
        if behave.startswith("reset-after-"):
            self._play([(_head(200, len(body)) + body, completion)], behave)
            return
        record.completion_tokens = completion
        self._finish(200, body[: len(body) // 2] if behave == "bad-json" else body)

    def _embed(self, ask: Ask, record: Served, behave: str) -> None:
        body = replies.embeddings(ask, record.prompt_tokens)
        if behave.startswith("reset-after-"):
            self._play([(_head(200, len(body)) + body, 0)], behave)
        else:
            self._finish(200, body)

    def _moderate(self, ask: Ask, record: Served, behave: str) -> None:  # noqa: ARG002 - as the others
        body = replies.moderations(ask)
        self._finish(200, body[: len(body) // 2] if behave == "bad-json" else body)

    def _stream(self, events: list[Piece], behave: str, pause_s: float) -> None:
        self._pause_s = pause_s
        framed = [(b"data: " + event.json + b"\n\n", event.tokens) for event in events]
        framed.append((b"data: [DONE]\n\n", 0))
        tweak = TWEAKS.get(behave)
        framed, ending = tweak(framed) if tweak is not None else (framed, "done")
        chunks = [(b"%x\r\n%b\r\n" % (len(data), data), tokens) for data, tokens in framed]
        chunks.insert(0, (_STREAM_HEAD, 0))
        if ending == "done":
            chunks.append((b"0\r\n\r\n", 0))
        self._play(chunks, behave, ending)

    def _play(self, chunks: list[tuple[bytes, int]], behave: str, ending: str = "done") -> None:
        name, number = numbered(behave)
        if name == "reset-after":
            chunks, ending = first_bytes(chunks, number), "reset"
        record = self.record
        assert record is not None
        record.status = 200
        self._sending, self._ending = deque(chunks), ending
        self._step()

    def _step(self) -> None:
        """Write the next event, and come back for the one after it."""
        self._timer = None
        record, sending = self.record, self._sending
        assert record is not None
        while sending and not self._blocked:
            data, tokens = sending.popleft()
            self._transport.write(data)
            record.completion_tokens += tokens
            if self._pause_s and sending and tokens:
                self._timer = self._loop.call_later(self._pause_s, self._step)
                return
        if not sending:
            self._end_of_stream(record)

    def _end_of_stream(self, record: Served) -> None:
        if self._ending == "hang":
            return
        self.record = None
        self._up.end(record)
        if self._ending == "reset":
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            # What was written must have left before the reset overtakes it.
            if self._transport.get_write_buffer_size():
                self._loop.call_later(0.05, self._transport.abort)
            else:
                self._transport.abort()
        elif self._ending == "cut" or not self._keep_alive:
            self._transport.close()
        else:
            self._next()

    def _finish(self, status: int, body: bytes, *, kind: bytes = b"application/json", extra: bytes = b"") -> None:
        record, self.record = self.record, None
        if record is not None:
            record.status = status
            self._up.end(record)
        self._write(status, body, kind=kind, extra=extra)

    def _write(self, status: int, body: bytes, *, kind: bytes = b"application/json", extra: bytes = b"") -> None:
        self._transport.write(_head(status, len(body), kind, extra) + body)
        if not self._keep_alive:
            self._transport.close()


_POSTS: dict[bytes, Callable[[_Connection, Ask, Served, str], None]] = {
    b"/v1/chat/completions": _Connection._chat,  # noqa: SLF001 - the table of this module's own class
    b"/v1/completions": _Connection._chat,  # noqa: SLF001 - the same
    b"/v1/embeddings": _Connection._embed,  # noqa: SLF001 - the same
    b"/v1/moderations": _Connection._moderate,  # noqa: SLF001 - the same
}

_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)


@lru_cache(maxsize=1024)
def _head(status: int, length: int, kind: bytes = b"application/json", extra: bytes = b"") -> bytes:
    reason = _REASONS.get(status, b"Mock")
    return b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b\r\n" % (status, reason, kind, length, extra)


def _model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "demitasse"}
