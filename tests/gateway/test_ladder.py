"""The ladder by itself: who may be heard, in which order rungs are asked, and what an ascent knows of itself at each step."""

from __future__ import annotations

import inspect
import typing

import pytest

from demitasse.core.call import Call, Event, Reply, Send, Usage
from demitasse.core.errors import UpstreamError
from demitasse.gateway.attempt import Breakers, Climb
from demitasse.gateway.ladder import Ascent, Drafter, Ladder, Verdict
from demitasse.gateway.route import Rung
from demitasse.gateway.settings import BreakerSettings, Retry

DOWN = UpstreamError("it is down", status=503, retryable=False)


class Words:
    """A Model that streams its name, a letter an event."""

    def __init__(self, name: str, fails: UpstreamError | None = None) -> None:
        self.name, self.fails, self.asked = name, fails, 0

    async def __call__(self, call: Call, send: Send) -> Reply:
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        await send(Event(b"head"))
        for letter in self.name:
            await send(Event(letter.encode(), content=True, text_chars=1))
        return Reply(self.name.encode(), self.name, Usage(uncached_in=1, text_out=len(self.name)))


def rung(name: str, fails: UpstreamError | None = None) -> Rung:
    return Rung(name, "test", name, Words(name, fails), None)


def judge(**worth: bool | str):
    """Verdicts by who wrote the draft; ``second``: it asks for one, and then what that one says."""

    def verdict(draft: Reply, second: Reply | None) -> Verdict:
        found = worth[draft.body.decode()] if second is None else worth[second.body.decode()]
        return Verdict(found is True, 0.5, ask_second=found == "second", reason=f"{found}")

    return verdict


async def never(_rung: Rung) -> bool:
    return False


class Way:
    def __init__(self, ladder: Ladder, judge=None) -> None:
        call = Call(id="1", request_id="1", at_us=0, kind="chat", body=b"", fields={}, model="auto", stream=True)
        self.climb = Climb(
            call,
            limit=100,
            extend=never,
            breakers=Breakers(BreakerSettings()),
            retry=Retry(attempts=1),
            draw=lambda: 0.5,
        )
        self.ascent = Ascent(ladder, self.climb, judge)
        self.heard: list[str] = []

    async def run(self) -> str:
        async def send(event: Event) -> None:
            self.heard.append(event.data.decode())

        return (await self.ascent.run(send)).body.decode()

    @property
    def asked(self) -> list[str]:
        return [attempt.model for attempt in self.climb.attempts]


def drafts(*rungs: Rung) -> tuple[Drafter, ...]:
    return tuple(map(Drafter, rungs))


def test_nothing_that_makes_a_draft_takes_a_send() -> None:
    for method in (Drafter.draft, Climb.draft):
        hints = typing.get_type_hints(method)
        assert Send not in hints.values() and "send" not in inspect.signature(method).parameters
    public = [name for name in dir(Drafter) if not name.startswith("_")]
    assert public == ["alias", "draft"], "a drafter shows no model that could be asked otherwise"
    hints = typing.get_type_hints(Ladder)
    assert hints["rungs"] == tuple[Drafter, ...] and hints["top"] is Rung


async def test_a_draft_that_stands_is_replayed_whole_and_the_top_is_not_asked() -> None:
    way = Way(Ladder(drafts(rung("small")), rung("large")), judge(small=True))
    assert await way.run() == "small"
    assert way.heard == ["head", *"small"] and way.asked == ["small"]
    assert (way.ascent.accepted, way.ascent.escalated, way.ascent.speaker) == (True, False, "small")


async def test_a_refused_draft_is_not_heard() -> None:
    way = Way(Ladder(drafts(rung("small")), rung("large")), judge(small=False))
    assert await way.run() == "large"
    assert way.heard == ["head", *"large"] and way.asked == ["small", "large"]
    assert (way.ascent.escalated, way.ascent.answering, way.ascent.speaker) == (True, 1, "large")


@pytest.mark.parametrize(("mini", "answer"), [(True, "small"), (False, "large")])
async def test_a_second_opinion_decides_and_is_never_the_answer(mini, answer) -> None:
    way = Way(Ladder(drafts(rung("small"), rung("mini")), rung("large")), judge(small="second", mini=mini))
    assert await way.run() == answer
    assert way.asked == ["small", "mini"] + ["large"] * (answer == "large")
    assert way.ascent.climb.attempts[way.ascent.answering].model == answer == way.ascent.speaker


async def test_no_second_opinion_is_asked_for_where_the_first_verdict_is_clear() -> None:
    way = Way(Ladder(drafts(rung("small"), rung("mini")), rung("large")), judge(small=True))
    assert await way.run() == "small" and way.asked == ["small"]


async def test_a_failed_draft_leads_to_the_top_at_once() -> None:
    way = Way(Ladder(drafts(rung("small", DOWN), rung("mini")), rung("large")), judge(mini=True))
    assert await way.run() == "large" and way.asked == ["small", "large"]
    assert way.ascent.why == "no draft: it is down"


async def test_without_a_judge_no_draft_is_made() -> None:
    way = Way(Ladder(drafts(rung("small")), rung("large")))
    assert await way.run() == "large" and way.asked == ["large"]


async def test_a_kept_draft_stands_in_when_all_above_it_fail() -> None:
    way = Way(Ladder(drafts(rung("small")), rung("large", DOWN), (rung("huge", DOWN),)), judge(small=False))
    assert await way.run() == "small"
    assert way.asked == ["small", "large", "huge"] and way.heard == ["head", *"small"]
    assert way.ascent.kept_draft and way.ascent.stands_in and not way.ascent.accepted


async def test_a_fallback_stands_in_and_the_reference_behind_a_policys_choice_does_not() -> None:
    large, spare = rung("large", DOWN), rung("spare")
    way = Way(Ladder((), large, (spare,)))
    assert await way.run() == "spare" and way.ascent.stands_in and not way.ascent.escalated
    way = Way(Ladder((), rung("small", DOWN), (rung("large"), spare), forgive=True))
    assert await way.run() == "large" and not way.ascent.stands_in and way.ascent.escalated
    way = Way(Ladder((), rung("small", DOWN), (large, spare), forgive=True))
    assert await way.run() == "spare" and way.ascent.stands_in and way.ascent.escalated


@pytest.mark.parametrize(("status", "forgive", "answers"), [(400, True, True), (400, False, False), (503, False, True)])
async def test_only_what_a_policy_put_first_is_forgiven_a_callers_fault(status, forgive, answers) -> None:
    wrong = UpstreamError("wrong", status=status, retryable=False)
    way = Way(Ladder((), rung("small", wrong), (rung("large"),), forgive=forgive))
    if answers:
        assert await way.run() == "large"
    else:
        with pytest.raises(UpstreamError, match="wrong"):
            await way.run()
        assert way.asked == ["small"]


async def test_when_nobody_can_answer_the_last_failure_is_told() -> None:
    way = Way(Ladder(drafts(rung("small", DOWN)), rung("large", UpstreamError("gone", status=404))), judge())
    with pytest.raises(UpstreamError, match="gone"):
        await way.run()
    assert not way.heard and way.ascent.answering is None
