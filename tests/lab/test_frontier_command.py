"""`demitasse frontier`: words, table, picture, JSON as documented."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from demitasse.cli import main
from demitasse.cli.ground import World
from tests.docs.pages import page, tables, words
from tests.lab.made_evaluations import evaluation

NAMES = ("tiny", "small", "middle", "large")


def run(data: Path, *arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["frontier", *arguments], obj=World(env={}, cwd=data, data=str(data)))
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    for i, (name, right) in enumerate(zip(NAMES, (0.4, 0.75, 0.8, 0.85), strict=True)):
        values = (rng.random(200) < right).astype(float).tolist()
        evaluation(tmp_path, name, values, cost=1_000 * 10**i, energy=(1_000 * 4**i, 3_000 * 4**i))
    evaluation(tmp_path, "unpriced", [1.0] * 200, cost=None)
    return tmp_path


def test_the_knee_the_steps_and_who_is_not_drawn_are_told(data: Path) -> None:
    told = run(data, *NAMES, "unpriced").output
    assert "Paying more stops paying at 'small'" in told
    assert "Not drawn: unpriced (no price for 200 of 200 calls)" in told
    assert "USD per 1,000 calls" in told and "a point costs" in told
    assert "the last step worth its price" in run(data, *NAMES, "--worth", "0.001").output
    assert "Wh per 1,000 calls" in run(data, *NAMES, "--cost", "energy").output


def test_the_picture_is_written(data: Path) -> None:
    assert "the picture: curve.svg" in run(data, *NAMES, "--svg", "curve.svg").output
    assert (data / "curve.svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_json_has_the_documented_fields(data: Path) -> None:
    known = tables(page("reference/json.md"))
    told = json.loads(run(data, *NAMES, "unpriced", "--json").output)
    assert set(told) == set(words(known["frontier"]))
    assert set(told["points"][0]) == set(words(known["frontier point"]))
    assert set(told["steps"][0]) == set(words(known["frontier step"]))
    assert set(told["knee"]) == set(words(known["knee"]))
    assert told["points"][-1]["cost"] is None
    assert told == json.loads(run(data, *NAMES, "unpriced", "--json", "--seed", "7").output)


def test_an_evaluation_named_twice_is_a_typing_error(data: Path) -> None:
    assert "twice" in run(data, "tiny", "tiny", status=2).output


def test_other_questions_are_refused(data: Path) -> None:
    evaluation(data, "other", [1.0] * 50, input="another {i}")
    assert "different questions" in run(data, "other", "tiny", status=1).output
