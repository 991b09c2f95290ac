"""The Moderator in a whole gateway: a provider on a socket moderates, it is booked, and it fails as the setting says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from demitasse.build.app import App
from demitasse.core.call import Call, Caller
from demitasse.core.errors import ConfigError, Refused
from demitasse.gateway.moderation import Moderator
from demitasse.gateway.request import as_call
from demitasse.guard.finding import Moderated
from demitasse.testing import MockUpstream
from demitasse.wire.ask import read
from tests.build.test_app import Site
from tests.story.asgi import ask, chat

MODERATOR = '[models.omni]\nprovider = "openai"\nmodel = "{model}"\nbase_url = "{url}"\nprice = {{ input_usd_per_mtok = 0, output_usd_per_mtok = 0 }}\n'


@asynccontextmanager
async def gateway(home: Path, settings: str = "", *, model: str = "omni-moderation-latest", url: str = "") -> AsyncIterator[tuple[App, MockUpstream]]:  # fmt: skip
    async with MockUpstream(keep=True) as up:
        site = Site(home, up)
        site.write(MODERATOR.format(model=model, url=url or up.base_url) + settings)
        async with site.app() as app:
            yield app, up


def moderator(app: App) -> Moderator:
    ids = iter(range(1000))
    return Moderator(lambda: app.gateway.steps, lambda _at_us: f"m{next(ids)}", secret=b"s" * 32)


def call(text: str = "x", **more: Any) -> Call:
    body = json.dumps({"model": "mock", "messages": [{"role": "user", "content": text}]}).encode()
    return structs.replace(as_call(read("chat", body), "c1", "c1", 0, Caller(), {}), **more)


def bodies(up: MockUpstream, path: str) -> list[Any]:
    return [json.loads(b) for b, s in zip(up.bodies, up.served, strict=True) if s.path == path]


async def test_an_endpoint_is_asked_and_its_words_are_told_as_ours(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (app, up):
        moderate = moderator(app)
        assert await moderate("omni", "how to [harm:illicit] a [harm:self-harm/intent]", call()) == (
            Moderated("illicit", 0.9),
            Moderated("self_harm", 0.9),
        )
        assert await moderate("omni", "how to bake bread", call()) == ()
        assert [one["input"] for one in bodies(up, "/v1/moderations")][1] == ["how to bake bread"]


async def test_it_is_booked_as_a_call_of_our_own(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (app, _up):
        await moderator(app)("omni", "how to bake bread", call())
        ((_, entry),) = app.books.entries(key="demitasse")
        assert (entry.kind, entry.outcome, entry.model) == ("moderation", "answered", "omni")
        assert dict(entry.tags) == {"purpose": "moderation", "of": "c1"}
        assert app.books.held_nanos() == 0


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("mock-500", ""),
        ("mock-bad-json", ""),
        ("mock-html-200", ""),
        ("omni-moderation-latest", "http://127.0.0.1:9/v1"),
    ],
)
async def test_a_moderator_that_fails_lets_pass_unless_its_route_refuses_harm(
    tmp_path: Path, model: str, url: str
) -> None:
    async with gateway(tmp_path, "[retry]\nattempts = 1\n", model=model, url=url) as (app, _up):
        moderate = moderator(app)
        assert await moderate("omni", "anything", call()) == ()
        with pytest.raises(Refused) as refused:
            await moderate("omni", "anything", call(), refuse=True)
        assert (refused.value.status, refused.value.code) == (503, "moderation_failed")


async def test_a_moderator_that_nobody_knows_fails_the_same_way(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (app, _up):
        assert await moderator(app)("nobody", "anything", call()) == ()
        with pytest.raises(Refused, match="could not be asked"):
            await moderator(app)("nobody", "anything", call(), refuse=True)


async def test_not_a_byte_goes_to_a_moderator_where_the_calls_data_may_not_go(tmp_path: Path) -> None:
    async with gateway(tmp_path, url="http://moderation.example/v1") as (app, up):
        moderate = moderator(app)
        secret = call(stays="local")
        assert await moderate("omni", "anything", secret) == ()
        with pytest.raises(Refused, match="may not go there"):
            await moderate("omni", "anything", secret, refuse=True)
        assert not up.served
        assert not app.books.entries(key="demitasse")


async def test_a_chat_model_is_asked_with_the_fixed_question(tmp_path: Path) -> None:
    async with gateway(tmp_path, model="mock") as (app, up):
        # The mock fills a schema with the first of each enumeration: all is harmless.
        assert await moderator(app)("omni", "how to bake bread", call()) == ()
        (sent,) = bodies(up, "/v1/chat/completions")
        assert sent["response_format"]["json_schema"]["strict"] is True
        assert "how to bake bread" in sent["messages"][1]["content"]


async def test_a_text_that_is_too_long_counts_as_not_looked_at(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (app, up):
        assert await moderator(app)("omni", "x" * 100_001, call()) == ()
        with pytest.raises(Refused, match="longer than"):
            await moderator(app)("omni", "x" * 100_001, call(), refuse=True)
        assert not up.served


async def test_an_empty_text_is_not_asked_about(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (app, up):
        assert await moderator(app)("omni", " \n", call(), refuse=True) == ()
        assert not up.served


async def test_a_route_that_refuses_harm_refuses_it_and_is_not_asked_itself(tmp_path: Path) -> None:
    settings = '[guard]\nmoderation = "omni"\nmoderated = "refuse"\n'
    async with gateway(tmp_path, settings) as (app, up):
        harmful = await ask(app.gateway, chat("make [harm:violence]", model="mock"))
        assert (harmful.status, harmful.json()["error"]["code"]) == (400, "moderation_refused")
        fine = await ask(app.gateway, chat("make bread", model="mock"))
        assert fine.status == 200
        assert [s.path for s in up.served] == ["/v1/moderations", "/v1/moderations", "/v1/chat/completions"]


async def test_harm_is_counted_where_it_is_not_refused(tmp_path: Path) -> None:
    async with gateway(tmp_path, '[guard]\nmoderation = "omni"\n') as (app, _up):
        answer = await ask(app.gateway, chat("make [harm:violence]", model="mock"))
        assert answer.status == 200
        entry = app.books.entry(answer.headers["x-request-id"])
        assert entry is not None and entry.guard is not None
        assert entry.guard.moderated == (("violence", 0.9),)


async def test_an_answer_is_moderated_as_a_check_of_it(tmp_path: Path) -> None:
    from demitasse.core.call import Reply
    from demitasse.core.entry import Check

    async with gateway(tmp_path) as (app, _up):
        moderate = moderator(app)

        def says(text: str) -> Reply:
            return Reply(msgspec.json.encode({"choices": [{"message": {"content": text}}]}), "m", None)

        assert await moderate.reply("omni", says("[harm:hate]"), call()) == Check("moderation", False, 0.9, "hate")
        assert await moderate.reply("omni", says("bread"), call()) == Check("moderation", True, 0.0)
        assert await moderate.reply("nobody", says("bread"), call()) is None
        assert await moderate.reply("omni", says(""), call()) is None


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_moderated_where_the_route_asks_for_it(tmp_path: Path, stream: bool) -> None:
    settings = '[guard]\nmoderation = "omni"\nchecks = ["moderation"]\n'
    async with gateway(tmp_path, settings) as (app, up):
        answer = await ask(app.gateway, chat("say [harm:violence]", model="mock", stream=stream))
        assert answer.status == 200
        assert "[harm:violence]" in answer.text()
        entry = app.books.entry(answer.headers["x-request-id"])
        assert entry is not None and entry.guard is not None
        assert [(c.name, c.passed, c.score, c.why) for c in entry.guard.checks] == [
            ("moderation", False, 0.9, "violence")
        ]
        assert [s.path for s in up.served] == ["/v1/moderations", "/v1/chat/completions", "/v1/moderations"]


async def test_a_moderator_that_is_down_costs_no_answer(tmp_path: Path) -> None:
    settings = '[guard]\nmoderation = "omni"\nchecks = ["moderation", "leaks"]\n[retry]\nattempts = 1\n'
    async with gateway(tmp_path, settings, url="http://127.0.0.1:9/v1") as (app, _up):
        answer = await ask(app.gateway, chat("say bread", model="mock"))
        assert answer.status == 200
        entry = app.books.entry(answer.headers["x-request-id"])
        assert entry is not None and entry.guard is not None
        assert [check.name for check in entry.guard.checks] == ["leaks"]


OWN = '[models.own]\nprovider = "generic"\nmodel = "{model}"\nbase_url = "{url}"\n{more}'
REFUSES = '[guard]\nmoderation = "own"\nmoderated = "refuse"\n'


@pytest.mark.parametrize("model", ["moderation-1", "llama-guard"])
async def test_a_moderator_whose_price_nobody_knows_is_told_at_the_start_and_not_by_every_call(
    tmp_path: Path, model: str
) -> None:
    async with MockUpstream() as up:
        site = Site(tmp_path, up)
        site.write(OWN.format(model=model, url=up.base_url, more="") + REFUSES)
        with pytest.raises(ConfigError) as refused:
            async with site.app():
                pass
    assert "guard.moderation: the price of 'own' is not known" in str(refused.value)
    assert "[models.own] price = { input_usd_per_mtok = 0, output_usd_per_mtok = 0 }" in str(refused.value)
    assert ('region = "local"' in str(refused.value)) is (model == "moderation-1")


@pytest.mark.parametrize(
    "more", ['region = "local"\n', "price = { input_usd_per_mtok = 0, output_usd_per_mtok = 0 }\n"]
)
async def test_an_endpoint_of_ones_own_costs_nothing_once_it_is_said_to_be_that(tmp_path: Path, more: str) -> None:
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.write(OWN.format(model="moderation-1", url=up.base_url, more=more) + REFUSES)
        async with site.app() as app:
            assert (await ask(app.gateway, chat("how to bake bread", model="mock"))).status == 200
            harmful = await ask(app.gateway, chat("[harm:hate]", model="mock"))
            assert harmful.json()["error"]["code"] == "moderation_refused"
            entry = next(entry for _, entry in app.books.entries(last=9) if entry.kind == "moderation")
            assert entry.cost_nanos == 0 and entry.attempts[0].card is not None


async def test_openais_own_endpoint_is_free_and_another_vendors_is_not_known_to_be(tmp_path: Path) -> None:
    async with MockUpstream() as up:
        site = Site(tmp_path, up)
        site.write('[guard]\nmoderation = "openai/omni-moderation-latest"\n')
        async with site.app():
            pass
        site.write('[guard]\nmoderation = "mistral/mistral-moderation-latest"\n')
        with pytest.raises(ConfigError, match=r'guard.moderation: .*\[models.moderator\] provider = "mistral"'):
            async with site.app():
                pass
