"""A made classifier as a Model: one label for the last user message, or an abstention that sends the call on to the next model.

It answers what it was trained on and nothing else: with another system prompt, other history, tools, images, or a schema that no
label fits, it abstains too. An abstention is an UpstreamError 404 (``abstained``): fallbacks are asked, a ladder goes on, and
no circuit breaker counts it.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ..core.call import Call, Event, Reply, Send, Usage
from ..core.errors import DemitasseError, UpstreamError
from ..core.hardware import Hardware, Interval, modelled
from ..wire.chunks import explode
from . import made
from .classifier_file import HEAD, Head, read_head, read_settings
from .encoder import Onnx, Static, encoder


class _Loaded(Struct, frozen=True):
    mark: str
    """Name and hash: what was proven of one classifier says nothing of another."""
    head: Head
    encode: Static | Onnx


class ClassifierModel:
    """A Model over the classifier ``made:NAME``; its file is read by its first call, and again when it was made anew.

    Args:
        alias: our name of it.
        models: the models' directory.
        name: of the artefact.
        hardware: for the energy of a call.
    """

    def __init__(self, alias: str, models: Path, name: str, *, hardware: Hardware | None = None) -> None:
        self.alias = alias
        self._models = models
        self._name = name
        self._hardware = hardware or Hardware()
        self._loaded: tuple[int, _Loaded] | None = None

    async def __call__(self, call: Call, send: Send) -> Reply:
        """As any Model. Raises UpstreamError 404 where it abstains, 503 (``model_missing``) where it cannot be read."""
        loaded = await self._load()
        head = loaded.head
        ask = _read(call, self.alias)
        text = head.bare(ask.fitting(head, self.alias))
        if loaded.encode.quick:
            label, sure, tokens, cpu_s = _answer(loaded, text)
        else:
            label, sure, tokens, cpu_s = await asyncio.to_thread(_answer, loaded, text)
        usage = Usage(uncached_in=tokens, text_out=1)
        if label is None or sure < head.settings.threshold:
            raise _abstains(
                self.alias,
                f"it is sure to {sure:.2f} and answers from {head.settings.threshold:.2f} on"
                if label
                else "no known word",
                usage=usage,
            )
        body = msgspec.json.encode(_body(call, loaded.mark, ask.dressed(label, head, self.alias), usage))
        if call.stream:
            for data in explode(body, include_usage=call.include_usage, kind="chat"):
                await send(Event(data, content=True, text_chars=len(label)))
        energy = modelled(self._hardware, Interval(cpu_s, cpu_s))
        return Reply(body, loaded.mark, usage, finish="stop", energy=energy)

    @property
    def told(self) -> str:
        """Name and mark of the file as it lies there now; the bare name where there is none."""
        try:
            return _mark(made.look(self._models, self._name))
        except made.MadeError:
            return self._name

    @property
    def tokens_per_s(self) -> float | None:
        """As measured when it was made; None: it is not there."""
        try:
            return read_settings(made.folder(self._models, self._name)).tokens_per_s
        except made.MadeError:
            return None

    async def _load(self) -> _Loaded:
        try:
            at = (made.folder(self._models, self._name) / made.MANIFEST).stat().st_mtime_ns
            if self._loaded is None or self._loaded[0] != at:
                self._loaded = (at, await asyncio.to_thread(self._read))
        except (DemitasseError, OSError) as why:
            raise UpstreamError(
                f"the classifier '{self.alias}' cannot be used: {_why(why, self._name)}",
                status=503,
                code="model_missing",
                retryable=False,
            ) from why
        return self._loaded[1]

    def _read(self) -> _Loaded:
        found = made.look(self._models, self._name)
        if found.kind != "classifier":
            raise made.MadeError(f"'{self._name}' is a {found.kind}; for it write provider = \"local\"")
        head = read_head(made.folder(self._models, self._name))
        encode, sha256 = encoder(head.settings.embedding, self._models)
        if sha256 != head.settings.embedding_sha256:
            raise made.MadeError(
                f"it was trained on another version of the embedding '{head.settings.embedding}'; make it again"
            )
        if encode.dims != head.weights.shape[1]:
            raise made.MadeError(f"it has {head.weights.shape[1]} dimensions and its embedding {encode.dims}")
        return _Loaded(_mark(found), head, encode)


def _answer(loaded: _Loaded, text: str) -> tuple[str | None, float, int, float]:
    """Label (None: the text holds no word it knows), confidence, tokens, CPU seconds."""
    began = time.thread_time()
    vector, tokens = loaded.encode(text)
    label, sure = None, 0.0
    if vector.any():
        found = loaded.head.probabilities(vector)
        best = int(found.argmax())
        label, sure = loaded.head.settings.labels[best], float(found[best])
    return label, sure, max(1, tokens), time.thread_time() - began


class _Message(Struct):
    role: str = ""
    content: Any = None


class _Ask(Struct):
    """What a classifier reads of a request."""

    messages: list[_Message] = []
    response_format: dict[str, Any] | None = None

    def fitting(self, head: Head, alias: str) -> str:
        """The text to label. Raises UpstreamError: this is not what it was trained on."""
        settings = head.settings
        system = "\n".join(_text(m.content) or "" for m in self.messages if m.role in ("system", "developer"))
        if settings.system is not None and system.strip() != settings.system.strip():
            raise _abstains(alias, "the system prompt is not the one that it was trained with")
        turns = [m for m in self.messages if m.role not in ("system", "developer")]
        if not turns or turns[-1].role != "user" or len(turns) - 1 not in (0, settings.shots):
            raise _abstains(alias, "it was trained on single messages, and this is a conversation")
        text = _text(turns[-1].content)
        if text is None:
            raise _abstains(alias, "the message holds more than text")
        return text

    def dressed(self, label: str, head: Head, alias: str) -> str:
        """The label as the request wants it: bare, or in a JSON object. Raises UpstreamError where no schema takes it."""
        kind = (self.response_format or {}).get("type", "text")
        if kind == "text":
            return label
        key = head.settings.answer_key
        if kind == "json_schema":
            schema = (self.response_format or {}).get("json_schema", {}).get("schema", {})
            members = schema.get("properties", {}) if isinstance(schema, dict) else {}
            takes = [name for name, one in members.items() if isinstance(one, dict) and label in one.get("enum", ())]
            if len(takes) != 1 or set(schema.get("required", takes)) - set(takes):
                raise _abstains(alias, f"the schema that is asked for has no place for the label '{label}' alone")
            key = takes[0]
        return msgspec.json.encode({key: label}).decode()


_decode = msgspec.json.Decoder(_Ask).decode


def _read(call: Call, alias: str) -> _Ask:
    if call.kind != "chat" or call.has_tools or call.images or call.files or call.n != 1:
        raise _abstains(alias, "it answers single chat messages without tools, images or several choices")
    try:
        return _decode(msgspec.json.encode(call.fields))
    except msgspec.DecodeError:
        raise _abstains(alias, "it cannot read this request's messages") from None


def _text(content: Any) -> str | None:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(one, dict) and one.get("type") == "text" for one in content):
        return "".join(str(one.get("text", "")) for one in content)
    return None


def _body(call: Call, mark: str, text: str, usage: Usage) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": f"chatcmpl-{call.id}",
        "object": "chat.completion",
        "created": call.at_us // 1_000_000,
        "model": mark,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": usage.total_in,
            "completion_tokens": usage.total_out,
            "total_tokens": usage.total_in + usage.total_out,
        },
    }


def _abstains(alias: str, why: str, **facts: Any) -> UpstreamError:
    # 404 is what the gateway takes for the caller's affair: the model does not rest for it, and a fallback is asked.
    return UpstreamError(
        f"the classifier '{alias}' abstains: {why}; put it on a ladder or give its route a fallback",
        status=404,
        code="abstained",
        type="invalid_request_error",
        retryable=False,
        **facts,
    )


def _mark(found: made.Made) -> str:
    sha256 = next((file.sha256 for file in found.files if file.name == HEAD), "")
    return f"{found.name}@{sha256[:8]}"


def _why(why: Exception, name: str) -> str:
    if isinstance(why, OSError):
        return f"there is no made model '{name}'; make it with: demitasse optimise TASK"
    return str(why)
