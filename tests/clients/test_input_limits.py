"""Every input has a limit and an error, tried over the wire at a gateway that runs: the table of ``docs/access.md``."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from demitasse.testing.running import create_key
from demitasse.wire.ask import MAX_DEPTH, MAX_ITEMS, MAX_N, MAX_NAME
from tests.clients.world import World

JSON = {"content-type": "application/json"}
PAGE = Path(__file__).parents[2] / "docs" / "access.md"


def chat(**members: Any) -> bytes:
    return json.dumps(
        {"model": "mock", "messages": [{"role": "user", "content": "hi"}], "user": "limits"} | members
    ).encode()


def head(world: World, *lines: bytes, path: bytes = b"/healthz") -> int:
    """The status of a request whose head is written by hand; 0: the connection was closed without a word."""
    with socket.create_connection(("127.0.0.1", world.gateway.port), timeout=10) as connection:
        try:
            connection.sendall(b"\r\n".join((b"GET " + path + b" HTTP/1.1", b"host: 127.0.0.1", *lines, b"", b"")))
            said = connection.recv(4096)
        except ConnectionError:
            return 0
    return int(said.split()[1]) if said else 0


def told(answer: tuple[int, bytes]) -> tuple[int, str | None]:
    status, body = answer
    error = json.loads(body)["error"]
    return status, error["code"] or error["param"]


def post(world: World, body: bytes, path: str = "/v1/chat/completions", **headers: str) -> tuple[int, str | None]:
    return told(world.gateway.ask(path, "POST", body, **(JSON | {k.replace("_", "-"): v for k, v in headers.items()})))


def form(world: World, fields: dict[str, str] | bytes, kind: str = "application/x-www-form-urlencoded") -> int:
    body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
    return world.gateway.ask("/budgets/set", "POST", body, **{"content-type": kind})[0]


def tags(count: int) -> str:
    return ",".join(f"t{n}=v" for n in range(count))


LIMITS: dict[str, tuple[Callable[[World], object], object]] = {
    "head": (lambda w: head(w, *(b"x-%d: %s" % (n, b"y" * 1000) for n in range(80))) in (0, 431), True),
    "address": (lambda w: head(w, path=b"/" + b"a" * (70 << 10)) in (0, 431), True),
    "body": (lambda w: post(w, b" " * (33 << 20)), (413, "body_too_large")),
    "content type": (lambda w: post(w, chat(), content_type="text/plain"), (415, "unsupported_media_type")),
    "file": (lambda w: post(w, b"--x", content_type="multipart/form-data; boundary=x"), (415, "unsupported_media_type")),
    "depth": (lambda w: post(w, chat(x=0).replace(b": 0", b": " + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))), (400, "nested_too_deep")),
    "messages": (lambda w: post(w, chat(messages=[{"role": "user", "content": "a"}] * (MAX_ITEMS + 1))), (400, "messages")),
    "parts": (lambda w: post(w, chat(messages=[{"role": "user", "content": [{"type": "text", "text": "a"}] * MAX_ITEMS}])), (400, "messages")),
    "tools": (lambda w: post(w, chat(tools=[{"type": "function"}] * (MAX_ITEMS + 1))), (400, "tools")),
    "inputs": (lambda w: post(w, json.dumps({"model": "embed", "input": ["a"] * (MAX_ITEMS + 1)}).encode(), "/v1/embeddings"), (400, "input")),
    "choices": (lambda w: post(w, chat(n=MAX_N + 1)), (400, "n")),
    "model": (lambda w: post(w, chat(model="m" * (MAX_NAME + 1))), (400, "model")),
    "tags": (lambda w: post(w, chat(), x_demitasse_tags=tags(17)), (400, "invalid_header")),
    "tag": (lambda w: post(w, chat(), x_demitasse_tags="a=" + "v" * 65), (400, "invalid_header")),
    "class": (lambda w: post(w, chat(), x_demitasse_class="c" * 65), (400, "invalid_header")),
    "feedback": (lambda w: post(w, b" " * 5000, "/demitasse/feedback"), (413, "body_too_large")),
    "eviction": (lambda w: post(w, b" " * 5000, "/demitasse/semantic/evict"), (413, "body_too_large")),
    "form": (lambda w: form(w, b"a=" + b"b" * (65 << 10)), 413),
    "fields": (lambda w: form(w, {f"f{n}": "x" for n in range(101)}), 400),
    "form's type": (lambda w: form(w, b"--x", "multipart/form-data; boundary=x"), 415),
    "websocket": (lambda w: head(w, b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-key: eA==", b"sec-websocket-version: 13", path=b"/ws") in (404, 400, 426), True),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_what_is_beyond_a_limit_is_refused_with_its_error(world: World, name: str) -> None:
    ask, wanted = LIMITS[name]
    assert ask(world) == wanted


def test_names_that_are_too_long_are_cut_or_replaced(world: World) -> None:
    status, _ = world.gateway.ask("/v1/chat/completions", "POST", chat(), **JSON, **{"x-request-id": "r" * 129, "x-demitasse-session": "s" * 500})  # fmt: skip
    assert status == 200
    entry = world.entries()[0]
    assert entry.request_id is None
    assert len(entry.session) == 128


def test_what_is_at_the_limit_passes(world: World) -> None:
    assert world.gateway.ask("/v1/chat/completions", "POST", chat(), **JSON, **{"x-demitasse-tags": tags(16)})[0] == 200
    assert head(world, *(b"x-%d: y" % n for n in range(2_000))) == 200


def test_forms_of_a_key_have_limits(world: World) -> None:
    page = world.gateway.ask("/budgets", accept="text/html")[1].decode()
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', page)[1]
    for fields in (
        {"name": "n" * 65},
        {"name": "a b"},
        {"name": "a", "team": "t" * 81},
        {"name": "a", "models": ",".join("m" * 51)},
    ):
        body = urlencode({"csrf": token, "scope": "call", **fields}).encode()
        sent = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        status, answer = world.gateway.ask("/keys/create", "POST", body, **sent)
        assert (status, json.loads(answer)["done"]) == (400, False)


def test_after_all_that_it_still_answers(world: World) -> None:
    key = create_key(world.data, "after-limits")
    assert world.gateway.ask("/v1/models", authorization=f"Bearer {key}")[0] == 200


def test_the_table_in_the_documentation_has_a_row_for_each(world: World) -> None:
    rows = re.findall(r"^\| ([^|]+?) \| [^|]+ \| [^|]+ \|$", PAGE.read_text(), re.MULTILINE)
    assert set(LIMITS) <= {row.strip("`") for row in rows}
