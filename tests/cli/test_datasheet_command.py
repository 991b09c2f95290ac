"""A datasheet counts what is there, and marks what only people know."""

from __future__ import annotations

import json

import pytest

ROWS = [
    ("Where is my parcel?", "shipping"),
    ("where is my parcel", "shipping"),
    ("Where is my parcel?!", "refund"),
    ("I want my money back, write to ada@example.org", "refund"),
    ("Карта 4111 1111 1111 1111 не работает", "card"),
    ("The quick brown fox jumps over the lazy dog while twelve tired judges watch it from the old stone wall", "other"),
]


@pytest.fixture
def data_file(tmp_path):
    file = tmp_path / "support.jsonl"
    file.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS))
    return file


def sheet(run, *arguments):
    return json.loads(run("datasheet", *arguments, "--json").stdout)


def test_a_datasheet_counts_rows_labels_repeats_and_contradictions(data_file, run):
    told = sheet(run, "support.jsonl")
    assert told["rows"] == 6 and told["labels"] == {"shipping": 2, "refund": 2, "card": 1, "other": 1}
    assert told["duplicates"] == 2 and told["contradictions"] == 1
    assert told["words"]["least"] == 4 and 0 < told["scripts"]["Cyrillic"] < 0.2
    assert len(told["sha256"]) == 64 and len(told["task_hash"]) == 64


def test_personal_data_are_counted_by_type_and_never_shown(data_file, run):
    result = run("datasheet", "support.jsonl", "--json")
    told = json.loads(result.stdout)["personal"]
    assert told["found"] == {"EMAIL": 1, "CARD": 1} and told["with_any"] == 2 and told["texts"] == 6
    assert told["interval"][0] < 2 / 6 < told["interval"][1]
    assert "ada@" not in result.stdout and "4111 1111" not in result.stdout
    assert sheet(run, "support.jsonl", "--sample", "2")["personal"]["texts"] == 2


def test_what_only_people_know_is_to_be_filled_and_their_answers_are_kept(data_file, run, tmp_path):
    said = run("datasheet", "support.jsonl").output
    assert said.startswith("# Datasheet: support") and said.count("To be filled by a person") == 10
    (tmp_path / "a.toml").write_text('why = "To route mails; collected by the help desk."\n')
    said = run("datasheet", "support.jsonl", "--answers", str(tmp_path / "a.toml")).output
    assert "collected by the help desk" in said and said.count("To be filled by a person") == 9
    (tmp_path / "b.toml").write_text('wy = "?"\n')
    assert (
        "no question 'wy'" in run("datasheet", "support.jsonl", "--answers", str(tmp_path / "b.toml"), status=1).output
    )


def test_passages_shared_with_another_set_are_told(data_file, run, tmp_path):
    (tmp_path / "train.txt").write_text("Once more: " + ROWS[5][0] + "\nnothing\n")
    (one,) = sheet(run, "support.jsonl", "--against", "train.txt")["contamination"]
    assert one["touched"] == 1 and one["against"] == "train.txt"


def test_a_file_of_rows_that_is_no_task_has_a_datasheet_too(run, tmp_path):
    (tmp_path / "log.jsonl").write_text('{"a": "one", "b": 2}\n{"a": "two", "b": null, "c": "x"}\n')
    told = sheet(run, "log.jsonl")
    assert told["kind"] == "rows" and told["fields"] == {"a": 2, "b": 1, "c": 1} and told["licence"] == "not stated"
    assert "Nobody states a licence." in told["issues"]


def test_what_is_not_there_is_said(run):
    assert "nothing.jsonl" in run("datasheet", "nothing.jsonl", status=1).output


def test_what_is_said_of_a_licence_names_no_option_that_is_not_there(data_file, run):
    said = run("datasheet", "support.jsonl").stdout
    assert "No licence is stated" in said
    assert "--" not in said[said.index("No licence is stated") :].splitlines()[0]
