from __future__ import annotations

import numpy as np
import pytest

from demitasse.score.verifier import FEATURES, Neighbour, Verifier, elect, marks


def near(cosine: float, answer: int, words: str = "reset my password") -> Neighbour:
    return Neighbour(cosine, answer, frozenset(words.split()))


def chance(neighbours, words="reset my password", *, verifier=None, known=3, judged=0, wrong=0) -> float:
    found = marks(
        frozenset(words.split()),
        neighbours,
        elect(neighbours),
        rarity=lambda _: 3.0,
        known=known,
        judged=judged,
        wrong=wrong,
    )
    return (verifier or Verifier()).chance(found)


def test_many_near_voices_outvote_a_single_nearest_one():
    chosen = elect([near(0.90, 1), near(0.89, 2), near(0.88, 2), near(0.87, 2)])
    assert (chosen.answer, chosen.rival, chosen.cosine, chosen.rival_cosine) == (2, 1, 0.89, 0.90)
    assert 0.5 < chosen.votes < 1


def test_without_a_rival_all_voices_are_one_answers():
    chosen = elect([near(0.9, 7), near(0.7, 7)])
    assert (chosen.rival, chosen.votes) == (None, 1.0)


def test_marks_are_named_and_of_the_order_of_one():
    found = marks(
        frozenset(("a",)), [near(0.8, 1)], elect([near(0.8, 1)]), rarity=lambda _: 2.0, known=1, judged=0, wrong=0
    )
    assert found.shape == (len(FEATURES),)
    assert np.abs(found).max() < 10


def test_a_text_without_words_has_marks_too():
    assert 0 < chance([near(0.9, 1, "")], "") < 1


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"neighbours": [near(0.95, 1)] * 4}, {"neighbours": [near(0.7, 1)] * 4}),
        ({"neighbours": [near(0.9, 1)] * 4}, {"neighbours": [near(0.9, 1)] * 2 + [near(0.89, 2)] * 2}),
        ({"neighbours": [near(0.9, 1)] * 4}, {"neighbours": [near(0.9, 1)] * 4, "words": "cancel my password subscription"}),
        ({"neighbours": [near(0.9, 1)] * 4, "judged": 9}, {"neighbours": [near(0.9, 1)] * 4, "judged": 9, "wrong": 6}),
    ],
    ids=["nearer", "no rival", "no new words", "a clean record"],
)  # fmt: skip
def test_the_shipped_weights_know_what_speaks_for_an_answer(better, worse):
    assert chance(**better) < chance(**worse)


def test_verdicts_teach_what_the_shipped_weights_did_not_know():
    verifier, rng = Verifier(), np.random.default_rng(1)
    good, bad = np.zeros(len(FEATURES)), np.zeros(len(FEATURES))
    good[0] = bad[0] = 1.0
    good[1], bad[1] = -2.0, 2.0  # here, of all things, a high cosine is a bad sign
    assert verifier.chance(good) > verifier.chance(bad)
    for _ in range(400):
        verifier.learn(good, wrong=bool(rng.random() < 0.02))
        verifier.learn(bad, wrong=bool(rng.random() < 0.6))
    assert verifier.chance(good) < 0.06
    assert 0.4 < verifier.chance(bad) < 0.8


def test_chances_come_true():
    verifier, rng = Verifier(), np.random.default_rng(2)
    weights = rng.normal(size=len(FEATURES)) / 2
    said, was = [], []
    for n in range(3_000):
        x = np.append(1.0, rng.normal(size=len(FEATURES) - 1))
        wrong = bool(rng.random() < 1 / (1 + np.exp(2 - x @ weights)))
        if n > 1_000:
            said.append(verifier.chance(x))
            was.append(wrong)
        verifier.learn(x, wrong=wrong)
    said, was = np.array(said), np.array(was)
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 1)):
        inside = (said >= low) & (said < high)
        assert was[inside].mean() == pytest.approx(said[inside].mean(), abs=0.05)


def test_a_verifier_goes_on_from_its_state_and_from_none_that_does_not_fit():
    verifier = Verifier()
    for n in range(50):
        verifier.learn(np.linspace(0, 1, len(FEATURES)), wrong=n % 3 == 0)
    again = Verifier(verifier.state())
    x = np.linspace(1, 0, len(FEATURES))
    assert again.chance(x) == pytest.approx(verifier.chance(x))
    assert again.rows == 50
    odd = verifier.state().__class__(verifier.state().scale, verifier.state().scale, 9)
    assert Verifier(odd).rows == 0
