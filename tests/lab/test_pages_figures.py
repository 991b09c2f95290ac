"""Figures that pages tell of what lies in the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec


def test_the_page_on_injection_counts_the_suites_attacks() -> None:
    lines = (files("demitasse.lab.injection") / "suite.jsonl").read_bytes().splitlines()
    attacks = sum(msgspec.json.decode(line).get("attack", True) for line in lines)
    page = (Path(__file__).parents[2] / "docs" / "injection.md").read_text()
    assert f"has {attacks} attacks that we wrote" in page and f"and {len(lines) - attacks} honest texts" in page
