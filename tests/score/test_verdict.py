"""Two answers held against each other: what is decided, and what is left to a judge."""

import json
import random
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.score.normal import Answer
from demitasse.score.verdict import METHODS, agreement, compare


def score(ours: str, theirs: str, how: str = "auto", **more: object) -> float | None:
    return compare(Answer(ours), Answer(theirs), how, **more).score  # type: ignore[arg-type]


def calling(*calls: tuple[str, object]) -> Answer:
    return Answer(tool_calls=tuple((name, json.dumps(args)) for name, args in calls), finish="tool_calls")


answers = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["A", "(b)", "18", "$18", "50%", "0.5", "yes", "No.", '{"a": 1}', "```json\n[1]\n```", "#### 7", "C. elegans"]
    ),
)


@given(answers.filter(str.strip))
def test_an_answer_is_as_good_as_itself(text):
    assert score(text, text) == 1
    assert score(text, f"  {text}\n") == 1


@given(answers, answers)
def test_a_score_is_0_1_or_none_and_the_method_is_known(a, b):
    verdict = compare(Answer(a), Answer(b))
    assert verdict.score in (0.0, 1.0, None)
    assert verdict.method in METHODS


@given(answers, answers)
def test_agreement_does_not_depend_on_who_was_asked_first(a, b):
    assert agreement(Answer(a), Answer(b)) == agreement(Answer(b), Answer(a))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Paris", "paris."),
        ("The answer is 18.", "… so we get\n#### 18"),
        ("18", "18.0"),
        ("$1,000", "1000 dollars"),
        ("\\boxed{\\frac{1}{2}}", "0.5"),
        ("B", "The correct answer is (B)."),
        ("yes", "Yes!"),
        ('{"a": 1, "b": "x"}', '```json\n{"b": "x", "a": 1.0}\n```'),
        ('{"reasoning": "long", "answer": "5"}', '{"reasoning": "other", "answer": "5.0"}'),
        ("```py\nx = 1\n```", "Here:\n```python\nx = 1\n```"),
        ("The answer is **Evelyn**.", "Final answer: Evelyn"),
    ],
)
def test_the_same_said_otherwise_is_as_good(ours, theirs):
    assert score(ours, theirs) == 1


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("18", "20"),
        ("The answer is 18.", "#### 19"),
        ("B", "C"),
        ("yes", "no"),
        ('{"a": 1}', '{"a": 2}'),
        ('{"a": "red"}', '{"a": "blue"}'),
        ('{"a": 1}', '{"a": 1, "b": 2}'),
    ],
)
def test_another_number_choice_or_value_is_not(ours, theirs):
    assert score(ours, theirs) == 0


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Paris", "The capital of France is Paris."),
        ("car", "automobile"),
        ("A long poem about the sea", "Another poem about the sea"),
        ("```py\nx = 1\n```", "```py\ny = 1\n```"),
        ("'a'", "'A'"),
        ("[1, 2]", "(1, 2)"),
        ("1.5 hours", "90"),
        ('{"a": "a red car"}', '{"a": "a car, red"}'),
        ('{"a": "True"}', '{"a": "\'True\'"}'),
        ('{"zip": "01234"}', '{"zip": "01234 "}'.replace("01234 ", "01234  x")),
        ("Answer:\n1. Open it", "Answer:\n1. Close it"),
        ('```json\n{"name": "Bob"}\n```', '```json\n{"name": "Eve"}\n```'),
    ],
)
def test_what_people_might_call_the_same_is_left_to_a_judge(ours, theirs):
    assert score(ours, theirs) is None


@given(st.lists(st.text(alphabet="abcdefgh", min_size=2, max_size=8), min_size=3, max_size=12))
def test_prose_that_differs_is_never_a_zero(words):
    assert score("We think that " + " ".join(words), "In our view " + " ".join(reversed(words))) is None


class TestEndings:
    def test_an_empty_candidate_is_worse_and_an_empty_reference_is_for_a_judge(self):
        assert score("x", " ") == 0
        assert score("", "x") is None
        assert score("", "") == 1

    def test_a_refusal_beside_an_answer_is_worse(self):
        refusal = Answer(refusal="I can't help with that", finish="stop")
        assert compare(Answer("Sure"), refusal).score == 0
        assert compare(refusal, Answer("Sure")).score is None
        assert compare(refusal, Answer(refusal="No")).score == 1

    def test_a_candidate_that_was_cut_off_is_worse(self):
        assert compare(Answer("one two three", finish="stop"), Answer("one two", finish="length")).score == 0


class TestToolCalls:
    def test_parallel_calls_in_another_order_are_the_same(self):
        a = calling(("f", {"x": 1, "y": [1]}), ("g", {}))
        b = Answer(tool_calls=(("g", ""), ("f", '{ "y":[1.0], "x":1 }')))
        assert compare(a, b) == compare(b, a)
        assert compare(a, b).score == 1

    def test_another_tool_value_or_number_of_calls_is_not(self):
        a = calling(("f", {"x": 1}))
        for b in (
            calling(("g", {"x": 1})),
            calling(("f", {"x": 2})),
            calling(("f", {"x": 1}), ("f", {"x": 1})),
            Answer("text"),
        ):
            assert compare(a, b).score == 0
            assert compare(b, a).score == 0

    def test_the_wording_of_a_free_text_argument_is_for_a_judge(self):
        a, b = calling(("search", {"q": "weather in Paris"})), calling(("search", {"q": "Paris weather today"}))
        assert compare(a, b).score is None

    def test_arguments_that_cannot_be_read_are_not_the_same(self):
        assert compare(calling(("f", {"x": 1})), Answer(tool_calls=(("f", '{"x": 1'),))).score == 0

    @given(
        st.lists(
            st.tuples(st.sampled_from("fgh"), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3))),
            min_size=1,
            max_size=4,
        ),
        st.randoms(),
    )
    def test_calls_equal_any_shuffle_of_themselves(self, calls, random):
        shuffled = list(calls)
        random.shuffle(shuffled)
        assert compare(calling(*calls), calling(*shuffled)).score == 1


class TestTold:
    def test_a_known_number_is_found_within_prose_and_prose_without_one_is_wrong(self):
        assert score("18", "She has 18 apples left", "number") == 1
        assert score("18", "She has 17 apples left", "number") == 0
        assert score("18", "She has some apples left", "number") == 0

    def test_a_known_choice_is_read_with_its_words(self):
        assert score("B", "B) Paris, because", "choice") == 1
        assert score("B", "C. Rome", "choice") == 0
        assert score("B", "Paris, of course", "choice") is None

    def test_a_known_label_must_be_named(self):
        labels = ("up", "down", "none")
        assert score("up", "The direction is up.", "label", labels=labels) == 1
        assert score("up", "down", "label", labels=labels) == 0
        assert score("up", "who knows", "label", labels=labels) == 0
        assert score("who knows", "up", "label", labels=labels) is None

    def test_known_json_must_parse(self):
        assert score('{"a": 1}', "a is 1", "json") == 0
        assert score('```json\n{"a": 1}\n```', '{"a": 2}', "json") == 0


DATA = Path(__file__).parents[3] / "shared" / "data" / "zeroeval"


@pytest.mark.skipif(not DATA.exists(), reason=f"no data in {DATA}")
def test_on_real_answers_hardly_a_verdict_contradicts_the_grading():
    """Whole outputs of nine models to 2,840 questions: two that say the same are both right or both wrong; of two that are
    both right, neither is a zero."""
    told = pq.read_table(DATA / "outputs_small_models.parquet").to_pydict()
    outputs = {(i, m): o for i, m, o in zip(told["id"], told["model"], told["output"], strict=True)}
    told = pq.read_table(DATA / "outcomes.parquet").to_pydict()
    right = {(i, m): ok for i, m, ok in zip(told["id"], told["model"], told["ok"], strict=True)}
    chance = random.Random(1)
    ids, models = sorted({i for i, _ in outputs}), sorted({m for _, m in outputs})
    counts: Counter[tuple[float | None, int]] = Counter()
    for _ in range(4000):
        i, (a, b) = chance.choice(ids), chance.sample(models, 2)
        if (i, a) in outputs and (i, b) in outputs:
            verdict = compare(Answer(outputs[i, a]), Answer(outputs[i, b]))
            counts[verdict.score, right[i, a] + right[i, b]] += 1
    ones, zeros = (sum(n for (score, _), n in counts.items() if score == kind) for kind in (1.0, 0.0))
    assert ones > 1500
    assert counts[1.0, 1] <= 0.005 * ones
    assert zeros > 350
    assert counts[0.0, 2] <= 0.005 * zeros + 1
