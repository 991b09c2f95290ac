from __future__ import annotations

import numpy as np
import pytest

from demitasse.lab.evals.result import EvaluationError, Row
from demitasse.lab.optimise.gate import Side, distance, gate
from demitasse.lab.scorers.scorer import Score
from demitasse.lab.tasks.task import Sample, Task

TASK = Task("intents", (Sample("s0", "a", ("b",)),), form="label", labels=("a", "b"))


def rows(right, n=200, *, said=None, failures=0, cost=2_000):
    return [
        Row(
            f"s{i}",
            Score(float(i < right), failure="format" if i >= n - failures else "", said=said or ("b" if i < right else "a")),
            cost_nanos=cost,
        )
        for i in range(n)
    ]  # fmt: skip


def held(made, original, margin=0.05):
    before = Side("large", bytes=10**9, bits_per_weight=16.0)
    return gate(
        TASK, made, original, before=before, after=Side("small", bytes=10**8, bits_per_weight=4.5), margin=margin
    )


def test_what_answers_the_same_passes_and_its_figures_are_told():
    found = held(rows(180, cost=100), rows(180), margin=0.05)
    assert (found.outcome, found.verdict, found.agreement, found.n) == ("passed", "non-inferior", 1.0, 200)
    assert (found.before.score, found.after.score) == (0.9, 0.9)
    assert (found.before.usd_per_1000, found.after.usd_per_1000) == (pytest.approx(0.002), pytest.approx(0.0001))
    assert (found.after.bits_per_weight, found.before.bytes) == (4.5, 10**9)
    assert found.task_hash == TASK.hash and found.needed is None


def test_what_is_much_worse_fails():
    found = held(rows(100, failures=60), rows(180))
    assert (found.outcome, found.verdict) == ("failed", "inferior")
    assert found.after.unreadable == 60
    assert found.agreement == 0.6
    assert found.interval[0] < found.difference == pytest.approx(-0.4)


def test_few_samples_decide_nothing_and_it_says_how_many_would():
    found = held(rows(18, 20), rows(19, 20), margin=0.02)
    assert (found.outcome, found.verdict) == ("inconclusive", "inconclusive")
    assert "20 samples cannot tell" in found.why


def test_a_gate_on_other_samples_is_none():
    other = [Row("x", Score(1.0))]
    with pytest.raises(EvaluationError, match="share no sample"):
        held(other, rows(1, 2))


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_the_distance_of_vectors_is_none_for_the_same_and_grows_with_noise():
    rng = np.random.default_rng(7)
    plain = unit(rng.standard_normal((200, 32)))
    assert distance(plain, plain) == (pytest.approx(1.0), 1.0)
    near, far = (unit(plain + s * unit(rng.standard_normal((200, 32)))) for s in (0.1, 1.0))
    cosine, shared = distance(near, plain)
    assert 0.98 < cosine < 1 and 0.7 < shared < 1
    assert distance(far, plain)[1] < shared
    turned = plain @ np.linalg.qr(rng.standard_normal((32, 32)))[0].astype(np.float32)
    cosine, shared = distance(turned, plain)
    assert shared > 0.99 and cosine < 0.3, "turned as a whole, neighbours stay"
    with pytest.raises(ValueError, match="more than 10"):
        distance(plain[:5], plain[:5])
