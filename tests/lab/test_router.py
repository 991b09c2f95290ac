"""A router learned from rows: whom it sends where, how its path is laid, and what chance has to do with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from demitasse.lab.outcomes import Outcomes
from demitasse.lab.router import NARROWEST, STEPS, aim, matrix, train
from tests.lab.test_offline import population


@pytest.fixture(scope="module")
def rows() -> Outcomes:
    found = population(600, 1)
    return replace(found, features=matrix(found))


def hard(rows: Outcomes) -> np.ndarray:
    return np.array(["Compute" in prompt for prompt in rows.prompts])


def test_what_the_large_model_adds_is_learned(rows: Outcomes) -> None:
    lost, _ = train(rows, 400).expected(population(500, 2))
    at = hard(population(500, 2))
    assert lost[at].mean() == pytest.approx(0.6, abs=0.12)
    assert lost[~at].mean() == pytest.approx(0.0, abs=0.08)


def test_the_path_goes_from_nearly_never_to_always_and_never_back(rows: Outcomes) -> None:
    p = train(rows, 400).chances(rows)
    assert p.shape == (600, STEPS)
    assert (np.diff(p, axis=1) >= -1e-9).all()
    assert p[:, 0].mean() == pytest.approx(1 / STEPS, abs=0.005)
    assert (p[:, -1] == 1).all()


def test_steps_are_even_in_what_is_saved(rows: Outcomes) -> None:
    dear = replace(rows, reference_cost=np.array([len(p) / 10 for p in rows.prompts]))
    router = train(dear, 400)
    _, saved = router.expected(dear)
    share = (router.chances(dear) * saved[:, None]).sum(axis=0) / saved.sum()
    assert np.allclose(share, np.arange(1, STEPS + 1) / STEPS, atol=0.01)


def test_the_fewer_labels_the_more_is_left_to_chance(rows: Outcomes) -> None:
    few, many = (aim(train(rows, 1), rows, n) for n in (50, 20_000))
    middle = STEPS // 3
    assert few.widths[middle] > 4 * many.widths[middle]
    assert many.widths.min() >= NARROWEST


def test_of_two_equal_risks_the_dearer_prompt_goes_first() -> None:
    rng = np.random.default_rng(3)
    n = 800
    prompts = [("word " * int(k)).strip() for k in rng.integers(5, 400, n)]
    cost = np.array([len(p) / 4 for p in prompts])
    wrong = rng.random(n) < 0.1
    rows = Outcomes(prompts, np.where(wrong, 0.0, 1.0), np.ones(n), 0.01 * cost, cost)
    p = train(rows, 600).chances(rows)[:, STEPS // 2]
    longer = cost > np.median(cost)
    assert p[longer].mean() > p[~longer].mean() + 0.3


def test_what_is_paid_is_guessed_from_the_prompt_and_never_read_from_the_bill(rows: Outcomes) -> None:
    router = train(rows, 400)
    billed = replace(rows, reference_cost=rows.reference_cost * np.linspace(0, 9, 600))
    assert np.array_equal(router.chances(billed), router.chances(rows))


def test_a_score_meets_its_threshold_as_often_as_the_chance_says(rows: Outcomes) -> None:
    router = train(rows, 100)
    rng = np.random.default_rng(4)
    for step in (5, 30, 60, STEPS - 1):
        passed = np.mean(
            [router.scores(rows, step, rng.random(600)) >= router.threshold(step) for _ in range(300)], axis=0
        )
        assert np.abs(passed - router.chances(rows)[:, step]).max() < 0.15
        assert passed.mean() == pytest.approx(router.chances(rows)[:, step].mean(), abs=0.01)
    scores = router.scores(rows, 30, rng.random(600))
    assert scores.min() >= 0 and scores.max() <= 1
    assert router.threshold(STEPS - 1) == 0.0


def test_a_slice_that_is_bad_is_known_by_its_name() -> None:
    rows = population(800, 5, gap=0.0)
    bad = np.arange(800) % 2 == 0
    named = replace(rows, cheap=np.where(bad, 0.0, rows.reference), slice=["law" if b else "chat" for b in bad])
    lost, _ = train(named, 400).expected(named)
    assert lost[bad].mean() > lost[~bad].mean() + 0.5
    strange, _ = train(named, 400).expected(replace(named, slice=["never seen"] * 800))
    assert lost[~bad].mean() < strange.mean() < lost[bad].mean()


def test_without_rows_to_learn_from_all_prompts_are_alike(rows: Outcomes) -> None:
    p = train(rows.take(np.arange(0)), 400).chances(rows)
    assert np.allclose(p, p[0])
    assert p[0, -1] == 1.0
