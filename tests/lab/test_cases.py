"""From labels to cases: whose word counts, which calls belong together, and what each of them weighs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from demitasse.core.evidence import Answered, Label
from demitasse.lab.cases import ONCE_US, TRAIN_SHARE, Cases, fresh, gather, parted, sizes, units, weights
from demitasse.score.draft import MARKS
from tests.lab.made_labels import NOON_US, made, placed


def cases(labels: list[Label], **more: str) -> Cases:
    return gather(placed(labels), "small", "large", **more).cases


def judged(label: Label, small: float | None, large: float = 1.0, **more: object) -> Label:
    """The same call with other scores."""
    assert label.reference is not None
    return replace(
        label,
        reference=replace(label.reference, score=large),
        others=tuple(replace(a, score=small) for a in label.others),
        **more,
    )


def test_a_label_becomes_a_case_with_its_scores_costs_and_place() -> None:
    (label,) = made(1)
    found = gather([(7, label)], "small", "large")
    one = found.cases
    assert (one.ids, one.seq.tolist(), one.session) == ((label.id,), [7], (label.session,))
    assert (one.reference[0], one.cheap_cost[0], one.reference_cost[0]) == (1.0, 100, 1000)
    assert np.isnan(one.second_cost[0])
    assert one.features.shape == (1, len(label.features))
    assert one.version == (frozenset({("small", "small-1"), ("large", "large-1")}),)
    assert found.features == label.version


def test_a_persons_verdict_goes_before_a_judges_whichever_came_first() -> None:
    (label,) = made(1)
    judge, vote = judged(label, 0.0), judged(label, 1.0, source="vote", method="vote")
    for order in ([judge, vote], [vote, judge]):
        found = cases(order)
        assert (len(found), found.cheap[0], found.people[0]) == (1, 1.0, True)
    assert cases([judge]).people.tolist() == [False]


def test_a_vote_that_both_are_bad_leaves_nothing_to_lose() -> None:
    (label,) = made(1)
    found = cases([label, judged(label, 0.0, 0.0, source="vote")])
    assert (found.reference[0], found.cheap[0]) == (0.0, 0.0)


def test_a_vote_that_was_taken_back_says_nothing() -> None:
    (label,) = made(1)
    assert cases([judged(label, 1.0), judged(label, None, source="vote")]).cheap.tolist() == [1.0]


def test_an_applications_score_counts_where_it_scored_both_models() -> None:
    (label,) = made(1)
    one = replace(judged(label, 0.4, 0.8), source="feedback", features=(), method="feedback")
    assert (cases([label, one]).cheap[0], cases([label, one]).reference[0]) == (label.others[0].score, 1.0)
    # … as long as no judge has compared them: a comparison knows more than two marks of different people.
    alone = cases([replace(one, features=label.features)])
    assert (alone.cheap[0], alone.reference[0]) == (0.4, 0.8)
    half = replace(one, reference=None)
    assert cases([judged(label, 1.0), half]).cheap.tolist() == [1.0]


def test_answers_that_nobody_could_compare_count_against_the_small_model() -> None:
    (label,) = made(1)
    found = cases([judged(label, None)])
    assert (found.cheap[0], found.reference[0], found.judged[0]) == (0.0, 1.0, False)


def test_calls_that_a_model_did_not_answer_and_old_features_are_left_out_and_counted() -> None:
    labels = made(6)
    labels[0] = replace(labels[0], others=(Answered("mini", "mini-1", 1.0),))
    labels[1] = replace(labels[1], reference=Answered("other", "other-1", 1.0))
    labels[2] = replace(labels[2], version="features-0 marks-0")
    found = gather(placed(labels), "small", "large")
    assert (len(found.cases), found.unanswered, found.other_features) == (3, 2, 1)


def test_a_second_answer_speaks_of_a_draft_only_where_the_ladder_has_one() -> None:
    (label,) = made(1)
    marks = tuple(1.0 if name in ("sound", "agrees", "second_known") else 0.0 for name in MARKS)
    both = replace(
        label,
        others=(replace(label.others[0], marks=marks), Answered("mini", "mini-1", 1.0, 200, "m", (0.0,) * len(MARKS))),
    )
    known = MARKS.index("second_known")
    assert cases([both], second="mini").marks[0, known] == 1.0
    assert cases([both], second="mini").second_cost.tolist() == [200]
    assert cases([both]).marks[0].sum() == 1.0, "sound, and nothing of another"


def test_an_unknown_cost_is_taken_for_the_usual_one() -> None:
    labels = made(3)
    labels[1] = replace(labels[1], reference=replace(labels[1].reference, cost_nanos=None))
    labels[2] = replace(labels[2], reference=replace(labels[2].reference, cost_nanos=3000))
    assert cases(labels).reference_cost.tolist() == [1000, 2000, 3000]


def test_no_labels_are_no_cases() -> None:
    none = cases([])
    assert len(none) == 0 == len(none.take(np.array([], dtype=np.int64)))
    assert (sizes(none), fresh(none, {}), units(none, ("",), 1)[1]) == (1, (none, {}), 0)


@given(seed=st.integers(0, 2**31), n=st.integers(1, 60))
def test_no_session_is_in_both_parts_and_the_coin_falls_the_same_way_for_ever(seed: int, n: int) -> None:
    labels = [replace(label, session=f"s{i % 7}") for i, label in enumerate(made(n))]
    train, certify = parted(cases(labels), seed)
    assert len(train) + len(certify) == n
    assert not set(train.session) & set(certify.session)
    again, _ = parted(cases(labels[: n // 2 + 1]), seed)
    assert set(again.session) <= set(train.session)


def test_about_a_third_is_learned_from() -> None:
    train, _ = parted(cases(made(2000)), 3)
    assert len(train) / 2000 == pytest.approx(TRAIN_SHARE, abs=0.04)


def test_a_session_counts_once_a_day_however_often_one_looks() -> None:
    first, second, third, other = (replace(label, session="s") for label in made(4))
    first, second = replace(first, at_us=NOON_US), replace(second, at_us=NOON_US + ONCE_US - 1)
    third, other = replace(third, at_us=NOON_US + ONCE_US), replace(other, at_us=NOON_US, session="t")
    taken, counted = fresh(cases([first, other]), {})
    assert len(taken) == 2
    again, counted = fresh(cases([second]), counted)
    assert len(again) == 0
    later, counted = fresh(cases([third]), counted)
    assert later.ids == (third.id,)
    assert counted == {"s": NOON_US + ONCE_US}, "what is older than a day is forgotten"


def test_evidence_comes_in_pieces_by_session_and_task_of_no_more_than_so_many_calls() -> None:
    names = ["a", "b", "a", "a", "a", "b"]
    tasks = ["", "", "maths", "", "", "rare"]
    labels = [replace(x, session=s, slice=t) for x, s, t in zip(made(6), names, tasks, strict=True)]
    found, count = units(cases(labels), ("maths", ""), 2)
    assert found.tolist() == [0, 1, 2, 0, 3, 1]
    assert count == 4


def test_so_many_calls_of_a_session_count_as_nineteen_of_twenty_have() -> None:
    names = [f"s{i}" for i in range(95)] + ["long"] * 40 + [f"m{i % 10}" for i in range(30)]
    labels = [replace(x, session=s) for x, s in zip(made(len(names)), names, strict=True)]
    assert sizes(cases(labels)) == 3
    assert sizes(cases([replace(x, session="one name for all") for x in made(100)])) == 32


def test_a_call_that_was_twice_as_likely_to_be_drawn_weighs_half() -> None:
    labels = [replace(x, propensity=p) for x, p in zip(made(4), (0.1, 0.2, 0.1, 0.05), strict=True)]
    assert weights(cases(labels), ()).tolist() == pytest.approx([1.0, 0.5, 1.0, 1.0])
    assert weights(cases(labels), (0.05,)).tolist() == pytest.approx([0.5, 0.25, 0.5, 1.0])


def test_a_new_rate_costs_little_for_long() -> None:
    labels = [replace(x, propensity=0.02 if i < 10 else 0.5) for i, x in enumerate(made(300))]
    found = weights(cases(labels), ())
    assert found[10] == pytest.approx(0.04)
    assert found[-1] == 1.0


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=50))
def test_weights_lie_in_bounds_and_are_known_before_the_call(propensities: list[float]) -> None:
    labels = [replace(x, propensity=p) for x, p in zip(made(len(propensities)), propensities, strict=True)]
    found = weights(cases(labels), ())
    assert ((found > 0) & (found <= 1)).all()
    assert np.allclose(weights(cases(labels[:-1]), ()), found[:-1])
