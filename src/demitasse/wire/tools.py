"""Streamed tool calls made addable: a stable index per call, id and name once, however the upstream numbers them."""

from __future__ import annotations

from typing import Any

import msgspec


class ToolCalls:
    """The tool calls of one choice so far. ``seed`` makes ids for upstreams that send none."""

    __slots__ = ("_ids", "_seed", "_theirs")

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._ids: list[str] = []
        self._theirs: dict[int, int] = {}

    def settle(self, fragments: list[dict[str, Any]]) -> bool:
        """Set index, id, type and name of these fragments right, in place; whether anything had to be."""
        changed = False
        for fragment in fragments:
            at, opens = self._place(fragment)
            if fragment.get("index") != at:
                fragment["index"] = at
                changed = True
            changed |= self._open(fragment, at) if opens else _continue(fragment)
            changed |= _arguments(fragment)
        return changed

    def _place(self, fragment: dict[str, Any]) -> tuple[int, bool]:
        """Which call a fragment belongs to, and whether it opens it."""
        theirs, id = fragment.get("index"), fragment.get("id") or None
        known = self._theirs.get(theirs) if isinstance(theirs, int) else None
        if known is None and not isinstance(theirs, int):
            if id in self._ids:
                return self._ids.index(str(id)), False
            if id is None and not _name(fragment) and self._ids:
                return len(self._ids) - 1, False
        elif known is not None and (id == self._ids[known] or (id is None and not _name(fragment))):
            return known, False
        # new: an index not seen yet, or one used again for another call (Ollama and Gemini number theirs 0, 0, …)
        at = len(self._ids)
        if isinstance(theirs, int):
            self._theirs[theirs] = at
        return at, True

    def _open(self, fragment: dict[str, Any], at: int) -> bool:
        id = fragment.get("id")
        good = isinstance(id, str) and bool(id)
        self._ids.append(str(id) if good else f"call_{self._seed}_{at}")
        fragment["id"] = self._ids[at]
        if not fragment.get("type") and "function" in fragment:
            fragment["type"] = "function"
            return True
        return not good


def _continue(fragment: dict[str, Any]) -> bool:
    """SDKs concatenate what comes again, so what was said in the opener is taken out."""
    inner = fragment.get("function")
    repeated = [k for k in ("id", "type") if fragment.get(k)]
    for name in repeated:
        del fragment[name]
    if isinstance(inner, dict) and inner.get("name"):
        del inner["name"]
        return True
    return bool(repeated)


def _arguments(fragment: dict[str, Any]) -> bool:
    inner = fragment.get("function")
    if isinstance(inner, dict) and isinstance(inner.get("arguments"), dict | list):
        inner["arguments"] = msgspec.json.encode(inner["arguments"]).decode()
        return True
    return False


def _name(fragment: dict[str, Any]) -> str:
    inner = fragment.get("function") or fragment.get("custom")
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else ""
