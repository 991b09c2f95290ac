"""Upstreams that break off, hang, close at the wrong moment or are given up: both clients say what happened, and go on."""

import asyncio
import gc
import random

import pytest
from http_both import JSON

from demitasse.providers.http import (
    BrokenOff,
    HttpError,
    Origin,
    Settings,
    TimedOut,
    Timeouts,
    choose,
)
from demitasse.testing.scripted import Scripted, answering, chunked, ok

PIECES = [b'data: {"n":1}\n\n', b"data: [DONE]\n\n"]
WHOLE = {"content-length": ok(b"".join(PIECES)), "chunked": chunked(*PIECES)}


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("framing", WHOLE)
async def test_an_answer_cut_after_any_byte_is_broken_off_and_never_whole(client, framing, how):
    whole = WHOLE[framing]

    async def script(peer):
        await peer.request()
        await peer.send(whole[: peer.nth])
        if how == "reset":
            if peer.nth % 3 == 0:
                await asyncio.sleep(0.001)  # else it overtakes the bytes
            peer.reset()

    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        for cut in range(len(whole)):
            got = b""
            with pytest.raises(BrokenOff) as caught:  # noqa: PT012
                answer = await client.post(origin, b"/", JSON, b"x")
                async for piece in answer:
                    got += piece
            assert b"".join(PIECES).startswith(got)
            assert caught.value.sent
            assert not caught.value.reused
            assert caught.value.received <= cut
        assert len(up.requests) == len(whole)


async def test_an_answer_cut_anywhere_is_not_read_as_whole(client):
    async def script(peer):
        await peer.request()
        await peer.send(WHOLE["chunked"][:-7])

    async with Scripted(script) as up:
        answer = await client.post(Origin.parse(up.url), b"/", JSON, b"x")
        with pytest.raises(BrokenOff):
            await answer.read()


async def test_the_small_client_gives_what_came_before_it_tells_of_the_break():
    async def script(peer):
        await peer.request()
        await peer.send(WHOLE["chunked"][:-7])

    client = choose(Settings(client="small"), {})
    async with Scripted(script) as up:
        answer = await client.post(Origin.parse(up.url), b"/", JSON, b"x")
        await asyncio.sleep(0.02)
        got = b""
        with pytest.raises(BrokenOff) as caught:  # noqa: PT012
            async for piece in answer:
                got += piece
        assert got.startswith(PIECES[0])
        assert caught.value.received == len(WHOLE["chunked"]) - 7
        await client.close()


async def test_a_stream_split_anywhere_reads_the_same(client):
    whole = chunked("data: é\r\n\r\n".encode(), b"data: [DONE]\n\n", trailers=b"x: 1\r\n")
    body = "data: é\r\n\r\ndata: [DONE]\n\n".encode()

    async def script(peer):
        for cut in range(1, len(whole)):
            await peer.request()
            await peer.send_apart(whole[:cut])
            await peer.send(whole[cut:])

    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        for _ in range(1, len(whole)):
            answer = await client.post(origin, b"/", JSON, b"x")
            assert b"".join([piece async for piece in answer]) == body
        assert up.connections == 1


async def test_a_stream_byte_by_byte_reads_the_same(client):
    async def script(peer):
        await peer.request()
        for at in range(len(WHOLE["chunked"])):
            await peer.send(WHOLE["chunked"][at : at + 1])
            await asyncio.sleep(0)

    async with Scripted(script) as up:
        answer = await client.post(Origin.parse(up.url), b"/", JSON, b"x")
        assert await answer.read() == b"".join(PIECES)


async def test_silence_before_the_answer_times_out(client):
    async def script(peer):
        await peer.request()
        await peer.until_closed()

    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        with pytest.raises(TimedOut, match=r"127.0.0.1:\d+: no answer within 0.05 s") as caught:
            await client.post(origin, b"/", JSON, b"x", Timeouts(first_byte_s=0.05))
        assert (caught.value.phase, caught.value.sent) == ("first_byte", True)
        await _until(lambda: up.open == 0)


async def test_a_head_that_drips_forever_times_out(client):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.send(b"x: y\r\n")
            await asyncio.sleep(0.01)

    async with Scripted(script) as up:
        with pytest.raises(TimedOut) as caught:
            await client.post(Origin.parse(up.url), b"/", JSON, b"x", Timeouts(first_byte_s=0.1))
        assert caught.value.phase == "first_byte"


@pytest.mark.parametrize("whole", [True, False])
async def test_silence_within_the_answer_times_out(client, whole):
    async def script(peer):
        await peer.request()
        for _ in range(5):  # longer than the limit in all, but never silent for so long
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n" if _ == 0 else b"ab")
            await asyncio.sleep(0.03)
        await peer.until_closed()

    async with Scripted(script) as up:
        answer = await client.post(Origin.parse(up.url), b"/", JSON, b"x", Timeouts(idle_s=0.1))
        got = b""
        with pytest.raises(TimedOut, match=r"stood still for 0\.1 s") as caught:  # noqa: PT012
            if whole:
                await answer.read()
            async for piece in answer:
                got += piece
        assert caught.value.phase == "idle"
        assert got == (b"" if whole else b"ab" * 4)
        await _until(lambda: up.open == 0)


async def test_the_limit_for_the_whole_call_counts_every_part_of_it(client):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n")
        while True:
            await peer.send(b"ab")
            await asyncio.sleep(0.005)

    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        answer = await client.post(origin, b"/", JSON, b"x", Timeouts(total_s=0.1))
        with pytest.raises(TimedOut) as caught:
            await answer.read()
        assert (caught.value.phase, caught.value.sent) == ("total", True)

    async def mute(peer):
        await peer.until_closed()

    async with Scripted(mute) as up:
        with pytest.raises(TimedOut) as caught:
            await client.post(Origin.parse(up.url), b"/", JSON, b"x", Timeouts(total_s=0.05))
        assert caught.value.phase == "total"


async def test_a_slow_reader_is_not_a_silent_upstream(client):
    body = b"x" * (4 << 20)
    async with Scripted(answering(ok(body))) as up:
        answer = await client.post(Origin.parse(up.url), b"/", JSON, b"x", Timeouts(idle_s=0.1))
        await asyncio.sleep(0.3)
        assert await answer.read() == body


async def test_an_upstream_that_closes_as_we_send_is_told_from_one_that_worked(client):
    async def script(peer):
        await peer.request()
        await peer.send(ok())
        await peer.request()

    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        await (await client.post(origin, b"/", JSON, b"1")).read()
        with pytest.raises(BrokenOff, match="may have been billed") as caught:
            await client.post(origin, b"/", JSON, b"2")
        assert (caught.value.received, caught.value.reused) == (0, True)
        assert len(up.requests) == 2, "a POST is never repeated"
        await (await client.post(origin, b"/", JSON, b"3")).read()


async def test_a_connection_that_was_closed_while_idle_is_not_used(client):
    async def script(peer):
        await peer.request()
        await peer.send(ok())

    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        for nth in range(5):
            await (await client.post(origin, b"/", JSON, b"x")).read()
            await asyncio.sleep(0.01)
            assert up.connections == nth + 1


async def test_idle_connections_are_closed_after_a_while(kind):
    client = choose(Settings(client=kind, keep_plain_s=0.05, sweep_s=0.02), {})
    async with Scripted(answering(ok())) as up:
        await (await client.post(Origin.parse(up.url), b"/", JSON, b"x")).read()
        await _until(lambda: up.open == 0)
        await client.close()


async def test_giving_up_closes_the_connection_at_once(client):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        await peer.until_closed()

    async with Scripted(script) as up:
        answer = await client.post(Origin.parse(up.url), b"/", JSON, b"x")
        pieces = aiter(answer)
        assert await anext(pieces) == b"a"
        answer.abort()
        answer.abort()
        await _until(lambda: up.open == 0)
        with pytest.raises(BrokenOff, match="given up"):
            await anext(pieces)


async def test_giving_up_after_the_end_keeps_the_connection(client):
    async with Scripted(answering(ok(b"a"))) as up:
        origin = Origin.parse(up.url)
        for _ in range(3):
            answer = await client.post(origin, b"/", JSON, b"x")
            await answer.read()
            answer.abort()
        assert up.connections == 1


async def test_an_early_refusal_of_a_large_upload_is_given_and_the_connection_not_reused(client):
    async def script(peer):
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await peer.until_closed()

    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        for nth in range(3):
            answer = await client.post(origin, b"/", JSON, b"x" * (20 << 20))
            assert (answer.status, await answer.read()) == (413, b"no")
            assert up.connections == nth + 1


async def test_a_fast_upstream_waits_for_a_slow_reader(client):
    size, sent = 50 << 20, 0

    async def script(peer):
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while sent < size:
            await peer.send(b"x" * 65536)
            sent += 65536

    async with Scripted(script) as up:
        answer = await client.post(Origin.parse(up.url), b"/", JSON, b"x")
        pieces = aiter(answer)
        got = len(await anext(pieces))
        await asyncio.sleep(0.05)
        ahead = sent
        await asyncio.sleep(0.05)
        assert sent == ahead, "it stands still"
        assert sent < size // 2, "what is ahead lies in the kernel's buffers"
        biggest = 0
        async for piece in pieces:
            got += len(piece)
            biggest = max(biggest, len(piece))
            if got % 7 == 0:
                await asyncio.sleep(0)
        assert got == size
        assert biggest <= 1 << 20


@pytest.mark.parametrize("seed", range(6))
async def test_calls_cancelled_at_any_moment_leave_the_pool_sound(kind, seed):
    chance = random.Random(seed)

    async def script(peer):
        while True:
            request = await peer.request()
            await asyncio.sleep(chance.choice((0, 0, 0.001, 0.004)))
            whole = chunked(request.body[:4], request.body[4:])
            cut = chance.randrange(len(whole))
            await peer.send(whole[:cut])
            await asyncio.sleep(chance.choice((0, 0.001)))
            await peer.send(whole[cut:])

    limit = 1 + seed % 4
    client = choose(Settings(client=kind, max_connections=limit, sweep_s=0.02), {})
    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        spoilt = []

        async def call(number):
            body = b"call-%d" % number
            answer = await client.post(origin, b"/", JSON, body)
            got = await answer.read() if number % 2 else b"".join([piece async for piece in answer])
            if got != body:
                spoilt.append((body, got))

        async def cancelled(number):
            task = asyncio.ensure_future(call(number))
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(chance.choice((0, 0, 0.001)))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        for _ in range(4):
            await asyncio.gather(*(cancelled(number) for number in range(12)), *(call(number) for number in range(12)))
        await asyncio.wait_for(asyncio.gather(*(call(number) for number in range(16))), 10)
        assert spoilt == []
        await _until(lambda: up.open <= limit)  # cancelled calls close theirs
        await client.close()


async def test_a_call_cancelled_in_the_line_gives_its_turn_to_the_next(kind):
    async def script(peer):
        while True:
            request = await peer.request()
            await asyncio.sleep(0.01)
            await peer.send(ok(request.body))

    client = choose(Settings(client=kind, max_connections=1), {})
    async with Scripted(script) as up:
        origin = Origin.parse(up.url)

        async def call(number):
            return await (await client.post(origin, b"/", JSON, b"%d" % number)).read()

        tasks = [asyncio.ensure_future(call(number)) for number in range(6)]
        await asyncio.sleep(0.005)
        for task in tasks[1:5]:
            task.cancel()
        assert await asyncio.wait_for(tasks[5], 5) == b"5"
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.close()


async def test_a_client_dropped_with_calls_in_flight_leaves_no_task_behind(client):
    async def script(peer):
        await peer.request()
        await peer.until_closed()

    async with Scripted(script) as up:
        origin = Origin.parse(up.url)
        calls = [asyncio.ensure_future(client.post(origin, b"/", JSON, b"x")) for _ in range(5)]
        await _until(lambda: len(up.requests) == 5)
        await client.close()
        assert all(isinstance(e, HttpError) for e in await asyncio.gather(*calls, return_exceptions=True))
        await _until(lambda: up.open == 0)
    gc.collect()


async def _until(true, seconds=5.0):
    for _ in range(int(seconds / 0.005)):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come to be")
