"""Who may see and who may press."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from demitasse.web import guard
from demitasse.web.app import PAGES

from . import fakes
from .conftest import Visitor


def log_in(site, key, **headers):
    return site.send(
        "POST",
        "/login",
        {"content-type": "application/x-www-form-urlencoded", **headers},
        urlencode({"key": key, "back": "/ledger"}).encode(),
    )


def test_no_post_passes_without_the_pages_own_token(full):
    for token in ("", "0" * 32, "ä"):
        full.token = token or "x"
        answer = full.press("/cache/clear", csrf=token)
        assert answer.status == 403
    assert full.control.done == []


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8080"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_foreign_page_cannot_press_a_button_even_with_the_token(full, headers):
    assert full.press("/cache/clear", headers).status == 403
    assert full.control.done == []


def test_a_form_of_another_kind_or_size_is_refused(full):
    full.get("/budgets")
    assert full.press("/cache/clear", {"content-type": "text/plain"}).status == 415
    assert full.press("/cache/clear", more="x" * 70_000).status == 413
    assert full.control.done == []


def test_a_token_of_one_visitor_is_not_anothers():
    one, other = fakes.FakeLogin().by_token.values()
    assert guard.csrf_token(b"s" * 32, one) != guard.csrf_token(b"s" * 32, other)


@pytest.mark.parametrize("path", [*(p.path for p in PAGES), "/components", "/ledger/c1"])
def test_beyond_loopback_every_page_wants_a_login(guarded, path):
    answer = guarded.get(path)
    assert (answer.status, answer.headers["location"].startswith("/login")) == (303, True)
    assert guarded.get(path, accept="application/json").status == 401


def test_the_stream_and_the_buttons_want_it_too(guarded):
    assert guarded.get("/parts/live").status == guarded.get("/parts/figures").status == 401
    guarded.token = "x"
    assert guarded.press("/cache/clear").headers["location"] == "/login"
    assert guarded.control.done == []


def test_a_login_sets_a_cookie_that_scripts_and_other_sites_cannot_use(guarded):
    answer = log_in(guarded, "dmt_a_admin")
    assert (answer.status, answer.headers["location"]) == (303, "/ledger")
    cookie = answer.set_cookies[0].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "dmt_a_admin" not in cookie
    assert guarded.get("/").status == 200


def test_over_https_the_cookie_is_for_https_only():
    login = fakes.FakeLogin()
    login.secure = True
    books, control, facts = fakes.full_site(login=login)
    assert "secure" in log_in(Visitor(books, control, **facts), "dmt_a_admin").set_cookies[0].lower()


def test_a_reader_sees_the_books_and_changes_nothing(guarded):
    log_in(guarded, "dmt_r_read")
    html = guarded.get("/budgets").text
    assert "/keys/create" not in html
    assert "/budgets/set" not in html
    assert guarded.press("/cache/clear").status == 403
    assert guarded.control.done == []


def test_an_admin_changes_things(guarded):
    log_in(guarded, "dmt_a_admin")
    assert guarded.press("/cache/clear").status == 303
    assert guarded.control.done == [("clear_cache",)]


def test_a_revoked_key_ends_its_session_at_once():
    login = fakes.FakeLogin()
    books, control, facts = fakes.full_site(login=login)
    site = Visitor(books, control, **facts)
    log_in(site, "dmt_a_admin")
    assert site.get("/").status == 200
    login.gone.add("a")
    assert site.get("/").status == 303


def test_a_session_ends_after_twelve_hours():
    now = [fakes.NOW_US]
    books, control, facts = fakes.full_site(login=fakes.FakeLogin(), clock=lambda: now[0])
    site = Visitor(books, control, **facts)
    log_in(site, "dmt_r_read")
    assert site.get("/").status == 200
    now[0] += guard.SESSION_US
    assert site.get("/").status == 303


def test_a_cookie_that_was_tampered_with_is_no_cookie(guarded):
    log_in(guarded, "dmt_r_read")
    good = guarded.cookies[guard.SESSION]
    forged = guard.seal(b"other secret", "session", guard.Session("a", 2**60))
    for bad in (good[:-1] + ("0" if good[-1] != "0" else "1"), forged, "", ".", "x.y", "x.ä", good.replace(".", "")):
        guarded.cookies[guard.SESSION] = bad
        assert guarded.get("/").status == 303


def test_a_cookie_sealed_for_one_purpose_is_none_for_another():
    sealed = guard.seal(b"s", "done", guard.Session("a", 2**60))
    assert guard.unseal(b"s", "session", sealed, guard.Session) is None
    assert guard.unseal(b"s", "done", sealed, guard.Session) == guard.Session("a", 2**60)


def test_the_sixth_wrong_key_in_a_minute_has_to_wait():
    now = [fakes.NOW_US]
    books, control, facts = fakes.full_site(login=fakes.FakeLogin(), clock=lambda: now[0])
    site = Visitor(books, control, **facts)
    assert [log_in(site, "dmt_wrong").status for _ in range(5)] == [401] * 5
    answer = log_in(site, "dmt_wrong_again")
    assert (answer.status, answer.headers["retry-after"]) == (429, "60")
    now[0] += 60_000_000
    assert log_in(site, "dmt_wrong").status == 401


def test_a_good_key_enters_however_many_wrong_ones_came_from_its_address(guarded):
    for n in range(70):
        log_in(guarded, f"dmt_wrong{n}")
    assert log_in(guarded, "dmt_wrong").status == 429
    assert log_in(guarded, "dmt_a_admin").status == 303


def test_many_addresses_together_have_to_wait_too():
    attempts = guard.Attempts(each=5, all=8)
    for i in range(8):
        assert attempts.wait_s(f"10.0.0.{i}", i) == 0
        attempts.fail(f"10.0.0.{i}", i)
    assert attempts.wait_s("10.0.9.9", 8) == 60


def test_a_login_from_another_site_is_refused(guarded):
    assert log_in(guarded, "dmt_a_admin", origin="https://evil.example").status == 403


def test_a_login_leads_back_only_to_this_site(guarded):
    form = urlencode({"key": "dmt_a_admin", "back": "//evil.example"}).encode()
    answer = guarded.send("POST", "/login", {"content-type": "application/x-www-form-urlencoded"}, form)
    assert answer.headers["location"] == "/"


def test_logging_out_forgets_the_session(guarded):
    log_in(guarded, "dmt_a_admin")
    guarded.get("/")
    assert guarded.press("/logout").headers["location"] == "/login"
    assert guarded.get("/").status == 303
