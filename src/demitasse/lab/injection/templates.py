"""Sentences from templates: ``{a|b}`` is one of several, and may hold others. Pure; the same seed draws the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

FILES: Final = ("own", "english", "languages")
"""Of attacks and honest requests. Whoever wrote the last two had seen neither the detector nor any row of the data."""
_SIGNS: Final = str.maketrans({"⏎": "\n", "¦": "|"})


def own(name: str, kind: str) -> list[str]:
    """The templates of a file of ours of a kind (``attack``, ``honest``, ``order``); the file says how it came to be."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            lines = found.setdefault(line[3:].strip(), [])
        elif line.strip() and not line.startswith("# "):
            lines.append(line)
    return found[kind]


def drawn(lines: Sequence[str], each: int, seed: int) -> list[str]:
    """Up to so many different sentences of each line, in order. Raises ValueError: a brace is not closed."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    for line in lines:
        parts, end = _read(line, 0, within=False)
        if end != len(line):
            raise ValueError(f"a brace is closed that was not opened: {line[:end]}")
        own: dict[str, None] = {}
        for _ in range(3 * each):
            own[_one(parts, chance).translate(_SIGNS)] = None
            if len(own) == each:
                break
        found |= own
    return list(found)


def _read(line: str, at: int, *, within: bool) -> tuple[list[list[object]], int]:
    """Alternatives, each a row of pieces: text, or alternatives again."""
    found: list[list[object]] = [[]]
    while at < len(line):
        char = line[at]
        at += 1
        if char == "{":
            inner, at = _read(line, at, within=True)
            found[-1].append(inner)
        elif char == "}" and within:
            return found, at
        elif char == "|" and within:
            found.append([])
        elif found[-1] and isinstance(found[-1][-1], str):
            found[-1][-1] += char
        else:
            found[-1].append(char)
    if within:
        raise ValueError(f"a brace is not closed: {line}")
    return found, at


def _one(parts: list[list[object]], chance: random.Random) -> str:
    return "".join(part if isinstance(part, str) else _one(part, chance) for part in chance.choice(parts))  # type: ignore[arg-type]
