"""What a small TOML beside a data file says of it: which columns, which form, how it is put. Knows no rows.

The one thing here that is Demitasse's own; it is not needed where a file's columns bear usual names.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from ...core.errors import ConfigError
from .task import Form

SUFFIX = ".task.toml"

TargetIs = Literal["letter", "index", "text", "flags"]
"""How a file names the right one of several options: ``B``, ``1`` (the first is 0), the option's own words, or a list with a 1 at
each right one's place."""


Value = str | int | float | bool


class Columns(Struct, frozen=True, forbid_unknown_fields=True):
    """Which column is what; what is not told is found by usual names.

    A column within an object is written with a dot (``idx.paragraph``); a text with braces is put together from several
    (``Premise: {premise}``).
    """

    input: str | None = None
    messages: str | None = None
    target: str | list[str] | None = None
    """Several: each holds one right answer; empty ones do not count."""
    choices: str | list[str] | None = None
    """One column that holds a list, or one column per option."""
    id: str | None = None
    slice: str | None = None
    cluster: str | None = None
    at: str | None = None
    split: str | None = None


class Shot(Struct, frozen=True, forbid_unknown_fields=True):
    """A worked example. A choice's target is its letter or the option's words, whichever ``target_is`` or the data say."""

    input: str
    target: str
    choices: tuple[str, ...] = ()
    reasoning: str = ""


class Spec(Struct, frozen=True, forbid_unknown_fields=True):
    """A task's TOML."""

    name: str = ""
    data: str = ""
    """The data file, from the folder of the TOML; empty: the one beside it that bears its name."""
    header: tuple[str, ...] = ()
    """The columns' names, for a CSV or TSV whose first line is a row already."""
    columns: Columns = Columns()
    form: Form | None = None
    labels: tuple[str, ...] = ()
    scorer: str = ""
    system: str = ""
    template: str = "{input}"
    max_tokens: int | None = None
    schema: dict[str, Any] | None = None
    split: str = ""
    """Rows of this split alone, where a column tells it; else just the split's name."""
    where: dict[str, Value | list[Value]] = {}
    """Rows alone whose columns have these values; of a list, any one."""
    extract: dict[str, str] = {}
    """Per role (``input``, ``target``) a regular expression; its one group (or all of it) is what is meant. That of ``choices``
    finds every option in the input's column."""
    target_is: TargetIs | None = None
    shuffle: bool = False
    """Show the options in an order drawn by what is asked; for files whose first option is always right."""
    metadata: tuple[str, ...] = ()
    """Columns that are kept with each sample; ``*`` is all."""
    shots: tuple[Shot, ...] = ()
    licence: str = "not stated"
    fetched: str = ""


_KEYS = {field.encode_name for field in msgspec.structs.fields(Spec)}


def read(path: Path) -> Spec:
    """The TOML of a task. Raises ConfigError naming file and key."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as why:
        raise ConfigError(f"{path}: {(why.strerror or 'cannot be read').lower()}") from why
    except UnicodeDecodeError as why:
        raise ConfigError(f"{path}: is no UTF-8; save it as UTF-8") from why
    try:
        told = tomllib.loads(text)
    except (ValueError, RecursionError) as why:
        raise ConfigError(f"{path}: {why}") from why
    return spec(told, str(path))


def spec(told: dict[str, Any], where: str) -> Spec:
    """The same from a table that was read already. ``where`` begins the sentence of an error."""
    for key in told:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(sorted(_KEYS))}"
            raise ConfigError(f"{where}: no key '{key}'; {hint}")
    try:
        found = msgspec.convert(told, Spec)
    except msgspec.ValidationError as why:
        raise ConfigError(f"{where}: {_said(why)}") from why
    for role, pattern in found.extract.items():
        if role not in ("input", "target", "choices"):
            raise ConfigError(f"{where}: [extract] {role}: only input, target and choices can be extracted")
        try:
            groups = re.compile(pattern).groups
        except re.error as why:
            raise ConfigError(f"{where}: [extract] {role}: is no regular expression: {why}") from why
        if groups > 1:
            raise ConfigError(f"{where}: [extract] {role}: has {groups} groups; leave one, write (?:…) for the others")
    if "{input}" not in found.template:
        raise ConfigError(f"{where}: template: lacks {{input}}, which the sample's text takes the place of")
    if found.max_tokens is not None and found.max_tokens < 1:
        raise ConfigError(f"{where}: max_tokens: {found.max_tokens} leaves no room for an answer; 1 is the least")
    twice = next((label for at, label in enumerate(found.labels) if label in found.labels[:at]), None)
    if twice is not None:
        raise ConfigError(f"{where}: labels: '{twice}' stands there twice")
    return found


def _said(why: msgspec.ValidationError) -> str:
    """``columns.input: expected `str | null`, got `int```, from the library's sentence."""
    text, _, place = str(why).partition(" - at `$")
    place = place.rstrip("`").removeprefix(".")
    if place == "form" or "Invalid enum value" in text:
        text = f"{text}; forms are {', '.join(get_args(Form))}" if place == "form" else text
    return f"{place}: {text[:1].lower()}{text[1:]}" if place else text
