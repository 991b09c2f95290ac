"""The beginning of a prompt that a provider may have cached: where it ends, its hash at each turn, and marks put into it
without rewriting a byte of it. Pure; knows the shape of chat requests, no provider and no price.

A provider reads a prompt in the order tools, system, messages, and finds what it has read before by its exact bytes
(or tokens). So everything here works on the undecoded members of a request: a message is the slice of bytes that the
client sent, and what is sent on is made of the same slices.

**What a mark changes.** A breakpoint (``cache_control``) stands inside a part of a message. Where the client sent a plain
string, the part has to be made: ``"content":"…"`` becomes ``"content":[{"type":"text","text":"…",…}]`` with the very bytes
of the string. Providers hash blocks without their marks, and a string is a block; `hashed` is that form, and the
same for a message with a mark, without it, and as a string. The mark of the system prompt never moves; of the marks at
the ends of turns the last three stay where they were, so that the message that the turn before ended with goes out in
the same bytes again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

_DIGEST = 12
TRAIL = 64
"""Messages whose change can be told from one another."""
_EMPTY = bytes(_DIGEST)
SYSTEM = frozenset({"system", "developer"})
_HEAD_MEMBERS = ("tools", "functions", "response_format", "tool_choice")
"""Members besides messages that providers render before them, so that a change of one breaks every prefix."""
OWN_CONTROLS = ("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "session_id", "cache_control")
_ROLE_FIRST = re.compile(rb'\s*\{\s*"role"\s*:\s*"([a-z]+)"')
_OWN_MARK = re.compile(rb'(?<!\\)"(?:cache_control|prompt_cache_breakpoint)"\s*:')


class _Role(Struct):
    role: str = ""


_messages = msgspec.json.Decoder(list[Raw]).decode
_role = msgspec.json.Decoder(_Role).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_parts = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_any = msgspec.json.Decoder().decode
_sorted = msgspec.json.Encoder(order="deterministic").encode


class Layout(Struct, frozen=True):
    """A chat request cut where a provider's cache could end.

    ``chain[i]`` is the hash of everything before message ``i``: tools and the like first. Two requests share their
    first ``i`` messages exactly when these are equal.
    """

    messages: tuple[Raw, ...]
    roles: tuple[str, ...]
    chain: tuple[bytes, ...]
    ends: tuple[int, ...]
    """Bytes before message ``i``; the last one is the whole."""
    head: int
    """Leading system messages: with the tools they are what conversations share."""

    @property
    def turn(self) -> int:
        """Which turn of its conversation this is: one more than answers in it."""
        return 1 + self.roles.count("assistant")

    @property
    def head_hash(self) -> bytes:
        return self.chain[self.head]

    @property
    def head_bytes(self) -> int:
        return self.ends[self.head]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self.ends[-1]

    @property
    def again(self) -> int:
        """Bytes before what is new in this request: the history, or the head of a first one."""
        start = next((i for i in range(len(self.roles), 0, -1) if self.roles[i - 1] == "assistant"), self.head)
        return self.ends[max(start, self.head)]

    @property
    def trail(self) -> bytes:
        """The chain in little: four bytes for each of the first messages, to find later which one was changed."""
        return b"".join(digest[:4] for digest in self.chain[: TRAIL + 1])

    def shared(self, count: int, digest: bytes) -> bool:
        """Whether the first ``count`` messages are those that had this digest."""
        return count < len(self.chain) and self.chain[count] == digest


def read(fields: Mapping[str, Raw]) -> Layout | None:
    """How a chat request is laid out; None where it has no messages."""
    raw = fields.get("messages")
    if raw is None:
        return None
    messages = _messages(raw)
    if not messages:
        return None
    digest, size = _EMPTY, 0
    for name in _HEAD_MEMBERS:
        member = fields.get(name)
        if member is not None:
            view = memoryview(member)
            digest = _after(digest, view)
            size += len(view)
    chain, ends, roles = [digest], [size], []
    for message in messages:
        view = memoryview(message)
        digest = _after(digest, view)
        size += len(view)
        chain.append(digest)
        ends.append(size)
        roles.append(_role_of(message))
    head = next((i for i, role in enumerate(roles) if role not in SYSTEM), len(roles))
    return Layout(tuple(messages), tuple(roles), tuple(chain), tuple(ends), head)


def _role_of(message: Raw) -> str:
    """Most clients write the role first; then the rest need not be read."""
    found = _ROLE_FIRST.match(message)
    return found[1].decode() if found else _role(message).role


def _after(digest: bytes, piece: memoryview) -> bytes:
    return hashlib.blake2b(piece, digest_size=_DIGEST, key=digest).digest()


def has_own_controls(fields: Mapping[str, Raw], body: bytes) -> bool:
    """Whether the client steers its provider's cache itself; then nothing is added."""
    if any(name in fields for name in OWN_CONTROLS):
        return True
    return (b'cache_control"' in body or b'cache_breakpoint"' in body) and _OWN_MARK.search(body) is not None


def turn_ends(layout: Layout, most: int, roles: Collection[str]) -> tuple[int, ...]:
    """Where breakpoints at the ends of turns belong: the last message, and those that earlier requests of the same
    conversation ended with, ``most`` in all, the latest last. Only messages of ``roles`` can bear one.

    Derived from the request alone, so the same after a restart: a request ended where an answer follows.
    """
    last = len(layout.roles) - 1
    found = [
        i
        for i in range(last, layout.head - 1, -1)
        if layout.roles[i] in roles and (i == last or layout.roles[i + 1] == "assistant")
    ]
    return tuple(reversed(found[:most]))


def mark(messages: Sequence[Raw], at: Iterable[int], member: bytes) -> Raw:
    """The messages as one array, those at the indices ``at`` with ``member`` (``"cache_control":{…}``) in their last
    part. All others keep their bytes; one that has no text to bear it stays as it is."""
    wanted = set(at)
    return Raw(b"[" + b",".join(_marked(m, member) if i in wanted else bytes(m) for i, m in enumerate(messages)) + b"]")


def with_member(fields: Mapping[str, Raw], name: str, value: bytes) -> dict[str, Raw]:
    """The request with a further member at its end; ``value`` is JSON."""
    return {**fields, name: Raw(value)}


def hashed(message: bytes | Raw) -> bytes:
    """A message as providers hash it: parts instead of a string, no marks, names in order."""
    told = _any(message)
    content = told.get("content")
    if isinstance(content, str):
        told["content"] = content = [{"type": "text", "text": content}]
    if isinstance(content, list):
        for part in content:
            if isinstance(part, dict):
                part.pop("cache_control", None)
                part.pop("prompt_cache_breakpoint", None)
    return _sorted(told)


def _marked(message: Raw, member: bytes) -> bytes:
    whole = bytes(message)
    content = _members(message).get("content")
    if content is None:
        return whole
    told = bytes(content)
    if told.startswith(b'"') and len(told) > 2:
        part = b'{"type":"text","text":' + told + b"," + member + b"}"
        return with_content(message, told, b"[" + part + b"]")
    if told.startswith(b"["):
        parts = _parts(content)
        if parts and len(parts[-1].get("text", b"")) > 2:
            close = told.rindex(b"}")
            return with_content(message, told, told[:close] + b"," + member + told[close:])
    return whole


def with_content(message: Raw, old: bytes, new: bytes) -> bytes:
    """The message with the value of its member ``content``, ``old``, exchanged for ``new``; every other byte as it was."""
    fields: dict[str, Any] = _members(message)
    whole = bytes(message)
    if whole.count(old) == 1:
        return whole.replace(old, new)
    # The same text stands elsewhere in the message too: put it together anew from the undecoded members.
    fields["content"] = Raw(new)
    return msgspec.json.encode(fields)
