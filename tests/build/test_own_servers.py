"""A vendor's name in a configuration is no vendor: a model at another address is a server of one's own, everywhere that matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from demitasse.build import in_force
from demitasse.build.governing_check import check_licence
from demitasse.build.governing_sources import opened, window
from demitasse.build.governing_use import licence_register, provider_register
from demitasse.build.governing_view import look, look_back
from demitasse.config import load
from demitasse.core.errors import ConfigError
from demitasse.providers.vendors import elsewhere
from demitasse.store.settings import Settings
from demitasse.testing import MockUpstream
from tests.build.test_app import PRICE, Site, now_us
from tests.story.asgi import ask, chat


def config(url: str, listed: str) -> str:
    return f"""
[models.mine]
provider = "openai"
model = "mock"
base_url = "{url}"
{PRICE}
[governance]
providers = {listed}
"""


@pytest.mark.parametrize(
    ("provider", "url", "host"),
    [
        ("openai", "https://api.openai.com/v1", ""),
        ("openai", None, ""),
        ("openai", "http://127.0.0.1:9/v1", "127.0.0.1"),
        ("openai", "https://API.OPENAI.COM.evil.example/v1", "api.openai.com.evil.example"),
        ("generic", "https://llm.example/v1", "llm.example"),
        ("ollama", "http://localhost:11434/v1", ""),
        ("ollama", "http://gpu.example:11434/v1", "gpu.example"),
        ("local", None, ""),
    ],
)
def test_a_provider_is_at_home_at_its_own_address_alone(provider: str, url: str | None, host: str) -> None:
    assert elsewhere(provider, url) == host


async def test_a_vendors_name_on_the_list_does_not_approve_a_server_that_only_bears_it(tmp_path: Path) -> None:
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.file.write_text(config(up.base_url, '["openai"]'))
        async with site.app() as app:
            answer = await ask(app.gateway, chat("hello", model="mine"))
        assert (answer.status, answer.json()["error"]["code"]) == (403, "provider_not_approved")
        assert "host:127.0.0.1" in answer.json()["error"]["message"] and up.bodies == []
        site.file.write_text(config(up.base_url, '["host:127.0.0.1"]'))
        async with site.app() as app:
            assert (await ask(app.gateway, chat("hello", model="mine"))).status == 200


async def test_the_card_the_licences_and_the_list_of_called_name_the_host(tmp_path: Path) -> None:
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.file.write_text(config(up.base_url, "[]"))
        async with site.app() as app:
            assert (await ask(app.gateway, chat("hello", model="mine"))).status == 200
        site.file.write_text(config(up.base_url, '["openai"]'))
        with opened(site.read(), tmp_path / "data", clock=now_us) as sources:
            view = look(sources, window(now_us()))
            card, register = view.card("mine"), provider_register(view)
    assert card.provider == "a server of your own at 127.0.0.1" == card.licence.provider
    assert card.kind == "server" and any("whoever runs the server" in one for one in card.unknown)
    assert (card.licence.kind, card.licence.answer, card.licence.outputs) == ("server", "unknown", "unknown")
    assert "its licence or terms of use" in card.unknown
    assert register["called"] == {"host:127.0.0.1": 1}
    assert register["approved"] == [] == register["in_force"][0]["approved"]  # the file as it is now was never in force


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ('["opnai"]', "did you mean 'openai'?"),
        ('["generic"]', "list its host"),
        ('["host:"]', "names no host"),
        ('["host:https://llm.example"]', "names no host"),
        ('["host:llm.example:8080"]', "names no host"),
        ('["host:LLM.example"]', "host:llm.example"),
    ],
)
def test_a_name_on_the_list_that_can_never_match_is_refused_at_the_start(
    tmp_path: Path, listed: str, said: str
) -> None:
    (tmp_path / "demitasse.toml").write_text(f"[governance]\nproviders = {listed}\n")
    with pytest.raises(ConfigError, match=r"governance\.providers") as told:
        load(None, {}, tmp_path)
    assert said in str(told.value)


def test_hosts_and_providers_are_taken(tmp_path: Path) -> None:
    (tmp_path / "demitasse.toml").write_text('[governance]\nproviders = ["openai", "host:127.0.0.1", "host:::1"]\n')
    assert load(None, {}, tmp_path).governance.providers == ("openai", "host:127.0.0.1", "host:::1")


LISTED = """
[models.big]
provider = "openai"
model = "gpt-5.1"
[models.small]
provider = "mistral"
[models.mine]
provider = "openai"
base_url = "http://llm.example/v1"
[models.near]
provider = "generic"
base_url = "http://gpu.example/v1"
region = "local"
[models.own]
provider = "local"
source = "smollm2-135m"
[governance]
providers = ["mistral", "host:llm.example"]
"""


async def test_register_cards_and_gateway_judge_a_provider_alike(tmp_path: Path) -> None:
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.file.write_text(LISTED)
        async with site.app() as app:
            refused = await ask(app.gateway, chat("hello", model="big"))
        assert refused.json()["error"]["code"] == "provider_not_approved"
        with opened(site.read(), tmp_path / "data", clock=now_us) as sources:
            view = look(sources, window(now_us()))
            rows = {row["name"]: row for row in licence_register(view)["rows"]}
            then = look_back(sources, window(now_us()), sources.tally.fold())
            cards = {name: then.card(name) for name in rows}
    assert {name for name, row in rows.items() if not row["allowed"]} == {"big"}
    assert "'openai' is not on the list of approved providers (mistral, host:llm.example)" in rows["big"]["why"]
    assert "refused" in rows["big"]["why"] and "'host:llm.example' is on the list" in rows["mine"]["why"]
    assert {name for name, card in cards.items() if not card.licence.allowed} == {"big"}


def test_a_pack_judges_by_the_list_that_was_in_force_and_a_command_by_that_of_now(tmp_path: Path) -> None:
    file = tmp_path / "demitasse.toml"
    file.write_text(LISTED)
    settings = Settings(tmp_path / "data", clock=now_us)
    in_force.record(settings, load(None, {}, tmp_path))
    settings.close()
    file.write_text(LISTED.replace('"mistral", ', '"openai", '))
    with opened(load(None, {}, tmp_path), tmp_path / "data", clock=now_us) as sources:
        now = look(sources, window(now_us()))
        then = look_back(sources, window(now_us()), sources.tally.fold())
        assert now.card("big").licence.allowed and not now.card("small").licence.allowed
        assert then.card("small").licence.allowed and not then.card("big").licence.allowed


def test_a_list_of_providers_stops_no_start_of_the_commercial_profile(tmp_path: Path) -> None:
    (tmp_path / "demitasse.toml").write_text(LISTED + 'profile = "commercial"\n')
    config = load(None, {}, tmp_path)
    check_licence(config, tmp_path / "data", lambda _name: None, "big", to="served")
