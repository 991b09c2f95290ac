"""Eleven positions in which private data could leak: in none does a value go out, nor a placeholder come back.

The whole application with a real ledger, kept bodies, a collector and a webhook; everything outside of it is one socket that
keeps every byte. Each test says in which position the values stand or are looked for; `World.leaks` looks everywhere at once.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from demitasse.build.app import App
from demitasse.config import load

from .asgi import Answer, ask, until
from .outside import Outside

JANE, CARD, KEY = "jane.doe@example.com", "4111 1111 1111 1111", "AKIAQYLPMN5HHHFPZAM2"
VALUES = (JANE, CARD, KEY)
SAID = f"Write to {JANE}, charge {CARD}, deploy with {KEY}."
PLACEHOLDER = re.compile(r"(?i)(?:EMAIL|CARD|API_KEY|TOKEN|HIGH_ENTROPY)[\\_ -]{1,3}[a-z2-7]{6}")


class World:
    """An application, what is outside of it, and what it wrote down."""

    def __init__(self, home: Path, outside: Outside, logged: pytest.LogCaptureFixture) -> None:
        self.home = home
        self.outside = outside
        self.logged = logged
        self.env = {"UP": "k"}
        self.more = ""
        self.cache = False
        self.app: App | None = None
        self.answers: list[Answer] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        file = self.home / "demitasse.toml"
        file.write_text(f"""
[models.echo]
provider = "openai"
base_url = "{self.outside.url}/v1"
key_env = "UP"
price = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }}
[guard]
personal = {{ EMAIL = "redact", CARD = "redact" }}
secrets = "redact"
[keep]
bodies = true
master_key_file = "{self.home / "master.key"}"
[retry]
attempts = 1
[breaker]
failures = 100
[cache]
exact = {str(self.cache).lower()}
[alerts]
webhook = "{self.outside.url}/webhook"
{self.more}
""")
        app = App(
            load(file, self.env, self.home), self.home / "data", self.env, base_url="http://127.0.0.1:4141",
            clock=lambda: time.time_ns() // 1000,
        )  # fmt: skip
        try:
            await app.start()
            self.app = app
            yield self
        finally:
            await app.stop()

    async def ask(self, body: dict[str, Any], path: str = "/v1/chat/completions", **headers: str) -> Answer:
        assert self.app is not None
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await ask(self.app.gateway, {"model": "echo"} | body, path=path, headers=told)
        self.answers.append(answer)
        return answer

    async def both(
        self, body: dict[str, Any], path: str = "/v1/chat/completions", *, says: bool = True
    ) -> list[Answer]:
        """Whole and as a stream; ``says``: both answers must hold every value."""
        found = [await self.ask(body, path), await self.ask(body | {"stream": True}, path)]
        for answer in found:
            assert answer.status == 200, answer.body
            if says:
                text = told(answer)
                assert not [v for v in VALUES if v in json.dumps(body) and v not in text], text
        return found

    def leaks(self) -> list[str]:
        """Where a value went that may not, or a placeholder. Call it when the application has stopped."""
        places = {"outside": self.outside.seen, "log": self.logged.text.encode()}
        for path in sorted((self.home / "data").rglob("*")):
            if path.is_file():
                places[path.name] = path.read_bytes()
        found = [f"{value} in {place}" for place, held in places.items() for value in VALUES if spelled(value, held)]
        for answer in self.answers:
            for text in (told(answer), answer.body.decode(), json.dumps(answer.headers)):
                found += [f"{placeholder} in an answer: {text}" for placeholder in PLACEHOLDER.findall(text)]
        return found


def spelled(value: str, held: bytes) -> bool:
    """Whether the value stands there, plain or in one of the usual forms."""
    plain = value.encode()
    forms = [
        plain,
        plain[::-1],
        base64.b64encode(plain).rstrip(b"="),
        value.encode("utf-16-le"),
        value.replace(" ", "").encode(),
    ]
    return any(
        form in held for form in [*forms, value.replace("@", "%40").encode(), value.replace("@", "\\u0040").encode()]
    )


def told(answer: Answer) -> str:
    """All that an answer says, put together as clients do."""
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        return json.dumps(answer.json(), ensure_ascii=False).replace('\\"', '"')
    lanes: dict[str, str] = {}
    for event in answer.events():
        for choice in event.get("choices", []) if isinstance(event, dict) else []:
            delta = choice.get("delta") or {"text": choice.get("text")}
            for call in delta.get("tool_calls") or []:
                lanes["tool"] = lanes.get("tool", "") + (call.get("function", {}).get("arguments") or "")
            for name in ("content", "text", "refusal"):
                lanes[name] = lanes.get(name, "") + (delta.get(name) or "")
        if isinstance(event, dict) and "error" in event:
            lanes["error"] = json.dumps(event)
    return "\n".join(lanes.values())


@pytest.fixture
async def world(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[World]:
    caplog.set_level(logging.DEBUG)
    async with Outside().listening() as outside:
        yield World(tmp_path, outside, caplog)


def user(content: Any = "Go on.", **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content} | more


TOOL = {"type": "function", "function": {"name": "note", "description": "notes", "parameters": {"type": "object"}}}


def placeholders_sent(world: World) -> list[str]:
    return PLACEHOLDER.findall(world.outside.seen.decode())


async def test_1_content(world: World) -> None:
    async with world.running():
        await world.both({"messages": [user(SAID)]})
        await world.both({"messages": [user([{"type": "text", "text": SAID}])]})
        await world.both({"prompt": SAID}, "/v1/completions")
        await world.both({"prompt": [SAID]}, "/v1/completions")
        said = {"role": "assistant", "content": SAID}
        await world.both({"messages": [user(), said, user("And then?")]})
    assert len(placeholders_sent(world)) >= 3 * 10
    assert world.leaks() == []


async def test_2_arguments_of_tools(world: World) -> None:
    call = {"id": "c0", "type": "function", "function": {"name": "note", "arguments": json.dumps({"said": SAID})}}
    history = [user(), {"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c0", "content": "ok"}]  # fmt: skip
    async with world.running():
        for answer in await world.both({"messages": history, "tools": [TOOL]}):
            if "event-stream" not in answer.headers["content-type"]:
                (back,) = answer.json()["choices"][0]["message"]["tool_calls"]
                repeated = json.loads(back["function"]["arguments"])["said"].split(" | ")
                assert json.loads(next(text for text in repeated if text.startswith("{"))) == {"said": SAID}
    assert len(placeholders_sent(world)) >= 6
    assert world.leaks() == []


async def test_3_results_of_tools(world: World) -> None:
    call = {"id": "c0", "type": "function", "function": {"name": "note", "arguments": "{}"}}
    asked = [user(), {"role": "assistant", "content": None, "tool_calls": [call]}]
    async with world.running():
        for result in (
            SAID,
            json.dumps({"rows": [{"mail": JANE, "card": CARD, "key": KEY}]}),
            [{"type": "text", "text": SAID}],
        ):
            await world.both({"messages": [*asked, {"role": "tool", "tool_call_id": "c0", "content": result}]})
        escaped = json.dumps({"mail": JANE}).replace("@", "\\u0040")
        answers = await world.both(
            {"messages": [*asked, {"role": "tool", "tool_call_id": "c0", "content": escaped}]}, says=False
        )
        assert all(JANE in told(answer) for answer in answers)
    assert world.leaks() == []


async def test_4_names(world: World) -> None:
    more = {"user": JANE, "safety_identifier": JANE, "metadata": {"who": JANE, "card": CARD}, "prompt_cache_key": JANE}
    async with world.running():
        await world.both({"messages": [user("Who am I?", name=JANE)], **more})
    sent = [call["messages"][0].get("name", "x") for call in world.outside.calls()]
    assert not [name for name in sent if re.search(r"[\s<|\\/>]", name)], "providers refuse such names"
    assert world.leaks() == []


async def test_5_the_system_prompt(world: World) -> None:
    tool = {
        "type": "function",
        "function": {"name": "f", "description": f"mails {JANE}", "parameters": {"type": "object"}},
    }
    async with world.running():
        for role in ("system", "developer"):
            await world.both({"messages": [{"role": role, "content": SAID}, user()]})
        await world.both({"messages": [user()], "tools": [tool]})
    assert world.leaks() == []


async def test_6_words_of_pictures_and_files(world: World) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}, "alt": SAID}
    linked = {"type": "image_url", "image_url": {"url": f"https://pictures.test/{JANE}.png"}, "caption": SAID}
    file = {"type": "file", "file": {"filename": f"{JANE}.pdf", "file_data": "data:application/pdf;base64,AAAA"}}
    async with world.running():
        await world.both({"messages": [user([{"type": "text", "text": "What is it?"}, picture, linked, file])]})
    assert world.leaks() == []


async def test_7_logs(world: World) -> None:
    world.more = "[loop_guard]\nrepeats = 3\nshare = 0.000001\n"
    async with world.running():
        await world.both({"messages": [user(SAID)]})
        world.outside.fail = 500, "boom"
        await world.ask({"messages": [user(SAID + "!")]})
        world.outside.fail, world.outside.break_after = None, 4
        await world.ask({"messages": [user(SAID + "?")], "stream": True})
        await world.ask({"messages": user(SAID), "stream": True})  # not a list: refused
        await world.ask({"messages": [user(SAID)], "max_tokens": -1})
        for _ in range(6):
            await world.ask({"messages": [user(SAID)]})
        await until(lambda: "is paused" in world.logged.text)
    assert world.leaks() == []


async def test_8_traces(world: World) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="the extra is not installed: pip install 'demitasse[otel]'")
    world.more = f'[otel]\nendpoint = "{world.outside.url}"\n'
    async with world.running():
        await world.both({"messages": [user(SAID, name=JANE)], "user": JANE})
        world.outside.fail = 500, JANE
        await world.ask({"messages": [user(SAID + "!")]})
    assert {"/v1/traces", "/v1/metrics"} <= {path for path, _ in world.outside.sent}
    assert world.leaks() == []


async def test_9_keys_of_caches(world: World) -> None:
    world.cache = True
    async with world.running():
        await world.both({"messages": [user(SAID)], "temperature": 0})
        assert world.app is not None
        steps = world.app.gateway.steps
        kept = b"".join(key + kept.reply.body + repr(kept).encode() for key, kept in steps.cache._kept.items())
        held = kept + repr([vars(steps.cache), vars(steps.repeats), vars(steps.guard._remembered)]).encode()
        assert b"<EMAIL_" in held, "a whole answer is kept with its placeholders"
        assert not [value for value in VALUES if spelled(value, held)]
        again = await world.ask({"messages": [user(SAID)], "temperature": 0})
        assert again.headers["x-demitasse-cache"] == "exact"
        assert all(value in told(again) for value in VALUES)
    assert world.leaks() == []


async def test_10_errors(world: World) -> None:
    async with world.running():
        for status in (400, 429, 500):
            world.outside.fail = status, "no"
            for stream in (False, True):
                answer = await world.ask({"messages": [user(f"{SAID} {status}")], "stream": stream})
                assert answer.status in {400, 429, 500, 502}
                assert JANE in told(answer) or answer.status >= 500
        world.outside.fail, world.outside.break_after = None, 6
        broken = await world.ask({"messages": [user(SAID + " break")], "stream": True})
        assert broken.events()[-1] != "[DONE]"
        assert JANE in told(broken)
        world.outside.break_after = None
        refusal = [user(), {"role": "assistant", "content": None, "refusal": SAID}, user("Why?")]
        await world.both({"messages": refusal})
    assert world.leaks() == []


async def test_11_webhooks(world: World) -> None:
    world.more = "[loop_guard]\nrepeats = 3\nshare = 0.000001\n"
    async with world.running():
        for _ in range(6):
            await world.ask({"messages": [user(SAID)]})
        await until(lambda: any(path == "/webhook" for path, _ in world.outside.sent))
    assert world.leaks() == []


async def test_what_a_request_says_twice_goes_out_once(world: World) -> None:
    twice = b'{"model":"echo","messages":[{"role":"user","content":"%s","content":"Hello."}]}' % SAID.encode()
    async with world.running():
        assert world.app is not None
        answer = await ask(world.app.gateway, twice)
        assert answer.json()["choices"][0]["message"]["content"] == "Hello."
    assert world.leaks() == []


async def test_embeddings_are_made_of_placeholders(world: World) -> None:
    async with world.running():
        for given in (SAID, [SAID, JANE]):
            assert (await world.ask({"input": given}, "/v1/embeddings")).status == 200
    assert len(placeholders_sent(world)) >= 6
    assert world.leaks() == []


async def test_two_sessions_share_neither_answers_nor_placeholders(world: World) -> None:
    world.cache = True
    body = {"messages": [user(SAID)], "temperature": 0}
    async with world.running():
        for session in ("a", "b"):
            answer = await world.ask(body, x_demitasse_session=session)
            assert all(value in told(answer) for value in VALUES)
        first, second = world.outside.calls()
        assert not {*texts_of(first)} & {*texts_of(second)}
        assert (await world.ask(body, x_demitasse_session="a")).headers["x-demitasse-cache"] == "exact"
    assert world.leaks() == []


async def test_calls_under_way_that_are_joined_give_everybody_the_values(world: World) -> None:
    world.cache = True
    for stream in (False, True):
        world.outside.gate = asyncio.Event()
        body = {"messages": [user(f"{SAID} {stream}")], "temperature": 0, "stream": stream}
        async with world.running():
            asking = [asyncio.create_task(world.ask(body)) for _ in range(3)]
            await until(world.outside.calls)
            await asyncio.sleep(0.02)
            world.outside.gate.set()
            answers = await asyncio.gather(*asking)
        assert all(value in told(answer) for answer in answers for value in VALUES)
    assert len(world.outside.calls()) == 2
    assert world.leaks() == []


async def test_a_client_that_tries_again_gets_the_values_and_is_asked_for_once(world: World) -> None:
    async with world.running():
        for count in ("0", "1"):
            for stream in (False, True):
                answer = await world.ask({"messages": [user(SAID)], "stream": stream}, x_stainless_retry_count=count)
                assert all(value in told(answer) for value in VALUES)
    assert len(world.outside.calls()) == 2
    assert world.leaks() == []


async def test_a_conversation_goes_out_in_the_same_words_at_every_turn(world: World) -> None:
    messages = [user(SAID)]
    async with world.running():
        for _ in range(3):
            answer = await world.ask({"messages": messages})
            messages += [answer.json()["choices"][0]["message"], user(f"Once more to {JANE}.")]
    asked = [call["messages"] for call in world.outside.calls()]
    assert asked[2][:3] == asked[1]
    assert asked[1][:1] == asked[0]
    assert world.leaks() == []


async def test_conversations_share_the_words_of_their_system_prompt(world: World) -> None:
    system = {"role": "system", "content": f"You answer for {JANE}."}
    async with world.running():
        for name in ("ann", "bob"):
            answer = await world.ask({"messages": [system, user(f"I am {name}@example.com. Ask {JANE}.")]})
            assert f"{name}@example.com" in told(answer)
    first, second = (call["messages"] for call in world.outside.calls())
    assert first[0] == second[0]
    assert first[0]["content"].split()[-1].strip(".") in second[1]["content"]
    assert world.leaks() == []


async def test_kept_bodies_hold_placeholders_and_the_vault_what_they_stand_for(world: World) -> None:
    async with world.running():
        answer = await world.ask({"messages": [user(SAID)]}, x_demitasse_session="s")
        id = answer.headers["x-request-id"]
        assert world.app is not None
        recording = world.app._keeper.recording
        await until(lambda: recording(id) is not None)
        kept = json.loads(msgspec.json.encode(recording(id)))
    found = set(re.findall(r"<[A-Z_]+_[a-z2-7]{6}>", json.dumps(kept)))
    assert len(found) == 3
    assert not [value for value in VALUES if value in json.dumps(kept)]
    # A turn that bears the placeholders themselves, after a restart: its tenant and session alone get the values.
    quoted = {"messages": [user("You wrote: " + kept["reply"]["choices"][0]["message"]["content"])]}
    async with world.running():
        same = await world.ask(quoted, x_demitasse_session="s")
        assert all(value in told(same) for value in VALUES)
        assert world.leaks() == []
        other = await world.ask(quoted, x_demitasse_session="other")
        assert not [value for value in VALUES if value in told(other)]


def texts_of(call: Any) -> list[str]:
    return re.findall(r"<[A-Z_]+_[a-z2-7]{6}>", json.dumps(call))
