"""The Pareto set, both knees, and what resampling makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.stats import pareto

COST = np.array([1.0, 10.0, 100.0, 1000.0])
QUALITY = np.array([0.5, 0.8, 0.85, 0.9])


def test_nobody_in_the_pareto_set_is_beaten_and_equals_stay_together() -> None:
    cost = np.array([1.0, 2.0, 2.0, 3.0, 3.0])
    quality = np.array([0.5, 0.7, 0.7, 0.7, 0.9])
    assert pareto.front(cost, quality).tolist() == [True, True, True, False, True]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_whoever_is_not_in_the_set_is_beaten_by_a_member(points: list[tuple[int, int]]) -> None:
    cost, quality = np.array(points, dtype=float).T
    inside, beats = pareto.front(cost, quality), pareto.dominated(cost, quality)
    assert inside.any()
    assert all(inside[i] or beats[i][inside].any() for i in range(len(points)))


def test_the_knee_by_worth_is_the_last_step_that_pays() -> None:
    # prices of a whole unit of quality: 30, 1800, 18000
    for worth, at in ((10, 0), (31, 1), (1_700, 1), (1_900, 2), (20_000, 3)):
        assert pareto.worth_it(COST, QUALITY, worth) == at


def test_the_bend_does_not_depend_on_units() -> None:
    assert pareto.bend(COST, QUALITY) == 1
    assert pareto.bend(COST * 37, 100 * QUALITY - 3) == 1
    beaten = np.append(COST, 20.0), np.append(QUALITY, 0.1)
    assert pareto.bend(*beaten) == 1


def test_a_straight_line_and_two_points_have_no_bend_and_one_point_is_its_own() -> None:
    assert pareto.bend(COST[:2], QUALITY[:2]) == pareto.NONE
    assert pareto.bend(COST[:3], np.array([0.2, 0.5, 0.8])) == pareto.NONE
    assert pareto.bend(COST[:3], np.array([0.2, 0.3, 0.8])) == pareto.NONE
    assert pareto.bend(COST[:2], np.array([0.9, 0.5])) == 0


def test_what_is_free_can_be_the_knee_of_nothing_but_stands_on_the_axis() -> None:
    assert pareto.log_cost(np.array([0.0, 1.0, 10.0])) == pytest.approx(np.log([0.1, 1.0, 10.0]))
    assert pareto.bend(np.array([0.0, 1.0, 10.0]), np.array([0.5, 0.8, 0.82])) == 1
    assert pareto.bend(np.zeros(2), np.array([0.5, 0.8])) == 1


def test_draws_are_judged_at_once_as_they_would_be_one_by_one() -> None:
    rng = np.random.default_rng(1)
    cost, quality = rng.random((50, 6)), rng.random((50, 6))
    assert (pareto.front(cost, quality) == [pareto.front(c, q) for c, q in zip(cost, quality, strict=True)]).all()
    assert (pareto.bend(cost, quality) == [pareto.bend(c, q) for c, q in zip(cost, quality, strict=True)]).all()


def test_candidates_are_resampled_together() -> None:
    values = np.random.default_rng(2).integers(0, 2, 300).astype(float)
    quality, cost = pareto.resampled(np.column_stack([values, values]), np.ones((300, 2)), seed=3)
    gap = quality[:, 0] - quality[:, 1]
    assert quality[:, 0].std() > 0.02 > 6 * gap.std() > 0  # all that parts them is the sample nobody has seen
    assert (cost == pytest.approx(1.0)) and len(cost) == pareto.DRAWS


def test_clusters_are_resampled_whole() -> None:
    values = np.repeat(np.random.default_rng(4).integers(0, 2, 20), 10).astype(float)[:, None]
    alone, _ = pareto.resampled(values, np.ones((200, 1)))
    whole, _ = pareto.resampled(values, np.ones((200, 1)), [f"c{i // 10}" for i in range(200)])
    assert whole.std() > 2 * alone.std()


def test_a_price_has_no_limit_where_nothing_may_be_gained() -> None:
    low, high = pareto.price_interval(np.array([1.0] * 90 + [-1.0] * 10), np.ones(100), 0.9)
    assert (low, high) == (1.0, np.inf)
    assert pareto.price_interval(np.full(100, 2.0), np.ones(100), 0.9) == (0.5, 0.5)


def test_the_middle_of_masses_leaves_half_of_the_rest_on_either_side() -> None:
    assert pareto.central([0.04, 0.46, 0.46, 0.04], 0.9) == (1, 2)
    assert pareto.central([0.2, 0.8, 0.0], 0.9) == (0, 1)
    assert pareto.central([1.0], 0.9) == (0, 0)
