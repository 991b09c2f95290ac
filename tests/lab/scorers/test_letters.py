"""Which option an answer picks, however it says so, and when it picks none."""

import pytest

from demitasse.lab.scorers.letters import picked

CITIES = ("Paris", "London", "Rome", "Berlin")


@pytest.mark.parametrize(
    ("said", "letter"),
    [
        ("B", "B"), ("(b)", "B"), ("'B'", "B"), ("Ｂ", "B"), ("**D**", "D"), ("```\nB\n```", "B"),
        ("The answer is (C).", "C"), ("Answer: **C**", "C"), ("### Answer\nB", "B"), ("Final answer: C", "C"),
        ("\\boxed{B}", "B"), ("$\\boxed{\\text{(C)}}$", "C"), ("The answer is: $\\textbf{(D)}$", "D"),
        ("B. Paris", "B"), ("C: Rome", "C"), ("A. Paris is the capital", "A"), ("Answer: C) Rome", "C"),
        ("The correct option is **B) London**", "B"), ("Correct answer: Rome (C)", "C"),
        ("I think the answer is probably C", "C"), ("I would go with option D because it is big", "D"),
        ("Let's see. A is wrong because of X. B is not right either. So it must be C.", "C"),
        ("Option A is incorrect. Option B is incorrect. C is correct.", "C"),
        ("Eliminate A and B. The answer is D.", "D"), ("Not B, but C", "C"), ("Answer: A\n\nExplanation: B is wrong.", "A"),
        ("A) Paris: no. B) London: no. C) Rome: yes. D) Berlin: no. Answer: C", "C"),
        ("Paris", "A"), ("the capital is Rome.", "C"), ("The answer is Rome", "C"), ("Not Paris, but Rome.", "C"),
    ],
)  # fmt: skip
def test_the_letter_is_read_from_every_dress_and_from_the_options_words(said, letter):
    assert picked(said, CITIES) == letter


@pytest.mark.parametrize(
    "said",
    [
        "not B", "The answer is not B.", "I would not choose option B.", "It is not Paris", "A is wrong.",
        "A or B", "It is either A or B", "The answer is B or C", "The answer is B, or maybe C", "Both A and C are right",
        "A, B, C and D", "A) Paris B) London C) Rome D) Berlin", "A. Paris\nB. London\nC. Rome\nD. Berlin",
        "Paris or London", "E", "The answer is E", "Tokyo", "I don't know.", "", "🙂",
    ],
)  # fmt: skip
def test_an_answer_that_denies_hedges_lists_or_leaves_the_options_picks_nothing(said):
    assert picked(said, CITIES) is None


def test_a_letter_counts_without_options_and_beyond_ten_of_them():
    assert picked("The answer is (D).", ()) == "D"
    thirteen = tuple(f"option number {i}" for i in range(13))
    assert picked("(M)", thirteen) == "M"
    assert picked("N", thirteen) is None


def test_options_that_contain_each_other_are_told_apart_by_the_longest():
    assert picked("very hot", ("hot", "very hot", "cold")) == "B"
    assert picked("It is hot.", ("hot", "very hot", "cold")) == "A"
