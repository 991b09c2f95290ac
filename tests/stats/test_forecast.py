"""The month's end: weekdays, growth, few data; how often the interval holds is in ``tests/statistics``."""

from __future__ import annotations

import random

import pytest

from demitasse.stats.forecast import FEWEST, WEEKDAYS_FROM, forecast

WEEK = (1.0, 1.1, 1.05, 1.0, 0.9, 0.3, 0.25)


def days(n: int, *, first: int = 0, noise: float = 0.1, growth: float = 0.0, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [10 * WEEK[(first + at) % 7] * (1 + growth) ** at * rng.uniform(1 - noise, 1 + noise) for at in range(n)]


def test_few_days_or_nothing_spent_is_no_forecast() -> None:
    assert forecast(days(FEWEST - 1), 20) is None
    assert forecast([0.0] * 30, 20) is None
    assert forecast([], 20) is None


def test_the_rest_of_a_weekend_is_cheap_and_that_of_a_week_is_not() -> None:
    weekend = forecast(days(47), 2, first_weekday=0)  # day 47 is a Saturday
    week = forecast(days(49), 2, first_weekday=0)  # day 49 is a Monday
    assert weekend is not None and week is not None and weekend.weekdays
    assert weekend.value < 0.5 * week.value
    assert week.value == pytest.approx(21, rel=0.2)


def test_below_two_weeks_weekdays_are_not_told_apart_and_the_interval_is_wide() -> None:
    few, many = forecast(days(WEEKDAYS_FROM - 1), 14), forecast(days(42), 14)
    assert few is not None and many is not None
    assert (few.weekdays, many.weekdays) == (False, True)
    assert (few.high - few.low) / few.value > (many.high - many.low) / many.value


def test_growth_is_in_it() -> None:
    grown = forecast(days(56, growth=0.01), 28)
    assert grown is not None
    truth = sum(days(84, growth=0.01, noise=0.0)[56:])
    assert grown.value == pytest.approx(truth, rel=0.16)
    assert grown.low <= truth <= grown.high


def test_what_is_spent_is_spent() -> None:
    told = forecast(days(30), 0.0, so_far=123.0)
    assert told is not None and (told.low, told.value, told.high) == (123.0, 123.0, 123.0)
    more = forecast(days(30), 5.5, so_far=123.0)
    assert more is not None and more.low > 123.0


def test_the_days_to_come_add_up_to_the_forecast() -> None:
    told = forecast(days(40), 9.25, first_weekday=2, so_far=50.0)
    assert told is not None and len(told.ahead) == 10
    assert sum(told.ahead) == pytest.approx(told.value - 50.0)


def test_money_after_days_of_nothing_is_no_trouble() -> None:
    told = forecast([0.0] * 30 + [5.0, 6.0, 5.5], 10)
    assert told is not None and 0 < told.low < told.value < told.high


def test_a_level_that_fell_to_nothing_is_not_foretold_below_nothing() -> None:
    told = forecast(days(30) + [0.0] * 10, 20)
    assert told is not None and 0 <= told.low <= told.value
