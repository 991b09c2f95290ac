"""The demo: its traffic and its bill on their own, and the whole of it with the real model."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from cli_month import CARD, NOW_US

from demitasse.cli.bill import COLUMNS, bill_json, bill_rows, comparison_line, key_bills, summary_lines
from demitasse.cli.demo import where_figures_are
from demitasse.cli.traffic import MOST_CHARACTERS, TOPICS, documents, repeats
from demitasse.store.books import SqliteBooks
from demitasse.web.report import build_report, month_start_us


@pytest.fixture
def books(filled):
    books = SqliteBooks(filled)
    yield books
    books.close()


def test_every_python_brings_the_documents_along():
    texts = documents()
    assert len(texts) >= len(TOPICS) - 1
    assert all(100 < len(text) <= MOST_CHARACTERS for text in texts.values())


def test_questions_repeat_as_people_repeat_them_and_the_same_every_time():
    asked = repeats(["a", "b", "c", "d"], 400, seed=7)
    assert asked == repeats(["a", "b", "c", "d"], 400, seed=7)
    assert asked.count("a") > asked.count("b") > asked.count("d")


def test_the_bill_adds_up_per_key_and_in_all(books):
    bills = key_bills(books, month_start_us(NOW_US), NOW_US)
    assert [(b.key, b.sums.requests, b.by_model, b.by_cache, b.refused) for b in bills] == [
        ("alice", 4, 3, 0, 0),
        ("bob", 5, 2, 2, 1),
    ]
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in bill_rows(bills)]
    assert rows[-1]["key"] == "total"
    assert rows[-1]["calls"] == "9"
    assert rows[1]["by"] == "exact cache $0.00331, coalesced $0.00331"
    for bill in bill_json(bills):
        assert bill["baseline_usd"] == pytest.approx(bill["paid_usd"] + bill["saved_usd"], abs=1e-12)
        assert sum(bill["saved_by_cause"].values()) == pytest.approx(bill["saved_usd"], abs=1e-12)


def test_the_summary_gives_every_saving_its_grade_and_energy_its_method(books):
    report = build_report(books, month_start_us(NOW_US), NOW_US, NOW_US)
    said = "\n".join(summary_lines(report, books.spent(NOW_US)))
    assert "$0.00663 of $0.0466 (14 %), grade A" in said
    assert "(modelled)" in said
    assert "budget    default: $0.00331 of $5.00, never more" in said


def test_a_hosted_price_is_for_comparison_and_never_a_saving(books):
    report = build_report(books, month_start_us(NOW_US), NOW_US, NOW_US)
    line = comparison_line(report, CARD, NOW_US)
    assert line.startswith("for comparison (C): the same 5,780 tokens at genai-prices 0.2.3 openai/gpt-5.1: $0.0")
    assert comparison_line(report, None, NOW_US) is None


def test_pages_are_named_only_while_somebody_serves_them():
    assert where_figures_are("http://127.0.0.1:1", stays=True).endswith("http://127.0.0.1:1")
    assert "http" not in where_figures_are("http://127.0.0.1:1", stays=False)


def test_a_paid_model_without_its_key_is_refused_before_anything_runs(run):
    said = run("demo", "--paid", "openai/gpt-5-mini", status=1).stderr
    assert "no key for it in the environment; set OPENAI_API_KEY" in said
    assert "name it as provider/model" in run("demo", "--paid", "gpt-5-mini", status=2).stderr


@pytest.mark.model
@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_whole_demo_ends_in_a_bill_that_adds_up(smollm_path, tmp_path):
    models = tmp_path / "home" / "models"
    models.mkdir(parents=True)
    (models / smollm_path.name).symlink_to(smollm_path)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DEMITASSE_HOME": str(models.parent), "OPENAI_API_KEY": "sk-not-to-be-used"}  # fmt: skip
    command = [sys.executable, "-m", "demitasse", "demo", "--json"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    keys = {row["key"]: row for row in said["bill"]}
    assert keys["bob"]["by_cache"] >= 30
    assert keys["alice"]["refused"] == 1, "a password is refused"
    assert keys["ci-bot"]["refused"] > 0
    assert "budget 'key-ci-bot'" in said["refusal"]
    assert "demitasse budgets set key-ci-bot" in said["refusal"]
    report = said["report"]
    assert report["baseline_usd"] == pytest.approx(report["paid_usd"] + report["saved_usd"], abs=1e-12)
    assert report["paid_usd"] == pytest.approx(sum(row["paid_usd"] for row in said["bill"]), abs=1e-12)
    assert {row["name"] for row in report["by_model"]} <= {"smollm2-135m", ""}
    assert report["energy_wh"]
