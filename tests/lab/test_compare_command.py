"""`demitasse compare`: exit status as a gate, JSON as documented, and clear words where evaluations don't fit together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from demitasse.cli import main
from demitasse.cli.ground import World
from tests.docs.pages import page, tables, words
from tests.lab.made_evaluations import evaluation

RIGHT = [1.0] * 200


def run(data: Path, *arguments: str, status: int) -> Result:
    result = CliRunner().invoke(main, ["compare", *arguments], obj=World(env={}, cwd=data, data=str(data)))
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def data(tmp_path: Path) -> Path:
    evaluation(tmp_path, "large", RIGHT, cost=5_000)
    evaluation(tmp_path, "small", [0.0] * 2 + RIGHT[2:], cost=500, failure="format")
    evaluation(tmp_path, "tiny", [0.0] * 80 + RIGHT[80:], cost=100)
    return tmp_path


def test_a_gate_passes_only_on_what_is_proven(data: Path) -> None:
    assert run(data, "small", "large", "--margin", "0.05", status=0).output.startswith("non-inferior")
    assert run(data, "small", "large", "--margin", "0.01", status=1).output.startswith("inconclusive")
    assert run(data, "tiny", "large", status=1).output.startswith("inferior")
    assert run(data, "large", "tiny", status=0).output.startswith("superior")
    run(data, "small", "large", "--margin", "0.01", "--allow-inconclusive", status=0)
    run(data, "tiny", "large", "--allow-inconclusive", status=1)


def test_several_candidates_fail_together(data: Path) -> None:
    told = run(data, "small", "tiny", "large", "--margin", "0.05", status=1).output
    assert "non-inferior: small against large" in told and "inferior: tiny against large" in told


def test_the_picture_names_samples_costs_and_form(data: Path) -> None:
    told = run(data, "small", "large", "--margin", "0.05", status=0).output
    assert "worse now: 2" in told and "s0  1 -> 0, not readable: format" in told
    assert "(1/10)" in told and "not readable" in told
    assert "s0  1" not in run(data, "small", "large", "--margin", "0.05", "--samples", "0", status=0).output


def test_the_json_has_the_documented_fields(data: Path) -> None:
    known = tables(page("reference/json.md"))
    told = json.loads(run(data, "small", "large", "--json", "--margin", "0.05", status=0).output)
    assert set(told) == set(words(known["comparison"]))
    assert set(told["candidate"]) == set(words(known["side"]))
    assert set(told["p"]) == set(words(known["pairs"]))
    assert told["candidate"]["usd_per_1000"] == 0.0005
    several = json.loads(run(data, "small", "tiny", "large", "--json", status=1).output)
    assert [one["candidate"]["name"] for one in several] == ["small", "tiny"]
    assert len(several[0]["p_adjusted"]) == 3


def test_other_questions_under_the_same_ids_are_refused(data: Path) -> None:
    evaluation(data, "other", RIGHT, input="another {i}")
    told = run(data, "other", "large", status=1).output
    assert "different questions by sample 's0'" in told and "same task" in told


def test_fewer_samples_are_paired_and_said(data: Path) -> None:
    evaluation(data, "short", RIGHT[:120])
    told = run(data, "short", "large", "--margin", "0.05", status=0).output
    assert "80 samples that only 'large' was asked are left out" in told


def test_what_else_differs_is_said(data: Path) -> None:
    evaluation(data, "twice", RIGHT, repeats=2, model="large")
    evaluation(data, "prompted", RIGHT, system="Be brief.")
    told = run(data, "twice", "large", "--margin", "0.05", status=0).output
    assert "'twice' and 'large' differ in the repeats" not in told  # the runs say 1 both; rows decide
    assert "large twice against large large" in told
    shown = json.loads(run(data, "prompted", "large", "--json", "--margin", "0.05", status=0).output)
    assert "differ in the prompt too" in shown["notes"][0]


def test_one_evaluation_alone_or_twice_is_a_typing_error(data: Path) -> None:
    assert "name two evaluations" in run(data, "large", status=2).output
    assert "twice" in run(data, "large", "large", status=2).output


def test_an_unknown_evaluation_is_an_error_that_lists_those_there_are(data: Path) -> None:
    told = run(data, "nobody", "large", status=1).output
    assert "no evaluation 'nobody'" in told and "small" in told
