"""Answers that were given elsewhere, scored here: read whole or not at all, the same wherever they are scored."""

from __future__ import annotations

import json

import pytest

from demitasse.build import recordings
from demitasse.build.evaluating import Wanted
from demitasse.core.errors import DemitasseError
from demitasse.lab.evals import replayed, result
from demitasse.lab.evals.result import EvaluationError
from demitasse.lab.tasks.task import Sample, Task

TASK = Task(
    "colours",
    tuple(Sample(f"s{i}", f"thing {i}?", ("red" if i % 3 else "blue",), cluster=f"c{i // 2}") for i in range(60)),
    form="label",
    labels=("red", "blue"),
)


@pytest.fixture
def answers(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text(
        "".join(
            json.dumps({"id": f"s{i}", "answer": "red" if i < 50 else "no idea", "cost_usd": 0.001, "latency_ms": i})
            + "\n"
            for i in range(55)
        )
    )
    return path


def scored(tmp_path, path, task=TASK, on="local"):
    return recordings.evaluate_recorded(
        tmp_path / "data", tmp_path, task, Wanted(f"recorded:{path.name}"), on=on, clock=lambda: 7
    )


def test_recorded_answers_are_a_run_like_any_other(tmp_path, answers):
    run, rows = scored(tmp_path, answers)
    assert (run.state, run.summary.n, run.summary.format_failures) == ("complete", 55, 5)
    assert run.why == "5 samples have no recorded answer and are left out"
    assert run.summary.quality == sum(1 for i in range(50) if i % 3) / 55
    assert run.summary.cost_nanos == 55_000_000
    assert result.rows(result.find(tmp_path / "data", run.id)) == rows


def test_many_pieces_give_what_one_gives_and_leave_nothing_behind(tmp_path, answers, monkeypatch):
    _, whole = scored(tmp_path, answers)
    monkeypatch.setattr(recordings, "pieces", lambda task, found: replayed.pieces(task, found, size=10))
    run, parted = scored(tmp_path, answers)
    assert parted == whole
    assert not (result.folder(tmp_path / "data", run.id) / "pieces").exists()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_on_ray_they_are_scored_alike(tmp_path, answers, monkeypatch):
    pytest.importorskip("ray", reason="needs the extra ray")
    _, whole = scored(tmp_path, answers)
    monkeypatch.setattr(recordings, "pieces", lambda task, found: replayed.pieces(task, found, size=20))
    assert scored(tmp_path, answers, on="ray")[1] == whole


def test_a_broken_line_is_named_and_a_scorer_that_asks_is_refused(tmp_path, answers):
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"id": "s0", "answer": "red"}\n{"id": "s1"}\n')
    with pytest.raises(EvaluationError, match=r"broken\.jsonl, line 2: .*answer"):
        scored(tmp_path, broken)
    with pytest.raises(DemitasseError, match="no such file"):
        scored(tmp_path, tmp_path / "none.jsonl")
    with pytest.raises(EvaluationError, match="asks a model or a person"):
        scored(tmp_path, answers, task=Task("x", TASK.samples, scorer="judge:large"))


def test_scores_that_were_given_elsewhere_stand(tmp_path):
    given = replayed.Recorded("whatever", score=replayed.Score(0.5, said="half"))
    (piece,) = replayed.pieces(TASK, {"s3": given})
    (row,) = replayed.rows_of([replayed.score_piece(piece)])
    assert (row.sample, row.score.value, row.score.said, row.cluster) == ("s3", 0.5, "half", "c1")
