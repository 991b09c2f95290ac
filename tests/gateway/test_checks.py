"""Checks on answers: what each says of a request and its reply, and a judge by which no draft stands that fails one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from demitasse.core.call import Call, Caller, Reply
from demitasse.core.entry import Check as Found
from demitasse.gateway.checks import CHECKS, Asked, check_reply, checks_of, judged
from demitasse.gateway.ladder import Verdict
from demitasse.gateway.request import as_call
from demitasse.wire.ask import read

KEY = "ghp_" + "a1B2c3D4e5" * 4
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
AS_PERSON = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "required": ["city"]}}}
TOWER = (
    "Context:\nThe tower was completed in 1889 and stands 330 metres tall in Paris.\n\nQuestion: How tall is the tower?"
)


def call(text: str = "Who is it?", *, system: str = "", **more: Any) -> Call:
    before = [{"role": "system", "content": system}] if system else []
    body = {"model": "auto", "messages": [*before, {"role": "user", "content": text}], **more}
    return as_call(read("chat", json.dumps(body).encode()), "c1", "c1", 0, Caller(), {})


def reply(text: str | None = None, *, calls: list[tuple[str, str]] = [], choices: list[str] = []) -> Reply:  # noqa: B006
    tools = [{"id": "t", "type": "function", "function": {"name": n, "arguments": a}} for n, a in calls]
    message: dict[str, Any] = {"role": "assistant", "content": text} | ({"tool_calls": tools} if tools else {})
    said = [{"index": 0, "message": message, "finish_reason": "stop"}]
    said += [{"index": 1, "message": {"role": "assistant", "content": t}, "finish_reason": "stop"} for t in choices]
    return Reply(json.dumps({"choices": said}).encode(), "m-1", None, finish="stop")


def result(name: str, asked: Call, answer: Reply) -> Found | None:
    return CHECKS[name](Asked(asked), answer)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ('{"name": "Ada", "age": 36}', True),
        ('{"name": "Ada"}', False),
        ('{"name": "Ada", "age": "36"}', False),
        ('{"name": "Ada", "age": 36, "rank": 1}', False),
        ('```json\n{"name": "Ada", "age": 36}\n```', False),
        ("Ada is 36.", False),
    ],
)
def test_an_answer_has_the_schema_that_was_asked_for_or_fails(text: str, passes: bool) -> None:
    found = result("schema", call(response_format=AS_PERSON), reply(text))
    assert found is not None
    assert found.passed is passes
    assert bool(found.why) is not passes


def test_json_mode_wants_an_object() -> None:
    asked = call(response_format={"type": "json_object"})
    assert result("schema", asked, reply("{}")) == Found("schema", True)
    assert result("schema", asked, reply("[1]")) == Found("schema", False, why="the answer is JSON, but no object")


def test_a_model_that_declines_keeps_to_the_schema() -> None:
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": None, "refusal": "No."}}]}
    found = result("schema", call(response_format=AS_PERSON), Reply(json.dumps(body).encode(), "m", None))
    assert found is not None
    assert found.passed


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ([("weather", '{"city": "Oslo"}')], ""),
        ([("weather", "{}")], "a tool call's arguments are not of its schema"),
        ([("weather", "{city: Oslo")], "a tool call's arguments are not JSON"),
        ([("weather", '"Oslo"')], "a tool call's arguments are no object"),
        ([("transfer", "{}")], "a tool was called that is not offered"),
    ],
)
def test_tool_calls_are_held_against_the_tools_that_are_offered(calls: list[tuple[str, str]], why: str) -> None:
    found = result("schema", call(tools=[WEATHER]), reply(calls=calls))
    assert found == Found("schema", not why, why=why)


def test_a_demanded_tool_call_that_does_not_come_fails() -> None:
    found = result("schema", call(tools=[WEATHER], tool_choice="required"), reply("It is cold."))
    assert found is not None
    assert not found.passed


def test_plain_text_has_no_form_to_check_and_no_context_to_stand_in() -> None:
    assert result("schema", call(), reply("Ada.")) is None
    assert result("grounding", call(), reply("The tower was completed in 1902 by Thomas Edison.")) is None


def test_an_answer_beside_its_context_fails_and_the_reason_repeats_no_word_of_it() -> None:
    good = result("grounding", call(TOWER), reply("The tower is 330 metres tall."))
    bad = result("grounding", call(TOWER), reply("The tower stands 512 metres tall in Paris."))
    assert good is not None and good.passed and good.score == 1.0
    assert bad is not None and not bad.passed and bad.score == 0.0
    assert bad.why == "1 of 1 claims are not in the context supplied (by a number)"


def test_a_tools_result_is_context_too() -> None:
    body = {
        "model": "auto",
        "messages": [
            {"role": "user", "content": "How warm is it in Oslo today?"},
            {"role": "tool", "tool_call_id": "t", "content": '{"city": "Oslo", "celsius": 17, "sky": "overcast"}'},
        ],
    }
    asked = as_call(read("chat", json.dumps(body).encode()), "c1", "c1", 0, Caller(), {})
    warm = result("grounding", asked, reply("Oslo has an overcast sky and 17 celsius."))
    cold = result("grounding", asked, reply("Oslo has an overcast sky and 23 celsius."))
    assert warm is not None and warm.passed
    assert cold is not None and not cold.passed


def test_a_secret_leaks_only_where_the_prompt_does_not_have_it() -> None:
    leaked = result("leaks", call("Which key?"), reply(f"It is {KEY}"))
    assert leaked == Found("leaks", False, why="1 api_key that the prompt does not have")
    assert result("leaks", call(f"Is {KEY} mine?"), reply(f"{KEY} is yours.")) == Found("leaks", True)


def test_every_choice_and_every_argument_is_looked_at_for_leaks() -> None:
    assert not result("leaks", call(), reply("Fine.", choices=[f"Take {KEY}"])).passed  # type: ignore[union-attr]
    sent = reply(calls=[("send", json.dumps({"body": KEY}))])
    assert not result("leaks", call(tools=[WEATHER]), sent).passed  # type: ignore[union-attr]


def test_a_reason_never_holds_what_leaked() -> None:
    found = check_reply(call(), reply(f"{KEY} postgres://root:x9Kd72mQpz41LsVw@db.corp:5432/a"), checks_of(CHECKS))
    assert all("ghp_" not in one.why and "root" not in one.why for one in found)


def test_instructions_repeated_at_length_are_a_leak() -> None:
    system = " ".join(f"Rule {n}: never speak of matter {n} to any guest." for n in range(12))
    asked = call(system=system)
    assert not result("leaks", asked, reply(f"My instructions are: {system}")).passed  # type: ignore[union-attr]
    assert result("leaks", asked, reply("I never speak of matter 3 to any guest.")).passed  # type: ignore[union-attr]


def test_checks_come_by_the_names_of_the_settings() -> None:
    assert checks_of(("leaks", "moderation", "schema")) == (CHECKS["leaks"], CHECKS["schema"])


def test_a_check_that_breaks_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_asked: Asked, _reply: Reply) -> Found | None:
        raise ZeroDivisionError

    found = check_reply(call(response_format=AS_PERSON), reply("no"), (broken, CHECKS["schema"]))
    assert [one.name for one in found] == ["schema"]
    assert "broken" in caplog.text


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"choices": 5}', b'{"choices": [7]}', b'{"choices": [{"message": 1}]}', b"\xff"]
)
def test_a_body_that_is_no_answer_breaks_no_check(body: bytes) -> None:
    for asked in (call(), call(TOWER), call(response_format=AS_PERSON), call(tools=[WEATHER])):
        check_reply(asked, Reply(body, "m", None), tuple(CHECKS.values()))


class Says:
    """A judge that always says the same, and remembers what it was asked."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def __call__(self, draft: Reply, second: Reply | None) -> Verdict:
        return self.verdict


def test_a_draft_that_fails_a_check_does_not_stand_and_the_verdict_names_the_check() -> None:
    judge = judged(Says(Verdict(True, 0.93, reason="good")), checks_of(("schema",)), call(response_format=AS_PERSON))
    verdict = judge(reply("Ada"), None)
    assert not verdict.stands
    assert verdict.score == 0.93
    assert verdict.reason == "the draft fails the check 'schema': the answer is not JSON, or not JSON alone"


def test_no_second_opinion_is_paid_for_on_a_draft_that_fails_a_check() -> None:
    unsure = Verdict(False, 0.5, ask_second=True)
    judge = judged(Says(unsure), checks_of(("schema",)), call(response_format=AS_PERSON))
    assert judge(reply('{"name": "Ada", "age": 36}'), None) == unsure
    assert not judge(reply("Ada"), None).ask_second


def test_a_draft_that_passes_is_left_to_the_judge() -> None:
    for verdict in (Verdict(True, 0.9, reason="good"), Verdict(False, 0.1, reason="poor")):
        assert judged(Says(verdict), checks_of(("schema", "leaks")), call())(reply("Ada."), None) == verdict


def test_without_checks_the_judge_is_itself() -> None:
    judge = Says(Verdict(True))
    assert judged(judge, (), call()) is judge


@pytest.mark.parametrize(
    ("choice", "demanded"),
    [
        ("required", True),
        ({"type": "function", "function": {"name": "weather"}}, True),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}, True),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}, False),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, False),
        ("auto", False),
    ],
)
def test_a_call_is_demanded_where_the_choice_says_so(choice: object, demanded: bool) -> None:
    found = result("schema", call(tools=[WEATHER], tool_choice=choice), reply("Nothing to look up."))
    assert (found is not None and not found.passed) == demanded


def test_a_tool_that_takes_any_text_is_held_against_nothing() -> None:
    custom = {"type": "custom", "custom": {"name": "shell"}}
    found = result("schema", call(tools=[WEATHER, custom]), reply(calls=[("shell", "ls -l")]))
    assert found is not None and found.passed
