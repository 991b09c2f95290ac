"""`audit` as a person uses it: verified live and offline, exported, proven, erased, and the key changed."""

from __future__ import annotations

import base64
import json
import sqlite3
from pathlib import Path

import pytest
from cli_month import NOW_US, entry

from demitasse.core.call import Call, Caller
from demitasse.store.bodies import Bodies
from demitasse.store.commitments import Commitments
from demitasse.store.ledger import SqliteLedger
from demitasse.store.master import master_key
from demitasse.store.migrations import FILE
from demitasse.store.receipts import as_header, as_text, receipt
from demitasse.store.secret import server_secret
from demitasse.store.signing import Signer, fingerprint
from demitasse.store.subjects import Subjects

ASKED, ANSWERED = b'{"model":"large","messages":[]}', b'{"choices":[]}'


@pytest.fixture
def key(filled: Path) -> str:
    return fingerprint(Signer(filled).public)


def tamper(data: Path, statement: str) -> None:
    db = sqlite3.connect(data / FILE)
    db.execute(statement)
    db.commit()
    db.close()


def test_a_ledger_is_verified_signed_and_verified_again(run, filled, key):
    first = run("audit", "verify")
    assert "rows are what was written" in first.stdout
    assert "no checkpoint is signed yet" in first.stderr
    note = run("audit", "checkpoint").stdout
    assert note.startswith(f"demitasse/checkpoint/1/{key}\n")
    assert (filled / "checkpoints").read_text() == note
    again = run("audit", "checkpoint", "--json")
    assert json.loads(again.stdout) | {"note": ""} == json.loads(again.stdout) | {"note": "", "new": False, "key": key}
    told = json.loads(run("audit", "verify", "--json").stdout)
    assert (told["valid"], told["checkpoints"], told["rows_since"], told["key"]) == (True, 1, 0, key)
    assert "1 checkpoint fits; 0 rows came after the last" in run("audit", "verify").stdout


def test_the_first_row_that_does_not_fit_is_named_with_exit_status_1(run, filled):
    run("audit", "checkpoint")
    tamper(filled, "UPDATE events SET key = 'other' WHERE seq = 4")
    said = run("audit", "verify", status=1).stdout
    assert "row: row 4 is not what was written; the rows before it are" in said
    told = json.loads(run("audit", "verify", "--json", status=1).stdout)
    assert (told["valid"], told["first_bad_row"]) == (False, 4)


def test_an_export_travels_without_the_ledger(run, filled, key, tmp_path):
    said = run("audit", "export", "books.jsonl")
    assert f"signed by the key {key}" in said.stdout
    away = ("--data", str(tmp_path / "elsewhere"))
    told = run("audit", "verify", "books.jsonl", "--key", key, *away).stdout
    assert "are what was written: they fit the checkpoint of" in told
    assert f"signed by the key {key} (the one you gave)" in told
    assert not (tmp_path / "elsewhere").exists()
    raw = bytearray((tmp_path / "books.jsonl").read_bytes())
    raw[raw.index(b"cost_nanos") + 13] ^= 1
    (tmp_path / "books.jsonl").write_bytes(raw)
    line = raw.count(b"\n", 0, raw.index(b"cost_nanos")) + 1
    said = run("audit", "verify", "books.jsonl", *away, status=1).stdout
    assert f"books.jsonl, line {line}, row {line - 1}: row {line - 1} is not what was written" in said
    assert json.loads(run("audit", "verify", "books.jsonl", "--json", status=1).stdout)["line"] == line
    assert "is no fingerprint" in run("audit", "verify", "books.jsonl", "--key", "xyz", status=2).stderr
    run("audit", "verify", "books.jsonl", "--key", "0" * 16, status=1)


def test_an_export_that_was_cut_off_is_said_to_be_cut_off(run, filled, tmp_path):
    run("audit", "export", "books.jsonl")
    lines = (tmp_path / "books.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "half").write_bytes(b"".join(lines[:3]) + lines[3][:40])
    assert (
        "half, line 4, row 3: the file ends in the middle of row 3: it was cut off"
        in run("audit", "verify", "half", status=1).stdout
    )
    (tmp_path / "whole-lines").write_bytes(b"".join(lines[:3]))
    assert (
        "line 4: the file ends before its trailer: it was cut off"
        in run("audit", "verify", "whole-lines", status=1).stdout
    )
    (tmp_path / "header").write_bytes(lines[0][:70])
    assert "in the middle of the header" in run("audit", "verify", "header", status=1).stdout


def test_a_time_without_rows_leaves_no_file(run, filled, tmp_path):
    assert "no rows in that time" in run("audit", "export", "none.jsonl", "--until", "2020-01-01", status=1).stderr
    assert not list(tmp_path.glob("none*"))


def test_a_file_that_is_none_of_ours_is_told_so(run, filled, tmp_path):
    (tmp_path / "x").write_text("hello")
    assert "line 1: it is no export" in run("audit", "verify", "x", status=1).stdout
    assert "cannot be read" in run("audit", "verify", "none", status=1).stderr
    assert "goes with FILE" in run("audit", "verify", "--text", "x", status=2).stderr


@pytest.fixture
def said(filled: Path) -> str:
    """A call whose texts were committed to; its id."""
    secret = server_secret(filled)
    commitments = Commitments(filled, secret, clock=lambda: NOW_US - 5)
    call = Call("c-said", "c-said", NOW_US, "chat", ASKED, {}, "large", caller=Caller(), person="jane")
    prompt_mac, reply_mac = commitments.of(call, ANSWERED)
    ledger = SqliteLedger.open(filled)
    row = entry("c-said", NOW_US, prompt_mac=prompt_mac, reply_mac=reply_mac, region="eu-central", provider="openai")
    ledger.post(row)
    ledger.close()
    made = receipt(row, bytes(32), commitments.key(call), Signer(filled))
    (filled.parent / "receipt.json").write_bytes(as_text(made))
    (filled.parent / "receipt.txt").write_bytes(as_header(made) + b"\n")
    (filled.parent / "asked").write_bytes(ASKED)
    (filled.parent / "answered").write_bytes(ANSWERED)
    commitments.close()
    return "c-said"


def test_a_call_is_proven_to_whoever_has_nothing_of_the_ledger(run, filled, said, key, tmp_path):
    (tmp_path / "proof.json").write_text(run("audit", "prove", said).stdout)
    away = ("--data", str(tmp_path / "elsewhere"))
    told = run("audit", "verify", "proof.json", "--key", key, *away).stdout
    assert f"call {said} is row" in told
    assert (
        "has no key to hold a text against" in run("audit", "verify", "proof.json", "--text", "asked", status=1).stdout
    )
    proof = json.loads((tmp_path / "proof.json").read_text())
    for change in ({"seq": proof["seq"] - 1}, {"leaf": proof["leaf"].replace("large", "small")}, {"id": "other"}):
        (tmp_path / "bad.json").write_text(json.dumps(proof | change))
        run("audit", "verify", "bad.json", status=1)
    assert "there is no call 'none'" in run("audit", "prove", "none", status=1).stderr


def test_a_ledger_is_proven_to_go_on_from_a_checkpoint_that_somebody_kept(run, filled, key, tmp_path):
    (tmp_path / "kept").write_text(run("audit", "checkpoint").stdout)
    ledger = SqliteLedger.open(filled)
    for n in range(20):
        ledger.post(entry(f"more-{n}", NOW_US))
    ledger.close()
    (tmp_path / "growth.json").write_text(run("audit", "prove", "--from", "kept").stdout)
    away = ("--data", str(tmp_path / "elsewhere"))
    said = run("audit", "verify", "growth.json", "--key", key, *away).stdout
    assert "the ledger of 33 rows goes on from the one of 13" in said
    raw = json.loads((tmp_path / "growth.json").read_text())
    for change in ({"path": raw["path"][:-1]}, {"second": raw["first"]}, {"first": raw["second"]}):
        (tmp_path / "bad.json").write_text(json.dumps(raw | change))
        run("audit", "verify", "bad.json", status=1)
    tamper(filled, "UPDATE events SET leaf = CAST(CAST(leaf AS TEXT) || ' ' AS BLOB) WHERE seq = 9")
    assert "does not go on from" in run("audit", "prove", "--from", "kept", status=1).stderr
    run("audit", "prove", status=2)


def test_a_text_is_proven_to_be_the_calls_and_no_other_is(run, filled, said, tmp_path):
    (tmp_path / "proof.json").write_text(run("audit", "prove", "--text", "asked", said).stdout)
    away = ("--data", str(tmp_path / "elsewhere"))
    assert (
        "the text is its prompt, to the last byte"
        in run("audit", "verify", "proof.json", "--text", "asked", *away).stdout
    )
    assert "the text is its reply" in run("audit", "verify", "proof.json", "--text", "answered", *away).stdout
    (tmp_path / "asked").write_bytes(ASKED + b"\n")
    assert "the text is neither" in run("audit", "verify", "proof.json", "--text", "asked", status=1).stdout
    assert "is neither what call" in run("audit", "prove", "--text", "asked", said, status=1).stderr


@pytest.mark.parametrize("file", ["receipt.json", "receipt.txt"])
def test_a_receipt_is_checked_offline(run, filled, said, key, file, tmp_path):
    away = ("--data", str(tmp_path / "elsewhere"))
    told = run("audit", "verify", file, "--key", key, "--text", "answered", *away).stdout
    assert "answered by" in told
    assert "in eu-central" in told
    assert "the text is its reply" in told
    raw = (tmp_path / "receipt.json").read_bytes().replace(b"eu-central", b"us-central")
    (tmp_path / "receipt.json").write_bytes(raw)
    assert "was changed after it was signed" in run("audit", "verify", "receipt.json", status=1).stdout


def test_checkpoints_alone_are_checked_for_their_signatures(run, filled, tmp_path):
    run("audit", "checkpoint")
    file = str(filled / "checkpoints")
    assert "1 checkpoints are what was signed" in run("audit", "verify", file).stdout
    text = (filled / "checkpoints").read_text()
    (tmp_path / "bad").write_text(text.replace("time 1", "time 2"))
    assert "it is not what was signed" in run("audit", "verify", "bad", status=1).stdout


def test_a_ledger_that_was_cut_short_is_held_against_a_copy_of_its_checkpoints(run, filled, tmp_path):
    run("audit", "checkpoint")
    (filled / "checkpoints").rename(tmp_path / "copy")
    tamper(filled, "DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)")
    tamper(filled, "DELETE FROM checkpoints")
    said = run("audit", "verify", "--checkpoints", "copy", status=1).stdout
    assert "(copy, line 1) covers rows that are gone" in said
    assert "there is no such file" in run("audit", "verify", "--checkpoints", "none", status=1).stderr


def test_a_person_is_erased_and_what_was_proven_of_them_no_more(run, filled, said, tmp_path):
    names = Subjects(server_secret(filled))
    jane = names.person("local", "jane")
    bodies = Bodies(filled, b"k" * 32)
    bodies.put("c-said", jane.name, ASKED, NOW_US * 2, tenant=jane.tenant, now_us=NOW_US - 5)
    assert json.loads(run("audit", "erase", "nobody", "--yes", "--json").stdout) == {
        "subjects": 0,
        "texts": 0,
        "runs": [],
    }
    assert "1 texts of 'jane' are gone" in run("audit", "erase", "jane", "--yes").stdout
    assert bodies.get("c-said") is None
    assert "has been erased" in run("audit", "prove", "--text", "asked", said, status=1).stderr
    assert json.loads(run("audit", "verify", "--json").stdout)["valid"]
    bodies.close()
    db = sqlite3.connect(filled / FILE)
    assert [id for (id,) in db.execute("SELECT id FROM events WHERE kind = 'erased'")] == [jane.name]
    db.close()
    said = run("audit", "erase", "jane", "--yes").stdout
    assert "no request that is known here named 'jane' as its person (safety_identifier, user or" in said
    assert "nothing was erased; mentions of them in the texts of others are not found by this" in said
    assert "name a PERSON" in run("audit", "erase", status=2).stderr


def test_nobody_is_erased_from_a_pipe_that_did_not_say_yes(run, filled):
    names = Subjects(server_secret(filled))
    bodies = Bodies(filled, b"k" * 32)
    jane = names.person("local", "jane")
    bodies.put("c-said", jane.name, ASKED, NOW_US * 2, tenant=jane.tenant, now_us=NOW_US - 5)
    for typed in ("n\n", "y\n", ""):
        assert "say --yes" in run("audit", "erase", "jane", status=2, input=typed).stderr
    assert bodies.get("c-said") == ASKED
    bodies.close()


def test_a_tenant_is_erased_with_what_an_older_version_kept_under_its_plain_name(run, filled):
    bodies = Bodies(filled, b"k" * 32)
    bodies.put("r1", "team:a", ASKED, NOW_US * 2)
    told = json.loads(run("audit", "erase", "--tenant", "team:a", "--yes", "--json").stdout)
    assert told["texts"] == 1
    assert bodies.get("r1") is None
    bodies.close()
    db = sqlite3.connect(filled / FILE)
    leaves = b"".join(leaf for (leaf,) in db.execute("SELECT leaf FROM events WHERE kind = 'erased'"))
    assert b"team:a" not in leaves
    db.close()


def test_the_master_key_is_changed_in_its_file_and_to_another_place(run, filled, tmp_path):
    (tmp_path / "demitasse.toml").write_text('[keep]\nbodies = true\nmaster_key_file = "keys/master"\n')
    config = ("--config", str(tmp_path / "demitasse.toml"))
    file = tmp_path / "keys" / "master"
    bodies = Bodies(filled, master_key(file=file, data=filled))
    bodies.put("r1", "who", ASKED, NOW_US * 2)
    bodies.close()
    before = file.read_bytes()
    assert "1 data keys are wrapped under a new master key" in run("audit", "rekey", *config).stdout
    assert file.read_bytes() != before
    told = json.loads(
        run("audit", "rekey", "--to-file", "other/master", "--json", "--why", "a disk was lost", *config).stdout
    )
    assert told["keys"] == 1
    assert "the master key was changed 2 times, the last on" in run("audit", "verify").stderr
    assert ": a disk was lost" in run("audit", "verify").stderr
    again = Bodies(filled, base64.b64decode((tmp_path / "other" / "master").read_text()))
    assert again.get("r1") == ASKED
    again.close()
    assert "is not set" in run("audit", "rekey", "--to-env", "NO_SUCH", *config, status=1).stderr
    run("audit", "rekey", "--to-env", "A", "--to-file", "b", *config, status=2)


def test_without_a_ledger_every_command_says_so(run):
    for words in (("verify",), ("checkpoint",), ("export", "x.jsonl"), ("prove", "c1")):
        assert "there is no ledger in" in run("audit", *words, status=1).stderr
