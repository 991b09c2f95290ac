"""The page on personal data: its example runs, its table names every type, its numbers are the files', its hash the weights'."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

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


def test_the_model_card_names_the_weights() -> None:
    assert f"`{SHA256}`" in (ROOT / "docs/models/names.md").read_text(encoding="utf-8")
