"""What answers say, whatever they are wrapped in."""

import json
import string
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.score.normal import (
    NO_JSON,
    Answer,
    answer_of,
    choice,
    code,
    json_of,
    label,
    overlap,
    plain,
    said_last,
    same_json,
)
from demitasse.score.quantity import number, numbers_in, same_number

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def body(**message: object) -> bytes:
    return json.dumps({"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}).encode()


class TestReading:
    def test_a_chat_answer_is_its_text_and_its_end(self):
        assert answer_of(body(role="assistant", content="Hi")) == Answer("Hi", finish="stop")

    def test_parts_are_joined(self):
        told = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "x"}, {"type": "text", "text": "b"}]
        assert answer_of(body(content=told)).text == "ab"

    def test_tool_calls_old_and_new_are_names_with_arguments(self):
        call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
        assert answer_of(body(content=None, tool_calls=[call])).tool_calls == (("f", '{"a":1}'),)
        assert answer_of(body(function_call={"name": "g", "arguments": {"b": 2}})).tool_calls == (("g", '{"b":2}'),)

    def test_logprobs_of_both_dialects(self):
        chat = {"choices": [{"message": {"content": "x"}, "logprobs": {"content": [{"token": "x", "logprob": -0.5}]}}]}
        old = {"choices": [{"text": "x", "logprobs": {"token_logprobs": [None, -0.25]}}]}
        assert answer_of(json.dumps(chat).encode()).logprobs == (-0.5,)
        assert answer_of(json.dumps(old).encode()) == Answer("x", logprobs=(-0.25,))

    def test_an_answer_without_choices_is_empty_and_no_json_is_an_error(self):
        assert answer_of(b"{}") == Answer()
        with pytest.raises(ValueError, match="no body of an answer"):
            answer_of(b"<html>")


class TestPlain:
    @pytest.mark.parametrize(
        ("written", "said"),
        [
            ("**Paris**.", "paris"),
            ("The  capital is\nParis!", "capital is paris"),
            ("## Answer\n> yes", "answer yes"),
            ("$\\boxed{\\text{Evelyn}}$", "evelyn"),
            ("\\frac{\\sqrt{2}}{3}", "(\\sqrt{2})/3"),
            ("snake_case and 2*3", "snake_case and 2*3"),
            ("-5", "-5"),
            ("“Hi”", "hi"),
            ("A", "a"),
            ("C++.", "c++"),
        ],
    )
    def test_dress_is_taken_off_and_signs_stay(self, written, said):
        assert plain(written) == said

    @given(st.text(max_size=60))
    def test_what_is_plain_stays_so(self, text):
        once = plain(text)
        assert plain(once).split() == once.split() or plain(plain(once)) == plain(once)

    @given(st.lists(st.sampled_from(["red", "blue", "7", "-3", "x"]), min_size=1, max_size=6))
    def test_case_spacing_and_emphasis_say_nothing(self, words):
        assert plain("  **" + "   ".join(words).upper() + "**. ") == plain(" ".join(words))


class TestNumber:
    @pytest.mark.parametrize(
        ("written", "value", "unit"),
        [
            ("18", 18, ""),
            ("$1,234.50", Fraction(2469, 2), "usd"),
            ("1.234,5 €", Fraction(2469, 2), "eur"),
            ("-3/4", Fraction(-3, 4), ""),
            ("3 1/2", Fraction(7, 2), ""),
            ("\\dfrac{1}{2}", Fraction(1, 2), ""),
            ("50 %", 50, "%"),
            ("2 x 10^{-4}", Fraction(1, 5000), ""),
            ("1.5e3 km", 1500, "km"),
            ("1.2 million", 1_200_000, ""),
            ("seven apples", 7, "apple"),
            ("about 12 miles per hour", 12, "mph"),
            ("−5", -5, ""),
            ("6th", 6, ""),
        ],
    )
    def test_a_quantity_is_read(self, written, value, unit):
        found = number(written)
        assert found is not None
        assert (found.value, found.unit) == (value, unit)

    @pytest.mark.parametrize(
        "written", ["", "x + 1", "2n", "3 pi", "1,5", "(1, 2)", "3 and 4", "5 dozen", "two thirds", "I have 5", "5'"]
    )
    def test_what_is_no_one_number_is_none(self, written):
        assert number(written) is None

    @given(st.integers(-(10**12), 10**12))
    def test_thousands_separators_and_currency_change_nothing(self, n):
        for written in (f"{n:,}", f"{n:_}", f"{n}.0", f"{n:,} dollars"):
            found = number(written)
            assert found is not None
            assert found.value == n

    @given(st.fractions(max_denominator=1000), st.fractions(max_denominator=1000))
    def test_exact_numbers_are_the_same_only_if_they_are(self, a, b):
        left, right = number(f"{a.numerator}/{a.denominator}"), number(f"{b.numerator}/{b.denominator}")
        assert left is not None
        assert right is not None
        assert same_number(left, right) is (abs(a - b) <= Fraction(1, 10**6) * max(abs(a), abs(b)))

    @pytest.mark.parametrize(
        ("a", "b", "same"),
        [
            ("50%", "0.5", True),
            ("50%", "50", True),
            ("50%", "5", False),
            ("3.33", "3.3333", True),
            ("3.3", "3.3333", False),
            ("3", "3.4", False),
            ("$18", "18", True),
            ("18", "20 dollars", False),
            ("1.5 hours", "90", None),
            ("5 km", "5 miles", None),
            ("5 km", "5000 m", None),
        ],
    )
    def test_units_rounding_and_percent(self, a, b, same):
        left, right = number(a), number(b)
        assert left is not None
        assert right is not None
        assert same_number(left, right) is same
        assert same_number(right, left) is same

    def test_numbers_within_prose_are_found_in_their_order(self):
        assert [n.value for n in numbers_in("It was 3, then 1,200; now -4.5%.")] == [3, 1200, Fraction(-9, 2)]


class TestResult:
    @pytest.mark.parametrize(
        ("written", "result"),
        [
            ("6 * 3 = 18\n#### 18", "18"),
            ("So **the answer is 18**.", "18"),
            ("Answer: 3.5 km. Good luck", "3.5 km"),
            ("we get \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
            ("The answer is 5. No: the answer is 6.", "6"),
            ("nothing of the kind", None),
        ],
    )
    def test_what_an_answer_marks_as_its_result(self, written, result):
        assert said_last(written) == result

    def test_a_list_after_the_mark_is_no_number(self):
        assert number(said_last("Answer:\n1. Open the lid\n2. Pour") or "") is None


class TestChoice:
    @pytest.mark.parametrize(
        "written",
        ["B", "b", "(B)", "B.", "**B**", "Option B", "Answer: B", "The answer is (B).", "[B]", "$\\boxed{B}$"],
    )
    def test_the_many_spellings_of_a_letter(self, written):
        assert choice(written) == "B"

    @pytest.mark.parametrize("written", ["B) Paris", "B. Paris, because", "(B) Paris"])
    def test_an_option_with_its_words_is_read_where_options_are_known(self, written):
        assert choice(written) is None
        assert choice(written, told=True) == "B"

    @pytest.mark.parametrize(
        "written", ["A dog", "I think so", "the answer is a dog", "C. elegans is a worm", "Plan B is good", "42"]
    )
    def test_prose_picks_nothing(self, written):
        assert choice(written) is None

    def test_a_list_of_all_options_picks_nothing(self):
        assert choice("A. red\nB. blue", told=True) is None


class TestLabel:
    labels = ("positive", "negative", "very positive")

    @pytest.mark.parametrize("written", ["Positive", "**positive**.", "The sentiment is positive.", "Label: positive"])
    def test_one_label_is_found(self, written):
        assert label(written, self.labels) == "positive"

    @pytest.mark.parametrize("written", ["positive or negative", "not positive", "", "meh"])
    def test_none_several_or_denied_is_none(self, written):
        assert label(written, self.labels) is None

    def test_the_longest_of_nested_labels_speaks(self):
        assert label("It is very positive", self.labels) == "very positive"


class TestJson:
    @given(values)
    def test_writing_a_value_another_way_does_not_change_it(self, value):
        spaced = json.loads(json.dumps(value, indent=3, sort_keys=True))
        assert same_json(value, spaced)

    @given(values, values)
    def test_equality_is_symmetric(self, a, b):
        assert same_json(a, b) == same_json(b, a)

    def test_types_and_array_order_matter(self):
        assert same_json({"a": 1, "b": [1.0]}, {"b": [1], "a": 1.0})
        assert not same_json([1, 2], [2, 1])
        assert not same_json(1, True)
        assert not same_json("1", 1)
        assert not same_json(None, False)

    def test_json_in_one_fence_counts_and_prose_does_not(self):
        assert json_of('```json\n{"a": 1}\n```') == {"a": 1}
        assert json_of('Here you are: {"a": 1}') is NO_JSON
        assert json_of("null") is NO_JSON

    def test_a_lenient_reader_takes_raw_line_breaks_and_latex(self):
        broken = 'Sure:\n```json\n{"a": "x\ny", "b": "\\(z\\)"}\n```'
        assert json_of(broken) is NO_JSON
        assert json_of(broken, lenient=True) == {"a": "x\ny", "b": "\\(z\\)"}


def test_code_is_compared_without_spare_lines():
    assert code("Look:\n```py\nx = 1  \n\ny = 2\n```\nDone") == code("```python\nx = 1\ny = 2\n```")
    assert code("no fence") is None


@given(
    st.text(alphabet=string.ascii_lowercase + " ", max_size=40),
    st.text(alphabet=string.ascii_lowercase + " ", max_size=40),
)
def test_overlap_is_symmetric_between_0_and_1_and_1_with_oneself(a, b):
    assert 0 <= overlap(a, b) <= 1
    assert overlap(a, b) == overlap(b, a)
    assert overlap(a, a) == 1
