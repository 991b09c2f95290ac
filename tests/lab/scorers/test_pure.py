"""Pure scorers: right, wrong, and why nothing could be read; bare and in the envelope; never an error, whatever is said."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.lab.scorers.reading import said
from demitasse.lab.scorers.registry import make, pure
from demitasse.lab.scorers.scorer import Unscorable
from demitasse.lab.tasks.task import Sample, Task
from demitasse.score.normal import Answer

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
}
TASKS = {
    "exact": Task("t", (Sample("q", "?", ("Paris",)),)),
    "exact:strict": Task("t", (Sample("q", "?", ("Paris",)),), scorer="exact:strict"),
    "includes": Task("t", (Sample("q", "?", ("Paris",)),), scorer="includes"),
    "numeric": Task("t", (Sample("q", "?", ("18",)),), form="number"),
    "choice": Task("t", (Sample("q", "?", ("B",), choices=("Rome", "Paris", "Bonn")),), form="choice"),
    "label": Task("t", (Sample("q", "?", ("up",)),), form="label", labels=("up", "down", "no change")),
    "json": Task("t", (Sample("q", "?", ('{"name": "Ann", "age": 30}',)),), form="json", schema=PERSON),
}
RIGHT = {
    "exact": "**paris**.", "exact:strict": " Paris\n", "includes": "It is Paris, I think.", "numeric": "#### 18", "choice": "(B)",
    "label": "Up.", "json": '```json\n{"age": 30, "name": "Ann", "more": 1}\n```',
}  # fmt: skip
WRONG = {
    "exact": "Rome", "exact:strict": "paris", "includes": "Rome", "numeric": "17", "choice": "C", "label": "no change",
    "json": '{"name": "Bob", "age": 30}',
}  # fmt: skip
MISSED = {
    "numeric": "many", "choice": "A, B and C", "label": "sideways", "json": "Ann is 30.",
}  # fmt: skip


def score(name, answer):
    task = TASKS[name]
    return pure(task)(task.samples[0], answer if isinstance(answer, Answer) else Answer(answer))


@pytest.mark.parametrize("name", TASKS)
class TestEach:
    def test_right_is_one_and_wrong_is_zero_without_a_failure(self, name):
        assert (score(name, RIGHT[name]).value, score(name, RIGHT[name]).failure) == (1.0, "")
        assert (score(name, WRONG[name]).value, score(name, WRONG[name]).failure) == (0.0, "")

    def test_silence_a_refusal_and_a_filter_are_told_apart(self, name):
        assert score(name, "").failure == score(name, " \n").failure == "empty"
        assert score(name, "<think>so much to think").failure == "empty"
        assert score(name, "I'm sorry, but I can't help with that.").failure == "refused"
        assert score(name, Answer("", refusal="No.")).failure == "refused"
        assert score(name, Answer("", finish="content_filter")).failure == "refused"

    def test_an_answer_that_was_cut_off_before_it_said_anything_is_cut(self, name):
        cut = score(name, Answer("Let us think about this step by", finish="length"))
        assert (cut.value, cut.failure) == (0.0, "cut")

    def test_thoughts_are_not_the_answer(self, name):
        thought = f"<think>{WRONG[name]}? Or {RIGHT[name]}?</think>\n"
        assert score(name, thought + RIGHT[name]).value == 1.0
        assert score(name, thought + WRONG[name]).value == 0.0

    @given(text=st.text(max_size=60) | st.text("ABC#{}[]\"':.,-/\\$ \n019eor<think>", max_size=80))
    def test_no_string_is_an_error_and_every_score_is_zero_or_one(self, name, text):
        for finish in (None, "length"):
            found = score(name, Answer(text, finish=finish))
            assert found.value in {0.0, 1.0}
            assert not (found.failure and found.value)

    async def test_the_scorer_is_the_plain_function_under_the_tasks_name_for_it(self, name):
        scorer = make(TASKS[name], ask=None)
        assert scorer.name == name
        sample = TASKS[name].samples[0]
        assert await scorer(sample, Answer(RIGHT[name])) == score(name, RIGHT[name])


@pytest.mark.parametrize("name", MISSED)
def test_an_answer_outside_its_form_is_a_failure_of_format_and_not_a_wrong_one(name):
    found = score(name, MISSED[name])
    assert (found.value, found.failure) == (0.0, "format")
    assert found.why


@pytest.mark.parametrize("name", ["exact", "exact:strict", "includes", "numeric", "choice", "label"])
def test_a_constrained_answer_is_read_out_of_its_envelope(name):
    bare = {"numeric": 18, "choice": "B", "label": "up"}.get(name, "Paris")
    assert score(name, json.dumps({"answer": bare})).value == 1.0
    assert score(name, json.dumps({"answer": WRONG[name]})).value == 0.0
    assert score(name, json.dumps({"reasoning": f"{WRONG[name]}? No.", "answer": bare})).value == 1.0
    assert score(name, Answer('{"answer": ', finish="length")).failure == "cut"


def test_a_label_in_a_sentence_that_was_cut_off_does_not_count():
    assert score("label", Answer("The headline says up 3 %, but", finish="length")).failure == "cut"
    assert score("label", Answer("The price goes up. The reason is that down", finish="length")).value == 1.0
    assert score("label", Answer("up", finish="length")).value == 1.0


@given(st.text())
def test_what_is_in_the_envelope_comes_out_as_it_went_in(text):
    assert said(Answer(json.dumps({"answer": text}))) == text


def test_a_nest_of_brackets_too_deep_to_read_is_a_failure_of_format():
    for text in ("[" * 100_000, '{"answer":' * 50_000, '{"a":' * 900 + "1" + "}" * 900):
        assert score("json", text).failure == "format"
        assert score("choice", text).failure == "format"


def test_long_answers_are_read_in_time_that_grows_with_them_and_not_faster():
    """Would run for minutes, and meet the time limit of all tests, if a pattern tried every split."""
    for piece in (
        "A or B, ",
        "not not ",
        "(((((",
        "#### ",
        "answer is ",
        "1 1/2 ",
        "is not A and ",
        "\\frac{",
        "B is very ",
        "{{{{",
        '"answer"',
    ):
        for name in TASKS:
            score(name, piece * 5_000)


class TestJson:
    def test_a_value_that_breaks_the_schema_is_a_failure_of_format_that_says_where(self):
        found = score("json", '{"name": "Ann", "age": -1}')
        assert found.failure == "format"
        assert "$.age" in found.why

    def test_words_around_it_are_a_failure_unless_lenient(self):
        wordy = 'Here it is:\n```json\n{"name": "Ann", "age": 30}\n```\nAnything else?'
        lenient = Task("t", TASKS["json"].samples, form="json", scorer="json:lenient", schema=PERSON)
        assert score("json", wordy).failure == "format"
        assert pure(lenient)(lenient.samples[0], Answer(wordy)).value == 1.0

    def test_partial_credit_is_the_share_of_fields_that_are_right(self):
        task = Task("t", TASKS["json"].samples, form="json", scorer="json:partial", schema=PERSON)
        found = pure(task)(task.samples[0], Answer('{"name": "Ann", "age": 31}'))
        assert (found.value, found.failure, found.why) == (0.5, "", "differs in age")

    def test_a_samples_own_schema_goes_before_the_tasks(self):
        sample = Sample("q", "?", metadata={"schema": {"type": "array"}})
        task = Task("t", (sample,), form="json", schema=PERSON)
        assert pure(task)(sample, Answer("[1]")).value == 1.0
        assert pure(task)(sample, Answer('{"name": "Ann", "age": 30}')).failure == "format"

    def test_a_schema_that_leads_elsewhere_is_refused_before_anything_is_asked(self):
        for schema in (
            {"$ref": "https://example.com/schema.json"},
            {"items": {"$ref": "#/$defs/none"}},
            {"type": "thing"},
        ):
            with pytest.raises(Unscorable):
                pure(Task("t", TASKS["json"].samples, form="json", schema=schema))


class TestWhatATaskLacks:
    def test_is_said_with_the_samples_name(self):
        with pytest.raises(Unscorable, match=r"sample 'q'.* needs a target"):
            pure(Task("t", (Sample("q", "?"),)))
        with pytest.raises(Unscorable, match=r"sample 'q'.*one of the labels"):
            pure(Task("t", (Sample("q", "?", ("left",)),), form="label", labels=("up", "down")))
        with pytest.raises(Unscorable, match=r"sample 'q'.*letter of its 2 options"):
            pure(Task("t", (Sample("q", "?", ("C",), choices=("x", "y")),), form="choice"))
        with pytest.raises(Unscorable, match=r"sample 'q'.*target that is JSON"):
            pure(Task("t", (Sample("q", "?", ("{",)),), form="json"))

    def test_an_unknown_scorer_or_option_names_those_there_are(self):
        with pytest.raises(Unscorable, match=r"no scorer 'bleu'; there are exact, includes"):
            pure(Task("t", (Sample("q", "?", ("x",)),), scorer="bleu"))
        for scorer in ("exact:loose", "choice:x", "label:x", "json:x", "includes:x"):
            with pytest.raises(Unscorable):
                pure(Task("t", (Sample("q", "?", ("x",)),), labels=("x",), scorer=scorer))
