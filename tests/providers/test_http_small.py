"""What only the small client promises: no detours on the hot path, and fairness to upstreams when the loop is held up."""

import asyncio
import socket
import threading
import time

import pytest
from http_both import JSON

from demitasse.providers.http import Origin, Settings, Timeouts
from demitasse.providers.http_small import SmallClient
from demitasse.testing.scripted import Scripted, answering, chunked, ok


@pytest.fixture
async def small():
    client = SmallClient(Settings(sweep_s=0.02))
    yield client
    await client.close()


@pytest.mark.parametrize("answer", [ok(b"abc"), chunked(b"a", b"bc")])
async def test_an_answer_that_came_at_once_is_read_without_waiting(small, answer):
    async with Scripted(answering(answer)) as up:
        reading = (await small.post(Origin.parse(up.url), b"/", JSON, b"x")).read()
        with pytest.raises(StopIteration) as ended:
            reading.send(None)
        assert ended.value.value == b"abc"


async def test_a_call_on_an_open_connection_waits_once(small):
    async with Scripted(answering(ok(b"abc"))) as up:
        origin = Origin.parse(up.url)
        await (await small.post(origin, b"/", JSON, b"x")).read()
        calling = small.post(origin, b"/", JSON, b"x").__await__()
        waits = [next(calling)]
        while not waits[-1].done():
            await asyncio.sleep(0)
        with pytest.raises(StopIteration) as ended:
            next(calling)
        assert await ended.value.value.read() == b"abc"


async def test_what_came_while_nobody_read_is_one_piece(small):
    async def script(peer):
        await peer.request()
        await peer.send_apart(chunked(b"a", b"b", b"c")[:-5])
        for n in range(3):
            await peer.send_apart(b"1\r\n%d\r\n" % n)
        await peer.send(b"0\r\n\r\n")

    async with Scripted(script) as up:
        answer = await small.post(Origin.parse(up.url), b"/", JSON, b"x")
        async with asyncio.timeout(10):
            while not answer.done:
                await asyncio.sleep(0.01)
        assert [piece async for piece in answer] == [b"abc012"]


async def test_an_answer_that_came_while_the_loop_was_held_up_is_not_called_late(small):
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        peer, _ = listening.accept()
        with peer:
            peer.recv(65536)
            time.sleep(0.02)
            peer.sendall(ok(b"in time"))
            peer.recv(1)

    server = threading.Thread(target=serve)
    server.start()
    origin = Origin.parse(f"http://127.0.0.1:{listening.getsockname()[1]}")
    call = asyncio.ensure_future(small.post(origin, b"/", JSON, b"x", Timeouts(first_byte_s=0.1)))
    await asyncio.sleep(0.01)
    time.sleep(0.3)  # e.g. a slow disk
    assert await (await call).read() == b"in time"
    await small.close()
    server.join()
    listening.close()


@pytest.mark.parametrize(("told", "connections"), [(b"timeout=1", 2), (b"timeout=5, max=99", 1), (b"nonsense", 1)])
async def test_an_upstream_that_says_when_it_will_hang_up_is_believed(small, told, connections):
    async with Scripted(answering(ok(headers=b"keep-alive: %b\r\n" % told))) as up:
        for _ in range(2):
            await (await small.post(Origin.parse(up.url), b"/", JSON, b"x")).read()
        assert up.connections == connections


async def test_one_answer_is_not_for_two_readers(small):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        await peer.until_closed()

    async with Scripted(script) as up:
        answer = await small.post(Origin.parse(up.url), b"/", JSON, b"x")
        first = asyncio.ensure_future(answer.read())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="two tasks"):
            await answer.read()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_upstreams_that_are_not_in_use_are_forgotten():
    client = SmallClient(Settings(keep_plain_s=0.03, sweep_s=0.01))
    async with Scripted(answering(ok())) as up:
        await (await client.post(Origin.parse(up.url), b"/", JSON, b"x")).read()
        for _ in range(100):
            await asyncio.sleep(0.01)
            if not client._pools:
                break
        assert (client._pools, client._ways, client._sweeper) == ({}, {}, None)
        await (await client.post(Origin.parse(up.url), b"/", JSON, b"x")).read()
        await client.close()
