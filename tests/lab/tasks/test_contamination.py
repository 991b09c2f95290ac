"""N-gram overlap between a task and other texts: what it finds, what it leaves, and that words are counted as said."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.lab.tasks.contamination import overlap, words
from demitasse.lab.tasks.task import Sample, Task, Turn

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"


def task(*texts: str) -> Task:
    return Task("t", tuple(Sample(str(at), text) for at, text in enumerate(texts)))


def test_thirteen_words_in_a_row_touch_a_sample_and_twelve_do_not():
    asked = task(LONG)
    twelve, thirteen = " ".join(LONG.split()[:12]), " ".join(LONG.split()[:13])
    assert overlap(asked, [f"so {twelve} then"]).touched == 0
    found = overlap(asked, ["nothing", f"so {thirteen} then"])
    assert (found.touched, found.share, found.texts, found.ids) == (1, 1.0, 2, ("0",))
    assert (found.examples[0].row, found.examples[0].words, found.examples[0].share) == (1, thirteen, 0.5)
    assert overlap(asked, [f"so {twelve} then"], n=8).touched == 1


def test_case_punctuation_and_width_make_no_difference():
    assert overlap(task(LONG), [LONG.upper().replace(" ", ", ")]).touched == 1
    assert words("Ｆｕｌｌ－Width, it's") == ["full", "width", "it", "s"]


def test_words_that_are_all_there_in_another_order_are_no_overlap():
    assert overlap(task(LONG), [" ".join(reversed(LONG.split()))]).touched == 0


def test_a_short_sample_is_found_only_whole():
    found = overlap(task("Capital of France?", LONG), ["what is the capital of France?", "capital of france", LONG])
    assert (found.touched, found.short, found.samples, found.ids) == (2, 1, 2, ("0", "1"))


def test_a_form_of_words_of_many_samples_says_nothing_of_any():
    preamble = "please read the following short text with care and then answer the question below"
    asked = task(*(f"{preamble} {n}" for n in range(40)))
    found = overlap(asked, [f"{preamble} and more"])
    assert found.touched == 0 and found.unjudged == 0
    assert overlap(asked, [f"{preamble} 7"]).ids == ("7",)


def test_options_and_the_users_turns_count_and_the_template_does_not():
    talk = (Turn("system", LONG), Turn("user", "short"))
    choice = Sample("c", "Which?", ("A",), (LONG, "b"))
    asked = Task("t", (Sample("s", talk), choice), template=LONG + " {input}")
    assert overlap(asked, [LONG]).ids == ("c",)


def test_an_empty_task_and_no_texts_are_no_overlap():
    assert overlap(task(), [LONG]).share == 0.0
    found = overlap(task(LONG, "!?"), [])
    assert (found.touched, found.texts, found.unjudged) == (0, 0, 1)
    with pytest.raises(ValueError, match="at least one word"):
        overlap(task(LONG), [], n=0)


def test_scripts_without_spaces_are_counted_by_the_sign():
    text = "今日はとても良い天気なので公園まで散歩に行きました"
    assert overlap(task(text), [f"昨日。{text}。"]).touched == 1
    assert overlap(task(text), [text[:12] + "別の話をここに書いておくことにする"]).touched == 0


@given(
    st.lists(st.lists(st.sampled_from("abcd"), max_size=12), max_size=6),
    st.lists(st.lists(st.sampled_from("abcde"), max_size=14), max_size=6),
    st.integers(1, 4),
)
def test_it_finds_what_comparing_every_pair_finds(samples, texts, n):
    asked = [" ".join(said) for said in samples]
    found = overlap(task(*asked), [" ".join(said) for said in texts], n=n)

    def grams(said: list[str]) -> set[tuple[str, ...]]:
        return {tuple(said[at : at + n]) for at in range(len(said) - n + 1)}

    touched = []
    for at, said in enumerate(samples):
        known = [grams(text) for text in texts]
        whole = bool(said) and len(said) < n and said in texts
        if whole or any(grams(said) & other for other in known):
            touched.append(str(at))
    assert list(found.ids) == touched


def test_rows_may_be_a_stream_and_are_read_once():
    rng = random.Random(7)
    rows = (" ".join(rng.choices(LONG.split(), k=30)) for _ in range(2_000))
    assert overlap(task(LONG), rows).texts == 2_000
