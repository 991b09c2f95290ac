"""Answers that are not HTTP, or ambiguous about where they end: refused, and their connection is never used again."""

import asyncio

import pytest
from http_both import JSON

from demitasse.providers.http import MAX_HEAD, BadResponse, HttpError, Origin
from demitasse.testing.scripted import Scripted, answering, ok

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
MALFORMED = {
    "html": b"<html><body>502</body></html>\r\n\r\n",
    "empty lines": b"\r\n\r\nnonsense",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "long status": b"HTTP/1.1 2000 OK\r\n\r\n",
    "http/2": b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    "switching": b"HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
    "length and chunked": OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked and length": OK + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "two lengths": OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\nabc",
    "a list of lengths": OK + b"content-length: 2, 3\r\n\r\nabc",
    "a signed length": OK + b"content-length: +2\r\n\r\nab",
    "a negative length": OK + b"content-length: -2\r\n\r\nab",
    "a length in hex": OK + b"content-length: 0x2\r\n\r\nab",
    "no length's digits": OK + b"content-length: \r\n\r\nab",
    "a length beyond 64 bits": OK + b"content-length: 99999999999999999999999\r\n\r\nab",
    "an unknown coding": OK + b"transfer-encoding: xchunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "a coding besides chunked": OK + b"transfer-encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "chunked not last": OK + b"transfer-encoding: chunked, gzip\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "a compressed body": ok(b"\x1f\x8b", headers=b"content-encoding: gzip\r\n"),
    "a space before the colon": OK + b"transfer-encoding : chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "a header without a name": OK + b": x\r\ncontent-length: 2\r\n\r\nab",
    "NUL in a header": OK + b"x: a\0b\r\ncontent-length: 2\r\n\r\nab",
    "CR in a header": OK + b"x: a\rb\r\ncontent-length: 2\r\n\r\nab",
    "a negative chunk": CHUNKED + b"-2\r\nab\r\n0\r\n\r\n",
    "a chunk size in words": CHUNKED + b"two\r\nab\r\n0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x2\r\nab\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": CHUNKED + b"fffffffffffffffff\r\nab\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"2\r\nabX\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_not_http_is_refused(client, kind, name):
    async def script(peer):
        while True:
            await peer.request()
            await peer.send(MALFORMED[name])

    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        for nth in range(2):
            if (kind, name) == ("aiohttp", "a space before the colon"):  # it is forgiving here, and reads it as meant
                assert await (await client.post(origin, b"/", JSON, b"x")).read() == b"ab"
                continue
            with pytest.raises(BadResponse, match=r"127.0.0.1:\d+ sent an answer that cannot be used") as caught:
                await (await client.post(origin, b"/", JSON, b"x")).read()
            assert caught.value.sent
            assert kind == "aiohttp" or up.connections == nth + 1


@pytest.mark.parametrize(
    "head",
    [
        b"".join(b"x-%d: %s\r\n" % (n, b"y" * 1000) for n in range(100)),
        b"x: " + b"y" * (MAX_HEAD + 100) + b"\r\n",
        b"x: " + b"y" * (1 << 20) + b"\r\n",
    ],
)
async def test_a_head_beyond_the_limit_is_refused(client, head):
    async with Scripted(answering(OK + head + b"content-length: 2\r\n\r\nab")) as up:
        with pytest.raises(HttpError):
            await client.post(Origin.parse(up.url), b"/", JSON, b"x")


@pytest.mark.parametrize(
    ("begin", "drip"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nx: ", b"y" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"x: y\r\n" * 100),
        (CHUNKED + b"1\r\na\r\n0\r\nx: ", b"y" * 1000),
        (CHUNKED + b"1;", b"y" * 1000),
    ],
    ids=["headers", "a header", "interim answers", "trailers", "a trailer", "a chunk's extension"],
)
async def test_an_upstream_cannot_send_forever_without_a_body(client, kind, begin, drip):
    if kind == "aiohttp" and begin in (b"", CHUNKED + b"1;", CHUNKED + b"1\r\na\r\n0\r\nx: "):
        pytest.skip("aiohttp has no limit here; our timeouts end it")

    async def script(peer):
        await peer.request()
        await peer.send(begin)
        while True:
            await peer.send(drip)
            await asyncio.sleep(0)

    async with Scripted(script) as up:
        with pytest.raises(HttpError):
            await asyncio.wait_for(_read(client, up), 20)


async def _read(client, up):
    return await (await client.post(Origin.parse(up.url), b"/", JSON, b"x")).read()


@pytest.mark.parametrize(
    "surplus",
    [b"garbage", b"HTTP", ok(b"poison"), ok(b""), b"\0", b"0\r\n\r\n"],
)
async def test_bytes_after_an_answer_never_become_part_of_one(client, kind, surplus):
    async def script(peer):
        request = await peer.request()
        await peer.send(ok(request.body) + surplus)
        while True:
            request = await peer.request()
            await peer.send(ok(request.body))

    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        for body in (b"1", b"22", b"333"):
            try:
                assert await (await client.post(origin, b"/", JSON, body)).read() == body
            except BadResponse:  # the bytes came together: aiohttp then refuses the whole
                assert kind == "aiohttp"
        assert kind == "aiohttp" or up.connections == 3


async def test_bytes_that_come_while_idle_never_become_an_answer(client):
    async def script(peer):
        while True:
            request = await peer.request()
            await peer.send(ok(request.body))
            await peer.send_apart(b"")
            await peer.send(ok(b"poison"))

    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        for body in (b"1", b"22", b"333"):
            assert await (await client.post(origin, b"/", JSON, body)).read() == body
            await asyncio.sleep(0.02)
        assert up.connections == 3
