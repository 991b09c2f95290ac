"""The chain says who ran a command that changed something."""

from __future__ import annotations

import json
import sqlite3

import pytest

from demitasse.cli.ground import user
from demitasse.store.audit import recount, verify
from demitasse.store.migrations import FILE
from demitasse.store.settings import Settings


def last(data, id: str):
    with sqlite3.connect(data / FILE) as db:
        row = db.execute("SELECT leaf FROM events WHERE id LIKE ? ORDER BY seq DESC LIMIT 1", (id,)).fetchone()
    return json.loads(row[0])


def test_every_change_by_a_command_names_the_systems_user(filled, run):
    by = f"command:{user()}"
    env = {"USER": "somebody-else"}
    for words, id in (
        (("keys", "create", "app"), "key:%"),
        (("keys", "rotate", "app"), "key:%"),
        (("keys", "pause", "app"), "key:%"),
        (("keys", "revoke", "app"), "key:%"),
        (("budgets", "set", "day", "5/day"), "budget:day"),
        (("budgets", "remove", "day"), "budget:day"),
    ):
        run(*words, env=env)
        assert last(filled, id)["by"] == by, words
    assert verify(filled) == (True, None)
    assert recount(filled) == []


def test_a_licence_that_is_taken_back_says_by_whom_and_why(filled, run):
    run("licences", "accept", "mine", "--why", "asked its author", "--by", "ada", "--anyway")
    assert last(filled, "setting:governance.accepted")["by"] == f"command:{user()}"
    run("licences", "undo", "mine", "--why", "the author said no", "--by", "bea")
    event = last(filled, "setting:governance.accepted")
    assert event["undone"] == {"name": "mine", "who": "bea", "why": "the author said no"}
    assert event["by"] == f"command:{user()}"


def test_an_erasure_says_by_whom_for_whom_and_why_in_chain_and_verify(filled, run):
    by = f"command:{user()}"
    told = run(
        "audit", "erase", "--tenant", "app", "--yes", "--by", "dpo", "--why", "request 17 of 2026", "--json"
    ).stdout
    assert {name: json.loads(told)[name] for name in ("by", "who", "why")} == {
        "by": by, "who": "dpo", "why": "request 17 of 2026"
    }  # fmt: skip
    with sqlite3.connect(filled / FILE) as db:
        (leaf,) = db.execute("SELECT leaf FROM events WHERE kind = 'erased'").fetchone()
    event = json.loads(leaf)
    assert (event["by"], event["who"], event["why"]) == (by, "dpo", "request 17 of 2026")
    said = run("audit", "verify").stderr
    assert "texts were made unreadable once, on" in said and f"by {by} for dpo: request 17 of 2026" in said
    assert verify(filled) == (True, None)
    assert recount(filled) == []


def test_without_a_name_an_erasure_is_the_systems_users(filled, run):
    run("audit", "erase", "--tenant", "app", "--yes")
    with sqlite3.connect(filled / FILE) as db:
        event = json.loads(db.execute("SELECT leaf FROM events WHERE kind = 'erased'").fetchone()[0])
    assert event["by"] == f"command:{user()}" and "who" not in event and "why" not in event


def test_the_reason_may_not_keep_the_name_that_is_to_go(filled, run):
    said = run("audit", "erase", "jane", "--yes", "--why", "Jane asked for it", status=2).stderr
    assert "would stay in the chain for good" in said
    assert "300 are kept" in run("audit", "erase", "jane", "--yes", "--by", "x" * 301, status=2).stderr


def test_a_restored_ledger_says_who_laid_it_there(filled, run, tmp_path):
    run("backup", str(tmp_path / "copy"))
    run("restore", str(tmp_path / "copy"), "--why", "the disk was gone")
    event = last(filled, "ledger:restored")
    assert (event["by"], event["why"]) == (f"command:{user()}", "the disk was gone")
    assert recount(filled) == []


@pytest.mark.parametrize("text", ["\x1b]0;own\x07", "a\u202eb", "a\u200bb", "\x9b2J"])
def test_what_would_steer_a_terminal_is_refused_before_it_is_kept(filled, run, text):
    for option in ("--by", "--why"):
        words = ("audit", "erase", "--tenant", "app", "--yes", option, text)
        assert "characters that nobody sees" in run(*words, status=2).stderr
    assert "characters that nobody sees" in run("guard", "reject", "0a1b2c3d4e", "--why", text, status=2).stderr
    words = ("licences", "accept", "mine", "--anyway", "--why", "read it")
    assert "characters that nobody sees" in run(*words, "--by", text, status=2).stderr
    assert "characters that nobody sees" in run(*words, "--why", text, status=2).stderr
    with sqlite3.connect(filled / FILE) as db:
        assert db.execute("SELECT count(*) FROM events WHERE kind = 'erased'").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM events WHERE id LIKE 'setting:governance%'").fetchone() == (0,)


def test_what_an_older_version_kept_is_written_out(filled, run):
    settings = Settings(filled, clock=lambda: 1_795_262_400_000_000)
    settings.tell("master_key", "wrapped", {"who": "\x1b]0;own\x07", "why": "a\u202eb", "keys": 1})
    settings.close()
    said = run("audit", "verify")
    assert "for \\u001b]0;own\\u0007: a\\u202eb" in said.stderr
    assert not {"\x1b", "\x07", "\u202e"} & set(said.stdout + said.stderr)
