"""A host with several addresses: one dead address costs a moment, not the call."""

import asyncio
import socket

import pytest
from http_both import JSON

from demitasse.providers import dial, http_small
from demitasse.providers.http import ConnectFailed, Origin, Settings, TimedOut, Timeouts, choose
from demitasse.testing.scripted import Scripted, answering, ok


@pytest.fixture
async def small():
    client = choose(Settings(client="small"), {})
    yield client
    await client.close()


@pytest.fixture
def names(monkeypatch):
    """Names that resolve to what the test says, as (family, address, port)."""
    known = {}
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if kwargs.get("flags", 0) & socket.AI_NUMERICHOST or host not in known:
            return real(host, port, *args, **kwargs)
        raise AssertionError("names are asked for in a thread")

    async def in_thread(_loop, host, port, **_):
        return [(family, socket.SOCK_STREAM, 6, "", (address, at or port)) for family, address, at in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(dial, "_resolve", lambda host, port: in_thread(None, host, port))
    return known


def _free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def _hang(address):
    await asyncio.sleep(3600)


async def test_an_ipv6_address_that_refuses_is_passed_over(small, names):
    async with Scripted(answering(ok(b"a"))) as up:
        names["both.test"] = [(socket.AF_INET6, "::1", _free_port()), (socket.AF_INET, "127.0.0.1", None)]
        answer = await small.post(Origin.parse(f"http://both.test:{up.port}"), b"/", JSON, b"x")
        assert await answer.read() == b"a"


async def test_an_ipv6_address_that_is_silent_is_passed_over(small, names, monkeypatch):
    real = dial._connect
    monkeypatch.setattr(dial, "HEAD_START_S", 0.01)
    monkeypatch.setattr(dial, "_connect", lambda a: _hang(a) if a[0] == socket.AF_INET6 else real(a))
    async with Scripted(answering(ok(b"a"))) as up:
        names["both.test"] = [(socket.AF_INET6, "::1", None), (socket.AF_INET, "127.0.0.1", None)]
        answer = await small.post(Origin.parse(f"http://both.test:{up.port}"), b"/", JSON, b"x")
        assert await answer.read() == b"a"
        assert up.connections == 1


async def test_families_take_turns(names):
    six, four = socket.AF_INET6, socket.AF_INET
    names["many.test"] = [(six, "::1", 1), (six, "::2", 1), (six, "::3", 1), (four, "127.0.0.1", 1)]
    assert [family for family, _ in await dial._addresses("many.test", 1)] == [six, four, six, six]


async def test_when_every_address_fails_each_is_told(small, names):
    names["dead.test"] = [(socket.AF_INET, "127.0.0.1", _free_port()), (socket.AF_INET, "127.0.0.1", _free_port())]
    with pytest.raises(ConnectFailed, match=r"dead\.test:80: Connection refused; is it running"):
        await small.post(Origin.parse("http://dead.test"), b"/", JSON, b"x")


async def test_a_race_that_nobody_wins_in_time_leaves_no_socket_open(small, names, monkeypatch):
    monkeypatch.setattr(dial, "HEAD_START_S", 0.01)
    monkeypatch.setattr(dial, "_connect", _hang)
    names["silent.test"] = [(socket.AF_INET6, "::1", None), (socket.AF_INET, "127.0.0.1", None)]
    with pytest.raises(TimedOut) as caught:
        await small.post(Origin.parse("http://silent.test"), b"/", JSON, b"x", Timeouts(connect_s=0.05))
    assert (caught.value.phase, caught.value.sent) == ("connect", False)


async def test_a_connection_given_up_leaves_no_socket_that_could_close_another_callers(small, monkeypatch):
    # uvloop before 0.23 closes the descriptor and leaves the socket thinking it is its own: whoever has the number next is
    # cut off, or gets another's answer (MagicStack/uvloop#645).
    dialled = []

    async def then_cancelled(host, port):
        dialled.append(await dial.dial(host, port))
        asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
        return dialled[-1]

    monkeypatch.setattr(http_small, "dial", then_cancelled)
    async with Scripted(answering(ok(b"a"))) as up:
        call = asyncio.ensure_future(small.post(Origin.parse(up.url), b"/", JSON, b"x"))
        with pytest.raises(asyncio.CancelledError):
            await call
    assert [sock.fileno() for sock in dialled] == [-1]


async def test_a_literal_ipv6_host_is_reached(client):
    async with Scripted(answering(ok(b"a")), host="::1") as up:
        assert await (await client.post(Origin.parse(up.url), b"/", JSON, b"x")).read() == b"a"
        assert up.requests[0].headers[b"host"] == f"[::1]:{up.port}".encode()
