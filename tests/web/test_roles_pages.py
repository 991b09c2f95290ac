"""The table of scopes against every page and form: what a role may not press is not drawn, and refused when pressed all the same."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from demitasse.core import access
from demitasse.web import actions
from demitasse.web.app import PAGES, dashboard
from demitasse.web.desk import Desk
from demitasse.web.facts import Visitor as Who

from . import fakes
from .conftest import Visitor

SITE = fakes.full_site()
ROUTES = [
    (method, route.path) for route in dashboard(Desk(SITE[0], SITE[1], **SITE[2])).routes for method in route.methods
]
SHOWN = [page.path for page in PAGES] + [f"/ledger/{SITE[0].rows[-1].id}", "/frontier", "/evaluations/compare"]
LOOKING = [role for role, scopes in access.ROLES.items() if access.may(scopes, "read")]


def logged_in(*scopes: str) -> Visitor:
    login = fakes.FakeLogin()
    login.by_token["dmt_x_secret"] = Who("x", "somebody", admin="admin" in scopes, scopes=scopes)
    books, control, facts = fakes.full_site(login=login)
    site = Visitor(books, control, **facts)
    form = urlencode({"key": "dmt_x_secret", "back": "/"}).encode()
    site.send("POST", "/login", {"content-type": "application/x-www-form-urlencoded"}, form)
    return site


def test_every_route_has_a_row_of_its_own() -> None:
    missing = {f"{m} {path}" for m, path in ROUTES if m != "HEAD" and access.row(m, path) is None}
    assert missing == set(), "a new page or form needs its row in core/access.py"


def test_no_row_speaks_of_a_page_that_is_not_there() -> None:
    paths = {path for _, path in ROUTES}
    rows = {
        row
        for row in access.PATHS
        if not re.match(r"\w+ /(v1|demitasse|metrics|healthz|readyz|chat|completions|embeddings|models$)", row)
    }
    gone = {row for row in rows if not any(row == access.row(method, path) for method, path in ROUTES)}
    assert gone == set()
    assert paths


@pytest.mark.parametrize("path", actions.ACTIONS)
@pytest.mark.parametrize("scope", access.SCOPES)
def test_a_button_is_refused_on_the_server_by_the_table(scope: str, path: str) -> None:
    site = logged_in("read", scope)
    site.get("/")
    answer = site.press(path, name="x", id="x", route="x", alert="x", on="no", amount="1")
    needs = access.PATHS[f"POST {path}"]
    if scope in (needs, "admin"):
        assert answer.status == 303
    else:
        assert answer.status == 403
        assert f"needs the scope &#39;{needs}&#39;" in answer.text
        assert site.control.done == []


@pytest.mark.parametrize("role", LOOKING)
def test_no_page_draws_a_button_that_its_reader_may_not_press(role: str) -> None:
    site = logged_in(*access.ROLES[role])
    drawn = set()
    for path in SHOWN:
        answer = site.get(path)
        assert answer.status == 200, path
        for form in re.findall(r"<form[^>]*>", answer.text):
            if 'method="post"' in form:
                drawn.add(re.search(r'action="([^"]+)"', form)[1])
    refused = {action for action in drawn if not access.may(access.ROLES[role], access.needed("POST", action))}
    assert refused == set()
    assert ("/budgets/set" in drawn) is (role in ("operator", "admin"))
    assert ("/keys/create" in drawn) is (role == "admin")


@pytest.mark.parametrize("role", LOOKING)
def test_the_navigation_leads_only_where_a_role_may_go(role: str) -> None:
    site = logged_in(*access.ROLES[role])
    nav = re.search(r'<nav aria-label="pages">.*?</nav>', site.get("/").text, re.DOTALL)[0]
    for path in re.findall(r'href="([^"]+)"', nav):
        assert site.get(path).status == 200


def test_the_words_of_calls_are_for_those_who_may_read_content() -> None:
    for scopes, may in (
        (("read", "audit"), False),
        (("read", "operate"), False),
        (("read", "content"), True),
        (("admin",), True),
    ):
        assert logged_in(*scopes).json("/review")["may_see"] is may


def test_a_developer_has_no_login_to_the_pages_of_everybody() -> None:
    assert not access.may(access.ROLES["developer"], "read")


def test_a_page_without_a_row_is_for_admins_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(access.PATHS, "GET /savings")
    assert logged_in("read", "operate", "content", "audit", "call").get("/savings").status == 403
    assert logged_in("admin").get("/savings").status == 200


def test_a_refusal_says_the_scope_to_programs_too() -> None:
    site = logged_in("read")
    site.get("/")
    answer = site.press("/budgets/set?format=json", name="x")
    assert answer.status == 403
    assert "'operate'" in answer.json()["error"]["message"]
