"""What a request says, as plain text: its last question, its system prompt, the whole of it. Knows no tokens and no bytes.

For scores, similarity and pages. Images, audio and files leave no text; a body that is no request says nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from ..core.quiet import quiet


class Said(Struct, frozen=True):
    """One turn: who spoke, and what."""

    __repr__ = quiet

    role: str
    text: str


def turns(body: bytes) -> list[Said]:
    """A chat's turns in their order; of a completion one turn of the user; of anything else none."""
    try:
        found = _read(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    if found.messages is not None:
        return [Said(m.role, _text(m.content)) for m in found.messages]
    if isinstance(found.prompt, str):
        return [Said("user", found.prompt)]
    if isinstance(found.prompt, list) and all(isinstance(p, str) for p in found.prompt):
        return [Said("user", "\n".join(found.prompt))]
    return []


def question(body: bytes) -> str:
    """What is asked: the last turn of the user; "" where there is none."""
    return next((said.text for said in reversed(turns(body)) if said.role == "user"), "")


def said_since(body: bytes) -> str:
    """What was said since the last answer, by anybody but the application and its tools, and the beginning of an answer that
    is to be gone on with. Where there is nothing but instructions, those."""
    said = turns(body)
    end = len(said)
    while end and said[end - 1].role == "assistant":
        end -= 1
    begin = end
    while begin and said[begin - 1].role != "assistant":
        begin -= 1
    found = [one.text for one in said[begin:] if one.role not in _NOT_ASKED]
    return "\n".join(found or (one.text for one in said))


def system_text(body: bytes) -> str:
    """What the system (or developer) says beforehand, joined; "" where it says nothing."""
    return "\n".join(said.text for said in turns(body) if said.role in ("system", "developer"))


_NOT_ASKED = frozenset({"system", "developer", "tool", "function"})


class _Message(Struct):
    role: str = ""
    content: Any = None


class _Body(Struct):
    messages: list[_Message] | None = None
    prompt: Any = None


_read = msgspec.json.Decoder(_Body).decode


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""
