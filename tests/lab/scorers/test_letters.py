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


SAID = [
    "", "The answer is ", "Answer: ", "**Answer:** ", "Final answer: ", "So the answer is ", "I choose ", "It must be ", "Therefore, ",
    "The correct option is ", "I believe the answer is ", "My answer: ", "The best choice is ", "Correct answer: option ",
    "Let's think. The first is wrong.\n\nAnswer: ",
]  # fmt: skip
DRESS = [
    "L", "(L)", "**L**", "L.", "[L]", "\\boxed{L}", "'L'", "L)", "$L$", "**(L)**", "`L`", "\\textbf{L}", "\\text{L}", "(L) X", "L: X",
    "**L. X**", "L - X", "L (X)",
]  # fmt: skip
ENDS = ["", "\n", " because it is the capital.", "\n\nExplanation: the others are wrong.", ", since others are not."]
NAMES = ["L", "(L)", "**L**", "[L]", "'L'", "L)", "`L`", "(L) X", "option L", "Option L (X)"]
DENIED = [
    "The answer is not 1.", "not 1", "It's not 1", "I don't think it is 1.", "Neither 1 nor 2.", "1 is wrong.", "Rule out 1.", "1 or 2",
    "It could be 1 or 2.", "The answer is 1 or 2.", "Either 1 or 2", "I would eliminate 1 first.", "1 isn't right", "Both 1 and 2 are right.",
    "The answer can't be 1", "It is between 1 and 2.", "The options are 1 and 2", "1 is incorrect and so is 2.", "1, or 2?", "1/2",
    "I cannot decide between 1 and 2", "The answer could be 1, 2.", "I am not sure if it is 1.",
]  # fmt: skip
DECIDED = [
    "Not 1, but 2.", "1 is wrong, so the answer is 2.", "1 is incorrect. The answer: 2", "It is not 1. It must be 2.",
    "Rule out 1. That leaves 2.", "I thought 1, but the answer is 2.", "1 or 2? The answer is 2.", "Between 1 and 2, I choose 2.",
]  # fmt: skip


def written(name, letter):
    return name.replace("L", letter).replace("X", CITIES["ABCD".index(letter)])


@pytest.mark.parametrize("dress", DRESS)
def test_every_way_to_say_it_in_every_dress_and_with_every_end(dress):
    for start in SAID:
        for end in ENDS:
            for letter in "AC":
                said = f"{start}{written(dress, letter)}{end}"
                assert picked(said, CITIES) == letter, said


@pytest.mark.parametrize("name", NAMES)
def test_every_denial_and_hedge_picks_nothing_and_every_decision_after_one_is_read(name):
    one, two = written(name, "B"), written(name, "C")
    for said in DENIED:
        assert picked(said.replace("1", one).replace("2", two), CITIES) is None, said
    for said in DECIDED:
        assert picked(said.replace("1", one).replace("2", two), CITIES) == "C", said
