"""What an application says of an answer: whose call it must be, what is kept, and what is refused."""

import json

import pytest

from demitasse.core.call import Caller
from demitasse.core.entry import Attempt, Decision, Entry
from demitasse.core.errors import Refused, StoreError
from demitasse.gateway.feedback import Feedback
from demitasse.gateway.route import Route, Routes, Rung
from demitasse.testing import FakeLedger, FakeModel

RUNGS = {name: Rung(name, "test", f"{name}-1", FakeModel(), None) for name in ("small", "large")}
APP = Caller(key="app", name="app", tenant="app")


def an_entry(id: str = "c1", model: str | None = "small", **more) -> Entry:
    attempt = Attempt(model or "", "test", f"{model}-1", "ok", 1, 1.0)
    fields = {"outcome": "answered", "key": "app", "route": "auto", "attempts": (attempt,), "cost_nanos": 70}
    decision = Decision("pol", model or "", certificate="cert_1")
    return Entry(id=id, at_us=5, kind="chat", asked_model="auto", model=model, decision=decision, **fields | more)


class World:
    def __init__(self, *entries: Entry) -> None:
        self.ledger = FakeLedger()
        self.ledger.closed = list(entries)
        routes = Routes([Route("auto", RUNGS["large"], named=True)])
        self.feedback = Feedback(self.ledger, self.ledger.entry, lambda: routes)

    async def say(self, caller: Caller = APP, **said):
        return await self.feedback.take(caller, json.dumps(said).encode())


async def test_a_score_is_kept_as_evidence_about_the_model_that_served():
    world = World(an_entry(session="s", tags=(("task", "titles"), ("team", "x"))))
    said = await world.say(id="c1", score=0.75, label="useful")
    assert said == {"id": "c1", "score": 0.75, "label": "useful", "route": "auto", "model": "small"}
    (label,) = world.ledger.labels()
    assert (label.source, label.method, label.route, label.served) == ("feedback", "feedback:useful", "auto", "small")
    assert (label.session, label.slice, label.certificate, label.at_us) == ("s", "titles", "cert_1", 5)
    (small,) = label.others
    assert (small.model, small.version, small.score, small.cost_nanos, small.entry) == (
        "small",
        "small-1",
        0.75,
        70,
        "c1",
    )
    assert label.reference is None


async def test_a_score_of_the_references_answer_is_the_references():
    world = World(an_entry(model="large"))
    await world.say(id="c1", score=True)
    (label,) = world.ledger.labels()
    assert label.reference.score == 1.0 and label.others == ()


async def test_the_last_word_under_a_name_counts_and_names_stand_side_by_side():
    world = World(an_entry())
    for score, name in ((0, ""), (1, ""), (0.5, "tone")):
        await world.say(id="c1", score=score, label=name)
    assert [(label.method, label.others[0].score) for label in world.ledger.labels()] == [
        ("feedback", 1.0), ("feedback:tone", 0.5)
    ]  # fmt: skip
    assert [kind for kind, _ in world.ledger.log] == ["labelled"] * 3, "the chain has them all"


async def test_a_call_is_found_by_the_request_id_that_its_client_sent():
    world = World(an_entry(request_id="mine-1"))
    assert (await world.say(id="mine-1", score=1))["id"] == "c1"


@pytest.mark.parametrize(
    "caller", [Caller(key="other", tenant="other"), Caller(key="mate", tenant="team:b", team="b"), Caller()], ids=repr
)
async def test_anothers_call_is_as_unknown_as_one_that_never_was(caller):
    world = World(an_entry(team="a"))
    told = []
    for id in ("c1", "c2"):
        with pytest.raises(Refused) as refused:
            await world.say(caller, id=id, score=1)
        told.append((refused.value.status, refused.value.code, str(refused.value).replace(id, "")))
    assert told[0] == told[1] and told[0][:2] == (404, "unknown_call") and "demitasse ledger" in told[0][2]
    assert world.ledger.labels() == []


async def test_a_team_mate_may_speak_of_the_teams_calls():
    world = World(an_entry(team="a"))
    await world.say(Caller(key="mate", tenant="team:a", team="a"), id="c1", score=1)
    assert len(world.ledger.labels()) == 1


async def test_a_call_without_an_answer_has_nothing_to_score():
    world = World(an_entry(outcome="refused", model=None))
    with pytest.raises(Refused, match="it was refused") as refused:
        await world.say(id="c1", score=1)
    assert refused.value.code == "nothing_to_score"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "this is no feedback"),
        (b"[]", "this is no feedback"),
        (b'{"id":"c1"}', "missing required field `score`"),
        (b'{"id":"c1","score":"good"}', "score"),
        (b'{"id":"c1","score":null}', "score"),
        (b'{"id":"c1","score":1.5}', "'score' is 1.5; it lies between 0 and 1"),
        (b'{"id":"c1","score":-0.1}', "'score' is -0.1"),
        (b'{"id":"c1","score":1e400}', "score"),
        (b'{"id":"","score":1}', "'id' is empty"),
        (b'{"id":"c1","score":1,"label":"two words"}', "'label' is at most 64 letters"),
        (b'{"id":"c1","score":1,"label":"' + b"x" * 65 + b'"}', "'label' is at most 64 letters"),
        (b'{"id":"c1","score":1,"label":"a\\nb"}', "'label' is at most 64 letters"),
        (b'{"id":"\xff","score":1}', "this is no feedback"),
        (b"[" * 4000, "this is no feedback"),
        (b'{"id":"c1","score":1' + b" " * 5000 + b"}", "feedback is at most 4 KB"),
    ],
)
async def test_what_is_no_feedback_is_told_what_it_should_be(body, told):
    world = World(an_entry())
    with pytest.raises(Refused) as refused:
        await world.feedback.take(APP, body)
    assert told in str(refused.value) and refused.value.status in (400, 413) and refused.value.final
    assert world.ledger.labels() == []


async def test_a_store_that_cannot_commit_is_not_told_as_done():
    world = World(an_entry())
    world.ledger.fail = StoreError("the disk is full")
    with pytest.raises(StoreError):
        await world.say(id="c1", score=1)
