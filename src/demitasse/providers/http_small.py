"""A small pooled HTTP/1.1 client on asyncio.Protocol and httptools. Knows `http.py`'s seam; knows no proxy, no HTTP/2.

It is thrifty on purpose: a call on an open connection is one write, one future and one wake-up; timeouts are looked at
by one sweep a few times a second instead of a timer for each call. A connection (`_Wire`) serves one exchange
(`_Exchange`) at a time; a `_Pool` for each upstream hands connections out, first come first served.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable
from typing import Any, Final

import httptools

from .dial import dial
from .http import (
    DEFAULT_TIMEOUTS,
    HIGH_WATER,
    MAX_BODY,
    MAX_HEAD,
    BadResponse,
    BrokenOff,
    ConnectFailed,
    HeaderBlock,
    Headers,
    HttpError,
    Origin,
    Phase,
    Response,
    Settings,
    Timeouts,
    connect_failed,
    encode_headers,
    framing_fault,
    request_head,
    timed_out,
    tls_context,
)

_COPY_LIMIT = 64 << 10
"""A body up to this size is joined to its head: one copy is cheaper than a second write."""
_WAYS = 512
_NEVER = float("inf")

_HEAD: Final = 0
_PIECE: Final = 1
_END: Final = 2
"""What a waiting reader waits for."""


class SmallClient:
    """See `HttpClient`. One event loop, the one of the first call, is the only one it may be used in."""

    def __init__(self, settings: Settings = Settings()) -> None:  # noqa: B008 - frozen
        self._settings = settings
        self._tick_s = settings.sweep_s
        self._pools: dict[tuple[Any, ...], _Pool] = {}
        """By `Origin.key`."""
        self._ways: dict[tuple[Origin, bytes, bytes], tuple[_Pool, bytes]] = {}
        """What origin, method and path come to: the pool, and the beginning of the head."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweeper: asyncio.Handle | None = None
        self._due = 0.0
        self._closed = False

    def post(
        self,
        origin: Origin,
        path: bytes,
        headers: Headers | HeaderBlock,
        body: bytes,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> Awaitable[Response]:
        return self._exchange(origin, b"POST", path, headers, body, timeouts)

    def get(
        self, origin: Origin, path: bytes, headers: Headers | HeaderBlock, timeouts: Timeouts = DEFAULT_TIMEOUTS
    ) -> Awaitable[Response]:
        return self._exchange(origin, b"GET", path, headers, None, timeouts)

    async def close(self) -> None:
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        open_wires = [wire for pool in self._pools.values() for wire in pool.shut()]
        if open_wires:
            await asyncio.wait([wire.lost for wire in open_wires], timeout=2.0)
        self._pools.clear()
        self._ways.clear()

    async def _exchange(
        self,
        origin: Origin,
        method: bytes,
        path: bytes,
        headers: Headers | HeaderBlock,
        body: bytes | None,
        timeouts: Timeouts,
    ) -> Response:
        pool, head = self._ways.get((origin, method, path)) or self._find_way(origin, method, path)
        block = headers if isinstance(headers, bytes) else encode_headers(headers)
        now = pool.loop.time()
        total_by = _NEVER if timeouts.total_s is None else now + timeouts.total_s
        while True:
            wire = pool.idle.pop() if pool.idle else await self._obtain(pool, timeouts, total_by)
            if not wire.transport.is_closing():
                break
            wire.drop()
            if not wire.reused:
                raise _closed_at_once(origin)
        if self._sweeper is None:
            self._sweep_later()
        exchange = _Exchange(wire, timeouts, total_by)
        wire.begin(exchange, (head, block), body)
        await exchange.wait(_HEAD)
        if exchange.status == 0:
            raise exchange.error  # type: ignore[misc]
        return exchange

    async def _obtain(self, pool: _Pool, timeouts: Timeouts, total_by: float) -> _Wire:
        """A connection that another call gave back, or a new one."""
        if self._closed:
            raise ConnectFailed("the HTTP client is closed; nothing was sent")
        if pool.slots < self._settings.max_connections:
            pool.slots += 1
        else:
            if self._sweeper is None:
                self._sweep_later()
            wire = await pool.wait_turn(timeouts, total_by)
            if wire is not None:
                return wire
        try:
            return await self._connect(pool, timeouts, total_by)
        except BaseException:
            pool.free_slot()
            raise

    async def _connect(self, pool: _Pool, timeouts: Timeouts, total_by: float) -> _Wire:
        loop, origin = pool.loop, pool.origin
        by = min(loop.time() + timeouts.connect_s, total_by)
        context = tls_context(origin.ca_file) if origin.tls else None
        try:
            async with asyncio.timeout_at(by):
                sock = await dial(origin.host, origin.port)
                _, wire = await loop.create_connection(
                    lambda: _Wire(pool), sock=sock, ssl=context, server_hostname=origin.host if context else None
                )
        except TimeoutError as error:
            if loop.time() < by:  # the network's own
                raise connect_failed(origin, error) from error
            raise timed_out(origin, "total" if by == total_by else "connect", timeouts, sent=False) from None
        except (OSError, ssl.SSLError) as error:
            raise connect_failed(origin, error) from error
        if self._closed:
            wire.drop()
            raise ConnectFailed("the HTTP client was closed; nothing was sent")
        if wire.closed:
            raise _closed_at_once(origin)
        wire.holds_slot = True
        pool.wires.add(wire)
        return wire

    def _find_way(self, origin: Origin, method: bytes, path: bytes) -> tuple[_Pool, bytes]:
        head = request_head(method, origin, path)
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        pool = self._pools.get(origin.key)
        if pool is None:
            pool = self._pools[origin.key] = _Pool(origin, self._settings, self._loop)
        if len(self._ways) >= _WAYS:
            self._ways.clear()
        self._ways[origin, method, path] = pool, head
        return pool, head

    def _sweep_later(self) -> None:
        assert self._loop is not None
        self._due = self._loop.time() + self._tick_s
        self._sweeper = self._loop.call_at(self._due, self._sweep)

    def _sweep(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        if now > self._due + self._tick_s:
            # The loop was held up. Let it read what came meanwhile before anybody is called late.
            self._due = now
            self._sweeper = self._loop.call_later(0, self._sweep)
            return
        for pool in self._pools.values():
            pool.sweep(now)
        if any(pool.slots for pool in self._pools.values()):
            self._sweep_later()
        else:  # forget upstreams that are not in use any more
            self._sweeper = None
            self._pools.clear()
            self._ways.clear()


class _Pool:
    """The connections to one upstream. ``slots`` counts those open, being opened, and promised to a waiter."""

    def __init__(self, origin: Origin, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self.loop = loop
        self.slots = 0
        self.wires: set[_Wire] = set()
        self.idle: list[_Wire] = []
        """The last one given back is the first one used; the one idle the longest stands in front."""
        self._max_idle = settings.max_idle
        self._keep_s = settings.keep_tls_s if origin.tls else settings.keep_plain_s
        self._queue: deque[tuple[asyncio.Future[_Wire | None], Timeouts, float, float]] = deque()

    async def wait_turn(self, timeouts: Timeouts, total_by: float) -> _Wire | None:
        """A connection that was given back, or None: a slot to open one in."""
        turn: asyncio.Future[_Wire | None] = self.loop.create_future()
        self._queue.append((turn, timeouts, self.loop.time() + timeouts.queue_s, total_by))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                wire = turn.result()  # our turn came, but nobody is here to take it
                if wire is None:
                    self.free_slot()
                else:
                    self.give_back(wire)
            raise

    def give_back(self, wire: _Wire) -> None:
        if wire.closed:
            return
        while self._queue:
            turn = self._queue.popleft()[0]
            if not turn.done():
                turn.set_result(wire)
                return
        if len(self.idle) >= self._max_idle:
            wire.drop()
        else:
            wire.since = self.loop.time()
            self.idle.append(wire)

    def free_slot(self) -> None:
        while self._queue:
            turn = self._queue.popleft()[0]
            if not turn.done():
                turn.set_result(None)
                return
        self.slots -= 1

    def gone(self, wire: _Wire) -> None:
        """Once for each connection that held a slot."""
        if wire in self.idle:
            self.idle.remove(wire)
        self.free_slot()

    def sweep(self, now: float) -> None:
        for wire in [w for w in self.wires if w.exchange is not None]:
            wire.check_time(now)
        while self.idle and now - self.idle[0].since > self._keep_s:
            self.idle[0].drop()
        for turn, timeouts, queue_by, total_by in self._queue:
            if not turn.done() and now > min(queue_by, total_by):
                phase: Phase = "queue" if queue_by <= total_by else "total"
                turn.set_exception(timed_out(self.origin, phase, timeouts, sent=False))
        if any(entry[0].done() for entry in self._queue):
            self._queue = deque(entry for entry in self._queue if not entry[0].done())

    def shut(self) -> list[_Wire]:
        """Closes everything; what it returns is not yet lost."""
        for turn, *_ in self._queue:
            if not turn.done():
                turn.set_exception(ConnectFailed("the HTTP client was closed; nothing was sent"))
        self._queue.clear()
        for wire in tuple(self.wires):
            if wire.exchange is not None:
                wire.fail(wire.broken_off("the HTTP client was closed"))
            wire.drop()
        return [wire for wire in self.wires if not wire.lost.done()]


class _Exchange:
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

    def __init__(self, wire: _Wire, timeouts: Timeouts, total_by: float) -> None:
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
        self._wants = _HEAD

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

    def __aiter__(self) -> _Exchange:
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
            if not (self.status if wants == _HEAD else self.size > (self.high_water if wants == _END else 0)):
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


class _Wire(asyncio.Protocol):
    """A connection. ``closed`` once it may not be used any more; ``lost`` is done when the socket is."""

    def __init__(self, pool: _Pool) -> None:
        self.pool = pool
        self.loop = pool.loop
        self.transport: asyncio.Transport
        self.exchange: _Exchange | None = None
        self.closed = False
        self.holds_slot = False
        """From when its opener has it; should opening be cancelled, the opener frees the slot."""
        self.reused = False
        self.since = 0.0
        """When it became idle, or when its answer was last seen to grow."""
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
        self._parser = httptools.HttpResponseParser(self)

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
        self.pool.wires.discard(self)
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

    def begin(self, exchange: _Exchange, head: tuple[bytes, bytes], body: bytes | None) -> None:
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

    def resume(self, exchange: _Exchange) -> None:
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

    def _collect(self, exchange: _Exchange, fed: int) -> None:
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

    def _finish(self, exchange: _Exchange) -> None:
        """The answer is whole: the connection is free for the next call, or closed where it is not fit for one."""
        self.exchange = None
        self._complete = False
        exchange.done = True
        exchange.wake()
        transport = self.transport
        if self._surplus >= 0 or not self._keep or transport.get_write_buffer_size():
            self.drop()
            return
        self.reused = True
        if exchange.paused:
            transport.resume_reading()
        self.pool.give_back(self)


def _closed_at_once(origin: Origin) -> ConnectFailed:
    return ConnectFailed(f"{origin.name} closed the connection as soon as it was open; nothing was sent")


_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"content-encoding"))
