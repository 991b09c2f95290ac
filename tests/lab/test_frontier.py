"""The frontier of candidates: who is drawn, who is beaten, where the knee is, what the next point costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from demitasse.lab.evals.frontier import Frontier, frontier
from demitasse.lab.evals.result import EvaluationError
from demitasse.lab.evals.seen import Seen
from demitasse.lab.evals.words import drawn
from demitasse.lab.scorers.scorer import Failure

N = 400


def rows(right: float, cost: float | None, seed: int, n: int = N) -> list[Seen]:
    values = np.random.default_rng(seed).random(n) < right
    return [
        Seen(
            f"s{i}", float(v), cost_nanos=cost, latency_ms=100 * right, energy_uj=1e6 * right, energy_method="modelled"
        )
        for i, v in enumerate(values)
    ]


CURVE = {
    "tiny": rows(0.4, 1e3, 1),
    "small": rows(0.75, 1e4, 2),
    "middle": rows(0.78, 1e5, 3),
    "large": rows(0.85, 1e6, 4),
    "bad": rows(0.5, 2e5, 5),
}


@pytest.fixture(scope="module")
def curve() -> Frontier:
    return frontier(CURVE)


def test_the_beaten_are_named_with_who_beats_them(curve: Frontier) -> None:
    bad = curve.named("bad")
    assert not bad.on_front and bad.front_probability == 0.0
    assert (bad.beaten_by, bad.beaten_probability) == ("small", 1.0)
    assert next(p.name for p in curve.front) == "tiny"


def test_the_knee_is_a_range_around_the_bend(curve: Frontier) -> None:
    assert curve.knee is not None
    assert curve.knee.best == "small" and "small" in curve.knee.names and "tiny" not in curve.knee.names
    assert curve.knee.low is not None and curve.knee.low == pytest.approx(0.01)


def test_a_point_that_is_worth_more_moves_the_knee_up() -> None:
    knees = [frontier(CURVE, worth=worth).knee for worth in (1e-5, 1e-3, 10.0)]
    assert [knee.best for knee in knees if knee] == ["tiny", "small", "large"]


def test_the_price_of_the_next_point_has_no_limit_where_there_may_be_nothing_in_it(curve: Frontier) -> None:
    first = curve.steps[0]
    assert (first.below, first.above) == ("tiny", "small")
    assert first.price == pytest.approx(0.009 / first.points)
    low, high = first.price_interval
    assert high is not None and low < first.price < high and first.nothing == 0.0
    open_ = frontier({"a": rows(0.8, 1e3, 6), "b": [*rows(0.8, 1e4, 6)[:-1], Seen("s399", 1.0, cost_nanos=1e4)]})
    assert all(step.price_interval[1] is None for step in open_.steps)


def test_two_that_never_differed_are_not_surely_the_same() -> None:
    same = {"cheap": rows(0.8, 1e3, 7, 60), "dear": rows(0.8, 1e4, 7, 60)}
    dear = frontier(same).named("dear")
    assert not dear.on_front and dear.front_probability is not None
    assert 0.1 < dear.front_probability < 0.4


def test_unknown_costs_are_listed_and_not_drawn() -> None:
    found = frontier({**CURVE, "unpriced": rows(0.99, None, 8)})
    point = found.points[-1]
    assert (point.name, point.cost, point.on_front) == ("unpriced", None, False)
    assert "no price for 400 of 400 calls" in point.why_not and point.quality is not None
    assert "unpriced (no price" in drawn(found)
    assert [p.name for p in found.drawn] == [p.name for p in frontier(CURVE).drawn]


def test_one_unpriced_answer_is_enough_to_be_unknown() -> None:
    almost = [*rows(0.9, 1e3, 9)[:-1], Seen("s399", 1.0)]
    assert frontier({**CURVE, "almost": almost}).named("almost").why_not == "no price for 1 of 400 calls"


def test_energy_of_different_methods_is_never_compared() -> None:
    measured = [Seen(f"s{i}", 1.0, energy_uj=1.0, energy_method="measured") for i in range(N)]
    found = frontier({**CURVE, "measured": measured}, axis="energy")
    assert "measured" in found.named("measured").why_not and len(found.drawn) == 5
    assert found.unit == "Wh per 1,000 calls"
    assert found.named("tiny").cost == pytest.approx(0.4e6 / 3.6e6)


def test_latency_can_be_the_cost() -> None:
    found = frontier(CURVE, axis="latency")
    assert found.named("large").cost == pytest.approx(85.0)


def test_candidates_meet_on_the_samples_that_all_were_asked() -> None:
    found = frontier({**CURVE, "short": rows(0.9, 1e3, 10, 100)})
    assert found.n == 100
    assert "all candidates were asked 100" in found.notes[0]
    with pytest.raises(EvaluationError, match="no sample that all"):
        frontier({"a": [Seen("x", 1.0)], "b": [Seen("y", 1.0)]})


@pytest.mark.parametrize(("failure", "quality"), [("error", 0.5), ("", 1.0)])
def test_no_answer_is_no_success_and_no_verdict_is_left_out_for_all(failure: Failure, quality: float) -> None:
    holes = [
        Seen(f"s{i}", 1.0 if i % 2 else None, failure="" if i % 2 else failure, cost_nanos=1.0) for i in range(100)
    ]
    found = frontier({"holes": holes, "whole": rows(0.8, 1e3, 11, 100)})
    assert found.named("holes").quality == quality
    assert found.n == (100 if failure else 50) and len(found.notes) == 1


def test_one_that_nobody_scored_does_not_take_all_samples_along() -> None:
    found = frontier({**CURVE, "blind": [Seen(f"s{i}", None, cost_nanos=1.0) for i in range(N)]})
    assert found.n == N and "only 0 of its 400 answers have a score" in found.named("blind").why_not


def test_the_same_seed_gives_the_same_frontier(curve: Frontier) -> None:
    assert frontier(CURVE) == curve
    assert frontier(CURVE, seed=8) != curve


def test_a_straight_line_names_no_knee_and_says_how_sure_that_is() -> None:
    line = {f"m{i}": rows(0.3 + 0.15 * i, 1e3 * 4**i, 20 + i) for i in range(4)}
    found = frontier(line)
    assert found.knee is not None and 0.0 < found.knee.none < 1.0
    told = drawn(found)
    assert "of resamples it has one, at" in told or "of resamples there is no bend at all" in told


def sure(texts: Sequence[str], told: str) -> bool:
    return all(text in told for text in texts)


def test_the_paragraph_says_what_to_use_and_what_is_open(curve: Frontier) -> None:
    told = drawn(curve)
    assert sure(["Paying more stops paying at 'small'", "Leave out 'bad' ('small'", "costs $"], told)
    assert "has no bend that would say where to stop: put" in drawn(
        frontier({name: CURVE[name] for name in ("tiny", "large")})
    )
    assert "Nothing can be said" in drawn(frontier({"u": rows(0.5, None, 12)}))
    lone = drawn(frontier({"a": rows(0.9, 1e3, 13), "b": rows(0.5, 1e5, 14)}))
    assert sure(["Leave out 'b'", "Paying more stops paying at 'a'", "is the best there is"], lone)
