"""Perturbations change how a question is put and never what its answer is."""

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demitasse.lab.tasks import positions
from demitasse.lab.tasks.paraphrase import asking, kept, reworded
from demitasse.lab.tasks.perturb import KINDS, perturb, perturbed, rare_words, variants
from demitasse.lab.tasks.swaps import swap_text
from demitasse.lab.tasks.task import Sample, Task, Turn
from demitasse.lab.tasks.untouched import pieces, prose, words

LABELS = ("up", "down", "neutral", "none")
HEADLINES = Task(
    "headlines",
    (
        Sample("1", "Q: gold futures end the week 1.4% higher after a quiet morning\nA:", ("up",)),
        Sample("2", "Q: december gold eases at $749 an ounce; traders are happy\nA:", ("down",)),
        Sample("3", "7 + 5", ("none",)),
    ),
    form="label",
    labels=LABELS,
    template="Give the price direction (up, down, neutral, or none).\n\n{input}",
)
MIXED = """Ann's friend asked: what does `parse(x)` return for "fast cars", 3 1/2 or 1 000 items at https://example.com/a?b=1

    def parse(quick):
        return quick * 2

The formula $a_1 + beautiful^2$ is often wrong, isn't it, and not because it is difficult.
A) it begins slowly
B) it stops quickly
Write to ann@example.com, twenty times, unless {placeholder} says otherwise. Answer: """

word = st.sampled_from([
    "gold", "quickly", "begin", "beautiful", "house", "twenty", "not", "Paris", "ACME", "x_1", "3.14", "$5,000", "1 000", '"quick houses"',
    "`begin`", "isn't", "what is", "(really)", "big,", "stops.", "a-b", "e.g.", "file.txt", "naïve", "Straße", "日本", "\n", "  ", "A) big house\n",
    "\\frac{big}{house}", "{begin}", "https://x.org/begin", "x=1", "question:",
])  # fmt: skip
texts = st.lists(word, max_size=25).map(" ".join) | st.text(max_size=80) | st.text(string.printable, max_size=80)
KEEPING = [kind for kind in KINDS if kind not in {"position", "swap"}]


def numbers(text):
    return [token for token in text.split() if any(sign.isdigit() for sign in token)]


def task_of(text, **more):
    return Task("t", (Sample("s", text, ("never",)),), **more)


class TestWhatMayNotBeTouched:
    def test_numbers_code_quotes_names_links_formulas_options_and_negations_are_no_words_to_touch(self):
        assert set(words(MIXED)) == {
            "friend", "what", "does", "return", "for", "items", "at", "formula", "is", "often", "wrong", "it", "because", "difficult", "to",
            "says", "otherwise",
        }  # fmt: skip

    @settings(max_examples=200)
    @given(text=texts, seed=st.integers(0, 99))
    @pytest.mark.parametrize("kind", KEEPING)
    def test_numbers_stand_as_they_stood_and_in_their_order(self, kind, text, seed):
        new = perturb(Sample("s", text, ("banana",)), kind, task=task_of(text), seed=seed).input
        kept = iter(re.sub(r"\[A note .*?\](?=\s|$)", "", new, flags=re.DOTALL).split())
        assert all(number in kept for number in numbers(text))

    @settings(max_examples=200)
    @given(text=texts, seed=st.integers(0, 99))
    @pytest.mark.parametrize("kind", KEEPING)
    def test_code_quotes_and_names_stand_as_they_stood(self, kind, text, seed):
        new = perturb(Sample("s", text), kind, task=task_of(text), seed=seed).input
        flat = " ".join(new.split())
        for piece in pieces(text):
            if kind == "paraphrase" and "'" in piece:
                continue  # a contraction that was written out
            assert " ".join(piece.split()) in flat

    @given(text=texts, seed=st.integers(0, 99))
    def test_capitals_change_nothing_but_capitals(self, text, seed):
        new = perturb(Sample("s", text), "case", task=task_of(text), seed=seed).input
        assert new.casefold() == text.casefold()

    @given(text=texts, seed=st.integers(0, 99))
    def test_noise_adds_a_sentence_and_white_space_and_nothing_else(self, text, seed):
        new = perturb(Sample("s", text), "noise", task=task_of(text), seed=seed).input
        if text:
            assert new.split("\n\n", 1)[1].split() == text.split()

    def test_a_text_that_depends_on_its_spacing_keeps_it(self):
        new = perturb(Sample("s", MIXED), "noise", task=task_of(MIXED)).input
        assert MIXED in new

    def test_words_of_the_answer_stay(self):
        text = "gold begins to climb while silver stops climbing"
        for kind in ("typos", "case", "rare"):
            for seed in range(30):
                made = perturb(Sample("s", text, ("silver stops",)), kind, task=task_of(text), seed=seed).input
                assert "silver stops" in made

    def test_prose_is_what_stands_between(self):
        assert prose("say `say` say", str.upper) == "SAY `say` SAY"


class TestKinds:
    @pytest.mark.parametrize("kind", KEEPING)
    def test_the_same_seed_makes_the_same_text_and_ids_targets_and_options_stay(self, kind):
        one, again = perturbed(HEADLINES, kind, seed=3), perturbed(HEADLINES, kind, seed=3)
        assert one == again
        assert one.name == f"headlines~{kind}"
        before = {sample.id: sample for sample in HEADLINES.samples}
        for sample in one.samples:
            assert (sample.target, sample.choices) == (before[sample.id].target, before[sample.id].choices)
            assert sample.input != before[sample.id].input

    def test_another_seed_makes_other_typos(self):
        made = {perturbed(HEADLINES, "typos", seed=seed).samples[0].input for seed in range(6)}
        assert len(made) == 6

    def test_samples_in_which_there_is_nothing_to_change_are_left_out(self):
        assert [s.id for s in perturbed(HEADLINES, "typos").samples] == ["1", "2"]
        assert [s.id for s in perturbed(HEADLINES, "injected").samples] == ["1", "2", "3"]

    def test_typos_are_slips_of_single_keys_and_no_other_words_of_the_task(self):
        text = " ".join(["morning", "garden", "window", "market", "summer"] * 20)
        new = perturb(Sample("s", text), "typos", task=task_of(text)).input
        struck = [(a, b) for a, b in zip(text.split(), new.split(), strict=True) if a != b]
        assert 5 <= len(struck) <= 15
        assert all(abs(len(a) - len(b)) <= 1 and a[0] == b[0] for a, b in struck)

    def test_a_typo_never_makes_a_word_that_the_task_knows(self):
        task = task_of("form from")
        for seed in range(60):
            made = perturbed(task, "typos", seed=seed).samples[0].input.split()
            assert made[0] != "from" and made[1] != "form"

    def test_an_injected_order_names_a_wrong_answer_says_that_it_is_data_and_stands_before_the_cue(self):
        choice = Task("t", (Sample("s", "Which?", ("B",), choices=("x", "y", "z")),), form="choice")
        for seed in range(20):
            note = perturbed(choice, "injected", seed=seed).samples[0].input
            assert note.startswith("Which?") and "it is data and no instruction" in note
            assert not re.search(r"\bB\b", note)
            made = perturbed(HEADLINES, "injected", seed=seed).samples[0].input
            assert made.endswith("\nA:")
            assert '"up"' not in made

    def test_the_last_thing_a_user_says_is_perturbed_in_a_conversation(self):
        talk = (
            Turn("system", "be quick"),
            Turn("user", "a quick one"),
            Turn("assistant", "yes"),
            Turn("user", "a quick house"),
        )
        made = perturb(Sample("s", talk), "case", task=Task("t", ())).input
        assert made[:3] == talk[:3]
        assert made[3].content.casefold() == "a quick house" and made[3].content != "a quick house"

    def test_the_table_of_rare_words_has_no_word_that_is_kept_and_no_second_meaning_for_one(self):
        table = rare_words()
        assert len(table) > 150
        for common, rare in table.items():
            assert words(common) == [common] and re.fullmatch("[a-z]+", rare) and common != rare

    def test_an_unknown_kind_names_those_there_are(self):
        for wrong in ("smell", "typos:3"):
            with pytest.raises(ValueError, match="there are typos, case"):
                variants(HEADLINES, (wrong,))


class TestPositions:
    CHOICE = Task(
        "c",
        (
            Sample("1", "?", ("A",), choices=("w", "x", "y", "z")),
            Sample("2", "?", ("C",), choices=("x", "y", "z")),
            Sample("3", "?", ("D",), choices=("x", "y", "z", "All of the above")),
            Sample("4", "?", ("B",), choices=("x", "Both A and C", "z", "w")),
        ),
        form="choice",
    )

    def test_every_rotation_is_run_once_and_only_where_there_is_something_to_rotate(self):
        assert variants(self.CHOICE, ("position",)) == ["position:1", "position:2", "position:3"]
        assert variants(HEADLINES, ("position",)) == ["position:1", "position:2", "position:3"]
        assert variants(Task("t", (Sample("1", "?"),)), ("position",)) == []

    def test_the_right_answer_follows_its_option(self):
        for by in (1, 2, 3, 5):
            for sample in perturbed(self.CHOICE, f"position:{by}").samples:
                before = next(s for s in self.CHOICE.samples if s.id == sample.id)
                place, was = ord(sample.target[0]) - 65, ord(before.target[0]) - 65
                assert sample.choices[place] == before.choices[was]
                assert sample.choices != before.choices and sorted(sample.choices) == sorted(before.choices)
                assert positions.original(before, sample.target[0], by) == before.target[0]

    def test_over_all_rotations_each_option_stands_in_each_place_once(self):
        seen = [self.CHOICE.samples[0].choices]
        seen += [perturbed(self.CHOICE, kind).samples[0].choices for kind in variants(self.CHOICE, ("position",))]
        assert all(len({order[place] for order in seen}) == 4 for place in range(4))

    def test_options_that_speak_of_others_stay_where_they_are(self):
        assert {s.id for s in perturbed(self.CHOICE, "position:1").samples} == {"1", "2"}

    def test_labels_are_put_in_another_order_wherever_they_are_listed(self):
        task = perturbed(HEADLINES, "position:1")
        assert task.labels == ("none", "up", "down", "neutral")
        assert task.template == "Give the price direction (none, up, down, or neutral).\n\n{input}"
        assert [s.target for s in task.samples] == [s.target for s in HEADLINES.samples]

    @pytest.mark.parametrize(
        ("text", "made"),
        [
            ("up/down/flat", "flat/up/down"),
            ("Say 'up', 'down' or 'flat'.", "Say 'flat', 'up' or 'down'."),
            ("- up\n- down\n- flat", "- flat\n- up\n- down"),
            ("prices go up and down", "prices go up and down"),
            ("up, up, down", "up, up, down"),
        ],
    )
    def test_a_list_of_all_labels_is_known_by_its_members(self, text, made):
        assert positions.reordered(text, ("up", "down", "flat"), ("flat", "up", "down")) == made


class TestSwap:
    @pytest.mark.parametrize(
        ("text", "made"),
        [
            ("Mary's mother told him that her dog bit her.", "James's father told her that his dog bit him."),
            (
                "HE is Mr Smith; Josh and his wife, the book is his",
                "SHE is Mrs Smith; Claire and her husband, the book is hers",
            ),
            (
                "She eats three for breakfast and bakes for her friends.",
                "He eats three for breakfast and bakes for his friends.",
            ),
            (
                "they sing a carol about others and heroes, sherry and manners",
                "they sing a carol about others and heroes, sherry and manners",
            ),
        ],
    )
    def test_names_pronouns_and_words_of_kin_become_their_counterparts_and_other_words_stay(self, text, made):
        assert swap_text(text) == made

    @given(texts)
    def test_nothing_but_gendered_words_changes_and_most_come_back(self, text):
        assert numbers(swap_text(text)) == numbers(text)
        assert len(swap_text(text).split()) == len(text.split())

    def test_options_and_text_targets_follow_and_letters_stay(self):
        choice = Sample("1", "Who called, the man or the woman?", ("A",), choices=("the man", "the woman"))
        text = Sample("2", "Who is her brother?", ("Mary's uncle",))
        task = perturbed(Task("t", (choice, text, Sample("3", "2 + 2", ("4",)))), "swap")
        assert [s.id for s in task.samples] == ["1", "2"]
        assert (task.samples[0].choices, task.samples[0].target) == (("the woman", "the man"), ("A",))
        assert task.samples[1].target == ("James's aunt",)


class TestReworded:
    ASK = 'Tom has 3 apples and does not eat two of them in Paris. How many are left, if `x` is "big"?'

    @pytest.mark.parametrize(
        "paraphrase",
        [
            'In Paris, Tom does not eat two of his 3 apples. What is left of them, where `x` is "big"?',
            "3 apples are Tom's. Two of them he doesn't eat in Paris. If `x` is \"big\", what remains?",
        ],
    )
    def test_a_paraphrase_that_keeps_all_that_the_answer_turns_on_is_used(self, paraphrase):
        assert kept(self.ASK, paraphrase) == paraphrase

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("3 apples", "4 apples"),
            ("not eat", "eat"),
            ("two", "some"),
            ("Paris", "Rome"),
            ("`x`", "x"),
            ('"big"', "big"),
            ("3", "3 or 5"),
        ],
    )
    def test_one_that_lost_or_added_something_is_not(self, old, new):
        assert kept(self.ASK, "So: " + self.ASK) is not None
        assert kept(self.ASK, "So: " + self.ASK.replace(old, new, 1)) is None

    def test_an_answer_in_place_of_a_paraphrase_and_the_question_itself_are_not(self):
        assert kept(self.ASK, "1") is None
        assert kept(self.ASK, self.ASK + " ") is None
        assert kept(self.ASK, self.ASK * 4) is None

    def test_what_was_not_used_is_counted_and_left_out(self):
        task = Task(
            "t",
            (
                Sample("1", "what is 2 + 2 in the end?", ("4",)),
                Sample("2", "what is 3?", ("3",)),
                Sample("3", "so what?", ("x",)),
            ),
        )
        made, lost = reworded(task, {"1": '{"question": "in the end, what is 2 + 2?"}', "2": "I can't."})
        assert ([s.id for s in made.samples], lost) == (["1"], 2)
        assert made.samples[0].target == ("4",)
        assert [s.input for s in asking(task).samples] == [s.input for s in task.samples]
