"""What the watch, the drift test and a certificate pressed for every day promise, in simulation with known quality.

Counts may exceed their expectation by chance: a promise is taken for broken when even the 95 % lower limit (Clopper-Pearson)
of the rate lies above it. The whole simulation is ``python -m bench.watch``.
"""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from bench.watch.button import pressed
from bench.watch.daily import EDGE, PATH, broken
from bench.watch.rivals import AllIn
from bench.watch.runs import always_right, both_scored, sessions, side_by_side, watch, weighted
from demitasse.stats.drift import Drift
from demitasse.stats.intervals import clopper_pearson

DELTA = 0.05


def at_most(count: int, runs: int, rate: float = DELTA) -> bool:
    return clopper_pearson(count, runs)[0] <= rate


def at_least(count: int, runs: int, rate: float) -> bool:
    return clopper_pearson(count, runs)[1] >= rate


@pytest.mark.parametrize(
    "verdicts", [always_right(0.95, 0.9), always_right(0.99, 0.94, 0.99), both_scored(0.95, 0.9), weighted(0.95, 0.9)]
)
def test_quality_at_its_very_floor_raises_few_alarms(verdicts) -> None:
    alarms = watch(verdicts, runs=400, steps=4_000, delta=DELTA, seed=1, falls=False)
    assert at_most(int(alarms.early.sum()), 400)


def test_quality_that_wavers_above_its_floor_raises_hardly_any() -> None:
    alarms = watch(always_right(0.95, 0.98), runs=400, steps=4_000, delta=DELTA, seed=2, falls=False, wavers=40)
    assert alarms.early.sum() <= 4


@pytest.mark.parametrize(("before", "after"), [(0.95, 0.9), (0.96, 0.91), (0.97, 0.92), (0.98, 0.93)])
def test_a_fall_by_five_points_is_caught_within_the_bound(before: float, after: float) -> None:
    """At a random moment of 2,000 shadow calls, which are 2 % of 100,000 calls; half of the runs, with 2 % of grace for
    the few runs that are made here."""
    verdicts = always_right(before, after)
    alarms = watch(verdicts, runs=1_000, steps=2_000, delta=DELTA, seed=3, falls=True)
    caught = int((alarms.delay <= verdicts.bound(DELTA)).sum())
    assert at_least(caught, len(alarms.delay), 0.5)
    assert np.isfinite(alarms.delay).all()


@pytest.mark.parametrize("verdicts", [both_scored(0.97, 0.92), weighted(0.97, 0.92), always_right(0.92, 0.87, 0.9)])
def test_so_is_one_of_scored_references_of_weighted_draws_and_below_another_floor(verdicts) -> None:
    alarms = watch(verdicts, runs=300, steps=2_000, delta=DELTA, seed=4, falls=True)
    caught = int((alarms.delay <= verdicts.bound(DELTA)).sum())
    assert at_least(caught, len(alarms.delay), 0.5)


def test_a_long_good_time_hardly_delays_the_alarm() -> None:
    verdicts = always_right(0.98, 0.92)
    found = {
        steps: np.median(watch(verdicts, runs=200, steps=steps, delta=DELTA, seed=5, falls=True).delay)
        for steps in (200, 20_000)
    }
    assert found[20_000] < 1.25 * found[200]
    spent = watch(verdicts, runs=200, steps=20_000, delta=DELTA, seed=5, falls=True, make=lambda n: AllIn(n, verdicts))
    assert np.median(spent.delay) > 4 * found[20_000]  # what betting all the time costs


def test_sessions_that_go_badly_together_raise_few_alarms_when_they_are_named() -> None:
    alarms = sessions(runs=400, steps=6_000, delta=DELTA, seed=6, size=10, known=True, falls=False)
    assert at_most(int(alarms.early.sum()), 400)
    careless = sessions(runs=200, steps=6_000, delta=DELTA, seed=6, size=10, known=False, falls=False)
    assert not at_most(int(careless.early.sum()), 200)


def test_so_do_sessions_side_by_side() -> None:
    alarms = side_by_side(runs=60, steps=1_500, delta=DELTA, seed=7, size=10)
    assert at_most(int(alarms.early.sum()), 60)


@pytest.mark.parametrize("traffic", [PATH, replace(PATH, favour=4.0), EDGE])
def test_pressing_the_button_every_day_breaks_few_promises(traffic) -> None:
    found = broken(traffic, runs=300, days=40, per_day=20, delta=DELTA, seed=8)
    assert at_most(found["broken"]["standing"], 300)
    assert not at_most(found["broken"]["afresh"], 300)
    assert not at_most(found["broken"]["best"], 300)


def test_so_does_the_labs_own_way_from_labels_to_a_step() -> None:
    found = pressed(runs=8, days=6, per_day=100, delta=DELTA, seed=9)
    assert at_most(found["broken"], 8)
    assert found["certified"] == 8


def test_a_shift_within_the_tolerance_is_seldom_called_drift() -> None:
    early = 0
    for run in range(25):
        rng = np.random.default_rng((10, run))
        drift = Drift(rng.normal(size=300), DELTA)
        early += any(drift.saw(x) for x in rng.normal(0.2, 1.0, size=600).tolist())
    assert at_most(early, 25)


@pytest.mark.long
@pytest.mark.parametrize("verdicts", [always_right(0.95, 0.9), weighted(0.95, 0.9)])
def test_a_hundred_thousand_shadow_calls_at_the_floor_raise_few_alarms(verdicts) -> None:
    alarms = watch(verdicts, runs=2_000, steps=100_000, delta=DELTA, seed=11, falls=False)
    assert at_most(int(alarms.early.sum()), 2_000)


@pytest.mark.long
@pytest.mark.parametrize(
    ("before", "after", "steps"), [(0.95, 0.9, 2_000), (0.97, 0.92, 100_000), (0.98, 0.93, 100_000)]
)
def test_the_median_delay_of_many_runs_is_within_the_bound(before: float, after: float, steps: int) -> None:
    verdicts = always_right(before, after)
    alarms = watch(verdicts, runs=2_000, steps=steps, delta=DELTA, seed=12, falls=True)
    assert np.median(alarms.delay) <= verdicts.bound(DELTA)


@pytest.mark.long
@pytest.mark.parametrize(("traffic", "per_day"), [(PATH, 50), (EDGE, 1_000)])
def test_two_thousand_users_who_press_the_button_for_a_hundred_days(traffic, per_day: int) -> None:
    found = broken(traffic, runs=2_000, days=100, per_day=per_day, delta=DELTA, seed=13, naive=False)
    assert at_most(found["broken"]["standing"], 2_000)


@pytest.mark.long
@pytest.mark.parametrize("how", [{}, {"session": 4}, {"flat": True}])
def test_the_labs_own_way_pressed_every_day(how) -> None:
    found = pressed(runs=200, days=30, per_day=40, delta=DELTA, seed=14, **how)
    assert at_most(found["broken"], 200)
