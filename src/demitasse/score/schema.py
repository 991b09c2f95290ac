"""Whether a JSON value is of a JSON schema, by the library ``jsonschema-rs``. Pure; fetches no ``$ref``, and ends soon.

A schema comes from whoever asks. References let a few lines describe more work than a year has seconds for (each name meaning
the next one twice), and no validator stops by itself; so the work is counted before it is begun, and what would take too long
is not checked and says so. The library is loaded when the first schema is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct

MOST: Final = 500_000
"""Steps that checking a value may take, counted too high rather than too low; about a tenth of a microsecond each."""
_COUNTED: Final = 50_000
"""Steps that counting may take itself, over all values that one schema meets."""
_DEEPEST: Final = 64
"""Levels of a value; also of references that lead on to others."""
_PATTERN_BYTES: Final = 1 << 20
"""Of a compiled pattern. The engine takes time by the length of the text, and so knows no look-around, no backreference."""
_EVER_MORE: Final = 3
"""What it costs to know which members were looked at (``unevaluatedProperties``): their schemas are gone through again."""

_HERE_MANY: Final = ("allOf", "anyOf", "oneOf")
_HERE: Final = ("not", "if", "then", "else")
_HERE_NAMED: Final = ("dependentSchemas", "dependencies")
_BELOW: Final = (
    "additionalProperties", "unevaluatedProperties", "propertyNames", "items", "additionalItems", "unevaluatedItems", "contains",
)  # fmt: skip
_AGAIN: Final = ("unevaluatedProperties", "unevaluatedItems")
_RULES: Final = frozenset(
    (*_HERE_MANY, *_HERE, *_HERE_NAMED, *_BELOW, "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum",
     "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains",
     "maxProperties", "minProperties", "required", "dependentRequired", "format", "prefixItems", "patternProperties")
)  # fmt: skip
_UNCOUNTED: Final = ("$dynamicRef", "$recursiveRef")


class Unreadable(Exception):
    """Nothing can be said by this schema; the message says why."""


class Fault(Struct, frozen=True):
    """The first thing that is wrong with a value."""

    rule: str
    """The schema's keyword that it breaks, as ``required``; holds no word of either."""
    place: str
    """Of the value, as ``$.items[0].name``; members' names are the value's own."""
    message: str
    """In a sentence that may quote the value."""


class Schema:
    """A schema that has been read. May be used from any thread.

    Args:
        schema: as decoded from JSON; draft 2020-12 unless ``$schema`` names another.

    Raises:
        Unreadable: it is no JSON schema, a ``$ref`` leads out of it or nowhere, or the library cannot read one of its patterns.
    """

    def __init__(self, schema: Any) -> None:
        import jsonschema_rs  # noqa: PLC0415 - 12 MB: only where a schema is asked for

        try:
            self._validator = jsonschema_rs.validator_for(
                schema, offline=True, pattern_options=jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES)
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, TypeError) as error:
            why = _first_line(error)
            hint = " whose time is linear: no look-around, no backreference" if why.endswith('"regex"') else ""
            raise Unreadable(f"this is no JSON schema that can be read: {why}{hint}") from error
        self._work = _Work(schema)

    def first_fault(self, value: Any) -> Fault | None:
        """What is wrong with a value, decoded from JSON; None: nothing.

        Raises:
            Unreadable: checking this value by this schema would take too long.
        """
        if self._work.most(value) > MOST:
            raise Unreadable("checking this value would take too many steps")
        try:
            if self._validator.is_valid(value):
                return None
            first = next(self._validator.iter_errors(value))
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"the value cannot be checked: {_first_line(error)}") from error
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first.instance_path)
        rule = next((str(part) for part in reversed(first.schema_path) if part in _RULES), "")
        return Fault(rule, f"${place}", first.message)


def read(schema: Any) -> Schema:
    """The schema, read once; the last 256 are kept. Raises Unreadable."""
    try:
        written = msgspec.json.encode(schema)
    except (TypeError, RecursionError, msgspec.ValidationError) as error:
        raise Unreadable("it is nested too deeply") from error
    found = _read(written)
    if isinstance(found, str):
        raise Unreadable(found)
    return found


def fits(value: Any, schema: Any) -> bool:
    """Whether a value, decoded from JSON, is of the schema. What cannot be read, or not in time, refuses nothing."""
    try:
        return schema is None or read(schema).first_fault(value) is None
    except Unreadable:
        return True


@lru_cache(256)
def _read(written: bytes) -> Schema | str:
    try:
        return Schema(msgspec.json.decode(written))
    except Unreadable as error:
        return str(error)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


class _Work:
    """How many steps checking may take: an upper bound by how often one place of a value is gone through."""

    def __init__(self, schema: Any) -> None:
        self._root = schema
        self._left = _COUNTED
        self._here: dict[int, list[tuple[dict[str, Any], float]]] = {}
        self._times_memo: dict[tuple[int, int], float] = {}
        for node in _nodes(schema):
            if any(member in node for member in _UNCOUNTED) or not _is_within(node.get("$ref", "#"), schema):
                raise Unreadable("a $ref of it leads to no place that a '#/…' names; put what it means under $defs")

    def most(self, value: Any) -> float:
        """At most so many steps; infinite where they are too many to be counted."""
        size, depth = _size(value)
        if depth > _DEEPEST:
            return math.inf
        try:
            return size * max(self._times(self._root, below) for below in range(depth + 1))
        except _TooManyError:
            self._left = 0
            return math.inf

    def _times(self, node: Any, below: int) -> float:
        """How often a place so many levels below the one that the schema speaks of may be gone through, at the worst."""
        if not isinstance(node, dict):
            return 1.0
        key = id(node), below
        if key not in self._times_memo:
            if id(node) not in self._here:
                self._here[id(node)] = list(self._same_place(node, 1.0, ()))
            here = self._here[id(node)]
            found = sum(times for _, times in here)
            if below:
                every, by_name = 0.0, {"": 0.0}
                for inner, times in here:
                    for name, child in _children(inner):
                        self._count()
                        cost = times * self._times(child, below - 1)
                        if name is None:
                            every += cost
                        else:
                            by_name[name] = by_name.get(name, 0.0) + cost
                found = every + max(by_name.values())
            self._times_memo[key] = found
        return self._times_memo[key]

    def _same_place(
        self, node: dict[str, Any], times: float, way: tuple[int, ...]
    ) -> Iterator[tuple[dict[str, Any], float]]:
        """The schemas that speak of one place, and how often each may be gone through."""
        self._count()
        if len(way) > _DEEPEST:
            raise _TooManyError
        if any(member in node for member in _AGAIN):
            times *= _EVER_MORE
        yield node, times
        if id(node) not in way:  # a reference that comes back to itself at the same place says nothing new
            for inner in self._beside(node):
                yield from self._same_place(inner, times, (*way, id(node)))

    def _beside(self, node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        found: list[Any] = [inner for name in _HERE_MANY if isinstance(node.get(name), list) for inner in node[name]]
        found += [node[name] for name in _HERE if name in node]
        found += [inner for name in _HERE_NAMED if isinstance(node.get(name), dict) for inner in node[name].values()]
        if "$ref" in node:
            found.append(_at(node["$ref"], self._root))
        return (inner for inner in found if isinstance(inner, dict))

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _TooManyError


class _TooManyError(Exception):
    """Counting itself takes too long."""


def _children(node: dict[str, Any]) -> Iterator[tuple[str | None, Any]]:
    """What a schema says of the places one below; None: of any of them."""
    named = node.get("properties")
    for name, inner in named.items() if isinstance(named, dict) else ():
        yield name, inner
    for member in _BELOW:
        inner = node.get(member)
        for one in inner if isinstance(inner, list) else (inner,):
            if isinstance(one, dict):
                yield None, one
    patterns, places = node.get("patternProperties"), node.get("prefixItems")
    for one in patterns.values() if isinstance(patterns, dict) else ():
        yield None, one
    for one in places if isinstance(places, list) else ():
        yield None, one


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object in it, schemas and others."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _is_within(ref: Any, root: Any) -> bool:
    # Not text: a member of an example that happens to be named so.
    return not isinstance(ref, str) or _at(ref, root) is not None


def _at(ref: Any, root: Any) -> Any:
    """What a reference means within the document; None: nothing there."""
    if not isinstance(ref, str) or not (ref == "#" or ref.startswith("#/")):
        return None
    node = root
    for part in ref[2:].split("/") if ref != "#" else ():
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict):
            node = node.get(name)
        elif isinstance(node, list) and name.isdecimal() and int(name) < len(node):
            node = node[int(name)]
        else:
            return None
    return node


def _size(value: Any) -> tuple[int, int]:
    """Places of a value, and levels of them."""
    places, depth, level = 0, 0, [value]
    while level:
        places += len(level)
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        depth += bool(level)
    return places, depth
