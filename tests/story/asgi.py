"""A client that speaks ASGI: one request to an application, its answer in pieces, and a hang-up when told."""

from __future__ import annotations

import asyncio
import json
from typing import Any


class Answer:
    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.done = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Any]:
        found = []
        for line in self.body.decode().split("\n\n"):
            if line.startswith("data: "):
                data = line[6:]
                found.append(data if data == "[DONE]" else json.loads(data))
        return found

    def text(self) -> str:
        if not self.headers.get("content-type", "").startswith("text/event-stream"):
            return self.json()["choices"][0]["message"]["content"]
        return "".join(
            e["choices"][0]["delta"].get("content") or ""
            for e in self.events()
            if isinstance(e, dict) and e.get("choices")
        )


async def ask(
    app: Any,
    body: Any,
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    headers: dict[str, str] | None = None,
    hang_up: asyncio.Event | None = None,
    on_piece: Any = None,
) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"host": "127.0.0.1:4141", "content-type": "application/json"} | (headers or {})
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(k.lower().encode(), v.encode()) for k, v in sent.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 4141),
        "scheme": "http",
    }
    answer = Answer()
    given = False
    over = asyncio.Event()

    async def receive() -> dict[str, Any]:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": raw, "more_body": False}
        waits = [asyncio.create_task(over.wait())]
        if hang_up is not None:
            waits.append(asyncio.create_task(hang_up.wait()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert answer.status == 0, "a response is opened once"
            answer.status = message["status"]
            answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            assert answer.status, "a body needs an opened response"
            assert not answer.done, "nothing follows the last piece"
            if message.get("body"):
                answer.pieces.append(message["body"])
                if on_piece is not None:
                    on_piece(answer)
            if not message.get("more_body"):
                answer.done = True
                over.set()

    await app(scope, receive, send)
    return answer


def chat(text: str = "Say hello.", model: str = "small", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}]} | more


async def until(true: Any, within_s: float = 10.0) -> None:
    """Wait for a condition, however busy the machine is."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.001)
