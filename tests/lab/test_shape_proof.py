"""What it takes to prove that a shaper does no harm."""

from __future__ import annotations

import random

import pytest

from demitasse.lab.shape_proof import DAY_US, Pair, needed, prove


def proof(pairs: list[Pair], margin: float = 0.05):
    return prove(
        pairs,
        route="auto",
        shaper="compact_json",
        margin=margin,
        delta=0.05,
        tokens_saved=0.3,
        model="m",
        method="exact",
        at_us=0,
        days=30,
    )


def test_without_a_case_nothing_is_proven() -> None:
    assert proof([]).worse_at_most == 1.0 and not proof([]).holds(0)


@pytest.mark.parametrize("margin", [0.02, 0.05, 0.1])
def test_as_many_cases_as_are_needed_prove_the_margin_when_none_is_made_worse(margin: float) -> None:
    n = needed(margin, 0.05)
    assert proof([Pair(plain=True, shaped=True)] * n, margin).holds(0)
    assert not proof([Pair(plain=True, shaped=True)] * (n * 9 // 10), margin).holds(0)
    assert n == pytest.approx(3 / margin, rel=0.1), "the rule of three"


def test_what_is_mended_does_not_make_up_for_what_is_broken() -> None:
    found = proof([Pair(plain=True, shaped=False)] * 10 + [Pair(plain=False, shaped=True)] * 90)
    assert (found.worse, found.better) == (10, 90) and not found.holds(0)


def test_it_holds_for_its_days() -> None:
    found = proof([Pair(plain=True, shaped=True)] * 100)
    assert found.holds(30 * DAY_US - 1) and not found.holds(30 * DAY_US)


def test_a_shaper_that_does_harm_at_the_margin_passes_seldom() -> None:
    passed = 0
    for seed in range(400):
        draw = random.Random(seed)
        passed += proof([Pair(plain=True, shaped=draw.random() >= 0.05) for _ in range(150)]).holds(0)
    assert passed <= 0.05 * 400 + 9, "5 %, and three standard errors of 400 draws"
