"""What the mock provider says: answers as a function of the request, whole or as the pieces of a stream. Pure.

Its meter reads, for everyone to compute again:
    prompt tokens      = 3 + 4 per message + a quarter of the characters of all text and of the tools' JSON
                         (each rounded down) + 85 per image; of plain input (completions, embeddings) a quarter of its
                         characters, but at least 1
    completion tokens  = words written, over all choices; a tool call is its name and the words of its arguments
An answer repeats the words of the last user message until it is long enough, so a mixed-up answer shows itself.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import struct
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct


class Wish(Struct, frozen=True):
    """The member ``mock`` of a request's body; gateways pass on what they do not know."""

    tokens: int | None = None
    delay_ms: float | None = None
    chunk_ms: float | None = None
    behave: str | None = None


class Message(Struct, frozen=True):
    role: str
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(Struct, frozen=True):
    include_usage: bool = False


class Ask(Struct, frozen=True):
    """What the mock reads of a request. ``messages`` for chat, ``prompt`` for completions, ``input`` for embeddings."""

    model: str
    messages: list[Message] = []
    prompt: str | list[Any] | None = None
    input: str | list[Any] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = 1
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    encoding_format: str | None = None
    dimensions: int | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    mock: Wish | None = None


class ToolCall(NamedTuple):
    name: str
    arguments: str


class Answer(NamedTuple):
    """One choice. ``words`` is empty where tools are called."""

    words: tuple[str, ...]
    calls: tuple[ToolCall, ...]
    finish: str

    @property
    def tokens(self) -> int:
        return len(self.words) + sum(1 + len(call.arguments.split()) for call in self.calls)


class Piece(NamedTuple):
    """One event of a stream, without its ``data:`` framing, and the completion tokens in it."""

    json: bytes
    tokens: int


def prompt_tokens(ask: Ask) -> int:
    """See the module's docstring."""
    if not ask.messages:
        texts = _texts(ask.prompt if ask.prompt is not None else ask.input)
        return sum(max(1, len(text) // 4) for text in texts)
    total = 3
    for message in ask.messages:
        content = message.content
        total += 4
        if isinstance(content, str):
            total += len(content) // 4
        elif content:
            total += sum(
                85 if part.get("type") == "image_url" else len(part.get("text") or "") // 4 for part in content
            )
    if ask.tools:
        total += len(msgspec.json.encode(ask.tools)) // 4
    return total


def answer(ask: Ask, tokens: int) -> Answer:
    """The answer to chat and completions: a tool call where tools are offered and named, JSON on request."""
    limit = ask.max_completion_tokens if ask.max_completion_tokens is not None else ask.max_tokens
    text = _asked(ask)
    if ask.tools and ask.tool_choice != "none" and (calls := _tool_calls(ask, text)):
        return Answer((), calls, "tool_calls")
    words = _repeated(text, tokens)
    if ask.response_format and ask.response_format.get("type") in ("json_schema", "json_object"):
        words = tuple(json.dumps(_example(ask.response_format.get("json_schema", {}).get("schema", {}))).split(" "))
    if limit is not None and limit < len(words):
        return Answer(words[:limit], (), "length")
    return Answer(words, (), "stop")


def usage(prompt: int, completion: int, behave: str = "") -> dict[str, Any]:
    """The usage object, with the extra facts that some behaviours ask for."""
    if behave == "usage-too-large":
        completion = completion * 10 + 1000
    found: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if behave == "cached":
        found["prompt_tokens_details"] = {"cached_tokens": prompt // 2}
    elif behave == "reasoning":
        found["completion_tokens_details"] = {"reasoning_tokens": completion // 2}
    elif behave == "reported-cost":
        found["cost"] = 0.00123
    return found


def whole(ask: Ask, said: Answer, id: str, created: int, used: dict[str, Any] | None) -> bytes:
    """The answer of a call without ``stream``."""
    n = ask.n or 1
    tail = b"}" if used is None else b',"usage":' + msgspec.json.encode(used) + b"}"
    if not said.calls and n == 1 and ask.messages:
        return b'{"id":"%b","object":"chat.completion","created":%d,"model":%b,"choices":[%b]%b' % (
            id.encode(),
            created,
            _quoted(ask.model),
            _plain_choice(said.words, said.finish),
            tail,
        )
    kind = "chat.completion" if ask.messages else "text_completion"
    head = {"id": id, "object": kind, "created": created, "model": ask.model}
    head["choices"] = [_choice(ask, said, i) for i in range(n)]
    return msgspec.json.encode(head)[:-1] + tail


def pieces(ask: Ask, said: Answer, born: tuple[str, int], prompt: int, behave: str = "") -> list[Piece]:
    """The events of a stream, but for its ``[DONE]``. Usage comes as the client asked, or as ``behave`` says.

    ``born``: the answer's id and its second of creation.
    """
    n = ask.n or 1
    chat = bool(ask.messages)
    kind = "chat.completion.chunk" if chat else "text_completion"
    head = b'{"id":"%b","object":"%b","created":%d,"model":%b,"choices":[' % (
        born[0].encode(),
        kind.encode(),
        born[1],
        _quoted(ask.model),
    )
    found: list[Piece] = []
    written = 0
    every = behave == "usage-every-chunk"

    def add(choice: dict[str, Any], tokens: int = 0, *, last: bool = False) -> None:
        nonlocal written
        written += tokens
        told = every or (last and behave == "usage-with-choices")
        tail = b',"usage":' + msgspec.json.encode(usage(prompt, written, behave)) if told else b""
        found.append(Piece(head + msgspec.json.encode(choice) + b"]" + tail + b"}", tokens))

    for i in range(n):
        for delta, tokens in _deltas(said, chat=chat):
            said_here = {"delta": delta} if chat else {"text": delta.get("content", "")}
            add({"index": i, **said_here, "finish_reason": None}, tokens)
        ending: dict[str, Any] = {"delta": {}} if chat else {"text": ""}
        add({"index": i, **ending, "finish_reason": said.finish}, last=i == n - 1)
    wanted = ask.stream_options is not None and ask.stream_options.include_usage
    if wanted and behave not in ("no-usage", "usage-with-choices"):
        tail = msgspec.json.encode(usage(prompt, written, behave))
        found.append(Piece(head + b'],"usage":' + tail + b"}", 0))
    return found


def embeddings(ask: Ask, prompt: int) -> bytes:
    """Unit vectors that depend on the text alone; ``base64`` holds them as little-endian 32-bit floats."""
    data = []
    for index, text in enumerate(_texts(ask.input)):
        vector: Any = _vector(text, ask.dimensions or 8)
        if ask.encoding_format == "base64":
            vector = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    used = {"prompt_tokens": prompt, "total_tokens": prompt}
    return msgspec.json.encode({"object": "list", "data": data, "model": ask.model, "usage": used})


def moderations(ask: Ask) -> bytes:
    """One result a text; it is flagged for each category that it names as ``[harm:violence]``, with a score of 0.9."""
    results = []
    for text in _texts(ask.input):
        harm = set(_HARM.findall(text))
        categories = {name: name in harm for name in CATEGORIES}
        scores = {name: 0.9 if name in harm else 0.01 for name in CATEGORIES}
        results.append({"flagged": bool(harm), "categories": categories, "category_scores": scores})
    return msgspec.json.encode({"id": "modr-mock", "model": ask.model, "results": results})


CATEGORIES = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm"),
    *("self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic"),
)
"""Of OpenAI's omni-moderation."""
_HARM = re.compile(r"\[harm:([a-z/-]+)\]")


def error(status: int, message: str, code: str | None = None) -> bytes:
    """An error object as OpenAI's."""
    family = "invalid_request_error" if status < 500 else "server_error"
    return msgspec.json.encode({"error": {"message": message, "type": family, "param": None, "code": code}})


def _deltas(said: Answer, *, chat: bool) -> list[tuple[dict[str, Any], int]]:
    found: list[tuple[dict[str, Any], int]] = []
    if chat:
        found.append(({"role": "assistant", "content": None if said.calls else ""}, 0))
    for nth, word in enumerate(said.words):
        found.append(({"content": word if nth == 0 else " " + word}, 1))
    for index, call in enumerate(said.calls):
        opener = {"index": index, "id": _call_id(call, index), "type": "function"}
        found.append(({"tool_calls": [{**opener, "function": {"name": call.name, "arguments": ""}}]}, 1))
        for nth, word in enumerate(call.arguments.split(" ")):
            fragment = word if nth == 0 else " " + word
            found.append(({"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}, 1))
    return found


def _choice(ask: Ask, said: Answer, index: int) -> dict[str, Any]:
    if not ask.messages:
        return {"index": index, "text": " ".join(said.words), "logprobs": None, "finish_reason": said.finish}
    message: dict[str, Any] = {"role": "assistant", "content": " ".join(said.words) if not said.calls else None}
    if said.calls:
        message["tool_calls"] = [
            {"id": _call_id(c, i), "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for i, c in enumerate(said.calls)
        ]
    return {"index": index, "message": message, "logprobs": None, "finish_reason": said.finish}


@lru_cache(maxsize=1024)
def _plain_choice(words: tuple[str, ...], finish: str) -> bytes:
    content = msgspec.json.encode(" ".join(words))
    message = b'{"role":"assistant","content":%b}' % content
    return b'{"index":0,"message":%b,"logprobs":null,"finish_reason":"%b"}' % (message, finish.encode())


@lru_cache(maxsize=256)
def _quoted(text: str) -> bytes:
    return msgspec.json.encode(text)


@lru_cache(maxsize=1024)
def _repeated(text: str, tokens: int) -> tuple[str, ...]:
    words = text.split() or ["nothing"]
    return tuple(itertools.islice(itertools.cycle(words), tokens))


def _asked(ask: Ask) -> str:
    """The text of the last user message, or of the prompt."""
    for message in reversed(ask.messages):
        if message.role == "user":
            content = message.content
            if isinstance(content, str):
                return content
            return " ".join(part.get("text") or "" for part in content or ())
    return " ".join(_texts(ask.prompt)) if ask.prompt is not None else ""


def _texts(given: str | list[Any] | None) -> list[str]:
    """Every shape of ``input``: one text, several, token ids, several lists of them."""
    if given is None:
        return []
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [" ".join(map(str, given))]
    return [part if isinstance(part, str) else " ".join(map(str, part)) for part in given]


def _tool_calls(ask: Ask, text: str) -> tuple[ToolCall, ...]:
    """The tools that the user's text names; with ``tool_choice`` the one that it names, or the first."""
    functions = {tool["function"]["name"]: tool["function"] for tool in ask.tools or () if "function" in tool}
    if isinstance(ask.tool_choice, dict):
        names = [ask.tool_choice.get("function", {}).get("name", "")]
    else:
        names = [name for name in functions if name in text]
        if not names and ask.tool_choice == "required":
            names = list(functions)[:1]
    if ask.parallel_tool_calls is False:
        names = names[:1]
    return tuple(
        ToolCall(name, json.dumps(_example(functions[name].get("parameters", {}))))
        for name in names
        if name in functions
    )


def _example(schema: dict[str, Any]) -> Any:
    """A small value that fits a JSON schema of the plain kind."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type", "object"):
        case "object":
            return {name: _example(part) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [_example(schema.get("items", {"type": "string"}))]
        case "integer":
            return 7
        case "number":
            return 0.5
        case "boolean":
            return True
    return "small cup"


def _call_id(call: ToolCall, index: int) -> str:
    return f"call_{index}_{hashlib.sha256(call.name.encode()).hexdigest()[:12]}"


def _vector(text: str, dimensions: int) -> list[float]:
    """Coordinates are multiples of 1/256, so that both encodings hold exactly the same numbers."""
    seed = hashlib.shake_256(text.encode()).digest(dimensions)
    return [(byte - 128) / 256 for byte in seed]
