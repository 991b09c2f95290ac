from __future__ import annotations

from demitasse.lab.evals.result import Row
from demitasse.lab.optimise.prompts import Variant, constrain, learned_cap, sentences, shorten
from demitasse.lab.scorers.scorer import Score
from demitasse.lab.tasks.task import Sample, Task

TASK = Task(
    "intents",
    tuple(Sample(f"s{i}", f"text {i}", ("a",)) for i in range(400)),
    form="label",
    labels=("a", "b"),
    system="Name the intent. You are a very polite and helpful assistant. Say one word.",
    shots=(Sample("x1", "first", ("a",)), Sample("x2", "second and a good deal longer", ("b",))),
    max_tokens=200,
)


class Model:
    """Is right where ``right(task, mode, i)`` says so."""

    def __init__(self, right, tokens_out=5, failure=""):
        self.right, self.tokens_out, self.failure, self.asked = right, tokens_out, failure, []

    async def __call__(self, task, mode):
        self.asked.append((task, mode))
        return [
            Row(s.id, Score(float(self.right(task, mode, i)), failure=self.failure), tokens_out=self.tokens_out)
            for i, s in enumerate(task.samples)
        ]


async def test_what_the_model_does_not_need_is_left_out_and_what_it_needs_stays():
    model = Model(lambda task, _mode, _i: "Name the intent." in task.system and any(s.id == "x1" for s in task.shots))
    found = await shorten(Variant(TASK, "free"), model, margin=0.05)
    after = found.after.task
    assert [shot.id for shot in after.shots] == ["x1"]
    assert after.system == "Name the intent."
    assert after.max_tokens == 10
    assert found.after.bytes < found.before.bytes
    assert {edit.name: edit.verdict for edit in found.edits}["leave out all worked examples"] == "inferior"
    assert len(model.asked) == len(found.edits) + 1
    assert all(task.samples == TASK.samples for task, _ in model.asked)


async def test_many_small_losses_do_not_add_up_to_a_large_one():
    """Each edit costs 2 % by itself, within a margin of 3 %; taken together they would cost 10 %."""

    def right(task, _mode, i):
        gone = 2 - len(task.shots) + 3 - len(sentences(task.system))
        return i % 50 >= gone

    found = await shorten(Variant(TASK, "free"), Model(right), margin=0.05)
    taken = [edit for edit in found.edits if edit.accepted]
    assert taken[-1].difference >= -0.05
    assert all(edit.difference > -0.05 for edit in taken)
    assert len(taken) < len(found.edits)


async def test_few_rows_prove_nothing_so_nothing_is_left_out():
    from msgspec import structs

    few = structs.replace(TASK, samples=TASK.samples[:20])
    found = await shorten(Variant(few, "free"), Model(lambda *_: True), margin=0.01)
    assert found.after == found.before
    assert {edit.verdict for edit in found.edits} == {"inconclusive"}


async def test_answers_are_held_to_their_form_where_that_does_better():
    found = await constrain(TASK, Model(lambda _t, mode, i: mode == "constrained" or i % 2), margin=0.05)
    assert (found.after.mode, found.edits[0].verdict) == ("constrained", "superior")
    found = await constrain(TASK, Model(lambda _t, mode, i: mode == "free" or i % 2), margin=0.05)
    assert (found.after.mode, found.edits[0].verdict) == ("free", "inferior")
    prose = Task("prose", TASK.samples)
    found = await constrain(prose, Model(lambda *_: True), margin=0.05)
    assert found.after == found.before and not found.edits


def test_a_cap_is_never_learned_from_answers_that_were_cut():
    rows = [Row("1", Score(1.0), tokens_out=30), Row("2", Score(0.0), tokens_out=9)]
    assert learned_cap(rows, 200) == 60
    assert learned_cap(rows, 40) == 40
    assert learned_cap([*rows, Row("3", Score(0.0, failure="cut"), tokens_out=200)], 200) == 200
    assert learned_cap([], 200) == 200
    assert learned_cap([Row("1", Score(1.0), tokens_out=1)], 200) == 8


def test_sentences_of_a_prompt_are_found_and_abbreviations_do_not_break_it_off():
    assert sentences("Do this. Then that!\n- a list\n- of things. e.g. this") == [
        "Do this.", "Then that!", "- a list", "- of things. e.g. this",
    ]  # fmt: skip
    assert sentences("") == []
