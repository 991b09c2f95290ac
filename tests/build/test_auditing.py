"""The audit log of a whole gateway: commitments and receipts for real calls, checkpoints as it goes, erasures that it follows."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3

import msgspec
import pytest

from demitasse.build.app import App
from demitasse.build.erasing import erase
from demitasse.core.entry import Entry
from demitasse.core.limits import Key
from demitasse.gateway.keys import mac
from demitasse.lab.evals.result import FOLDER as EVALUATIONS
from demitasse.store import bodies, checkpoints, receipts
from demitasse.store.examine import examine
from demitasse.store.ledger import SqliteLedger
from demitasse.store.secret import server_secret
from demitasse.store.segments import ROWS
from demitasse.store.signing import Signer, fingerprint
from demitasse.testing import MockUpstream
from tests.build.test_app import Site, now_us, say
from tests.story.asgi import ask, chat, until

DAY_US = 86_400_000_000
KEEP = "[keep]\nbodies = true\nmaster_key_env = 'DEMITASSE_TEST_MASTER'\n"
PERSON = "jane@example.com"


@pytest.fixture
async def site(tmp_path, monkeypatch):
    monkeypatch.setenv("DEMITASSE_TEST_MASTER", base64.b64encode(b"k" * 32).decode())
    async with MockUpstream(keep=True) as up:
        site = Site(tmp_path, up)
        site.write(KEEP)
        yield site


def own(site) -> bytes:
    return Signer(site.home / "data").public


async def receipt_of(app, answer, headers=None):
    path = f"/demitasse/calls/{answer.headers['x-request-id']}/receipt"
    return await ask(app.gateway, b"", path=path, method="GET", headers=headers)


async def test_a_receipt_in_the_answer_proves_question_answer_and_model(site) -> None:
    async with site.app() as app:
        body = json.dumps(chat("Say hello.", model="mock", user=PERSON)).encode()
        answer = await ask(app.gateway, body, headers={"x-demitasse-receipt": "1"})
        found = receipts.verify(answer.headers["x-demitasse-receipt"].encode(), own=own(site))
        assert found.valid
        assert found.own
        assert found.receipt.id == answer.headers["x-request-id"]
        assert (found.receipt.model, found.receipt.provider, found.receipt.route) == ("mock", "openai", "mock")
        raw = answer.headers["x-demitasse-receipt"].encode()
        assert receipts.verify(raw, text=body).text == "prompt"
        assert receipts.verify(raw, text=answer.body).text == "reply"
        assert "neither what was asked" in receipts.verify(raw, text=body + b" ").why
        later = await receipt_of(app, answer)
        assert receipts.read(later.body) == receipts.read(raw), "the books give the same one at any time"
        assert app.books.place(found.receipt.id)[1] == found.receipt.leaf_hash


async def test_a_stream_has_no_receipt_in_its_head_and_one_in_the_books(site) -> None:
    async with site.app() as app:
        answer = await say(app, stream=True, headers={"x-demitasse-receipt": "1"})
        assert "x-demitasse-receipt" not in answer.headers
        found = receipts.verify((await receipt_of(app, answer)).body)
        assert found.valid
        assert found.receipt.reply_mac is not None


async def test_who_did_not_ask_gets_none_and_no_flag(site) -> None:
    async with site.app() as app:
        answer = await say(app)
        assert not {"x-demitasse-receipt", "x-demitasse-ai"} & set(answer.headers)
        assert (await ask(app.gateway, b"", path="/demitasse/calls/none/receipt", method="GET")).status == 404


async def test_disclosure_is_a_header_on_every_answer_and_on_no_refusal(site) -> None:
    site.write(KEEP + "[audit]\ndisclose = true\n")
    async with site.app() as app:
        assert (await say(app)).headers["x-demitasse-ai"] == "generated"
        assert (await say(app, stream=True)).headers["x-demitasse-ai"] == "generated"
        assert "x-demitasse-ai" not in (await say(app, model="none")).headers


async def test_a_receipt_of_anothers_call_is_for_who_may_read_and_opens_no_text_to_them(site) -> None:
    site.write("[server]\nbehind_proxy = true\n" + KEEP)
    async with site.app() as app:
        secret = server_secret(site.home / "data")
        for name, scopes in (("mine", ("call",)), ("other", ("call",)), ("auditor", ("read", "audit"))):
            token = f"dmt_{name}"
            app.ledger.add_key(Key(id=name, name=name, mac=mac(secret, token.encode()), created_us=1, scopes=scopes))
        await asyncio.sleep(0)
        answer = await say(app, headers={"authorization": "Bearer dmt_mine"})
        assert answer.status == 200
        assert (await receipt_of(app, answer, {"authorization": "Bearer dmt_other"})).status == 404
        read = await receipt_of(app, answer, {"authorization": "Bearer dmt_auditor"})
        assert receipts.verify(read.body).valid
        assert receipts.read(read.body).mac_key is None
        assert receipts.read((await receipt_of(app, answer, {"authorization": "Bearer dmt_mine"})).body).mac_key


async def test_every_outcome_commits_to_what_was_sent(site) -> None:
    async with site.app() as app:
        await say(app)
        await say(app)  # from the cache
        await say(app, model="none")  # refused
        site.up.key = "wanted"
        await say(app, "Say something else.")  # failed
        rows = [entry for _, entry in app.books.entries(last=10)]
    assert {entry.outcome for entry in rows} == {"answered", "refused", "failed"}
    assert all(entry.prompt_mac for entry in rows)
    assert [bool(entry.reply_mac) for entry in rows] == [entry.outcome == "answered" for entry in rows]
    assert len({entry.prompt_mac for entry in rows}) == 4, "the same text of two calls commits to two values"


async def test_a_gateway_signs_at_its_start_and_at_its_end(site) -> None:
    data = site.home / "data"
    async with site.app() as app:
        await say(app)
    report = examine(data)
    assert report.valid
    assert report.rows_since == 0
    (first, last), _ = checkpoints.read_file(data / checkpoints.FILE)
    assert first.checkpoint.size < last.checkpoint.size == report.rows
    assert last.checkpoint.key == fingerprint(own(site))


async def test_it_signs_as_rows_come(site, monkeypatch) -> None:
    monkeypatch.setattr("demitasse.build.auditing.TICK_S", 0.02)
    site.write("[audit]\ncheckpoint_rows = 2\n")
    file = site.home / "data" / checkpoints.FILE
    async with site.app() as app:
        begun = len(checkpoints.read_file(file)[0])
        await say(app)
        async with asyncio.timeout(20):
            while len(checkpoints.read_file(file)[0]) == begun:
                await asyncio.sleep(0.02)


async def test_a_ledger_that_does_not_go_on_from_what_was_signed_is_told_and_served_all_the_same(site) -> None:
    async with site.app() as app:
        await say(app)
    db = sqlite3.connect(site.home / "data" / "ledger.sqlite3")
    db.execute(
        "UPDATE events SET leaf = CAST(replace(CAST(leaf AS TEXT), 'default', 'default_') AS BLOB) WHERE seq = 1"
    )
    db.commit()
    db.close()
    async with site.app() as app:
        assert (await say(app, "And now?")).status == 200
        alerts = {}
        async with asyncio.timeout(20):
            while "audit" not in alerts:
                await asyncio.sleep(0.02)
                alerts = {alert.kind: alert for alert in app.books.alerts()}
        assert "does not go on from its checkpoint" in alerts["audit"].message


async def test_an_erased_persons_words_are_gone_from_disk_and_from_memory(site, monkeypatch) -> None:
    monkeypatch.setattr("demitasse.build.auditing.TICK_S", 0.02)
    data = site.home / "data"
    async with site.app() as app:
        first = await say(app, "Something about me.", user=PERSON)
        other = await say(app, "Something about others.", user="joe")
        assert (await say(app, "Something about me.", user=PERSON)).headers["x-demitasse-cache"] == "exact"
        await asyncio.to_thread(app._keeper._thread.submit(lambda: None).result)
        ids = [answer.headers["x-request-id"] for answer in (first, other)]
        assert all(app._keeper.recording(id) for id in ids)
        copy = (data / bodies.FILE).read_bytes(), (data / (bodies.FILE + "-wal")).read_bytes()
        run_on_calls(data, "run-of-hers", ids[0])
        run_on_calls(data, "run-of-others", ids[1])
        done = await asyncio.to_thread(erase, data, server_secret(data), now_us(), person=PERSON, tenant=None)
        assert done.subjects == 1
        assert done.texts >= 1
        assert done.runs == ("run-of-hers",)
        assert sorted(p.name for p in (data / EVALUATIONS).iterdir()) == ["run-of-others"]
        assert app._keeper.recording(ids[0]) is None
        assert app._keeper.recording(ids[1]) is not None
        assert receipts.read((await receipt_of(app, first)).body).mac_key is None
        assert receipts.read((await receipt_of(app, other)).body).mac_key
        async with asyncio.timeout(20):
            while app.gateway.steps.cache.stats()["entries"]:
                await asyncio.sleep(0.02)
        assert (await say(app, "Something about me.", user=PERSON)).headers["x-demitasse-cache"] == "miss"
    assert examine(data).valid
    chain = sqlite3.connect(data / "ledger.sqlite3").execute("SELECT leaf FROM events WHERE kind = 'erased'").fetchall()
    assert len(chain) == 1
    assert PERSON.encode() not in b"".join(leaf for (leaf,) in chain)
    # A copy of the bodies from before, laid back in their place:
    (data / bodies.FILE).write_bytes(copy[0])
    (data / (bodies.FILE + "-wal")).write_bytes(copy[1])
    (data / (bodies.FILE + "-shm")).unlink(missing_ok=True)
    async with site.app() as app:
        assert app._keeper.recording(ids[0]) is None
        assert app._keeper.recording(ids[1]) is not None


def run_on_calls(data, name: str, id: str) -> None:
    folder = data / EVALUATIONS / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"task": "ledger:mock", "source": "ledger:mock"}))
    (folder / "rows.jsonl").write_text(json.dumps({"sample": id, "score": {}, "text": "words"}) + "\n")


async def test_no_name_of_a_person_is_written_anywhere(site) -> None:
    data = site.home / "data"
    async with site.app() as app:
        for field in ({"user": PERSON}, {"safety_identifier": PERSON}, {"metadata": {"user_id": PERSON}}):
            assert (await say(app, **field)).status == 200
    for file in data.rglob("*"):
        if file.is_file():
            assert PERSON.encode() not in file.read_bytes(), file


async def test_one_person_is_the_same_by_each_of_the_three_names_and_another_at_another_tenant(site) -> None:
    async with site.app() as app:
        names = app._auditing._commitments.subjects
        assert names.person("a", PERSON) == names.person("a", PERSON) != names.person("b", PERSON)
        assert names.person("a", PERSON).tenant == names.tenant("a").name
        for field in ({"user": PERSON}, {"safety_identifier": PERSON, "user": "x"}, {"metadata": {"user_id": PERSON}}):
            await say(app, **field)
        await asyncio.to_thread(app._keeper._thread.submit(lambda: None).result)
        db = sqlite3.connect(site.home / "data" / "subjects.sqlite3")
        assert db.execute("SELECT DISTINCT subject FROM salts").fetchall() == [(names.person("local", PERSON).name,)]
        assert db.execute("SELECT DISTINCT subject FROM subjects").fetchall() == [(names.person("local", PERSON).name,)]


async def test_a_receipt_that_was_changed_or_read_as_something_else_is_none(site) -> None:
    async with site.app() as app:
        answer = await say(app, headers={"x-demitasse-receipt": "1"})
        raw = receipts.as_text(receipts.read(answer.headers["x-demitasse-receipt"].encode()))
    for at in range(len(raw)):
        for bit in (0, 3, 6):
            spoilt = bytearray(raw)
            spoilt[at] ^= 1 << bit
            assert not receipts.verify(bytes(spoilt)).valid, (at, bit)
    told = msgspec.json.decode(raw)
    assert not receipts.verify(msgspec.json.encode(told | {"more": 1})).valid
    assert receipts.verify(msgspec.json.format(raw, indent=2)).valid, "however it is laid out"


async def test_rows_that_were_over_before_the_setting_was_made_are_told_first_and_stay(site, monkeypatch) -> None:
    """A ledger of years, never exported: somebody sets how long rows are kept, and starts the gateway."""
    data, old_us = site.home / "data", now_us() - 400 * DAY_US
    ledger = SqliteLedger.open(data)
    for n in range(2 * ROWS):
        ledger.post(Entry(f"old-{n}", old_us + n, "local", "chat", "auto", "answered"))
    ledger.close()
    site.write(KEEP + "ledger_days = 183\n")
    monkeypatch.setattr("demitasse.build.auditing.TICK_S", 0.01)
    ticks = [0.0]
    monkeypatch.setattr("demitasse.build.auditing.monotonic", lambda: ticks[0])

    def old(app: App) -> int:
        return sum(app.books.entry(f"old-{n}") is not None for n in (0, ROWS, 2 * ROWS - 1))

    async with site.app() as app:
        await until(app.books.alerts)
        (alert,) = app.books.alerts()
        assert alert.kind == "audit" and f"up to {2 * ROWS:,}) go in 7 days" in alert.message
        ticks[0] += 6 * 86_400
        await asyncio.sleep(0.2)
        assert old(app) == 3
    async with site.app() as app:
        ticks[0] += 3600
        await asyncio.sleep(0.2)
        assert old(app) == 3
