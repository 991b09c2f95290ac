"""A small pooled HTTP/1.1 client on asyncio.Protocol and httptools. Knows `http.py`'s seam; knows no proxy, no HTTP/2.

It is thrifty on purpose: a call on an open connection is one write, one future and one wake-up; timeouts are looked at
by one sweep a few times a second instead of a timer for each call. What happens on a connection is in `http_wire`; here
a `_Pool` for each upstream hands connections out, first come first served.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable
from typing import Any

from .dial import dial
from .http import (
    DEFAULT_TIMEOUTS,
    ConnectFailed,
    HeaderBlock,
    Headers,
    Origin,
    Phase,
    Response,
    Settings,
    Timeouts,
    connect_failed,
    encode_headers,
    request_head,
    timed_out,
    tls_context,
)
from .http_wire import HEAD, NEVER, Exchange, Wire

_WAYS = 512
_BREATH_S = 0.002
"""Enough for an event loop to look at its sockets; with 0 uvloop would not."""


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
        total_by = NEVER if timeouts.total_s is None else now + timeouts.total_s
        while True:
            wire = pool.idle.pop() if pool.idle else await self._obtain(pool, timeouts, total_by)
            if not wire.transport.is_closing():
                break
            wire.drop()
            if not wire.reused:
                raise _closed_at_once(origin)
        if self._sweeper is None:
            self._sweep_later()
        exchange = Exchange(wire, timeouts, total_by)
        wire.begin(exchange, (head, block), body)
        await exchange.wait(HEAD)
        if exchange.status == 0:
            raise exchange.error  # type: ignore[misc]
        return exchange

    async def _obtain(self, pool: _Pool, timeouts: Timeouts, total_by: float) -> Wire:
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

    async def _connect(self, pool: _Pool, timeouts: Timeouts, total_by: float) -> Wire:
        loop, origin = pool.loop, pool.origin
        by = min(loop.time() + timeouts.connect_s, total_by)
        context = tls_context(origin.ca_file) if origin.tls else None
        try:
            async with asyncio.timeout_at(by):
                sock = await dial(origin.host, origin.port)
                _, wire = await loop.create_connection(
                    lambda: Wire(pool), sock=sock, ssl=context, server_hostname=origin.host if context else None
                )
        except TimeoutError as error:
            if error.errno is not None:  # the network's own
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
            self._sweeper = self._loop.call_later(_BREATH_S, self._sweep)
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
        self.wires: set[Wire] = set()
        self.idle: list[Wire] = []
        """The last one given back is the first one used."""
        self._max_idle = settings.max_idle
        self._keep_s = settings.keep_tls_s if origin.tls else settings.keep_plain_s
        self._queue: deque[tuple[asyncio.Future[Wire | None], Timeouts, float, float]] = deque()

    async def wait_turn(self, timeouts: Timeouts, total_by: float) -> Wire | None:
        """A connection that was given back, or None: a slot to open one in."""
        turn: asyncio.Future[Wire | None] = self.loop.create_future()
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

    def give_back(self, wire: Wire) -> None:
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
            wire.idle_by = self.loop.time() + min(self._keep_s, wire.keep_s)
            self.idle.append(wire)

    def free_slot(self) -> None:
        while self._queue:
            turn = self._queue.popleft()[0]
            if not turn.done():
                turn.set_result(None)
                return
        self.slots -= 1

    def gone(self, wire: Wire) -> None:
        """Once for each connection that held a slot."""
        if wire in self.idle:
            self.idle.remove(wire)
        self.free_slot()

    def lost(self, wire: Wire) -> None:
        self.wires.discard(wire)

    def sweep(self, now: float) -> None:
        for wire in [w for w in self.wires if w.exchange is not None]:
            wire.check_time(now)
        for wire in [w for w in self.idle if now > w.idle_by]:
            wire.drop()
        for turn, timeouts, queue_by, total_by in self._queue:
            if not turn.done() and now > min(queue_by, total_by):
                phase: Phase = "queue" if queue_by <= total_by else "total"
                turn.set_exception(timed_out(self.origin, phase, timeouts, sent=False))
        if any(entry[0].done() for entry in self._queue):
            self._queue = deque(entry for entry in self._queue if not entry[0].done())

    def shut(self) -> list[Wire]:
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


def _closed_at_once(origin: Origin) -> ConnectFailed:
    return ConnectFailed(f"{origin.name} closed the connection as soon as it was open; nothing was sent")
