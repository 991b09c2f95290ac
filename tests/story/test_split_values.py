"""A value that is split over two texts of one message is one value all the same."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from demitasse.gateway.guard_rules import DataClass, Policies

from .asgi import ask
from .guarded import GuardWorld

HEALTH = DataClass("health", "local", frozenset({"SSN"}))


def said(*texts: str, model: str = "large") -> dict[str, Any]:
    parts = [{"type": "text", "text": text} for text in texts]
    return {"model": model, "messages": [{"role": "user", "content": parts}]}


SPLIT = [
    ("my SSN 536-22-", "1847, thank you"),
    ("my SSN 536", "-22-", "1847"),
    ("my SSN 536-22-", "", "1847"),
    ("so long a text " * 50 + "my SSN 536-22-", "1847 " + "and so on " * 50),
]


@pytest.mark.parametrize("texts", SPLIT)
async def test_a_value_over_two_texts_of_a_message_is_of_its_class_and_stays(texts: tuple[str, ...]) -> None:
    world = GuardWorld(Policies(classes={"health": HEALTH}))
    answer = await ask(world.app, said(*texts))
    assert (answer.status, answer.json()["error"]["code"]) == (403, "data_may_not_leave")
    answer = await ask(world.app, said(*texts, model="auto"))
    assert (answer.status, answer.headers["x-demitasse-model"]) == (200, "small")
    assert world.large.calls == []


async def test_texts_of_two_messages_are_not_read_as_one() -> None:
    world = GuardWorld(Policies(classes={"health": HEALTH}))
    messages = [{"role": "user", "content": [{"type": "text", "text": t}]} for t in ("my SSN 536-22-", "1847")]
    assert (await ask(world.app, {"model": "large", "messages": messages})).status == 200


@pytest.mark.parametrize(("action", "status"), [("refuse", 400), ("local", 403), ("redact", 200), ("mask", 200)])
async def test_what_is_done_about_a_type_is_done_about_one_that_is_split(action: str, status: int) -> None:
    world = GuardWorld(personal={"SSN": action})
    assert (await ask(world.app, said(*SPLIT[0]))).status == status
    if status != 200:
        assert world.large.calls == []
        return
    sent = world.large.calls[0].body.decode()
    assert "536" not in sent
    assert "1847" not in sent
    assert dict(world.entry.guard.found)["SSN"] == 1
    assert "thank you" in sent


async def test_what_is_taken_out_of_two_texts_comes_back_in_the_answer() -> None:
    world = GuardWorld(personal={"SSN": "redact"})
    headers = {"x-demitasse-session": "s"}
    await ask(world.app, said(*SPLIT[0]), headers=headers)
    sent = "".join(p["text"] for p in json.loads(world.large.calls[0].body)["messages"][0]["content"])
    first, second = re.findall(r"<SSN_\w+>", sent)
    world.large.lines = (f"it is {first}{second}",)
    answer = await ask(world.app, said(*SPLIT[0], "and now?"), headers=headers)
    assert answer.text() == "it is 536-22-1847"


async def test_the_word_after_a_value_is_no_part_of_it() -> None:
    world = GuardWorld(personal={"EMAIL": "redact"})
    assert (await ask(world.app, said("Write", "jane@example.com", "Please answer"))).status == 200
    first, second, third = json.loads(world.large.calls[0].body)["messages"][0]["content"]
    assert (first["text"], third["text"]) == ("Write", "Please answer")
    assert re.fullmatch(r"<EMAIL_\w{6}>", second["text"])
    assert dict(world.entry.guard.found) == {"EMAIL": 1}


async def test_a_secret_over_two_texts_does_not_leave() -> None:
    world = GuardWorld(secrets="redact")
    await ask(world.app, said("deploy with AKIAQYLPMN", "5HHHFPZAM2 now"))
    sent = world.large.calls[0].body.decode()
    assert "AKIAQYLPMN" not in sent
    assert "5HHHFPZAM2" not in sent
