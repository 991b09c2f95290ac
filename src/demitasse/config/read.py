"""TOML text into the tree, all that is wrong reported together: place, line, remedy. Knows types, no rules between.

What is read here is a user's file: an error names the setting by its dotted place, says what was expected and, where a
near match exists, what was probably meant. A value that looks like a secret is never repeated.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeGuard

import msgspec
from msgspec import inspect

from ..core.errors import ConfigError


class Problem(NamedTuple):
    """One wrong setting: its dotted place (empty for the file as a whole), the sentence, and the line where known."""

    place: str
    message: str
    line: int | None = None


class SettingsError(ConfigError):
    """All that is wrong with one configuration; ``problems`` has them one by one."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [self._line(p) for p in self.problems]
        if len(lines) == 1:
            at = f":{self.problems[0].line}" if self.problems[0].line else ""
            super().__init__(f"{source}{at}: {lines[0]}")
        else:
            places = [
                f"line {p.line}: {text}" if p.line else text for p, text in zip(self.problems, lines, strict=True)
            ]
            super().__init__(f"{source} has {len(lines)} wrong settings:\n  " + "\n  ".join(places))

    @staticmethod
    def _line(problem: Problem) -> str:
        return f"{problem.place}: {problem.message}" if problem.place else problem.message


def parse(text: str, source: str) -> dict[str, Any]:
    """The TOML document as it stands, decimals exact. Raises SettingsError for broken syntax."""
    try:
        return tomllib.loads(text, parse_float=_number)
    except (ValueError, RecursionError) as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line = int(found[1]) if found else None
        what = re.sub(r"\s*\(at .*\)$", "", str(error))
        raise SettingsError(source, [Problem("", f"not valid TOML: {what[:1].lower()}{what[1:]}", line)]) from None


class Reader:
    """Turns tables into Structs and collects what is wrong on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.given: set[str] = set()
        """Dotted places of every setting that was read."""

    def wrong(self, place: str, message: str) -> None:
        self.problems.append(Problem(place, message))

    def struct(self, kind: type[Any], table: Any, place: str) -> Any:
        """A Struct of ``kind``: what is wrong is noted and left at its default. None when it cannot be built at all."""
        if not isinstance(table, Mapping):
            self.wrong(place, f"expected a table, got {shown(table)}")
            return None
        fields = {f.name: f for f in _fields(kind)}
        values: dict[str, Any] = {}
        for key, value in table.items():
            here = f"{place}.{key}" if place else key
            if key in fields:
                if (done := self.value(fields[key].type, value, here)) is not None:
                    values[key] = done
            else:
                self.unknown(here, key, value, fields)
        for name, field in fields.items():
            if field.required and name not in values:
                if name not in table:
                    self.wrong(place, f"'{name}' is missing")
                if not isinstance(_choices(field.type)[0], inspect.StrType):
                    return None
                values[name] = ""  # so that other tables may still refer to this one
        return kind(**values)

    def unknown(self, place: str, key: str, value: Any, known: Iterable[str]) -> None:
        near = meant(key, known)
        if key.lower() in _SECRET_KEYS and isinstance(value, str) and not near:
            self.wrong(place, ADVICE)
        else:
            self.wrong(place, f"no such setting{near}")

    def tables(self, kind: type[Any], tables: Any, place: str) -> dict[str, Any]:
        """``[place.NAME]`` tables, each a Struct of ``kind``."""
        if not isinstance(tables, Mapping):
            self.wrong(place, f"expected tables [{place}.NAME], got {shown(tables)}")
            return {}
        read = {name: self.struct(kind, table, f"{place}.{name}") for name, table in tables.items()}
        return {name: one for name, one in read.items() if one is not None}

    def value(self, kind: Any, value: Any, place: str) -> Any:
        """A single setting converted to its type, or None when it is wrong (and noted)."""
        self.given.add(place)
        if isinstance(value, str) and looks_secret(value):
            self.wrong(place, ADVICE)
            return None
        kinds = [k for k in _choices(kind) if not isinstance(k, inspect.NoneType)]
        for choice in kinds:
            if isinstance(choice, inspect.StructType) and isinstance(value, Mapping):
                return self.struct(choice.cls, value, place)
        for choice in kinds:
            done, result = _convert(choice, value)
            if done:
                return result
        for choice in kinds:
            if self._inner(choice, value, place):
                return None
        self.wrong(place, f"{_expected(kinds)}, got {shown(value)}{_remedy(kinds, value)}")
        return None

    def _inner(self, kind: Any, value: Any, place: str) -> bool:
        """Name the one value within a table or list that is wrong; whether there was one."""
        if isinstance(kind, inspect.DictType) and isinstance(value, Mapping):
            one = kind.value_type
            inner = [(f"{place}.{name}", given) for name, given in value.items()]
        elif isinstance(kind, inspect.VarTupleType) and isinstance(value, list):
            one = kind.item_type
            inner = [(place, given) for given in value]
        else:
            return False
        choices = _choices(one)
        wrong = [(where, given) for where, given in inner if not any(_convert(c, given)[0] for c in choices)]
        for where, given in wrong:
            self.wrong(where, f"{_expected(choices)}, got {shown(given)}{_remedy(choices, given)}")
        return bool(wrong)


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent beyond all use
        raise ValueError(f"{text[:40]} is no number that can be used") from None


ADVICE = (
    "a secret does not belong in this file; put it into an environment variable and name that one here, "
    'e.g. key_env = "OPENAI_API_KEY"'
)
_SECRET_KEYS = frozenset(
    {"key", "api_key", "apikey", "token", "secret", "password", "master_key", "authorization", "access_key", "auth"}
)
_SECRET = re.compile(
    r"^\s*(?:Bearer\s+\S{12,}|(?:sk|pk|rk)[-_][\w-]{12,}|dmt_\w{8,}|(?:gsk|xai|pplx|hf|ghp|gho|r8|nvapi|fw|csk|tgp)[-_][\w-]{16,}"
    r"|github_pat_\w{16,}|AKIA[0-9A-Z]{12,}|AIza[\w-]{20,}|ya29\.[\w-]{16,}|eyJ[\w-]{16,}\.[\w-]+\.[\w-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----)"
)


def looks_secret(text: str) -> bool:
    """Whether a text has the shape of a known kind of key. Long names and paths have not."""
    return bool(_SECRET.match(text))


def meant(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'small'?`` where something near is known, else nothing."""
    import difflib  # noqa: PLC0415 - only when something is wrong

    near = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def shown(value: Any) -> str:
    """A value for an error message, short, and never one that looks like a secret."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "text that looks like a secret" if looks_secret(value) else f"'{value[:60]}'"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return str(value)[:60]


def lines(text: str) -> dict[str, int]:
    """Dotted place → line, for what stands at the beginning of a line; enough to point a finger."""
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\[\]]+?)\s*\]", line):
            section = _dotted(header[1])
            found.setdefault(section, number)
        elif key := re.match(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=", line):
            place = f"{section}.{_dotted(key[1])}" if section else _dotted(key[1])
            found.setdefault(place, number)
    return found


def line_of(place: str, found: Mapping[str, int]) -> int | None:
    """The line of a setting, else of the nearest table around it."""
    while place:
        if place in found:
            return found[place]
        place = place.rpartition(".")[0]
    return None


def _dotted(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def _fields(kind: type[Any]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return info.fields


def _choices(kind: Any) -> list[Any]:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    return [c for one in kind.types for c in _choices(one)] if isinstance(kind, inspect.UnionType) else [kind]


def _convert(kind: Any, value: Any) -> tuple[bool, Any]:
    """(whether it fits, the value in its type). Stricter than it must be: text is no number, true is no 1."""
    match kind:
        case inspect.BoolType():
            return isinstance(value, bool), value
        case inspect.IntType():
            return _is_number(value) and int(value) == value and _in_range(kind, value), value
        case inspect.FloatType():
            return (True, float(value)) if _is_number(value) and _in_range(kind, value) else (False, None)
        case inspect.DecimalType():
            return (True, Decimal(value)) if _is_number(value) and value >= 0 else (False, None)
        case inspect.StrType():
            return isinstance(value, str) and bool(value.strip()), value
        case inspect.LiteralType():
            return value in kind.values and not isinstance(value, bool), value
        case inspect.VarTupleType():
            if not isinstance(value, list):
                return False, None
            items = [_convert(kind.item_type, item) for item in value]
            return all(done for done, _ in items), tuple(item for _, item in items)
        case inspect.DictType():
            if not isinstance(value, Mapping):
                return False, None
            pairs = {name: _convert(_choices(kind.value_type)[0], one) for name, one in value.items()}
            return all(done for done, _ in pairs.values()), {name: one for name, (_, one) in pairs.items()}
        case _:
            return False, None


def _is_number(value: Any) -> TypeGuard[int | Decimal]:
    if isinstance(value, Decimal):
        return value.is_finite()
    return isinstance(value, int) and not isinstance(value, bool)


def _in_range(kind: Any, value: int | Decimal) -> bool:
    return (
        (kind.ge is None or value >= kind.ge)
        and (kind.gt is None or value > kind.gt)
        and (kind.le is None or value <= kind.le)
        and (kind.lt is None or value < kind.lt)
    )


def _expected(kinds: list[Any]) -> str:
    return "expected " + " or ".join(name_of(k) for k in kinds)


def name_of(kind: Any) -> str:
    """A type in a user's words: ``a whole number from 1 to 64``."""
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number" + _range(kind)
        case inspect.FloatType():
            return "a number" + _range(kind)
        case inspect.DecimalType():
            return "an amount in dollars (0 or more)"
        case inspect.StrType():
            return "text"
        case inspect.LiteralType():
            return "one of " + ", ".join(repr(v) for v in sorted(kind.values, key=str))
        case inspect.VarTupleType():
            item = _choices(kind.item_type)[0]
            if isinstance(item, inspect.LiteralType):
                return "a list out of " + ", ".join(repr(v) for v in sorted(item.values, key=str))
            return "a list of " + ("texts" if isinstance(item, inspect.StrType) else "numbers")
        case inspect.StructType():
            keys = [f.name for f in kind.fields]
            return "a table { " + ", ".join(keys[:3]) + (", … }" if len(keys) > 3 else " }")
        case inspect.DictType():
            return "a table whose values are " + name_of(_choices(kind.value_type)[0])
        case _:
            return msgspec.json.encode(str(kind)).decode()


def _range(kind: Any) -> str:
    low = f"of at least {kind.ge}" if kind.ge is not None else f"above {kind.gt}" if kind.gt is not None else ""
    high = f"at most {kind.le}" if kind.le is not None else f"below {kind.lt}" if kind.lt is not None else ""
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge} to {kind.le}"
    return " " + " and ".join(x for x in (low, high) if x) if low or high else ""


def _remedy(kinds: list[Any], value: Any) -> str:
    wants_number = any(isinstance(k, (inspect.IntType, inspect.FloatType, inspect.DecimalType)) for k in kinds)
    wants_bool = any(isinstance(k, inspect.BoolType) for k in kinds)
    if isinstance(value, str) and wants_number and re.fullmatch(r"[\d._]+", value):
        return f"; write {value} without quotes"
    if isinstance(value, str) and wants_bool and value.lower() in {"true", "false"}:
        return f"; write {value.lower()} without quotes"
    if isinstance(value, str) and any(isinstance(k, inspect.VarTupleType) for k in kinds):
        return f'; write ["{value[:60]}"]'
    options = [str(v) for k in kinds if isinstance(k, inspect.LiteralType) for v in k.values]
    return meant(value, options) if isinstance(value, str) else ""
