"""uvicorn's HTTP protocol, with a line to the connection itself for what ASGI makes dear.

ASGI can tell of a hang-up only by a ``receive`` that somebody awaits, a task for every call; and it takes a whole answer in two
messages whose headers are looked at one by one. Together that is a third of uvicorn's CPU for a short answer. The gateway
gets by without this line: under other servers, and in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ..gateway.http import LINE

MAX_HEAD_BYTES = 64 << 10
"""Request line and headers together; nobody is known before they are whole, so nobody may make us keep more."""
_IN_BODY = -(1 << 62)


class Protocol(HttpToolsProtocol):
    """One connection."""

    _head_bytes = 0
    """What has come since the last request ended, as long as its successor's head is not whole."""

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        self._head_bytes = _IN_BODY
        super().on_headers_complete()
        if self.cycle is not None:
            cast("dict[str, Any]", self.scope)[LINE] = ConnectionLine(self.cycle)

    def connection_lost(self, exc: Exception | None) -> None:
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
