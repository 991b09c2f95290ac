"""Drift: what is tolerated, what is caught, and what needs no statistics."""

from __future__ import annotations

import numpy as np
import pytest

from demitasse.stats.drift import Drift, Drifts, Ground, psi, same_ground

RNG = np.random.default_rng


def alarm(drift: Drift, numbers) -> int | None:
    return next((i + 1 for i, x in enumerate(numbers) if drift.saw(float(x))), None)


def test_the_same_numbers_raise_no_alarm() -> None:
    rng = RNG(1)
    drift = Drift(rng.normal(size=400), 0.01)
    assert alarm(drift, rng.normal(size=5_000)) is None
    assert drift.size < 0.15
    assert drift.psi < 0.1
    assert drift.evidence < 100


def test_a_shift_within_the_tolerance_is_tolerated_however_long_it_lasts() -> None:
    rng = RNG(2)
    drift = Drift(rng.normal(size=2_000), 0.01)
    assert alarm(drift, rng.normal(0.2, 1.0, size=20_000)) is None  # 8 points at the median


@pytest.mark.parametrize(("shift", "width"), [(1.0, 1.0), (-1.0, 1.0), (0.0, 4.0)])
def test_a_large_change_is_caught(shift: float, width: float) -> None:
    rng = RNG(3)
    drift = Drift(rng.normal(size=800), 0.01)
    assert alarm(drift, rng.normal(size=3_000)) is None
    caught = alarm(drift, rng.normal(shift, width, size=2_000))
    assert caught is not None and caught < 600
    assert drift.crossed and drift.evidence >= 100
    assert drift.size > 0.05


def test_an_alarm_stays() -> None:
    drift = Drift(np.arange(100), 0.05)
    assert alarm(drift, [1e6] * 500) is not None
    assert drift.saw(50.0)


def test_numbers_that_are_all_the_same_can_be_watched() -> None:
    drift = Drift([1.0] * 200, 0.01)
    assert alarm(drift, [1.0] * 1_000) is None
    assert alarm(drift, [2.0] * 1_000) is not None


def test_calls_of_one_session_are_not_news() -> None:
    rng = RNG(4)
    drift = Drift(rng.normal(size=300), 0.01, unit=2)
    for _ in range(2_000):
        drift.saw(3.0, session="the same")
    assert not drift.crossed


def test_a_window_of_few_sessions_allows_more() -> None:
    rng = RNG(5)
    window = rng.normal(size=1_000)
    known, guessed = Drift(window, 0.01), Drift(window, 0.01, sessions=60)
    now = rng.normal(0.6, 1.0, size=3_000)
    assert alarm(known, now) is not None
    assert alarm(guessed, now) is None


def test_too_small_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 50"):
        Drift(range(49), 0.01)
    with pytest.raises(ValueError, match="tolerance 0"):
        Drift(range(50), 0.01, tolerance=0.0)


def test_of_several_streams_the_one_that_moved_is_named() -> None:
    rng = RNG(6)
    drifts = Drifts({"score": rng.normal(size=500), "length": rng.normal(size=500)}, 0.05)
    named = None
    for _ in range(2_000):
        named = drifts.saw({"score": rng.normal(), "length": rng.normal() + 2})
        if named:
            break
    assert named == "length"


def test_the_stability_index_is_none_for_equal_shares_and_large_for_others() -> None:
    assert psi([10, 10, 10], [100, 100, 100]) == pytest.approx(0, abs=1e-4)
    assert psi([100, 100], [150, 50]) == pytest.approx(0.2716, abs=0.01)


THEN = Ground((("small", "s-1"), ("small", "s-2"), ("large", "l-1"), ("other", "")), "abc", "features-1")


@pytest.mark.parametrize(
    "now",
    [
        THEN,
        Ground(()),
        Ground((("small", "s-2"), ("new", "n-1"), ("other", "o-1"), ("large", ""))),
        Ground((("large", "l-1"),), "", "features-1"),
    ],
)
def test_the_same_ground_and_what_is_unknown_of_it_carry_a_certificate_on(now: Ground) -> None:
    assert same_ground(THEN, now) is None


def test_another_version_another_prompt_or_other_features_do_not() -> None:
    assert same_ground(THEN, Ground((("small", "s-3"),))) == "'small' is 's-3' now; it was 's-1' or 's-2'"
    assert same_ground(THEN, Ground((), "abd")) == "its calls come with another system prompt now"
    assert (
        same_ground(THEN, Ground((), "", "features-2"))
        == "prompts are measured by 'features-2' now; it was 'features-1'"
    )
