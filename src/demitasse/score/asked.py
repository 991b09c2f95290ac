"""What a request demands of its answer's form: JSON of a schema, known tools, a number, a letter, one of some labels.

Reads a chat completion's body; knows nothing of answers.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from .verdict import How


class Asked(Struct, frozen=True, omit_defaults=True):
    """The form that an answer must have to be of use to whoever asked."""

    json: bool = False
    """``response_format`` asks for JSON."""
    schema: Any = None
    """The JSON schema that it asks for, as sent; None: any JSON."""
    tools: tuple[str, ...] = ()
    """Names of the tools that may be called."""
    must_call: bool = False
    """``tool_choice`` demands a call."""
    number: bool = False
    choice: bool = False
    """The question has lettered options."""
    labels: tuple[str, ...] = ()
    """The closed set that the prompt names."""

    @property
    def how(self) -> How:
        """What two answers to this request should be compared as."""
        if self.json:
            return "json"
        if self.labels:
            return "label"
        if self.choice:
            return "choice"
        return "number" if self.number else "auto"


NOTHING = Asked()


def asked_of(body: bytes) -> Asked:
    """The demands of a chat completion's request; ``NOTHING`` for a body of another shape."""
    try:
        request = _read(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NOTHING
    wanted = request.response_format if isinstance(request.response_format, dict) else {}
    kind = wanted.get("type")
    inner = wanted.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, dict) else None
    # what the system says of every question, and the last one; earlier turns asked for something else
    messages = request.messages or []
    standing = [m for m in messages if m.role in {"system", "developer"}]
    prompt = "\n".join(_text(m.content) for m in standing + [m for m in messages if m.role == "user"][-1:])
    return Asked(
        json=kind in {"json_object", "json_schema"},
        schema=schema if isinstance(schema, dict) else None,
        tools=_names(request.tools) + _names(request.functions),
        must_call=request.tool_choice == "required" or isinstance(request.tool_choice, dict),
        number=bool(_NUMBER.search(prompt)),
        choice=asks_choice(prompt),
        labels=labels_of(prompt),
    )


def asks_choice(prompt: str) -> bool:
    """Whether lettered options stand in the prompt, each on a line of its own, from A on, and a letter is asked for."""
    letters = [m["letter"] for m in _OPTION.finditer(prompt)]
    run = "".join(letters)
    return "AB" in run and bool(_LETTER_WANTED.search(prompt) or run.endswith(("ABC", "ABCD", "ABCDE", "ABCDEF")))


def labels_of(prompt: str) -> tuple[str, ...]:
    """The closed set in "answer with one of: up, down, none"; () where none is named so, or where it is no plain list."""
    found = _ONE_OF.search(prompt)
    if found is None:
        return ()
    names = [n.strip(" \t\"'`*.[](){}") for n in re.split(r",|;|\||/|\bor\b|\band\b|\n", found["list"])]
    names = [n for n in names if n]
    plain = all(len(n.split()) <= _LABEL_WORDS for n in names) and len({n.casefold() for n in names}) == len(names)
    return tuple(names) if plain and 2 <= len(names) <= _LABELS_AT_MOST else ()


class _Message(Struct):
    role: str = ""
    content: Any = None


class _Request(Struct):
    messages: list[_Message] | None = None
    response_format: Any = None
    tools: Any = None
    functions: Any = None
    tool_choice: Any = None


_read = msgspec.json.Decoder(_Request).decode
_LABEL_WORDS = 4
_LABELS_AT_MOST = 200
_OPTION = re.compile(r"^\s*[(\[]?(?P<letter>[A-J])[).:\]]\s*\S", re.MULTILINE)
_LETTER_WANTED = re.compile(
    r"\b(?:multiple[- ]choice|(?:the|one|single|correct)\s+(?:letter|option|choice)|letter\s+of|choices?:|options?:)",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\b(?:only|just|single|final)\s+(?:(?:a|the|one)\s+)?(?:(?:final|single|numeric(?:al)?)\s+)?(?:number|integer|numeral|figure)\b"
    r"|\b(?:answer|reply|respond|output|return)\s+(?:with|as|in)\s+(?:only\s+)?(?:a|an|the|one)\s+(?:single\s+)?(?:number|integer)\b"
    r"|\bnumeric(?:al)?\s+(?:answer|value)\b|####",
    re.IGNORECASE,
)
_ONE_OF = re.compile(
    r"""\b(?:one\s+of(?:\s+(?:the\s+following|these|the))?(?:\s+(?:labels?|categor(?:y|ies)|classes|options|values|intents|words))?
        |(?:possible|valid|allowed|available)\s+(?:labels?|categories|classes|values|intents|answers)(?:\s+are)?)
        \s*(?::|\()\s*(?P<list>[^.:()\n]+(?:\n\s*[-*]\s*[^.:()\n]+)*)""",
    re.VERBOSE | re.IGNORECASE,
)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(p["text"] for p in parts if isinstance(p, dict) and isinstance(p.get("text"), str))


def _names(tools: Any) -> tuple[str, ...]:
    found = []
    for tool in tools if isinstance(tools, list) else []:
        inner = (tool.get("function") or tool.get("custom") or tool) if isinstance(tool, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            found.append(inner["name"])
    return tuple(found)
