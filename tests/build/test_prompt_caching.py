"""Prompt caching and shaping as they are put together: a real store, real sockets, and a provider that is taken for OpenAI's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from demitasse.build.evaluating import Wanted, opened
from demitasse.build.facts import status
from demitasse.core.call import Call, drop
from demitasse.lab.tasks.task import Sample, Task
from demitasse.providers import http
from demitasse.providers.openai import OpenAICompatible
from demitasse.providers.vendors import VENDORS
from demitasse.testing import MockUpstream
from tests.build.test_app import Site, now_us, say
from tests.story.asgi import ask

PRICE = "price = { input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0, cache_read_usd_per_mtok = 0.1 }"
SYSTEM = {"role": "system", "content": "Answer as a patient librarian would, in one sentence. " * 200}


@pytest.fixture
async def home(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An installation whose `openai` lives at the mock."""
    async with MockUpstream(keep=True, key="sk-test") as up:
        monkeypatch.setitem(VENDORS, "openai", replace(VENDORS["openai"], base_url=up.base_url))
        site = Site(tmp_path, up)
        site.env["OPENAI_API_KEY"] = "sk-test"
        write(site)
        yield site


def write(site: Site, more: str = "") -> None:
    site.file.write_text(f'[models.large]\nprovider = "openai"\nmodel = "gpt-5.1"\n{PRICE}\n{more}')


async def talk(app: Any, turns: int, model: str = "large", session: str = "s") -> None:
    messages: list[dict[str, Any]] = [SYSTEM]
    for n in range(turns):
        messages.append({"role": "user", "content": f"Question {n}?"})
        headers = {"x-demitasse-session": session}
        answer = await ask(app.gateway, {"model": model, "messages": messages, "max_tokens": 5}, headers=headers)
        assert answer.status == 200, answer.body
        messages.append({"role": "assistant", "content": answer.text()})


def bodies(site: Site) -> list[dict[str, Any]]:
    return [json.loads(body) for body in site.up.bodies if b"messages" in body]


async def test_a_conversation_goes_to_the_providers_own_host_with_one_key(home: Site) -> None:
    async with home.app() as app:
        for n in range(3):  # some conversations belong to the control group
            await talk(app, 3, session=f"s{n}")
        told = status(app)["prompt_cache"]
    keys = {body.get("prompt_cache_key") for body in bodies(home)} - {None}
    assert len(keys) == 1 and all(key.startswith("dmt-") for key in keys)
    (row,) = (row for row in told if row["model"] == "large")
    assert row["rule"] == "openai-5" and row["calls"] == 9 and row["used"] == ["prompt_cache_key"]


async def test_evaluations_teach_nobody_when_a_providers_prompt_cache_pays(home: Site) -> None:
    """A thousand samples that share a prompt are no conversation; what clients taught stays as it is."""
    task = Task("t", tuple(Sample(f"s{n}", f"Question {n}?", ("x",)) for n in range(5)), system=SYSTEM["content"])
    async with opened(home.read(), home.home / "data", home.env, clock=now_us) as desk:
        await desk.evaluate(task, Wanted("large"))
        assert desk.app.prompt_cache.kept()["large"]["calls"] == 5
    async with home.app() as app:
        assert [row["calls"] for row in status(app)["prompt_cache"]] == [0]


async def test_what_was_learned_is_there_after_a_restart_and_the_books_are_whole(home: Site) -> None:
    async with home.app() as app:
        await talk(app, 3)
    async with home.app() as app:
        (row,) = (row for row in status(app)["prompt_cache"] if row["model"] == "large")
        assert row["calls"] == 3


async def test_switched_off_nothing_is_added_from_the_next_call_on(home: Site) -> None:
    async with home.app() as app:
        write(home, "[cache]\nprompt = false\n")
        await app.take_up(home.read())
        await talk(app, 2)
    assert all("prompt_cache_key" not in body for body in bodies(home))


async def test_a_proxy_with_a_vendors_name_is_sent_nothing_that_is_not_known_of_it(tmp_path: Any) -> None:
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.write()
        async with site.app() as app:
            await talk(app, 2, model="mock")
            assert status(app)["prompt_cache"] == []
        assert all("prompt_cache_key" not in body for body in bodies(site))


async def test_a_header_of_ours_goes_out_beside_the_others() -> None:
    async with MockUpstream(keep=True) as up:
        client = http.choose(http.Settings(), {})
        model = OpenAICompatible("m", VENDORS["generic"], client, model="mock", base_url=up.base_url, api_key="k")
        from demitasse.wire import ask as read

        asked = read.read("chat", b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
        call = Call(
            id="c",
            request_id="c",
            at_us=0,
            kind="chat",
            body=asked.body,
            fields=asked.fields,
            model="m",
            headers=(("x-grok-conv-id", "dmt-1"),),
        )
        await model(call, drop)
        await client.close()
    (headers,) = up.headers
    assert headers["x-grok-conv-id"] == "dmt-1" and headers["authorization"] == "Bearer k"


async def test_a_shaper_runs_where_the_file_says_so_and_a_proof_in_the_store_is_taken_up(home: Site) -> None:
    result = json.dumps([{"id": n, "name": f"name {n}"} for n in range(40)], indent=2)
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": result},
    ]
    write(home, '[routes.auto]\nreference = "large"\nshape = true\n[shape]\ncompact_json = "proven"\n')
    proof = {
        "route": "auto", "shaper": "compact_json", "n": 100, "worse": 0, "better": 0, "worse_at_most": 0.03, "margin": 0.05,
        "delta": 0.05, "tokens_saved": 0.3, "model": "large", "method": "test", "at_us": 0, "expires_us": 2**60,
    }  # fmt: skip
    async with home.app() as app:
        for nth in range(2):  # two conversations: in the first the result was sent as it is, and stays so
            headers = {"x-demitasse-cache": "no-store", "x-demitasse-session": f"s{nth}"}
            answer = await ask(app.gateway, {"model": "auto", "messages": messages}, headers=headers)
            assert answer.status == 200
            app.ledger.set_setting("shape_proof.auto.compact_json", proof)
        (_, entry), *_ = app.books.entries(last=1)
        assert dict(entry.saved)["shaped"] > 0
        assert entry.baseline_nanos - entry.cost_nanos == sum(nanos for _, nanos in entry.saved)
        assert (await say(app, "Hi", model="auto")).status == 200
    first, second, *_ = bodies(home)
    assert first["messages"][2]["content"] == result
    assert (
        json.loads(second["messages"][2]["content"]) == json.loads(result)
        and "\n" not in second["messages"][2]["content"]
    )
