"""The page on JSON has every field that the lab's pages answer with."""

from __future__ import annotations

import re

import pytest

from demitasse.web import lab_facts as facts
from tests.docs.pages import page, tables, words

PAGE = tables(page("reference/json.md"))


def listed(heading: str, field: str) -> set[str]:
    (row,) = (row for row in PAGE[heading] if words([row]) == [field])
    return set(re.findall(r"`([a-z_0-9]+)`", row[2]))


@pytest.mark.parametrize(("heading", "struct"), [("lab run", facts.Evaluation), ("lab sample", facts.Sample)])
def test_rows_have_the_documented_fields(heading: str, struct: type) -> None:
    assert set(words(PAGE[heading])) == set(struct.__struct_fields__)  # type: ignore[attr-defined]


def test_figures_and_load_have_the_documented_members() -> None:
    assert set(facts.Figures.__struct_fields__) == listed("lab run", "summary")
    assert set(facts.LoadFacts.__struct_fields__) == listed("lab run", "load")


def test_pairs_and_curves_have_the_documented_members() -> None:
    assert set(facts.Pair.__struct_fields__) | set(facts.Answer.__struct_fields__) == listed("lab pages", "pairs")
    assert set(facts.Curve.__struct_fields__) - {"task"} == listed("lab pages", "curve")
    assert listed("lab pages", "counts") - {"which"} >= {"a", "b", "neither", "differ"}
