"""People score blind, and their votes stand beside the run."""

import json

import pytest

from demitasse.lab.evals.human import (
    FILE,
    Vote,
    VoteError,
    add,
    agreement,
    as_lines,
    from_lines,
    item_of,
    queue,
    read,
    scored,
)
from demitasse.lab.evals.result import Row
from demitasse.lab.scorers.registry import make
from demitasse.lab.scorers.scorer import Score
from demitasse.lab.tasks.task import Sample, Task
from demitasse.score.normal import Answer

TASK = Task(
    "t", tuple(Sample(str(i), f"question {i}", ("yes",)) for i in range(8)), scorer="human", template="Say: {input}"
)
ROWS = [Row(str(i), Score(None), text=f"answer {i}", model="provider/secret-model", cost_nanos=7) for i in range(8)]


async def test_nobody_has_scored_until_a_person_has():
    scorer = make(TASK, ask=None)
    assert (await scorer(TASK.samples[0], Answer("yes"))).value is None
    assert (await scorer(TASK.samples[0], Answer(""))).failure == "empty"


def test_what_is_shown_tells_no_model_no_cost_and_no_place_in_the_run():
    items = queue(TASK, ROWS)
    assert "secret-model" not in repr(items)
    assert items[0].question.startswith("Say: question")
    assert [item.question for item in items] != [f"Say: question {i}" for i in range(8)]
    assert {item.answer for item in items} == {row.text for row in ROWS}


def test_the_same_answer_of_two_runs_is_shown_once_and_what_is_scored_no_more():
    twice = ROWS + ROWS
    assert len(queue(TASK, twice)) == 8
    votes = [Vote(item_of(ROWS[0]), 1.0, "ann")]
    assert len(queue(TASK, twice, votes, voter="ann")) == 7
    assert len(queue(TASK, twice, votes, voter="bob")) == 8
    assert [i.id for i in queue(TASK, ROWS, voter="ann")] != [i.id for i in queue(TASK, ROWS, voter="bob")]


def test_a_later_vote_of_a_person_replaces_the_earlier_and_people_are_averaged(tmp_path):
    for vote in (
        Vote(item_of(ROWS[0]), 0.0, "ann"),
        Vote(item_of(ROWS[0]), 1.0, "ann", "on reflection"),
        Vote(item_of(ROWS[0]), 0.5, "bob"),
    ):
        add(tmp_path, vote)
    found = scored(ROWS, read(tmp_path))
    assert found[0].score.value == 0.75
    assert found[0].score.why == "on reflection"
    assert found[1:] == ROWS[1:]


def test_votes_survive_and_a_broken_line_is_named(tmp_path):
    assert read(tmp_path) == []
    add(tmp_path, Vote("a", 1.0))
    assert read(tmp_path) == [Vote("a", 1.0)]
    with (tmp_path / FILE).open("a") as file:
        file.write("\n{half\n")
    with pytest.raises(VoteError, match="line 3"):
        read(tmp_path)


def test_a_vote_outside_of_its_bounds_is_refused(tmp_path):
    with pytest.raises(VoteError, match="lies in"):
        add(tmp_path, Vote("a", 2.0))
    assert read(tmp_path) == []


def test_items_can_be_scored_elsewhere_as_lines():
    lines = as_lines(queue(TASK, ROWS))
    told = [json.loads(line) for line in lines.splitlines()]
    told[0]["value"] = 1
    filled = "\n".join(map(json.dumps, told)).encode()
    assert from_lines(filled, voter="ann", at_us=5) == [Vote(told[0]["id"], 1.0, "ann", "", 5)]
    with pytest.raises(VoteError, match="line 1"):
        from_lines(b'{"id": 3}', voter="ann", at_us=5)


def test_agreement_is_of_pairs_on_one_side_of_the_middle():
    votes = [
        Vote("a", 1.0, "ann"),
        Vote("a", 0.9, "bob"),
        Vote("b", 1.0, "ann"),
        Vote("b", 0.0, "bob"),
        Vote("c", 1.0, "ann"),
    ]
    found = agreement(votes)
    assert (found.items, found.pairs, found.share) == (2, 2, 0.5)
    assert agreement([]).share is None
