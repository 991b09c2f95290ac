"""What was recognised in one place leaves in no other, however it is written there."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from demitasse.gateway.guard_rules import DataClass, Policies, Rules
from demitasse.guard import hidden, personal, secrets
from demitasse.guard.finding import Entity
from demitasse.guard.scan import Scanner

from .asgi import ask, chat
from .guarded import BANDS, GuardWorld, risk

NAMES = ("Emma Schwarz", "Anna Strauß", r"Person N\d+")


def named(text: str) -> tuple[list[Entity], bool]:
    """A recogniser of names that goes by capital letters, as they do."""
    return [Entity("PERSON", m.start(), m.end(), 0.9) for name in NAMES for m in re.finditer(name, text)], False


def names_too(_false_alarms: float = 0.01, _names: bool = False) -> Scanner:
    return Scanner(personal.find, secrets.find, hidden.find, risk, BANDS, named)


def world_of(**rules: Any) -> GuardWorld:
    world = GuardWorld(names=True, **rules)
    assert world.guard is not None
    world.guard._load = names_too
    return world


async def test_names_are_taken_out_of_what_leaves_alone() -> None:
    """A server that runs here, and an engine, read them; whatever brought the call there."""
    health = DataClass("health", "local", frozenset({"SSN"}))
    rules = Rules(names=True, personal={"PERSON": "redact", "EMAIL": "redact"})
    world = GuardWorld(Policies(rules, classes={"health": health}))
    assert world.guard is not None
    world.rung("small", here=False, region="local")
    world.guard._load = names_too
    said = "Emma Schwarz (ann@example.com)"
    for body, headers in (
        (chat(said, "small"), {}),  # it can go nowhere else
        (chat(said, "auto"), {"x-demitasse-class": "health"}),  # it is told to stay
        (chat(f"{said}, SSN 536-22-1847", "auto"), {}),  # what it holds stays
    ):
        answer = await ask(world.app, body, headers=headers)
        assert answer.headers["x-demitasse-model"] == "small"
        sent = world.small.calls[-1].body.decode()
        assert "Emma Schwarz" in sent
        assert "ann@example.com" not in sent
    assert dict.fromkeys(what for _, what, _ in world.entry.guard.done) == {"EMAIL": None, "local": None}
    assert (await ask(world.app, chat(said, "auto"))).headers["x-demitasse-model"] == "large"
    assert "Emma" not in world.large.calls[-1].body.decode()


@pytest.mark.parametrize("action", ["redact", "mask"])
@pytest.mark.parametrize(
    "text",
    [
        "I met Emma Schwarz today. emma schwarz smiled.",
        "I met Emma Schwarz today. EMMA SCHWARZ smiled.",
        "I met Emma Schwarz today. Emma\n  schwarz smiled.",
        "ßß İİ I met Anna Strauß. ANNA STRAUSS smiled, anna strauss too.",
    ],
)
async def test_a_name_in_other_letters_does_not_leave(text: str, action: str) -> None:
    world = world_of(personal={"PERSON": action})
    parts = [{"type": "text", "text": piece + "."} for piece in text.split(".")]
    for content in (text, parts):
        answer = await ask(world.app, {"model": "large", "messages": [{"role": "user", "content": content}]})
        assert answer.status == 200
        sent = world.large.calls[-1].body.decode()
        assert re.search(r"emma|schwarz|anna|strau", sent, re.IGNORECASE) is None, sent
        assert "smiled" in sent
        assert len(set(re.findall(r"PERSON_\w{6}", sent))) == 1


async def test_of_a_list_of_a_thousand_values_the_last_is_known_elsewhere_too() -> None:
    world = world_of(personal={"PERSON": "redact"})
    told = "\n".join(f"Person N{i}" for i in range(1_000))
    assert (await ask(world.app, chat(f"{told}\n(PERSON N999)", "large"))).status == 200
    assert re.search(r"person n", world.large.calls[0].body.decode(), re.IGNORECASE) is None


async def test_what_stands_in_a_tools_arguments_in_other_letters_is_taken_out_and_they_stay_json() -> None:
    world = world_of(personal={"PERSON": "redact", "SSN": "redact"})
    arguments = json.dumps({"note": "Hi\nemma\nschwarz", "of": "536221847"})
    calls = [{"id": "c", "type": "function", "function": {"name": "note", "arguments": arguments}}]
    messages = [
        {"role": "user", "content": "Emma Schwarz, my SSN is 536-22-1847"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c", "content": "done"},
    ]
    assert (await ask(world.app, {"model": "large", "messages": messages})).status == 200
    sent = json.loads(world.large.calls[0].body)["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert re.fullmatch(r"Hi\n<PERSON_\w{6}>", json.loads(sent)["note"])
    assert re.fullmatch(r"<SSN_\w{6}>", json.loads(sent)["of"])
