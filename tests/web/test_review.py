"""People compare answers blind: what they are shown, what a vote becomes, and how judges are measured against them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from demitasse.core.evidence import Answered, Label
from demitasse.testing import FakeLedger
from demitasse.web import review
from demitasse.web.review import Ground, Reviews, Texts

from . import fakes
from .conftest import Visitor

READY = Ground(draws=True, keeps=True, ladder=True, judge="arbiter")


def a_label(n: int, score: float | None = None, method: str = "", **more: Any) -> Label:
    reference = Answered("large", "large-1", 1.0, 900, f"c{n}")
    other = Answered("small", "small-1", score, 10, f"s{n}", marks=(0.5,))
    fields = {"reference": reference, "others": (other,), "features": (1.0,), "propensity": 0.02, "served": "large"}
    return Label(f"c{n}", 1_000 + n, "auto", "shadow", method=method, **fields | more)


def a_text(words: str, *, of: int, system: bool = True) -> Texts:
    turns = [{"role": "system", "content": "Be brief."}] * system + [{"role": "user", "content": f"question {of}"}]
    said = {"choices": [{"message": {"content": words}, "finish_reason": "stop"}]}
    return Texts(json.dumps({"messages": turns}).encode(), json.dumps(said).encode())


class World:
    """A dashboard over labels, whose texts are kept unless they are struck off ``texts``."""

    def __init__(self, *labels: Label, ground: Ground = READY, **facts: Any) -> None:
        self.ledger = FakeLedger()
        self.texts: dict[str, Texts] = {}
        for label in labels:
            asyncio.run(self.ledger.label(label))
            n = int(label.id[1:])
            self.texts |= {f"c{n}": a_text(f"the large one's words {n}", of=n)}
            self.texts |= {a.entry: a_text(f"the {a.model} one's words {n}", of=n) for a in label.others}
        self.reviews = Reviews(self.ledger, self.texts.get, self.ledger.label, lambda: ground)
        books = fakes.FakeBooks()
        facts = {"clock": lambda: fakes.NOW_US, "secret": b"x" * 32} | facts
        self.visitor = Visitor(books, fakes.FakeControl(books), reviews=self.reviews, **facts)

    def look(self, query: str = "") -> dict[str, Any]:
        return self.visitor.json(f"/review{query}")

    def vote(self, choice: str, pair: dict[str, Any] | None = None) -> str:
        pair = pair or self.look()["pair"]
        answer = self.visitor.press(
            "/review/vote", id=pair["id"], number=str(pair["number"]), choice=choice, back="/review"
        )
        return self.visitor.said(answer)

    def prefer(self, model: str) -> str:
        """A vote for the side on which this model's words stand."""
        pair = self.look()["pair"]
        return self.vote("left" if f"the {model} one" in pair["left"]["text"] else "right", pair)

    @property
    def votes(self) -> list[Label]:
        return self.ledger.labels(source="vote")


def test_a_pair_is_shown_with_its_question_and_without_its_models():
    world = World(a_label(1))
    told = world.look()
    pair = told["pair"]
    assert [said["text"] for said in pair["prompt"]] == ["Be brief.", "question 1"]
    assert {pair["left"]["text"], pair["right"]["text"]} == {"the large one's words 1", "the small one's words 1"}
    assert set(pair) == {"id", "number", "route", "prompt", "left", "right"}
    page = world.visitor.get("/review").text
    for name in ("small-1", "large-1", "'small'", "'large'", "reference"):
        assert name not in page


def test_which_side_is_whose_is_a_fair_coin_that_falls_the_same_way_each_time():
    sides = [review._swapped(f"c{n}", "small") for n in range(400)]
    assert 160 <= sum(sides) <= 240 and sides == [review._swapped(f"c{n}", "small") for n in range(400)]


def test_what_nobody_decided_comes_first_then_what_a_judge_could_not_settle():
    world = World(
        a_label(1, 1.0, "equal"), a_label(2), a_label(3, 1.0, "judge:arbiter"), a_label(4, 0.5, "judge:arbiter")
    )
    seen = []
    for _ in range(2):
        seen.append(world.look()["pair"]["id"])
        world.vote("equal")
    assert set(seen) == {"c2", "c4"}
    assert world.look()["waiting"] == {"open": 0, "judged": 1, "ruled": 1}
    assert world.look()["pair"]["id"] == "c3", "then what a judge decided"


def test_every_fourth_vote_measures_the_judge_however_much_is_open():
    world = World(*(a_label(n) for n in range(20)), *(a_label(n, 1.0, "judge:arbiter") for n in range(20, 40)))
    seen = []
    for _ in range(11):
        seen.append(int(world.look()["pair"]["id"][1:]))
        world.vote("equal")
    assert [n >= 20 for n in seen] == [False, False, False, True] * 2 + [False] * 3


@pytest.mark.parametrize(
    ("choice", "reference", "other"), [("large", 1.0, 0.0), ("small", 1.0, 1.0), ("equal", 1.0, 1.0), ("bad", 0.0, 0.0)]
)
def test_a_vote_is_a_label_of_its_own_with_all_that_was_known_of_the_call(choice, reference, other):
    world = World(a_label(1, 0.5, "judge:arbiter"))
    said = world.prefer(choice) if choice in ("large", "small") else world.vote(choice)
    (vote,) = world.votes
    assert (vote.reference.score, vote.others[0].score, vote.method) == (reference, other, "vote")
    assert (vote.id, vote.at_us, vote.propensity, vote.features, vote.others[0].marks) == (
        "c1",
        1_001,
        0.02,
        (1.0,),
        (0.5,),
    )
    assert (
        "&#39;large&#39; (the reference)" in said
        and "The judge &#39;arbiter&#39; had called the other one undecided" in said
    )


def test_after_the_vote_it_is_told_which_side_was_whose():
    world = World(a_label(1))
    pair = world.look()["pair"]
    said = world.vote("equal", pair).replace("&#39;", "'")
    left = "large" if "large" in pair["left"]["text"] else "small"
    assert f"left was '{left}'" in said and "Nobody had decided" in said


def test_a_vote_is_taken_back_with_one_press_and_the_pair_comes_again():
    world = World(a_label(1))
    said = world.vote("bad")
    world.visitor.undo(said)
    (vote,) = world.votes
    assert vote.others[0].score is None and vote.reference.score == 1.0
    assert world.look()["pair"]["id"] == "c1" and world.look()["votes"] == 0


def test_a_call_with_three_answers_is_two_pairs_and_each_vote_keeps_the_other():
    others = (Answered("small", entry="s1"), Answered("tiny", entry="t1"))
    world = World(a_label(1, others=others))
    first = world.look()["pair"]
    world.vote("bad", first)
    second = world.look()["pair"]
    assert (first["number"], second["number"]) == (0, 1)
    world.vote("equal", second)
    (vote,) = world.votes
    assert {a.model: a.score for a in vote.others} == {"small": 0.0, "tiny": 1.0}
    assert world.look()["pair"] is None and world.look()["votes"] == 2


def test_skipped_pairs_are_passed_over_until_one_begins_again():
    world = World(a_label(1), a_label(2))
    first = world.look()
    second = world.look(f"?skip={first['skip']}")
    assert {first["pair"]["id"], second["pair"]["id"]} == {"c1", "c2"}
    none = world.look(f"?skip={second['skip']}")
    assert none["pair"] is None and none["skipped"] == 2
    assert "You have skipped the rest" in world.visitor.get(f"/review?skip={second['skip']}").text


def test_pairs_whose_texts_are_gone_are_passed_over():
    world = World(a_label(1), a_label(2))
    del world.texts["s2"]
    assert world.look()["pair"]["id"] == "c1"
    world.texts.clear()
    assert "not there any more" in world.visitor.get("/review").text


def test_tool_calls_refusals_and_silence_are_shown():
    world = World(a_label(1))
    call = {"function": {"name": "search", "arguments": '{"q": "<b>cup</b>"}'}}
    replies = [{"tool_calls": [call]}, {"refusal": "I may not."}]
    for entry, message in zip(("c1", "s1"), replies, strict=True):
        body = json.dumps({"choices": [{"message": message}]}).encode()
        world.texts[entry] = Texts(world.texts[entry].request, body)
    page = world.visitor.get("/review").text
    assert "<code>search</code>" in page and "&lt;b&gt;cup&lt;/b&gt;" in page and "it refused: I may not." in page
    world.texts["s1"] = Texts(b"{}", b"not JSON")
    assert "this answer cannot be read" in world.visitor.get("/review").text


def test_words_that_are_markup_stay_words():
    world = World(a_label(1))
    world.texts["s1"] = a_text("<script>alert(1)</script>", of=1)
    page = world.visitor.get("/review").text
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    ("ground", "told"),
    [
        (Ground(), "a route needs a ladder"),
        (Ground(ladder=True), "no shadow calls are made"),
        (Ground(ladder=True, draws=True), "their texts are not kept"),
        (READY, "Everything has been voted on"),
    ],
    ids=str,
)
def test_an_empty_page_says_which_setting_it_needs(ground, told):
    page = World(ground=ground).visitor.get("/review").text
    assert told in page
    for place in ("[routes.auto]", "[shadow]", "[keep]"):
        assert (place in page) == (told in {"[routes.auto]": "a route needs a ladder", "[shadow]": "no shadow calls are made", "[keep]": "their texts are not kept"}[place])  # fmt: skip


@pytest.mark.parametrize(
    "form",
    [{"id": "c9", "choice": "left"}, {"id": "c1", "number": "7", "choice": "left"}, {"id": "c1", "choice": "mine"}, {}],
    ids=str,
)
def test_a_vote_that_cannot_be_meant_changes_nothing(form):
    world = World(a_label(1))
    answer = world.visitor.press("/review/vote", back="/review", **form)
    assert "✕" in world.visitor.said(answer) and world.votes == []


def test_a_vote_from_another_site_is_refused():
    world = World(a_label(1))
    world.visitor.get("/review")
    foreign = world.visitor.press("/review/vote", {"origin": "https://elsewhere.example"}, id="c1", choice="left")
    without = world.visitor.send(
        "POST", "/review/vote", {"content-type": "application/x-www-form-urlencoded"}, b"id=c1&choice=left"
    )
    assert (foreign.status, without.status, world.votes) == (403, 403, [])


def test_texts_are_for_those_who_may_change_things_alone():
    world = World(a_label(1), login=fakes.FakeLogin())
    assert world.visitor.get("/review").status == 303, "a login first"
    world.visitor.send(
        "POST", "/login", {"content-type": "application/x-www-form-urlencoded"}, b"key=dmt_r_read&back=/review"
    )
    page = world.visitor.get("/review").text
    assert "words 1" not in page and "question 1" not in page and "Texts are not for every key" in page
    assert "<code>content</code>" in page and ("stands below" in page) == ('id="h-agree"' in page)
    assert world.look()["pair"] is None
    assert world.visitor.press("/review/vote", id="c1", number="0", choice="left").status == 403


def test_judges_and_rules_are_measured_against_people_apart():
    judged = [a_label(n, float(n % 2), "judge:arbiter") for n in range(8)]
    world = World(*judged, a_label(8, 1.0, "equal"), a_label(9, 0.5, "judge:arbiter"))
    while world.look()["pair"]:
        n = int(world.look()["pair"]["id"][1:])
        agrees = n != 0
        world.prefer("small" if (n % 2 == 1) == agrees else "large") if n < 8 else world.vote("equal")
    rows = {row["who"]: row for row in world.look()["agreement"]}
    assert (rows["judge:arbiter"]["n"], rows["judge:arbiter"]["agreed"]) == (8, 7), (
        "what it left undecided is not counted"
    )
    assert rows["judge:arbiter"]["kappa"] == pytest.approx(0.75)
    assert (rows["rules"]["n"], rows["rules"]["share"], rows["rules"]["kappa"]) == (1, 1.0, None)
    page = world.visitor.get("/review").text
    assert "the judge &#39;arbiter&#39;" in page and "0.75" in page and "88 %" in page
