from __future__ import annotations

import pytest
from msgspec import structs

from demitasse.lab.optimise.split import SplitError, split
from demitasse.lab.tasks.task import Sample, Task, Turn


def task(n=100, **more):
    return Task(
        "t", tuple(Sample(f"s{i}", f"question {i}", ("a",), **{k: v(i) for k, v in more.items()}) for i in range(n))
    )


def ids(part):
    return {sample.id for sample in part.samples}


def test_nothing_is_learned_from_that_is_measured_on():
    found = split(task(), seed=7)
    assert len(found.test.samples) == 33 and len(found.train.samples) == 67
    assert not ids(found.train) & ids(found.test)
    assert split(task(), seed=7) == found != split(task(), seed=8)
    assert "hash" in found.how


def test_a_larger_split_contains_the_smaller_one():
    assert ids(split(task(), test=20).test) < ids(split(task(), test=40).test)


def test_rows_with_a_time_are_split_by_it_whatever_their_order():
    found = split(task(at_us=lambda i: 1_000 - i), test=30)
    assert ids(found.test) == {f"s{i}" for i in range(30)}
    assert "time" in found.how
    mixed = task()
    mixed = structs.replace(mixed, samples=(structs.replace(mixed.samples[0], at_us=5), *mixed.samples[1:]))
    assert "hash" in split(mixed).how


def test_the_same_text_and_the_same_cluster_stand_on_one_side_only():
    whole = task(cluster=lambda i: f"c{i // 4}")
    again = [structs.replace(s, id=f"again {s.id}", input=f"  Question {i}. ", cluster="")
             for i, s in enumerate(whole.samples)]  # fmt: skip
    found = split(structs.replace(whole, samples=(*whole.samples, *again)), test=40)
    texts = {s.input.strip(" .").lower() for s in found.test.samples}
    assert all(s.input.strip(" .").lower() not in texts for s in found.train.samples)
    clusters = {s.cluster for s in found.test.samples if s.cluster}
    assert clusters and all(s.cluster not in clusters for s in found.train.samples if s.cluster)
    lost = 200 - len(found.train.samples) - len(found.test.samples)
    assert sum(found.dropped.values()) == lost > 0


def test_too_few_rows_are_refused_with_what_to_do():
    with pytest.raises(SplitError, match="add samples, or set --n"):
        split(task(30))
    same = Task("t", tuple(Sample(f"s{i}", (Turn("user", "always this"),)) for i in range(100)))
    with pytest.raises(SplitError, match="only 0 rows are left"):
        split(same)
