"""What of a JSON schema is read, as a schema of our own making: known words in known shapes, references by name alone. Pure.

A schema comes from whoever asks. A library that reads it as it stands follows it into other documents, decodes what we did not
count, and gives up all of it for one word; so it is given this form. What cannot be read is left out and named. Older drafts
are put into the words of 2020-12. Formats are remarks, as the standard has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote

from msgspec import Struct

MOST_NODES: Final = 10_000
MOST_REFERENCES: Final = 1_000
MOST_PATTERNS: Final = 20
MOST_PATTERN: Final = 500
"""Characters of a pattern."""
DEEPEST: Final = 64

ONE: Final = frozenset({
    "additionalProperties", "unevaluatedProperties", "propertyNames", "items", "unevaluatedItems", "contains", "not", "if",
    "then", "else",
})  # fmt: skip
"""Words whose value is a schema."""
MANY: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Words whose value is a list of schemas."""
NAMED: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})
"""Words whose value is schemas by name."""
_TYPES: Final = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})
_NUMBERS: Final = frozenset({"maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "multipleOf"})
_COUNTS: Final = frozenset({
    "maxLength", "minLength", "maxItems", "minItems", "maxContains", "minContains", "maxProperties", "minProperties",
})  # fmt: skip
_NEGATING: Final = frozenset({"not", "if", "then", "else", "maxContains", "unevaluatedProperties", "unevaluatedItems"})
"""Words by which a schema that says less refuses more."""
_SINCE_2019: Final = frozenset({
    "unevaluatedProperties", "unevaluatedItems", "dependentRequired", "dependentSchemas", "minContains", "maxContains",
    "prefixItems",
})  # fmt: skip
_SINCE_7: Final = _SINCE_2019 | {"if", "then", "else"}
_SINCE_6: Final = _SINCE_7 | {"const", "contains", "propertyNames"}
_LACKS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("draft-03", _SINCE_6), ("draft-04", _SINCE_6), ("draft-06", _SINCE_7), ("draft-07", _SINCE_2019),
    ("2019-09", frozenset({"prefixItems"})),
)  # fmt: skip
"""Words that an older draft does not have, and that say nothing there."""
_NO_SCHEMAS: Final = frozenset({"const", "enum", "default", "examples"})
_UNEVALUATED: Final = frozenset({"unevaluatedProperties", "unevaluatedItems"})
_DEPENDENT: Final = frozenset({"dependentRequired", "dependentSchemas"})
_NOTHING: Final = object()
_ELSEWHERE: Final = frozenset({"$dynamicRef", "$recursiveRef"})


class TooLargeError(Exception):
    """More than is read of anybody's schema."""


class Words(Struct, frozen=True):
    """A schema in our words."""

    schema: dict[str, Any] | bool
    """Draft 2020-12; every reference is ``#/$defs/r`` and a number."""
    unread: tuple[str, ...] = ()
    """What of the original was left out, in sentences."""
    patterns: int = 0
    """How many different ones it has."""


def words(schema: Any, compiles: Callable[[str], bool]) -> Words:
    """The schema in our words.

    Args:
        schema: as decoded from JSON. compiles: whether a pattern can be read.

    Raises:
        TooLargeError: too many parts, references, patterns or levels.
    """
    reader = _Reader(schema, compiles, negations=True)
    found = reader.whole()
    if reader.looks_again > (0 if reader.refers else 1):
        # To read these beside references, or within each other, the library takes time and memory without bound.
        reader.unread.add(
            "it asks what is with members that nothing looked at (unevaluated…), beside a $ref or more than once"
        )
    if reader.unread:
        # What is left out must not turn into a refusal, so what negates goes too.
        again = _Reader(schema, compiles, negations=False)
        return Words(again.whole(), tuple(sorted(reader.unread)), len(again.patterns))
    return Words(found, patterns=len(reader.patterns))


class _Reader:
    def __init__(self, root: Any, compiles: Callable[[str], bool], *, negations: bool) -> None:
        self.unread: set[str] = set()
        self.refers = False
        self.looks_again = 0
        self._root = root
        self._compiles = compiles
        self._negations = negations
        self.patterns: dict[str, bool] = {}
        self._names: dict[int, str] = {}
        self._waiting: list[Any] = []
        self._left = MOST_NODES
        own = root.get("$id", root.get("id")) if isinstance(root, dict) else None
        self._id = own.rstrip("#") if isinstance(own, str) else ""
        written = root.get("$schema") if isinstance(root, dict) else None
        draft = written if isinstance(written, str) else ""
        self._old = "draft-0" in draft
        self._lacks: frozenset[str] = next((lacks for name, lacks in _LACKS if name in draft), frozenset())
        self._ids = ("$id", "id") if self._old else ("$id",)
        named = (
            one for one in every(root, _NO_SCHEMAS) if isinstance(one, dict) and isinstance(one.get("$anchor"), str)
        )
        self._anchors = {one["$anchor"]: one for one in named}
        # What is referred to is known by identity, and the two truth values have one each.
        self._always: dict[bool, dict[str, Any]] = {True: {}, False: {"not": {}}}

    def whole(self) -> dict[str, Any] | bool:
        found = self._schema(self._root, 0)
        named: dict[str, Any] = {}
        while self._waiting:
            target = self._waiting.pop()
            named[self._names[id(target)]] = self._schema(target, 0)
        return {**found, "$defs": named} if named and isinstance(found, dict) else found

    def _schema(self, given: Any, level: int) -> dict[str, Any] | bool:
        self._count(1)
        if isinstance(given, bool):
            return given
        if not isinstance(given, dict):
            self._without("something stands where a schema belongs")
            return True
        if level > DEEPEST:
            raise TooLargeError
        if given is not self._root and any(isinstance(given.get(name), str) for name in self._ids):
            self._without("a part of it has an $id of its own")
            return True
        if _ELSEWHERE & given.keys():
            self._without("it refers to whatever schema asks for it ($dynamicRef)")
        found: dict[str, Any] = {}
        if "$ref" in given:
            self.refers = True
            name = self._name(given["$ref"])
            if name is not None:
                found["$ref"] = f"#/$defs/{name}"
            if self._old:
                return found
        for word, value in _in_new_words({word: value for word, value in given.items() if word not in self._lacks}):
            kept = self._word(word, value, level)
            self.looks_again += word in _UNEVALUATED
            if kept is not _NOTHING:
                found[word] = kept
        if not self._negations:
            found = {word: value for word, value in found.items() if word not in _NEGATING}
            if one_of := found.pop("oneOf", None):
                found["allOf"] = [*found.get("allOf", ()), {"anyOf": one_of}]
            named = [given[word] for word in ("properties", "patternProperties") if word in given]
            if not all(isinstance(one, dict) for one in named) or (
                len(found.get("patternProperties", ())) < len(_map(given.get("patternProperties")))
            ):
                found.pop("additionalProperties", None)
            if "minContains" in given and "minContains" not in found:
                found.pop("contains", None)
        return found

    def _word(self, word: str, value: Any, level: int) -> Any:
        """What is kept of a word's value, or _NOTHING."""
        if word in ONE:
            return self._schema(value, level + 1)
        if word in MANY:
            return [self._schema(one, level + 1) for one in value] if _is_list(value) else self._odd(word)
        if word in NAMED:
            if not isinstance(value, dict):
                return self._odd(word)
            kept = {name: one for name, one in value.items() if word != "patternProperties" or self._reads(name)}
            return {name: self._schema(one, level + 1) for name, one in kept.items()}
        if word == "type":
            return self._type(value)
        if word == "enum":
            return self._counted(value) if _is_list(value) else self._odd(word)
        if word == "const":
            return self._counted(value)
        if word == "pattern":
            return value if isinstance(value, str) and self._reads(value) else _NOTHING
        if word == "required":
            return self._counted(value) if _are_texts(value) else self._odd(word)
        if word == "dependentRequired":
            good = isinstance(value, dict) and all(_are_texts(one) for one in value.values())
            return self._counted(value) if good else self._odd(word)
        if word == "uniqueItems":
            return value if isinstance(value, bool) else self._odd(word)
        if word in _NUMBERS:
            good = _is_number(value) and (word != "multipleOf" or value > 0)
            return value if good else self._odd(word)
        if word in _COUNTS:
            return int(value) if _is_number(value) and value >= 0 and value == int(value) else self._odd(word)
        return _NOTHING

    def _type(self, value: Any) -> Any:
        named = value if isinstance(value, list) else [value]
        known = [one for one in named if isinstance(one, str) and one in _TYPES]
        if len(known) < len(named) or not known:
            return self._odd("type")
        return known if isinstance(value, list) else known[0]

    def _reads(self, pattern: str) -> bool:
        if pattern not in self.patterns:
            if len(self.patterns) >= MOST_PATTERNS:
                raise TooLargeError
            self.patterns[pattern] = len(pattern) <= MOST_PATTERN and self._compiles(pattern)
        if not self.patterns[pattern]:
            self.unread.add(
                "a pattern of it is none whose time is linear (look-around, backreference), or is too large"
            )
        return self.patterns[pattern]

    def _name(self, ref: Any) -> str | None:
        target = self._target(ref)
        if target is None:
            self._without("a $ref of it leads to no place within it; put what it means under $defs")
            return None
        if id(target) not in self._names:
            if len(self._names) >= MOST_REFERENCES:
                raise TooLargeError
            self._names[id(target)] = f"r{len(self._names)}"
            self._waiting.append(target)
        return self._names[id(target)]

    def _target(self, ref: Any) -> Any:
        if not isinstance(ref, str):
            return None
        inner = ref.removeprefix(self._id) if self._id and ref.startswith(self._id + "#") else ref
        if not inner.startswith("#"):
            return None
        if inner == "#":
            return self._root
        if not inner.startswith("#/"):
            return self._anchors.get(inner[1:])
        node = self._root
        for part in inner[2:].split("/"):
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and name in node:
                node = node[name]
            elif isinstance(node, list) and name.isdecimal() and len(name) < 6 and int(name) < len(node):
                node = node[int(name)]
            else:
                return None
        if isinstance(node, bool):
            return self._always[node]
        return node if isinstance(node, dict) else None

    def _counted(self, value: Any) -> Any:
        self._count(nodes(value))
        return value

    def _count(self, parts: int) -> None:
        self._left -= parts
        if self._left < 0:
            raise TooLargeError

    def _odd(self, word: str) -> object:
        self._without(f"its '{word}' is not as JSON Schema has it")
        return _NOTHING

    def _without(self, why: str) -> None:
        self.unread.add(why)


def nodes(value: Any) -> int:
    """How many parts a JSON value has, itself among them."""
    return sum(1 for _ in every(value))


def every(value: Any, without: frozenset[str] = frozenset()) -> Iterator[Any]:
    """Each part of a JSON value, itself first, but for members of these names."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, dict):
            waiting += (inner for name, inner in one.items() if name not in without)
        elif isinstance(one, list):
            waiting += one


def _in_new_words(given: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Its words but for references, as draft 2020-12 has them."""
    for word, value in given.items():
        if word == "items" and isinstance(value, list):
            if value:
                yield "prefixItems", value
            if "additionalItems" in given:
                yield "items", given["additionalItems"]
        elif word == "dependencies" and isinstance(value, dict) and not _DEPENDENT & given.keys():
            lists = {name: one for name, one in value.items() if isinstance(one, list)}
            yield "dependentRequired", lists
            yield "dependentSchemas", {name: one for name, one in value.items() if name not in lists}
        elif word in ("exclusiveMaximum", "exclusiveMinimum") and isinstance(value, bool):
            # Draft 4: a remark on the other word, whose number it then is.
            bound = given.get("maximum" if word == "exclusiveMaximum" else "minimum")
            if value and _is_number(bound):
                yield word, bound
        else:
            yield word, value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
