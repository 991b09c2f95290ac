"""What the watch over drift and spend promises, in simulation: false calls over whole installations, moves seen, forecasts that hold.

The whole simulation is ``python -m bench.drift``; here is a thin part of it, and under ``long`` enough to see a broken promise.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bench.drift import WORLDS, Moved, coverage, delays, false_calls, false_spend
from demitasse.lab.drift import spend, standing

PROMISED = standing.CALLS_A_MONTH


def too_many(count: int, months: float, promised: float) -> bool:
    """Whether a Poisson count lies above what ``promised`` a month gives in 99 of 100 runs."""
    import math

    mean, total, k = promised * months, 0.0, 0
    while total < 0.99:
        total += math.exp(-mean) * mean**k / math.factorial(k)
        k += 1
    return count > k


def test_a_month_of_an_installation_as_usual_is_silent() -> None:
    small = replace(WORLDS[1], calls=(400.0,))
    assert false_calls(small, runs=1, months=1, seed=101)["calls"] <= 1


def test_a_move_that_matters_is_seen_within_days() -> None:
    found = delays(Moved("length", 3.0, 36), WORLDS[1], 400, runs=1, seed=102)
    assert found["seen"] == 1.0 and found["median_h"] <= 72


def test_forecasts_hold() -> None:
    held = [one for one in coverage(runs=20, seed=103) if one["world"] != "spiky"]
    assert sum(one["holds"] for one in held) / len(held) > 0.94
    assert min(one["holds"] for one in held) > 0.7


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_false_calls_of_all_streams_together_keep_the_promise(world) -> None:
    found = false_calls(world, runs=10, months=3, seed=200)
    assert not too_many(found["calls"], found["months"], PROMISED), found


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("kind", ["steady", "noisy", "batch"])
def test_false_calls_over_money_keep_the_promise(kind: str) -> None:
    found = false_spend(kind, runs=6, months=2, seed=300)
    assert not too_many(found["calls"], found["months"], spend.CALLS_A_MONTH), found


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_intervals_of_the_months_end_hold_nine_times_in_ten_and_more() -> None:
    for one in coverage(runs=400, seed=400):
        assert one["interval"][1] >= (0.4 if one["world"] == "spiky" else 0.95), one
