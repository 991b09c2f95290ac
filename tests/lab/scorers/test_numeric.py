"""Which number an answer gives."""

from fractions import Fraction

import pytest

from demitasse.lab.scorers.numeric import read_number
from demitasse.lab.scorers.registry import pure
from demitasse.lab.scorers.scorer import Unscorable
from demitasse.lab.tasks.task import Sample, Task
from demitasse.score.normal import Answer


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("18", 18), ("eighteen", 18), ("١٢", 12), ("-7", -7), ("−7", -7), ("7.0", 7), ("1e3", 1000), ("½", Fraction(1, 2)),
        ("#### 1,234", 1234), ("$1,234.50", Fraction("1234.5")), ("50%", 50), ("He pays $18.", 18), ("3 * 6 = **18**", 18),
        ("\\boxed{\\frac{3}{4}}", Fraction(3, 4)), ("x = 12\n$$\\boxed{12}$$", 12), ("**Answer: 18**", 18),
        ("She has 5 and 6 so 5+6=11 eggs. The answer is 11 eggs.", 11), ("The answer is 3 * 6 = 18 dollars", 18),
        ("answer: 18 dollars for 3 ducks", 18), ("Janet makes 9 * 2 = $<<9*2=18>>18 every day.\n#### 18", 18),
        ("It takes 1 1/2 hours, all told", Fraction(3, 2)), ("So 2 + 2 = 4.\n\n", 4), ("It starts at 2:00 pm", 2), ("5 + 6 is 11 eggs", 11), ("The final answer is $70,000.", 70000),
    ],
)  # fmt: skip
def test_the_number_is_read_however_it_is_written(said, value):
    found = read_number(said)
    assert found is not None and found.value == value


@pytest.mark.parametrize(
    "said",
    [
        "The answer is 5 or 7",
        "The answer is not 5.",
        "-4, 1",
        "4√2 + 8",
        "\\boxed{9\\sqrt{2}}",
        "x = 2 + sqrt(3)",
        "(1, 2)",
        "no idea",
        "",
        "1/0",
        "NaN",
        "∞",
    ],
)
def test_an_answer_without_one_number_gives_none(said):
    assert read_number(said) is None


def test_what_stands_in_an_envelope_is_the_result_wherever_the_envelope_is():
    for said in (
        'Let me see: 3 + 4.\n{"answer": "7"}\nThe steps are:\n1. add',
        '{"reasoning": "\n raw break", "answer": 7}',
        '```json\n{"answer": "$7"}\n```',
    ):
        assert scored("numeric", said, "7").value == 1
    assert scored("numeric", '{"reasoning": "7", "answer": "Cannot be determined"}', "7").failure == "format"
    assert scored("numeric", '{"answer": "3 * 4 = 12"}', "12").value == 1


def test_of_an_answer_that_was_cut_off_only_a_finished_result_counts():
    assert read_number("6 * 3 = 18 and then we add", cut=True) is None
    assert read_number("#### 1", cut=True) is None  # perhaps 18
    assert read_number("#### 18\nLet me explain", cut=True).value == 18


def scored(scorer, said, target):
    sample = Sample("q", "?", target=(target,))
    return pure(Task("t", (sample,), form="number", scorer=scorer))(sample, Answer(said))


def test_tolerance_is_a_share_of_the_target_and_none_asks_for_the_number_itself():
    assert scored("numeric", "101", "100").value == 0
    assert scored("numeric", "1000001", "1000000").value == 0
    assert scored("numeric:0.01", "101", "100").value == 1
    assert scored("numeric:0.01", "102", "100").value == 0
    assert scored("numeric", "0.33", "1/3").value == 1  # as far as it is written
    assert scored("numeric", "$180", "18").value == 0


def test_an_option_that_is_no_share_is_refused():
    for wrong in ("numeric:many", "numeric:-1", "numeric:7"):
        with pytest.raises(Unscorable, match="tolerance"):
            scored(wrong, "1", "1")
