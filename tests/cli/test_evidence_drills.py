"""Drills that make evidence: a fallback that is tried, and a second look at what was sent on."""

from __future__ import annotations

import base64
import json
import random
import zipfile

import pytest
from cli_month import NOW_US

from demitasse.build.governing_drill import DrillError, drill, residual
from demitasse.config import load
from demitasse.testing import MockUpstream

CONFIG = """
[models.first]
provider = "generic"
base_url = "{url}/v1"
price = {{ input_usd_per_mtok = 1, output_usd_per_mtok = 2 }}
[models.second]
provider = "generic"
base_url = "{url}/v1"
price = {{ input_usd_per_mtok = 1, output_usd_per_mtok = 2 }}
[routes.chat]
reference = "first"
fallback = ["second"]
[routes.alone]
reference = "first"
"""


NEAR = """
[models.near]
provider = "generic"
base_url = "{url}/v1"
region = "local"
price = {{ input_usd_per_mtok = 1, output_usd_per_mtok = 2 }}
"""


@pytest.fixture
def drilled(tmp_path, data):
    """Holds a drill; returns what came of it and what the upstream was asked."""

    async def hold(route: str, text: str = CONFIG):
        async with MockUpstream(keep=True) as up:
            (tmp_path / "demitasse.toml").write_text(text.format(url=up.base_url.removesuffix("/v1")))
            told = await drill(load(None, {}, tmp_path), data, {}, route, clock=lambda: NOW_US, draw=random.Random(1))
            return told, up

    return hold


async def test_a_drill_makes_the_first_model_fail_and_another_answers(drilled, run, tmp_path):
    told, up = await drilled("chat")
    assert told["passed"] and told["failed"] == "first" and told["answered_by"] == "second"
    assert [json.loads(body)["model"] for body in up.bodies] == ["second"]  # the first was never asked
    assert told["paid_usd"] > 0 and told["why"] == ""


async def test_a_drill_is_booked_and_stands_in_the_next_pack(drilled, run, data, tmp_path):
    told, _ = await drilled("chat")
    run_sync(run, "evidence", "out.zip")
    archive = zipfile.ZipFile(tmp_path / "out.zip")
    assert json.loads(archive.read("failover.json"))["drills"] == [told]
    row = next(row for row in json.loads(archive.read("controls.json"))["rows"] if row["id"] == "GV-6.2-006")
    assert row["status"] == "evidenced" and "1 drill, 1 passed" in row["proofs"][0]["says"]
    entry = json.loads(run_sync(run, "ledger", "--json", "--last", "1").stdout)
    assert entry["id"] == told["entry"] and entry["key"] == "demitasse-lab"
    assert [attempt["status"] for attempt in entry["attempts"]][-1] == "ok" and entry["attempts"][0]["error"] == "drill"


async def test_a_route_without_a_fallback_says_what_to_add(drilled):
    with pytest.raises(DrillError, match=r"\[routes.alone\] fallback"):
        await drilled("alone")


def test_without_kept_requests_a_second_look_says_what_it_needs(run):
    assert "[keep] bodies" in run("evidence", "residual", status=1).output


async def test_a_second_look_counts_what_slipped_through(tmp_path, data, monkeypatch):
    from demitasse.build.app import App
    from tests.story.asgi import ask, chat

    env = {"MASTER": base64.b64encode(bytes(32)).decode()}
    monkeypatch.setenv("MASTER", env["MASTER"])
    async with MockUpstream(keep=True) as up:
        (tmp_path / "demitasse.toml").write_text(
            (CONFIG + NEAR).format(url=up.base_url.removesuffix("/v1"))
            + '[keep]\nbodies = true\nmaster_key_env = "MASTER"\n'
        )
        config = load(None, env, tmp_path)
        app = App(config, data, env, base_url="", clock=lambda: NOW_US)
        await app.start()
        try:
            for text in ("Write to ada@example.org.", "What is two and two?", "And what is three and three?"):
                assert (await ask(app.gateway, chat(text, model="chat"))).status == 200
            assert (await ask(app.gateway, chat("Write to bob@example.org.", model="near"))).status == 200
        finally:
            await app.stop()
        told = residual(config, data, n=10, seed=1, clock=lambda: NOW_US, which="own")
    assert (told["n"], told["stayed"]) == (3, 1)  # what stayed here holds an address too, and is no leak
    assert told["found"].get("EMAIL") == 1 and told["with_any"] >= 1
    assert told["interval"][0] < told["rate"] < told["interval"][1]


def run_sync(run, *arguments):
    """Commands begin event loops of their own: in another thread."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run, *arguments).result()


def test_replays_of_attacks_stand_in_the_pack_and_on_the_detectors_card(filled, run, data, tmp_path):
    from demitasse.store.settings import Settings

    told = {
        "at": "2026-11-20T00:00:00Z",
        "model": "guard",
        "suite": "built in",
        "n": 120,
        "rate": 0.05,
        "interval": [0.02, 0.1],
        "missed": [],
    }
    settings = Settings(data, clock=lambda: NOW_US)
    settings.set_setting("redteam.runs", [{**told, "at": "2025-01-01T00:00:00Z"}, told])
    settings.close()
    run("evidence", "out.zip")
    archive = zipfile.ZipFile(tmp_path / "out.zip")
    assert json.loads(archive.read("security.json"))["redteam"] == [told]  # the old one is of another period
    row = next(row for row in json.loads(archive.read("controls.json"))["rows"] if row["id"] == "MS-2.7-007")
    assert row["status"] == "partial" and "5.0% of 120 attacks got through" in row["proofs"][0]["says"]
    card = json.loads(run("card", "injection", "--json").stdout)
    assert card["kind"] == "detector" and card["safety"][0]["value"] == 0.05 and len(card["identity"]["sha256"]) == 64
    assert "cards/injection.html" in archive.namelist()


def test_what_a_rule_kept_here_or_a_cache_answered_went_nowhere():
    from cli_month import entry
    from msgspec import structs

    from demitasse.build.governing_drill import went_elsewhere
    from demitasse.core.entry import Attempt, Guarded

    away = Attempt("far", "openai", "gpt", "ok", 0, 1.0)
    sent = structs.replace(entry("e", NOW_US), attempts=(away,), guard=Guarded())
    assert went_elsewhere(sent)
    assert went_elsewhere(structs.replace(sent, guard=Guarded(stays="eu-*")))
    assert not went_elsewhere(structs.replace(sent, guard=Guarded(stays="local")))
    assert not went_elsewhere(structs.replace(sent, attempts=(structs.replace(away, region="local"),)))
    assert not went_elsewhere(structs.replace(sent, attempts=(structs.replace(away, provider="local"),)))
    assert not went_elsewhere(structs.replace(sent, attempts=()))
