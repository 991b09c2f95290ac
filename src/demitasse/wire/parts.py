"""The texts of a request, each with who wrote it and where it stands; and the same request with some of them exchanged.

Every string counts that a model or its provider could read: unknown members too, since new ones keep appearing. So do long whole
numbers, which may be somebody's, and members' names that hold an at sign or many digits. Left out are the words of the protocol
(roles, types, ids, names of functions) and inline files, but for text that a ``data:`` URL holds.
Knows the shapes of requests; knows no detector and no placeholder.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal
from urllib.parse import quote, unquote, unquote_to_bytes

import msgspec
from msgspec import Raw, Struct

from ..core.call import Kind
from ..core.errors import Refused
from ..core.quiet import quiet
from .passages import Span, retrieved

Source = Literal["system", "user", "assistant", "tool", "retrieved"]
"""Who wrote a text, as ``guard.finding`` has it."""
Place = tuple[str | int, ...]
"""The way to a string from the top of the request: ``("messages", 2, "content", 0, "text")``."""


class Part(Struct, frozen=True):
    """One string of a request."""

    __repr__ = quiet

    source: Source
    place: Place
    text: str
    """As it is sent; but where it is JSON itself, letters that are written as numbers (``\\u0040``) are written out, and of a
    ``data:`` URL it is the text that it holds."""
    passages: tuple[Span, ...] = ()
    """Where within ``text``, in order, something stands that was looked up: of it the source is ``retrieved``."""
    name: bool = False
    """An identifier, in which providers refuse spaces and brackets."""
    before: str = ""
    """The name of the member of an object that this is, which may tell what a number is; it stands in another place."""
    fixed: bool = False
    """The name of a member: nothing can be put in its stead."""

    def pieces(self) -> list[tuple[Source, int, int]]:
        """The text cut by source: ``(source, start, end)`` in order, without gaps."""
        found: list[tuple[Source, int, int]] = []
        at = 0
        for start, end in self.passages:
            if start > at:
                found.append((self.source, at, start))
            found.append(("retrieved", start, end))
            at = end
        if at < len(self.text) or not found:
            found.append((self.source, at, len(self.text)))
        return found


def parts(kind: Kind, fields: Mapping[str, Raw], twice: list[str] | None = None) -> list[Part]:
    """The texts of a request with these top-level members, in their order; empty strings are none.

    ``twice`` gets the members within which an object bears a name twice: readers take the last, and what the first holds is
    none of the parts. See `said_once`. Never raises for members that `ask.read` has let pass.
    """
    found: list[Part] = []
    for name, raw in fields.items():
        if name == "model":
            continue
        before = len(found)
        _member(found, "user", (name,), name)
        first = bytes(memoryview(raw)[:1])
        if first == b'"':
            _leaf(found, _TOP.get(name, "user"), (name,), _decoded(raw), name in _NAMES)
        elif first in (b"[", b"{"):
            value = _decoded(raw)
            if twice is not None and _quotes(bytes(raw)) != _quotes(msgspec.json.encode(value)):
                twice.append(name)
            if name == "messages" or (name == "input" and kind == "chat" and value.__class__ is list):
                _messages(found, name, value)
            else:
                _walk(found, _TOP.get(name, "user"), (name,), value, _SCHEMA if name in _SCHEMAS else _ALL)
        elif first.isdigit() and name not in _NO_TEXT:
            _walk(found, "user", (name,), _decoded(raw), _ALL, name)
        if name in _NO_TEXT and len(found) > before:
            found[before:] = [part for part in found[before:] if not _is_word(part.text)]
    return found


def with_texts(fields: Mapping[str, Raw], body: bytes, texts: Mapping[Place, str]) -> tuple[dict[str, Raw], bytes]:
    """The request with the strings at these places exchanged; every byte outside of them stays as it was. A number becomes a
    string, and what a ``data:`` URL holds is written as it was.

    What does not change comes back as the same objects. In ``body`` a member with a changed string becomes what it is among
    the fields. Where a name stands twice in one object, both are exchanged: readers take the last, and the first must not
    go out either.

    Raises:
        KeyError: there is no string at a place.
    """
    edits: dict[str, Any] = {}
    for place, text in texts.items():
        inner: dict[Any, Any] = edits
        for step in place[:-1]:
            inner = inner.setdefault(step, {})
        inner[place[-1]] = text
    changed: dict[str, str] = {}
    for name, edit in edits.items():
        was = bytes(fields[name]).decode()
        now = _edited(was, edit)
        if now is not None:
            changed[name] = now
    if not changed:
        return fields if isinstance(fields, dict) else dict(fields), body
    return {n: Raw(changed[n].encode()) if n in changed else raw for n, raw in fields.items()}, _exchanged(
        body, changed
    )


def said_once(fields: Mapping[str, Raw], body: bytes, twice: Collection[str]) -> tuple[dict[str, Raw], bytes]:
    """The request with these members as everybody reads them: of what an object says twice, the last.

    Raises Refused where that cannot be told without changing something else.
    """
    try:
        changed = {name: msgspec.json.encode(_read(fields[name])) for name in twice}
    except msgspec.DecodeError:  # a number that no float holds
        raise Refused("an object of the body bears a name twice; send each name once", code="invalid_json") from None
    told = {name: now.decode() for name, now in changed.items()}
    return {n: Raw(changed[n]) if n in changed else raw for n, raw in fields.items()}, _exchanged(body, told)


def once_at_top(fields: Mapping[str, Raw], body: bytes) -> bytes:
    """The body, where it says each of its members once; else one of what everybody reads of it, the fields."""
    told = msgspec.json.encode(fields)
    return body if len(told) == len(body) or _quotes(told) == _quotes(body) else told


_NO_TEXT: Final = frozenset(
    {
        *("stream", "stream_options", "n", "best_of", "max_tokens", "max_completion_tokens", "temperature"),
        *("top_p", "top_k", "min_p", "seed", "logprobs", "top_logprobs", "logit_bias", "presence_penalty"),
        *("frequency_penalty", "repetition_penalty", "service_tier", "reasoning_effort", "verbosity", "modalities"),
        *("parallel_tool_calls", "store", "encoding_format", "dimensions", "tool_choice", "function_call", "echo"),
        *("prompt_cache_retention", "truncation", "include", "audio"),
    }
)
"""Top-level members that hold words of the protocol or numbers alone; what is no such word is a text in the wrong place."""
_TOP: Final[dict[str, Source]] = {
    "tools": "system",
    "functions": "system",
    "response_format": "system",
    "instructions": "system",
    "system": "system",
    "guided_json": "system",
    "text": "system",
    "prediction": "assistant",
    "documents": "retrieved",
    "context": "retrieved",
}
"""Who wrote a top-level member; the user, where nothing is said."""
_NAMES: Final = frozenset({"name", "user", "safety_identifier", "prompt_cache_key", "session_id", "filename"})
"""Members that hold an identifier."""
_SCHEMAS: Final = frozenset({"tools", "functions", "response_format", "guided_json", "text"})
_ROLES: Final[dict[str, Source]] = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
    "ipython": "tool",
}
_TYPES: Final[dict[str, Source]] = {
    "tool_result": "tool",
    "function_call_output": "tool",
    "document": "retrieved",
    "search_result": "retrieved",
    "web_search_result": "retrieved",
}
"""Parts that somebody else wrote than the message around them."""
_CALLS: Final = frozenset({"tool_calls", "function_call"})
_DATA: Final = frozenset({"input", "arguments"})
"""Members of messages in which a tool is told its arguments: no name there is a word of the protocol."""
_WORDS: Final = frozenset(
    {"role", "type", "id", "tool_call_id", "call_id", "tool_use_id", "file_id", "format", "media_type", "cache_control"}
)
"""Members within messages that hold words of the protocol."""
_ALL: Final[frozenset[str]] = frozenset()
_SCHEMA: Final = frozenset(
    {"type", "name", "required", "pattern", "format", "$ref", "$id", "$schema", "strict", "cache_control"}
)
"""Members of tools and schemas that another place refers to by their very spelling."""
_FILES: Final = frozenset({"url", "image_url", "file_url", "data", "file_data", "b64_json"})
"""Members that may hold a whole file instead of a text."""
_INLINE = re.compile(r"data:[\w.+-]*/|[A-Za-z0-9+/_-]{256}")
_is_word = re.compile(r"[A-Za-z][\w.:/+-]{0,127}", re.ASCII).fullmatch
"""A word of the protocol: a role, a type, an id."""
_read = msgspec.json.Decoder().decode


def _decoded(raw: Raw) -> Any:
    try:
        return _read(raw)
    except msgspec.DecodeError:
        # A number that no float holds; it is only passed on.
        return _json.decode(bytes(raw).decode())


def _quotes(raw: bytes) -> int:
    """Quotes around strings: two fewer for each member that was said before."""
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    return raw.count(b'"')


def _messages(found: list[Part], name: str, value: Any) -> None:
    for at, message in enumerate(value):
        if message.__class__ is not dict:
            _walk(found, "user", (name, at), message, _WORDS)
            continue
        source = _ROLES.get(_word(message, "role")) or _TYPES.get(_word(message, "type"), "user")
        for member, inner in message.items():
            _member(found, source, (name, at, member), member)
            if inner.__class__ is str:
                if member not in _WORDS or not _is_word(inner):
                    _leaf(found, source, (name, at, member), inner, member in _NAMES or member in _WORDS)
            elif inner:
                if member in _CALLS:
                    _calls(found, source, (name, at, member), inner)
                else:
                    _walk(found, source, (name, at, member), inner, _WORDS)


def _calls(found: list[Part], source: Source, place: Place, value: Any) -> None:
    """Tool calls: a function's name is a word of the protocol, its arguments are not."""
    if value.__class__ is list:
        for at, inner in enumerate(value):
            _calls(found, source, (*place, at), inner)
    elif value.__class__ is dict:
        for member, inner in value.items():
            _member(found, source, (*place, member), member)
            if member in ("function", "custom"):
                _calls(found, source, (*place, member), inner)
            elif member in _DATA:
                _walk(found, source, (*place, member), inner, _ALL)
            elif member not in ("name", "id", "type", "index"):
                _walk(found, source, (*place, member), inner, _WORDS)


def _walk(found: list[Part], source: Source, place: Place, value: Any, skip: frozenset[str], before: str = "") -> None:
    kind = value.__class__
    if kind is str:
        _leaf(found, source, place, value, False, before)
    elif kind is int and value > _MOST_COUNTED:
        found.append(Part(source, place, str(value), before=_spaced(before) if before else ""))
    elif kind is dict:
        source = _TYPES.get(_word(value, "type"), source)
        for member, inner in value.items():
            _member(found, source, (*place, member), member)
            if inner.__class__ is str:
                if skip is _WORDS and member in skip:
                    if not _is_word(inner):
                        _leaf(found, source, (*place, member), inner, True)
                elif member not in skip:
                    if member in _FILES and _INLINE.match(inner):
                        held = _held(inner)
                        if held is not None:
                            _leaf(found, source, (*place, member), held[1], False)
                    else:
                        _leaf(found, source, (*place, member), inner, member in _NAMES, member)
            elif inner.__class__ is int:
                if inner > _MOST_COUNTED:
                    found.append(Part(source, (*place, member), str(inner), before=_spaced(member)))
            elif inner.__class__ is dict or (inner.__class__ is list and member not in skip):
                # An object with such a name is a property of a schema, and its members may be words of people.
                within = _ALL if skip is _WORDS and member in _DATA else skip
                _walk(found, source, (*place, member), inner, within, member)
    elif kind is list:
        for at, inner in enumerate(value):
            _walk(found, source, (*place, at), inner, skip, before)


def _member(found: list[Part], source: Source, place: Place, member: str) -> None:
    """A member's name that may tell of somebody; it cannot be exchanged."""
    if not member.isidentifier() and _telling(member):
        found.append(Part(source, (*place, ""), member, fixed=True))


def _word(value: dict[str, Any], member: str) -> str:
    word = value.get(member)
    return word if word.__class__ is str else ""


def _leaf(found: list[Part], source: Source, place: Place, text: str, name: bool, before: str = "") -> None:
    if not text:
        return
    if "\\u" in text and text.lstrip()[:1] in _JSON_BEGINS:
        text = _ESCAPED.sub(_unescaped, text)
    if before and before not in _TEXTS and len(text) <= _SHORT and _DIGITS.search(text):
        found.append(Part(source, place, text, (), name, _spaced(before)))
        return
    spans = tuple(retrieved(text)) if len(text) > _LEAST_PASTED and source in ("user", "system") else ()
    found.append(Part(source, place, text, spans, name))


def _spaced(member: str) -> str:
    """A member's name as words: ``customerPhone`` tells what ``customer Phone`` does."""
    return _HUMPS.sub(" ", member[:_SHORT]) + " "


def _telling(member: str) -> bool:
    """Whether a member's name may be somebody's address or number."""
    return len(member) > _LEAST_NAME and ("@" in member or "%40" in member or _DIGITS.search(member) is not None)


def _held(url: str) -> tuple[str, str, str] | None:
    """A ``data:`` URL's beginning, the text that it holds, and in which letters; None where it is no text."""
    end = url.find(",", 0, _LONGEST_HEAD) + 1
    kind, *marks = url[5 : end - 1].lower().split(";") if end else ("",)
    if not _TEXT_KIND.fullmatch(kind):
        return None
    said = next((mark[8:].strip('"') for mark in marks if mark.startswith("charset=")), "utf-8")
    letters = said if said in _LETTERS else "latin-1"  # which reads any bytes: what it holds is looked at all the same
    try:
        raw = b64decode(unquote(url[end:]) + "==") if marks[-1:] == ["base64"] else unquote_to_bytes(url[end:])
        return url[:end], raw.decode(letters), letters
    except ValueError:  # not what it says that it is
        return None


def _as_held(url: str, text: str) -> str:
    """The same URL with another text in it, where it is one that holds text; else the text."""
    held = _held(url) if url[:5].lower() == "data:" else None
    if held is None or text.startswith(held[0]):
        return text
    head, _, letters = held
    raw = text.encode(letters, "xmlcharrefreplace")
    return head + (b64encode(raw).decode() if head.lower().endswith(";base64,") else quote(raw))


def _unescaped(match: re.Match[str]) -> str:
    """JSON within a string as it says the same without escapes, but for those that it needs."""
    try:
        plain = _read(f'"{match[2]}"')
    except msgspec.DecodeError:
        return match[0]
    return match[0] if _NEEDED.search(plain) else match[1] + plain


_JSON_BEGINS: Final = ("{", "[", '"')
_ESCAPED = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[0-9a-fA-F]{4})+)")
_NEEDED = re.compile(r'["\\\x00-\x1f]')
_LEAST_PASTED: Final = 20
_MOST_COUNTED: Final = 999_999
"""A whole number beyond it may be a telephone's, an account's, a person's; no token's id is so large."""
_TEXTS: Final = frozenset(
    {"text", "content", "input_text", "output_text", "output", "message", "contact", "value", "data"}
)
"""Members whose names tell nothing of what they hold."""
_LEAST_NAME: Final = 5
_SHORT: Final = 64
_DIGITS = re.compile(r"\d(?:[ ().-]?\d){5}")
_HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])|[_-]")
_LONGEST_HEAD: Final = 256
_TEXT_KIND = re.compile(
    r"text/[\w.+-]+|image/svg\+xml|message/rfc822|application/(?:[\w.-]+\+)?(?:json|xml|yaml|x-yaml|x-ndjson|csv|javascript|sql)"
)
_LETTERS: Final = frozenset({"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "latin-1", "windows-1252", "utf-16"})

_LONGEST_NUMBER: Final = 20
_json = json.JSONDecoder(
    strict=False, parse_int=lambda said: int(said) if len(said) <= _LONGEST_NUMBER else 0, parse_float=lambda _: 0.0
)
"""Where a value ends is not known to msgspec, but to this one; numbers that are nobody's are passed over unread."""
_BLANKS = re.compile(r"[ \t\r\n]*")


def _edited(text: str, edit: Any) -> str | None:
    """A JSON value with the strings exchanged that ``edit`` names by its nested keys; None where all are what they were."""
    out: list[str] = []
    at = _blank(text, 0)
    _, done = _copy(text, at, 0, edit, out)
    out.append(text[done:])
    return "".join(out) if done else None


def _exchanged(body: bytes, changed: Mapping[str, str]) -> bytes:
    text = body.decode()
    out: list[str] = []
    at, done = _blank(text, _blank(text, 0) + 1), 0
    while text[at] != "}":
        name, at = _json.raw_decode(text, at)
        start = _blank(text, _blank(text, at) + 1)
        _, at = _json.raw_decode(text, start)
        if name in changed:
            out += (text[done:start], changed[name])
            done = at
        at = _blank(text, at)
        if text[at] == ",":
            at = _blank(text, at + 1)
    out.append(text[done:])
    return "".join(out).encode()


def _copy(text: str, at: int, done: int, edit: Any, out: list[str]) -> tuple[int, int]:
    """Copy the value at ``at``; returns where it ends, and up to where the text is copied, ``done`` before it."""
    if edit.__class__ is str:
        was, end = _json.raw_decode(text, at)
        if was.__class__ is int:
            was = text[at:end]
        elif was.__class__ is str:
            edit = _as_held(was, edit)
        else:
            raise KeyError(f"no string stands at character {at}")
        if was == edit:
            return end, done
        out += (text[done:at], msgspec.json.encode(edit).decode())
        return end, end
    opener, nth, missing = text[at], 0, set(edit)
    if opener not in "{[":
        raise KeyError(f"nothing stands within the value at character {at}")
    began, at = at, _blank(text, at + 1)
    while text[at] not in "}]":
        step: str | int = nth
        if opener == "{":
            step, at = _json.raw_decode(text, at)
            at = _blank(text, _blank(text, at) + 1)
        if step in edit:
            missing.discard(step)
            at, done = _copy(text, at, done, edit[step], out)
        else:
            _, at = _json.raw_decode(text, at)
        at, nth = _blank(text, at), nth + 1
        if text[at] == ",":
            at = _blank(text, at + 1)
    if missing:
        raise KeyError(f"no member {min(map(str, missing))!r} at character {began}")
    return at + 1, done


def _blank(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    assert found is not None
    return found.end()
