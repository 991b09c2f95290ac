from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from demitasse.stats.hits import HitBound, HitWatch, ServedErrors, allowance, soonest, widest

DELTA = 0.05


def coin(rng, chance):
    return bool(rng.random() < chance)


@pytest.mark.parametrize("share", [1.0, 0.1])
def test_a_cache_that_breaks_its_promise_is_hardly_ever_certified_at_any_time(share):
    broken = 0
    for seed in range(150):
        rng, bound = np.random.default_rng(seed), HitBound(0.1, DELTA)
        for _ in range(250):
            wrong = coin(rng, 0.1)
            bound.add(wrong if coin(rng, share) else None, share)
            if bound.certified:
                broken += 1
                break
    assert broken <= 150 * DELTA


def test_it_is_the_mean_so_far_that_is_bounded_however_errors_come_and_go():
    """Errors that wait until the cache has opened, and stay away while it is closed."""
    broken = 0
    for seed in range(100):
        rng, bound, wrongs = np.random.default_rng(seed), HitBound(0.1, DELTA), []
        for n in range(300):
            propensity = 0.5 if n % 2 else 1.0
            wrong = bound.certified and coin(rng, 0.6)
            wrongs.append(wrong)
            bound.add(wrong if coin(rng, propensity) else None, propensity, 0.5)
            if bound.certified and np.mean(wrongs) > 0.1:
                broken += 1
                break
    assert broken <= 100 * DELTA


def test_a_good_cache_is_certified_after_some_dozens_of_checks():
    bound = HitBound(0.05, DELTA)
    rows = next(n for n in range(1, 200) if bound.add(False, 1.0) is None and bound.certified)
    # Nobody could know it before: log(0.05) / log(0.95) = 58.4
    assert 59 <= rows <= 100


def test_the_bound_lies_above_the_truth_and_below_the_promise_once_that_is_certified():
    rng, bound = np.random.default_rng(3), HitBound(0.05, DELTA)
    for _ in range(3_000):
        bound.add(coin(rng, 0.02), 1.0)
    assert bound.certified
    assert 0.02 < bound.upper() <= 0.04
    assert HitBound(0.05, DELTA).upper() == 1.0


def test_old_merit_is_used_up_soon():
    bound = HitBound(0.05, DELTA)
    for _ in range(5_000):
        bound.add(False, 1.0)
    assert bound.capital() <= 4 + log(1 / DELTA) + 1e-9
    for _ in range(25):
        bound.add(True, 1.0)
    assert not bound.certified


def test_the_watch_cries_soon_when_checks_are_worse_than_said_and_seldom_when_they_are_not():
    rng, watch = np.random.default_rng(5), HitWatch()
    assert any(watch.add(wrong=coin(rng, 0.4), supposed=0.05) for _ in range(40))
    alarms = 0
    for seed in range(40):
        rng, watch = np.random.default_rng(seed), HitWatch(patience=1_000)
        alarms += any(watch.add(wrong=coin(rng, 0.05), supposed=0.05) for _ in range(250))
    assert alarms <= 40 * 250 / 1_000


def test_what_was_served_wrong_is_bounded_without_a_word_on_the_traffic():
    broken = 0
    for seed in range(100):
        rng, served, wrong_served = np.random.default_rng(seed), ServedErrors(0.2, DELTA), 0
        for n in range(400):
            wrong = n % 4 == 0 or coin(rng, 0.1)
            propensity = 0.2 if n % 3 else 0.5
            checked = coin(rng, propensity)
            served.add(wrong if checked else None, propensity)
            wrong_served += wrong and not checked
            if wrong_served > served.at_most():
                broken += 1
                break
    assert broken <= 100 * DELTA
    assert served.at_most() < served.served


@pytest.mark.parametrize("max_error", [0.02, 0.05])
@pytest.mark.parametrize("doubt", [0.05, 0.2])
def test_an_allowance_that_is_used_up_breaks_the_promise_as_often_as_was_said(max_error, doubt):
    for hits in (1, 10, 40, 60, 200, 2_000):
        risk = allowance(hits, max_error, doubt)
        term = total = exp(-risk)
        for k in range(1, int(max_error * hits + 1e-9) + 1):
            term *= risk / k
            total += term
        assert 1 - total == pytest.approx(doubt, rel=0.06)


def test_the_widest_threshold_keeps_the_mean_of_what_lies_below_it():
    chances = np.array([0.3, 0.01, 0.02, 0.03, 0.1])
    assert widest(chances, 0.02) == 0.03
    assert widest(chances, 0.05) == 0.1
    assert widest(chances, 0.001) == 0.0
    assert widest(chances, 1.0) == 0.3


def test_what_is_proven_soonest_are_many_good_rows_and_not_all():
    chances = np.array([0.005] * 40 + [0.02] * 20 + [0.2] * 40)
    assert soonest(chances, 0.05) == 0.02
    assert soonest(chances, 0.004) == 0.0
    assert soonest(np.array([]), 0.05) == 0.0


def test_accounts_go_on_from_their_state():
    rng = np.random.default_rng(9)
    bound, watch, served = HitBound(0.05, DELTA), HitWatch(), ServedErrors(0.05, DELTA)
    for _ in range(200):
        verdict = coin(rng, 0.1) if coin(rng, 0.3) else None
        bound.add(verdict, 0.3, 0.05)
        watch.add(wrong=bool(verdict), supposed=0.1)
        served.add(verdict, 0.3)
    again = HitBound(0.05, DELTA, bound.state())
    assert (again.capital(), again.rows, again.checked, again.wrong) == (
        bound.capital(),
        200,
        bound.checked,
        bound.wrong,
    )
    assert HitWatch(logs=watch.state()).state() == watch.state()
    assert ServedErrors(0.05, DELTA, served.state(), served.served).at_most() == served.at_most()
