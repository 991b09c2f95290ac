"""A connection and the exchange on it: writes a request, reads the answer, judges whether it may serve again.

Knows HTTP/1.1's bytes; knows not where the connection came from or who gets it next: that is the pool's, a `Keeper`.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, Protocol

import httptools

from .http import (
    HIGH_WATER,
    MAX_BODY,
    MAX_HEAD,
    BadResponse,
    BrokenOff,
    HttpError,
    Origin,
    Phase,
    Timeouts,
    framing_fault,
    timed_out,
)

NEVER = float("inf")
HEAD: Final = 0
_PIECE: Final = 1
_END: Final = 2
"""What a waiting reader waits for."""

_COPY_LIMIT = 64 << 10
"""A body up to this size is joined to its head: one copy is cheaper than a second write."""


class Keeper(Protocol):
    """Who keeps connections to one upstream."""

    origin: Origin
    loop: asyncio.AbstractEventLoop

    def give_back(self, wire: Wire) -> None:
        """It can serve again."""

    def gone(self, wire: Wire) -> None:
        """It serves no more; once for each connection that held a slot."""

    def lost(self, wire: Wire) -> None:
        """Its socket is closed."""


class Exchange:
    """One request and its answer: a `Response`. Keeps what has come; the connection is its only while more can come."""

    __slots__ = (
        "_waiter",
        "_wants",
        "_wire",
        "done",
        "error",
        "headers",
        "high_water",
        "paused",
        "pieces",
        "received",
        "size",
        "started",
        "status",
        "timeouts",
        "total_by",
    )

    def __init__(self, wire: Wire, timeouts: Timeouts, total_by: float) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.received = 0
        self.pieces: list[bytes] = []
        self.size = 0
        self.high_water = HIGH_WATER
        self.paused = False
        self.done = False
        self.error: HttpError | None = None
        self.timeouts = timeouts
        self.total_by = total_by
        self.started = wire.loop.time()
        self._wire = wire
        self._waiter: asyncio.Future[None] | None = None
        self._wants = HEAD

    def header(self, name: bytes) -> bytes | None:
        for known, value in self.headers:
            if known == name:
                return value
        return None

    async def read(self, limit: int = MAX_BODY) -> bytes:
        if not self.done and self.size <= limit:
            self.high_water = limit
            if self.paused:
                self._wire.resume(self)
            await self.wait(_END)
        if self.size > limit:
            self.abort()
            raise BadResponse(
                f"{self._wire.pool.origin.name} answered with more than {limit} bytes; the connection was closed"
            )
        if self.error is not None:
            raise self.error
        return self._take()

    def __aiter__(self) -> Exchange:
        return self

    async def __anext__(self) -> bytes:
        if not self.pieces:
            if not self.done:
                await self.wait(_PIECE)
            if not self.pieces:
                if self.error is not None:
                    raise self.error
                raise StopAsyncIteration
        piece = self._take()
        if self.paused:
            self._wire.resume(self)
        return piece

    def abort(self) -> None:
        if not self.done:
            wire = self._wire
            wire.fail(wire.broken_off("the call was given up on this side"))

    async def wait(self, wants: int) -> None:
        """Until the head, a piece or the end is there, or an error."""
        if self._waiter is not None:
            raise RuntimeError("one response is being read by two tasks")
        self._wants = wants
        waiter = self._waiter = self._wire.loop.create_future()
        try:
            await waiter
        except asyncio.CancelledError:
            self._waiter = None
            self.abort()
            raise

    def wake(self) -> None:
        """After anything that came."""
        waiter = self._waiter
        if waiter is None:
            return
        if not self.done:
            wants = self._wants
            if not (self.status if wants == HEAD else self.size > (self.high_water if wants == _END else 0)):
                return
        self._waiter = None
        if not waiter.done():
            waiter.set_result(None)

    def _take(self) -> bytes:
        pieces = self.pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.pieces = []
        self.size = 0
        return body


class Wire(asyncio.Protocol):
    """A connection. ``closed`` once it may not be used any more; ``lost`` is done when the socket is."""

    def __init__(self, pool: Keeper) -> None:
        self.pool = pool
        self.loop = pool.loop
        self.transport: asyncio.Transport
        self.exchange: Exchange | None = None
        self.closed = False
        self.holds_slot = False
        """From when its opener has it; should opening be cancelled, the opener frees the slot."""
        self.reused = False
        self.since = 0.0
        """When its answer was last seen to grow."""
        self.idle_by = 0.0
        self.keep_s = NEVER
        """How long the upstream said it would wait for another request, less a second."""
        self.fresh = False
        """Something has come since the last sweep."""
        self.lost: asyncio.Future[None] = pool.loop.create_future()
        self._barren = 0
        """Bytes in a row that brought no body: a head, trailers, chunk extensions."""
        self._refused = ""
        self._complete = False
        self._keep = False
        self._surplus = -1
        """Pieces that belong to the answer, when bytes came after its end."""
        self._until_close = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        self._parser: Any = httptools.HttpResponseParser(self)

    # The transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.drop()  # nobody asked: whatever it is, the next answer could not be trusted
            return
        self.fresh = True
        exchange.received += len(data)
        refused = ""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._complete:
                refused = f"not valid HTTP ({error})"
            elif self._surplus < 0:
                self._surplus = len(self._pieces)
        self._collect(exchange, len(data))
        refused = self._refused or refused
        if refused:
            self.fail(BadResponse(f"{self.pool.origin.name} sent an answer that cannot be used: {refused}"))
        elif self._complete:
            self._finish(exchange)
        else:
            if exchange.size > exchange.high_water and not exchange.paused:
                exchange.paused = True
                self.transport.pause_reading()
            exchange.wake()

    def eof_received(self) -> None:
        exchange = self.exchange
        if exchange is not None and exchange.status and self._until_close:
            self._surplus = 0
            self._finish(exchange)

    def connection_lost(self, error: Exception | None) -> None:
        if self.exchange is not None:
            self.fail(self.broken_off(f"it was lost ({error})" if error else "the upstream closed it"))
        self.drop()
        self.pool.lost(self)
        self._parser = None  # it holds us
        if not self.lost.done():
            self.lost.set_result(None)

    # The parser's calls

    def on_message_begin(self) -> None:
        if self._complete and self._surplus < 0:
            self._surplus = len(self._pieces)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        headers, self._headers = self._headers, []  # trailers go to the new list, and with it
        exchange = self.exchange
        if exchange is None or self._complete:
            return
        status = self._parser.get_status_code()
        if status < 200:
            if status == 101:
                self._refused = "status 101, though no other protocol was asked for"
            return
        if not self.reused and not self._parser.get_http_version().startswith("1."):
            self._refused = f"HTTP version {self._parser.get_http_version()}"
        self._until_close = status not in (204, 304)
        for name, value in headers:
            if name in _FRAMING:
                if name == b"keep-alive":
                    self.keep_s = _keep_s(value)
                    continue
                self._refused = self._refused or framing_fault([(name, value)])
                if name != b"content-encoding":
                    self._until_close = False
        if exchange.received > MAX_HEAD and sum(len(name) + len(value) for name, value in headers) > MAX_HEAD:
            self._refused = f"a head of more than {MAX_HEAD} bytes"
        if not self._refused:
            exchange.status = status
            exchange.headers = headers

    def on_message_complete(self) -> None:
        exchange = self.exchange
        if exchange is not None and exchange.status:
            self._complete = True
            self._keep = self._parser.should_keep_alive()  # it knows only here

    # Ours

    def begin(self, exchange: Exchange, head: tuple[bytes, bytes], body: bytes | None) -> None:
        """Sends the request."""
        self.exchange = exchange
        self.fresh = False
        self._barren = 0
        self._until_close = False
        if body is None:
            self.transport.write(b"%b%b\r\n" % head)
        elif len(body) <= _COPY_LIMIT:
            self.transport.write(b"%b%bcontent-length: %d\r\n\r\n%b" % (*head, len(body), body))
        else:
            self.transport.write(b"%b%bcontent-length: %d\r\n\r\n" % (*head, len(body)))
            self.transport.write(body)

    def resume(self, exchange: Exchange) -> None:
        exchange.paused = False
        if not self.closed:
            self.fresh = True  # the silence was ours
            self.transport.resume_reading()

    def check_time(self, now: float) -> None:
        exchange = self.exchange
        assert exchange is not None
        timeouts = exchange.timeouts
        phase: Phase
        if now > exchange.total_by:
            phase = "total"
        elif not exchange.status:
            if now - exchange.started <= timeouts.first_byte_s:
                return
            phase = "first_byte"
        elif self.fresh or exchange.paused:
            self.fresh = False
            self.since = now
            return
        elif now - self.since <= timeouts.idle_s:
            return
        else:
            phase = "idle"
        self.fail(timed_out(self.pool.origin, phase, timeouts, sent=True))

    def broken_off(self, how: str) -> BrokenOff:
        received = self.exchange.received if self.exchange is not None else 0
        what = f"{received} bytes of the answer had come" if received else "no byte of an answer had come"
        return BrokenOff(
            f"connection to {self.pool.origin.name}: {how}; {what}, and the call may have been billed",
            received=received,
            reused=self.reused,
        )

    def fail(self, error: HttpError) -> None:
        """Ends the exchange with ``error`` and closes the connection."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None and not exchange.done:
            exchange.done = True
            exchange.error = error
            exchange.wake()
        self.drop()

    def drop(self) -> None:
        """Closes at once; the slot is free from now on. May be called twice."""
        if not self.closed:
            self.closed = True
            self.transport.abort()
            if self.holds_slot:
                self.pool.gone(self)

    def _collect(self, exchange: Exchange, fed: int) -> None:
        """Gives the exchange the pieces of body that the parser found."""
        pieces = self._pieces
        if self._surplus >= 0:
            del pieces[self._surplus :]
        if pieces:
            piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            exchange.pieces.append(piece)
            exchange.size += len(piece)
            self._barren = 0
        elif not self._complete:
            self._barren += fed
            if self._barren > MAX_HEAD:
                self._refused = f"a head, trailer or chunk size of more than {MAX_HEAD} bytes"

    def _finish(self, exchange: Exchange) -> None:
        """The answer is whole: the connection is free for the next call, or closed where it is not fit for one."""
        self.exchange = None
        self._complete = False
        exchange.done = True
        exchange.wake()
        transport = self.transport
        if self._surplus >= 0 or not self._keep or self.keep_s <= 0 or transport.get_write_buffer_size():
            self.drop()
            return
        self.reused = True
        if exchange.paused:
            transport.resume_reading()
        self.pool.give_back(self)


def _keep_s(value: bytes) -> float:
    """From ``timeout=5, max=100``."""
    told = re.search(rb"\btimeout=(\d{1,6})\b", value)
    return int(told[1]) - 1.0 if told else NEVER


_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"content-encoding", b"keep-alive"))
