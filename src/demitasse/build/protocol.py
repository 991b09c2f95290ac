"""uvicorn's HTTP protocol, with a line to the connection itself for what ASGI makes dear.

ASGI can tell of a hang-up only by a ``receive`` that somebody awaits, a task for every call; and it takes a whole answer in two
messages whose headers are looked at one by one. Together that is a third of uvicorn's CPU for a short answer. The gateway
gets by without this line: under other servers, and in tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ..gateway.http import LINE

MAX_HEAD_BYTES = 64 << 10
"""Request line and headers together; nobody is known before they are whole, so nobody may make us keep more."""
HEAD_S = 30.0
"""How long a request's head may take, from the connection or its first byte on: a sender that trickles holds a connection."""
_IN_BODY = -(1 << 62)


class Protocol(HttpToolsProtocol):
    """One connection."""

    _head_bytes = 0
    """What has come since the last request ended, as long as its successor's head is not whole."""

    _late: asyncio.TimerHandle | None = None
    _large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._late = self.loop.call_later(HEAD_S, self._too_late)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > 0 and self._late is None:  # a head that came in pieces; most come whole
            self._late = self.loop.call_later(HEAD_S, self._too_late)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        # A head may have come whole with one piece of what the socket had; only then it is measured.
        if self._head_bytes > MAX_HEAD_BYTES and self._measured() > MAX_HEAD_BYTES:
            self._large = True
            raise ValueError("the head is too large")  # which ends the parsing; see send_400_response
        self._head_bytes = _IN_BODY
        self._in_time()
        super().on_headers_complete()
        if self.cycle is not None:
            cast("dict[str, Any]", self.scope)[LINE] = ConnectionLine(self.cycle)

    def _measured(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def send_400_response(self, msg: str) -> None:
        if not self._large:
            super().send_400_response(msg)
            return
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_TOO_LARGE)
        self.transport.close()

    def _in_time(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()

    def _too_late(self) -> None:
        self._late = None
        if (
            self.cycle is not None and not self.cycle.response_complete
        ):  # an answer is under way; the next head can wait
            self._late = self.loop.call_later(HEAD_S, self._too_late)
        elif self.transport is not None and not self.transport.is_closing():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            line: ConnectionLine | None = cast("dict[str, Any]", cycle.scope).get(LINE)
            if line is not None:
                line.hung_up()


_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class ConnectionLine:
    """One request's connection; implements ``gateway.http.Line``."""

    __slots__ = ("_call", "_cycle", "_gone")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._call: Callable[[], object] | None = None
        self._gone = False

    def tell(self, call: Callable[[], object] | None) -> None:
        self._call = call
        if self._gone and call is not None:
            call()

    def hung_up(self) -> None:
        self._gone = True
        if self._call is not None:
            self._call()

    def piece(self, data: bytes) -> bool:
        cycle = self._cycle
        if cycle.disconnected:
            return True  # as ASGI has it: nobody is there to read it
        if not cycle.chunked_encoding or cycle.response_complete or cycle.flow.write_paused:
            return False
        cycle.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    def respond(self, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        cycle = self._cycle
        if cycle.disconnected or cycle.response_started:
            return
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        parts = [b"HTTP/1.1 200 OK\r\n"]
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n", body)
        cycle.transport.write(b"".join(parts))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
