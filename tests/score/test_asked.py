"""What a request demands of its answer's form."""

import json

import pytest

from demitasse.score.asked import NOTHING, Asked, asked_of, asks_choice, labels_of


def request(content: object, **more: object) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": content}], **more}).encode()


def test_a_plain_question_demands_nothing_and_neither_does_what_cannot_be_read():
    assert asked_of(request("What is the capital of France?")) == NOTHING
    assert asked_of(b"<html>") == NOTHING
    assert NOTHING.how == "auto"


def test_a_response_format_demands_json_of_its_schema():
    schema = {"type": "object", "required": ["a"]}
    told = asked_of(
        request("x", response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}})
    )
    assert told == Asked(json=True, schema=schema)
    assert told.how == "json"
    assert asked_of(request("x", response_format={"type": "json_object"})) == Asked(json=True)
    assert asked_of(request("x", response_format={"type": "text"})) == NOTHING


def test_tools_old_and_new_are_known_by_name():
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert asked_of(request("x", tools=tools, functions=[{"name": "g"}], tool_choice="required")) == Asked(
        tools=("f", "g"), must_call=True
    )


@pytest.mark.parametrize(
    "words", ["Answer with only a number.", "Give the final numeric answer.", "End with #### and the result"]
)
def test_a_number_is_asked_for(words):
    assert asked_of(request(f"How many apples? {words}")).number


def test_lettered_options_ask_for_a_letter_and_a_list_does_not():
    assert asks_choice("Which?\nA. red\nB. blue\nC. green\nD. none")
    assert asks_choice("Pick the correct option:\n(A) yes\n(B) no")
    assert not asks_choice("A. Introduction\nB. Method")
    assert not asks_choice("A dog. Be quick.")


@pytest.mark.parametrize(
    ("prompt", "labels"),
    [
        ("Answer with one of: up, down or none", ("up", "down", "none")),
        ("Possible labels: 'billing', 'refund', 'card lost'", ("billing", "refund", "card lost")),
        ("It was one of the best days of my life, or so I thought", ()),
        ("Choose one of: a very long description of something else entirely, b", ()),
    ],
)
def test_a_closed_set_is_read_only_where_it_is_a_plain_list(prompt, labels):
    assert labels_of(prompt) == labels


def test_only_the_last_question_and_the_system_prompt_count():
    messages = [
        {"role": "system", "content": "Answer with one of: yes, no"},
        {"role": "user", "content": "Answer with only a number."},
        {"role": "assistant", "content": "5"},
        {"role": "user", "content": [{"type": "text", "text": "Is it so?"}]},
    ]
    told = asked_of(json.dumps({"messages": messages}).encode())
    assert told == Asked(labels=("yes", "no"))
    assert told.how == "label"
