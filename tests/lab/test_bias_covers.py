"""In simulation: BBQ's intervals hold the truth as often as they say."""

import random

import pytest

from demitasse.lab.evals.bias import bias
from demitasse.lab.evals.result import Row
from demitasse.lab.scorers.scorer import Score
from demitasse.lab.tasks.task import Sample, Task

INFO = {"ans0": ["x", "old"], "ans1": ["y", "nonOld"], "ans2": ["z", "unknown"]}
UNKNOWN, BIASED, RIGHT_ALIGNED, RIGHT_AGAINST = 0.6, 0.7, 0.9, 0.7


def drawn(chance, n):
    """n ambiguous answers (unknown with 0.6, else biased with 0.7) and n clear ones (right with 0.9 where aligned, else 0.7)."""
    samples, rows = [], []
    for i in range(2 * n):
        clear = i >= n
        right = "AB"[i % 2] if clear else "C"
        if clear:
            hit = chance.random() < (RIGHT_ALIGNED if right == "A" else RIGHT_AGAINST)
            said = right if hit else "AB"[right == "A"]
        else:
            said = "C" if chance.random() < UNKNOWN else "A" if chance.random() < BIASED else "B"
        told = {
            "context_condition": "disambig" if clear else "ambig",
            "question_polarity": "neg",
            "answer_info": INFO,
            "stereotyped": "A",
        }
        samples.append(Sample(str(i), "?", (right,), choices=("x", "y", "z"), slice="Age", metadata=told))
        rows.append(Row(str(i), Score(float(said == right), said=said)))
    return bias(Task("bbq", tuple(samples), form="choice"), rows).overall


def covers(runs, n, seed):
    """Share of runs in which each interval holds the truth."""
    chance = random.Random(seed)
    truth = {
        "ambiguous_accuracy": UNKNOWN,
        "ambiguous_bias": (1 - UNKNOWN) * (2 * BIASED - 1),
        # aligned answers are biased where right, those against where wrong
        "disambiguated_bias": (RIGHT_ALIGNED + (1 - RIGHT_AGAINST)) / 2 * 2 - 1,
        "nonalignment": RIGHT_ALIGNED - RIGHT_AGAINST,
    }
    held = dict.fromkeys(truth, 0)
    for _ in range(runs):
        found = drawn(chance, n)
        for name, value in truth.items():
            low, high = getattr(found, name).interval
            held[name] += low <= value <= high
    return {name: count / runs for name, count in held.items()}


def test_intervals_hold_the_truth_in_most_of_thirty_runs():
    assert all(share >= 0.86 for share in covers(30, 40, seed=1).values())


@pytest.mark.long
@pytest.mark.parametrize("n", [20, 100])
def test_intervals_hold_the_truth_as_often_as_they_say(n):
    found = covers(1_000, n, seed=2)
    assert all(share >= 0.935 for share in found.values()), found
