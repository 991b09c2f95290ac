"""A completion and its chunks: assemble chunks into the whole, explode the whole into chunks, rename either.

``assemble(explode(body))`` gives the same answer back. Knows the grammar of deltas, not what it means: members it has
never heard of are carried along. Knows nothing of SSE framing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from ..core.call import Kind

Choice = dict[str, Any]
"""One element of ``choices``, decoded."""

_read_fields = msgspec.json.Decoder(dict[str, Raw]).decode
read_choices = msgspec.json.Decoder(list[Choice]).decode
encode = msgspec.json.encode


def read_fields(body: bytes) -> dict[str, Raw]:
    """A JSON object's top-level members in their order, each undecoded.

    Raises msgspec.DecodeError or RecursionError: it is none; UnicodeDecodeError: it is not UTF-8, which would be passed on.
    """
    if not body.isascii():
        body.decode()  # what is skipped is not looked into by the decoder
    return _read_fields(body)


WHOLE_OBJECT = {"chat": Raw(b'"chat.completion"'), "completion": Raw(b'"text_completion"')}
CHUNK_OBJECT = {"chat": Raw(b'"chat.completion.chunk"'), "completion": Raw(b'"text_completion"')}


def rename(body: bytes, model: str) -> bytes:
    """The same JSON object with top-level ``model`` set; every other member's bytes and their order stay.

    Raises:
        msgspec.DecodeError: ``body`` is no JSON object.
    """
    fields = read_fields(body)
    fields["model"] = Raw(encode(model))
    return encode(fields)


class Assembler:
    """Adds up a stream's chunks to one complete answer.

    ``usage`` is the last reading the stream carried, ``head`` the members beside the choices, ``finish`` the finish
    reasons by choice as far as they are known.
    """

    __slots__ = ("_choices", "_kind", "head", "usage")

    def __init__(self, kind: Kind = "chat") -> None:
        self._kind = kind
        self.head: dict[str, Raw] = {}
        self._choices: dict[int, Choice] = {}
        self.usage: Raw | None = None

    def feed(self, chunk: bytes) -> None:
        """Add one chunk's JSON. Raises msgspec.DecodeError when it is none."""
        fields = read_fields(chunk)
        self.add(fields, read_choices(fields["choices"]) if "choices" in fields else [])

    def add(self, fields: dict[str, Raw], choices: list[Choice]) -> None:
        """Add one chunk whose members and choices are already decoded."""
        head = self.head
        for name, raw in fields.items():
            if name not in head or (raw != head[name] and bytes(head[name]) == b"null"):
                head[name] = raw
        usage = fields.get("usage")
        if usage is not None and bytes(usage) != b"null":
            self.usage = usage
        for choice in choices:
            index = choice.get("index") or 0
            known = self._choices.get(index)
            if known is None:
                known = self._choices[index] = {"index": index, "finish_reason": None}
            for name, value in choice.items():
                if name == "delta":
                    if value:
                        _merge(known.setdefault("message", {}), value)
                elif name in _GROWING:
                    _merge(known, {name: value})
                elif name != "index" and (value is not None or name not in known):
                    known[name] = value

    @property
    def finish(self) -> list[str | None]:
        return [self._choices[i]["finish_reason"] for i in sorted(self._choices)]

    def body(self) -> bytes:
        """The complete answer as JSON, its members in the order of the first chunk."""
        head = dict(self.head)
        head.pop("usage", None)
        head["object"] = WHOLE_OBJECT[self._kind]
        head["choices"] = Raw(encode([self._whole(self._choices[i]) for i in sorted(self._choices)]))
        if self.usage is not None:
            head["usage"] = self.usage
        return encode(head)

    def _whole(self, choice: Choice) -> Choice:
        whole = _settled(choice)
        if self._kind != "chat":
            return {"text": "", **whole}
        message = whole.pop("message", {})
        message = {"role": message.pop("role", None) or "assistant", "content": message.pop("content", None), **message}
        for call in message.get("tool_calls") or ():
            if isinstance(call, dict):
                call.pop("index", None)
        return {"index": whole.pop("index"), "message": message, **whole}


def explode(body: bytes, *, include_usage: bool = False, kind: Kind = "chat", piece_chars: int = 48) -> Iterator[bytes]:
    """The chunks that a stream of this whole answer could have had, as JSON without framing.

    Per choice: an opener with role and empty content, members we do not know as they are, the text in pieces of
    ``piece_chars``, each tool call's opener and its argument fragments, and a finish chunk with an empty delta. The
    usage chunk comes last, if ``include_usage`` and there is one. Raises msgspec.DecodeError for what is no completion.
    """
    fields = read_fields(body)
    usage = fields.pop("usage", None)
    choices = read_choices(fields.pop("choices", Raw(b"[]")))
    fields["object"] = CHUNK_OBJECT[kind]
    for choice in choices:
        for part in _text_parts(choice, piece_chars) if kind == "completion" else _chat_parts(choice, piece_chars):
            fields["choices"] = Raw(encode([part]))
            yield encode(fields)
    if include_usage and usage is not None and bytes(usage) != b"null":
        fields["choices"] = Raw(b"[]")
        fields["usage"] = usage
        yield encode(fields)


def _chat_parts(choice: Choice, size: int) -> Iterator[Choice]:
    choice = dict(choice)
    index = choice.pop("index", None) or 0
    message = choice.pop("message", None) or {}
    logprobs = choice.pop("logprobs", None)
    finish = choice.pop("finish_reason", None)

    def part(delta: dict[str, Any], logprobs: Any = None, finish: str | None = None) -> Choice:
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}

    content = message.get("content")
    opener = {"role": message.get("role") or "assistant", "content": "" if isinstance(content, str) else None}
    later = {k: v for k, v in message.items() if k not in _OWN_ORDER}
    yield part(opener | {k: None for k, v in message.items() if v is None and k not in opener})
    for name, value in later.items():  # reasoning comes before the answer
        if value is not None:
            yield part({name: value})
    if isinstance(content, str):
        for text, share in _with_logprobs(content, logprobs, size):
            yield part({"content": text}, share)
            logprobs = None
    elif content is not None:
        yield part({"content": content})
    if logprobs is not None:
        yield part({}, logprobs)
    for text in _pieces(message.get("refusal") or "", size):
        yield part({"refusal": text})
    for at, call in enumerate(message.get("tool_calls") or ()):
        for fragment in _call_parts(call, size):
            yield part({"tool_calls": [{"index": at, **fragment}]})
    if message.get("function_call"):
        for fragment in _call_parts({"function": message["function_call"]}, size):
            yield part({"function_call": fragment["function"]})
    yield part({}, None, finish) | choice


def _call_parts(call: dict[str, Any], size: int) -> Iterator[dict[str, Any]]:
    """A tool call's opener with all but its arguments, then these in fragments."""
    for member, growing in (("function", "arguments"), ("custom", "input")):
        inner = call.get(member)
        if isinstance(inner, dict):
            text = inner.get(growing)
            opener = {k: v for k, v in call.items() if k != "index"}
            opener[member] = inner | {growing: ""} if isinstance(text, str) else inner
            yield opener
            if isinstance(text, str):
                for piece in _pieces(text, size):
                    yield {member: {growing: piece}}
            return
    yield call


def _text_parts(choice: Choice, size: int) -> Iterator[Choice]:
    index, finish = choice.get("index") or 0, choice.get("finish_reason")
    rest = {k: v for k, v in choice.items() if k not in ("index", "finish_reason", "text", "logprobs")}
    logprobs = choice.get("logprobs")
    for text in _pieces(choice.get("text") or "", size):
        yield {"text": text, "index": index, "logprobs": logprobs, "finish_reason": None}
        logprobs = None
    yield {"text": "", "index": index, "logprobs": logprobs, "finish_reason": finish} | rest


def _with_logprobs(content: str, logprobs: Any, size: int) -> Iterator[tuple[str, Any]]:
    """Text with its log-probabilities: token by token where they spell the text, else all with the first piece."""
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if (
        isinstance(tokens, list)
        and set(logprobs) <= {"content", "refusal"}
        and not logprobs.get("refusal")
        and all(isinstance(t, dict) and isinstance(t.get("token"), str) and t["token"] for t in tokens)
        and "".join(t["token"] for t in tokens) == content
    ):
        for token in tokens:
            yield token["token"], logprobs | {"content": [token]}
        return
    for text in _pieces(content, size):
        yield text, logprobs
        logprobs = None


def _pieces(text: str, size: int) -> Iterator[str]:
    for at in range(0, len(text), size):
        yield text[at : at + size]


_OWN_ORDER = frozenset({"role", "content", "refusal", "tool_calls", "function_call"})
_GROWING = frozenset({"logprobs", "text"})
_ONCE = frozenset({"role", "id", "type", "name", "index", "format", "object", "model"})
"""Strings that a stream says once; a repetition is no continuation."""


class _Text(list[str]):
    """A string that is still growing; joined once at the end, or long answers would cost the square of their length."""


class _ByIndex(dict[int, Any]):
    """A list whose elements are still growing, addressed by their ``index``."""


def _merge(known: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        old = known.get(name)
        if value is None:
            known.setdefault(name, None)
        elif isinstance(value, str):
            if name in _ONCE:
                known[name] = old or value
            elif isinstance(old, _Text):
                old.append(value)
            elif isinstance(old, list):  # a list of parts is followed by plain text
                old.append({"type": "text", "text": value})
            else:
                known[name] = _Text((value,))
        elif isinstance(value, list):
            _merge_list(known, name, old, value)
        elif isinstance(value, dict):
            if not isinstance(old, dict):
                old = known[name] = {}
            _merge(old, value)
        else:
            known[name] = value


def _merge_list(known: dict[str, Any], name: str, old: Any, value: list[Any]) -> None:
    if value and all(isinstance(v, dict) and isinstance(v.get("index"), int) for v in value):
        if not isinstance(old, _ByIndex):
            old = known[name] = _ByIndex()
        for item in value:
            _merge(old.setdefault(item["index"], {}), item)
    elif isinstance(old, _Text):
        known[name] = ([{"type": "text", "text": "".join(old)}] if any(old) else []) + value
    elif isinstance(old, list):
        old.extend(value)
    elif not isinstance(old, _ByIndex):
        known[name] = list(value)


def _settled(value: Any) -> Any:
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, _ByIndex):
        return [_settled(value[i]) for i in sorted(value)]
    if isinstance(value, dict):
        return {k: _settled(v) for k, v in value.items()}
    return value
