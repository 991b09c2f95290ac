"""Which model a call begins with: certificates in force, scores, slices, sessions, and everything that may be wrong with one."""

from __future__ import annotations

import asyncio
from math import inf, nan
from typing import Any

import msgspec
import pytest
from msgspec import Raw, structs

from demitasse.core.call import Call, Caller, Reply, Usage
from demitasse.core.entry import Attempt
from demitasse.core.policy import ALWAYS_CHEAP, ALWAYS_REFERENCE, Certificate, Policy, Setting
from demitasse.gateway.ladder import Drafter
from demitasse.gateway.pilot import Pilot, plain
from demitasse.gateway.route import Route, Rung
from demitasse.testing import FakeModel

NOW_US = 1_795_262_400_000_000
HOUR_US = 3_600_000_000
SMALL, MINI, LARGE = (Rung(name, "test", f"{name}-1", FakeModel(), None) for name in ("small", "mini", "large"))
ROUTE = Route("auto", LARGE, (), stamp="large-1", named=True, lower=(SMALL, MINI))
SETTING = Setting(direct=0.8, draft=0.5, second=0.6, accept=0.7)
POLICY = Policy("auto", "small", "large", SETTING, scorer=Raw(b'"any"'))


class Scores:
    """Scores as they are written into the prompt and the answer; counts what it was asked."""

    def __init__(self) -> None:
        self.prompts = self.drafts = 0

    def prompt(self, call: Call) -> float:
        self.prompts += 1
        return float(call.body)

    def draft(self, call: Call, prompt_score: float, reply: Reply, second: Reply | None) -> float:
        self.drafts += 1
        return float(reply.body) if second is None else float(second.body)


class Shelf:
    """What is promoted, as a test has it."""

    def __init__(self, *certificates: Certificate) -> None:
        self.certificates = certificates

    def promoted(self) -> tuple[Certificate, ...]:
        return self.certificates


def certificate(policy: Policy = POLICY, id: str = "cert_1", **changes: Any) -> Certificate:
    return structs.replace(
        Certificate(
            id=id,
            policy=policy,
            quality=0.95,
            delta=0.05,
            estimate=0.99,
            floor=0.96,
            saving=0.4,
            saving_low=0.3,
            saving_high=0.5,
            n_train=100,
            n_certify=400,
            since_us=NOW_US - 100 * HOUR_US,
            until_us=NOW_US,
            issued_us=NOW_US,
            expires_us=NOW_US + 24 * HOUR_US,
            models=(("small", "small-1"), ("large", "large-1")),
        ),
        **changes,
    )


class Desk:
    """A pilot with a clock that is moved by hand."""

    def __init__(self, *certificates: Certificate, route: Route = ROUTE, **more: Any) -> None:
        self.now_us = NOW_US
        self.shelf = Shelf(*certificates)
        self.route = route
        self.scores = Scores()
        self.loaded: list[Raw] = []
        self.suspended: list[tuple[Certificate, str]] = []
        self.pilot = Pilot(
            self.shelf,
            self.load,
            clock=lambda: self.now_us,
            suspend=lambda certificate, why: self.suspended.append((certificate, why)),
            **more,
        )

    def load(self, raw: Raw) -> Scores:
        self.loaded.append(raw)
        return self.scores

    async def ready(self) -> Desk:
        await self.pilot.warm()
        return self

    def action(self, score: float | str = 0.9, **more: Any) -> str:
        return self.plan(score, **more).courses[0].action

    def plan(self, score: float | str = 0.9, **more: Any):
        return self.pilot.plan(self.call(score, **more), self.route)

    def call(self, score: float | str = 0.9, **more: Any) -> Call:
        fields: dict[str, Any] = {"kind": "chat", "fields": {}, "model": "auto"} | more
        return Call(id="1", request_id="1", at_us=self.now_us, body=str(score).encode(), **fields)


async def desk(*certificates: Certificate, **more: Any) -> Desk:
    return await Desk(*certificates, **more).ready()


async def test_the_score_of_the_prompt_leads_to_one_of_three_actions() -> None:
    here = await desk(certificate())
    assert [here.action(score) for score in (0.9, 0.8, 0.79, 0.5, 0.49, nan)] == [
        "cheap",
        "cheap",
        "draft",
        "draft",
        "reference",
        "reference",
    ]


async def test_without_a_certificate_a_call_goes_to_the_reference_and_nothing_is_loaded() -> None:
    here = await desk()
    assert here.plan() is plain(ROUTE)
    assert not here.loaded and not here.scores.prompts


async def test_a_route_without_a_ladder_is_not_even_looked_up() -> None:
    class Locked:
        def promoted(self) -> tuple[Certificate, ...]:
            raise AssertionError("nobody asked")

    route = structs.replace(ROUTE, lower=())
    pilot = Pilot(Locked(), lambda _: Scores(), clock=lambda: NOW_US)
    call = Call(id="1", request_id="1", at_us=0, kind="chat", body=b"", fields={}, model="auto")
    assert pilot.plan(call, route) is plain(route)
    assert pilot.mark(call, route) == ""


async def test_until_its_scorer_is_read_a_certificate_serves_nothing() -> None:
    here = Desk(certificate())
    assert here.plan().courses[0].action == "reference"
    await here.pilot.warm()
    assert here.plan().courses[0].action == "cheap"
    assert len(here.loaded) == 1, "and it is read once"


async def test_a_certificate_that_has_expired_serves_nothing_from_that_moment_on() -> None:
    here = await desk(certificate())
    here.now_us += 24 * HOUR_US - 1
    assert here.action() == "cheap"
    here.now_us += 1
    assert here.action() == "reference"
    assert here.pilot.mark(here.call(), ROUTE) == "" and here.pilot.certificate(ROUTE) is None


async def test_a_revocation_is_taken_up_by_the_very_next_call() -> None:
    here = await desk(certificate())
    assert here.action() == "cheap"
    here.shelf.certificates = ()
    assert here.action() == "reference"


async def test_a_new_certificate_takes_the_place_of_the_old_one_and_marks_its_answers_otherwise() -> None:
    here = await desk(certificate())
    old = here.pilot.mark(here.call(), ROUTE)
    here.shelf.certificates = (certificate(id="cert_2"),)
    await here.ready()
    assert here.plan().certificate == "cert_2"
    assert here.pilot.mark(here.call(), ROUTE) not in ("", old)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"policy": structs.replace(POLICY, reference="huge")}, "its reference was 'huge'"),
        ({"policy": structs.replace(POLICY, cheap="tiny")}, "'tiny' is not in the route's ladder"),
        ({"policy": structs.replace(POLICY, second="tiny")}, "'tiny' is not in the route's ladder"),
        ({"policy": structs.replace(POLICY, scorer=Raw(b"null"))}, "no scorer"),
        ({"quality": 0.9}, "promises 0.9"),
    ],
)
async def test_a_certificate_that_does_not_speak_of_the_route_as_it_is_serves_nothing_and_says_why(wrong, why) -> None:
    here = await desk(certificate(**wrong), route=structs.replace(ROUTE, quality=0.95))
    assert here.plan() is plain(here.route)
    assert why in here.pilot.why_not("auto")


async def test_a_route_that_is_configured_anew_is_looked_at_anew() -> None:
    here = await desk(certificate())
    assert here.action() == "cheap"
    here.route = structs.replace(ROUTE, lower=(MINI,))
    assert here.action() == "reference"
    here.route = ROUTE
    assert here.action() == "cheap"


@pytest.mark.parametrize("changed", ["small", "large"])
async def test_another_model_behind_a_certified_name_answers_not_one_call_under_the_certificate(changed) -> None:
    here = await desk(certificate())
    assert here.action() == "cheap"
    other = lambda rung: structs.replace(rung, upstream_model="other") if rung.alias == changed else rung
    here.route = structs.replace(ROUTE, reference=other(LARGE), lower=(other(SMALL), MINI))
    assert here.action() == "reference"
    ((_, why),) = here.suspended
    assert why == f"'{changed}' is test/other now; it was test/{changed}-1"
    here.route = ROUTE
    assert here.action() == "reference", "until a person says that it may serve again"


async def test_a_slice_has_its_own_thresholds_and_a_failed_one_goes_to_the_reference() -> None:
    slices = (("titles", ALWAYS_CHEAP), ("law", ALWAYS_REFERENCE))
    here = await desk(certificate(structs.replace(POLICY, slices=slices)))
    assert here.action(0.1, tags=(("task", "titles"),)) == "cheap"
    assert here.action(0.9, tags=(("team", "x"), ("task", "law"))) == "reference"
    assert here.action(0.9, tags=(("task", "other"),)) == "cheap"
    assert here.action(0.9, tags=(("team", "law"),)) == "cheap"


async def test_a_policy_without_a_score_needs_no_scorer() -> None:
    here = await desk(certificate(Policy("auto", "small", "large", ALWAYS_CHEAP)))
    assert here.action("no number") == "cheap"
    assert not here.loaded


async def test_a_scorer_that_raises_leads_to_the_reference_and_says_so_once(caplog) -> None:
    here = await desk(certificate())
    assert [here.action("no number") for _ in range(3)] == ["reference"] * 3
    assert sum("could not be scored" in record.getMessage() for record in caplog.records) == 1


async def test_a_scorer_that_cannot_be_read_leads_to_the_reference() -> None:
    def fail(_raw: Raw) -> Scores:
        raise ValueError("weights of another version")

    pilot = Pilot(Shelf(certificate()), fail, clock=lambda: NOW_US)
    await pilot.warm()
    assert pilot.plan(Desk().call(), ROUTE).courses[0].action == "reference"


async def test_embeddings_and_completions_are_never_routed() -> None:
    here = await desk(certificate())
    assert here.action(kind="embedding") == here.action(kind="completion") == "reference"


async def test_a_key_that_may_not_use_the_cheaper_model_gets_the_reference() -> None:
    here = await desk(certificate())
    assert here.action(caller=Caller(models=("large",))) == "reference"
    assert here.action(caller=Caller(models=("large", "small"))) == "cheap"
    assert here.action(caller=Caller(models=("auto",))) == "cheap"
    assert here.action(caller=Caller(models=("test/*",))) == "cheap"


# Sessions.


async def test_a_session_that_went_up_stays_there_and_others_do_not() -> None:
    here = await desk(certificate())
    assert here.action(0.9, session="a") == "cheap"
    assert here.action(0.1, session="a") == "reference"
    assert here.action(0.9, session="a") == "reference"
    assert "session" in here.plan(0.9, session="a").reason
    assert here.action(0.9, session="b") == "cheap"
    assert here.action(0.9, session="a", caller=Caller(tenant="other")) == "cheap"


async def test_a_session_whose_draft_was_refused_goes_to_the_reference_from_then_on() -> None:
    here = await desk(certificate())
    call = here.call(0.6, session="a")
    plan = here.pilot.plan(call, ROUTE)
    assert plan.courses[0].action == "draft"
    here.pilot.learn(call, ROUTE, plan, escalated=False, attempts=())
    assert here.action(0.6, session="a") == "draft"
    here.pilot.learn(call, ROUTE, plan, escalated=True, attempts=())
    assert here.action(0.9, session="a") == "reference"


async def test_a_route_that_is_not_sticky_decides_each_call_by_itself() -> None:
    here = await desk(certificate(), route=structs.replace(ROUTE, sticky=False))
    assert [here.action(score, session="a") for score in (0.1, 0.9)] == ["reference", "cheap"]


async def test_a_session_is_forgotten_when_it_was_long_silent_and_kept_while_it_goes_on() -> None:
    here = await desk(certificate(), session_s=3600.0)
    assert here.action(0.1, session="a") == "reference"
    for _ in range(3):
        here.now_us += HOUR_US - 1
        assert here.action(0.9, session="a") == "reference"
    here.now_us += HOUR_US + 1
    assert here.action(0.9, session="a") == "cheap"


async def test_sessions_are_bounded_and_the_longest_silent_go_first() -> None:
    here = await desk(certificate(), most_sessions=2)
    for name in ("a", "b"):
        here.action(0.1, session=name)
    here.action(0.9, session="a")
    here.action(0.1, session="c")
    assert [here.action(0.9, session=name) for name in ("a", "c", "b")] == ["reference", "reference", "cheap"]


async def test_what_is_only_in_doubt_does_not_bind_a_session() -> None:
    here = Desk(certificate())
    assert here.action(0.9, session="a") == "reference", "the scorer is not there yet"
    await here.ready()
    assert here.action("no number", session="a") == "reference"
    assert here.action(0.9, session="a") == "cheap"


# What a plan holds.


async def test_courses_name_all_that_may_be_asked_and_what_fits_a_smaller_hold() -> None:
    here = await desk(certificate(), route=structs.replace(ROUTE, fallbacks=(MINI,)))
    cheap, draft, reference = (here.plan(score) for score in (0.9, 0.6, 0.1))
    assert cheap.asks == ((SMALL, LARGE, MINI), (SMALL,), (LARGE, MINI))
    assert [course.action for course in cheap.courses] == ["cheap", "cheap", "reference"]
    assert draft.asks == ((SMALL, LARGE, MINI), (LARGE, MINI))
    assert reference.asks == ((LARGE, MINI),)


async def test_a_second_opinion_is_held_for_only_where_a_setting_asks_for_one() -> None:
    with_second = structs.replace(POLICY, second="mini")
    here = await desk(certificate(with_second))
    assert here.plan(0.6).asks[0] == (SMALL, MINI, LARGE)
    never = structs.replace(with_second, setting=structs.replace(SETTING, second=-inf))
    here = await desk(certificate(never))
    assert here.plan(0.6).asks[0] == (SMALL, LARGE)


async def test_a_lower_rung_of_a_draft_can_only_be_asked_for_a_draft() -> None:
    here = await desk(certificate())
    (drafter,) = here.plan(0.6).courses[0].ladder.rungs
    assert isinstance(drafter, Drafter)
    assert not hasattr(drafter, "model") and not callable(drafter)
    assert here.plan(0.6).courses[0].ladder.top is LARGE


async def test_the_judge_asks_for_a_second_opinion_below_its_threshold_and_accepts_from_its_own() -> None:
    here = await desk(certificate(structs.replace(POLICY, second="mini")))
    judge = here.plan(0.6).judge
    reply = lambda score: Reply(str(score).encode(), "m", Usage())
    assert (judge(reply(0.7), None).stands, judge(reply(0.7), None).ask_second) == (True, False)
    assert (judge(reply(0.59), None).stands, judge(reply(0.59), None).ask_second) == (False, True)
    assert judge(reply(0.59), reply(0.9)).stands and not judge(reply(0.59), reply(0.9)).ask_second
    assert not judge(reply(nan), None).stands


# Models that are not the ones it was proven on.


def said(model: str, version: str, status: str = "ok") -> Attempt:
    return Attempt(model, "test", version, status, 0, 0.0)  # type: ignore[arg-type]


async def test_a_model_of_another_version_suspends_the_certificate_for_the_next_call() -> None:
    here = await desk(certificate())
    plan = here.plan()
    here.pilot.learn(here.call(), ROUTE, plan, escalated=False, attempts=[said("small", "small-1")])
    assert here.action() == "cheap"
    here.pilot.learn(here.call(), ROUTE, plan, escalated=False, attempts=[said("small", "small-2")])
    here.pilot.learn(here.call(), ROUTE, plan, escalated=False, attempts=[said("small", "small-2")])
    assert here.action() == "reference"
    assert len(here.suspended) == 1 and "'small-2' now; it was 'small-1'" in here.suspended[0][1]
    assert "small-2" in here.pilot.why_not("auto")


async def test_a_suspended_certificate_that_was_promoted_anew_may_serve_again() -> None:
    here = await desk(certificate())
    here.pilot.learn(here.call(), ROUTE, here.plan(), escalated=False, attempts=[said("large", "large-2")])
    assert here.action() == "reference"
    here.shelf.certificates = ()
    assert here.action() == "reference"
    here.shelf.certificates = (certificate(),)
    await here.ready()
    assert here.action() == "cheap"


async def test_failures_and_models_that_the_certificate_does_not_name_say_nothing() -> None:
    here = await desk(certificate())
    tried = [said("small", "?", "error"), said("mini", "mini-7")]
    here.pilot.learn(here.call(), ROUTE, here.plan(), escalated=False, attempts=tried)
    assert here.action() == "cheap" and not here.suspended


async def test_a_promotion_while_calls_come_never_leaves_one_without_an_answer() -> None:
    here = Desk(certificate())
    first = [here.action() for _ in range(3)]
    while here.action() == "reference":
        await asyncio.sleep(0)
    assert first == ["reference"] * 3
    assert len(here.loaded) == 1


def test_a_policy_survives_its_certificates_json() -> None:
    told = msgspec.json.encode(certificate())
    assert msgspec.json.decode(told, type=Certificate) == certificate()
