"""A page that a user happens to visit reaches the loopback port too. It must not be able to spend a cent."""

from __future__ import annotations

import json

import pytest

from tests.clients.world import World

BODY = json.dumps({"model": "mock", "messages": [{"role": "user", "content": "spend"}], "user": "intruder"}).encode()
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(JSON | {"host": "evil.example"}, id="foreign host (DNS rebinding)"),
        pytest.param(JSON | {"host": "127.0.0.1.evil.example:4141"}, id="host that begins like ours"),
        pytest.param(JSON | {"origin": "https://evil.example"}, id="foreign origin"),
        pytest.param(JSON | {"origin": "null"}, id="origin of a sandboxed frame"),
        pytest.param(JSON | {"sec-fetch-site": "cross-site"}, id="fetched from another site"),
        pytest.param(
            {"content-type": "application/x-www-form-urlencoded", "origin": "https://evil.example"}, id="form"
        ),
        pytest.param({"content-type": "text/plain", "origin": "https://evil.example"}, id="form of plain text"),
        pytest.param({"content-type": "application/x-www-form-urlencoded"}, id="form without origin"),
        pytest.param({"content-type": "text/plain"}, id="plain text without origin"),
        pytest.param({"content-type": "multipart/form-data; boundary=x"}, id="multipart form"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/chat/completions"])
def test_a_foreign_page_is_refused_and_nothing_is_spent(world: World, headers: dict[str, str], path: str) -> None:
    spent = world.spent_nanos()
    status, body = world.gateway.ask(path, "POST", BODY, **headers)
    assert 400 <= status < 500
    assert json.loads(body)["error"]["message"]
    assert world.served("intruder") == []
    assert world.spent_nanos() == spent
    assert world.books.held_nanos() == 0


def test_a_foreign_page_is_given_no_leave_to_ask(world: World) -> None:
    """A preflight is not answered with CORS headers unless the owner configured them."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", world.gateway.port, timeout=10)
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    connection.request("OPTIONS", "/v1/chat/completions", headers=asked)
    response = connection.getresponse()
    response.read()
    assert not [name for name, _ in response.getheaders() if name.lower().startswith("access-control-")]
    connection.close()


@pytest.mark.parametrize("path", ["/", "/api/summary", "/demitasse/status", "/metrics", "/v1/models"])
@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"host": "evil.example:80", "sec-fetch-site": "cross-site"}]
)
def test_a_foreign_name_for_our_port_reads_nothing(world: World, path: str, headers: dict[str, str]) -> None:
    status, body = world.gateway.ask(path, **headers)
    assert 400 <= status < 500
    assert b"alice" not in body
