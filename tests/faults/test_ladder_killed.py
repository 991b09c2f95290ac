"""A gateway that is killed while a draft is being made: nothing that may have been spent is lost from the books."""

from __future__ import annotations

import http.client
import json
import threading
import time
from pathlib import Path

from demitasse.store.books import SqliteBooks
from demitasse.store.settings import Settings
from demitasse.testing.running import gateway_on, mock_process, served
from tests.clients.test_ladder_sdk import ROUTES, certificate
from tests.clients.world import CONFIG


def test_a_gateway_killed_during_a_draft_books_all_that_the_ladder_could_have_cost(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with mock_process() as mock:
        store = Settings(data)
        for state in ("certified", "promoted"):
            store.put_certificate(certificate("refuses"), state)
        store.close()
        gateway = gateway_on(data, (CONFIG + ROUTES).format(base_url=mock.base_url))
        try:
            gateway.start("/readyz")
            body = {"model": "refuses", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 10}
            asked = threading.Thread(target=post, args=(gateway.port, body | {"mock": {"behave": "hang"}}))
            asked.start()
            until(lambda: [r["model"] for r in served(mock)["records"]] == ["mock-small"])
            held = SqliteBooks(data)
            held_nanos = held.held_nanos()
            held.close()
            gateway.kill()
            asked.join(10)
            gateway.start("/readyz")
            books = SqliteBooks(data)
            (_, entry), *others = books.entries()
            assert not others and entry.outcome == "lost" and entry.route == "refuses"
            # small's 10 tokens at 1 dollar a million and large's at 10, and both prompts
            assert entry.cost_nanos == held_nanos > 10 * 1_000 + 10 * 10_000
            assert books.held_nanos() == 0
            books.close()
        finally:
            gateway.stop()


def post(port: int, body: dict[str, object]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        pass  # it was killed
    finally:
        connection.close()


def until(true, within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
