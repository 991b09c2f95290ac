"""Certifying a file: the promise holds on rows never seen, what is learned saves, and odd files get honest answers."""

from __future__ import annotations

import numpy as np
import pytest

from demitasse.lab import offline
from demitasse.lab.offline import Found, certify_rows
from demitasse.lab.outcomes import Outcomes
from demitasse.stats.intervals import clopper_pearson


def population(n: int, seed: int, *, gap: float = 0.6, easy: float = 0.6, sessions: bool = False) -> Outcomes:
    """Prompts of two kinds that features can tell apart: on the hard ones (maths) the small model is right ``gap`` less often."""
    rng = np.random.default_rng(seed)
    hard = rng.random(n) >= easy
    prompts = [
        f"Compute {rng.integers(10, 99)} * {rng.integers(10, 99)} + {rng.integers(2, 9)} / 3 = ?  ({name})"
        if h
        else f"Say hello to the people of town number {name}."
        for h, name in zip(hard, rng.choice(np.arange(100_000, 1_000_000), n, replace=False), strict=True)
    ]
    reference = (rng.random(n) < 0.9).astype(float)
    cheap = (rng.random(n) < np.where(hard, 0.9 - gap, 0.9)).astype(float)
    session = [f"s{i // 3}" for i in range(n)] if sessions else None
    return Outcomes(prompts, cheap, reference, np.full(n, 0.1), np.ones(n), session=session)


def test_easy_prompts_go_to_the_small_model_and_the_promise_holds_on_rows_never_seen() -> None:
    rows, fresh = population(800, 1), population(4_000, 2)
    found = certify_rows(rows, quality=0.95)
    assert found.certified and found.threshold is not None
    assert 0.4 < found.saving < 0.75 and found.floor >= 0.95 - 1e-9
    quality, saving = found.served(fresh)
    assert quality > 0.95 and saving == pytest.approx(found.saving, abs=0.08)
    assert found.n_train + found.n_certify == 800


def test_nothing_is_certified_where_the_small_model_is_never_right() -> None:
    rows = population(400, 3)
    bad = Outcomes(rows.prompts, np.zeros(400), rows.reference, rows.cheap_cost, rows.reference_cost)
    found = certify_rows(bad)
    assert not found.certified and found.threshold is None
    assert (found.quality, found.saving) == (1.0, 0.0) and found.served(rows) == (1.0, 0.0)


def test_two_equal_models_are_switched_outright() -> None:
    rows = population(400, 4)
    same = Outcomes(rows.prompts, rows.reference, rows.reference, rows.cheap_cost, rows.reference_cost)
    found = certify_rows(same)
    assert found.certified and found.just_switch and found.saving == pytest.approx(0.9)


def test_a_small_model_that_costs_more_saves_nothing_and_is_not_certified() -> None:
    rows = population(400, 5, gap=0.0)
    dear = Outcomes(rows.prompts, rows.cheap, rows.reference, rows.reference_cost * 2, rows.reference_cost)
    assert not certify_rows(dear).certified


def test_one_prompt_repeated_is_one_piece_of_evidence() -> None:
    rows = population(400, 6)
    one = Outcomes(["the same"] * 400, rows.cheap, rows.reference, rows.cheap_cost, rows.reference_cost)
    found = certify_rows(one)
    assert not found.certified and found.n_certify <= 1


def test_a_session_is_never_parted_between_learning_and_testing() -> None:
    rows = population(600, 7, sessions=True)
    found = certify_rows(rows)
    assert found.n_train % 3 == 0 and found.n_certify % 3 == 0
    assert found.certified


def test_a_bad_slice_goes_to_the_reference_and_the_good_one_saves() -> None:
    rows = population(1_600, 8, gap=0.0)
    rng = np.random.default_rng(0)
    bad = rng.random(1_600) < 0.5
    cheap = np.where(bad, 0.0, rows.reference)
    names = ["law" if b else "chat" for b in bad]
    found = certify_rows(Outcomes(rows.prompts, cheap, rows.reference, rows.cheap_cost, rows.reference_cost, names))
    by_name = {s.name: s for s in found.slices}
    assert found.certified and by_name["chat"].certified and not by_name["law"].certified
    assert by_name["law"].saving == 0.0 and by_name["chat"].saving > 0.8


def test_what_more_labels_would_buy_is_told_also_when_nothing_is_certified() -> None:
    found = certify_rows(population(100, 9))
    assert not found.certified and found.threshold is None
    assert [labels for labels, _ in found.next_labels] == sorted(labels for labels, _ in found.next_labels)
    assert found.next_labels[-1][1] > 0.1


def test_the_same_rows_and_seed_give_the_same_answer() -> None:
    rows = population(300, 10)
    a, b = certify_rows(rows, seed=3), certify_rows(rows, seed=3)
    assert (a.threshold, a.saving, a.floor) == (b.threshold, b.saving, b.floor)


def test_null_policies_stand_beside_it() -> None:
    found = certify_rows(population(800, 1))
    by_name = {b.name: b for b in found.baselines}
    assert set(by_name) == {"always-small", "best single", "random mix", "oracle"}
    assert by_name["random mix"].saving < found.saving < by_name["oracle"].saving


@pytest.fixture
def without_futures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "MORE", ())


def _violations(draws: int, n: int) -> tuple[int, list[Found]]:
    whole = population(20_000, 99, gap=0.35, easy=0.5)
    wrong, found = 0, []
    for draw in range(draws):
        rows = np.random.default_rng(draw).permutation(len(whole))
        one = certify_rows(whole.take(rows[:n]), seed=draw)
        quality, _ = one.served(whole.take(rows[n : n + 3_000]))
        wrong += one.certified and quality < 0.95
        found.append(one)
    return wrong, found


@pytest.mark.usefixtures("without_futures")
def test_the_promise_fails_in_at_most_one_of_twenty_draws_of_a_known_population() -> None:
    wrong, found = _violations(40, 300)
    assert clopper_pearson(wrong, 40)[0] <= 0.05
    assert sum(f.certified for f in found) > 10


@pytest.mark.long
@pytest.mark.usefixtures("without_futures")
def test_the_promise_fails_in_at_most_one_of_twenty_draws_in_depth() -> None:
    wrong, _ = _violations(400, 500)
    assert clopper_pearson(wrong, 400)[0] <= 0.05
