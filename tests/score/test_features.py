"""A prompt's numbers: there are as many as names, they mean what they are called, and any text has them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.score.features import MAX_CHARS, NAMES, VERSION, features

QUESTION = """Which of the following is NOT a prime number?
A. 2
B. 3
C. 9
D. 11
Answer:"""


def told(text: str) -> dict[str, float]:
    return dict(zip(NAMES, features(text), strict=True))


@given(st.text())
def test_any_text_has_finite_numbers(text: str) -> None:
    found = features(text)
    assert len(found) == len(NAMES)
    assert all(map(math.isfinite, found))


@given(st.text(max_size=200))
def test_the_same_text_has_the_same_numbers(text: str) -> None:
    assert features(text) == features(text)


def test_a_multiple_choice_question_is_known_by_its_options() -> None:
    found = told(QUESTION)
    assert found["choices"] == 1.0 and found["choice_numbers"] == 1.0
    assert found["negation"] > 0 and found["questions"] > 0
    assert told("Which number is not prime?")["choices"] == 0.0


@pytest.mark.parametrize(
    ("name", "more", "less"),
    [
        ("length", "word " * 50, "word"),
        ("numbers", "1 and 2 and 3 and 4", "one and two"),
        ("decimals", "3.50 and 4.25", "3 and 4"),
        ("largest_number", "1000000 people", "7 people"),
        ("relations", "twice as many, each a third more than the total", "as many as there are"),
        ("maths", "f(x) = x^2 + 3*x - 1", "f of x is a parabola"),
        ("code", "```\ndef f(x):\n    return x\n```", "a function in words: f"),
        ("negation", "never do this, not even without reason", "always do this"),
        ("conditions", "if it rains, then wait until it stops", "it rains"),
        ("people", "she gave him their keys", "the keys were given"),
        ("explain", "explain why", "say it"),
        ("task", "write and translate a letter", "a letter"),
        ("capitals", "NASA AND ESA", "nasa and esa"),
        ("names", "then Ann met Bob in Paris", "then they met in town"),
        ("foreign", "你好，今天天气怎么样？", "how is the weather of the day"),
        ("lines", "a\nb\nc\nd", "a b c d"),
        ("blank", "the ____ of it", "the end of it"),
        ("statements", "Statement 1. Statement 2. Both of the above", "It is so."),
        ("quotes", '"one" and "two"', "one and two"),
        ("sentences", "One. Two. Three.", "One two three"),
    ],
)
def test_a_number_rises_with_what_it_is_called_after(name: str, more: str, less: str) -> None:
    assert told(more)[name] > told(less)[name]


def test_only_the_length_of_what_stands_in_the_middle_of_a_long_prompt_counts() -> None:
    head, tail = "a " * (MAX_CHARS // 4), "b " * (MAX_CHARS // 4)
    one, other = told(head + "what? " * 100 + tail), told(head + "2 + 2 " * 100 + tail)
    assert one == other
    assert one["length"] > told(head + tail)["length"]


def test_lengths_can_be_had_back() -> None:
    """The scorer's price of a prompt reads them."""
    assert math.expm1(told("x" * 321)["length"] + 5) == pytest.approx(321)


def test_names_are_told_apart_and_versioned() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert VERSION.startswith("features-")
