"""What a `Host` header says never becomes part of an address of ours (starlette before 1.3.1: CVE-2026-48710, CVE-2026-54282)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.requests import HTTPConnection


@pytest.mark.parametrize(
    "host", ["a.test/login?x=", "a.test/elsewhere#", "a.test/elsewhere?", "user@a.test/x", "a.test:80/x"]
)
def test_who_must_log_in_first_comes_back_to_what_was_asked_for(guarded, host):
    answer = guarded.send("GET", "/ledger?last=5", {"host": host})
    to = urlsplit(answer.headers["location"])
    assert (answer.status, to.netloc, to.path) == (303, "", "/login")
    assert parse_qs(to.query) == {"back": ["/ledger?last=5"]}


def test_no_page_asks_for_an_address_that_the_client_named(full, guarded, monkeypatch):
    def never(_request):
        raise AssertionError("put together with the Host header")

    full.get("/budgets")
    monkeypatch.setattr(HTTPConnection, "url", property(never))
    assert guarded.get("/ledger?last=5").status == 303
    assert "there is no page /nowhere;" in full.get("/nowhere").text
    assert full.get("/ledger?last=5").status == 200
    assert full.press("/alerts/resolve", alert="a", back="/watch").status == 303
