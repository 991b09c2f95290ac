"""Checks on answers in a call's way: a draft that fails one goes no further and the books say which; what is served is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from demitasse.core.call import Call
from demitasse.core.errors import UpstreamError
from demitasse.core.limits import Budget
from demitasse.gateway.guard_rules import Policies, Rules
from demitasse.gateway.guarding import Guard
from demitasse.gateway.http import Gateway
from demitasse.gateway.redacting import Redactor

from .asgi import ask
from .conftest import SECRET
from .guarded import scanner
from .ladder import LadderWorld, Says, adds_up, prompt

KEY = "ghp_" + "a1B2c3D4e5" * 4
CONTEXT = "\nContext:\nThe tower was completed in 1889 and stands 330 metres tall in Paris.\n\nQuestion: how tall?"


class Tells(Says):
    """Says what it is told to, and what it is worth."""

    def __init__(self, name: str, words: str, worth: float = 0.9) -> None:
        super().__init__(name, worth)
        self.words = words

    def body(self, call: Call) -> bytes:
        whole = json.loads(super().body(call))
        whole["choices"][0]["message"] = {"role": "assistant", "content": self.words}
        whole["choices"][0]["finish_reason"] = "stop"
        whole["system_fingerprint"] = f"worth {self.worth}"
        return json.dumps(whole).encode()


class CheckedWorld(LadderWorld):
    def __init__(self, *checks: str) -> None:
        self.checks = checks
        super().__init__()

    def build(self) -> Gateway:
        gateway = super().build()
        policies = Policies(general=Rules(checks=self.checks))
        guard = Guard(policies, scanner, Redactor(SECRET), secret=SECRET, alarm=self.alerts.append)
        self.steps = structs.replace(self.steps, guard=guard)
        gateway.replace(self.steps)
        return gateway

    def says(self, **words: str) -> CheckedWorld:
        for name, text in words.items():
            self.rungs[name] = structs.replace(self.rungs[name], model=Tells(name, text))
        self.route()
        return self


async def world(*checks: str, **words: str) -> CheckedWorld:
    made = CheckedWorld(*checks).says(**words)
    await made.ready()
    return made


FAILING: dict[str, tuple[str, str, dict[str, Any], str]] = {
    # check, what the draft says, what is asked for, what the books say of it
    "leaks": ("leaks", f"Use {KEY}", {}, "1 api_key that the prompt does not have"),
    "grounding": (
        "grounding",
        "The tower stands 512 metres tall in Paris.",
        {"words": CONTEXT},
        "1 of 1 claims are not in the context supplied (by a number)",
    ),
    "schema": ("schema", "It is cold.", {"shape": "schema"}, "the answer is not JSON, or not JSON alone"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", FAILING)
async def test_a_draft_that_fails_a_check_is_never_given_and_the_books_say_which(case: str, stream: bool) -> None:
    check, words, more, why = FAILING[case]
    made = await world(check, small=words, large="All is well")
    answer = await ask(made.app, prompt("draft", stream=stream, **more))
    assert answer.headers["x-demitasse-model"] == "large"
    assert words.encode() not in answer.body
    decision = made.entry.decision
    assert decision.action == "escalated"
    assert f"the draft fails the check '{check}': {why}" in decision.reason
    assert decision.score == 0.9, "the judge liked it"
    assert adds_up(made.entry)


@pytest.mark.parametrize(
    ("case", "stream"), [(case, False) for case in FAILING] + [("schema", True), ("grounding", True)]
)
async def test_a_cheap_models_own_answer_that_fails_a_check_is_not_given_while_a_better_model_may_answer(
    case: str, stream: bool
) -> None:
    check, words, more, why = FAILING[case]
    made = await world(check, small=words, large="All is well")
    answer = await ask(made.app, prompt("cheap", stream=stream, **more))
    assert answer.headers["x-demitasse-model"] == "large"
    assert answer.text() == "All is well"
    decision, entry = made.entry.decision, made.entry
    assert decision.action == "escalated" and decision.certificate == "cert_1"
    assert f"the draft fails the check '{check}': {why}" in decision.reason
    assert [attempt.model for attempt in entry.attempts] == ["small", "large"]
    assert adds_up(entry) and dict(entry.saved)["routed"] < 0, "the draft is paid for"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cheap_models_own_answer_that_passes_is_given_as_it_came(stream: bool) -> None:
    made = await world("schema", "leaks", small='{"said": "It is cold."}')
    answer = await ask(made.app, prompt("cheap", stream=stream, shape="schema"))
    assert answer.headers["x-demitasse-model"] == "small" and answer.headers["x-demitasse-certificate"] == "cert_1"
    assert answer.text() == '{"said": "It is cold."}'
    assert made.entry.decision.action == "cheap" and len(made.entry.attempts) == 1
    assert [check.passed for check in made.entry.guard.checks] == [True, True]
    assert adds_up(made.entry)


async def test_a_cheap_stream_of_which_no_form_is_demanded_waits_for_no_check() -> None:
    made = await world("schema", "grounding", "leaks", small=f"Use {KEY}")
    answer = await ask(made.app, prompt("cheap", stream=True))
    assert answer.headers["x-demitasse-model"] == "small" and KEY in answer.text()
    assert made.entry.decision.action == "cheap"
    assert [check.name for check in made.entry.guard.checks if not check.passed] == ["leaks"]


async def test_an_answer_that_fails_a_check_is_given_where_the_budget_has_room_for_no_other_model() -> None:
    made = await world("schema", small="It is cold.")
    await ask(made.app, prompt("cheap", shape="schema"))
    dear = made.entry.hold_nanos
    made = await world("schema", small="It is cold.")
    made.ledger.set_budget(Budget(name="default", limit_nanos=dear - 1))
    answer = await ask(made.app, prompt("cheap", shape="schema"))
    assert answer.headers["x-demitasse-model"] == "small"
    assert "the budget has room for 'small' alone" in made.entry.decision.reason
    assert [check.passed for check in made.entry.guard.checks] == [False]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cheap_answer_that_breaks_off_unheard_is_the_better_models_to_give(stream: bool) -> None:
    made = await world("schema", small='{"said": "It is cold."}', large='{"said": "All is well"}')
    small = made.rungs["small"].model
    small.fails, small.after = UpstreamError("it broke off", status=502, after_content=True), 3  # type: ignore[attr-defined]
    if not stream:
        small.after = None  # type: ignore[attr-defined]
    answer = await ask(made.app, prompt("cheap", stream=stream, shape="schema"))
    assert answer.status == 200 and answer.text() == '{"said": "All is well"}'
    assert made.entry.decision.action == "escalated" and "no draft: it broke off" in made.entry.decision.reason
    assert adds_up(made.entry)


async def test_the_same_draft_stands_where_the_check_is_not_asked_for() -> None:
    made = await world("schema", small=f"Use {KEY}")
    answer = await ask(made.app, prompt("draft"))
    assert answer.headers["x-demitasse-model"] == "small"
    assert KEY in answer.text()


async def test_no_second_cheap_answer_is_bought_for_a_draft_that_fails_a_check() -> None:
    made = await world("leaks", small=f"Use {KEY}")
    made.rungs["small"].model.worth = 0.55  # type: ignore[attr-defined]
    await ask(made.app, prompt("draft"))
    assert made.entry.decision.action == "escalated"
    assert [attempt.model for attempt in made.entry.attempts] == ["small", "large"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_final_answer_is_given_all_the_same_and_its_checks_are_told(stream: bool) -> None:
    made = await world("leaks", "schema", large=f"Use {KEY}")
    answer = await ask(made.app, prompt("reference", stream=stream))
    assert KEY in answer.text()
    (check,) = made.entry.guard.checks
    assert (check.name, check.passed, check.why) == ("leaks", False, "1 api_key that the prompt does not have")


async def test_the_books_hold_no_word_of_what_leaked() -> None:
    made = await world("leaks", "grounding", small=f"Use {KEY}", large=f"Use {KEY} for 512 metres in Lisbon")
    await ask(made.app, prompt("draft", words=CONTEXT))
    told = repr(made.entry)
    assert KEY not in told and "Lisbon" not in told and "512" not in told
    assert [check.passed for check in made.entry.guard.checks] == [False, False]
