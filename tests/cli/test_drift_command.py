"""`demitasse drift` and `demitasse forecast`: where things stand, without a gateway, and what is left for one to tell."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_month import DAY_US, NOW_US
from click.testing import Result

from demitasse.store.settings import Settings
from tests.build import drift_ledger

Run = Callable[..., Result]


@pytest.fixture
def weeks(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Thirty days of calls up to noon today, and a runaway in this very hour."""
    monkeypatch.setattr(drift_ledger, "MONDAY_US", (NOW_US // DAY_US - 30) * DAY_US)
    rng = random.Random(1)
    settings = Settings(data)
    for day in range(31):
        settings._commit([e for e in drift_ledger.usual_day(day, rng) if e.at_us < NOW_US])
    hour_us = NOW_US // 3_600_000_000 * 3_600_000_000
    settings._commit([drift_ledger.entry(f"run{n}", hour_us + n * 1_000_000, key="jobs", usd=0.5) for n in range(40)])
    settings.close()
    return data


def test_without_calls_both_say_what_it_takes(run: Run, data: Path) -> None:
    assert "five whole days" in run("drift").stdout
    assert "a forecast takes 5 whole days" in run("forecast").stdout
    told = json.loads(run("drift", "--json").stdout)
    assert (told["streams"], told["spend"], told["watched"]) == ([], [], 0)
    assert json.loads(run("forecast", "--json").stdout)["usd"] is None


def test_where_everything_stands_is_a_table_and_json(run: Run, weeks: Path) -> None:
    said = run("drift").stdout
    assert "cost of a call" in said and "steady" in said
    assert "out of line: key 'jobs' has spent $20." in said
    told = json.loads(run("drift", "--json").stdout)
    assert {row["state"] for row in told["streams"]} <= {"steady", "learning"}
    assert [(row["dimension"], row["name"], row["told"]) for row in told["spend"]] == [("key", "jobs", False)]
    assert told["alerts"] == [], "who only looks tells nobody"


def test_the_months_end_lies_in_its_interval(run: Run, weeks: Path) -> None:
    told = json.loads(run("forecast", "--json").stdout)
    assert told["so_far_usd"] <= told["low_usd"] < told["usd"] < told["high_usd"]
    assert (told["ends_at"], told["weekdays"], told["days"]) == ("2026-12-01T00:00:00Z", True, 30)
    assert "by the month's end, between" in run("forecast").stdout


def test_accepting_and_taking_it_back_say_how_to_undo(run: Run, weeks: Path) -> None:
    run("drift")
    assert "undo with: demitasse drift --unaccept chat/cost" in run("drift", "--accept", "chat/cost").stdout
    stream = next(row for row in json.loads(run("drift", "--json").stdout)["streams"] if row["stream"] == "cost")
    assert (stream["state"], stream["accepted_at"]) == ("learning", "2026-11-21T00:00:00Z")
    run("drift", "--unaccept", "chat/cost")
    stream = next(row for row in json.loads(run("drift", "--json").stdout)["streams"] if row["stream"] == "cost")
    assert stream["accepted_at"] is None
    assert "nothing is watched as 'chat/smell'" in run("drift", "--accept", "chat/smell", status=1).stderr


def test_a_file_that_is_damaged_says_to_delete_it(run: Run, weeks: Path) -> None:
    run("drift")
    for path in weeks.glob("windows.sqlite3*"):
        path.write_bytes(b"no database" * 500)
    assert "delete it: it is made anew" in run("drift", status=1).stderr
    for path in weeks.glob("windows.sqlite3*"):
        path.unlink()
    assert "steady" in run("drift").stdout
