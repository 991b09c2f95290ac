"""The page on personal data: its example runs, its table names every type, its numbers are the files', its hash the weights'."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench.blind_personal import FILES, PATTERNED, rows, tally, together
from bench.personal import STRUCTURED, rates
from demitasse.guard import personal
from demitasse.guard.kinds import NAMED, TYPES
from demitasse.guard.names.tagger import SHA256

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/personal-data.md").read_text(encoding="utf-8")


def test_the_example_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "personal-data.md", "exec"), {})


def test_every_type_has_its_row_and_its_tier() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([12, ]+) \|", PAGE, re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(TYPES)
    assert {name for name, tier in rows if tier.strip() == "2"} == NAMED


@pytest.mark.parametrize(("at", "file"), [(1, "dev"), (2, "test"), (3, "test_again")])
def test_the_numbers_are_those_of_the_raw_results(at: int, file: str) -> None:
    def measured(names: str) -> dict[str, dict[str, dict[str, float]]]:
        return json.loads((ROOT / f"bench/results/personal_{file}_{names}.json").read_text(encoding="utf-8"))

    def said(row: str) -> float:
        line = next(line for line in PAGE.splitlines() if line.startswith(f"| {row}"))
        number = re.search(r"[\d.]+", line.split("|")[at + 1])
        assert number
        return float(number[0])

    assert said("structured types") == pytest.approx(measured("none")["overlap"]["structured"]["f2"])
    assert said("all types, tier 1 ") == pytest.approx(measured("none")["overlap"]["all"]["f2"])
    assert said("all types, tiers 1 and 2") == pytest.approx(measured("own")["overlap"]["all"]["f2"])
    assert said("the same, spans") == pytest.approx(measured("own")["strict"]["all"]["f2"])
    assert said("CPU-ms per 1,000 characters, tier 1") == pytest.approx(measured("none")["cpu_ms_per_1000"], abs=0.005)
    assert said("CPU-ms per 1,000 characters, both") == pytest.approx(measured("own")["cpu_ms_per_1000"], abs=0.05)


@pytest.mark.parametrize(
    ("row", "group", "names"),
    [
        ("eight structured types", "structured", "none"),
        ("with ids,", "numbers", "none"),
        ("all that patterns", "patterned", "none"),
        ("every type", "all", "own"),
    ],
)
def test_the_numbers_of_the_texts_by_somebody_else_are_those_of_the_raw_results(
    row: str, group: str, names: str
) -> None:
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {row}"))
    states = ["before", "after"] + (["presidio_0"] if names == "none" else [])
    for column, state in enumerate(states, 2):
        raw = json.loads((ROOT / f"bench/results/personal_blind_test_{state}_{names}.json").read_text(encoding="utf-8"))
        told = raw["overlap"][group]
        said = [float(number) for number in re.findall(r"[\d.]+\d", line.split("|")[column])]
        assert said[:3] == [told["f2"], *told["f2_95"]]
        assert said[3:] == pytest.approx([told["precision"], told["recall"]], abs=0.0051)


def test_the_two_sets_of_texts_share_none_and_their_places_are_within_them() -> None:
    texts: list[set[str]] = []
    for name in ("personal_dev", "personal_blind"):
        rows = [
            json.loads(line) for line in (ROOT / f"tests/data/{name}.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        texts.append({row["text"] for row in rows})
        for row in rows:
            assert all(0 <= one["start"] < one["end"] <= len(row["text"]) for one in row["entities"])
    assert texts[0].isdisjoint(texts[1])


def test_what_was_found_in_the_texts_that_were_read_is_found_still() -> None:
    tallies = [tally(gold, personal.find(text)[0], 0.0) for text, gold in rows(FILES["dev"])[0]]
    assert rates(together(tallies, STRUCTURED)[:4])["f2"] >= 0.99
    assert rates(together(tallies, PATTERNED)[:4])["f2"] >= 0.93


def test_the_model_card_names_the_weights() -> None:
    assert f"`{SHA256}`" in (ROOT / "docs/models/names.md").read_text(encoding="utf-8")
