"""Calls summed up, hours held against their like, routes as days go by, and who moved."""

from __future__ import annotations

import math
import random

import pytest

from demitasse.core.entry import Decision, Guarded
from demitasse.core.ledger import Bucket
from demitasse.lab.drift import cause
from demitasse.lab.drift.route import Route
from demitasse.lab.drift.sketch import merged, take, value_of
from demitasse.lab.drift.standing import FEWEST_DAYS, threshold, usual_days
from demitasse.lab.drift.streams import BY_NAME, STREAMS, numbers
from demitasse.lab.drift.usual import FEWEST_CALLS, held_against, slot_hours, sort_of_day
from tests.build.drift_ledger import entry

FIRST = 20_759  # a Monday


def of(name, rng, n=60, size=1.0, spread=0.5, rate=0.0):
    stream, sketches = BY_NAME[name], {}
    for at in range(n):
        number = math.exp(rng.gauss(math.log(size), spread))
        fields = {"cost": {"usd": number}, "duration": {"ms": number}, "length": {"tokens": max(1, round(number))}}.get(
            name, {}
        )
        if stream.kind == "rate":
            fields = {"guard": Guarded(band="high" if rng.random() < rate else "low")}
        take(sketches, entry(f"e{at}", at, **fields))
    return sketches[name]


def test_a_call_says_what_it_says_and_no_more():
    told = dict(numbers(entry("a", 1, usd=0.02, tokens=400, ms=800.0, decision=Decision("p", "large", score=0.4))))
    assert told == {
        "length": 400.0, "score": 0.4, "cost": 0.02, "first_byte": 200.0, "duration": 800.0, "truncated": 0.0, "failed": 0.0,
        "refused": 0.0, "injection": 0.0, "personal": 0.0,
    }  # fmt: skip
    hit = dict(numbers(entry("b", 1, cache="exact", attempts=(), cost_nanos=0, guard=None)))
    assert "cost" not in hit and "duration" not in hit and "injection" not in hit and hit["failed"] == 0.0
    refused = dict(
        numbers(entry("c", 1, outcome="refused", attempts=(), usage=None, guard=Guarded(found=(("EMAIL", 1),))))
    )
    assert refused == {"refused": 1.0, "injection": 0.0, "personal": 1.0}
    assert dict(numbers(entry("d", 1, flags=("cut_at_hold",))))["truncated"] == 1.0
    assert "cost" not in dict(numbers(entry("e", 1, cost_nanos=None)))


def test_sums_of_hours_are_the_sum_of_all_calls():
    rng = random.Random(1)
    calls = [entry(f"e{n}", n, usd=rng.random(), tokens=rng.randint(1, 9_000)) for n in range(100)]
    whole, first, second = {}, {}, {}
    for at, one in enumerate(calls):
        take(whole, one)
        take(first if at % 3 else second, one)
    both = merged([first, second])
    assert both["length"].bins == whole["length"].bins
    assert both["cost"].n == whole["cost"].n and both["cost"].squares == pytest.approx(whole["cost"].squares)
    assert value_of(BY_NAME["cost"], both["cost"]) == pytest.approx(sum(c.cost_nanos for c in calls) / 1e11)


def test_names_of_a_rate_are_bounded():
    sketches = {}
    for at in range(500):
        take(sketches, entry(f"e{at}", at, key=f"key{at}", guard=Guarded(band="high")))
    assert len(sketches["injection"].keys) == 41
    assert sum(sketches["injection"].keys.values()) == 500


@pytest.mark.parametrize(
    ("name", "usual", "now"),
    [
        ("cost", {"size": 0.01}, {"size": 0.03}),
        ("duration", {"size": 900.0}, {"size": 3000.0}),
        ("length", {"size": 400.0}, {"size": 1600.0}),
        ("length", {"size": 400.0, "spread": 0.3}, {"size": 400.0, "spread": 1.8}),
        ("injection", {"rate": 0.0}, {"rate": 0.2}),
    ],
)
def test_a_move_is_far_from_its_like_and_no_move_is_not(name, usual, now):
    rng = random.Random(2)
    like = [of(name, rng, **usual) for _ in range(20)]
    same = held_against(BY_NAME[name], of(name, rng, **usual), like)
    moved = held_against(BY_NAME[name], of(name, rng, **now), like)
    assert same.p > 0.05
    assert moved.p < 0.001
    assert moved.now != same.now


def test_less_cost_less_time_and_fewer_failures_are_nobodys_business():
    rng = random.Random(3)
    for name, usual, now in (("cost", 0.01, 0.001), ("duration", 900.0, 90.0)):
        like = [of(name, rng, size=usual) for _ in range(20)]
        assert held_against(BY_NAME[name], of(name, rng, size=now), like).p > 0.9


def test_days_that_differ_among_themselves_are_believed():
    """The same move, against days that are all alike and against days that are restless."""
    rng = random.Random(4)
    calm = [of("cost", rng, n=500, size=0.01) for _ in range(20)]
    restless = [of("cost", rng, n=500, size=0.01 * math.exp(rng.gauss(0, 0.5))) for _ in range(20)]
    now = of("cost", rng, n=500, size=0.02)
    assert held_against(BY_NAME["cost"], now, calm).p < 1e-4
    assert held_against(BY_NAME["cost"], now, restless).p > 0.02


def test_few_calls_are_less_certain_than_many():
    rng = random.Random(5)
    like = [of("cost", rng, n=800, size=0.01, spread=1.2) for _ in range(20)]
    many, few = (
        held_against(BY_NAME["cost"], of("cost", random.Random(6), n=n, size=0.016, spread=1.2), like)
        for n in (800, 25)
    )
    assert many.t > few.t


def test_too_few_calls_or_slots_say_nothing():
    rng = random.Random(7)
    like = [of("cost", rng) for _ in range(20)]
    assert held_against(BY_NAME["cost"], of("cost", rng, n=FEWEST_CALLS - 1), like) is None
    assert held_against(BY_NAME["cost"], of("cost", rng), like[:3]) is None


@pytest.mark.parametrize(("calls", "hours"), [(40, 1), (8, 6), (1, 24), (0, None)])
def test_slots_are_as_short_as_calls_allow(calls, hours):
    assert slot_hours([[calls] * 24] * 10) == hours


def test_weekends_are_days_of_another_sort():
    assert [sort_of_day(FIRST + at) for at in range(7)] == [0, 0, 0, 0, 0, 1, 1]


def test_the_usual_is_four_weeks_with_a_week_between():
    days = list(range(FIRST, FIRST + 60))
    found = usual_days(days, FIRST + 60)
    assert (found[0], found[-1], len(found)) == (FIRST + 25, FIRST + 52, 28)


def test_few_days_leave_no_week_between_and_fewer_are_no_usual():
    assert usual_days(list(range(FIRST, FIRST + FEWEST_DAYS)), FIRST + FEWEST_DAYS) == list(
        range(FIRST, FIRST + FEWEST_DAYS)
    )
    assert usual_days(list(range(FIRST, FIRST + 4)), FIRST + 4) == []


def test_under_a_certificate_its_window_is_the_usual_for_good():
    days = list(range(FIRST, FIRST + 60))
    assert usual_days(days, FIRST + 60, window=(FIRST + 3, FIRST + 12)) == list(range(FIRST + 3, FIRST + 13))
    short = usual_days(days, FIRST + 60, window=(FIRST + 20, FIRST + 21))
    assert short == list(range(FIRST + 13, FIRST + 22))
    accepted = usual_days(days, FIRST + 60, since=FIRST + 40, window=(FIRST + 3, FIRST + 12))
    assert min(accepted) == FIRST + 40


def test_more_streams_take_more_evidence():
    assert threshold(50) == 10 * threshold(5) == 3000


def test_hours_are_looked_at_once_and_those_without_calls_too():
    past = {FIRST + day: [{} for _ in range(24)] for day in range(8)}
    route = Route("r", FIRST * 24)
    assert route.advance(past, (FIRST + 8) * 24, streams=1) == []
    assert route.next_h == (FIRST + 8) * 24
    assert route.needs() == "5 whole days with calls; there are 0"
    assert route.advance(past, (FIRST + 8) * 24, streams=1) == []


def test_streams_are_told_by_words_that_a_sentence_takes():
    assert len({stream.name for stream in STREAMS}) == len(STREAMS)
    assert all(stream.moved and stream.alert.startswith("drift_") for stream in STREAMS)


# ── who moved ───────────────────────────────────────────────────────────────────────────────────────────────────────


def bucket(key, requests, cost):
    return Bucket(key=key, requests=requests, cost_nanos=cost)


def test_whose_calls_became_dearer_is_named():
    before, now = [bucket("a", 90, 900), bucket("b", 10, 100)], [bucket("a", 90, 900), bucket("b", 10, 1100)]
    found = cause.strongest([cause.of_means("key", before, now, "cost_nanos")])
    assert found is not None and (found.name, found.before, found.now) == ("b", 10, 110)


def test_who_asks_more_often_for_what_was_dear_anyway_is_named_too():
    before, now = [bucket("a", 90, 900), bucket("b", 10, 1000)], [bucket("a", 90, 900), bucket("b", 60, 6000)]
    found = cause.of_means("key", before, now, "cost_nanos")
    assert found is not None and found.name == "b"


def test_where_all_became_dearer_alike_nobody_is_named():
    before, now = [bucket("a", 90, 900), bucket("b", 10, 100)], [bucket("a", 90, 1800), bucket("b", 10, 200)]
    assert cause.strongest([cause.of_means("key", before, now, "cost_nanos")]) is None
    assert cause.of_means("model", [bucket("a", 1, 1)], [bucket("a", 1, 5)], "cost_nanos") is None


def test_of_two_dimensions_the_one_that_explains_more_is_told():
    weak, strong = cause.Cause("key", "a", 0.6, 0, 1), cause.Cause("model", "m", 0.9, 0, 1)
    assert cause.strongest([weak, strong, None]) == strong
    assert cause.strongest([cause.Cause("key", "a", 0.4, 0, 1)]) is None
