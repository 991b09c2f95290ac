"""Settings explained: what each is now and who set it, and the reference page of all there are. Knows no rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from msgspec import NODEFAULT, Struct, inspect

from .read import name_of
from .tree import OPEN_TABLES, Config, Origin


class Row(NamedTuple):
    """A setting as it is in force. ``value`` as it would stand in the file, empty when unset."""

    setting: str
    value: str
    origin: Origin


class Documented(NamedTuple):
    """A setting as the reference lists it. ``default`` is empty where there is none."""

    setting: str
    type: str
    default: str
    meaning: str


OFTEN_SECRET: Final = frozenset({"alerts.webhook"})
"""Addresses that whoever knows them can use."""
_NOT_SHOWN: Final = "set, not shown"


def describe(config: Config) -> list[Row]:
    """Every setting of this configuration, in the order of the reference."""
    return [
        Row(
            setting,
            _NOT_SHOWN if setting in OFTEN_SECRET and value else toml(value),
            config.origins.get(setting, _above(setting, config)),
        )
        for setting, value in _walk(config)
    ]


def documented() -> list[Documented]:
    """Every setting there is. A field without a meaning comes back with an empty one, and a test finds it."""
    rows: list[Documented] = []
    for section in _section_fields():
        rows += _document(section.name, section.type)
    return rows


def reference() -> str:
    """The page ``docs/reference/settings.md``."""
    out = [_HEAD]
    rows = documented()
    for section in _section_fields():
        for kind, place in _tables(section):
            out.append(f"\n## `[{place}]`\n\n{_first_line(kind)}\n")
            out.append("| setting | type | default | meaning |\n| --- | --- | --- | --- |")
            for row in rows:
                head, _, name = row.setting.rpartition(".")
                if head == place or (head.startswith(place + ".") and head not in _PLACES):
                    name = row.setting.removeprefix(place + ".")
                    default = row.default if row.default in {"", _REQUIRED} else f"`{row.default}`"
                    out.append(f"| `{name}` | {row.type} | {default} | {row.meaning} |")
    return "\n".join(out) + "\n"


def toml(value: Any) -> str:
    """A value as it would stand in the file; empty for one that is unset."""
    match value:
        case None | "" | ():
            return ""
        case bool():
            return str(value).lower()
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case tuple():
            return "[" + ", ".join(toml(v) for v in value) + "]"
        case dict():
            return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }" if value else ""
        case Struct():
            set_ = {k: toml(getattr(value, k)) for k in value.__struct_fields__}
            return "{ " + ", ".join(f"{k} = {v}" for k, v in set_.items() if v) + " }"
        case Decimal():
            return f"{value:f}"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


_HEAD = """# Settings

Everything that `demitasse.toml` may hold. The file is found in the working directory, or named by `--config` or
`DEMITASSE_CONFIG`; nothing is needed to begin. A valid change is taken up without a restart; an invalid file leaves the
running configuration in place and says so. Secrets are named (`key_env`), never written. Where everything is kept:
`--data`, else `DEMITASSE_HOME`, else the platform's data folder.

`demitasse doctor --settings` shows each setting with its value and who set it."""

_REQUIRED = "*required*"
_PLACES = frozenset(f"{section}.{name}" for section, name in OPEN_TABLES.items())


def _walk(config: Config) -> Iterator[tuple[str, Any]]:
    for section in _section_fields():
        value = getattr(config, section.name)
        if isinstance(value, Mapping):
            for name, table in value.items():
                yield from _flat(f"{section.name}.{name}", table)
        else:
            yield from _flat(section.name, value)


def _flat(place: str, table: Struct) -> Iterator[tuple[str, Any]]:
    for name in table.__struct_fields__:
        value = getattr(table, name)
        if isinstance(value, Mapping) and any(isinstance(one, Struct) for one in value.values()):
            for inner, one in value.items():
                yield from _flat(f"{place}.{inner}", one)
        else:
            yield f"{place}.{name}", value


def _above(setting: str, config: Config) -> Origin:
    """A flag that sets a whole table sets what is in it."""
    place = setting.rpartition(".")[0]
    while place:
        if config.origins.get(place) == "command":
            return "command"
        place = place.rpartition(".")[0]
    return "default"


def _section_fields() -> list[inspect.Field]:
    info = inspect.type_info(Config)
    assert isinstance(info, inspect.StructType)
    return [f for f in info.fields if f.name not in {"path", "found", "origins"}]


def _tables(section: inspect.Field) -> Iterator[tuple[type[Any], str]]:
    """The section's own table and the ones a user names in it."""
    if isinstance(section.type, inspect.StructType):
        yield section.type.cls, section.name
        for field in section.type.fields:
            if isinstance(field.type, inspect.DictType) and isinstance(field.type.value_type, inspect.StructType):
                yield field.type.value_type.cls, f"{section.name}.{OPEN_TABLES[section.name]}"
    elif isinstance(section.type, inspect.DictType) and isinstance(section.type.value_type, inspect.StructType):
        yield section.type.value_type.cls, f"{section.name}.{OPEN_TABLES[section.name]}"


def _document(place: str, kind: Any) -> Iterator[Documented]:
    if isinstance(kind, inspect.DictType):
        yield from _document(f"{place}.{OPEN_TABLES[place]}", kind.value_type)
        return
    assert isinstance(kind, inspect.StructType)
    for field in kind.fields:
        if isinstance(field.type, inspect.DictType) and isinstance(field.type.value_type, inspect.StructType):
            yield from _document(place, field.type)
            continue
        choices, meaning = _unwrapped(field.type)
        shown = [name_of(c) for c in choices if not isinstance(c, (inspect.NoneType, inspect.StructType))]
        inner = [c for c in choices if isinstance(c, inspect.StructType)]
        default = _REQUIRED if field.required else "" if field.default is NODEFAULT else toml(field.default)
        yield Documented(f"{place}.{field.name}", " or ".join(shown + ["a table"] * bool(inner)), default, meaning)
        for table in inner:
            yield from _document(f"{place}.{field.name}", table)


def _unwrapped(kind: Any) -> tuple[list[Any], str]:
    meaning = ""
    while isinstance(kind, inspect.Metadata):
        meaning = (kind.extra_json_schema or {}).get("description", meaning)
        kind = kind.type
    return (list(kind.types) if isinstance(kind, inspect.UnionType) else [kind]), meaning


def _first_line(kind: type[Any]) -> str:
    return (kind.__doc__ or "").strip()
