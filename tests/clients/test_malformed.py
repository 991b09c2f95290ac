"""Whatever is thrown at it: a clear 4xx at once, nothing spent, the process unharmed."""

from __future__ import annotations

import contextlib
import json
import random
import socket
from typing import Any

import pytest

from tests.clients.world import World

HELLO = [{"role": "user", "content": "hello"}]
JSON = {"content-type": "application/json"}


def body(**members: Any) -> bytes:
    return json.dumps({"model": "mock", "messages": HELLO, "user": "malformed"} | members).encode()


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "half an object": b'{"model": "mock", "messages": [',
    "a list": b"[]",
    "null": b"null",
    "a string": b'"hello"',
    "a number": b"17",
    "two objects": body() + body(),
    "a byte order mark of UTF-16": b"\xff\xfe" + body(),
    "bytes that are no UTF-8": body().replace(b"hello", b"\xc3\x28"),
    "bytes that are no UTF-8 in a member we do not read": body(metadata={"a": "x"}).replace(b'"x"', b'"\xff"'),
    "a lone surrogate": body().replace(b"hello", b"\\ud800"),
    "NaN": body().replace(b'"malformed"', b"NaN"),
    "NaN where a number is read": body(temperature=0).replace(b'"temperature": 0', b'"temperature": NaN'),
    "Infinity where a number is read": body(max_tokens=0).replace(b'"max_tokens": 0', b'"max_tokens": Infinity'),
    "a number with ten thousand digits": body(max_tokens=1).replace(
        b'"max_tokens": 1', b'"max_tokens": 1' + b"0" * 10_000
    ),
    "lists nested a hundred thousand deep": body().replace(b'"hello"', b"[" * 100_000 + b"]" * 100_000),
    "objects nested a hundred thousand deep": body().replace(b'"hello"', b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "nesting in a member we do not read": body(x=0).replace(b'"x": 0', b'"x": ' + b"[" * 100_000 + b"]" * 100_000),
    "no model": json.dumps({"messages": HELLO}).encode(),
    "a model that is a number": body(model=7),
    "a model that is empty": body(model=""),
    "a model that is null": body(model=None),
    "a model with a NUL": body(model="mo\0ck"),
    "a model of a megabyte": body(model="m" * 1_000_000),
    "a model that climbs out": body(model="../../etc/passwd"),
    "no messages": json.dumps({"model": "mock"}).encode(),
    "empty messages": body(messages=[]),
    "messages that are an object": body(messages={"role": "user", "content": "x"}),
    "messages that are a string": body(messages="hello"),
    "a message that is null": body(messages=[None]),
    "a message that is a string": body(messages=["hello"]),
    "a message without a role": body(messages=[{"content": "x"}]),
    "a role that is a number": body(messages=[{"role": 1, "content": "x"}]),
    "content that is a number": body(messages=[{"role": "user", "content": 5}]),
    "content that is an object": body(messages=[{"role": "user", "content": {"a": 1}}]),
    "negative max_tokens": body(max_tokens=-1),
    "max_tokens that is zero": body(max_tokens=0),
    "max_tokens that is a string": body(max_tokens="many"),
    "max_tokens that is a fraction": body(max_tokens=1.5),
    "max_completion_tokens beyond 64 bits": body(max_completion_tokens=2**70),
    "n that is zero": body(n=0),
    "n that is negative": body(n=-3),
    "n that is enormous": body(n=10**12),
    "stream that is a string": body(stream="yes"),
    "stream_options that is a list": body(stream=True, stream_options=[1]),
    "temperature that is a string": body(temperature="hot"),
    "tools that are a string": body(tools="all"),
    "an image beside the messages": body(image=PIXEL) if (PIXEL := "data:image/png;base64,AAAA") else b"",
    "an image object's repr": body(
        messages=[{"role": "user", "content": "<PIL.PngImagePlugin.PngImageFile image mode=RGB size=8x8 at 0x7F>"}],
        image="<PIL.Image.Image image mode=RGB size=8x8 at 0x7F>",
    ),
    "forty megabytes": body(messages=[{"role": "user", "content": "x" * 40_000_000}]),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_malformed_body_gets_a_sentence_and_costs_nothing(world: World, name: str) -> None:
    status, answer = world.gateway.ask("/v1/chat/completions", "POST", BODIES[name], **JSON)
    assert 400 <= status < 500, answer[:500]
    error = json.loads(answer)["error"]
    assert error["message"]
    assert len(answer) < 5_000
    assert world.served("malformed") == []
    assert world.books.held_nanos() == 0


RAW: dict[str, bytes] = {
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
    "a request line without a version": b"POST /v1/chat/completions\r\n\r\n",
    "a method nobody knows": b"BREW /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
    "a length that is a word": b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: many\r\n\r\n",
    "a negative length": b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -5\r\n\r\n",
    "two lengths": b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "chunks that are none": b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "length and chunks": b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a header of a megabyte": b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "a body that never comes": b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 500\r\n\r\n{",
    "nothing at all": b"",
}


@pytest.mark.parametrize("name", RAW)
def test_bytes_that_are_no_request_do_no_harm(world: World, name: str) -> None:
    with socket.create_connection(("127.0.0.1", world.gateway.port), timeout=10) as sock:
        answer = b""
        with contextlib.suppress(OSError):  # it may have hung up before it heard all of this
            sock.sendall(RAW[name])
            sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(65536):
                answer += piece
    assert not answer.startswith(b"HTTP/1.1 5"), answer[:300]
    assert world.gateway.ask("/healthz")[0] == 200


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/nothing", "/v1/chat", "/v1/models/", "/%00", "/v1/models/%2e%2e%2f", "/" + "a" * 9000]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
def test_paths_and_methods_that_lead_nowhere_are_4xx(world: World, path: str, method: str) -> None:
    status, _ = world.gateway.ask(path, method, b"{}" if method != "GET" else None, **JSON)
    assert 300 <= status < 500


@pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_no_mutation_of_a_good_request_is_a_server_error(world: World, count: int) -> None:
    rng = random.Random(7)
    good = body(
        max_tokens=4, temperature=0.5, stream=False, n=1, stop=["x"], metadata={"a": "b"}, tools=[], logit_bias={"5": 1}
    )
    for _ in range(count):
        data = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[at] = rng.randrange(256)
                case 1:
                    del data[at : at + rng.randint(1, 12)]
                case 2:
                    data[at:at] = rng.choice(
                        [b"null", b"-1", b"1e999", b'"', b"{", b"]", b"\\u0000", b"9" * 40, b"true"]
                    )
                case _:
                    data[at:at] = bytes(data[at : at + rng.randint(1, 40)])
        status, answer = world.gateway.ask("/v1/chat/completions", "POST", bytes(data), **JSON)
        assert status < 500, (bytes(data), answer)


def test_after_all_that_it_still_answers_and_the_books_are_whole(world: World) -> None:
    from demitasse.store.settings import Settings

    status, _ = world.gateway.ask("/v1/chat/completions", "POST", body(user="after"), **JSON)
    assert status == 200
    assert len(world.served("after")) == 1
    assert Settings(world.data).verify() == (True, None)
