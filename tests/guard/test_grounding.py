"""Grounding: what counts as a claim, what supports one, and that the length of an answer decides nothing."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demitasse.guard.grounding import ANSWERS_ALARM, FALSE_ALARM, allowance, ground, sentences

TOWER = """The Eiffel Tower was completed in 1889 and stands 330 metres tall in Paris. It was designed by the company of Gustave
Eiffel. It receives about 6 million visitors each year. Tickets cost 29.40 euros for adults, and children under 4 enter free.
The tower was painted in three shades. Its lifts travel a combined distance of 103,000 km every year."""
SUPPORTED = [
    "The tower is 330 metres tall.",
    "It was completed in 1889.",
    "Each year about six million visitors come.",
    "Adults pay 29.40 euros for tickets.",
    "Gustave Eiffel's company designed it.",
    "Its lifts travel 103000 km a year.",
]
NEUTRAL = [
    "Sure, here is the answer.",
    "I hope this helps!",
    "Do you want to know more?",
    "Let me know.",
    "# The tower",
    "Thanks.",
]
WRONG = "It was designed by Thomas Edison."


@pytest.mark.parametrize("claim", SUPPORTED)
def test_a_claim_that_stands_in_the_context_is_supported(claim: str) -> None:
    found = ground(claim, TOWER)
    assert [one.support for one in found.claims] == ["supported"]
    assert found.score == 1.0


@pytest.mark.parametrize(
    ("claim", "missing"),
    [
        ("The tower was completed in 1899.", ("number",)),
        (WRONG, ("name",)),
        ("Tickets cost 31.50 euros for adults.", ("number",)),
        ("Bananas are rich in potassium and grow in warm climates.", ()),
    ],
)
def test_a_claim_with_another_number_or_name_or_about_something_else_is_not(
    claim: str, missing: tuple[str, ...]
) -> None:
    (one,) = ground(claim, TOWER).claims
    assert one.support == "unsupported"
    assert one.missing == missing


def test_a_number_that_was_computed_can_not_be_told_from_here() -> None:
    (one,) = ground("Two adults pay a total of 58.80 euros for their tickets.", TOWER).claims
    assert one.support == "grey"


@pytest.mark.parametrize(
    "text", [*NEUTRAL, "", " ", "OK.", "- ", "```\nx = 1900\nprint(x)\n```", "The context does not say."]
)
def test_what_claims_nothing_is_no_claim(text: str) -> None:
    found = ground(text, TOWER)
    assert found.claims == ()
    assert found.score is None
    assert found.passed


def test_accents_endings_and_ways_to_write_a_number_make_no_difference() -> None:
    context = "Rıza Maksut İşman lived in İzmir, and an Arabic school there had 12,500 pupils in twelve houses."
    assert ground("Riza Maksut Isman lived in Izmir.", context).passed
    assert ground("The Arab school had 12500 pupils in 12 houses.", context).passed


def test_a_claim_says_where_it_stands_in_the_answer() -> None:
    answer = f"Sure!\n\n1. {SUPPORTED[0]} {WRONG}\n- {SUPPORTED[1]}"
    assert [answer[one.start : one.end] for one in ground(answer, TOWER).claims] == [SUPPORTED[0], WRONG, SUPPORTED[1]]


MIXED = [*SUPPORTED[:2], WRONG]


@given(st.permutations(NEUTRAL * 3), st.integers(0, 18))
@settings(max_examples=50)
def test_sentences_that_claim_nothing_change_nothing_however_many(neutral: list[str], count: int) -> None:
    for claims in (SUPPORTED, MIXED, [WRONG]):
        bare = ground(" ".join(claims), TOWER)
        padded = ground("\n".join([*neutral[:count], *claims, *neutral[count:]]), TOWER)
        assert padded.score == bare.score
        assert padded.passed == bare.passed


@given(st.lists(st.sampled_from(MIXED), max_size=40))
@settings(max_examples=50)
def test_saying_the_same_again_changes_nothing(again: list[str]) -> None:
    assert ground(" ".join([*MIXED, *again]), TOWER).score == ground(" ".join(MIXED), TOWER).score


@given(st.permutations(SUPPORTED), st.integers(1, len(SUPPORTED)))
@settings(max_examples=50)
def test_more_supported_claims_never_make_an_answer_worse(claims: list[str], count: int) -> None:
    found = ground(" ".join(claims[:count]), TOWER)
    assert found.score == 1.0
    assert found.passed
    mixed = ground(" ".join([WRONG, *claims[:count]]), TOWER)
    assert mixed.score == pytest.approx(count / (count + 1))
    assert mixed.passed is (allowance(count + 1) > 0)


def test_a_grounded_answer_fails_with_a_bounded_chance_at_every_length() -> None:
    """Exactly, not by simulation: the binomial tail beyond the allowance."""
    for n in range(1, 401):
        allowed = allowance(n)
        within = sum(math.comb(n, k) * FALSE_ALARM**k * (1 - FALSE_ALARM) ** (n - k) for k in range(allowed + 1))
        assert 1 - within <= ANSWERS_ALARM + 1e-9
        if allowed:  # and it is the smallest allowance that does so
            fewer = within - math.comb(n, allowed) * FALSE_ALARM**allowed * (1 - FALSE_ALARM) ** (n - allowed)
            assert 1 - fewer > ANSWERS_ALARM - 1e-9


def test_short_answers_have_no_allowance() -> None:
    assert [allowance(n) for n in (1, 2, 3)] == [0, 0, 0]


@given(st.text(max_size=300))
@settings(max_examples=200)
def test_sentences_lie_in_order_within_the_text(text: str) -> None:
    spans = list(sentences(text))
    assert all(0 <= a < b <= len(text) for a, b in spans)
    assert all(spans[i][1] <= spans[i + 1][0] for i in range(len(spans) - 1))
    assert all(text[a:b].strip() for a, b in spans)


@given(st.text(max_size=400), st.text(max_size=400))
@settings(max_examples=200)
def test_any_two_texts_can_be_held_against_each_other(answer: str, context: str) -> None:
    found = ground(answer, context)
    assert found.score is None or 0.0 <= found.score <= 1.0


def test_a_word_in_every_sentence_of_a_long_context_is_looked_up_but_so_often() -> None:
    """Otherwise the work would grow with the square of the length."""
    from demitasse.guard.grounding import _MOST_PLACES, _Known

    rng = random.Random(7)
    context = " ".join(f"The tower number {rng.randrange(10**6)} is tall." for _ in range(3000))
    assert max(map(len, _Known(context, {"tower", "tall"}).places.values())) == _MOST_PLACES


def test_the_pages_example_runs_and_says_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    import re
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs/answers.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out.strip() in code
