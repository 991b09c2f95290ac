"""The gateway as it is put together: real store, real HTTP client, a provider on a socket; requests come by ASGI."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from demitasse.build.app import App
from demitasse.config import load
from demitasse.core.errors import ConfigError
from demitasse.providers.vendors import VENDORS
from demitasse.store.audit import verify
from demitasse.store.settings import Settings
from demitasse.testing import MockUpstream
from tests.story.asgi import Answer, ask, chat

PRICE = "price = { input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }"


def now_us() -> int:
    return time.time_ns() // 1000


class Site:
    """One installation: a configuration file, a data directory, a provider."""

    def __init__(self, home: Path, up: MockUpstream) -> None:
        self.home = home
        self.up = up
        self.env: dict[str, str] = {}
        self.file = home / "demitasse.toml"

    def write(self, more: str = "", mock: str = "") -> None:
        self.file.write_text(
            f'[models.mock]\nprovider = "openai"\nbase_url = "{self.up.base_url}"\n{PRICE}\n{mock}\n{more}'
        )

    def read(self) -> Any:
        return load(self.file, self.env, self.home)

    @asynccontextmanager
    async def app(self) -> AsyncIterator[App]:
        app = App(self.read(), self.home / "data", self.env, base_url="http://127.0.0.1:4141", clock=now_us)
        try:
            await app.start()
            yield app
        finally:
            await app.stop()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.write()
        yield site


async def say(app: App, text: str = "Say hello.", **more: Any) -> Answer:
    headers = more.pop("headers", None)
    return await ask(app.gateway, chat(text, **({"model": "mock"} | more)), headers=headers)


async def test_a_call_goes_through_real_sockets_and_a_real_file(site: Site) -> None:
    async with site.app() as app:
        answer = await say(app, max_tokens=5)
        assert answer.status == 200
        facts = await ask(app.gateway, b"", path=f"/demitasse/calls/{answer.headers['x-request-id']}", method="GET")
        row = facts.json()
        assert row["outcome"] == "answered"
        assert row["usage"]["text_out"] == 5 if "text_out" in row["usage"] else row["usage"]
        assert app.books.held_nanos() == 0
    assert verify(site.home / "data") == (True, None)


async def test_a_stream_is_booked_to_the_tokens_that_the_provider_counted(site: Site) -> None:
    async with site.app() as app:
        answer = await say(app, stream=True, max_tokens=12)
        assert answer.events()[-1] == "[DONE]"
        (_, entry), *_ = app.books.entries(last=1)
        (served,) = site.up.served
        assert (entry.usage.total_in, entry.usage.total_out) == (served.prompt_tokens, served.completion_tokens)
        assert not entry.estimated


async def test_a_valid_change_of_the_file_is_taken_up_without_a_restart(site: Site) -> None:
    async with site.app() as app:
        assert (await say(app, model="twin")).status == 404
        site.write(more='[routes.twin]\nreference = "mock"\nladder = ["mock"]\n[budgets.default]\nusd_per_day = 7\n')
        await app.take_up(site.read())
        assert (await say(app, model="twin")).status == 200
        assert [b.limit_nanos for b in app.ledger.budgets()] == [7 * 10**9]


async def test_what_the_cache_holds_survives_a_change_that_does_not_concern_it(site: Site) -> None:
    async with site.app() as app:
        await say(app)
        site.write(more="[retry]\nattempts = 3\n")
        await app.take_up(site.read())
        assert (await say(app)).headers["x-demitasse-cache"] == "exact"


async def test_a_change_that_cannot_be_meant_leaves_everything_as_it_was(site: Site) -> None:
    async with site.app() as app:
        site.write(more='[routes.twin]\nreference = "mok"\n')
        with pytest.raises(ConfigError, match="did you mean 'mock'"):
            await app.take_up(site.read())
        assert (await say(app)).status == 200


async def test_a_clients_own_key_never_reaches_a_custom_address(site: Site) -> None:
    async with site.app() as app:
        assert (await say(app, headers={"authorization": "Bearer sk-clients-own"})).status == 200
        assert all("sk-clients-own" not in value for headers in site.up.headers for value in headers.values())


async def test_our_own_key_is_not_sent_on_and_the_models_key_is(site: Site) -> None:
    site.write(mock='key_env = "MOCK_KEY"')
    site.env["MOCK_KEY"] = "sk-the-models"
    async with site.app() as app:
        await say(app)
        assert site.up.headers[-1]["authorization"] == "Bearer sk-the-models"


async def test_a_missing_key_says_which_variable_to_set(site: Site) -> None:
    site.write(mock='key_env = "MOCK_KEY"')
    site.up.key = "sk-wanted"
    async with site.app() as app:
        answer = await say(app)
        assert answer.status == 401
        assert "MOCK_KEY" in answer.json()["error"]["message"]


async def test_a_price_at_home_is_not_a_price_elsewhere(site: Site) -> None:
    site.file.write_text(f'[models.gpt-4o]\nprovider = "openai"\nbase_url = "{site.up.base_url}"\n')
    async with site.app() as app:
        answer = await say(app, model="gpt-4o")
        assert answer.status == 429
        assert answer.json()["error"]["code"] == "unpriced_model"


async def test_a_model_of_the_price_database_is_found_by_name_and_priced_once(site: Site, monkeypatch) -> None:
    import msgspec

    home = msgspec.structs.replace(VENDORS["openai"], base_url=site.up.base_url)
    monkeypatch.setitem(VENDORS, "openai", home)
    site.file.write_text("")
    site.env["OPENAI_API_KEY"] = "sk-env"
    async with site.app() as app:
        answer = await say(app, model="openai/gpt-4o", max_tokens=10)
        assert answer.status == 200
        (_, entry), *_ = app.books.entries(last=1)
        assert entry.attempts[0].card.endswith("openai/gpt-4o")
        # 2.50 and 10 USD per million tokens, as the price database has them
        assert entry.cost_nanos == entry.usage.total_in * 2_500 + entry.usage.total_out * 10_000
        assert any(model == "gpt-4o" for _, model, _, _ in app.ledger.get_cards())


async def test_kept_bodies_can_be_asked_again_as_a_recording(site: Site, tmp_path: Path) -> None:
    site.env["BODY_KEY"] = base64.b64encode(b"k" * 32).decode()
    import os

    os.environ["BODY_KEY"] = site.env["BODY_KEY"]
    site.write(
        more='[models.again]\nprovider = "recorded"\n[keep]\nbodies = true\nmaster_key_env = "BODY_KEY"\n[cache]\nexact = false'
    )
    try:
        async with site.app() as app:
            first = await say(app, "What is kept?")
            await asyncio.sleep(0.1)
            again = await say(app, "What is kept?", model="again")
            streamed = await say(app, "What is kept?", model="again", stream=True)
            never = await say(app, "What was never asked?", model="again")
        assert again.status == 200
        assert again.text() == first.text() == streamed.text()
        assert again.headers["x-demitasse-cost-usd"] == "0.000000000"
        assert never.status == 404
        assert never.json()["error"]["code"] == "not_recorded"
        stored = (tmp_path / "data" / "bodies.sqlite3").read_bytes()
        assert b"What is kept?" not in stored
    finally:
        del os.environ["BODY_KEY"]


async def test_without_a_setting_no_body_touches_the_disk(site: Site) -> None:
    async with site.app() as app:
        await say(app, "A sentence that nobody keeps.")
    for file in (site.home / "data").rglob("*"):
        if file.is_file():
            assert b"sentence that nobody keeps" not in file.read_bytes(), file


async def test_an_alert_reaches_the_webhook_and_the_books(site: Site) -> None:
    told: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        told.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    site.write(
        more=f'[alerts]\nwebhook = "http://127.0.0.1:{port}/hook?x=1"\n[loop_guard]\nrepeats = 5\nshare = 0.001\n'
        "[budgets.default]\nusd_per_day = 0.01\n"
    )
    try:
        async with site.app() as app:
            statuses = [(await say(app, f"again {n}", temperature=1, max_tokens=20)).status for n in range(12)]
            await _until(lambda: bool(told))
            assert statuses[:6] == [200] * 6
            assert 429 in statuses
            assert b"loop_detected" in told[0]
            assert [alert.kind for alert in app.books.alerts()] == ["loop_detected"]
            await asyncio.to_thread(app.ledger.set_paused, "local", None)
            assert (await say(app, "something else", max_tokens=20)).status == 200
    finally:
        server.close()


async def _until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_key_that_a_command_made_a_moment_ago_is_known_at_once(site: Site) -> None:
    from demitasse.core.keys import mac
    from demitasse.core.limits import Key
    from demitasse.store.secret import server_secret
    from demitasse.store.settings import Settings

    async with site.app() as app:
        other = Settings(site.home / "data")
        secret = server_secret(site.home / "data")
        other.add_key(Key(id="new", name="new", mac=mac(secret, b"dmt_new_1"), created_us=now_us()))
        other.close()
        assert (await say(app, headers={"authorization": "Bearer dmt_new_1"})).status == 200


async def test_a_row_says_which_limit_refused_it_and_keeps_no_words_of_a_prompt(site: Site) -> None:
    site.write(more="[budgets.default]\nusd_per_day = 0.0000001\n")
    async with site.app() as app:
        assert (await say(app)).status == 429
        assert (await say(app, model="a secret that was asked for")).status == 404
        (_, unknown), (_, refused), *_ = app.books.entries(last=2)
        assert "budget 'default'" in refused.why and "demitasse budgets set default" in refused.why
        assert unknown.why is None


async def test_a_setting_that_nothing_acts_on_says_so_and_one_that_lacks_something_says_what(
    site: Site, caplog
) -> None:
    site.write(
        more='[cache]\nsemantic = true\n[models.twin]\nprovider = "openai"\nbase_url = "http://127.0.0.1:9"\n'
        f'{PRICE}\n[routes.auto]\nreference = "mock"\nquality = 0.95\n'
    )
    async with site.app():
        said = [record.getMessage() for record in caplog.records]
    assert sum("has no effect in this version" in line for line in said) == 1
    assert any("routes.auto.quality (the route has no ladder)" in line for line in said)
    assert any(line.startswith("the semantic cache is off") and "models pull wordllama-256" in line for line in said)


async def test_a_saving_that_is_switched_serves_at_once_and_after_a_restart(site: Site) -> None:
    async with site.app() as app:
        await app.switch("exact-cache", on=False)
        assert app.gateway.steps.settings.cache.exact is False
    async with site.app() as app:
        assert app.config.cache.exact is False and app.config.origins["cache.exact"] == "store"
        await app.switch("exact-cache", on=True)
        assert app.gateway.steps.settings.cache.exact is True


async def test_what_the_file_says_is_not_switched(site: Site) -> None:
    site.write("[cache]\nexact = true\n")
    async with site.app() as app:
        with pytest.raises(ConfigError, match=r"set in demitasse\.toml; change it there: cache\.exact"):
            await app.switch("exact-cache", on=False)
        assert app.gateway.steps.settings.cache.exact is True


async def test_a_switch_of_another_process_is_followed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demitasse.build.app.SWITCHES_EVERY_S", 0.01)
    async with site.app() as app:
        other = Settings(site.home / "data", clock=now_us)
        other.set_setting("switches", {"exact-cache": False})
        other.close()
        for _ in range(500):
            if not app.gateway.steps.settings.cache.exact:
                break
            await asyncio.sleep(0.01)
        assert not app.gateway.steps.settings.cache.exact
