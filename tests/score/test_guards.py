"""Guards: what must not share an answer is told apart, in words; what only is said otherwise gets by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demitasse.score.guards import names_of_guards, objection, read

DIFFERENT = [
    ("numbers", "Book a table for two at 7 pm.", "Book a table for three at 7 pm."),
    ("numbers", "What is 15 % of 240?", "What is 50 % of 240?"),
    ("numbers", "Is version 3.10 supported?", "Is version 3.11 supported?"),
    ("negation", "Which fruits can dogs eat?", "Which fruits can't dogs eat?"),
    ("negation", "Recipes with nuts", "Recipes without nuts"),
    ("negation", "Is the file encrypted?", "Is the file unencrypted?"),
    ("antonym", "How do I turn on the heating?", "How do I turn off the heating?"),
    ("antonym", "What happens if interest rates increase?", "What happens if interest rates decrease?"),
    ("entity", "What is the capital of Austria?", "What is the capital of Australia?"),
    ("entity", "Convert this to Python.", "Convert this to Rust."),
    ("order", "Flights from Lisbon to Oslo", "Flights from Oslo to Lisbon"),
    ("order", "Does Anna owe Ben money?", "Does Ben owe Anna money?"),
    ("question", "When was the bridge built?", "Where was the bridge built?"),
    ("scope", "Delete all messages from spam.", "Delete only messages from spam."),
]


@pytest.mark.parametrize(("kind", "a", "b"), DIFFERENT, ids=lambda v: v[:24])
@pytest.mark.parametrize("strict", [True, False])
def test_what_must_not_share_an_answer_is_objected_to_both_ways_round(
    kind: str, a: str, b: str, *, strict: bool
) -> None:
    for one, other in ((a, b), (b, a)):
        found = objection(read(one), read(other), strict=strict)
        assert found is not None and found.why, (kind, one, other)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("What is the capital of Austria?", "what is the capital of austria"),
        ("Please tell me what the capital of Austria is.", "Please tell me what the capital of Austria is"),
        ("How do I reset my password?", "How do I reset my password, please?"),
        ("It's 10 degrees.", "It's ten degrees."),
    ],
)
def test_what_is_only_written_otherwise_passes_also_when_strict(a: str, b: str) -> None:
    assert objection(read(a), read(b), strict=True) is None


@pytest.mark.parametrize("text", ["", " ", "?!", "\x00", "ß" * 5_000, "1" * 5_000, "🙂🙂", "a\n\nb"])
def test_any_text_can_be_read_and_agrees_with_itself(text: str) -> None:
    assert objection(read(text), read(text), strict=True) is None


def test_guards_have_names_for_whoever_asks_why() -> None:
    assert len(set(names_of_guards(strict=True))) == len(names_of_guards(strict=True)) > 3


def test_the_pairs_written_beforehand_are_told_apart_but_for_the_misses_that_are_known() -> None:
    """A first answer is given again to the very same words only, so that the strict guards are what stands between a pair
    and a false hit. Their misses are counted here; the set is never edited."""
    lines = (Path(__file__).parents[1] / "data" / "near_pairs.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [json.loads(line) for line in lines]
    apart = [pair for pair in pairs if not pair["share"]]
    missed = [pair["id"] for pair in apart if objection(read(pair["a"]), read(pair["b"]), strict=True) is None]
    assert len(apart) >= 300
    assert len(missed) <= KNOWN_MISSES, missed


KNOWN_MISSES = 0
