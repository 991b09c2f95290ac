"""The page on dependencies and its rows, against requirements.lock and pyproject.toml: neither may let in a hole that is known.

A new pin or package fails here until somebody has looked at it: then correct bench/results/dependency_audit.json and the page.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.docs.pages import ROOT, page

AUDIT = json.loads((ROOT / "bench/results/dependency_audit.json").read_text(encoding="utf-8"))
ROWS: dict[str, dict[str, Any]] = {row["package"]: row for row in AUDIT["rows"]}
HOLES = [(name, hole) for name, row in ROWS.items() for hole in row["advisories"]]
FIXED = [(name, hole) for name, hole in HOLES if hole["fixed_in"]]
OPEN = [(name, hole) for name, hole in HOLES if not hole["fixed_in"]]


def locked() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if pin := re.match(r"([\w.-]+)==([^\s;]+)", line):
            found.setdefault(pin[1], []).append(pin[2])
    return found


def floors() -> list[tuple[str, str]]:
    """The least version that each requirement lets in."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = told["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values(), *told["dependency-groups"].values()]
    each = {Requirement(text) for group in groups for text in group}
    return [
        (canonicalize_name(one.name), spec.version) for one in each for spec in one.specifier if spec.operator == ">="
    ]


def cells(row: dict[str, Any]) -> str:
    """A row of the page's table."""
    holes = row["advisories"]
    least = max((hole["fixed_in"] for hole in holes if hole["fixed_in"]), key=Version, default=None)
    last = [hole["id"] for hole in holes if hole["fixed_in"] in {least, None}]
    pinned = ", ".join(row["pinned"]) or f"extra, {row['newest']}"
    stands = row["verdict"] if row["verdict"] == "fixed" else f"[{row['verdict']}](#open-and-why-it-does-not-reach-us)"
    return f"| `{row['package']}` | {pinned} | {len(holes)} | {', '.join(last)} | {least or 'nowhere'} | {stands} |"


def test_what_is_pinned_is_what_was_looked_at():
    assert {name: row["pinned"] for name, row in ROWS.items() if row["pinned"]} == locked()


@pytest.mark.parametrize(("name", "hole"), FIXED, ids=lambda one: one if isinstance(one, str) else one["id"])
def test_no_pin_is_older_than_what_mends_a_known_hole(name, hole):
    row = ROWS[name]
    assert min(map(Version, [*row["pinned"], row["newest"]])) >= Version(hole["fixed_in"]), hole["source"]


def test_no_requirement_lets_in_a_release_with_a_known_hole():
    wrong = [
        f"{name}>={floor}: {hole['id']} is mended in {hole['fixed_in']}"
        for name, floor in floors()
        for at, hole in FIXED
        if at == name and Version(floor) < Version(hole["fixed_in"])
    ]
    assert wrong == []


def test_every_direct_dependency_has_a_row():
    assert sorted({name for name, _ in floors()} - ROWS.keys()) == []


@pytest.mark.parametrize(("name", "hole"), OPEN, ids=lambda one: one if isinstance(one, str) else one["id"])
def test_an_open_hole_says_why_it_does_not_reach_us(name, hole):
    assert ROWS[name]["verdict"] == "open, out of reach"
    assert hole["why"]
    assert f"| `{name}` | {hole['id']} |" in page("dependencies.md")


def test_every_source_is_an_address():
    assert [hole for _, hole in HOLES if not hole["source"].startswith("https://")] == []


def test_the_table_is_the_rows():
    shown = [line for line in page("dependencies.md").splitlines() if re.match(r"\| `[\w-]+` \|( [^|]*\|){5}$", line)]
    assert shown == [cells(row) for row in ROWS.values() if row["advisories"]]


def test_packages_without_a_finding_are_named():
    text = page("dependencies.md").partition("## Nothing found")[2]
    named = set(re.findall(r"`([\w.-]+)`", text.partition("\n## ")[0]))
    assert named == {name for name, row in ROWS.items() if not row["advisories"]}
