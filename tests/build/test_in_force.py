"""The ledger tells what was in force, and evidence goes by that and not by the file as it is now."""

from __future__ import annotations

import json

from demitasse.build.governing_books import DOCUMENTS, guard
from demitasse.build.governing_sources import opened, window
from demitasse.build.governing_view import look, look_back
from demitasse.build.in_force import over
from demitasse.lab.governance.proofs import _guard_on, proven
from demitasse.store.audit import recount, verify
from tests.build.test_app import Site, now_us, say, site

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


def documents(site: Site) -> dict:
    with opened(site.read(), site.home / "data", clock=now_us) as sources:
        view = look_back(sources, window(now_us()), sources.tally.fold())
        return {name: make(view) for name, make in DOCUMENTS.items()}


async def test_each_call_is_held_against_the_list_of_providers_that_was_in_force_when_it_was_made(site: Site) -> None:
    site.write(more='[governance]\nproviders = ["host:127.0.0.1"]\n')
    async with site.app() as app:
        assert (await say(app, "one")).status == 200
        site.write(more='[governance]\nproviders = ["mistral"]\n')  # taken off the list, in good order
        await app.take_up(site.read())
        assert (await say(app, "two")).status == 403
    site.write()  # and whoever makes the pack has no list at all in their file
    found = documents(site)["providers"]
    assert found["called"] == {"host:127.0.0.1": 1}
    assert found["not_approved"] == {} and found["undated"] == 0 and found["without_list"] == []
    assert [one["approved"] for one in found["in_force"]] == [["host:127.0.0.1"], ["mistral"]]
    assert found["approved"] == ["mistral"] and found["refused"]["total"] == 1
    proofs = proven({"providers": found})
    assert proofs["providers_listed"] == (True, "approved: mistral") and proofs["providers_kept"][0]


async def test_a_span_without_a_list_is_told_whatever_the_file_says_afterwards(site: Site) -> None:
    async with site.app() as app:
        await say(app)
        site.write(more='[governance]\nproviders = ["host:127.0.0.1"]\n')
        await app.take_up(site.read())
    found = documents(site)["providers"]
    assert len(found["without_list"]) == 1 and found["approved"] == ["host:127.0.0.1"]
    stands, says = proven({"providers": found})["providers_kept"]
    assert not stands and "any provider could be called" in says


async def test_an_alias_is_taken_for_the_server_that_it_named_when_it_was_asked(site: Site) -> None:
    site.write(more='[governance]\nproviders = ["host:127.0.0.1"]\n')
    async with site.app() as app:
        await say(app)
    site.file.write_text('[models.mock]\nprovider = "openai"\n')
    found = documents(site)["providers"]
    assert found["called"] == {"host:127.0.0.1": 1} and found["not_approved"] == {}


async def test_licences_retention_and_marking_go_by_what_was_in_force(site: Site) -> None:
    site.write(more='[governance]\nprofile = "commercial"\n[keep]\nledger_days = 200\n[audit]\ndisclose = true\n')
    async with site.app() as app:
        await say(app)
    site.write()
    found = documents(site)
    assert found["licences"]["profile"] == "commercial"
    (row,) = [one for one in found["licences"]["rows"] if one["name"] == "mock"]
    assert row["asked_by_profile"] == {"commercial": 1}
    assert found["retention"]["keep_days"] == 200 == found["retention"]["least_days"]
    assert found["retention"]["in_force"][0]["bodies"] == {"kept": False}
    assert found["marking"]["disclosure"] is True
    proofs = proven(found)
    assert proofs["retention"] == (True, "rows are kept 200 days at least")
    async with site.app() as app:
        await say(app, "again")
    found = documents(site)
    assert found["licences"]["profile"] == "research" and found["marking"]["disclosure"] is False
    assert found["retention"]["keep_days"] is None and found["retention"]["least_days"] == 200
    (row,) = [one for one in found["licences"]["rows"] if one["name"] == "mock"]
    assert row["asked_by_profile"] == {"commercial": 1, "research": 1}


async def test_of_two_gateways_on_one_ledger_each_call_counts_under_its_own_configuration(site: Site) -> None:
    site.write(more='[governance]\nprofile = "research"\n')
    async with site.app() as lax:
        site.write(more='[governance]\nprofile = "commercial"\n')
        async with site.app() as strict:
            for app in (lax, strict, lax, lax):
                assert (await say(app, f"{app is lax} {now_us()}")).status == 200
    found = documents(site)
    (row,) = [one for one in found["licences"]["rows"] if one["name"] == "mock"]
    assert row["asked_by_profile"] == {"research": 3, "commercial": 1}
    assert recount(site.home / "data") == []
    assert verify(site.home / "data") == (True, None)


async def test_without_a_word_of_the_ledger_documents_say_that_they_go_by_the_file(site: Site) -> None:
    site.write(more='[governance]\nproviders = ["openai"]\n[keep]\nledger_days = 200\n')
    found = documents(site)
    for name in ("providers", "licences", "retention", "marking"):
        assert found[name]["settings_from"].startswith("the configuration file"), name
        assert found[name]["in_force"] == []
    assert "the ledger does not say" in proven(found)["retention"][1]


def test_what_began_before_a_period_and_went_on_in_it_is_in_force_in_it() -> None:
    events = [(1, {"n": 1}), (5, {"n": 2}), (9, {"n": 3})]
    assert [one.value["n"] for one in over(events, 6, 9)] == [2]
    assert [one.value["n"] for one in over(events, 5, 10)] == [2, 3]
    assert [one.until_us for one in over(events, 0, 10)] == [5, 9, None]


def test_what_another_gateway_still_had_in_force_is_in_force() -> None:
    lax, strict = {"hash": "lax"}, {"hash": "strict"}
    events = [(1, lax), (5, strict)]
    assert [one.value for one in over(events, 6, 20)] == [strict]
    found = over(events, 6, 20, {"lax": 15, "strict": 15, "unknown": 15})
    assert [(one.value, one.until_us) for one in found] == [(lax, 15), (strict, None)]
    assert [one.until_us for one in over(events, 0, 20, {"lax": 4})] == [5, None]
