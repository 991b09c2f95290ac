"""A changed configuration while the gateway runs: what it opens, what it must never open, and what calls under way keep."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

from demitasse.build.app import App
from demitasse.config import Config
from demitasse.core.errors import ConfigError
from demitasse.testing import MockUpstream
from tests.story.asgi import ask, chat

from .test_app import Site, now_us, say

ELSEWHERE = '[server]\nhost = "0.0.0.0"\nbehind_proxy = true\n'


@pytest.fixture
async def site(tmp_path: Path):
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.write()
        yield site


async def test_a_socket_that_strangers_reach_needs_keys_whatever_the_file_says_later(site: Site) -> None:
    site.write(more=ELSEWHERE)
    async with site.app() as app:
        assert (await say(app)).status == 401
        site.write(more='[server]\nhost = "127.0.0.1"\n')
        await app.take_up(site.read())
        assert (await say(app)).status == 401
        assert app.config.server.host == "0.0.0.0"


async def test_a_proxy_in_front_of_loopback_lets_strangers_in_so_keys_are_needed(site: Site) -> None:
    site.write(more="[server]\nbehind_proxy = true\n")
    async with site.app() as app:
        assert app.banner().needs_key
        assert (await say(app)).status == 401
        answer = await ask(app.gateway, chat(model="mock"), headers={"host": "llm.example"})
        assert answer.json()["error"]["code"] == "missing_api_key"


async def test_limits_of_the_minute_outlive_a_change_of_the_file(site: Site) -> None:
    async with site.app() as app:
        before = app.gateway.steps.keys
        site.write(more="[retry]\nattempts = 3\n")
        await app.take_up(site.read())
        assert app.gateway.steps.keys is before


async def test_a_call_under_way_ends_by_the_old_settings_and_is_booked_once(site: Site) -> None:
    async with site.app() as app:
        calls = [asyncio.create_task(say(app, f"question {n}", stream=n % 2 == 0)) for n in range(6)]
        await asyncio.sleep(0)
        site.write(more="[cache]\nexact = false\n[budgets.default]\nusd_per_day = 9\n")
        await app.take_up(site.read())
        assert [a.status for a in await asyncio.gather(*calls)] == [200] * 6
        await app.ledger.flush()
        assert app.books.held_nanos() == 0
        assert len(app.books.entries()) == 6


async def test_a_stop_in_the_middle_of_calls_leaves_no_hold_for_the_next_start(site: Site) -> None:
    async with site.app() as app:
        tasks = [asyncio.create_task(say(app, f"question {n}")) for n in range(4)]
        while app.books.held_nanos() == 0:
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    again = App(site.read(), site.home / "data", site.env, base_url="http://x", clock=now_us)
    assert again.ledger.recovered.count == 0
    await again.stop()


def test_the_defaults_need_no_key() -> None:
    from demitasse.build.app import settings_of

    assert not settings_of(Config()).require_key
    proxied = structs.replace(Config().server, behind_proxy=True)
    assert settings_of(structs.replace(Config(), server=proxied)).require_key


async def test_who_looks_at_the_pages_is_told_of_a_file_that_was_not_taken_up(site: Site) -> None:
    async with site.app() as app:
        app.left_as_it_was(ConfigError("demitasse.toml has a wrong setting:\n  line 2: guard.personal.EMIAL: no type"))
        async with asyncio.timeout(5):
            while not (found := [a for a in app.books.alerts() if a.kind == "configuration"]):
                await asyncio.sleep(0.01)
        assert "guard.personal.EMIAL" in found[0].message
        await app.take_up(site.read())
        assert [a for a in app.books.alerts() if a.kind == "configuration"] == []
