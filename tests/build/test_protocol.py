"""The server's connections: what strangers may send before anybody knows who they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from demitasse.build import protocol
from demitasse.build.protocol import MAX_HEAD_BYTES, Protocol

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = b"%s %d" % (scope["path"].encode(), size)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def connect() -> AsyncIterator[Any]:
    config = uvicorn.Config(echo, http=Protocol, lifespan="off", log_config=None)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Protocol(config=config, server_state=ServerState(), app_state={}), "127.0.0.1"
    )
    port = server.sockets[0].getsockname()[1]
    opened: list[asyncio.StreamWriter] = []

    async def connect() -> Ends:
        ends = await asyncio.open_connection("127.0.0.1", port)
        opened.append(ends[1])
        return ends

    yield connect
    for writer in opened:
        writer.close()
    server.close()
    await server.wait_closed()


async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, piece: bytes) -> tuple[bytes, int]:
    """Send ``piece`` again and again until the other end has enough; what it said, and how much that took."""
    sent = 0
    try:
        while sent < 4 * MAX_HEAD_BYTES and not reader.at_eof():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
            sent += len(piece)
    except ConnectionError:
        return b"", sent
    try:
        return await asyncio.wait_for(reader.read(), 2), sent
    except ConnectionError:
        return b"", sent


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nhost: x\r\nx-long: ", b"GET / HTTP/1.1\r\n"])
async def test_a_head_without_end_is_not_kept(connect: Any, start: bytes) -> None:
    reader, writer = await connect()
    writer.write(start)
    piece = b"x-more: " + b"y" * 1000 + b"\r\n" if start.endswith(b"\r\n") else b"y" * 1000
    said, sent = await until_closed(reader, writer, piece)
    assert sent < 4 * MAX_HEAD_BYTES
    assert said == b"" or said.startswith(b"HTTP/1.1 431 ")


async def test_large_bodies_and_many_requests_on_one_connection_are_no_large_head(connect: Any) -> None:
    reader, writer = await connect()
    for n in range(5):
        body = b"z" * (3 * MAX_HEAD_BYTES)
        writer.write(b"POST /%d HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (n, len(body)) + body)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        said = b"/%d %d" % (n, len(body))
        assert await reader.readexactly(len(said)) == said
    for n in range(200):
        writer.write(b"GET /%d HTTP/1.1\r\nhost: x\r\nx-pad: %s\r\n\r\n" % (n, b"p" * 1000))
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(b"/%d 0" % n))


async def test_a_sender_that_trickles_its_head_or_sends_none_is_let_go(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.1)
    silent, _ = await connect()
    reader, writer = await connect()
    writer.write(b"GET /first HTTP/1.1\r\nhost: x\r\n\r\n")
    await reader.readuntil(b"/first 0")
    await asyncio.sleep(0.3)
    writer.write(b"GET /second HTTP/1.1\r\nhost: x\r\n\r\n")
    await reader.readuntil(b"/second 0")  # idle between requests is another clock's business
    writer.write(b"GET /third HTTP/1.1\r\nx-slow: ")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert await asyncio.wait_for(silent.read(), 5) == b""
