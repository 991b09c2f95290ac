"""Values held against JSON schemas: all of the standard is read, nothing is fetched, and no schema costs more than a moment."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from demitasse.score.schema import MOST, Schema, Unreadable, _Kept, fits, read

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{3}$"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True, "maxItems": 2},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "wrong", "place"),
    [
        ({"name": "Ann", "age": 30, "code": "AB123", "tags": ["a", "b"]}, "", ""),
        ({"name": "A"}, "minLength", "$.name"),
        ({"name": "Ann", "age": 131}, "maximum", "$.age"),
        ({"name": "Ann", "age": 1.5}, "type", "$.age"),
        ({"name": "Ann", "age": 2.0}, "", ""),
        ({"name": "Ann", "age": True}, "type", "$.age"),
        ({"name": "Ann", "code": "AB12"}, "pattern", "$.code"),
        ({"name": "Ann", "tags": ["a", "c"]}, "enum", "$.tags[1]"),
        ({"name": "Ann", "tags": ["a", "a"]}, "uniqueItems", "$.tags"),
        ({"age": 3}, "required", "$"),
        ({"name": "Ann", "other": 1}, "additionalProperties", "$"),
        ([], "type", "$"),
    ],
)
def test_every_rule_of_a_schema_is_read(value: Any, wrong: str, place: str) -> None:
    fault = read(PERSON).first_fault(value)
    assert (fault.place if fault else "") == place, wrong
    assert fits(value, PERSON) == (not wrong)


TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "string", "minLength": 1},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["value"],
        }
    },
}


def test_a_schema_that_means_itself_is_followed_as_deep_as_the_value_goes() -> None:
    value: dict[str, Any] = {"value": ""}
    for _ in range(8):
        value = {"value": "x", "children": [{"value": "y"}, value]}
    fault = read(TREE).first_fault(value)
    assert fault is not None and fault.place.endswith("children[1].value") and "shorter" in fault.message


EXPRESSION = {
    "$ref": "#/$defs/any",
    "$defs": {
        "any": {"anyOf": [{"$ref": "#/$defs/two"}, {"$ref": "#/$defs/one"}, {"type": "number"}]},
        "two": {
            "type": "object",
            "properties": {"op": {"const": "+"}, "left": {"$ref": "#/$defs/any"}, "right": {"$ref": "#/$defs/any"}},
            "required": ["op", "left", "right"],
        },
        "one": {
            "type": "object",
            "properties": {"op": {"const": "-"}, "of": {"$ref": "#/$defs/any"}},
            "required": ["op", "of"],
        },
    },
}


def test_a_grammar_with_branches_is_no_reason_to_give_up() -> None:
    def sums(levels: int, leaf: Any) -> Any:
        if not levels:
            return leaf
        return {"op": "+", "left": {"op": "-", "of": sums(levels - 1, leaf)}, "right": 1}

    schema = read(EXPRESSION)
    assert schema.holds(sums(8, 2))
    assert not schema.holds(sums(8, "two"))


def doubled(levels: int) -> dict[str, Any]:
    """Each name means the next one twice: 2^levels steps of a few lines."""
    named: dict[str, Any] = {
        f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}, {"$ref": f"#/$defs/d{i + 1}"}]} for i in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": named | {f"d{levels}": {"type": "object"}}}


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def unevaluated(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"properties": {"a": True}}
    for _ in range(levels):
        schema = {"allOf": [schema], "unevaluatedProperties": False}
    return schema


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (doubled(40), {}),
        ({"items": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}, nested(40)),
        ({"additionalProperties": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}], "minProperties": 1}}, {"a": {"a": {}}} | {"b": nested(60)}),
        ({"uniqueItems": True}, [2**63 + i for i in range(5_000)]),
        ({"items": {"anyOf": [{"const": i} for i in range(2_000)]}}, [-1] * 2_000),
        ({"items": {"$ref": "#"}}, nested(500)),
        ({"items": {"anyOf": [False] * 2_000}}, [1] * 1_000),
        ({"items": {"enum": [{"a": i} for i in range(2_000)]}}, [{"a": -1}] * 1_000),
        ({"items": {"anyOf": [{"pattern": "a*b"}] * 50}}, ["a" * 4_000] * 50),
        ({"items": {"multipleOf": 1e-308}}, [1.7e308] * 10_000),
        ({"items": {"multipleOf": 0.01}}, [10**3_999] * 100),
        ({"$ref": "#/$defs/a%62", "$defs": doubled(40)["$defs"] | {"a%62": {}, "ab": {"$ref": "#/$defs/d0"}}}, {}),
        ({"$id": "http://here.example/s", "$ref": "http://here.example/s#/$defs/d0", "$defs": doubled(40)["$defs"]}, {}),
    ],
)  # fmt: skip
def test_what_would_take_too_long_is_not_begun_and_refuses_nothing(schema: Any, value: Any) -> None:
    with pytest.raises(Unreadable, match="too many steps"):
        Schema(schema).holds(value)
    assert fits(value, schema)


def test_the_bound_is_about_work_and_not_about_references() -> None:
    assert 2**12 < MOST < 2**40
    assert not Schema(doubled(12)).holds([])


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": list(range(20_000))},
        {"$defs": {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(2_000)} | {"d2000": {}}, "$ref": "#/$defs/d0"},
        {"properties": {f"p{i}": {"pattern": f"^a{i}"} for i in range(60)}},
        {"description": "x" * (200 << 10)},
    ],
)
def test_of_a_schema_that_is_too_large_nothing_is_said(schema: Any) -> None:
    with pytest.raises(Unreadable, match=r"too large|larger"):
        read(schema)
    assert fits({}, schema)


@pytest.mark.parametrize(
    "schema", [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}, {"anyOf": [{"type": "string"}, {"$ref": "#"}]}]
)
def test_a_reference_that_leads_back_to_itself_ends(schema: Any) -> None:
    assert fits({}, schema)


A = {"type": "object", "required": ["a"]}


@pytest.mark.parametrize(
    ("schema", "unread"),
    [
        (A | {"properties": {"a": {"pattern": "^(?!x)"}}}, "look-around"),
        (A | {"properties": {"a": {"pattern": "((a{1000}){1000}){1000}"}}}, "too large"),
        (A | {"properties": {"a": {"$ref": "http://127.0.0.1:1/schema.json"}}}, "leads to no place"),
        (A | {"properties": {"a": {"$ref": "file:///etc/hostname"}}}, "leads to no place"),
        (A | {"properties": {"a": {"$ref": "#/$defs/nobody"}}}, "leads to no place"),
        (A | {"$dynamicRef": "#meta"}, "dynamicRef"),
        (A | {"properties": {"a": {"$id": "http://other.example/", "$ref": "#/b"}}}, "an $id of its own"),
        (A | {"properties": {"a": {"type": "any"}}}, "'type'"),
        (A | {"properties": {"a": {"required": True}}}, "'required'"),
        (A | {"properties": {"a": {"maxLength": -1}}}, "'maxLength'"),
        (A | {"properties": {"a": 5}}, "where a schema belongs"),
        # What is left out under a negation takes the negation along; else it would refuse what it should not.
        (A | {"not": {"properties": {"b": {"pattern": "^(?=x)"}}}}, "look-around"),
        (A | {"oneOf": [{"pattern": "^(?=x)"}, {"type": "object"}]}, "look-around"),
        (A | {"patternProperties": {"^(?=a)": {}}, "additionalProperties": False}, "look-around"),
        (A | {"allOf": [{"$ref": "#/nobody"}], "unevaluatedProperties": False}, "leads to no place"),
        (A | {"properties": ["b"], "additionalProperties": False}, "'properties'"),
        (A | {"properties": {"a": {"contains": {"type": "null"}, "minContains": "0"}}}, "'minContains'"),
        (A | {"properties": {"b": {"pattern": "a?" * 300}}}, "too large"),
        # The library reads these without bound of time and memory.
        (A | unevaluated(40), "unevaluated"),
        (A | doubled(8) | {"unevaluatedProperties": False}, "unevaluated"),
        (
            A
            | {
                "properties": {"b": {"$ref": "#/$defs/x"}},
                "$defs": {"x": {"$id": "http://x.example/", "type": "string"}},
            },
            "$id",
        ),
    ],
)
def test_what_cannot_be_read_is_left_out_and_the_rest_counts(schema: Any, unread: str) -> None:
    found = read(schema)
    assert any(unread in one for one in found.unread), found.unread
    assert found.holds({"a": "x"})
    assert not found.holds({})


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"$ref": "#/$defs/My%20Type", "$defs": {"My Type": {"type": "string"}}}, "x", 1),
        ({"$ref": "#/$defs/My Type", "$defs": {"My Type": {"type": "string"}}}, "x", 1),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}, "x", 1),
        ({"$ref": "#n", "$defs": {"x": {"$anchor": "n", "type": "string"}}}, "x", 1),
        ({"$ref": "#/anyOf/0", "anyOf": [{"type": "string"}, {}]}, "x", 1),
        ({"$schema": "http://nowhere.example/schema", "type": "string"}, "x", 1),
        ({"default": {"$ref": "x"}, "examples": [{"$ref": "y"}], "type": "string"}, "x", 1),
        ({"const": {"$ref": "x"}}, {"$ref": "x"}, {}),
        ({"const": None}, None, 0),
        ({"properties": {"$dynamicRef": {"type": "string"}, "$id": {"type": "string"}}}, {"$id": "x"}, {"$dynamicRef": 1}),
        ({"properties": {"a": {"$ref": "#/$defs/no"}, "b": {"$ref": "#/$defs/yes"}}, "$defs": {"no": False, "yes": True}}, {"b": 1}, {"a": 1}),
        ({"dependentSchemas": {"a": {"required": ["b"]}}, "dependencies": {"a": {"type": "array"}}}, {"a": 1, "b": 2}, {"a": 1}),
        ({"unevaluatedProperties": False, "allOf": [{"properties": {"a": {}}}]}, {"a": 1}, {"b": 1}),
        ({"properties": {"x": {"const": {"$anchor": "n", "type": "integer"}}, "y": {"$ref": "#n"}}, "$defs": {"q": {"$anchor": "n", "type": "string"}}}, {"y": "s"}, {"y": 1}),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "prefixItems": [False], "unevaluatedProperties": False, "type": ["object", "array"]}, [1], 1),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "const": 3, "type": "integer"}, 4, "x"),
        # Of older drafts.
        ({"items": [{"type": "string"}], "additionalItems": False}, ["x"], ["x", 1]),
        ({"dependencies": {"a": ["b"], "c": {"required": ["d"]}}}, {"a": 1, "b": 1}, {"c": 1}),
        ({"minimum": 3, "exclusiveMinimum": True}, 4, 3),
        ({"minimum": 3, "exclusiveMinimum": False}, 3, 2),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"s": {"type": "string"}}, "properties": {"a": {"$ref": "#/definitions/s", "minLength": 9}}}, {"a": "x"}, {"a": 1}),
    ],
)  # fmt: skip
def test_references_and_older_words_are_read_as_they_are_meant(schema: Any, good: Any, bad: Any) -> None:
    found = read(schema)
    assert not found.unread
    assert found.holds(good)
    assert not found.holds(bad)


def test_schemas_are_kept_within_bounds() -> None:
    kept = _Kept(2_000)
    written = [msgspec.json.encode({"description": "x" * 400, "const": i}) for i in range(20)]
    first = kept.get(written[0])
    assert kept.get(written[0]) is first
    for one in written:
        kept.get(one)
    assert len(kept._schemas) <= 4
    assert kept.get(written[0]) is not first


def test_a_pattern_takes_time_by_the_length_of_the_text() -> None:
    assert fits("a" * 50_000, {"pattern": "^(a|a)*b?$"})
    assert not fits("a" * 50_000, {"pattern": "^(a|a)*b$"})


def test_a_member_of_an_example_that_is_named_ref_is_no_reference() -> None:
    assert fits({"x": 1}, {"properties": {"$ref": {"type": "string"}}, "type": "object"})
    assert not fits([], {"properties": {"$ref": {"type": "string"}}, "type": "object"})


def test_true_and_false_are_schemas() -> None:
    assert fits(1, True) and not fits(1, False) and fits(1, None)


def test_half_a_surrogate_is_not_checked_and_refuses_nothing() -> None:
    assert fits("\ud800", {"type": "integer"})
