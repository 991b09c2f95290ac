"""A tool that must be called, said so that a small model obeys. Knows chat templates by how they open a tool call.

llama.cpp takes ``tool_choice`` as a word only, and with ``required`` it still lets the model talk first, which a small one does
until its limit. When the answer has to be a call, its opening words are put into the model's mouth; the grammar that
llama.cpp makes of the tools does the rest. Seen with xllamacpp 2026.10.11549.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, structs

from ..core.call import Call

_OPENERS: Final = (("<tool_call>", "<tool_call>\n"),)
"""What a template contains, and how an answer then begins."""


def takes_tools(template: str | None) -> bool:
    """Whether a chat template has a place for tools at all."""
    return template is not None and "tools" in template


def insist(call: Call, template: str | None) -> Call:
    """The call with its wish for a tool made binding; the same call where it has none, or the template is unknown."""
    if call.kind != "chat" or not call.has_tools or template is None:
        return call
    opener = next((begins for mark, begins in _OPENERS if mark in template), None)
    name = _forced(call.fields.get("tool_choice"))
    if opener is None or name is None:
        return call
    fields = dict(call.fields)
    fields["tool_choice"] = Raw(b'"required"')
    if name:
        tools = msgspec.json.decode(fields["tools"], type=list[Any])
        chosen = [t for t in tools if isinstance(t, dict) and (t.get("function") or {}).get("name") == name]
        if not chosen:
            return call
        fields["tools"] = Raw(msgspec.json.encode(chosen))
        fields["parallel_tool_calls"] = Raw(b"false")
    messages = msgspec.json.decode(fields["messages"], type=list[Raw])
    opening = Raw(msgspec.json.encode({"role": "assistant", "content": opener}))
    fields["messages"] = Raw(msgspec.json.encode([*messages, opening]))
    return structs.replace(call, fields=fields)


def _forced(raw: Raw | None) -> str | None:
    """The name of the function that must be called, empty when any may be; None when none must."""
    if raw is None:
        return None
    wish = msgspec.json.decode(raw)
    if wish == "required":
        return ""
    if isinstance(wish, dict) and wish.get("type") == "function":
        name = (wish.get("function") or {}).get("name")
        return name if isinstance(name, str) else None
    return None
