"""A TCP server that plays byte-exact scripts, for what no honest HTTP server would send. Knows requests, never answers.

async def script(peer):
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\ncontent-le")
    peer.reset()

async with Scripted(script) as up:
    ...  # up.url, up.requests, up.connections
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, NamedTuple, Self


class Request(NamedTuple):
    """``target`` is the request line's second word, ``headers`` have lower-case names."""

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes
    head: bytes
    """Request line and headers to the byte."""


class Peer:
    """One connection, from the server's side. ``nth`` counts from 0."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nth: int, log: list[Request]
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.nth = nth
        self._log = log

    async def request(self) -> Request:
        """The next whole request. Raises asyncio.IncompleteReadError when the client closes instead."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        line, *lines = head[:-4].split(b"\r\n")
        method, target, _ = line.split(b" ", 2)
        headers = {name.lower(): value for name, _, value in (each.partition(b": ") for each in lines)}
        body = await self.reader.readexactly(int(headers.get(b"content-length", b"0")))
        request = Request(method, target, headers, body, head)
        self._log.append(request)
        return request

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def send_apart(self, data: bytes) -> None:
        """As `send`, and gives the client time to see it alone."""
        await self.send(data)
        await asyncio.sleep(0.002)

    def reset(self) -> None:
        """Ends the connection by RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_closed(self) -> None:
        """Returns when the client has closed its side; what it sends until then is dropped."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass


Script = Callable[[Peer], Awaitable[object]]


class Scripted:
    """Plays ``script`` for each connection and closes it when the script returns."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.open = 0
        self._script = script
        self._tls = tls
        self._host = host
        self._playing: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server
        self.port = 0

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._play, self._host, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._playing:
            task.cancel()
        if self._playing:
            await asyncio.wait(self._playing)
        await self._server.wait_closed()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._playing.add(task)
        nth, self.connections, self.open = self.connections, self.connections + 1, self.open + 1
        try:
            await self._script(Peer(reader, writer, nth, self.requests))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client went, or the test is over
        finally:
            self.open -= 1
            self._playing.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


def answering(*answers: bytes) -> Script:
    """Answers request after request with these bytes, the last one again and again."""

    async def script(peer: Peer) -> None:
        left = list(answers)
        while True:
            await peer.request()
            await peer.send(left.pop(0) if len(left) > 1 else left[0])

    return script


def ok(body: bytes = b"{}", *, headers: bytes = b"") -> bytes:
    """A plain 200 with a content-length. ``headers`` are whole lines."""
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n%b" % (
        headers,
        len(body),
        body,
    )


def chunked(*pieces: bytes, trailers: bytes = b"", headers: bytes = b"") -> bytes:
    """A 200 in chunks, with its end."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n%btransfer-encoding: chunked\r\n\r\n" % headers
    return head + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n%b\r\n" % trailers
