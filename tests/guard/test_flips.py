"""Sentences that say the opposite of their context in its own words, and paraphrases that only look as if they did."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demitasse.guard.flips import flip, read
from demitasse.guard.grounding import _STOPWORDS, _stem, ground


def turned(claim: str, source: str) -> str:
    return flip(read(claim, _stem, _STOPWORDS), read(source, _stem, _STOPWORDS))


OPPOSITES = [
    ("The committee did not accept the budget.", "The committee accepted the budget.", "negation"),
    ("The valve is safe.", "The valve is unsafe.", "negation"),
    ("Nobody reads the weekly report.", "Everybody reads the weekly report.", "negation"),
    ("The rent went up in June.", "The rent went down in June.", "opposite"),
    ("The rent increased in June.", "The rent decreased in June.", "opposite"),
    ("Call the office before the meeting.", "Call the office after the meeting.", "opposite"),
    ("At least nine people are needed here.", "At most nine people are needed here.", "opposite"),
    ("The bus runs from Ulm to Bonn.", "The bus runs from Bonn to Ulm.", "opposite"),
    ("Meyer sued Huber over the garden.", "Huber sued Meyer over the garden.", "roles"),
    ("Der Verein hat das Haus nicht verkauft.", "Der Verein hat das Haus verkauft.", "negation"),
    ("Die Miete stieg im Juni.", "Die Miete sank im Juni.", "opposite"),
    ("Le train ne part pas le lundi.", "Le train part le lundi.", "negation"),
    ("El tren no sale los lunes.", "El tren sale los lunes.", "negation"),
]
HONEST = [
    ("Sales rose while costs fell.", "Costs fell while sales rose."),
    ("The oak is older than the elm.", "The elm is younger than the oak."),
    ("The church was built before the mill.", "The mill was built after the church."),
    ("The plan, which was not popular, passed in May.", "The plan passed in May."),
    ("Not only the floor but also the ceiling was painted.", "The floor and the ceiling were painted."),
    ("Tom and Mary run the shop.", "Mary and Tom run the shop."),
    ("The ship sailed to Oslo from Kiel.", "The ship sailed from Kiel to Oslo."),
    ("There are no deliveries on Sundays.", "Deliveries are not made on Sundays."),
    ("The firm bought the mill from the town.", "The town sold the mill to the firm."),
    ("He was upgraded to No. 4 on the list.", "He was upgraded to number 4 on the list."),
    ("The office in Lincoln, NE, opened in May.", "The office in Lincoln opened in May."),
    ("Le conseil n'a jamais voté le budget.", "Le budget n'a jamais été voté par le conseil."),
]


@pytest.mark.parametrize(("source", "claim", "what"), OPPOSITES)
def test_what_is_turned_round_is_seen_in_both_directions(source: str, claim: str, what: str) -> None:
    assert turned(claim, source) == what
    assert turned(source, claim) == what


@pytest.mark.parametrize(("source", "claim"), HONEST)
def test_an_honest_paraphrase_is_no_opposite(source: str, claim: str) -> None:
    assert turned(claim, source) == ""


def test_a_claim_that_is_turned_round_is_not_supported_and_says_what_it_was_seen_by() -> None:
    context = "The fee was raised in March. The fund did not grow in 2020. Members may vote by post."
    (found,) = ground("The fund did grow in 2020.", context).claims
    assert (found.support, found.missing) == ("unsupported", ("negation",))
    assert ground("The fund did not grow in 2020.", context).passed


def test_one_sentence_that_says_it_is_enough_where_another_says_the_opposite() -> None:
    context = "In 2019 the tram to Linz ran every day. In 2020 the tram to Linz did not run every day."
    assert ground("The tram to Linz ran every day.", context).claims[0].support == "supported"


def test_of_the_sentences_written_for_it_most_flips_are_seen_and_hardly_a_paraphrase() -> None:
    """The half that it was made with; the other half is reported by the benchmark."""
    from bench.guard_grounding import half_of

    rows = [json.loads(line) for line in (Path(__file__).parents[1] / "data/flips.jsonl").read_text().splitlines()]
    mine = [row for row in rows if half_of(row["id"]) == "development"]
    assert len(rows) == 210
    seen = [bool(turned(row["flipped"], row["context"])) for row in mine]
    mistaken = [bool(turned(row["honest"], row["context"])) for row in mine]
    assert sum(seen) >= 0.9 * len(mine)
    assert sum(mistaken) <= 0.02 * len(mine)


@given(st.text(max_size=300), st.text(max_size=300))
@settings(max_examples=200)
def test_any_two_texts_can_be_compared_and_none_is_its_own_opposite(a: str, b: str) -> None:
    assert turned(a, b) in ("", "negation", "opposite", "roles")
    assert turned(a, a) == ""


@given(st.lists(st.sampled_from([row[0] for row in OPPOSITES + HONEST]), min_size=1, max_size=3))  # type: ignore[operator]
def test_a_text_beside_itself_is_supported(said: list[str]) -> None:
    text = " ".join(said)
    assert all(claim.support == "supported" for claim in ground(text, text).claims)


@pytest.mark.parametrize("unit", ["not x ", "more less ", "not, ", "before after ", "unsafe safe no "])
def test_the_work_is_bounded_however_the_sentence_is_made(unit: str) -> None:
    """A thousandfold sentence costs no more than the part of it that is read: no square of its length."""
    long = read(unit * 50_000, _stem, _STOPWORDS)
    assert len(long.clauses) <= 12
    assert all(len(poles) <= 12 for poles in long.scales.values())
    assert len(long.order) <= 1_000
    flip(long, read(unit * 40_000, _stem, _STOPWORDS))


def test_words_in_any_order_do_not_break_it() -> None:
    rng = random.Random(7)
    words = [word for row in OPPOSITES for word in (row[0] + " " + row[1]).split()]
    for _ in range(300):
        turned(" ".join(rng.sample(words, 12)), " ".join(rng.sample(words, 12)))
