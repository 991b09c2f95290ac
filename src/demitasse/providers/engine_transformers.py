"""The child process for a model folder: transformers' own HTTP server on a free loopback port. Knows nothing of its parent.

    python -m demitasse.providers.engine_transformers NAME

The same two pipes as ``engine``: a `Setup` in, an address out. Around the server stands a guard, because transformers has
none: without the key nothing is answered but ``/health``, of its routes only those that answer calls are let through (others
would load any model of the hub), a prompt beyond the context is refused before it is computed (it would be computed), and so are
images and sounds that are named instead of sent (it would open that file or address, whatever it is).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from hmac import compare_digest
from pathlib import Path
from typing import Any

import msgspec

from .engine import Setup, Told, child

PATHS = {"/v1/chat/completions", "/v1/completions"}
"""Not ``/v1/models``: it asks the hub, and fails without a network."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Write = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Write], Awaitable[None]]


def main() -> None:
    child(serve)


def serve(setup: Setup) -> Told:
    """Loads the model and listens in a thread. Raises whatever torch and transformers raise."""
    os.environ.update(environment(setup))
    folder = Path(setup.gguf)
    os.chdir(folder.resolve().parent)  # so that its name is the folder's, and no path of this machine is in an answer
    import torch  # noqa: PLC0415 - heavy; only this process needs it
    from transformers.cli.serve import Serve  # noqa: PLC0415 - the same

    torch.set_num_threads(setup.threads)
    with contextlib.suppress(RuntimeError):  # set already
        torch.set_num_interop_threads(1)

    class Quiet(Serve):  # type: ignore[misc]
        """transformers' own, but for the listening, which is done here, on a port that nobody else can have."""

        def start_server(self) -> None:
            """Nothing yet."""

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    quiet = Quiet(
        force_model=folder.resolve().name,
        device=device(setup.gpu_layers),
        dtype="auto",
        host="127.0.0.1",
        port=port,
        non_blocking=True,
    )
    server = quiet.server
    tokenizer = next(iter(quiet._model_manager.loaded_models.values())).processor  # noqa: SLF001 - it has no other door

    def count(body: dict[str, Any]) -> int:
        if isinstance(messages := body.get("messages"), list):
            told = tokenizer.apply_chat_template(
                _as_text(messages), tools=body.get("tools"), tokenize=True, return_dict=True
            )
            return len(told["input_ids"])
        return len(tokenizer(str(body.get("prompt", "")))["input_ids"])

    server.config.app = guarded(server.config.app, setup.key, setup.context, count)
    server.config.access_log = False

    def run() -> None:
        asyncio.run(server.serve(sockets=[listener]))

    return Told(f"http://127.0.0.1:{port}", run)


def environment(setup: Setup) -> dict[str, str]:
    """Threads for what reads them before torch is imported, and no network: the model is here or it is not served."""
    threads = str(setup.threads)
    return {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def device(gpu_layers: int | None) -> str:
    """Where torch computes: it is all or nothing here, so any number of layers above 0 means the GPU."""
    if gpu_layers is None:
        return "auto"
    return "cpu" if gpu_layers == 0 else "cuda"


def guarded(app: App, key: str, context: int, count: Callable[[dict[str, Any]], int]) -> App:
    """The app behind a bearer token; ``/health`` is open, all but `PATHS` is not there.

    Args:
        context: tokens that a prompt may have; one that could have more is counted by ``count`` first.
    """
    expected = f"Bearer {key}".encode()

    async def guard(scope: Scope, receive: Receive, send: Write) -> None:
        path = scope.get("path")
        if scope["type"] == "lifespan" or path == "/health":
            await app(scope, receive, send)
        elif path not in PATHS:
            await _refuse(send, 404, "there is no such path")
        elif not compare_digest(dict(scope["headers"]).get(b"authorization", b""), expected):
            await _refuse(send, 401, "the key is missing or wrong")
        else:
            body = await _body(receive)
            if _reaches_out(body):
                await _refuse(
                    send, 400, "images and sounds are sent in the call (data:…;base64,…), not as an address or a file"
                )
            elif (has := await asyncio.to_thread(_tokens, body, context, count)) > context:
                await _refuse(send, 400, f"the prompt has {has} tokens and the context {context}; shorten it")
            else:
                await app(scope, _again(body, receive), send)

    return guard


def _reaches_out(body: bytes) -> bool:
    """Whether a part of a message is neither text nor content of its own."""
    try:
        messages = msgspec.json.decode(body, type=dict[str, Any]).get("messages")
    except msgspec.DecodeError:
        return False  # the server will say so
    contents = [one.get("content") for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    return not all(_own(part) for content in contents if isinstance(content, list) for part in content)


def _own(part: Any) -> bool:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("text", "input_text", "output_text", "refusal"):
        return True
    if kind == "input_audio":  # without a format its data are taken for a name
        told = part.get("input_audio")
        return isinstance(told, dict) and bool(told.get("format"))
    told = part.get("image_url") if kind in ("image_url", "input_image") else None
    url = told.get("url") if isinstance(told, dict) else told
    return isinstance(url, str) and url.startswith("data:")


def _as_text(messages: list[Any]) -> list[Any]:
    """Contents in parts as templates for text know them, so that they are counted."""
    return [
        {**one, "content": " ".join(str(part.get("text", "")) for part in one["content"] if isinstance(part, dict))}
        if isinstance(one, dict) and isinstance(one.get("content"), list)
        else one
        for one in messages
    ]


def _tokens(body: bytes, context: int, count: Callable[[dict[str, Any]], int]) -> int:
    """0 for a body that is too short to have more than ``context``, as no token is less than a byte; or none at all."""
    if len(body) <= context:
        return 0
    try:
        return count(msgspec.json.decode(body, type=dict[str, Any]))
    except Exception:  # noqa: BLE001 - templates raise what they like; the server will say what it has against the body
        return 0


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, then what comes: the end of the connection."""
    first = True

    async def read() -> Any:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return read


async def _refuse(send: Write, status: int, message: str) -> None:
    body = msgspec.json.encode({"error": {"message": message, "type": "invalid_request_error"}})
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    main()
