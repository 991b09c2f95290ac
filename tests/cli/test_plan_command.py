"""`plan` from typed figures, from the books, from a file; as text, JSON and a picture."""

from __future__ import annotations

import json
from itertools import cycle
from pathlib import Path

import pytest
from cli_month import fill, month
from msgspec import structs

from demitasse.core.evidence import OWN_KEYS
from demitasse.lab.evals.result import Run as Evaluation
from demitasse.lab.evals.result import Summary, folder, write
from tests.docs.pages import page, tables, words

TYPED = ("plan", "--calls-per-day", "50000", "--in", "800", "--out", "200", "--peak", "4")


def test_a_traffic_typed_in_gets_a_recommendation_tables_and_a_picture(run, tmp_path: Path) -> None:
    told = run(*TYPED, "--svg", "plan.svg").output
    assert "is the cheapest" in told
    assert "edge:mac-mini-m4/qwen3.5-9b" in told
    assert "Break-even" in told
    assert (tmp_path / "plan.svg").read_text().startswith("<svg")


def test_the_json_has_the_options_with_money_as_triples(run) -> None:
    told = json.loads(
        run(*TYPED, "--json", "--option", "hosted:openai/gpt-5-mini", "--option", "edge:here/smollm2-135m").output
    )
    assert {o["name"] for o in told["options"]} == {"hosted:openai/gpt-5-mini", "edge:here/smollm2-135m"}
    for option in told["options"]:
        low, middle, high = option["full_usd_per_month"]
        assert 0 < low <= middle <= high
    assert told["words"]


def test_a_traffic_of_the_books_is_planned(run, filled: Path) -> None:
    told = json.loads(run("plan", "--from", "ledger", "--since", "60d", "--json").output)
    assert told["profile"]["calls_per_day"][0] > 0
    assert told["profile"]["source"].startswith("the ledger")
    wrong = run("plan", "--from", "ledger:no-such-route", "--since", "60d", status=1)
    assert "no calls on a route 'no-such-route'" in wrong.output


def test_what_the_lab_and_its_judges_asked_is_no_traffic(run, data: Path) -> None:
    asked = [structs.replace(one, key=key) for one, key in zip(month(), cycle(OWN_KEYS), strict=False)]
    fill(data, asked)
    told = run("plan", "--from", "ledger", "--since", "60d", status=1)
    assert "no call reached a model" in told.output


def test_figures_of_ones_own_change_the_plan(run) -> None:
    cheap = json.loads(
        run(*TYPED, "--json", "--set", "gpu.h100.usd_per_hour=0.1", "--set", "ops.rented.usd_per_month=0").output
    )
    assert cheap["options"][0]["kind"] == "rented"


def test_a_score_below_the_quality_leaves_an_option_out(run) -> None:
    scored = ("--quality", "0.9", "--score", "hosted:groq/openai/gpt-oss-20b=0.8")
    told = json.loads(run(*TYPED, "--json", *scored).output)
    assert told["options"][-1]["name"] == "hosted:groq/openai/gpt-oss-20b"
    assert told["options"][-1]["meets"] is False


def test_a_file_and_flags_go_together(run, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        '[traffic]\ncalls_per_day = 7\ntokens_in = 10\ntokens_out = 10\n[set]\n"power.pue" = 1.1\n'
    )
    told = json.loads(run("plan", "--file", "p.toml", "--calls-per-day", "9", "--json").output)
    assert told["profile"]["calls_per_day"] == [9, 9]
    assert next(row for row in told["inputs"] if row["name"] == "power.pue")["method"] == "set"


def test_the_inputs_are_listed_with_their_sources(run) -> None:
    rows = json.loads(run("plan", "--inputs", "--json").output)
    assert any(row["name"] == "gpu.h100.usd_per_hour" and row["url"] for row in rows)
    assert "gpu.h100.usd_per_hour" in run("plan", "--inputs").output


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("plan",), 2, "--calls-per-day, --in, --out"),
        (("plan", "--from", "books"), 2, "ledger:ROUTE"),
        ((*TYPED, "--option", "hosted:openai/gpt-5-mni"), 1, "did you mean 'openai/gpt-5-mini'"),
        ((*TYPED, "--score", "x"), 2, "OPTION=0.91"),
        ((*TYPED, "--score", "own:x/y=0.5"), 1, "which isn't compared"),
        (("plan", "--calls-per-day", "-3", "--in", "1", "--out", "1"), 1, "negative"),
        ((*TYPED, "--file", "none.toml"), 1, "none.toml"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(run, arguments, status, told) -> None:
    assert told in run(*arguments, status=status).output


def test_the_json_has_the_documented_fields(run) -> None:
    headings = tables(page("reference/json.md"))
    told = json.loads(run(*TYPED, "--json").output)
    assert set(told) == set(words(headings["plan"]))
    assert set(told["options"][0]) == set(words(headings["plan option"]))
    assert set(told["break_evens"][0]) == set(words(headings["plan break-even"]))
    assert set(told["tornado"][0]) == set(words(headings["plan swing"]))
    assert set().union(*told["inputs"]) == set(words(headings["plan input"]))
    assert set(told["profile"]) <= set(words(headings["plan profile"]))


def test_a_score_comes_from_an_evaluation_with_its_interval(run, data: Path) -> None:
    summary = Summary(n=50, samples=50, quality=0.8, quality_interval=(0.67, 0.89), format_failures=0, wrong=10, unscored=0, errors=0, cost_nanos=0)  # fmt: skip
    told = Evaluation(id="ev1", task="t", task_hash="h", form="free", scorer="exact", model="m", identity="m", mode="live", n=50, began_us=1)  # fmt: skip
    folder(data, "ev1").mkdir(parents=True)
    for written in (told, structs.replace(told, summary=summary)):
        write(folder(data, "ev1"), written)
        scored = (
            *TYPED,
            "--json",
            "--quality",
            "0.9",
            "--option",
            "hosted:openai/gpt-5-mini",
            "--score",
            "hosted:openai/gpt-5-mini=ev1",
        )
        if written.summary is None:
            assert "has no score yet" in run(*scored, status=1).output
            continue
        (option,) = json.loads(run(*scored).output)["options"]
        assert option["quality_interval"] == [0.67, 0.89]
        assert option["meets"] is False
