"""A claim of 95 % fails at most 5 % of the time: bets, certificates, slices, weights and daily looks, where quality is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from demitasse.lab.certify import Trial, certify
from demitasse.stats.betting import Floats, Martingale, aimed, floor, steadied
from demitasse.stats.intervals import clopper_pearson

DELTA, QUALITY = 0.05, 0.95
BAR = math.log(1 / DELTA)

Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]


def holds(broken: int, runs: int, delta: float = DELTA) -> bool:
    """Whether so many broken promises are no evidence (99.9 %) against a chance of ``delta``."""
    return clopper_pearson(broken, runs, 0.998)[0] <= delta


# ── losses whose mean is exactly 0: the hardest that a bet may not win ──────────────────────────────────────────────


def rare(chance: float) -> Draw:
    """Nearly always a small gain, seldom the largest loss: a sample may not contain one."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
        return np.where(rng.random(shape) < chance, QUALITY, -QUALITY * chance / (1 - chance))

    return draw


def pairs(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Right and wrong answers of two models: both right, only the large, only the small, neither."""
    only_small = 0.04
    only_large = 0.04 + only_small
    values = [QUALITY - 1, QUALITY, -1.0, 0.0]
    return rng.choice(values, p=[0.8 - only_large, only_large, only_small, 0.2 - only_small], size=shape)


def smooth(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return rng.uniform(-QUALITY, QUALITY, shape)


def skewed(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Long tail of gains."""
    return rng.beta(5, 1, shape) * 1.2 - 1.0


NULLS: dict[str, Draw] = {
    "rare 1 %": rare(0.01),
    "rare 5 %": rare(0.05),
    "pairs": pairs,
    "smooth": smooth,
    "skewed": skewed,
}


@pytest.mark.parametrize("name", NULLS)
@pytest.mark.parametrize("n", [80, 400])
def test_aimed_bets_against_a_true_claim_win_in_one_of_twenty_at_most(name: str, n: int) -> None:
    losses = NULLS[name](np.random.default_rng([n, 1]), (n, 3_000))
    assert abs(losses.mean()) < 0.01
    for spread in (None, 0.02, float(losses.std())):  # whatever was expected of the losses
        won = int((aimed(losses, delta=DELTA, bound=QUALITY, spread=spread) >= BAR).sum())
        assert holds(won, 3_000), (spread, won)


@pytest.mark.parametrize("name", NULLS)
def test_a_martingale_is_never_ruined_into_winning_however_often_one_looks(name: str) -> None:
    losses = NULLS[name](np.random.default_rng(2), (400, 1_500))
    won = int(Martingale(1_500, bound=QUALITY).update(losses).rejects(DELTA).sum())
    assert holds(won, 1_500)


def test_aimed_bets_win_nearly_as_often_as_a_test_that_knows_the_distribution() -> None:
    rng = np.random.default_rng(3)
    losses = pairs(rng, (1_000, 1_000)) - 0.025
    losses = np.clip(losses, -1, QUALITY)
    z = losses.mean(axis=0) / losses.std(axis=0) * math.sqrt(1_000)
    normal = float((z < -1.645).mean())
    mine = float((aimed(losses, delta=DELTA, bound=QUALITY, spread=0.3) >= BAR).mean())
    mixture = float(Martingale(1_000, bound=QUALITY).update(losses).rejects(DELTA).mean())
    assert mixture + 0.1 < mine < normal + 0.02
    assert mine > normal - 0.08


def test_the_floor_lies_above_the_truth_in_one_of_twenty_at_most() -> None:
    rng = np.random.default_rng(4)
    above = 0
    for _ in range(200):
        reference = (rng.random(300) < 0.85).astype(float)
        served = np.where(rng.random(300) < 0.06, 0.0, reference)
        above += floor(reference, served, delta=DELTA, start=0.8) > 0.94
    assert holds(above, 200)


# ── weights and predictions ─────────────────────────────────────────────────────────────────────────────────────────


def drawn_unequally(rng: np.random.Generator, n: int, runs: int) -> tuple[Floats, Floats]:
    """Calls of which the harmless are drawn four times as often; among all calls the mean loss is 0. Losses, propensities."""
    bad = rng.random((n, runs)) < 0.2  # of those drawn; half of all calls
    propensity = np.where(bad, 0.1, 0.4)
    loss = np.where(bad, 0.3, -0.3) + rng.uniform(-0.3, 0.3, (n, runs))
    return loss, propensity


def test_inverse_propensities_keep_the_promise_that_a_biased_sample_would_break() -> None:
    loss, propensity = drawn_unequally(np.random.default_rng(5), 300, 2_000)
    assert abs(float((loss / propensity).mean())) < 0.03
    weight = 0.1 / propensity
    won = int((aimed(loss * weight, delta=DELTA, bound=QUALITY) >= BAR).sum())
    assert holds(won, 2_000)
    assert float((aimed(loss, delta=DELTA, bound=QUALITY) >= BAR).mean()) > 0.5


@pytest.mark.parametrize("use", [0.0, 0.6, 1.5])
def test_a_control_variate_keeps_the_level_whatever_its_worth(use: float) -> None:
    rng = np.random.default_rng(6)
    n, runs = 200, 1_500
    hint = rng.uniform(-0.4, 0.4, (n, runs))
    loss = hint + rng.uniform(-0.5, 0.5, (n, runs))
    pool = rng.uniform(-0.4, 0.4, (n * 5, runs))
    steady, bound = steadied(loss, hint, pool, use, bound=QUALITY)
    assert steady.max() <= bound
    won = int((aimed(steady, delta=DELTA, bound=bound) >= BAR).sum())
    assert holds(won, runs)


def test_a_good_control_variate_sees_more() -> None:
    rng = np.random.default_rng(7)
    n, runs = 600, 500
    hint = rng.uniform(-0.45, 0.45, (n, runs))
    loss = hint + rng.uniform(-0.35, 0.35, (n, runs)) - 0.02
    pool = rng.uniform(-0.45, 0.45, (n * 8, runs))
    steady, bound = steadied(loss, hint, pool, 1.0, bound=QUALITY)
    plain = float((aimed(loss, delta=DELTA, bound=QUALITY, spread=0.3) >= BAR).mean())
    assert float((aimed(steady, delta=DELTA, bound=bound, spread=0.2) >= BAR).mean()) > plain + 0.1


def test_a_pool_smaller_than_the_sample_changes_nothing() -> None:
    loss = np.full((5, 1), -0.1)
    steady, bound = steadied(loss, loss, np.zeros((3, 1)), bound=QUALITY)
    assert steady is loss and bound == QUALITY


# ── certificates ────────────────────────────────────────────────────────────────────────────────────────────────────

CUTS = np.linspace(0.9, 0.0, 10)


def calls(rng: np.random.Generator, n: int, slope: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """Scores of prompts, and whether the small and the large model were right: the lower the score, the more is lost."""
    score = rng.random(n)
    reference = (rng.random(n) < 0.85).astype(float)
    cheap = np.where(rng.random(n) < 0.3 * slope * (1 - score), 0.0, reference)
    return score, cheap, reference


def quality_of(step: int, slope: float = 1.0) -> float:
    """Known exactly: of calls with a score above the cut, the mean of ``0.3 slope (1 - score)`` is lost."""
    if step < 0:
        return 1.0
    return 1 - 0.3 * slope * (1 - CUTS[step]) ** 2 / 2


def trial_of(score: Floats, cheap: Floats, reference: Floats, slice: list[str] | None = None) -> Trial:
    serves = score[:, None] >= CUTS
    served = np.where(serves, cheap[:, None], reference[:, None])
    return Trial(served, np.where(serves, 0.1, 1.0), reference, np.ones(len(score)), slice=slice)


def test_a_certificate_breaks_its_word_in_one_of_twenty_at_most_and_serves_near_the_edge() -> None:
    rng = np.random.default_rng(8)
    steps = [certify(trial_of(*calls(rng, 500)), quality=QUALITY, delta=DELTA).step for _ in range(250)]
    broken = sum(quality_of(step) < QUALITY for step in steps)
    assert holds(broken, 250)
    assert quality_of(4) > QUALITY > quality_of(5)
    assert np.mean(steps) > 2.5


def test_slices_share_the_doubt() -> None:
    """Four slices, two of them bad: no bad one may serve more than it should, in 19 of 20 draws."""
    rng = np.random.default_rng(9)
    slopes = {"a": 0.05, "b": 2.0, "c": 1.0, "d": 4.0}
    broken = served = 0
    for _ in range(100):
        parts = [(name, calls(rng, 350, slope)) for name, slope in slopes.items()]
        names = [name for name, _ in parts for _ in range(350)]
        columns = [np.concatenate([part[k] for _, part in parts]) for k in range(3)]
        order = rng.permutation(len(names))
        verdict = certify(
            trial_of(columns[0][order], columns[1][order], columns[2][order], [names[i] for i in order]),
            quality=QUALITY,
            delta=DELTA,
        )
        broken += any(quality_of(s.step, slopes[s.name]) < QUALITY for s in verdict.slices)
        served += verdict.of("a") == len(CUTS) - 1
    assert holds(broken, 100)
    assert served > 60


def daily(days: int, users: int, *, anew: bool) -> int:
    """Users who press the button every day; so many were ever promised what is not so."""
    rng = np.random.default_rng(10)
    fooled = 0
    for _ in range(users):
        standing: dict[str, Martingale] = {}
        seen: list[tuple[Floats, Floats, Floats]] = []
        for _ in range(days):
            seen.append(calls(rng, 25))
            if anew:
                step = certify(trial_of(*map(np.concatenate, zip(*seen, strict=True))), quality=QUALITY).step  # type: ignore[arg-type]
            else:
                step = certify(trial_of(*seen[-1]), quality=QUALITY, standing=standing).step
            if quality_of(step) < QUALITY:
                fooled += 1
                break
    return fooled


def test_a_user_who_presses_the_button_every_day_is_fooled_in_one_of_twenty_at_most() -> None:
    assert holds(daily(30, 60, anew=False), 60)


@pytest.mark.long
def test_daily_looks_in_depth_and_what_begins_anew_each_day_does_fool() -> None:
    assert holds(daily(60, 600, anew=False), 600)
    assert not holds(daily(60, 200, anew=True), 200)


@pytest.mark.long
@pytest.mark.parametrize("name", NULLS)
def test_aimed_bets_at_the_boundary_in_depth(name: str) -> None:
    won = runs = 0
    for part in range(10):
        losses = NULLS[name](np.random.default_rng([part, 11]), (1_000, 5_000))
        won += int((aimed(losses, delta=DELTA, bound=QUALITY, spread=0.3) >= BAR).sum())
        runs += 5_000
    assert holds(won, runs)


@pytest.mark.long
def test_certificates_in_depth() -> None:
    rng = np.random.default_rng(12)
    broken = sum(quality_of(certify(trial_of(*calls(rng, 800))).step) < QUALITY for _ in range(4_000))
    assert holds(broken, 4_000)
