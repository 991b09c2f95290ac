"""A complete answer on its way through: renamed, its meter and its end read, set right where clients would stumble.

The body's members keep their bytes and order. Knows no HTTP and no vendors.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from ..core.call import Call
from ..core.quiet import quiet
from .chunks import WHOLE_OBJECT, encode, read_choices, read_fields
from .errors import Fault, fault_of, read_fault
from .finish import WHOLE, BrokenAnswerError, finish_word
from .tools import ToolCalls


class Answer(Struct, frozen=True):
    """A complete answer as the client sees it, and what the books need of it."""

    __repr__ = quiet

    body: bytes
    model: str | None
    """The upstream's own name of the model that answered."""
    usage: Raw | None
    finish: str | None
    complete: bool
    head: dict[str, Raw]
    """The answer's members beside the choices, undecoded."""


class NoAnswerError(Exception):
    """The upstream said 200 but sent no answer. ``fault`` is its own error object, if it sent one."""

    def __init__(self, message: str, fault: Fault | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fault = fault


def read_answer(call: Call, body: bytes) -> Answer:
    """Read a whole answer of the call's kind. Raises NoAnswerError where it is none."""
    try:
        fields = read_fields(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NoAnswerError(_no_json(body)) from None
    if "error" in fields and bytes(fields["error"]) != b"null":
        fault = fault_of(msgspec.json.decode(fields["error"]))
        raise NoAnswerError(fault.message, fault)
    model, usage = fields.get("model"), fields.get("usage")
    if usage is not None and bytes(usage) == b"null":
        usage = None
    finish, complete = None, True
    if call.kind == "embedding":
        if not bytes(fields.get("data", Raw(b""))).startswith(b"["):
            raise NoAnswerError("the upstream's answer holds no embeddings ('data')")
    elif call.kind == "moderation":
        if not bytes(fields.get("results", Raw(b""))).startswith(b"["):
            raise NoAnswerError("the upstream's answer holds no results of moderation ('results')")
    else:
        finish, complete = _choices(call, fields)
        _head(call, fields)
    fields["model"] = Raw(encode(call.model))
    return Answer(encode(fields), _text(model), usage, finish, complete, fields)


def _no_json(body: bytes) -> str:
    if not body.strip():
        return "the upstream's answer is empty"
    if body.lstrip().startswith(b"<"):
        return f"the upstream answered with a page instead of JSON: {read_fault(body).message}"
    return "the upstream's answer is not valid JSON"


class _Message(Struct):
    tool_calls: list[_ToolCall] | None = None


class _ToolCall(Struct):
    id: str | None = None
    type: str | None = None
    function: _Function | None = None


class _Function(Struct):
    arguments: str | None = None


class _Choice(Struct):
    finish_reason: str | None = None
    index: int | None = None
    message: _Message | None = None
    text: Raw = Raw(b"")


_read_choices = msgspec.json.Decoder(list[_Choice]).decode


def _choices(call: Call, fields: dict[str, Raw]) -> tuple[str | None, bool]:
    """The first finish reason and whether all choices are whole; sets right what the SDKs rely on."""
    raw = fields.get("choices")
    try:
        choices = _read_choices(raw) if raw is not None else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        choices = None  # of a shape that needs setting right, or none at all
    if choices == [] or raw is None:
        raise NoAnswerError("the upstream's answer holds no choices")
    try:
        words = [finish_word(c.finish_reason) for c in choices] if choices else []
    except BrokenAnswerError as why:
        raise NoAnswerError(str(why)) from None
    if choices is None or not all(map(_right, [call.kind] * len(choices), choices, words)):
        words = _set_right(call, fields, raw)
    told = [w is not None and w in WHOLE for w in words]
    asked = call.n if call.kind == "chat" else 1
    return words[0] or "stop", all(told) and len(told) >= asked


def _right(kind: str, choice: _Choice, word: str | None) -> bool:
    if word is None or word != choice.finish_reason or choice.index is None:
        return False
    if kind != "chat":
        return bytes(choice.text).startswith(b'"')
    calls = choice.message.tool_calls if choice.message is not None else None
    return choice.message is not None and (not calls or all(c.id and c.type for c in calls))


def _set_right(call: Call, fields: dict[str, Raw], raw: Raw) -> list[str | None]:
    try:
        choices = read_choices(raw)
        words = [finish_word(c.get("finish_reason")) for c in choices]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NoAnswerError("the upstream's choices are not readable") from None
    except BrokenAnswerError as why:
        raise NoAnswerError(str(why)) from None
    if not choices:
        raise NoAnswerError("the upstream's answer holds no choices")
    for at, (choice, word) in enumerate(zip(choices, words, strict=True)):
        if not isinstance(choice.get("index"), int):
            choice["index"] = at
        choice["finish_reason"] = word or "stop"
        if call.kind != "chat":
            choice["text"] = choice.get("text") if isinstance(choice.get("text"), str) else ""
            continue
        message = choice.get("message")
        if not isinstance(message, dict):
            raise NoAnswerError("the upstream's answer holds a choice without a message")
        calls: Any = message.get("tool_calls")
        if isinstance(calls, list) and all(isinstance(c, dict) for c in calls):
            for place, tool_call in enumerate(calls):
                tool_call["index"] = place
            ToolCalls(f"{call.id}_{choice['index']}").settle(calls)
            for tool_call in calls:
                del tool_call["index"]
    fields["choices"] = Raw(encode(choices))
    return words


def _head(call: Call, fields: dict[str, Raw]) -> None:
    if bytes(fields.get("id", _NULL)) in _NOTHING:
        fields["id"] = Raw(encode(("chatcmpl-" if call.kind == "chat" else "cmpl-") + call.id))
    if not bytes(fields.get("created", _NULL)).isdigit():
        fields["created"] = Raw(b"%d" % (call.at_us // 1_000_000))
    if fields.get("object") != WHOLE_OBJECT[call.kind]:
        fields["object"] = WHOLE_OBJECT[call.kind]


_NULL = Raw(b"null")
_NOTHING = frozenset({b"null", b'""'})


def _text(raw: Raw | None) -> str | None:
    try:
        value = msgspec.json.decode(raw) if raw is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, str) else None
