"""Evidence that adds up: fair bets stay fair, and all streams together cry wolf no more often than was promised."""

from __future__ import annotations

import math
import random

import pytest

from demitasse.stats.detector import SHIFTS, Detector, mean_and_spread, ratios, student_quantile, student_tail


@pytest.mark.parametrize(
    ("t", "freedom", "tail"),  # printed tables of Student's law, upper tails
    [(1.812, 10, 0.05), (2.764, 10, 0.01), (4.144, 10, 0.001), (2.353, 3, 0.05), (5.841, 3, 0.005), (0.0, 7, 0.5), (-1.812, 10, 0.95)],
)  # fmt: skip
def test_students_tail_is_the_tables(t: float, freedom: float, tail: float) -> None:
    assert student_tail(t, freedom) == pytest.approx(tail, rel=2e-3)


def test_far_tails_agree_with_scipy() -> None:
    scipy_stats = pytest.importorskip("scipy.stats", reason="needs the extra lab")
    for t in (0.3, 2.0, 8.0, 25.0):
        for freedom in (1, 3, 10, 30):
            assert student_tail(t, freedom) == pytest.approx(float(scipy_stats.t.sf(t, freedom)), rel=1e-8)


@pytest.mark.parametrize("p", [0.4, 0.025, 1e-5])
def test_a_quantile_is_where_the_tail_is(p: float) -> None:
    assert student_tail(student_quantile(p, 6), 6) == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize("freedom", [3.0, 10.0])
def test_each_bet_is_fair_where_nothing_has_changed(freedom: float) -> None:
    """The mean of each ratio under Student's law, by summing over it: 1, less what was cut off far out."""
    step, lgamma = 0.002, math.lgamma
    scale = math.exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    sums = [0.0] * len(SHIFTS)
    for at in range(-30_000, 30_000):
        t = at * step
        weight = scale * (1 + t * t / freedom) ** (-(freedom + 1) / 2) * step
        for place, ratio in enumerate(ratios(t, freedom)):
            sums[place] += weight * ratio
    assert all(total <= 1.0 for total in sums), sums
    assert all(total > 0.95 for total in sums[:4]), sums


def test_a_bet_pays_where_the_number_lies_and_costs_where_it_does_not() -> None:
    assert ratios(4.0, 10)[2] > 20
    assert all(ratio < 1 for ratio in ratios(-0.5, 10))
    assert ratios(1e9, 10) == ratios(1.5 * SHIFTS[-1], 10)


def test_bets_of_one_day_add_up_and_days_multiply() -> None:
    day = Detector()
    day.bet(3.0, 10, 0.5)
    day.bet(3.0, 10, 0.5)
    once = Detector()
    once.bet(3.0, 10, 1.0)
    assert day.now == pytest.approx(once.now)
    first = day.now
    day.end()
    day.bet(3.0, 10, 1.0)
    assert day.now > 3 * first


def test_a_day_without_calls_leaves_the_money_as_it_was_but_for_a_dollar_more() -> None:
    idle = Detector()
    idle.end(missing=1.0)
    idle.end(missing=1.0)
    assert idle.purses == [2.0] * len(SHIFTS)


def test_what_there_is_at_noon_cannot_be_taken_away_by_the_evening() -> None:
    rng = random.Random(1)
    money = Detector()
    for _ in range(24):
        before = money.now
        money.bet(rng.gauss(0, 1), 8, 1 / 24)
        assert money.now >= before


def test_false_calls_come_as_seldom_as_promised_over_all_streams() -> None:
    """Forty streams that depend on each other, 3,000 days, c for one call in 100 days: 30 expected at most."""
    rng = random.Random(2)
    streams, days, bound = 40, 3_000, 40 * 100
    money = [Detector() for _ in range(streams)]
    calls = 0
    for _ in range(days):
        common = rng.gauss(0, 1)
        for at, one in enumerate(money):
            t = (0.6 * common + 0.8 * rng.gauss(0, 1)) / math.sqrt(rng.gammavariate(5, 2) / 10)  # Student, 10
            one.bet(t, 10, 1.0)
            if one.now >= bound:
                calls += 1
                money[at] = Detector()
            else:
                one.end()
    assert calls <= 30


def test_a_change_is_called_within_days() -> None:
    rng = random.Random(3)
    money = Detector()
    days = 0
    while days < 20:
        days += 1
        money.bet(rng.gauss(3, 1), 10, 1.0)
        if money.now >= 30 * 50 / 0.5:
            break
        money.end()
    assert days <= 6


def test_mean_and_spread_of_one_number() -> None:
    assert mean_and_spread([4.0]) == (4.0, 0.0)
    assert mean_and_spread([1.0, 3.0]) == (2.0, pytest.approx(math.sqrt(2)))
