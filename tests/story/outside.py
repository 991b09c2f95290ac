"""Everything outside of a gateway on one socket: a provider that repeats what it was sent, a collector and a webhook.

Keeps each byte that it was ever sent. What the provider answers says what it saw, so that whatever was redacted comes back as
its placeholder.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

USAGE = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}


class Outside:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        """Path and body of each request, in order."""
        self.port = 0
        self.fail: tuple[int, str] | None = None
        """Status and code of the errors that the provider answers with; they repeat the prompt."""
        self.break_after: int | None = None
        """Events after which a stream ends with an error that repeats the prompt."""
        self.gate: asyncio.Event | None = None
        self.size = 3
        """Characters of a chunk."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def seen(self) -> bytes:
        return b"\n".join(path.encode() + b"\n" + body for path, body in self.sent)

    def calls(self) -> list[Any]:
        """What the provider was asked."""
        return [json.loads(body) for path, body in self.sent if path.startswith("/v1/") and body[:1] == b"{"]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Outside]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                line, *rest = head.decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (one.partition(":") for one in rest)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                path = line.split(" ")[1]
                self.sent += [(path, body), ("headers", head)]
                if self.gate is not None:
                    await self.gate.wait()
                for piece in self._answer(path, body):
                    writer.write(piece)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str, body: bytes) -> list[bytes]:
        if body[:1] != b"{" or "model" not in (asked := json.loads(body)):
            return [_whole(200, b"{}")]
        if self.fail is not None:
            status, code = self.fail
            error = {"message": f"cannot take this: {' | '.join(texts(asked))}", "type": "invalid", "code": code}
            return [_whole(status, json.dumps({"error": error}).encode())]
        if path.endswith("embeddings"):
            data = [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}]
            return [_whole(200, json.dumps({"object": "list", "data": data, "model": "m", "usage": USAGE}).encode())]
        told = " | ".join(texts(asked))
        if not asked.get("stream"):
            return [_whole(200, json.dumps(_reply(path, told, asked)).encode())]
        events = [json.dumps(chunk) for chunk in self._chunks(path, told, asked)]
        if self.break_after is not None:
            error = {"error": {"message": f"broke on: {told}", "code": "broke"}}
            events = [*events[: self.break_after], json.dumps(error)]
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        pieces = [f"data: {event}\n\n".encode() for event in [*events, "[DONE]"]]
        return [head, *(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces), b"0\r\n\r\n"]

    def _chunks(self, path: str, told: str, asked: Any) -> list[Any]:
        def chunk(**choice: Any) -> Any:
            kind = "chat.completion.chunk" if "chat" in path else "text_completion"
            choices = [{"index": 0, "finish_reason": None} | choice]
            return {"id": "x", "object": kind, "created": 1, "model": "m", "choices": choices}

        cut = [told[at : at + self.size] for at in range(0, len(told), self.size)]
        if "chat" not in path:
            return [chunk(text=piece) for piece in cut] + [chunk(text="", finish_reason="stop")]
        out = [chunk(delta={"role": "assistant", "content": ""})]
        if asked.get("tools"):
            arguments = json.dumps({"said": told})
            call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "note", "arguments": ""}}
            out.append(chunk(delta={"tool_calls": [call]}))
            for at in range(0, len(arguments), self.size):
                part = {"index": 0, "function": {"arguments": arguments[at : at + self.size]}}
                out.append(chunk(delta={"tool_calls": [part]}))
            out.append(chunk(delta={}, finish_reason="tool_calls"))
        else:
            out += [chunk(delta={"content": piece}) for piece in cut] + [chunk(delta={}, finish_reason="stop")]
        return [*out, {"id": "x", "object": "chat.completion.chunk", "created": 1, "choices": [], "usage": USAGE}]


def texts(value: Any) -> list[str]:
    """Every string of a request that is no word of the protocol."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    if isinstance(value, dict):
        skip = {"role", "type", "model", "id", "tool_call_id"}
        return [text for name, item in value.items() if name not in skip for text in texts(item)]
    return []


def _reply(path: str, told: str, asked: Any) -> Any:
    if "chat" not in path:
        choice: Any = {"index": 0, "text": told, "finish_reason": "stop"}
        return {"id": "x", "object": "text_completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}
    message: Any = {"role": "assistant", "content": told}
    if asked.get("tools"):
        function = {"name": "note", "arguments": json.dumps({"said": told})}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
        }
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if asked.get("tools") else "stop"}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}


def _whole(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        status,
        len(body),
        body,
    )
