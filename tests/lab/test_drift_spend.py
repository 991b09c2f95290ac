"""Money out of line: seen in the hour, under the nearest name, once; and not where it is only a busy day."""

from __future__ import annotations

import math
import random

import pytest

from demitasse.lab.drift.spend import Anomaly, Hours, out_of_line, over, since

NOW = 20_789 * 24 + 10  # ten o'clock on a Wednesday


def made(seed: int = 1, weeks: int = 4, spread: float = 0.4) -> Hours:
    rng = random.Random(seed)
    by: dict[tuple[str, str], dict[int, float]] = {}
    for hour in range(NOW - weeks * 168, NOW + 1):
        day = 0.3 if (hour // 24 + 3) % 7 >= 5 else 1.0
        for key, model, usd in (("web", "large", 2.0), ("jobs", "small", 0.1)):
            busy = 0.3 + 0.7 * (7 <= hour % 24 <= 18)
            spend(by, hour, key, model, usd * day * busy * math.exp(rng.gauss(0, spread)))
    return Hours(by)


def spend(by: dict[tuple[str, str], dict[int, float]], hour: int, key: str, model: str, usd: float) -> None:
    for subject in (("key", key), ("model", model), ("route", "chat"), ("", "")):
        own = by.setdefault(subject, {})
        own[hour] = own.get(hour, 0.0) + usd


def test_nothing_is_out_of_line_where_all_is_as_usual() -> None:
    assert [found for seed in range(20) for found in out_of_line(made(seed), NOW)] == []


def test_a_runaway_is_told_once_under_its_key_although_it_shows_everywhere() -> None:
    hours = made()
    spend(hours.by, NOW, "jobs", "small", 12.0)
    (found,) = out_of_line(hours, NOW)
    assert (found.dimension, found.name, found.new) == ("key", "jobs", False)
    assert found.usd > 12 and found.usual_usd < 0.3 and found.most_usd < 1
    assert out_of_line(hours, NOW, known=[("key", "jobs")]) == []


def test_an_hour_that_ended_a_minute_ago_still_counts() -> None:
    hours = made()
    spend(hours.by, NOW - 1, "jobs", "small", 12.0)
    (found,) = out_of_line(hours, NOW)
    assert (found.name, found.hour) == ("jobs", NOW - 1)


def test_a_new_key_is_held_against_the_largest_hour_of_any() -> None:
    hours = made()
    largest = max(usd for (kind, _), own in hours.by.items() if kind == "key" for usd in own.values())
    spend(hours.by, NOW, "fresh", "large", 1.2 * largest)
    assert all(found.name != "fresh" for found in out_of_line(hours, NOW))
    spend(hours.by, NOW, "fresh", "large", largest)
    assert [(found.name, found.new) for found in out_of_line(hours, NOW)] == [("fresh", True)]


def test_many_keys_that_each_spend_a_little_more_are_told_as_all_together() -> None:
    hours = made()
    for n in range(40):
        spend(hours.by, NOW, f"k{n}", "large", 0.8)
    found = out_of_line(hours, NOW)
    assert [one.dimension for one in found] in (["route"], ["model"], [""])


def test_cents_are_no_emergency() -> None:
    hours = Hours({subject: {hour: usd / 100 for hour, usd in own.items()} for subject, own in made().by.items()})
    spend(hours.by, NOW, "jobs", "small", 0.4)
    assert out_of_line(hours, NOW) == []


@pytest.mark.parametrize("known_h", [0, 24, 60])
def test_the_first_days_tell_nothing(known_h: int) -> None:
    hours = Hours({s: {h: x for h, x in own.items() if h > NOW - known_h} for s, own in made().by.items()})
    spend(hours.by, NOW, "jobs", "small", 50.0)
    assert out_of_line(hours, NOW) == []


def test_it_is_over_after_three_hours_below_half() -> None:
    hours = made()
    anomaly = Anomaly("key", "jobs", NOW - 5, 12.0, 0.1, 0.4)
    hours.by["key", "jobs"] |= {NOW - 5: 12.0, NOW - 4: 9.0, NOW - 3: 7.0}
    assert over(hours, anomaly, NOW)
    assert since(hours, anomaly, NOW) == pytest.approx(28, abs=1)
    assert not over(hours, anomaly, NOW - 2)
    hours.by["key", "jobs"][NOW - 1] = 8.0
    assert not over(hours, anomaly, NOW)
