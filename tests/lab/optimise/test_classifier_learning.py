from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="training a classifier needs the extra lab")

from made_texts import DIMS, WORDS, encode, texts

from demitasse.lab.optimise.classifier import (
    NEVER,
    ClassifierError,
    Example,
    curve,
    evaluated,
    examples,
    learn,
    settings_of,
)
from demitasse.lab.tasks.task import Sample, Task, Turn
from demitasse.providers.classifier_file import Head, Settings, read_head

SETTINGS = Settings(tuple(WORDS), "made", "0" * 64)


def test_it_learns_and_is_the_same_for_a_seed():
    train, test = texts(160, 1), texts(200, 2)
    made = learn(train, SETTINGS, encode, seed=3)
    score, _, _ = evaluated(made.head, test, encode)
    assert score > 0.95
    again = learn(train, SETTINGS, encode, seed=3)
    assert again.head.dump().keys() == made.head.dump().keys()
    assert again.head.dump()["head.npz"] == made.head.dump()["head.npz"]


def test_its_confidence_is_a_probability_also_where_labels_are_noisy():
    """A third of the labels is drawn at random: 78 % is the most that anybody can get, and it must not claim more."""
    made = learn(texts(400, 1, noise=0.33), SETTINGS, encode)
    test = texts(2_000, 2, noise=0.33)
    sure = made.head.probabilities(np.array([encode(one.text)[0] for one in test])).max(axis=1)
    score, _, _ = evaluated(made.head, test, encode)
    assert -0.1 < float(sure.mean()) - score < 0.03
    assert 0.7 < score < 0.8


@pytest.mark.parametrize("trainings", [6, pytest.param(100, marks=pytest.mark.long)])
def test_the_threshold_keeps_the_precision_it_was_chosen_for(trainings):
    """In nine of ten trainings at least."""
    broken = 0
    test = texts(2_000, 999, noise=0.1)
    for seed in range(trainings):
        made = learn(texts(200, seed, noise=0.1), SETTINGS, encode, seed=seed, precision=0.85)
        _, coverage, precision = evaluated(made.head, test, encode)
        broken += precision is not None and precision < 0.85
        assert coverage <= 1
    assert broken <= max(2, trainings // 10)


def test_where_too_few_examples_show_the_precision_it_never_answers():
    made = learn(texts(20, 1), SETTINGS, encode, precision=0.95)
    assert made.head.settings.threshold == NEVER
    assert (made.coverage, made.precision) == (0.0, None)


def test_a_weight_of_nothing_is_as_good_as_no_example():
    right = texts(80, 1)
    wrong = [Example(one.text, "card", 1e-9) for one in texts(80, 2)]
    score, _, _ = evaluated(learn(right + wrong, SETTINGS, encode).head, texts(200, 3), encode)
    bad, _, _ = evaluated(
        learn(right + [Example(one.text, "card") for one in wrong], SETTINGS, encode).head, texts(200, 3), encode
    )
    assert score > 0.9
    assert bad < score - 0.2


def test_the_curve_rises_and_ends_with_all_examples():
    found = curve(texts(100, 1), texts(200, 2), SETTINGS, encode, draws=3)
    assert [point.n for point in found] == [10, 20, 40, 80, 100]
    assert found[-1].score > found[0].score + 0.1
    for point in found:
        assert point.interval[0] <= point.score <= point.interval[1]


def test_it_says_what_it_lacks():
    with pytest.raises(ClassifierError, match="8 examples of 3 labels"):
        learn([*texts(6, 1), Example("a", "card"), Example("b", "rate")], SETTINGS, encode)
    with pytest.raises(ClassifierError, match="of 1 labels"):
        learn([Example(str(i), "card") for i in range(30)], SETTINGS, encode)
    with pytest.raises(ClassifierError, match="asks for text"):
        examples(Task("prose", (Sample("1", "a", ("b",)),)))


def test_a_task_s_rows_are_examples_and_its_template_is_left_out():
    task = Task(
        "intents",
        (
            Sample("1", "where is my card", ("CARD",), metadata={"weight": 0.5}),
            Sample("2", (Turn("user", "what rate"),), ("rate",)),
            Sample("3", (Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c")), ("rate",)),
            Sample("4", "unknown"),
        ),
        form="label",
        labels=tuple(WORDS),
        system="Name the intent.",
        template="Message: {input}\nIntent:",
    )
    assert examples(task) == [Example("where is my card", "card", 0.5), Example("what rate", "rate")]
    settings = settings_of(task, "made", "0" * 64)
    assert (settings.prefix, settings.suffix, settings.system) == ("Message: ", "\nIntent:", "Name the intent.")
    head = Head(settings, np.zeros((3, DIMS), np.float32), np.zeros(3, np.float32))
    assert head.bare("Message: where is my card\nIntent:") == "where is my card"
    assert head.bare("where is my card") == "where is my card"


def test_what_was_written_is_read_back(tmp_path):
    made = learn(texts(60, 1), SETTINGS, encode)
    for name, content in made.head.dump().items():
        (tmp_path / name).write_bytes(content)
    found = read_head(tmp_path)
    vectors = np.array([encode(one.text)[0] for one in texts(20, 5)])
    assert np.array_equal(found.probabilities(vectors), made.head.probabilities(vectors))
    assert found.settings == made.head.settings


def test_of_traffic_the_system_prompt_that_all_calls_began_with_is_the_one_it_knows():
    def talk(*systems: str) -> Task:
        said = [(*(Turn("system", s) for s in (one,) if s), Turn("user", "Where is it?")) for one in systems]
        samples = tuple(Sample(f"s{i}", turns, ("a",)) for i, turns in enumerate(said))
        return Task("t", samples, form="label", labels=("a", "b"))

    assert settings_of(talk("Name it.", "Name it."), "made", "0" * 64).system == "Name it."
    assert settings_of(talk("Name it.", "Say it."), "made", "0" * 64).system is None
    assert settings_of(talk("", ""), "made", "0" * 64).system == ""
