"""Betting against a bounded mean: what it takes, what it keeps, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from demitasse.stats.betting import Martingale, aimed, floor, needed

BAR = math.log(20)


def losses(rng: np.random.Generator, mean: float, *shape: int) -> np.ndarray:
    """Values -1, 0 and 0.95 with this mean."""
    high = 0.1
    low = high * 0.95 - mean
    return rng.choice([-1.0, 0.0, 0.95], p=[low, 1 - low - high, high], size=shape)


def test_losses_well_below_zero_are_refuted_and_losses_above_are_not() -> None:
    rng = np.random.default_rng(1)
    x = np.stack([losses(rng, -0.08, 600), losses(rng, 0.05, 600)], axis=1)
    peak = aimed(x, delta=0.05, bound=0.95)
    assert peak[0] >= BAR
    assert peak[1] < BAR


def test_a_model_that_never_errs_passes_after_as_many_losses_as_are_needed() -> None:
    n = needed(0.05, 0.05, 0.95)
    assert n < 70
    assert aimed(np.full((n - 1, 1), -0.05), delta=0.05, bound=0.95, spread=0.05)[0] < BAR
    assert aimed(np.full((n + 6, 1), -0.05), delta=0.05, bound=0.95, spread=0.05)[0] >= BAR


def test_no_losses_prove_nothing() -> None:
    assert aimed(np.zeros((0, 3)), delta=0.05).tolist() == [0, 0, 0]
    assert not Martingale(3).update(np.zeros((0, 3))).rejects(0.05).any()


def test_a_martingale_goes_on_where_it_was_kept() -> None:
    rng = np.random.default_rng(2)
    x = losses(rng, -0.05, 300, 4)
    whole = Martingale(4, bound=0.95).update(x)
    part = Martingale(4, bound=0.95).update(x[:100])
    again = Martingale.from_json(part.to_json()).update(x[100:])
    assert again.n == 300
    assert np.allclose(again.peak, whole.peak)
    assert np.allclose(again.log_wealth, whole.log_wealth)


def test_a_martingale_refuses_losses_that_could_ruin_it() -> None:
    with pytest.raises(ValueError, match=r"they lie in -1\.\.0\.95"):
        Martingale(1, bound=0.95).update(np.array([[1.2]]))
    with pytest.raises(ValueError, match="has 1 steps"):
        Martingale(1).update(np.zeros((3, 2)))


def test_the_floor_lies_below_the_estimate_and_rises_with_the_evidence() -> None:
    rng = np.random.default_rng(3)
    reference = (rng.random(3000) < 0.8).astype(float)
    served = np.where(rng.random(3000) < 0.97, reference, 0.0)
    few, many = (floor(reference[:n], served[:n], delta=0.05, start=0.5) for n in (200, 3000))
    assert 0.5 < few < many < served.mean() / reference.mean()
