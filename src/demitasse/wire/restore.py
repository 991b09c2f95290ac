"""Values put back where an answer holds their placeholders: in whole replies, and in streams however they are cut.

    restorer = Restorer({"<EMAIL_k3x7qa>": "jane@example.com"})   # one for each answer
    reply = restorer.reply(reply)                                 # a whole one, also of a stream
    for event in restorer.event(event): await client.send(event)  # a stream, piece by piece: none, one or two events
    for event in restorer.end(): await client.send(event)         # after the last, and before an error is sent
    message = restorer.text(message)                              # an error's words; ``body`` for any JSON

A placeholder may be split over chunks, at any character. So the end of what came is held back while it may still become
one: of plain text nearly always nothing, and never more than the longest form of a placeholder. A placeholder that a model
wrote in another case, without its brackets, with brackets escaped for HTML or JSON, with blanks within them, or with its
underscores escaped for Markdown is known too; what is not in the map is left as it is.

In arguments of tools, and in content that is JSON, a value is escaped as the string that it comes to stand in, and a string
within a string twice. ``logprobs`` keep the tokens that belong to no placeholder. Knows no detector, no vault and no session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, structs

from ..core.call import Event, Reply
from .chunks import encode, read_choices, read_fields
from .lane import SPECIAL, Lane, grammar_of, squashed
from .logprobs import Waiting, of_whole

Step = str | int | tuple[str]
"""A member's name, an item's ``index``, or the type of items that have none."""
Path = tuple[Step, ...]


class Restorer:
    """Puts values back into one answer. Keep one for each stream: it remembers what it holds back.

    Args:
        values: by placeholder, with its brackets or without. Empty: everything passes as it is.
    """

    __slots__ = ("_grammar", "_keep", "_known", "_lanes", "_last", "_waiting")

    def __init__(self, values: Mapping[str, str]) -> None:
        self._known = {squashed(placeholder): value for placeholder, value in values.items()}
        self._keep = any(SPECIAL.search(value) for value in values.values())
        self._grammar = grammar_of(values) if values else None
        self._lanes: dict[Path, Lane] = {}
        self._waiting: dict[int, Waiting] = {}
        self._last: dict[str, Raw] = {}

    def __bool__(self) -> bool:
        return self._grammar is not None

    def text(self, text: str) -> str:
        """A whole text with its values."""
        if self._grammar is None:
            return text
        return self._new_lane().feed(text, last=True)

    def body(self, body: bytes) -> bytes:
        """Any JSON with its values, error objects for example; what is no JSON is taken for text."""
        if self._grammar is None:
            return body
        try:
            value = _read(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.text(body.decode("utf-8", "replace")).encode()
        return encode(value) if (value := self._whole(value)) is not _SAME else body

    def reply(self, reply: Reply) -> Reply:
        """A whole answer with its values; the same object where it has none."""
        if self._grammar is None:
            return reply
        fields = read_fields(reply.body)
        told = fields.get("choices")
        if told is None and "data" in fields:
            return reply  # embeddings: numbers without end
        changed = self._beside(fields)
        if told is not None and bytes(memoryview(told)[:1]) == b"[":
            choices = read_choices(told)
            if self._choices(choices):
                fields["choices"] = Raw(encode(choices))
                changed = True
        return structs.replace(reply, body=encode(fields)) if changed else reply

    def event(self, event: Event) -> list[Event]:
        """What of a stream may be sent on now that this event has come; the same object where nothing changes."""
        if self._grammar is None:
            return [event]
        fields = read_fields(event.data)
        changed = self._beside(fields)
        told = fields.get("choices")
        if told is None or len(memoryview(told)) <= 2:
            return [Event(encode(fields), event.content, event.text_chars)] if changed else [event]
        self._last = fields
        choices = read_choices(told)
        out: list[Event] = []
        shown: list[dict[str, Any]] = []
        for choice in choices:
            told_here = _Told()
            at = choice.get("index") or 0
            self._feed(choice, (at,), told_here)
            if choice.get("logprobs") is not None:
                self._tokens_of(choice, at, told_here)
            if choice.get("finish_reason"):
                out += self._flush((at,), told_here)
            changed |= told_here.changed
            if told_here.emptied and not told_here.left and not choice.get("finish_reason"):
                continue  # all of it is held back
            shown.append(choice)
        if not changed:
            return [*out, event]
        if shown or not fields.keys() <= _EMPTY_HEAD:
            fields["choices"] = Raw(encode(shown))
            out.append(Event(encode(fields), event.content, event.text_chars))
        return out

    def end(self) -> list[Event]:
        """What is still held back, when no more comes."""
        return self._flush((), _Told())

    def _beside(self, fields: dict[str, Raw]) -> bool:
        """Restores the members beside the choices, those that a vendor added; whether there was something."""
        changed = False
        for name, raw in fields.items():
            if name not in _HEAD and bytes(memoryview(raw)[:1]) in (b'"', b"{", b"["):
                value = self._whole(_read(raw))
                if value is not _SAME:
                    fields[name] = Raw(encode(value))
                    changed = True
        return changed

    def _whole(self, value: Any) -> Any:
        """Any value, as it is known all at once; _SAME where nothing changes."""
        around = {"value": value}
        return around["value"] if self._all(around) else _SAME

    def _choices(self, choices: list[dict[str, Any]]) -> bool:
        changed = False
        for choice in choices:
            texts = choice.get("message") or choice
            was = dict(texts)
            changed |= self._all(choice)
            told = choice.get("logprobs")
            if told is not None:
                differs = lambda name, texts=texts, was=was: texts.get(name) != was.get(name)  # noqa: E731
                choice["logprobs"] = of_whole(told, differs, self._new_lane)
        return changed

    def _tokens_of(self, choice: dict[str, Any], at: int, told: _Told) -> None:
        waiting = self._waiting.setdefault(at, Waiting())
        was = choice["logprobs"]
        choice["logprobs"] = waiting.passed(
            was, lambda name: self._lanes.get((at, "text") if name == "text" else (at, "delta", name))
        )
        told.changed |= choice["logprobs"] != was

    def _all(self, value: dict[str, Any]) -> bool:
        """As a stream of one piece, so that both come to the same."""
        lanes, self._lanes = self._lanes, {}
        told = _Told()
        told.strings = []
        try:
            self._feed(value, (), told)
            for lane in self._lanes.values():
                lane.append(lane.feed("", last=True))
        finally:
            self._lanes = lanes
        return told.changed or any(around[name] != was for around, name, was in told.strings)

    def _feed(self, value: dict[str, Any], path: Path, told: _Told) -> None:
        for name, inner in value.items():
            kind = inner.__class__
            if kind is str:
                if name in _WORDS:
                    told.left |= name == "role"
                    continue
                if name in _ONCE:
                    told.left = True
                    now = self.text(inner)
                else:
                    lane = self._lane((*path, name), name)
                    lane.told, lane.around, lane.name = told, value, name
                    now = lane.feed(inner)
                    told.left |= now != ""
                    told.emptied |= now != inner
                    if told.strings is not None:
                        told.strings.append((value, name, inner))
                        value[name] = now
                        continue
                if now != inner:
                    value[name] = now
                    told.changed = True
            elif kind is dict:
                if name != "logprobs":
                    self._feed(inner, (*path, name), told)
            elif kind is list:
                self._items(inner, (*path, name), told)
            elif inner is not None and name != "index":
                told.left = True

    def _items(self, items: list[Any], path: Path, told: _Told) -> None:
        for nth, item in enumerate(items):
            if item.__class__ is dict:
                index = item.get("index")
                # Items without a number of their own follow each other: a text may go on from one to the next.
                step: Step = index if index.__class__ is int else (str(item.get("type") or ""),)
                self._feed(item, (*path, step), told)
            elif item.__class__ is str:
                told.left = True
                now = self.text(item)
                if now != item:
                    items[nth] = now
                    told.changed = True
            elif item.__class__ is list:
                self._items(item, path, told)

    def _lane(self, path: Path, name: str) -> Lane:
        lane = self._lanes.get(path)
        if lane is None:
            lane = self._lanes[path] = self._new_lane(as_json=name in _ARGUMENTS)
        return lane

    def _new_lane(self, *, as_json: bool = False) -> Lane:
        assert self._grammar is not None
        return Lane(self._grammar, self._known, as_json=as_json, keep=self._keep)

    def _flush(self, path: Path, told: _Told) -> list[Event]:
        """What is held back below this path: into the strings that just came, where they did, else as events of their own."""
        out = []
        for place, lane in self._lanes.items():
            if place[: len(path)] != path or not lane.held:
                continue
            before = lane.replaced
            rest = lane.feed("", last=True)
            if lane.told is told:
                lane.append(rest)
                told.changed = True
            elif rest:
                fields = {name: raw for name, raw in self._last.items() if name in _HEAD and name != "usage"}
                waiting = self._waiting.get(place[0]) if isinstance(place[0], int) else None
                tokens = waiting.rest(lane.name) if waiting is not None and lane.replaced == before else None
                choice = {"index": place[0], **_built(place[1:], rest), "logprobs": tokens, "finish_reason": None}
                fields["choices"] = Raw(encode([choice]))
                out.append(Event(encode(fields), content=True, text_chars=len(rest)))
        return out


class _Told:
    """What became of one choice of one event."""

    __slots__ = ("changed", "emptied", "left", "strings")

    def __init__(self) -> None:
        self.changed = False
        self.emptied = False
        """Something is held back, wholly or in part."""
        self.left = False
        """Something is there for the client to see."""
        self.strings: list[tuple[dict[str, Any], str, str]] | None = None
        """Of what is known all at once: each string that may yet get its end back, and what it was."""


_SAME: Final = object()
_HEAD: Final = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier", "provider"}
)
_EMPTY_HEAD: Final = _HEAD - {"usage"}
"""A chunk with these members alone and no choices says nothing."""
_WORDS: Final = frozenset({"role", "type", "object", "finish_reason"})
_ONCE: Final = frozenset({"id", "name", "model", "format"})
"""Strings that a stream says once: they don't grow."""
_ARGUMENTS: Final = frozenset({"arguments", "partial_json"})
"""Strings that hold JSON."""
_read = msgspec.json.Decoder().decode


def _built(path: Path, text: str) -> dict[str, Any]:
    """The members that lead to a string."""
    value: Any = text
    for step in reversed(path):
        if isinstance(step, str):
            value = {step: value}
        else:
            value = [{"index": step, **value} if isinstance(step, int) else {"type": step[0], **value}]
    built: dict[str, Any] = value
    return built
