"""Which column of a file is what, by what a TOML says and by the names that are usual; and a row's cells read as such.

The usual names are those of Inspect, lm-evaluation-harness, OpenAI's evals and the hub's data sets. Where two columns
could be meant, nothing is guessed.
"""

from __future__ import annotations

import datetime as dt
import difflib
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from ...core.errors import ConfigError
from .rows import Row, Rows
from .spec import Columns
from .task import Turn

USUAL: dict[str, tuple[str, ...]] = {
    "input": ("input", "question", "prompt", "text", "query", "sentence", "instruction"),
    "messages": ("messages", "conversations", "conversation"),
    "target": ("target", "targets", "answer", "label", "answers", "labels", "ideal", "expected", "gold"),
    "choices": ("choices", "options"),
    "id": ("id", "sample_id", "question_id", "idx"),
    "slice": ("slice", "subject", "category", "language", "topic"),
    "cluster": ("cluster", "session", "session_id", "conversation_id", "passage_id"),
    "at": ("at", "at_us", "timestamp", "created_at", "time"),
    "split": ("split",),
}
"""Per role, the names that are recognised. The first is the role's own: where it is there, the others are not looked at."""

_DECISIVE = ("input", "messages", "target", "choices")
"""Roles for which a wrong guess would measure something else; of the others the first name is taken."""

LETTERED = ("A", "B", "C", "D", "E", "F", "G", "H", "I", "J")
"""Columns that are options, where they begin with A and B."""

SCORERS_OWN = ("tests", "schema", "reasoning")
"""Columns that scorers and worked examples read: always kept in ``metadata``."""


class Found(Struct, frozen=True):
    """The columns of a file by their role."""

    input: str | None
    messages: str | None
    target: tuple[str, ...]
    choices: tuple[str, ...]
    """One that holds lists, or one per option."""
    id: str | None
    slice: str | None
    cluster: str | None
    at: str | None
    split: str | None
    metadata: tuple[str, ...]


def find(file: Rows, told: Columns, metadata: Sequence[str] = ()) -> Found:
    """The columns of a file.

    Raises ConfigError: none holds what is asked, one that is named isn't there, or two could be the question or the answer.
    """
    have = set(file.columns)
    for name in (head for reference in _told(told, metadata) for head in heads(reference, have)):
        if name not in have:
            near = difflib.get_close_matches(name, sorted(have), 1)
            hint = f"did you mean '{near[0]}'?" if near else f"it has {_some(file.columns)}"
            raise ConfigError(f"{file.path}: no column '{name}'; {hint}")

    taken = set(_told(told, ()))

    def one(role: str) -> str | None:
        given = getattr(told, role)
        if given is not None:
            assert isinstance(given, str)
            return given
        usual = USUAL[role]
        if usual[0] in have - taken:
            return usual[0]
        there = [name for name in usual if name in have - taken]
        if len(there) > 1 and role in _DECISIVE:
            raise ConfigError(
                f"{file.path}: {' and '.join(map(repr, there))} could each be the {role}; say which in a file "
                f'{file.path.stem}.task.toml beside it: columns.{role} = "{there[0]}"'
            )
        return there[0] if there else None

    messages = one("messages") if told.input is None else None
    input = one("input") if messages is None else None
    if input is None and messages is None:
        raise ConfigError(
            f"{file.path}: no column holds what is asked; call it 'input' (or 'messages', for conversations), or name it in "
            f"{file.path.stem}.task.toml beside it: columns.input = …; it has {_some(file.columns)}"
        )
    target = told.target if told.target is not None else one("target")
    return Found(
        input=input,
        messages=messages,
        target=() if target is None else (target,) if isinstance(target, str) else tuple(target),
        choices=_choices(told, have, one),
        id=one("id"),
        slice=one("slice"),
        cluster=one("cluster"),
        at=one("at"),
        split=one("split"),
        metadata=tuple(file.columns) if "*" in metadata else tuple(metadata),
    )


def _told(told: Columns, metadata: Sequence[str]) -> list[str]:
    names: list[str] = [name for name in metadata if name != "*"]
    for role in told.__struct_fields__:
        given = getattr(told, role)
        names += [given] if isinstance(given, str) else list(given or ())
    return names


def _choices(told: Columns, have: set[str], one: Any) -> tuple[str, ...]:
    if told.choices is not None:
        return (told.choices,) if isinstance(told.choices, str) else tuple(told.choices)
    named: str | None = one("choices")
    if named is not None:
        return (named,)
    lettered = []
    for letter in LETTERED:
        if letter not in have:
            break
        lettered.append(letter)
    return tuple(lettered) if len(lettered) > 1 else ()


def _some(columns: Sequence[str]) -> str:
    return "the columns " + ", ".join(map(repr, columns[:8])) + (", …" if len(columns) > 8 else "")


_BRACED = re.compile(r"\{([^{}]+)\}")


def heads(reference: str, have: Collection[str]) -> list[str]:
    """The columns that a reference reads; see ``Columns``."""
    if reference in have:
        return [reference]
    parts = _BRACED.findall(reference) or [reference]
    return [part if part in have else part.partition(".")[0] for part in parts]


# ── cells ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def cell(row: Row, reference: str) -> Any:
    """What a reference reads in a row; None where there is nothing."""
    if reference in row.fields:
        return row.fields[reference]
    if "{" in reference:
        return _BRACED.sub(lambda part: text(row, part[1]) or "", reference)
    found: Any = row.fields
    for part in reference.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def text(row: Row, column: str, *, empty_is: str = "") -> str | None:
    """A cell as text; None where it is empty. Raises ConfigError for what is no single value.

    Args:
        empty_is: the rest of the sentence of the error that an empty cell is; empty: it is none.
    """
    value = cell(row, column)
    if value is None or (isinstance(value, str) and not value.strip()):
        if empty_is:
            raise wrong(row, column, f"is empty; {empty_is}")
        return None
    return _plain(row, column, value)


def texts(row: Row, column: str) -> tuple[str, ...] | None:
    """A cell as several texts: a list, or a JSON array in a text. None: it is one value."""
    value = cell(row, column)
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
    if isinstance(value, Mapping) and isinstance(value.get("text"), Sequence) and not isinstance(value["text"], str):
        value = value["text"]  # the hub's {"text": […], "label": […]}
    if not isinstance(value, list | tuple):
        return None
    return tuple(_plain(row, column, one) for one in value)


def turns(row: Row, column: str) -> tuple[Turn, ...]:
    """A cell as a conversation: OpenAI's ``[{role, content}, …]``, ShareGPT's ``[{from, value}, …]``, also as JSON in a text."""
    value = cell(row, column)
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as why:
            raise wrong(row, column, "is no JSON; a conversation is [{role, content}, …]") from why
    if not isinstance(value, list) or not value:
        raise wrong(row, column, "is no conversation; one is [{role, content}, …] with at least one turn")
    return tuple(_turn(row, column, number, one) for number, one in enumerate(value, 1))


Role = Literal["system", "user", "assistant"]
_ROLES = {"human": "user", "gpt": "assistant", "developer": "system"}


def _turn(row: Row, column: str, number: int, value: Any) -> Turn:
    if not isinstance(value, Mapping):
        raise wrong(row, column, f"turn {number} is no object; write {{role, content}}")
    role = value.get("role", value.get("from"))
    role = _ROLES.get(role, role) if isinstance(role, str) else role
    content = value.get("content", value.get("value"))
    if isinstance(content, list) and all(isinstance(p, Mapping) and p.get("type") == "text" for p in content):
        content = "\n".join(str(part.get("text", "")) for part in content)
    if role not in ("system", "user", "assistant"):
        raise wrong(row, column, f"turn {number} has the role {role!r}; roles are system, user, assistant")
    if not isinstance(content, str):
        raise wrong(row, column, f"turn {number} has no text; only texts are evaluated")
    return Turn(cast("Role", role), content)


def moment_us(row: Row, column: str) -> int | None:
    """A cell as UTC microseconds: ISO 8601 (UTC, where it names no zone), or seconds, milliseconds, microseconds since 1970 by
    their size."""
    value = cell(row, column)
    if isinstance(value, str):
        value = _moment(row, column, value.strip())
    if value is None:
        return None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
        return (aware - _EPOCH) // dt.timedelta(microseconds=1)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise wrong(row, column, f"{value!r} is no time; write 2026-11-01T12:00:00Z")
    for most, factor in ((1e11, 1_000_000), (1e14, 1_000)):
        if value < most:
            return round(value * factor)
    return round(value)


def _moment(row: Row, column: str, text: str) -> float | dt.datetime | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError as why:
        raise wrong(row, column, f"{text!r} is no time; write 2026-11-01T12:00:00Z") from why


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def wrong(row: Row, column: str, what: str) -> ConfigError:
    """The error of a cell: where, which column, what."""
    return ConfigError(f"{row.where}, column '{column}': {what}")


def _plain(row: Row, column: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise wrong(row, column, f"is {value}; a program wrote it where a value was missing: leave it empty or out")
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, bytes):
        raise wrong(row, column, "holds bytes; only texts are evaluated")
    return msgspec.json.encode(value).decode()
