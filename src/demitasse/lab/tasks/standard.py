"""Standard sets by name: ``glue/sst2``, ``mmlu/anatomy``, ``bbq/Age``. One loader, driven by a table (``standard.toml``).

Knows where a set's rows lie and which column is what; fetches nothing itself.
"""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, structs

from ...core.errors import ConfigError
from . import bbq, files, rows, spec
from .hub import Wanted
from .spec import Spec
from .task import Source, Task

FETCH = Callable[[Wanted], Sequence[Path]]
"""A split's files, from wherever."""


class Standard(Struct, frozen=True):
    """One row of the table."""

    name: str
    about: str
    repo: str
    config: str
    split: str
    files: tuple[str, ...]
    parts: Literal["", "config", "slice"]
    """What may follow the name after a slash: another of the repository's configurations, or one of its files."""
    told: Spec


_OURS = ("name", "about", "repo", "config", "files", "parts")


@cache
def table() -> dict[str, Standard]:
    """The sets by name, in the table's order."""
    text = resources.files(__package__).joinpath("standard.toml").read_text(encoding="utf-8")
    return {row["name"]: _standard(row) for row in tomllib.loads(text)["set"]}


def _standard(row: dict[str, Any]) -> Standard:
    told = spec.spec({key: value for key, value in row.items() if key not in _OURS}, f"standard.toml, {row['name']}")
    return Standard(
        name=row["name"],
        about=row["about"],
        repo=row["repo"],
        config=row.get("config", ""),
        split=row["split"],
        files=tuple(row.get("files", ())),
        parts=row.get("parts", ""),
        told=told,
    )


def find(word: str) -> tuple[Standard, str] | None:
    """The set that ``word`` names, and which part of it ("" is all); None where it names none."""
    if word in table():
        return table()[word], ""
    head, _, part = word.partition("/")
    known = table().get(head)
    return (known, part) if known is not None and known.parts and part else None


def near(word: str) -> str | None:
    """The name that was perhaps meant."""
    return next(iter(difflib.get_close_matches(word.lower(), table(), 1)), None)


def wanted(known: Standard, part: str) -> Wanted:
    """Where the rows of a set (or a part of it) lie."""
    return Wanted(known.repo, part or known.config, known.split, known.files)


def load(word: str, fetch: FETCH, *, fetched: str = "") -> Task:
    """The task of a standard set.

    Args:
        fetch: finds its files; raises ConfigError.
        fetched: ISO date for the source, where they come from a hub.

    Raises ConfigError: no such set, its files are missing, or not as the table says.
    """
    found = find(word)
    if found is None:
        raise ConfigError(f"there is no standard set '{word}'")
    known, part = found
    paths = fetch(wanted(known, part))
    read = [rows.read(path) for path in paths]
    whole = rows.Rows(
        path=paths[0],
        rows=tuple(row for file in read for row in file.rows),
        columns=tuple(dict.fromkeys(name for file in read for name in file.columns)),
        sha256=read[0].sha256
        if len(read) == 1
        else hashlib.sha256("".join(file.sha256 for file in read).encode()).hexdigest(),
    )
    source = Source(f"hub:{known.repo}", whole.sha256, licence=known.told.licence, split=known.split, fetched=fetched)
    told = structs.replace(known.told, split="")
    task = files.build(whole, told, name=word, said="standard.toml", source=source)
    return bbq.marked(task) if known.name == "bbq" else task
