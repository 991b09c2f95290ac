"""The watch: what it takes, when it calls, and what it keeps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bench.watch.runs import Runs, always_right, both_scored, weighted
from demitasse.stats.eprocess import MOST_OPEN, Watch


def seen(watch: Watch, kept: float, n: int, seed: int = 1) -> int | None:
    """After how many of n verdicts, of which this share is good, the alarm comes."""
    good = np.random.default_rng(seed).random(n) < kept
    return next((i + 1 for i, one in enumerate(good) if watch.saw(1.0, float(one))), None)


def test_good_quality_stays_unquestioned() -> None:
    watch = Watch(0.95, 0.05)
    assert seen(watch, 0.98, 20_000) is None
    assert watch.n == 20_000
    assert watch.seen == pytest.approx(0.98, abs=0.005)
    assert watch.evidence > 0.3  # money lies idle while all is well


def test_a_fall_is_caught_after_a_long_good_time() -> None:
    watch = Watch(0.95, 0.05)
    assert seen(watch, 0.98, 20_000) is None
    after = seen(watch, 0.9, 2_000)
    assert after is not None and after < 700
    assert watch.crossed and watch.evidence >= 20


def test_an_alarm_stays() -> None:
    watch = Watch(0.95, 0.05)
    assert seen(watch, 0.5, 100) is not None
    n = watch.n
    assert watch.saw(1.0, 1.0) is True
    assert watch.n == n


def test_a_watch_goes_on_where_it_was_kept() -> None:
    rng = np.random.default_rng(3)
    whole, part = Watch(0.9, 0.05, unit=4), Watch(0.9, 0.05, unit=4)
    for i, one in enumerate(rng.random(600) < 0.85):
        for watch in (whole, part):
            watch.saw(1.0, float(one), 0.5, f"s{i // 3}")
        if i % 100 == 50:
            part = Watch.from_json(part.to_json())
    assert part == whole
    assert part.n > 0


@pytest.mark.parametrize(
    "wrong", [(1.1, 1.0, 1.0), (1.0, -0.1, 1.0), (1.0, 1.0, 0.0), (1.0, 1.0, 1.5), (float("nan"), 1, 1)]
)
def test_scores_and_weights_out_of_bounds_are_refused_and_change_nothing(wrong: tuple[float, float, float]) -> None:
    watch = Watch(0.95, 0.05)
    with pytest.raises(ValueError, match=r"they lie in 0\.\.1"):
        watch.saw(*wrong)
    assert watch == Watch(0.95, 0.05)


@pytest.mark.parametrize(
    ("quality", "delta", "unit"), [(0.0, 0.05, 1), (1.1, 0.05, 1), (0.9, 0.0, 1), (0.9, 1.0, 1), (0.9, 0.1, 0)]
)
def test_a_promise_out_of_bounds_is_refused(quality: float, delta: float, unit: int) -> None:
    with pytest.raises(ValueError, match="out of bounds"):
        Watch(quality, delta, unit=unit)


def after(watch: Watch, served: float, session: str = "") -> Watch:
    """A copy that has seen one verdict more."""
    copy = Watch.from_json(watch.to_json())
    copy.saw(1.0, served, session=session)
    return copy


def suspicious(verdicts: int, unit: int = 1) -> Watch:
    """A watch that has seen so many verdicts, with money at stake."""
    for seed in range(100):
        watch = Watch(0.9, 0.01, unit=unit)
        seen(watch, 0.84, verdicts, seed)
        if max(watch.stakes) > 0 and not watch.crossed:
            return watch
    raise AssertionError("none is suspicious")


@pytest.mark.parametrize("verdicts", [100, 200, 300])
def test_at_the_floor_the_game_is_fair(verdicts: int) -> None:
    watch = suspicious(verdicts)
    for session in ("", "a", "a", "b"):
        expected = 0.9 * after(watch, 1.0, session).evidence + 0.1 * after(watch, 0.0, session).evidence
        assert expected == pytest.approx(watch.evidence, rel=1e-12)
        watch = after(watch, 0.0, session)


def test_a_session_that_goes_well_or_badly_as_a_whole_is_a_fair_game_too() -> None:
    start = suspicious(200, unit=3)
    expected = 0.0
    for chance, kept in ((0.25, 0.6), (0.75, 1.0)):  # 0.9 in the mean, and each call tells of the next
        for scores in itertools.product((0.0, 1.0), repeat=3):
            watch, p = start, chance
            for score in scores:
                watch, p = after(watch, score, "s"), p * (kept if score else 1 - kept)
            expected += p * watch.evidence
    assert start.evidence == pytest.approx(expected, rel=1e-12)


def test_of_a_session_so_many_verdicts_count_and_no_more() -> None:
    watch = Watch(0.95, 0.05, unit=3)
    for _ in range(50):
        watch.saw(1.0, 0.0, session="one")
    assert watch.n == 3
    assert not watch.crossed


def test_bad_verdicts_of_one_session_are_less_than_those_of_many() -> None:
    alone, together = Watch(0.95, 0.05, unit=8), Watch(0.95, 0.05, unit=8)
    for i in range(8):
        alone.saw(1.0, 0.0, session=str(i))
        together.saw(1.0, 0.0, session="same")
    assert max(together.runs) < max(alone.runs)


def test_no_session_can_ruin_the_bettor() -> None:
    watch = Watch(0.99, 0.05, unit=5)
    for i in range(2_000):
        watch.saw(1.0, 1.0, session=f"s{i // 5}")
        assert all(x > 0 for session in watch.sessions.values() for x in session.worth)
    watch = Watch(0.95, 0.05)
    for _ in range(200):  # more gained than was said to be possible
        watch.saw(0.0, 1.0)
    assert watch.evidence == 1.0 and not watch.crossed


def test_memory_of_sessions_is_bounded() -> None:
    watch = Watch(0.95, 0.05)
    for i in range(3 * MOST_OPEN):
        watch.saw(1.0, 1.0, session=f"s{i}")
    assert len(watch.sessions) == MOST_OPEN
    assert f"s{3 * MOST_OPEN - 1}" in watch.sessions


def test_slight_weights_are_worth_as_much_as_full_ones_when_all_are_slight() -> None:
    full, slight = Watch(0.95, 0.05), Watch(0.95, 0.05)
    good = np.random.default_rng(5).random(6_000)
    for watch, weight in ((full, 1.0), (slight, 0.2)):
        for i, x in enumerate(good):
            if watch.saw(1.0, float(x < (0.97 if i < 3_000 else 0.9)), weight):
                break
    assert full.crossed and slight.crossed
    assert abs(full.n - slight.n) < 60


@pytest.mark.parametrize("verdicts", [always_right(0.97, 0.9), both_scored(0.97, 0.85), weighted(0.97, 0.9)])
def test_many_runs_at_once_are_the_same_arithmetic(verdicts) -> None:
    rng = np.random.default_rng(11)
    many = Runs(3, verdicts.quality, verdicts.least, 0.05)
    alone = [Watch(verdicts.quality, 0.05, least=verdicts.least) for _ in range(3)]
    for step in range(1_500):
        which = rng.choice(len(verdicts.values), p=verdicts.before if step < 700 else verdicts.after, size=3)
        held = many.step(verdicts.losses[which], np.array([verdicts.values[i][2] for i in which]))
        for i, (watch, one) in enumerate(zip(alone, which, strict=True)):
            if not watch.crossed:
                watch.saw(*verdicts.values[one])
                assert watch.evidence == pytest.approx(held[i])
    assert any(watch.crossed for watch in alone)


def test_many_runs_at_once_know_sessions_too() -> None:
    rng = np.random.default_rng(12)
    many = Runs(2, 0.95, 0.05, 0.05, unit=4)
    alone = [Watch(0.95, 0.05, unit=4) for _ in range(2)]
    for step in range(1_200):
        good = (rng.random(2) < (0.97 if step < 600 else 0.85)).astype(float)
        held = many.step(0.95 - good, np.ones(2), follows=step % 4 > 0)
        for i, watch in enumerate(alone):
            if not watch.crossed:
                watch.saw(1.0, good[i], session=str(step // 4))
                assert watch.evidence == pytest.approx(held[i])
    assert all(watch.crossed for watch in alone)
