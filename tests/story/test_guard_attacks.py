"""Ways around the guard that somebody tried, each with what stops it."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

import pytest
from msgspec import structs

from demitasse.build.task_ledger import Asked, _past
from demitasse.core.entry import Guarded
from demitasse.gateway.guard_rules import DataClass, Policies, Rules
from demitasse.gateway.locality import both
from demitasse.guard.finding import NOTHING, Findings, Moderated
from demitasse.wire.text import said_since
from tests.build.drift_ledger import entry

from .asgi import ask
from .guarded import GuardWorld


def user(*texts: str, model: str = "auto", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text} for text in texts]} | more


async def test_a_text_that_was_let_pass_is_no_passport_for_another_beside_it() -> None:
    world = GuardWorld(injection="approve")
    await ask(world.app, user("ATTACK one"))
    world.approved.add(world.alerts[-1].remedy.rpartition(" ")[2])
    assert (await ask(world.app, user("ATTACK one"))).status == 200
    answer = await ask(world.app, user("ATTACK one", "ATTACK two"))
    assert answer.json()["error"]["code"] == "approval_needed"


def test_what_may_not_leave_is_no_task_for_any_model_that_somebody_names() -> None:
    calls = [
        entry("free", 1, body_ref="x", model="large", guard=Guarded()),
        entry("bound", 2, body_ref="x", model="large", guard=Guarded(stays="local", data_class="health")),
    ]
    past = _past(calls, {}, "large", Asked("chat"))
    assert (set(past.kept), past.bound) == ({"free"}, 1)


@pytest.mark.parametrize(("a", "b"), [("eu-*", "eu-?"), ("eu-*", "eu-[!w]"), ("*", "??")])
def test_where_two_classes_hold_no_pattern_is_taken_for_a_narrower_one(a: str, b: str) -> None:
    assert a not in both(a, b).split(",")
    assert a not in both(b, a).split(",")


class Moderating:
    """A moderator that counts what it is asked and flags the word HARM."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, model: str, text: str, call: Any, *, refuse: bool = False) -> tuple[Moderated, ...]:
        self.asked.append(text)
        return (Moderated("violence", 0.9),) if "HARM" in text else ()


async def test_a_paused_key_costs_no_moderation() -> None:
    world = GuardWorld(moderation="omni", moderated="refuse")
    assert world.guard is not None
    world.guard._moderate = moderating = Moderating()  # type: ignore[assignment]
    assert (await ask(world.app, user("HARM"))).json()["error"]["code"] == "moderation_refused"
    assert world.entry.guard.moderated == (("violence", 0.9),)
    await world.ledger.pause_key("local", "it is too fast", 0)
    assert (await ask(world.app, user("hello"))).status == 403
    assert moderating.asked == ["HARM"]


@pytest.mark.parametrize(
    "roles",
    [("user", "user"), ("user", "system"), ("user", "tool"), ("user", "assistant"), ("developer",), ("User", "user")],
)
async def test_harm_does_not_hide_behind_another_message(roles: tuple[str, ...]) -> None:
    world = GuardWorld(moderation="omni", moderated="refuse")
    assert world.guard is not None
    world.guard._moderate = Moderating()  # type: ignore[assignment]
    texts = ["HARM", "thank you"]
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    answer = await ask(world.app, {"model": "auto", "messages": messages})
    assert answer.json()["error"]["code"] == "moderation_refused"


def test_what_was_answered_is_not_moderated_again() -> None:
    body = b'{"messages":[{"role":"system","content":"S"},{"role":"user","content":"A"},{"role":"assistant","content":"B"},{"role":"user","content":"C"}]}'  # fmt: skip
    assert said_since(body) == "C"


@pytest.mark.parametrize("unseen", ["\u200b", "\u00ad", "\u2060", "\ufeff", "\ufe0f", "\U000e0020"])
@pytest.mark.parametrize("hidden", ["detect", "strip"])
async def test_what_nobody_sees_hides_no_value(unseen: str, hidden: str) -> None:
    """Stripped behind the detectors, it would even be the guard that makes the value readable."""
    world = GuardWorld(personal={"EMAIL": "redact", "SSN": "redact"}, hidden=hidden)
    said = f"{unseen}{unseen}write to ja{unseen}ne.doe@exa{unseen}{unseen}mple.com, SSN 536-22{unseen}-1847{unseen} now"
    await ask(world.app, user(said, model="large"))
    sent = json.loads(world.large.calls[0].body)["messages"][0]["content"].replace(unseen, "")
    assert re.fullmatch(r"write to <EMAIL_\w{6}>, SSN <SSN_\w{6}> now", sent), ascii(sent)


MAIL = "jane.doe@example.com"


@pytest.mark.parametrize("member", ["id", "name", "type", "format", "role", "pattern", "call_id"])
async def test_arguments_that_are_no_string_are_data_whatever_their_members_are_called(member: str) -> None:
    world = GuardWorld(personal={"EMAIL": "redact"})
    told = {member: MAIL}
    messages = [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": told}}],
        },
        {"role": "assistant", "content": [{"type": "tool_use", "id": "b", "name": "f", "input": told}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "b", "name": "f", "input": {"deep": [told]}}]},
    ]
    assert (await ask(world.app, {"model": "large", "messages": messages})).status == 200
    assert MAIL not in world.large.calls[0].body.decode()


@pytest.mark.parametrize("member", ["web_search_options", "plugins", "mcp_servers", "functions"])
async def test_a_call_under_suspicion_takes_no_tool_of_a_provider_along(member: str) -> None:
    world = GuardWorld(injection="drop_tools")
    await ask(world.app, user("ATTACK", **{member: [{"id": "web"}]}))
    assert member not in json.loads(world.large.calls[0].body)


async def test_what_a_body_says_twice_at_its_top_is_said_once() -> None:
    """Whoever keeps the body would keep what nobody looked at."""
    world = GuardWorld(personal={"EMAIL": "redact"})
    twice = b'{"model":"large","messages":[{"role":"user","content":"%s"}],"messages":[{"role":"user","content":"hi"}]}'
    assert (await ask(world.app, twice % MAIL.encode())).status == 200
    assert MAIL.encode() not in world.large.calls[0].body


@pytest.mark.parametrize(
    ("rules", "said"),
    [({"personal": {"EMAIL": "refuse"}}, "hi"), ({"personal": {"EMAIL": "redact"}, "injection": "refuse"}, "ATTACK")],
)
async def test_a_refused_call_is_not_booked_under_a_value(rules: dict[str, Any], said: str) -> None:
    world = GuardWorld(**rules)
    answer = await ask(world.app, user(said, prompt_cache_key=MAIL))
    assert answer.status == 400
    assert MAIL not in repr(world.entry)


async def test_a_class_with_types_holds_also_where_the_guard_is_off() -> None:
    health = DataClass("health", "local", frozenset({"EMAIL"}))
    world = GuardWorld(Policies(general=Rules(on=False), classes={"health": health}))
    await ask(world.app, user(f"write to {MAIL}"))
    assert (len(world.large.calls), len(world.small.calls)) == (0, 1)


async def test_many_short_texts_do_not_hold_up_other_calls() -> None:
    """Each costs hundreds of times what its characters do, and 16,000 characters are 8,000 texts."""
    world = GuardWorld()
    slow = iter(range(10_000))
    threads = set()

    def scan(text: str, source: str, *, names: bool = False) -> Findings:
        threads.add(threading.current_thread() is threading.main_thread())
        if next(slow) < 40:
            time.sleep(0.001)
        return NOTHING

    assert world.guard is not None
    world.guard._load = lambda _false_alarms, _names: scan  # type: ignore[assignment,return-value]
    await ask(world.app, user("hi", metadata=[f"{n}" for n in range(100)]))
    assert threads == {True, False}


async def test_texts_full_of_findings_are_not_remembered() -> None:
    world = GuardWorld()
    await ask(world.app, user(" ".join(f"a{n}@example.com" for n in range(100)), "hello"))
    assert world.guard is not None
    assert len(world.guard._remembered) == 1


async def test_what_one_tenant_sent_is_looked_at_anew_for_another() -> None:
    """How long a look took is told to whoever asked."""
    world, looked = GuardWorld(), []

    def scan(text: str, source: str, *, names: bool = False) -> Findings:
        looked.append(text)
        return NOTHING

    guard = world.guard
    assert guard is not None
    guard._load = lambda _false_alarms, _names: scan  # type: ignore[assignment,return-value]
    admit = guard.admit
    for tenant in ("alice", "alice", "team:bob", "alice"):

        async def admit_of(call: Any, *more: Any, tenant: str = tenant) -> Any:
            return await admit(structs.replace(call, caller=structs.replace(call.caller, tenant=tenant)), *more)

        guard.admit = admit_of  # type: ignore[method-assign]
        assert (await ask(world.app, user("the same words"))).status == 200
    assert looked == ["the same words"] * 2


async def test_a_made_up_key_is_no_way_out_of_what_is_set_for_clients_without_keys() -> None:
    """Every SDK sends one."""
    policies = Policies(
        by_tenant={"local": Rules(personal={"EMAIL": "refuse"})},
        classes={"health": DataClass("health", "local")},
        class_of={"local": "health"},
    )
    world = GuardWorld(policies)
    made_up = {"authorization": "Bearer sk-anything"}
    assert (await ask(world.app, user(MAIL), headers=made_up)).status == 400
    await ask(world.app, user("hello"), headers=made_up)
    assert (len(world.large.calls), len(world.small.calls)) == (0, 1)


@pytest.mark.parametrize(
    "more",
    [
        {"seed": MAIL},
        {"include": [MAIL]},
        {"audio": {"voice": MAIL}},
        {"messages": [{"role": "user", "content": "hi", "id": MAIL}]},
        {"messages": [{"role": "tool", "tool_call_id": "536-22-1847", "content": "hi"}]},
        {"messages": [{"role": MAIL, "content": "hi"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "format": MAIL}]}]},
    ],
    ids=str,
)
async def test_what_is_no_word_of_the_protocol_is_looked_at_where_one_should_stand(more: dict[str, Any]) -> None:
    world = GuardWorld(personal={"EMAIL": "redact", "SSN": "redact"})
    assert (await ask(world.app, user("my SSN 536-22-1847", model="large") | more)).status == 200
    sent = world.large.calls[0].body.decode()
    assert MAIL not in sent
    assert "536-22-1847" not in sent or "tool_call_id" in sent


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        (f"see https://x.org/?m={MAIL}&n=1 now", r"see https://x\.org/\?m=<EMAIL_\w{6}>&n=1 now"),
        (f"http://a.org and http://b.org/u/{MAIL}/edit", r"http://a\.org and http://b\.org/u/<EMAIL_\w{6}>/edit"),
        ("https://x.org/?ssn=536-22-1847", r"https://x\.org/\?ssn=<SSN_\w{6}>"),
    ],
)
async def test_a_value_in_a_web_address_is_one_all_the_same(said: str, sent: str) -> None:
    world = GuardWorld(personal={"EMAIL": "redact", "SSN": "redact"})
    answer = await ask(world.app, user(said, model="large"))
    assert answer.status == 200
    assert re.fullmatch(sent, json.loads(world.large.calls[0].body)["messages"][0]["content"])
