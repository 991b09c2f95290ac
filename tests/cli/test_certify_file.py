"""`demitasse certify --outcomes FILE`: the documented object, in three formats, and a sentence for every bad file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.lab.test_offline import population

Run = Callable[..., Result]
FIELDS = {
    "certified", "threshold", "saving", "saving_interval", "quality", "floor", "wanted", "delta", "n_train", "n_certify",
    "just_switch", "baselines", "slices", "next_labels",
}  # fmt: skip


def rows(n: int, seed: int) -> list[dict[str, object]]:
    found = population(n, seed)
    return [
        {"prompt": prompt, "cheap": float(c), "reference": float(r)}
        for prompt, c, r in zip(found.prompts, found.cheap, found.reference, strict=True)
    ]


def write_csv(path: Path, found: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        writer.writerows(found)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_csv(tmp_path / "o.csv", rows(600, 1))
    write_csv(tmp_path / "h.csv", rows(2_000, 2))
    return tmp_path


def test_the_object_says_what_is_promised_and_what_rows_never_seen_say(run: Run, files: Path) -> None:
    told = json.loads(run("certify", "--outcomes", "o.csv", "--holdout", "h.csv", "--json").stdout)
    assert set(told) == FIELDS | {"holdout"}
    assert told["certified"] is True and isinstance(told["threshold"], float)
    assert told["quality"] >= told["floor"] >= 0.95 - 1e-9 and told["delta"] == 0.05
    assert told["holdout"]["quality"] >= 0.95 and told["holdout"]["saving"] == pytest.approx(told["saving"], abs=0.1)
    assert set(told["baselines"]) == {"always_small", "best_single", "random_mix", "oracle"}
    assert all(set(n) == {"labels", "saving"} for n in told["next_labels"])


def test_the_three_formats_mean_the_same(run: Run, files: Path) -> None:
    found = rows(600, 1)
    (files / "o.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    pyarrow = pytest.importorskip("pyarrow", reason="the extra [lab] is not installed")
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(found), files / "o.parquet")
    told = [
        json.loads(run("certify", "--outcomes", f"o.{kind}", "--json").stdout) for kind in ("csv", "jsonl", "parquet")
    ]
    assert told[0] == told[1] == told[2]


def test_nothing_certified_ends_with_one_and_the_object_all_the_same(run: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "bad.csv", [row | {"cheap": 0} for row in rows(200, 3)])
    told = json.loads(run("certify", "--outcomes", "bad.csv", "--json", status=1).stdout)
    assert told["certified"] is False and told["threshold"] is None
    assert (told["saving"], told["quality"]) == (0.0, 1.0)
    assert "Nothing certified" in run("certify", "--outcomes", "bad.csv", status=1).stdout


def test_prices_and_costs_decide_what_is_saved(run: Run, files: Path) -> None:
    cheap = json.loads(run("certify", "--outcomes", "o.csv", "--json", "--prices", "cheap=0.01,reference=10").stdout)
    dear = json.loads(run("certify", "--outcomes", "o.csv", "--json", "--prices", "cheap=5,reference=10").stdout)
    assert cheap["baselines"]["always_small"]["saving"] == pytest.approx(0.999)
    assert dear["baselines"]["always_small"]["saving"] == pytest.approx(0.5)
    write_csv(files / "c.csv", [row | {"cheap_cost": 1, "reference_cost": 4} for row in rows(600, 1)])
    told = json.loads(run("certify", "--outcomes", "c.csv", "--json").stdout)
    assert told["baselines"]["always_small"]["saving"] == pytest.approx(0.75)


def test_the_words_are_for_whoever_pays(run: Run, files: Path) -> None:
    said = run("certify", "--outcomes", "o.csv", "--holdout", "h.csv").stdout
    assert "Certified: quality is at least 95.0 % of always asking the reference, with 95 % confidence" in said
    assert "On 2,000 rows never seen" in said and "always-small" in said and "more labels: about" in said
    assert "characters / 4" in said


GOOD = {"prompt": "p", "cheap": "1", "reference": "1"}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "promt,cheap,reference\nx,1,1\n", "no column 'prompt'; did you mean 'promt'"),
        ("a.csv", "prompt,cheap,reference\nx,1,1\ny,1.5,1\n", "line 3, cheap: '1.5' is no score"),
        ("a.csv", "prompt,cheap,reference\nx,nan,1\n", "line 2, cheap: 'nan' is no score"),
        ("a.csv", "prompt,cheap,reference\nx,1,1,1\n", "more fields than the first line"),
        ("a.csv", "prompt,cheap,reference\nx,,1\n", "line 2, cheap: '' is no score"),
        ("a.csv", "prompt,cheap,reference,cheap_cost\nx,1,1,3\n", "cheap_cost but no reference_cost"),
        (
            "a.csv",
            "prompt,cheap,reference,cheap_cost,reference_cost\nx,1,1,-1,2\n",
            "line 2, cheap_cost: '-1' is no cost",
        ),
        ("a.csv", "", "holds no rows"),
        ("a.csv", "prompt,cheap,reference\n" + "x,1,1\n" * 5, "5 rows are too few"),
        ("a.jsonl", '{"prompt": "x", "cheap": 1}\n', "no column 'reference'"),
        ("a.jsonl", '{"prompt": "x", \n', "line 1: "),
        ("a.jsonl", "[1, 2]\n", "line 1: is no JSON object"),
        ("a.xlsx", "x", "neither .csv, .jsonl nor .parquet"),
        ("a.parquet", "no parquet", "is no Parquet file"),
    ],
)
def test_a_bad_file_says_where_and_what_now(run: Run, tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    assert says in run("certify", "--outcomes", name, status=1).stderr


@pytest.mark.parametrize(
    ("prices", "says"),
    [
        ("cheep=1,reference=2", "did you mean 'cheap'"),
        ("cheap=1", "reference is missing"),
        ("cheap=one,reference=2", "not 'one'"),
        ("cheap=-1,reference=2", "not '-1'"),
    ],
)
def test_prices_that_cannot_be_meant(run: Run, files: Path, prices: str, says: str) -> None:
    assert says in run("certify", "--outcomes", "o.csv", "--prices", prices, status=1).stderr


def test_a_file_that_is_not_there(run: Run) -> None:
    assert "name a CSV, JSONL or Parquet file" in run("certify", "--outcomes", "none.csv", status=1).stderr


def test_a_route_and_a_file_are_two_questions(run: Run, files: Path) -> None:
    assert "leave out ROUTE" in run("certify", "auto", "--outcomes", "o.csv", status=2).stderr
    assert "name a ROUTE" in run("certify", status=2).stderr
    assert "go with --outcomes" in run("certify", "auto", "--prices", "cheap=1,reference=2", status=2).stderr
