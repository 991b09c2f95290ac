"""Marks of a draft: what can be said of it before anyone sees it."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.score.asked import NOTHING, Asked
from demitasse.score.draft import FAULTS, MARKS, faults, fits, marks, refuses
from demitasse.score.normal import Answer


def said(text: str, **more: object) -> Answer:
    return Answer(text, finish="stop", **more)  # type: ignore[arg-type]


def mark(name: str, *args: object, **more: object) -> float:
    return dict(zip(MARKS, marks(*args, **more), strict=True))[name]  # type: ignore[arg-type]


texts = st.text(max_size=200)


@given(texts, st.none() | texts, st.lists(st.floats(-30, 0), max_size=5))
def test_marks_are_finite_and_of_order_one_for_any_texts(draft, second, logprobs):
    vector = marks(
        NOTHING, said(draft, logprobs=tuple(logprobs)), None if second is None else said(second), [said(draft)]
    )
    assert len(vector) == len(MARKS)
    assert all(math.isfinite(x) and -1 <= x <= 2 for x in vector)


class TestFaults:
    def test_a_whole_answer_has_none(self):
        assert faults(NOTHING, said("Paris.")) == ()
        assert faults(NOTHING, Answer(tool_calls=(), text="Paris")) == ()

    @pytest.mark.parametrize(
        ("asked", "draft", "fault"),
        [
            (NOTHING, said("  "), "empty"),
            (NOTHING, Answer("Once upon", finish="length"), "unfinished"),
            (NOTHING, Answer("x", finish="content_filter"), "filtered"),
            (NOTHING, said("Sure<|im_end|>\n<|im_start|>user"), "leaked"),
            (NOTHING, said("</s> [INST] go on"), "leaked"),
            (Asked(json=True), said("a is 1"), "no_json"),
            (Asked(json=True, schema={"type": "object", "required": ["a"]}), said('{"b": 1}'), "not_the_schema"),
            (Asked(tools=("f",), must_call=True), said("I would call f"), "no_tool_call"),
            (Asked(tools=("f",)), Answer(tool_calls=(("g", "{}"),), finish="tool_calls"), "unknown_tool"),
            (Asked(tools=("f",)), Answer(tool_calls=(("f", '{"x": '),), finish="tool_calls"), "bad_arguments"),
            (Asked(number=True), said("quite a few"), "no_answer"),
            (Asked(choice=True), said("maybe"), "no_answer"),
            (Asked(labels=("up", "down")), said("sideways"), "no_answer"),
        ],
    )
    def test_each_fault_is_named(self, asked, draft, fault):
        assert faults(asked, draft) == (fault,)
        assert fault in FAULTS
        assert mark("sound", asked, draft) == 0

    def test_a_tool_call_need_not_be_json_text_as_well(self):
        call = Answer(tool_calls=(("f", '{"x": 1}'),), finish="tool_calls")
        assert faults(Asked(json=True, tools=("f",)), call) == ()


SCHEMA = {
    "type": "object",
    "required": ["name", "age"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "age": {"type": ["integer", "null"]},
        "kind": {"enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
        "size": {"anyOf": [{"type": "number"}, {"const": "unknown"}]},
    },
    "$defs": {"tag": {"type": "string"}},
}


class TestSchema:
    @pytest.mark.parametrize(
        "value",
        [
            {"name": "x", "age": 3},
            {"name": "x", "age": 3.0},
            {"name": "x", "age": None, "kind": "a", "tags": ["t"], "size": 1.5},
            {"name": "x", "age": 1, "size": "unknown"},
        ],
    )
    def test_what_fits(self, value):
        assert fits(value, SCHEMA)

    @pytest.mark.parametrize(
        "value",
        [
            [],
            {"name": "x"},
            {"name": 1, "age": 1},
            {"name": "x", "age": True},
            {"name": "x", "age": 1.5},
            {"name": "x", "age": 1, "kind": "c"},
            {"name": "x", "age": 1, "tags": [1]},
            {"name": "x", "age": 1, "size": "big"},
            {"name": "x", "age": 1, "more": 1},
        ],
    )
    def test_what_does_not(self, value):
        assert not fits(value, SCHEMA)

    def test_a_schema_that_holds_itself_ends(self):
        loop = {"anyOf": [{"$ref": "#"}]}
        assert fits({"a": 1}, loop)
        assert fits(1, {"$ref": "https://elsewhere.example/schema"})


class TestContent:
    def test_refusals_are_short_or_marked(self):
        assert refuses(said("I'm sorry, but I can't help with that."))
        assert refuses(said("", refusal="No"))
        assert not refuses(said("Sorry is a board game."))
        assert not refuses(said("I cannot recommend it enough: " + "it is great. " * 60))

    def test_confidence_is_read_from_log_probabilities(self):
        sure, unsure = said("x", logprobs=(-0.01, -0.02)), said("x", logprobs=(-0.01, -3.0))
        assert mark("logprob", NOTHING, sure) > mark("logprob", NOTHING, unsure)
        assert mark("logprob_low", NOTHING, unsure) == 0.5
        assert mark("logprob_known", NOTHING, said("x")) == 0

    def test_a_loop_repeats_itself(self):
        assert mark("repeats", NOTHING, said("and so it goes on and on " * 20)) > 0.8
        assert mark("repeats", NOTHING, said("Each of these words is said once only here.")) == 0

    def test_a_marked_result_is_seen(self):
        assert mark("marked", NOTHING, said("… so the answer is 5.")) == 1
        assert mark("marked", NOTHING, said("Well, it depends.")) == 0


class TestSecond:
    def test_two_answers_that_say_the_same_agree_however_they_say_it(self):
        draft, second = said("3 * 6 = 18, so the answer is 18."), said("#### 18")
        assert mark("agrees", NOTHING, draft, second) == 1
        assert mark("differs", NOTHING, draft, second) == 0
        assert mark("second_known", NOTHING, draft, second) == 1

    def test_other_results_differ_and_prose_does_neither(self):
        assert mark("differs", NOTHING, said("18"), said("20")) == 1
        prose = said("The sea is blue and wide"), said("The sea is wide, and green")
        assert mark("agrees", NOTHING, *prose) == mark("differs", NOTHING, *prose) == 0
        assert 0 < mark("overlap", NOTHING, *prose) < 1

    def test_what_was_asked_says_how_to_compare(self):
        assert mark("agrees", Asked(labels=("up", "down")), said("It goes up."), said("Up")) == 1
        assert mark("agrees", Asked(json=True), said('{"a": 1}'), said('{"a":1.0}')) == 1

    def test_samples_vote_on_the_draft(self):
        samples = [said("18"), said("18.0"), said("20")]
        assert mark("samples", NOTHING, said("18"), samples=samples) == pytest.approx(2 / 3)
        assert mark("samples_known", NOTHING, said("18")) == 0


def test_tool_calls_are_compared_as_calls():
    a = Answer(tool_calls=(("f", json.dumps({"x": 1, "y": 2})),), finish="tool_calls")
    b = Answer(tool_calls=(("f", json.dumps({"y": 2, "x": 1})),), finish="tool_calls")
    assert mark("agrees", Asked(tools=("f",)), a, b) == 1
