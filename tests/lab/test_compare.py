"""Comparing evaluations: pairs, sides, slices, many candidates, and what is said aloud."""

from __future__ import annotations

import pytest

from demitasse.lab.evals.compare import compare, compare_all
from demitasse.lab.evals.result import EvaluationError, Row
from demitasse.lab.evals.seen import Seen, seen
from demitasse.lab.evals.words import compared
from demitasse.lab.scorers.scorer import Score
from tests.lab.made_evaluations import seen_of


def test_regressions_and_fixes_are_named_with_what_went_wrong() -> None:
    before = [Seen("a", 1.0), Seen("b", 1.0), Seen("c", 0.0), Seen("d", 0.5)]
    now = [Seen("a", 0.0, failure="format"), Seen("b", 1.0), Seen("c", 1.0), Seen("d", 0.25)]
    found = compare(now, before)
    assert [(x.sample, x.failure) for x in found.regressions] == [("a", "format"), ("d", "")]
    assert [x.sample for x in found.fixes] == ["c"]
    assert found.mcnemar is None  # scores between 0 and 1
    assert (found.candidate.unread, found.candidate.wrong) == (1, 1)


def test_samples_of_one_side_are_left_out_and_said() -> None:
    found = compare(seen_of([1.0] * 50), seen_of([1.0] * 80))
    assert (found.n, found.only_candidate, found.only_reference) == (50, 0, 30)
    assert "30 samples that only 'reference' was asked" in found.notes[0]


def test_no_sample_in_common_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(EvaluationError, match=r"share no sample.*same task"):
        compare([Seen("a", 1.0)], [Seen("b", 1.0)])


def test_unscored_samples_can_block_a_verdict_but_never_make_one() -> None:
    whole = compare(seen_of([1.0] * 200), seen_of([1.0] * 200), margin=0.03)
    holes = compare(seen_of([1.0] * 190 + [None] * 10), seen_of([1.0] * 200), margin=0.03)
    assert (whole.verdict, holes.verdict) == ("non-inferior", "inconclusive")
    assert holes.difference == 0.0 and holes.candidate.quality == 1.0 and holes.unscored == 10
    assert "whatever they would have been" in holes.notes[0]


def test_an_unpriced_answer_makes_the_cost_unknown_and_not_nothing() -> None:
    rows = seen_of([1.0] * 9)
    found = compare([*rows, Seen("s9", 1.0)], seen_of([1.0] * 10))
    assert found.candidate.cost_nanos is None and found.cost_ratio is None
    assert "What 'candidate' costs is not known" in compared(found)


def test_a_slice_among_many_needs_more_than_it_would_alone() -> None:
    c = [0.0 if i % 20 == 0 and i < 200 else 1.0 for i in range(400)]  # ten falls, all in one slice of twenty
    alone = compare(seen_of(c)[::20], seen_of([1.0] * 400)[::20], margin=0.1)
    parts = compare(seen_of(c, slices=20), seen_of([1.0] * 400, slices=20), margin=0.1).slices
    worst = next(part for part in parts if part.name == "part 0")
    assert alone.verdict == "inferior" and worst.interval == alone.interval
    assert worst.verdict == "inconclusive"


def test_many_candidates_share_the_doubt() -> None:
    reference = seen_of([0.0] * 12 + [1.0] * 188)
    better = seen_of([1.0] * 9 + [0.0] * 3 + [1.0] * 188)
    (alone,) = compare_all({"x": better}, reference)
    many = compare_all({f"x{i}": better if i == 0 else reference for i in range(20)}, reference)
    assert alone.verdict == "superior" and alone.p_adjusted is None
    assert many[0].verdict == "non-inferior" and many[0].p_adjusted is not None
    assert many[0].interval == alone.interval


def test_repeats_are_one_sample_with_their_mean() -> None:
    rows = [
        Row("a", Score(1.0), cost_nanos=10, latency_ms=4.0),
        Row("b", Score(1.0), cost_nanos=10),
        Row("a", Score(0.0, "cut"), repeat=1, cost_nanos=30, latency_ms=8.0),
        Row("b", Score(None), repeat=1),
    ]
    one, other = seen(rows)
    assert (one.value, one.failure, one.cost_nanos, one.latency_ms) == (0.5, "cut", 20, 6.0)
    assert (other.value, other.cost_nanos) == (None, None)


def test_samples_of_one_session_hang_together() -> None:
    together = [Seen(f"s{i}", 1.0, cluster=f"c{i % 10}") for i in range(200)]
    found = compare(together, together, margin=0.05)
    assert (found.n, found.clusters, found.verdict, found.mcnemar) == (200, 10, "inconclusive", None)


@pytest.mark.parametrize(
    ("candidate", "says"),
    [
        ([1.0] * 200, "SUPERIOR"),
        ([0.0] * 20 + [1.0] * 180, "NON-INFERIOR"),
        ([0.0] * 100 + [1.0] * 100, "INFERIOR"),
        ([0.0] * 26 + [1.0] * 174, "INCONCLUSIVE"),
    ],
)
def test_the_paragraph_says_the_verdict_and_what_to_do(candidate: list[float], says: str) -> None:
    found = compare(seen_of(candidate), seen_of([0.0] * 20 + [1.0] * 180), margin=0.04, names=("small", "large"))
    told = compared(found)
    assert f"{says}:" in told
    assert ("would decide it" in told) == (says == "INCONCLUSIVE")


def test_more_samples_are_asked_for_only_as_many_as_would_decide() -> None:
    found = compare(seen_of([0.0] * 3 + [1.0] * 57), seen_of([1.0] * 57 + [0.0] * 3), margin=0.02)
    assert found.verdict == "inconclusive"
    assert found.n_needed is not None and found.n_needed > 60
    assert found.mde > 0.02
