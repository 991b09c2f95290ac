"""Scorers within real evaluations: a judge is paid for and asked once, code runs where that is allowed, people come later."""

from __future__ import annotations

import pytest

from demitasse.build.evaluating import Wanted
from demitasse.lab.evals import human
from demitasse.lab.evals.result import EvaluationError, folder
from demitasse.lab.tasks.task import Sample, Task
from tests.build.lab_site import lab, lab_site  # noqa: F401 - a fixture

SAMPLES = tuple(Sample(f"s{i}", f"Say something about {i}.", ("Something.",)) for i in range(5))


async def test_a_judge_is_booked_as_scoring_and_asked_once_for_the_same_answer(site):
    task = Task("judged", SAMPLES, scorer="judge:mock", max_tokens=8)
    async with lab(site) as desk:
        run, _ = await desk.evaluate(task, Wanted("mock"))
    assert run.summary.quality == 1.0, "the mock says the first verdict to everything"
    assert run.summary.scoring_nanos > 0 and run.summary.unscored == 0
    assert len(site.up.served) == 10
    async with lab(site) as desk:
        again, _ = await desk.evaluate(task, Wanted("mock"))
    assert len(site.up.served) == 10 and again.summary.quality == 1.0


async def test_two_answers_are_judged_in_both_orders_and_a_judge_of_position_is_undecided(site):
    async with lab(site) as desk:
        run, _ = await desk.evaluate(Task("pairs", SAMPLES, scorer="pairwise:mock", max_tokens=8), Wanted("mock"))
    assert run.summary.quality == 0.5, "the mock says A in either order"
    assert len(site.up.served) == 15


async def test_code_is_not_run_before_that_is_allowed_and_nothing_is_asked_for_it(site):
    samples = tuple(Sample(f"c{i}", "Write f.", metadata={"tests": ["assert f() == 1"]}) for i in range(2))
    task = Task("coded", samples, form="code", max_tokens=8)
    async with lab(site) as desk:
        with pytest.raises(EvaluationError, match="--allow-code"):
            await desk.evaluate(task, Wanted("mock"))
        assert not site.up.served
        run, rows = await desk.evaluate(task, Wanted("mock", allow_code=True))
    assert run.summary.quality == 0.0 and {row.score.failure for row in rows} == {"cut"}, (
        "the mock writes words, to its limit"
    )


async def test_people_score_when_the_run_is_over(site):
    task = Task("read", SAMPLES, scorer="human", max_tokens=8)
    async with lab(site) as desk:
        run, rows = await desk.evaluate(task, Wanted("mock"))
    assert (run.summary.n, run.summary.unscored, run.summary.quality) == (0, 5, None)
    path = folder(site.home / "data", run.id)
    for item in human.queue(task, rows):
        human.add(path, human.Vote(item.id, 1.0, "ann"))
    assert all(row.score.value == 1.0 for row in human.scored(rows, human.read(path)))
    assert human.queue(task, rows, human.read(path), voter="ann") == []
