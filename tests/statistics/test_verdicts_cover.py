"""Intervals of differences cover, verdicts err at most as often as they say, the planner's n has its power; see bench/lab_statistics."""

from __future__ import annotations

import pytest

from bench.lab_statistics import (
    ALPHA,
    AT_MARGIN,
    PLANS,
    SIZES,
    WORLDS,
    cover,
    errs,
    family,
    hidden,
    holds,
    planned,
    scores,
)

SEED = 11


def check_cover(name: str, n: int, runs: int) -> None:
    """Each side by itself: a verdict is read off one of them."""
    found = cover(name, n, runs, SEED)
    assert holds(found["below"], runs, ALPHA / 2), found
    assert holds(found["above"], runs, ALPHA / 2), found


@pytest.mark.parametrize("name", WORLDS)
def test_the_truth_lies_outside_an_interval_of_95_percent_in_one_of_twenty_at_most(name: str) -> None:
    for n in (20, 60):
        check_cover(name, n, 80)


def test_the_percentile_bootstrap_would_not_have_done() -> None:
    assert cover("one way 2 %", 20, 120, SEED)["percentile_bootstrap_missed"] > 0.4


def test_the_length_is_that_of_a_good_interval_and_not_the_price_of_safety() -> None:
    """Within an eighth of the normal interval's, which does not cover."""
    for n, most in ((200, 1.125), (400, 1.09)):
        length = cover("discordance 10 %", n, 60, SEED)["length"]
        assert length < most * 2 * 1.96 * (0.1 / n) ** 0.5


@pytest.mark.parametrize("rate", [0.01, 0.5, 0.95])
def test_scores_of_one_model_are_covered(rate: float) -> None:
    found = scores(rate, 60, 2_000, SEED)
    assert found["bounded_missed"] < 0.06
    assert (
        found["wilson_missed"] < 0.09
    )  # on average right; at some rates it is not, which is why no verdict rests on it


@pytest.mark.parametrize("kind", AT_MARGIN)
def test_wrong_verdicts_are_rarer_than_alpha(kind: str) -> None:
    runs = 80
    for n in (20, 60):
        found = errs(kind, n, runs, SEED)
        assert all(
            holds(round(found[name] * runs), runs, ALPHA / 2) for name in ("non-inferior", "inferior", "superior")
        )


def test_who_hides_his_failures_gains_nothing() -> None:
    found = hidden(200, 60, SEED)
    assert holds(round(found["non-inferior"] * 60), 60, ALPHA / 2)
    assert found["non-inferior, unscored left out"] > 0.2


def test_twenty_candidates_find_no_winner_by_luck() -> None:
    found = family(20, 100, 20, SEED)
    assert holds(round(found["up"] * 20), 20, ALPHA / 2)
    assert holds(round(found["down"] * 20), 20, ALPHA / 2)


@pytest.mark.parametrize("plan", PLANS)
def test_the_planned_number_of_samples_decides_four_times_of_five(plan: tuple[float, float, float]) -> None:
    assert 0.68 < planned(plan, 150, SEED)["decided"] < 0.92


# ── in depth ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", WORLDS)
def test_intervals_cover_in_depth(name: str) -> None:
    for n in SIZES:
        check_cover(name, n, 1_000)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", AT_MARGIN)
def test_verdicts_err_at_their_rate_in_depth(kind: str) -> None:
    runs = 1_000
    for n in SIZES:
        found = errs(kind, n, runs, SEED)
        assert all(
            holds(round(found[name] * runs), runs, ALPHA / 2) for name in ("non-inferior", "inferior", "superior")
        )


@pytest.mark.long
@pytest.mark.timeout(900)
def test_families_in_depth() -> None:
    for k in (5, 20):
        found = family(k, 100, 400, SEED)
        assert holds(round(found["up"] * 400), 400, ALPHA / 2)
        assert holds(round(found["down"] * 400), 400, ALPHA / 2)
    assert found["up without Holm"] > 0.1


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("plan", PLANS)
def test_the_planner_in_depth(plan: tuple[float, float, float]) -> None:
    assert 0.76 < planned(plan, 2_000, SEED)["decided"] < 0.86
