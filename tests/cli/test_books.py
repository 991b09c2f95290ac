"""What `report`, `ledger` and `explain` say of a known month."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from demitasse.web.focus import COLUMNS, MANDATORY

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("report.txt", ["report"]),
        ("report.md", ["report", "--md"]),
        ("report.json", ["report", "--json"]),
        ("report.csv", ["report", "--csv"]),
        ("focus.csv", ["report", "--focus", "-"]),
        ("ledger.txt", ["ledger"]),
        ("ledger.jsonl", ["ledger", "--json"]),
        ("explain-paid.txt", ["explain", "c03"]),
        ("explain-cached.txt", ["explain", "c04"]),
        ("explain-local.txt", ["explain", "c06"]),
        ("explain-lost.txt", ["explain", "c09"]),
        ("explain.json", ["explain", "c03", "--json"]),
        ("empty-report.txt", ["report", "--since", "2020-01-01", "--until", "2020-02-01"]),
    ],
)
def test_a_known_month_reads_as_written_down(filled, run, name, arguments, request):
    """Golden files; after a change that is meant, remove them and run once with --golden-write in mind: they are rewritten."""
    said = run(*arguments).stdout
    path = GOLDEN / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(said, encoding="utf-8")
        pytest.fail(f"{path.name} was not there and is written now; look at it and run again")
    assert said == path.read_text(encoding="utf-8")


def test_report_json_has_the_promised_fields_and_adds_up(filled, run):
    said = json.loads(run("report", "--json").stdout)
    assert {"requests", "paid_usd", "baseline_usd", "saved_usd", "saved_by_cause", "held_usd"} <= said.keys()
    assert said["requests"] == 9
    assert said["baseline_usd"] == pytest.approx(said["paid_usd"] + said["saved_usd"], abs=1e-12)
    assert sum(said["saved_by_cause"].values()) == pytest.approx(said["saved_usd"], abs=1e-12)


def test_ledger_json_is_an_object_a_line_with_the_promised_fields(filled, run):
    rows = [json.loads(line) for line in run("ledger", "--json").stdout.splitlines()]
    promised = {"id", "at", "key", "route", "asked_model", "model", "outcome", "cost_usd", "baseline_usd", "usage"}
    assert [row["id"] for row in rows] == [f"c0{n}" for n in range(1, 10)]
    assert all(promised | {"attempts", "cache", "tags"} <= row.keys() for row in rows)
    assert next(row for row in rows if row["id"] == "c08")["cost_usd"] is None
    assert rows[0]["tags"] == {"feature": "titles"}


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--last", "2"], ["c08", "c09"]),
        (["--key", "alice"], ["c01", "c02", "c03", "c09"]),
        (["--outcome", "refused"], ["c07"]),
        (["--model", "tiny"], ["c06"]),
        (["--since", "2h", "--key", "alice"], ["c03", "c09"]),
    ],
)
def test_ledger_shows_only_what_was_chosen(filled, run, options, ids):
    rows = [json.loads(line) for line in run("ledger", "--json", *options).stdout.splitlines()]
    assert [row["id"] for row in rows] == ids


def test_focus_has_the_mandatory_columns_and_sums_to_what_was_paid(filled, run):
    rows = list(csv.DictReader(io.StringIO(run("report", "--focus", "-").stdout)))
    assert list(rows[0])[:21] == list(MANDATORY) == sorted(MANDATORY)
    assert list(rows[0]) == list(COLUMNS)
    paid = json.loads(run("report", "--json").stdout)
    assert float(sum(Decimal(r["BilledCost"]) for r in rows)) == pytest.approx(paid["paid_usd"], abs=1e-12)
    assert float(sum(Decimal(r["x_SavedCost"]) for r in rows)) == pytest.approx(paid["saved_usd"], abs=1e-12)
    assert all(r["ChargeCategory"] == "Usage" and Decimal(r["BilledCost"]) >= 0 for r in rows)
    groups = [(r["ChargePeriodStart"], r["x_Key"], r["x_Model"], r["x_UpstreamModel"], r["x_TokenKind"]) for r in rows]
    assert len(set(groups)) == len(groups)


def test_focus_tells_of_calls_without_a_price_instead_of_calling_them_free(filled, run, tmp_path):
    result = run("report", "--focus", "out.csv")
    assert "left out: 1 calls whose price is not known" in result.stderr
    assert "gpt-5-mini" not in (tmp_path / "out.csv").read_text()


def test_csv_sums_to_the_report(filled, run):
    rows = list(csv.DictReader(io.StringIO(run("report", "--csv").stdout)))
    paid = json.loads(run("report", "--json").stdout)
    assert sum(int(r["requests"]) for r in rows) == paid["requests"]
    assert float(sum(Decimal(r["paid_usd"]) for r in rows if r["paid_usd"])) == pytest.approx(
        paid["paid_usd"], abs=1e-12
    )
    assert [r["paid_usd"] for r in rows if r["model"] == "gpt-5-mini"] == [""]


def test_an_unknown_id_says_where_to_look(filled, run):
    assert (
        "there is no call 'c99' in the books; list the last ones with: demitasse ledger"
        in run("explain", "c99", status=1).stderr
    )


def test_a_report_of_two_kinds_is_a_usage_error(filled, run):
    assert "choose one of" in run("report", "--json", "--md", status=2).stderr


def test_filters_that_leave_nothing_are_not_taken_for_empty_books(filled, run):
    assert "no such call" in run("ledger", "--key", "nobody").stdout


def test_an_empty_store_is_no_error(run):
    assert "no calls yet" in run("ledger").stdout
    assert json.loads(run("report", "--json").stdout)["requests"] == 0
    assert run("ledger", "--json").stdout == ""
