"""`demitasse savings`: what is on, who says so, and two commands that undo each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Run = Callable[..., Result]


def listed(run: Run) -> dict[str, dict]:
    return {row["name"]: row for row in json.loads(run("savings", "list", "--json").stdout)}


def test_savings_are_listed_from_the_safest_up(run: Run) -> None:
    rows = listed(run)
    assert list(rows) == ["exact-cache", "prompt-cache", "shadow", "semantic-cache"]
    assert [row["on"] for row in rows.values()] == [True, True, False, False]
    assert {row["origin"] for row in rows.values()} == {"default"}
    assert "exact-cache" in run("savings", "list").stdout


def test_on_and_off_undo_each_other_and_say_how(run: Run) -> None:
    assert "undo with: demitasse savings off shadow" in run("savings", "on", "shadow").stdout
    assert listed(run)["shadow"]["on"] and listed(run)["shadow"]["origin"] == "store"
    assert "on already" in run("savings", "on", "shadow").stdout
    assert "undo with: demitasse savings on shadow" in run("savings", "off", "shadow").stdout
    assert not listed(run)["shadow"]["on"]


def test_what_the_file_says_is_changed_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "demitasse.toml").write_text("[cache]\nexact = false\n")
    assert listed(run)["exact-cache"]["origin"] == "file"
    said = run("savings", "on", "exact-cache", status=1).stderr
    assert "exact cache is set in demitasse.toml; change it there: cache.exact" in said


def test_a_misspelt_saving_gets_the_near_name(run: Run) -> None:
    assert "did you mean 'shadow'?" in run("savings", "on", "shado", status=1).stderr
