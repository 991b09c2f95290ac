"""The chain says who ran a command that changed something."""

from __future__ import annotations

import json
import sqlite3

from demitasse.cli.ground import user
from demitasse.store.audit import recount, verify
from demitasse.store.migrations import FILE


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
