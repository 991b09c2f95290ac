"""What both clients behind the seam do with an honest upstream."""

import asyncio

import pytest
from http_both import JSON

from demitasse.core.errors import ConfigError
from demitasse.providers.http import (
    BadRequest,
    BadResponse,
    ConnectFailed,
    HttpError,
    Origin,
    Settings,
    TimedOut,
    Timeouts,
    choose,
)
from demitasse.testing.scripted import Scripted, answering, chunked, ok

SSE = [b'data: {"n":1}\n\n', b'data: {"n":2}\n\n', "data: é\n\n".encode(), b"data: [DONE]\n\n"]


async def test_a_request_is_sent_as_asked(client):
    async with Scripted(answering(ok(b'{"a":1}'))) as up:
        origin = Origin.parse(up.url + "/v1/")
        answer = await client.post(origin, b"/chat/completions?x=%20", [(b"X-Own", b"caf\xc3\xa9")], b"hello")
        assert (answer.status, await answer.read()) == (200, b'{"a":1}')
    sent = up.requests[0]
    assert (sent.method, sent.target, sent.body) == (b"POST", b"/v1/chat/completions?x=%20", b"hello")
    assert {name.lower(): value for name, value in sent.headers.items()} == {
        b"host": up.url.removeprefix("http://").encode(),
        b"accept-encoding": b"identity",
        b"content-length": b"5",
        b"x-own": b"caf\xc3\xa9",
    }


async def test_get_sends_no_body(client):
    async with Scripted(answering(ok())) as up:
        answer = await client.get(Origin.parse(up.url), b"/models", JSON)
        assert await answer.read() == b"{}"
    assert up.requests[0].method == b"GET"
    assert b"content-length" not in up.requests[0].headers


async def test_headers_come_with_lower_case_names_and_all_their_values(client):
    async with Scripted(answering(ok(headers=b"Retry-After: 3\r\nX-A: 1\r\nx-a:  2 \r\n"))) as up:
        answer = await client.post(Origin.parse(up.url), b"/", JSON, b"")
        assert (answer.header(b"retry-after"), answer.header(b"x-a"), answer.header(b"x-b")) == (b"3", b"1", None)
        assert [value for name, value in answer.headers if name == b"x-a"] == [b"1", b"2"]
        await answer.read()


async def test_a_connection_serves_one_call_after_another(client):
    async with Scripted(answering(ok(b"1"), chunked(b"2"), ok(b""), ok(b"4"))) as up:
        origin = Origin.parse(up.url)
        assert [await (await client.post(origin, b"/", JSON, b"x")).read() for _ in range(4)] == [b"1", b"2", b"", b"4"]
        assert up.connections == 1


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_ends_with_its_head(client, status):
    async with Scripted(answering(b"HTTP/1.1 %d No\r\n\r\n" % status, ok(b"next"))) as up:
        origin = Origin.parse(up.url)
        answer = await client.post(origin, b"/", JSON, b"x")
        assert (answer.status, await answer.read()) == (status, b"")
        assert await (await client.post(origin, b"/", JSON, b"x")).read() == b"next"
        assert up.connections == 1


async def test_interim_answers_are_skipped(client):
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    async with Scripted(answering(interim + ok(b"real"))) as up:
        answer = await client.post(Origin.parse(up.url), b"/", JSON, b"x")
        assert (answer.status, answer.header(b"link"), await answer.read()) == (200, None, b"real")


async def test_trailers_are_not_headers(client):
    async with Scripted(answering(chunked(b"ab", trailers=b"x-late: 1\r\n"), ok(b"next"))) as up:
        origin = Origin.parse(up.url)
        answer = await client.post(origin, b"/", JSON, b"x")
        assert await answer.read() == b"ab"
        assert answer.header(b"x-late") is None
        assert await (await client.post(origin, b"/", JSON, b"x")).read() == b"next"
        assert up.connections == 1


async def test_a_body_without_a_length_ends_with_the_connection(client):
    async def script(peer):
        await peer.request()
        await peer.send_apart(b"HTTP/1.1 200 OK\r\n\r\nab")
        await peer.send_apart(b"cd")

    async with Scripted(script) as up:
        assert await (await client.post(Origin.parse(up.url), b"/", JSON, b"x")).read() == b"abcd"


async def test_http_1_0_closes(client):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab")

    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        for _ in range(2):
            assert await (await client.post(origin, b"/", JSON, b"x")).read() == b"ab"
        assert up.connections == 2


async def test_connection_close_is_obeyed(client):
    async with Scripted(answering(ok(b"a", headers=b"connection: close\r\n"))) as up:
        origin = Origin.parse(up.url)
        for _ in range(2):
            assert await (await client.post(origin, b"/", JSON, b"x")).read() == b"a"
        assert up.connections == 2


async def test_pieces_come_as_they_are_sent(client):
    go = asyncio.Event()

    async def script(peer):
        await peer.request()
        whole = chunked(*SSE)
        first = whole.index(SSE[0]) + len(SSE[0])
        await peer.send(whole[:first])
        await go.wait()
        await peer.send(whole[first:])

    async with Scripted(script) as up:
        answer = await client.post(Origin.parse(up.url), b"/", JSON, b"x")
        pieces = aiter(answer)
        assert await anext(pieces) == SSE[0]
        go.set()
        assert b"".join([piece async for piece in pieces]) == b"".join(SSE[1:])


async def test_a_large_body_arrives_whole(client):
    async def script(peer):
        while True:
            request = await peer.request()
            await peer.send(ok(request.body))

    body = bytes(range(256)) * 20_000
    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        for sent in (body, b"", b"a", body):
            assert await (await client.post(origin, b"/", JSON, sent)).read() == sent


async def test_a_body_over_the_readers_limit_is_refused(client):
    async with Scripted(answering(ok(b"x" * 5000))) as up:
        origin = Origin.parse(up.url)
        with pytest.raises(BadResponse, match="more than 4999 bytes"):
            await (await client.post(origin, b"/", JSON, b"")).read(4999)
        assert len(await (await client.post(origin, b"/", JSON, b"")).read(5000)) == 5000


async def test_an_endless_body_is_refused_at_the_limit(client):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.send(b"x" * 100_000)

    async with Scripted(script) as up:
        with pytest.raises(BadResponse, match="more than 1000000 bytes"):
            await (await client.post(Origin.parse(up.url), b"/", JSON, b"")).read(1_000_000)


async def test_redirects_are_answers(client):
    async with Scripted(
        answering(b"HTTP/1.1 307 See\r\nlocation: http://evil.test/\r\ncontent-length: 0\r\n\r\n")
    ) as up:
        answer = await client.post(Origin.parse(up.url), b"/", JSON, b"")
        assert (answer.status, await answer.read()) == (307, b"")
        assert len(up.requests) == 1


async def test_cookies_are_not_kept(client):
    async with Scripted(answering(ok(headers=b"set-cookie: a=b; path=/\r\n"))) as up:
        origin = Origin.parse(up.url)
        for _ in range(2):
            await (await client.post(origin, b"/", JSON, b"")).read()
        assert b"cookie" not in up.requests[1].headers


@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\nx-evil: 1"),
        (b"x", b"a\nb"),
        (b"x", b"a\0b"),
        (b"x\r\ny", b"a"),
        (b"x y", b"a"),
        (b"", b"a"),
        (b"Content-Length", b"5"),
        (b"transfer-encoding", b"chunked"),
        (b"Host", b"other"),
    ],
)
async def test_a_header_that_could_pose_as_something_else_is_not_sent(client, header):
    async with Scripted(answering(ok())) as up:
        with pytest.raises(BadRequest) as caught:
            await client.post(Origin.parse(up.url), b"/", [header], b"")
        assert not caught.value.sent
        assert up.requests == []


@pytest.mark.parametrize("path", [b"/a b", b"/a\r\nx: y", b"a", b"/\xc3\xa9", b"/a\0"])
async def test_a_path_that_could_pose_as_something_else_is_not_sent(client, path):
    async with Scripted(answering(ok())) as up:
        with pytest.raises(BadRequest):
            await client.post(Origin.parse(up.url), path, JSON, b"")
        assert up.connections == 0


async def test_a_refused_connection_was_never_billed(client):
    async with Scripted(answering(ok())) as up:
        url = up.url
    with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1:\d+.*is it running") as caught:
        await client.post(Origin.parse(url), b"/", JSON, b"")
    assert not caught.value.sent


async def test_an_unknown_name_was_never_billed(client):
    with pytest.raises(ConnectFailed, match=r"nowhere\.invalid:80.*check base_url") as caught:
        await client.post(Origin.parse("http://nowhere.invalid"), b"/", JSON, b"")
    assert not caught.value.sent


async def test_a_closed_client_refuses(client):
    async with Scripted(answering(ok())) as up:
        origin = Origin.parse(up.url)
        await (await client.post(origin, b"/", JSON, b"")).read()
        await client.close()
        with pytest.raises(ConnectFailed, match="closed"):
            await client.post(origin, b"/", JSON, b"")


async def test_close_breaks_off_what_is_in_flight(client):
    arrived = asyncio.Event()

    async def script(peer):
        await peer.request()
        arrived.set()
        await peer.until_closed()

    async with Scripted(script) as up:
        call = asyncio.ensure_future(client.post(Origin.parse(up.url), b"/", JSON, b""))
        await arrived.wait()
        await client.close()
        with pytest.raises(HttpError, match="closed") as caught:
            await call
        assert caught.value.sent


async def test_origins_with_the_same_host_share_connections(client):
    async with Scripted(answering(ok())) as up:
        for base in ("/v1", "/v2", ""):
            await (await client.post(Origin.parse(up.url + base), b"/", JSON, b"")).read()
        assert up.connections == 1
        assert [request.target for request in up.requests] == [b"/v1/", b"/v2/", b"/"]


async def test_calls_beyond_the_limit_wait_in_line_and_none_is_mixed_up(kind):
    most = 0

    async def script(peer):
        nonlocal most
        while True:
            request = await peer.request()
            most = max(most, up.open)
            await asyncio.sleep(0.001)
            whole = chunked(request.body[:3], request.body[3:]) if len(request.body) % 2 else ok(request.body)
            await peer.send(whole)

    client = choose(Settings(client=kind, max_connections=8), {})
    async with Scripted(script) as up:
        origin = Origin.parse(up.url)

        async def call(number):
            body = b"call" + b"%d" % number * (number % 5 + 1)
            answer = await client.post(origin, b"/", JSON, body)
            return await answer.read() == body

        assert all(await asyncio.gather(*(call(number) for number in range(100))))
        assert most <= 8
        assert up.connections <= 8
        await client.close()


async def test_waiting_in_line_has_its_own_limit(kind):
    release = asyncio.Event()

    async def script(peer):
        while True:
            await peer.request()
            await release.wait()
            await peer.send(ok())

    client = choose(Settings(client=kind, max_connections=1, sweep_s=0.02), {})
    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        first = asyncio.ensure_future(client.post(origin, b"/", JSON, b""))
        await asyncio.sleep(0.02)
        with pytest.raises(TimedOut, match="all connections were busy") as caught:
            await client.post(origin, b"/", JSON, b"", Timeouts(queue_s=0.05))
        assert (caught.value.phase, caught.value.sent) == ("queue", False)
        release.set()
        await (await first).read()
        await (await client.post(origin, b"/", JSON, b"")).read()
        assert up.connections == 1
        await client.close()


def test_an_origin_is_read_from_its_base_url():
    origin = Origin.parse("https://API.Example.com/v1/")
    assert (origin.host, origin.port, origin.tls) == ("api.example.com", 443, True)
    assert (origin.host_header, origin.base_path) == (b"api.example.com", b"/v1")
    assert Origin.parse("http://[::1]:8000").host_header == b"[::1]:8000"
    assert Origin.parse("http://[::1]:8000").name == "[::1]:8000"
    assert Origin.parse("http://bücher.example").host == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000",
        "ftp://x/",
        "http://",
        "http://a:b@x/",
        "http://x/?q",
        "http://x:99999/",
        "http://a b/",
        "http://x/a b",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ConfigError):
        Origin.parse(url)
