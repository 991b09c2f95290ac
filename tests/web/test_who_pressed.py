"""The chain says who pressed a button: the key that somebody logged in with, or this machine."""

from __future__ import annotations

import json
import sqlite3
from urllib.parse import urlencode

import pytest

from demitasse.build.control import StoreControl
from demitasse.core.limits import Alert
from demitasse.store.ledger import SqliteLedger
from demitasse.store.migrations import FILE
from demitasse.web.facts import Visitor as Who

from . import fakes
from .conftest import Visitor


@pytest.fixture
def ledger(tmp_path):
    ledger = SqliteLedger.open(tmp_path)
    ledger.raise_alert(Alert("a1", 1, "loop_detected", "app", "it turns"))
    yield ledger
    ledger.close()


def said(ledger: SqliteLedger) -> list[tuple[str, str | None]]:
    with sqlite3.connect(ledger.data / FILE) as db:
        rows = db.execute("SELECT id, leaf FROM events WHERE kind IN ('changed', 'alerted') ORDER BY seq").fetchall()
    return [(id.split(":")[0], json.loads(leaf).get("by")) for id, leaf in rows]


def press_all(site: Visitor) -> None:
    site.get("/budgets")
    site.press("/budgets/set", name="default", amount="5")
    site.press("/alerts/resolve", alert="a1")
    site.press("/keys/create", name="app", scope="call")


@pytest.mark.parametrize("logged_in", [True, False])
def test_a_button_bears_the_name_of_who_pressed_it(ledger: SqliteLedger, logged_in: bool) -> None:
    login = fakes.FakeLogin() if logged_in else None
    books, _, facts = fakes.full_site(login=login) if login else fakes.full_site()
    control = StoreControl(ledger, b"s" * 32, lambda: None, None)  # type: ignore[arg-type,return-value]
    site = Visitor(books, control, **facts)
    if login is not None:
        login.by_token["dmt_x_secret"] = Who("x", "ada", admin=True, scopes=("admin",))
        form = urlencode({"key": "dmt_x_secret", "back": "/"}).encode()
        site.send("POST", "/login", {"content-type": "application/x-www-form-urlencoded"}, form)
    press_all(site)
    by = "key:ada" if logged_in else "loopback"
    assert said(ledger) == [("a1", None), ("budget", by), ("a1", by), ("key", by)]
    ledger.set_setting("own", 1)
    assert said(ledger)[-1] == ("setting", None)
