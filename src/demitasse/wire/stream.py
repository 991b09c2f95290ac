"""An upstream's stream to the events a client may see: one model name, one usage, deltas that the SDKs can add up.

Upstreams differ: a role in every chunk or in none, usage anywhere, tool calls without an index, finish reasons of their
own. What is right is passed on as it came, undecoded; what is not is set right here. Knows no sockets and no vendors.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ..core.call import Call, Event
from .chunks import CHUNK_OBJECT, Assembler, Choice, encode, read_choices, read_fields
from .errors import Fault, fault_of
from .finish import WHOLE, BrokenAnswerError, finish_word
from .tools import ToolCalls


class BrokenStreamError(Exception):
    """The stream cannot be gone on with. ``fault`` is the upstream's own error object, if it sent one."""

    def __init__(self, message: str, fault: Fault | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fault = fault


class _Choice:
    """How far one choice has come."""

    __slots__ = ("finish", "opened", "tools")

    def __init__(self, seed: str) -> None:
        self.opened = False
        self.finish: str | None = None
        self.tools = ToolCalls(seed)


class _Parts:
    """What one chunk's choices come to."""

    __slots__ = ("chars", "content", "endings", "openers", "shown")

    def __init__(self) -> None:
        self.openers: list[Choice] = []
        self.shown: list[Choice] = []
        self.endings: list[Choice] = []
        self.content = False
        self.chars = 0


class Relay:
    """One stream on its way through: ``feed`` payloads, send on the events that come back, ``end`` after the last.

    ``usage`` is the last reading so far, ``upstream_model`` who answers, ``head`` the first chunk's other members;
    ``body()`` the answer so far as one whole. Raises BrokenStreamError for an error object, invalid JSON, or no answer.
    """

    __slots__ = (
        "_assembler",
        "_call",
        "_choices",
        "_created",
        "_early",
        "_id",
        "_last",
        "_model",
        "_object",
        "_unfinished",
        "upstream_model",
        "usage",
    )

    def __init__(self, call: Call) -> None:
        self._call = call
        self._assembler = Assembler(call.kind)
        self._model = Raw(encode(call.model))
        self._object = CHUNK_OBJECT[call.kind]
        self._id = Raw(encode(("chatcmpl-" if call.kind == "chat" else "cmpl-") + call.id))
        self._created = Raw(b"%d" % (call.at_us // 1_000_000))
        self._choices: dict[int, _Choice] = {}
        self._early: list[Event] = []
        self._last: dict[str, Raw] = {}
        self._unfinished = False
        self.upstream_model: str | None = None
        self.usage: Raw | None = None

    def feed(self, payload: bytes) -> list[Event]:
        """The events that one payload turns into: nearly always one."""
        try:
            fields = read_fields(payload)
            told = fields.get("choices")
            choices = read_choices(told) if told is not None and bytes(told) != b"null" else []
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise BrokenStreamError("the upstream sent a chunk that is not valid JSON") from None
        if "error" in fields and bytes(fields["error"]) != b"null":
            fault = fault_of(msgspec.json.decode(fields["error"]))
            raise BrokenStreamError(fault.message, fault)
        self._head(fields)
        if not choices:
            return self._without_choices(fields)
        try:
            return self._chat(fields, choices) if self._call.kind == "chat" else self._text(fields, choices)
        except BrokenAnswerError as why:
            raise BrokenStreamError(str(why)) from None

    def end(self) -> list[Event]:
        """What is still owed after the last payload: a finish reason that never came, the usage that was asked for."""
        if not self._choices:
            raise BrokenStreamError("the upstream's stream ended without an answer")
        head = {k: v for k, v in self._last.items() if k in _HEAD}
        events = []
        for index, choice in self._choices.items():
            if choice.finish is None:
                self._unfinished = True
                choice.finish = "stop"
                part: Choice = {"index": index, "delta": {}, "logprobs": None, "finish_reason": "stop"}
                if self._call.kind != "chat":
                    part = {"text": "", "index": index, "logprobs": None, "finish_reason": "stop"}
                self._assembler.add({}, [part])
                events.append(_event(head, [part]))
        if self._call.include_usage and self.usage is not None:
            carrier = head if self._last.get("choices", _NO_CHOICES) != _NO_CHOICES else self._last
            events.append(Event(encode(carrier | {"choices": _NO_CHOICES, "usage": self.usage})))
        return events

    def body(self) -> bytes:
        return self._assembler.body()

    @property
    def head(self) -> dict[str, Raw]:
        return self._assembler.head

    @property
    def finish(self) -> str | None:
        """The first choice's finish reason."""
        return self._choices[min(self._choices)].finish if self._choices else None

    @property
    def complete(self) -> bool:
        """Every choice ended by itself, and said so."""
        asked = self._call.n if self._call.kind == "chat" else 1
        ended = [c.finish in WHOLE for c in self._choices.values()]
        return len(ended) >= asked and all(ended) and not self._unfinished

    def _head(self, fields: dict[str, Raw]) -> None:
        """The members of every chunk that a client relies on, and the usage taken out."""
        if self.upstream_model is None and "model" in fields:
            self.upstream_model = text_of(fields["model"])
        fields["model"] = self._model
        fields["object"] = self._object
        id, created = fields.get("id"), fields.get("created")
        if id is None or bytes(id) in _NOTHING:
            fields["id"] = self._id
        if created is None or not bytes(created).isdigit():
            fields["created"] = self._created
        usage = fields.pop("usage", None)
        if usage is not None and bytes(usage) != b"null":
            self.usage = self._assembler.usage = usage
        self._last = fields

    def _without_choices(self, fields: dict[str, Raw]) -> list[Event]:
        """A chunk of usage, a keep-alive, or a vendor's extra: only the last is passed on, and never as the first."""
        self._assembler.add(fields, [])
        if fields.keys() <= _HEAD or self.usage is not None:
            return []
        event = _event(fields, [])
        if self._choices:
            return [event]
        self._early.append(event)
        return []

    def _chat(self, fields: dict[str, Raw], choices: list[Choice]) -> list[Event]:
        right = True
        for choice in choices:
            right &= self._settle(choice)
        self._assembler.add(fields, choices)
        parts = _Parts()
        for choice in choices:
            right &= self._part(choice, parts)
        if right and not (parts.openers or self._early):
            return [Event(encode(fields), parts.content, parts.chars)]
        events = [_event(fields, parts.openers)] if parts.openers else []
        if parts.shown:
            changed = fields if right else fields | {"choices": Raw(encode(parts.shown))}
            events.append(Event(encode(changed), parts.content, parts.chars))
        if parts.endings:
            events.append(_event({k: v for k, v in fields.items() if k in _HEAD}, parts.endings))
        if events:
            events[1:1], self._early = self._early, []
        return events

    def _part(self, choice: Choice, parts: _Parts) -> bool:
        """Opener, content and ending each come in a chunk of their own; whether the choice may stay as it came."""
        delta, finish, index = choice["delta"], choice["finish_reason"], choice["index"]
        state, text = self._choices[index], delta.get("content")
        if len(delta) == 1 and text.__class__ is str:
            says, chars = text != "", len(text)
        else:
            says, chars = _says(delta)
        parts.content |= says
        parts.chars += chars
        if state.finish and not finish and not says:
            return False  # an ending said again: once is enough
        parts.shown.append(choice)
        right = True
        if state.opened or says or finish:
            if not state.opened:
                parts.openers.append({"index": index, "delta": _OPENER, "logprobs": None, "finish_reason": None})
            right = delta.pop("role", None) is None
        elif delta.get("role") != "assistant" or text != "":
            choice["delta"] = delta | _OPENER
            right = False
        state.opened = True
        if finish and says:
            parts.endings.append({"index": index, "delta": {}, "logprobs": None, "finish_reason": finish})
            choice["finish_reason"] = None
            right = False
        return right

    def _settle(self, choice: Choice) -> bool:
        """Index, delta, finish reason and tool calls of a choice in the form that is relied on; whether they were."""
        right = True
        index, delta = choice.get("index"), choice.get("delta")
        if index.__class__ is not int:
            index = choice["index"] = 0
            right = False
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _Choice(f"{self._call.id}_{index}")
        if delta.__class__ is not dict:
            message = choice.pop("message", None)  # some servers end with the whole message: its text was streamed
            delta = choice["delta"] = message if isinstance(message, dict) and not state.opened else {}
            right = False
        finish = choice.get("finish_reason", "")
        if finish is not None:
            right &= self._finish(choice, state, finish)
        calls = delta.get("tool_calls")
        if calls:
            if not isinstance(calls, list) or not all(isinstance(c, dict) for c in calls):
                raise BrokenStreamError("the upstream sent tool calls that are no list of objects")
            right &= not state.tools.settle(calls)
        return right

    def _finish(self, choice: Choice, state: _Choice, told: Any) -> bool:
        word = finish_word(told)
        if word is not None and state.finish is not None:
            word = None
        elif word is not None:
            state.finish = word
        choice["finish_reason"] = word
        return bool(word == told)

    def _text(self, fields: dict[str, Raw], choices: list[Choice]) -> list[Event]:
        as_it_came, chars = True, 0
        for choice in choices:
            index, finish = choice.get("index"), choice.get("finish_reason", "")
            if index.__class__ is not int:
                index = choice["index"] = 0
                as_it_came = False
            state = self._choices.get(index)
            if state is None:
                state = self._choices[index] = _Choice("")
            if finish is not None:
                as_it_came &= self._finish(choice, state, finish)
            text = choice.get("text")
            if text.__class__ is not str:
                text = choice["text"] = ""
                as_it_came = False
            chars += len(text)
        self._assembler.add(fields, choices)
        if not as_it_came:
            fields = fields | {"choices": Raw(encode(choices))}
        early, self._early = self._early, []
        return [*early, Event(encode(fields), chars > 0, chars)]


_HEAD = frozenset({"id", "object", "created", "model", "choices", "system_fingerprint", "service_tier", "provider"})
_NO_CHOICES = Raw(b"[]")
_NOTHING = frozenset({b"null", b'""'})
_OPENER = {"role": "assistant", "content": ""}


def _event(head: dict[str, Raw], choices: list[Choice]) -> Event:
    return Event(encode(head | {"choices": Raw(encode(choices))}))


def _says(delta: dict[str, Any]) -> tuple[bool, int]:
    """Whether a client would see something of this delta, and how many characters of output it holds."""
    says, chars, reasoning = False, 0, 0
    for name, value in delta.items():
        if name == "role" or not value:
            continue
        says = True
        if isinstance(value, str):
            if name.startswith("reasoning"):  # often said twice, under two names
                reasoning = max(reasoning, len(value))
            else:
                chars += len(value)
        elif name == "tool_calls":
            chars += sum(_call_chars(call) for call in value)
        elif name == "function_call":
            chars += _call_chars({"function": value})
        elif name == "content":
            chars += sum(
                len(str(part.get("text") or part.get("thinking") or "")) for part in value if isinstance(part, dict)
            )
    return says, chars + reasoning


def _call_chars(call: dict[str, Any]) -> int:
    inner = call.get("function") or call.get("custom")
    return sum(len(v) for v in inner.values() if isinstance(v, str)) if isinstance(inner, dict) else 0


def text_of(raw: Raw | None) -> str | None:
    """A raw JSON string's text; None for everything else."""
    try:
        value = msgspec.json.decode(raw) if raw is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, str) else None
