"""Intervals of bounded means: exact where exact ones are known, and never certain of what was not seen."""

from __future__ import annotations

import numpy as np
import pytest

from demitasse.stats.bounded import BoundedMean, design_effect, mean_interval
from demitasse.stats.intervals import clopper_pearson


@pytest.mark.parametrize(("right", "n"), [(0, 60), (3, 60), (30, 60), (60, 60), (200, 400)])
def test_right_or_wrong_values_have_the_interval_of_clopper_and_pearson(right: int, n: int) -> None:
    mine = mean_interval([1.0] * right + [0.0] * (n - right))
    assert mine == pytest.approx(clopper_pearson(right, n), abs=0.004)


def test_sixty_equal_differences_leave_room_for_what_sixty_draws_may_miss() -> None:
    low, high = mean_interval([0.0] * 60, bounds=(-1, 1))
    assert -0.065 < low < -0.055 and 0.055 < high < 0.065


def test_many_graded_values_have_the_normal_interval() -> None:
    values = np.random.default_rng(1).beta(2, 3, 2_000)
    low, high = mean_interval(values)
    half = 1.96 * values.std() / np.sqrt(2_000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)


def test_more_different_clusters_than_can_be_drawn_are_as_good_as_normal() -> None:
    values = np.random.default_rng(2).random(6_000)
    half = 1.96 * values.std() / np.sqrt(6_000)
    assert mean_interval(values) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_copies_in_a_cluster_are_no_evidence() -> None:
    values = np.random.default_rng(3).integers(0, 2, 40).astype(float)
    names = [f"c{i}" for i in range(40)]
    once = mean_interval(values, names)
    tenfold = mean_interval(np.repeat(values, 10), [name for name in names for _ in range(10)])
    assert tenfold == pytest.approx(once, abs=0.01)
    assert design_effect(np.repeat(values, 10), [n for n in names for _ in range(10)]) == pytest.approx(10)
    assert design_effect(values, None) == 1.0


def test_p_values_and_intervals_agree() -> None:
    mean = BoundedMean([1.0] * 12 + [0.0] * 8)
    low, high = mean.interval(0.95)
    assert mean.p_at_most(low) == pytest.approx(0.025, abs=0.002)
    assert mean.p_at_least(high) == pytest.approx(0.025, abs=0.002)
    assert mean.p_at_most(0.0) < mean.p_at_most(0.4) < mean.p_at_most(1.0) == 1.0


def test_a_value_known_only_to_lie_between_two_widens_both_sides() -> None:
    known = BoundedMean([0.5] * 30, bounds=(0, 1)).interval()
    vague = BoundedMean([0.0] * 3 + [0.5] * 27, upper=[1.0] * 3 + [0.5] * 27).interval()
    assert vague[0] < known[0] < known[1] < vague[1]


def test_values_out_of_bounds_and_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.\.1"):
        BoundedMean([1.2])
    with pytest.raises(ValueError, match="one at least"):
        BoundedMean([])


def test_few_draws_asked_for_are_as_many_as_an_end_takes():
    low, high = BoundedMean([0.0, 1.0] * 20, draws=10).interval()
    assert 0.3 < low < 0.5 < high < 0.7
