from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.score.guard_numbers import numbered
from demitasse.score.guard_words import AMOUNTS, NUMBER_WORDS, ORDINALS, SCALES, UNITS
from demitasse.score.guards import read

WORDS = sorted(
    {*AMOUNTS, *NUMBER_WORDS, *ORDINALS, *SCALES, *UNITS, "and", "of", "1", "2.5", "1,000", "3rd", "10k", "7km", "$"}
)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("twenty-five km", ("25km",)), ("25 kilometres", ("25km",)), ("25km", ("25km",)),
        ("two hundred and five", ("205",)), ("three thousand two hundred", ("3200",)), ("1.5 million", ("1500000",)),
        ("1,500,000", ("1500000",)), ("500k", ("500000",)), ("five hundred thousand", ("500000",)),
        ("the 3rd", ("3.",)), ("the third", ("3.",)), ("twenty first", ("21.",)), ("half a cup", ("1/2",)),
        ("10:30", ("10:30",)), ("2026-11-21", ("2026", "11", "21")), ("version 1.2.3", ("1.2.3",)), ("one question", ()),
        ("one day", ("1day",)), ("which one", ()), ("$5", ("$5",)), ("< 5", ("<5",)), ("zwei Tage", ("2day",)),
        ("trois jours", ("3day",)), ("dos", ("2",)), ("millions of them", ("1000000",)), ("3d model", ()),
        ("5 and 6", ("5", "6")), ("nine ten", ("9", "10")), ("a hundred", ("100",)),
    ],
)  # fmt: skip
def test_a_number_is_the_same_however_it_is_written(text, numbers):
    assert read(text).numbers == numbers


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_any_row_of_number_words_comes_to_an_end_and_keeps_what_is_no_number(words):
    out, numbers = numbered(list(words))
    assert len(out) <= 2 * len(words)
    assert all(numbers)


@given(st.text(max_size=200))
def test_any_text_is_read(text):
    read(text)


def test_endless_digits_are_no_arithmetic():
    assert read("9" * 5_000).numbers
    assert read("9" * 5_000 + "th").words
    assert read("hundred " * 700).numbers
