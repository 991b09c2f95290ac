"""How much work it is to hold a value against a schema, counted too high rather than too low. Pure.

References let a few lines describe more work than a year has seconds for (each name meaning the next one twice), and no validator
stops by itself. So the work is counted first: how often one place of a value may be gone through at the worst, times its places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from .schema_words import MANY, NAMED, every, nodes

STEPS: Final = 20_000
"""That counting may take itself, over all values that one schema meets."""
DEEPEST: Final = 64
"""Levels of a value; also of references that lead on to others at one place."""
_AGAIN: Final = 3
"""What it costs to know which members were looked at (``unevaluatedProperties``): their schemas are gone through again."""
_DIVIDED: Final = 300
"""Steps that ``multipleOf`` takes: of very large and very small numbers it is worked out digit by digit."""
_EXACT: Final = 1 << 53
_LARGE: Final = 500
"""Integers beyond 2^53 that ``uniqueItems`` may tell apart: many look alike to the library, which holds each against all."""
_WORD: Final = 64
"""Bits of an integer that counts as one place; of a longer one, each bit does."""
_UNEVALUATED: Final = ("unevaluatedProperties", "unevaluatedItems")
_HERE_ONE: Final = ("not", "if", "then", "else")
_HERE_MANY: Final = ("allOf", "anyOf", "oneOf")
_BELOW: Final = ("additionalProperties", "propertyNames", "items", "contains", *_UNEVALUATED)
_WRITTEN_OUT: Final = ("enum", "const", "required", "dependentRequired", "type")

Cost = tuple[float, float]
"""Steps at a place, and patterns that its text is held against."""


class Work:
    """Counts for one schema (``Words.schema``). May be used from any thread: what two find at once is the same."""

    def __init__(self, schema: dict[str, Any] | bool) -> None:
        self._root = schema
        self._named: dict[str, Any] = schema.get("$defs", {}) if isinstance(schema, dict) else {}
        self._left = STEPS
        self._unique = any(isinstance(one, dict) and one.get("uniqueItems") is True for one in every(schema))
        self._here: dict[int, list[tuple[dict[str, Any], float]]] = {}
        self._own: dict[int, Cost] = {}
        self._costs: dict[tuple[int, int], Cost] = {}

    def most(self, value: Any) -> float:
        """At most so many steps, of a tenth of a microsecond each; infinite where they are too many to be counted."""
        places, depth, characters, large = _size(value)
        if depth > DEEPEST or (self._unique and large > _LARGE):
            return math.inf
        try:
            costs = [self._cost(self._root, below) for below in range(depth + 1)]
        except _TooManyError:
            self._left = 0
            return math.inf
        return places * max(steps for steps, _ in costs) + characters * max(patterns for _, patterns in costs) / 10

    def _cost(self, node: Any, below: int) -> Cost:
        """Of a place so many levels below the one that the schema speaks of."""
        if not isinstance(node, dict):
            return 1.0, 0.0
        key = id(node), below
        if key not in self._costs:
            if id(node) not in self._here:
                self._here[id(node)] = list(self._same_place(node, 1.0, ()))
            here = self._here[id(node)]
            own = [(times, self._of(inner)) for inner, times in here]
            steps = sum(times * cost[0] for times, cost in own)
            patterns = sum(times * cost[1] for times, cost in own)
            if below:
                lower = self._lower(here, below)
                steps, patterns = max(steps, lower[0]), max(patterns, lower[1])
            self._costs[key] = steps, patterns
        return self._costs[key]

    def _lower(self, here: list[tuple[dict[str, Any], float]], below: int) -> Cost:
        """Members of one name are gone through by what speaks of that name and by what speaks of all."""
        every = [0.0, 0.0]
        named: dict[str, list[float]] = {"": [0.0, 0.0]}
        for inner, times in here:
            for name, child in _children(inner):
                self._count()
                steps, patterns = self._cost(child, below - 1)
                into = every if name is None else named.setdefault(name, [0.0, 0.0])
                into[0] += times * steps
                into[1] += times * patterns
        return every[0] + max(one[0] for one in named.values()), every[1] + max(one[1] for one in named.values())

    def _of(self, node: dict[str, Any]) -> Cost:
        """What one schema does at a place by itself."""
        if id(node) not in self._own:
            steps = 1 + sum(nodes(node[word]) for word in _WRITTEN_OUT if word in node)
            steps += sum(len(node[word]) for word in (*MANY, *NAMED) if word in node)
            steps += _DIVIDED * ("multipleOf" in node)
            patterns = ("pattern" in node) + len(node.get("patternProperties", ()))
            self._own[id(node)] = float(steps), float(patterns)
        return self._own[id(node)]

    def _same_place(
        self, node: dict[str, Any], times: float, way: tuple[int, ...]
    ) -> Iterator[tuple[dict[str, Any], float]]:
        """The schemas that speak of one place, and how often each may be gone through."""
        self._count()
        if len(way) > DEEPEST:
            raise _TooManyError
        if any(word in node for word in _UNEVALUATED):
            times *= _AGAIN
        yield node, times
        if id(node) not in way:  # a reference that comes back to itself at the same place says nothing new
            for inner in self._beside(node):
                yield from self._same_place(inner, times, (*way, id(node)))

    def _beside(self, node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        found: list[Any] = [inner for word in _HERE_MANY for inner in node.get(word, ())]
        found += [node[word] for word in _HERE_ONE if word in node]
        found += node.get("dependentSchemas", {}).values()
        if "$ref" in node:
            found.append(self._named[node["$ref"].rpartition("/")[2]])
        return (inner for inner in found if isinstance(inner, dict))

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _TooManyError


class _TooManyError(Exception):
    """Counting itself takes too long."""


def _children(node: dict[str, Any]) -> Iterator[tuple[str | None, Any]]:
    """What a schema says of the places one below; None: of any of them."""
    yield from node.get("properties", {}).items()
    for word in _BELOW:
        if word in node:
            yield None, node[word]
    for inner in (*node.get("patternProperties", {}).values(), *node.get("prefixItems", ())):
        yield None, inner


def _size(value: Any) -> tuple[int, int, int, int]:
    """Places of a value, levels of them, characters of its texts and names, and how many integers are large."""
    places, depth, characters, large, level = 0, 0, 0, 0, [value]
    while level:
        places += len(level)
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.values()
                characters += sum(map(len, one))
            elif isinstance(one, list):
                below += one
            elif isinstance(one, str):
                characters += len(one)
            elif isinstance(one, int) and abs(one) > _EXACT:
                large += 1
                places += one.bit_length() if one.bit_length() > _WORD else 0
        level = below
        depth += bool(level)
    return places, depth, characters, large
