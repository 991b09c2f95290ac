"""The ledger tells what was in force, and evidence goes by that and not by the file as it is now."""

from __future__ import annotations

import json

from demitasse.build.governing_books import guard
from demitasse.build.governing_sources import opened, window
from demitasse.build.governing_view import look
from demitasse.build.in_force import over
from demitasse.lab.governance.proofs import _guard_on
from tests.build.test_app import Site, now_us, site

__all__ = ["site"]

SQL = "SELECT leaf FROM events WHERE id = 'setting:configuration' ORDER BY seq"


def told(site: Site) -> list[dict]:
    import sqlite3

    with sqlite3.connect(site.home / "data" / "ledger.sqlite3") as db:
        return [json.loads(leaf) for (leaf,) in db.execute(SQL)]


def document(site: Site) -> dict:
    with opened(site.read(), site.home / "data", clock=now_us) as sources:
        return guard(look(sources, window(now_us())))


async def test_each_configuration_that_differs_is_told_once(site: Site) -> None:
    key = site.home / "keys" / "secret.key"
    site.write(more=f'[guard]\nsecrets = "refuse"\n[keep]\nledger_days = 365\nmaster_key_file = "{key}"\n')
    async with site.app() as app:
        await app.take_up(site.read())
        site.write(more="[retry]\nattempts = 3\n[guard]\non = false\n")
        await app.take_up(site.read())
    async with site.app():
        pass
    first, second = told(site)
    assert first["what"] == "configuration"
    assert first["hash"] == first["value"]["hash"] != second["hash"]
    assert first["value"]["guard"]["secrets"] == "refuse"
    assert first["value"]["keep"]["ledger_days"] == 365
    assert "secret.key" not in json.dumps(first)
    assert str(site.home) not in json.dumps(first)
    assert second["value"]["guard"]["on"] is False


async def test_evidence_says_when_detection_was_off_whatever_the_file_says_when_it_is_made(site: Site) -> None:
    site.write(more="[guard]\non = false\n")
    async with site.app() as app:
        site.write(more='[guard]\nsecrets = "refuse"\n')
        await app.take_up(site.read())
    found = document(site)
    assert [one["on"] for one in found["in_force"]] == [False, True]
    assert found["settings"]["secrets"] == "refuse"
    assert found["settings_from"].startswith("the ledger")
    assert found["on"] is False
    assert found["off"] == [{"from": found["in_force"][0]["from"], "until": found["in_force"][1]["from"]}]
    fine, said = _guard_on(found)
    assert not fine
    assert "[guard] on = false was in force" in said


async def test_a_ledger_that_was_never_told_is_said_to_be_silent(site: Site) -> None:
    found = document(site)
    assert found["in_force"] == []
    assert found["settings_from"].startswith("the configuration file")
    fine, said = _guard_on(found)
    assert fine
    assert "the ledger does not say what was in force" in said


def test_what_began_before_a_period_and_went_on_in_it_is_in_force_in_it() -> None:
    events = [(1, {"n": 1}), (5, {"n": 2}), (9, {"n": 3})]
    assert [one.value["n"] for one in over(events, 6, 9)] == [2]
    assert [one.value["n"] for one in over(events, 5, 10)] == [2, 3]
    assert [one.until_us for one in over(events, 0, 10)] == [5, 9, None]
