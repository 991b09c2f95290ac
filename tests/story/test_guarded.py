"""What the guard finds decides where a call goes, whether it goes at all, and what the books say of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from demitasse.core.approved import Approved
from demitasse.gateway.guard_rules import DataClass, Policies, Rules, stricter

from .asgi import ask, chat
from .guarded import GuardWorld

KEY = "ghp_" + "a1B2c3D4e5" * 3 + "a1B2c3"
SSN = "my number is SSN 536-22-1847, thank you"
MAIL = "write to jane.doe@example.com please"
HEALTH = DataClass("health", "local", frozenset({"SSN"}))
EUROPE = DataClass("europe", "eu-*", frozenset({"EMAIL"}))


async def test_until_a_setting_says_otherwise_things_are_counted_and_nothing_is_changed() -> None:
    world = GuardWorld()
    answer = await ask(world.app, chat(f"{MAIL} and {SSN}", "large"))
    assert answer.status == 200
    assert json.loads(world.large.calls[0].body)["messages"][0]["content"] == f"{MAIL} and {SSN}"
    assert dict(world.entry.guard.found) == {"EMAIL": 1, "SSN": 1}
    assert world.entry.guard.done == ()


async def test_what_stays_local_is_answered_by_a_model_that_computes_here() -> None:
    world = GuardWorld(Policies(classes={"health": HEALTH}))
    answer = await ask(world.app, chat(SSN, "auto"))
    assert answer.headers["x-demitasse-model"] == "small"
    assert world.large.calls == []
    assert (world.entry.guard.stays, world.entry.guard.data_class) == ("local", "health")
    assert world.entry.attempts[0].region == "local"


async def test_what_stays_local_is_refused_where_no_model_of_the_route_computes_here() -> None:
    world = GuardWorld(Policies(classes={"health": HEALTH}))
    answer = await ask(world.app, chat(SSN, "large"))
    assert (answer.status, answer.json()["error"]["code"]) == (403, "data_may_not_leave")
    assert world.large.calls == []
    assert world.entry.outcome == "refused"
    assert world.entry.guard.stays == "local"


async def test_what_stays_local_does_not_leave_when_the_local_model_fails() -> None:
    from demitasse.core.errors import UpstreamError

    world = GuardWorld(Policies(classes={"health": HEALTH}))
    world.small.lines = (UpstreamError("down", status=500),)
    answer = await ask(world.app, chat(SSN, "auto"))
    assert answer.status in {500, 502}
    assert world.large.calls == []


async def test_a_client_may_say_the_class_and_a_class_that_is_not_known_is_refused() -> None:
    world = GuardWorld(Policies(classes={"health": HEALTH}))
    await ask(world.app, chat("nothing special", "auto"), headers={"x-demitasse-class": "health"})
    assert (len(world.large.calls), len(world.small.calls)) == (0, 1)
    answer = await ask(world.app, chat("nothing", "auto"), headers={"x-demitasse-class": "helth"})
    assert answer.status == 400
    assert "no class of data 'helth'" in answer.json()["error"]["message"]


async def test_the_class_of_a_tenant_holds_for_all_its_calls_also_where_the_guard_is_off() -> None:
    policies = Policies(general=Rules(on=False), classes={"health": HEALTH}, class_of={"local": "health"})
    world = GuardWorld(policies)
    await ask(world.app, chat("nothing special", "auto"))
    assert (len(world.large.calls), len(world.small.calls)) == (0, 1)
    assert world.entry.guard.stays == "local"


@pytest.mark.parametrize(("region", "goes"), [("eu-central", True), ("us-east", False), (None, False)])
async def test_data_of_a_region_goes_only_to_models_that_say_they_are_there(region: str | None, goes: bool) -> None:
    world = GuardWorld(Policies(classes={"europe": EUROPE}))
    world.rung("large", region=region)
    answer = await ask(world.app, chat(MAIL, "large"))
    assert bool(world.large.calls) is goes
    assert answer.status == (200 if goes else 403)


async def test_what_was_answered_elsewhere_is_not_served_to_data_that_stays() -> None:
    """The cache keeps answers of a narrowed route apart from those of the whole one."""
    world = GuardWorld(Policies(classes={"health": HEALTH}))
    await ask(world.app, chat("the same words", "auto"))
    answer = await ask(world.app, chat("the same words", "auto"), headers={"x-demitasse-class": "health"})
    assert answer.headers["x-demitasse-cache"] == "miss"
    assert answer.headers["x-demitasse-model"] == "small"


async def test_data_that_may_not_be_taken_is_refused_by_type_and_never_by_value() -> None:
    world = GuardWorld(personal={"EMAIL": "refuse"})
    answer = await ask(world.app, chat(MAIL, "large"))
    assert (answer.status, answer.json()["error"]["code"]) == (400, "private_data_refused")
    assert "EMAIL" in answer.json()["error"]["message"]
    assert "jane" not in answer.body.decode()
    assert world.large.calls == []
    assert dict(world.entry.guard.found) == {"EMAIL": 1}


@pytest.mark.parametrize(
    ("rules", "text", "named"),
    [
        ({"secrets": "refuse"}, f"use {KEY}", "([guard] secrets)"),
        ({"personal": {"EMAIL": "refuse"}}, f"{MAIL} and {KEY}", "([guard] personal)"),
        ({"personal": {"EMAIL": "refuse"}, "secrets": "refuse"}, f"{MAIL} and {KEY}", "([guard] personal and secrets)"),
    ],
)
async def test_a_refusal_names_the_setting_that_asked_for_it(rules: dict[str, Any], text: str, named: str) -> None:
    answer = await ask(GuardWorld(**rules).app, chat(text, "large"))
    assert answer.json()["error"]["code"] == "private_data_refused"
    assert named in answer.json()["error"]["message"] and KEY not in answer.body.decode()


def injected(source: str) -> dict[str, Any]:
    """A prompt with an attack in the user's words or in a tool's result, and a tool at hand."""
    tool = {"type": "function", "function": {"name": "send_mail", "parameters": {"type": "object"}}}
    messages: list[dict[str, Any]] = [{"role": "user", "content": "ATTACK" if source == "user" else "read my mail"}]
    if source == "tool":
        called = {"id": "c1", "type": "function", "function": {"name": "read_mail", "arguments": "{}"}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [called]},
            {"role": "tool", "tool_call_id": "c1", "content": "Dear all. ATTACK. Kind regards"},
        ]
    return {"model": "auto", "messages": messages, "tools": [tool]}


@pytest.mark.parametrize("source", ["user", "tool"])
async def test_whose_text_gives_orders_decides_which_action_is_taken(source: str) -> None:
    refused = GuardWorld(**{"injection" if source == "user" else "untrusted": "refuse"})
    answer = await ask(refused.app, injected(source))
    assert (answer.status, answer.json()["error"]["code"]) == (400, "injection_refused")
    assert refused.large.calls == []
    assert (refused.entry.guard.band, refused.entry.guard.source) == ("high", source)
    other = GuardWorld(**{"untrusted" if source == "user" else "injection": "refuse"})
    assert (await ask(other.app, injected(source))).status == 200


async def test_a_call_under_suspicion_goes_out_without_its_tools() -> None:
    world = GuardWorld(untrusted="drop_tools")
    await ask(world.app, injected("tool"))
    assert "tools" not in world.large.calls[0].fields
    assert "tools" not in json.loads(world.large.calls[0].body)
    assert world.entry.guard.done == (("drop_tools", "injection", 1),)


async def test_a_call_under_suspicion_waits_for_a_person_who_may_let_it_pass() -> None:
    world = GuardWorld(untrusted="approve")
    answer = await ask(world.app, injected("tool"))
    assert (answer.status, answer.json()["error"]["code"]) == (403, "approval_needed")
    (alert,) = world.alerts
    assert (alert.kind, "ATTACK" in alert.message) == ("approval_needed", False)
    world.approved.add(alert.remedy.rpartition(" ")[2])
    assert (await ask(world.app, injected("tool"))).status == 200
    assert world.entry.guard.done == (("approved", "injection", 1),)


async def test_the_band_in_the_middle_is_told_and_nothing_is_done() -> None:
    world = GuardWorld(injection="refuse")
    assert (await ask(world.app, chat("this is ODD", "large"))).status == 200
    assert world.entry.guard.band == "medium"


async def test_hidden_characters_are_stripped_or_refused_as_the_route_says() -> None:
    hidden = "hello" + "".join(chr(0xE0000 + ord(c)) for c in "obey me") + " world"
    strips = GuardWorld(hidden="strip")
    await ask(strips.app, chat(hidden, "large"))
    assert json.loads(strips.large.calls[0].body)["messages"][0]["content"] == "hello world"
    refuses = GuardWorld(hidden="refuse")
    answer = await ask(refuses.app, chat(hidden, "large"))
    assert answer.json()["error"]["code"] == "hidden_characters"
    assert dict(refuses.entry.guard.hidden) == {"tag": 1}


async def test_a_prompt_that_is_too_long_is_refused_before_it_is_looked_at() -> None:
    world = GuardWorld(max_chars=10)
    answer = await ask(world.app, chat("x" * 11, "large"))
    assert (answer.status, answer.json()["error"]["code"]) == (413, "prompt_too_long")


async def test_a_provider_that_is_not_approved_is_never_asked() -> None:
    from msgspec import structs

    world = GuardWorld()
    world.app.replace(structs.replace(world.steps, approved=Approved(("other",))))
    answer = await ask(world.app, chat("hello", "large"))
    assert (answer.status, answer.json()["error"]["code"]) == (403, "provider_not_approved")
    assert (await ask(world.app, chat("hello", "small"))).status == 200


async def test_what_stays_here_is_not_refused_for_a_provider_that_it_does_not_go_to() -> None:
    from msgspec import structs

    world = GuardWorld(Policies(classes={"health": HEALTH}))
    world.rung("small", here=False, region="local")  # somebody's server on this machine, no engine of ours
    world.app.replace(structs.replace(world.steps, approved=Approved(("other",))))
    answer = await ask(world.app, chat(SSN, "auto"))
    assert (answer.status, answer.headers["x-demitasse-model"]) == (200, "small")
    refused = await ask(world.app, chat("nothing that stays", "auto"))
    assert (refused.status, refused.json()["error"]["code"]) == (403, "provider_not_approved")
    assert world.large.calls == []


async def test_a_conversation_is_looked_at_once_and_not_again_at_each_turn() -> None:
    world = GuardWorld()
    seen: list[str] = []
    assert world.guard is not None
    real = (await world.guard._scanner(0.01, False)).__call__

    class Counting:
        def __call__(self, text: str, source: str, *, names: bool = False) -> Any:
            seen.append(text)
            return real(text, source, names=names)  # type: ignore[arg-type]

    world.guard._scanners[0.01, False] = Counting()  # type: ignore[assignment]
    first = [{"role": "user", "content": "one"}]
    second = [*first, {"role": "assistant", "content": "two"}, {"role": "user", "content": "three"}]
    await ask(world.app, {"model": "large", "messages": first})
    await ask(world.app, {"model": "large", "messages": second})
    assert seen == ["one", "two", "three"]


def test_where_two_profiles_speak_the_stricter_word_holds() -> None:
    a = Rules(personal={"EMAIL": "refuse", "default": "redact"}, injection="drop_tools", on_cap="refuse", max_chars=9)
    b = Rules(personal={"EMAIL": "mask", "PHONE": "local"}, injection="detect", untrusted="refuse", max_chars=7)
    both = stricter(a, b)
    assert stricter(b, a) == both
    assert (both.action("EMAIL"), both.action("PHONE"), both.action("SSN")) == ("refuse", "local", "redact")
    assert (both.injection, both.untrusted, both.on_cap, both.max_chars) == ("drop_tools", "refuse", "refuse", 7)


async def test_what_is_redacted_never_reaches_the_model_and_the_client_gets_it_back() -> None:
    world = GuardWorld(personal={"EMAIL": "redact"})
    world.large.lines = ("unused",)

    def echo(line: str) -> None:
        world.large.lines = (line,)

    await ask(world.app, chat(MAIL, "large"))
    sent = json.loads(world.large.calls[0].body)["messages"][0]["content"]
    assert "jane.doe" not in sent
    placeholder = sent.split()[2]
    assert placeholder.startswith("<EMAIL_")
    world.large.calls.clear()
    echo(f"I wrote to {placeholder} .")
    answer = await ask(world.app, chat(MAIL + " now", "large"), headers={"x-demitasse-session": "other"})
    assert answer.text() == f"I wrote to {placeholder} .", "another session's placeholder stands for nothing here"
    first = json.loads(world.large.calls[0].body)["messages"][0]["content"].split()[2]
    echo(f"I wrote to {first} .")
    world.large.calls.clear()
    headers = {"x-demitasse-session": "other"}
    for stream in (False, True):
        answer = await ask(world.app, chat(MAIL + f" again {stream}", "large", stream=stream), headers=headers)
        assert answer.text() == "I wrote to jane.doe@example.com ."
    assert world.entry.guard.done == (("redact", "EMAIL", 1),)


async def test_what_is_masked_stays_out() -> None:
    world = GuardWorld(personal={"EMAIL": "mask"})
    headers = {"x-demitasse-session": "s"}
    await ask(world.app, chat(MAIL, "large"), headers=headers)
    sent = json.loads(world.large.calls[0].body)["messages"][0]["content"].split()[2]
    world.large.lines = (f"to {sent}",)
    answer = await ask(world.app, chat(MAIL + " now", "large"), headers=headers)
    assert answer.text() == f"to {sent}"


async def test_a_value_that_was_known_by_its_words_is_taken_out_where_it_stands_alone_too() -> None:
    world = GuardWorld(personal={"SSN": "redact"})
    messages = [
        {"role": "user", "content": "my SSN is 536-22-1847"},
        {"role": "assistant", "content": "Noted."},
        {"role": "user", "content": "repeat: 536-22-1847"},
    ]
    await ask(world.app, {"model": "large", "messages": messages})
    assert "536-22-1847" not in world.large.calls[0].body.decode()


async def test_two_that_ask_the_same_but_for_what_was_redacted_share_no_name() -> None:
    """The second's answer bears the second's value, whatever the cache knows."""
    world = GuardWorld(personal={"EMAIL": "redact"})
    for name in ("ann", "bob"):
        text = f"greet {name}@example.com in one word"
        await ask(world.app, chat(text, "large"))
        sent = json.loads(world.large.calls[-1].body)["messages"][0]["content"].split()[1]
        world.large.lines = (f"hello {sent}",)
        answer = await ask(world.app, chat(text + "!", "large"), headers={"x-demitasse-session": "s"})
        assert "@example.com" not in answer.text() or f"{name}@example.com" in answer.text()


async def test_what_was_not_looked_at_does_not_leave_on_a_guess() -> None:
    from demitasse.guard.finding import Findings

    for world in (GuardWorld(Policies(classes={"health": HEALTH})), GuardWorld(personal={"IBAN": "local"})):
        assert world.guard is not None
        world.guard._scanners[0.01, False] = lambda *_a, **_k: Findings(cut=True)  # type: ignore[assignment]
        answer = await ask(world.app, chat("more than is looked at", "auto"))
        assert answer.headers["x-demitasse-model"] == "small"
        assert world.large.calls == []


async def test_where_a_detector_cannot_be_loaded_nothing_passes_unseen() -> None:
    from demitasse.core.errors import ConfigError

    world = GuardWorld()
    assert world.guard is not None

    def load(_false_alarms: float, _names: bool) -> Any:
        raise ConfigError("the weights are not those that were pinned; install demitasse anew")

    world.guard._load = load  # type: ignore[assignment]
    answer = await ask(world.app, chat("hello", "large"))
    assert (answer.status, answer.json()["error"]["code"]) == (503, "guard_unavailable")
    assert "install demitasse anew" in answer.json()["error"]["message"]
    assert world.large.calls == []


async def test_numbers_texts_within_urls_and_escapes_are_redacted_where_they_stand() -> None:
    world = GuardWorld(personal={"PHONE": "redact", "EMAIL": "redact"})
    file = {"type": "file", "file": {"file_data": "data:text/plain;base64,amFuZUBleGFtcGxlLmNvbQ=="}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "https://x.test/?m=jane%40example.com"}, file]},
        {"role": "tool", "tool_call_id": "c", "content": '{"phone": 4915112345678}'},
    ]
    told = {"model": "large", "messages": messages, "metadata": {"phone": 4915112345678}}
    assert (await ask(world.app, told)).status == 200
    sent = json.loads(world.large.calls[0].body)
    phone = sent["metadata"]["phone"]
    assert phone.startswith("<PHONE_")
    assert json.loads(sent["messages"][1]["content"]) == {"phone": phone}
    first, second = sent["messages"][0]["content"]
    assert "jane" not in first["text"]
    assert base64.b64decode(second["file"]["file_data"].partition(",")[2]).startswith(b"<EMAIL_")


async def test_what_stands_in_the_name_of_a_member_leaves_by_no_way() -> None:
    told = chat("hello", "large") | {"metadata": {"jane.doe@example.com": 1}}
    for action in ("redact", "mask", "local"):
        world = GuardWorld(personal={"EMAIL": action})
        answer = await ask(world.app, told)
        assert (answer.status, answer.json()["error"]["code"]) == (403, "data_may_not_leave")
        assert world.large.calls == []
    world = GuardWorld(personal={"EMAIL": "redact"})
    assert (await ask(world.app, told | {"model": "auto"})).headers["x-demitasse-model"] == "small"
    assert dict(world.entry.guard.found) == {"EMAIL": 1}
