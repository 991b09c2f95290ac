"""`demitasse tasks`: what a person reads and what a script reads."""

from __future__ import annotations

import json

import pytest

from demitasse.cli.tasks import as_object
from demitasse.lab.tasks.files import load
from tests.docs.pages import page, tables, words

PAGE = tables(page("reference/json.md"))
ROWS = "question,A,B,answer,subject\nCapital of France?,Rome,Paris,B,towns\nCapital of Italy?,Rome,Paris,A,towns\n2 + 2?,4,5,A,sums\n"


@pytest.fixture
def file(tmp_path):
    (tmp_path / "quiz.csv").write_text(ROWS)
    return tmp_path / "quiz.csv"


def test_a_task_is_shown_as_a_model_would_be_asked_it(run, file):
    said = run("tasks", "show", "quiz.csv", "--n", "1").stdout
    assert "quiz: 3 samples, choice, scored by choice" in said
    assert load(file).hash in said and "source file:quiz.csv, licence: not stated" in said
    assert "slices: towns 2, sums 1" in said and "targets: A 2, B 1" in said
    assert said.count("user: ") == 1 and "A. " in said and "→ " in said


def test_the_object_of_a_task_is_the_documented_one(run, file):
    told = json.loads(run("tasks", "show", "quiz.csv", "--json").stdout)
    assert set(told) == set(words(PAGE["task"])) and told == as_object(load(file), 3, 7)
    assert set(told["source"]) == {"name", "sha256", "licence", "split", "fetched"}
    assert set(told["shown"][0]) == {"id", "slice", "target", "messages"} and len(told["shown"]) == 3
    assert (told["samples"], told["without_target"], told["clusters"]) == (3, 0, 3)


def test_the_list_names_sets_and_the_files_here_and_asks_no_network(run, file, tmp_path):
    (tmp_path / "sets/nyu-mll/glue/sst2").mkdir(parents=True)
    (tmp_path / "sets/nyu-mll/glue/sst2/validation.jsonl").write_text('{"sentence": "fine", "label": 1, "idx": 0}\n')
    (tmp_path / "own.task.toml").write_text('data = "quiz.csv"\n')
    told = json.loads(run("tasks", "list", "--from", "sets", "--json").stdout)
    assert set(told) == set(words(PAGE["tasks list"])) and told["files"] == ["own.task.toml"]
    assert [s["name"] for s in told["sets"] if s["here"]] == ["glue/sst2"]
    assert set(told["sets"][0]) == {"name", "about", "repo", "licence", "parts", "here"}
    said = run("tasks", "list", "--from", "sets").stdout
    assert "mmlu[/PART]" in said and "own.task.toml" in said and "--from DIR" in said
    assert "a fine film" not in run("tasks", "show", "glue/sst2", "--from", "sets").stdout


def test_what_is_wrong_is_one_sentence_and_a_status(run, file):
    assert "demitasse: there is no task 'nothing'" in run("tasks", "show", "nothing", status=1).stderr
    run("tasks", "show", status=2)


def test_overlap_holds_a_task_against_rows_of_any_shape(run, tmp_path):
    passage = "a train leaves the station at noon and another one leaves it an hour later going west"
    (tmp_path / "quiz.jsonl").write_text(
        "".join(json.dumps({"input": q, "target": "1"}) + "\n" for q in (passage, "something else"))
    )
    (tmp_path / "train.jsonl").write_text(
        json.dumps({"whatever": [{"deep": passage.upper()}]}) + "\n" + json.dumps({"x": 1}) + "\n"
    )
    (tmp_path / "train.txt").write_text(f"nothing\nso {passage}!\n")
    told = json.loads(run("tasks", "overlap", "quiz.jsonl", "train.jsonl", "--json").stdout)
    assert set(told) == set(words(PAGE["overlap"])) and set(told["examples"][0]) == {"sample", "words", "row", "share"}
    assert (told["touched"], told["samples"], told["texts"], told["short"], told["share"]) == (1, 2, 2, 1, 0.5)
    said = run("tasks", "overlap", "quiz.jsonl", "train.txt").stdout
    assert "1 of 2 samples (50.0%) have 13 words in a row in common with one of 2 texts" in said and "text 2: " in said
    assert "2 of 2 samples" in run("tasks", "overlap", "quiz.jsonl", "quiz.jsonl").stdout
    assert "no such file" in run("tasks", "overlap", "quiz.jsonl", "none.txt", status=1).stderr
