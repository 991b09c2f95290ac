"""Error objects, ours and those of upstreams, in OpenAI's shape. Knows no HTTP and decides nothing about retries."""

from __future__ import annotations

import html
import re
from typing import Any

import msgspec
from msgspec import Struct

from ..core.quiet import quiet

_TEXT_LIMIT = 400
"""Characters of an upstream's own words that are passed on; error pages can be long."""


class Fault(Struct, frozen=True):
    """What an upstream said went wrong: a short text, its own code and type, and its object when it is in our shape."""

    __repr__ = quiet

    message: str
    type: str | None = None
    code: str | None = None
    body: bytes | None = None
    """``{"error": {…}}`` fit to be passed on, or None when the upstream spoke another shape."""


def error_body(message: str, type: str, param: str | None = None, code: str | None = None) -> bytes:
    """``{"error": {"message", "type", "param", "code"}}`` as JSON bytes; all four members are always there."""
    return msgspec.json.encode({"error": {"message": message, "type": type, "param": param, "code": code}})


def read_fault(body: bytes) -> Fault:
    """An upstream's error answer of any shape: OpenAI's object, a bare string, ``{"detail": …}``, a page of HTML."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Fault(_plain(body))
    if isinstance(value, list) and value:  # Gemini's compatible endpoint wraps its error object in a list
        value = value[0]
    if isinstance(value, dict):
        return _from_object(value)
    return Fault(_short(value) if isinstance(value, str) and value else _plain(body))


def fault_of(error: Any) -> Fault:
    """The member ``error`` of an answer or a chunk, already decoded, as a Fault."""
    return _from_object({"error": error})


def _from_object(value: dict[str, Any]) -> Fault:
    error = value.get("error")
    if isinstance(error, dict):
        message = next((error[k] for k in ("message", "msg", "detail") if isinstance(error.get(k), str)), "")
        kind, code = error.get("type"), error.get("code")
        if code is None:
            code = error.get("status")
        fault = {
            "message": _short(message) or "the upstream gave no reason",
            "type": kind if isinstance(kind, str) and kind else "upstream_error",
            "param": error["param"] if isinstance(error.get("param"), str) else None,
            "code": str(code) if isinstance(code, str | int) and not isinstance(code, bool) else None,
        }
        rest = {k: v for k, v in error.items() if k not in fault}
        return Fault(
            message=str(fault["message"]),
            type=fault["type"],
            code=fault["code"],
            body=msgspec.json.encode({"error": fault | rest}),
        )
    for name in ("error", "message", "detail", "error_message"):
        text = value.get(name)
        if isinstance(text, str) and text:
            kind, code = value.get("type"), value.get("code")
            return Fault(
                _short(text),
                type=kind if isinstance(kind, str) else None,
                code=str(code) if isinstance(code, str | int) and not isinstance(code, bool) else None,
            )
        if isinstance(text, list | dict) and text:  # FastAPI's list of validation errors
            return Fault(_short(_validation(text)))
    return Fault(_short(msgspec.json.encode(value).decode()))


def _validation(detail: list[Any] | dict[str, Any]) -> str:
    rows = detail if isinstance(detail, list) else [detail]
    said = []
    for row in rows[:3]:
        if isinstance(row, dict) and isinstance(row.get("msg"), str):
            place = ".".join(str(p) for p in row["loc"]) if isinstance(row.get("loc"), list) else ""
            said.append(f"{place}: {row['msg']}" if place else row["msg"])
        else:
            said.append(msgspec.json.encode(row).decode())
    return "; ".join(said)


_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.DOTALL | re.IGNORECASE)


def _plain(body: bytes) -> str:
    text = body[:20_000].decode("utf-8", "replace")
    if "<" in text and ">" in text:
        title = _TITLE.search(text)
        text = html.unescape(title.group(1) if title else _TAGS.sub(" ", text))
    return _short(text) or "an empty answer"


def _short(text: str) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _TEXT_LIMIT]).split())
    return text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 1] + "…"
