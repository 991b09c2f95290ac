"""What is certified, what is not, and who decides."""

from __future__ import annotations

import numpy as np
import pytest

from demitasse.lab.certify import REST, Trial, certify, losses
from demitasse.stats.betting import Martingale


def trial(n: int, *, seed: int = 1, steps: int = 10, good: float = 1.0) -> Trial:
    """A score that orders calls: below 0.5 the cheap model fails more and more, above it is as good as ``good``."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    reference = (rng.random(n) < 0.8).astype(float)
    right = np.where(score > 0.5, good, 2 * score * good)
    cheap = np.where(rng.random(n) < right, reference, 0.0)
    cuts = np.linspace(0.9, 0.0, steps)
    serves = score[:, None] >= cuts
    return Trial(
        np.where(serves, cheap[:, None], reference[:, None]),
        np.where(serves, 0.1, 1.0),
        reference,
        np.ones(n),
    )


def test_the_cheapest_step_that_keeps_the_promise_is_chosen() -> None:
    verdict = certify(trial(3000))
    assert verdict.certified
    assert 4 <= verdict.step <= 6  # a half of the traffic loses nothing; all of it would lose a quarter
    assert verdict.floor == 0.95 <= verdict.quality
    assert verdict.saving_low < verdict.saving < verdict.saving_high


def test_few_calls_prove_nothing() -> None:
    verdict = certify(trial(30))
    assert not verdict.certified
    assert (verdict.step, verdict.quality, verdict.floor, verdict.saving) == (-1, 1.0, 1.0, 0.0)


def test_a_path_walked_to_its_end_proves_more_than_was_asked() -> None:
    t = trial(2000)
    same = Trial(np.repeat(t.reference[:, None], 3, axis=1), np.full((2000, 3), 0.1), t.reference, t.reference_cost)
    verdict = certify(same, quality=0.9)
    assert verdict.step == 2
    assert verdict.quality == 1.0
    assert 0.95 < verdict.floor < 1.0


def test_calls_of_one_session_are_one_piece_of_evidence() -> None:
    t = trial(60)
    copies = np.repeat(np.arange(60), 20)
    many = t.take(copies)
    assert certify(many).certified  # as if each copy were news
    together = Trial(many.served, many.cost, many.reference, many.reference_cost, group=copies)
    assert not certify(together).certified
    loss, _ = losses(together, 0.95)
    assert np.allclose(loss, losses(t, 0.95)[0])


def test_a_slice_that_fails_goes_to_the_reference_and_the_others_do_not() -> None:
    good, bad = trial(1500, seed=2), trial(1500, seed=3, good=0.3)
    both = Trial(
        np.concatenate([good.served, bad.served]),
        np.concatenate([good.cost, bad.cost]),
        np.concatenate([good.reference, bad.reference]),
        np.ones(3000),
        slice=["en"] * 1500 + ["maths"] * 1500,
    ).take(np.random.default_rng(4).permutation(3000))
    verdict = certify(both)
    en, maths = verdict.slices
    assert en.certified and en.step >= 3 and en.floor == 0.95
    assert not maths.certified and maths.step < en.step
    assert verdict.of("maths") == maths.step
    assert verdict.of("never seen") == verdict.step == -1


def test_small_slices_go_with_the_rest_and_have_no_floor() -> None:
    t = trial(1000)
    named = Trial(t.served, t.cost, t.reference, t.reference_cost, slice=[f"s{i % 40}" for i in range(1000)])
    verdict = certify(named)
    assert verdict.step == certify(t).step
    assert len(verdict.slices) == 40
    assert {s.floor for s in verdict.slices} == {None}


def test_evidence_goes_on_from_look_to_look() -> None:
    t = trial(2000)
    standing: dict[str, Martingale] = {}
    looks = [certify(t.take(np.arange(at, at + 200)), standing=standing).step for at in range(0, 2000, 200)]
    assert looks == sorted(looks)
    assert looks[-1] >= 3
    assert standing[REST].n == 2000


@pytest.mark.parametrize("weighted", [False, True])
def test_weights_of_one_change_nothing(weighted: bool) -> None:
    t = trial(800)
    with_weights = Trial(t.served, t.cost, t.reference, t.reference_cost, np.ones(800) if weighted else None)
    assert certify(with_weights).step == certify(t).step
