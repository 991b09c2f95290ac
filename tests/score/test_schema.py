"""Values held against JSON schemas: all of the standard is read, nothing is fetched, and no schema costs more than a moment."""

from __future__ import annotations

from typing import Any

import pytest

from demitasse.score.schema import MOST, Schema, Unreadable, fits, read

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
    ("value", "rule", "place"),
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
def test_every_rule_of_a_schema_is_read(value: Any, rule: str, place: str) -> None:
    fault = read(PERSON).first_fault(value)
    assert ((fault.rule, fault.place) if fault else ("", "")) == (rule, place)
    assert fits(value, PERSON) == (not rule)


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
    assert fault is not None and fault.rule == "minLength" and fault.place.endswith("children[1].value")


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
    assert schema.first_fault(sums(8, 2)) is None
    assert schema.first_fault(sums(8, "two")) is not None


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
        (unevaluated(40), {"a": 1}),
        ({"items": {"anyOf": [{"const": i} for i in range(2_000)]}}, [-1] * 2_000),
        ({"items": {"$ref": "#"}}, nested(500)),
    ],
)  # fmt: skip
def test_what_would_take_too_long_is_not_begun_and_refuses_nothing(schema: Any, value: Any) -> None:
    with pytest.raises(Unreadable, match="too many steps"):
        Schema(schema).first_fault(value)
    assert fits(value, schema)


def test_the_bound_is_about_work_and_not_about_references() -> None:
    assert 2**12 < MOST < 2**40
    fault = Schema(doubled(12)).first_fault([])
    assert fault is not None and fault.rule == "type"


@pytest.mark.parametrize(
    "schema", [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}, {"anyOf": [{"type": "string"}, {"$ref": "#"}]}]
)
def test_a_reference_that_leads_back_to_itself_ends(schema: Any) -> None:
    assert fits({}, schema)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "nothing"}, "no JSON schema"),
        ({"$ref": "http://127.0.0.1:1/schema.json"}, "no JSON schema|leads to no place"),
        ({"$ref": "file:///etc/hostname"}, "no JSON schema|leads to no place"),
        ({"$ref": "#/$defs/nobody"}, "no JSON schema|leads to no place"),
        ({"$dynamicRef": "#meta"}, "leads to no place|no JSON schema"),
        ({"pattern": "^(?=a)"}, "no look-around"),
        ({"pattern": "((a{1000}){1000}){1000}"}, "no JSON schema"),
        ({"$schema": "http://nowhere.example/schema"}, "no JSON schema"),
        ([], "no JSON schema"),
    ],
)
def test_a_schema_that_cannot_be_read_says_why_and_refuses_nothing(schema: Any, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read(schema)
    assert fits({"a": 1}, schema)


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
