"""The attacks that are replayed against an installation: a file of ours, each as it is and disguised, and honest texts beside.

A suite of one's own is a file of the same form: JSON lines with ``text``, and where they differ from the default ``id``,
``source`` (``user``, ``tool``, ``retrieved``), ``kind``, ``attack`` (false: an honest text that must not be flagged).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, structs

from ...core.errors import ConfigError
from ...guard.finding import Source
from .evasions import EVASIONS, UNPROMISED, evaded

BUILT_IN: Final = "built-in"
SEED: Final = 7
_DISGUISED: Final = 3
"""Ways in which each attack of ours is disguised, by turns."""


class Attack(Struct, frozen=True, omit_defaults=True):
    """One text of a suite. ``kind`` groups them in reports."""

    text: str
    id: str = ""
    source: Source = "user"
    kind: str = "other"
    attack: bool = True


class Suite(Struct, frozen=True):
    """Attacks and honest texts; ``sha256`` is of all their texts, so that runs are compared with the same."""

    name: str
    attacks: tuple[Attack, ...]
    sha256: str


def built_in() -> Suite:
    """Ours."""
    plain = _read(files(__package__).joinpath("suite.jsonl").read_text(encoding="utf-8"), "suite.jsonl")
    ways = [how for how in EVASIONS if how not in UNPROMISED]
    disguised = [
        structs.replace(one, id=f"{one.id}/{how}", text=evaded(one.text, how, SEED), kind=how)
        for at, one in enumerate(one for one in plain if one.attack and one.source == "user")
        for how in (ways[(at * _DISGUISED + turn) % len(ways)] for turn in range(_DISGUISED))
    ]
    return _suite(BUILT_IN, [*plain, *disguised])


def from_file(path: Path) -> Suite:
    """A suite of one's own. Raises ConfigError with the line that cannot be read, OSError."""
    return _suite(path.name, _read(path.read_text(encoding="utf-8"), path.name))


def _suite(name: str, attacks: Sequence[Attack]) -> Suite:
    if not any(one.attack for one in attacks):
        raise ConfigError(f"{name} holds no attack; give one JSON object a line, with a text")
    ids = [one.id for one in attacks]
    if len(set(ids)) < len(ids):
        twice = next(id for id in ids if ids.count(id) > 1)
        raise ConfigError(f"{name} names '{twice}' twice; an id is one text's")
    digest = hashlib.sha256(msgspec.json.encode([(one.source, one.text) for one in attacks])).hexdigest()
    return Suite(name, tuple(attacks), digest)


def _read(text: str, name: str) -> list[Attack]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            one = msgspec.json.decode(line, type=Attack)
        except msgspec.DecodeError as error:
            raise ConfigError(f'{name}, line {number}: {error}; a line is {{"text": "…", "source": "user"}}') from error
        found.append(one if one.id else structs.replace(one, id=f"line-{number}"))
    return found
