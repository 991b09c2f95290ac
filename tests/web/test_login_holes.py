"""The door of the pages, tried from all sides: fixation, flags, revocation, tokens on every form, and a policy without exceptions."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from demitasse.build.app import App
from demitasse.config import load
from demitasse.core import access
from demitasse.core.keys import mac, make
from demitasse.core.limits import Key
from demitasse.store.settings import now_us
from demitasse.web import guard
from demitasse.web.app import PAGES
from demitasse.web.app import dashboard as make_dashboard
from demitasse.web.desk import Desk
from tests.story.asgi import Answer, ask

from . import fakes
from .conftest import Visitor

FORM = {"content-type": "application/x-www-form-urlencoded"}
SITE = fakes.full_site()
POSTS = sorted(
    route.path
    for route in make_dashboard(Desk(SITE[0], SITE[1], **SITE[2])).routes
    if "POST" in route.methods and route.path != "/login"
)
HOST = {"host": "demitasse.example"}


class Served:
    """A gateway behind a proxy, with a key that may do everything."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.add("admin", "admin")

    def add(self, name: str, *scopes: str) -> str:
        id, token = make(name.encode().ljust(32, b"."))
        self.app.ledger.add_key(
            Key(id=id, name=name, mac=mac(self.app._secret, token.encode()), created_us=now_us(), scopes=scopes)
        )
        setattr(self, name, (id, token))
        return token

    async def log_in(self, token: str, cookie: str = "") -> Answer:
        headers = FORM | HOST | ({"cookie": cookie} if cookie else {})
        return await ask(
            self.app.gateway, urlencode({"key": token, "back": "/"}).encode(), path="/login", headers=headers
        )

    async def status(self, cookie: str, path: str = "/budgets") -> int:
        return (await ask(self.app.gateway, b"", path=path, method="GET", headers=HOST | {"cookie": cookie})).status


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    file = tmp_path / "demitasse.toml"
    file.write_text("[server]\nbehind_proxy = true\n")
    app = App(load(file, {}, tmp_path), tmp_path / "data", {}, base_url="https://demitasse.example", clock=now_us)
    try:
        await app.start()
        yield Served(app)
    finally:
        await app.stop()


def cookie_of(answer: Answer) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


async def test_behind_a_proxy_the_cookie_is_for_https_and_for_nobody_else(served: Served) -> None:
    answer = await served.log_in(served.admin[1])
    flags = answer.headers["set-cookie"].lower()
    assert answer.status == 303
    assert all(flag in flags for flag in ("secure", "httponly", "samesite=strict", "max-age=43200", "path=/"))
    assert served.admin[1] not in flags
    assert await served.status(cookie_of(answer)) == 200


async def test_a_cookie_that_came_along_is_not_made_a_session(served: Served) -> None:
    planted = f"{guard.SESSION}=planted.by-somebody"
    answer = await served.log_in(served.admin[1], cookie=planted)
    assert "planted" not in cookie_of(answer)
    assert await served.status(planted) == 303


async def test_revoking_a_key_logs_its_holders_out_everywhere(served: Served) -> None:
    cookies = [cookie_of(await served.log_in(served.admin[1])) for _ in range(2)]
    assert [await served.status(cookie) for cookie in cookies] == [200, 200]
    served.app.ledger.revoke_key(served.admin[0])
    assert [await served.status(cookie) for cookie in cookies] == [303, 303]
    assert (await served.log_in(served.admin[1])).status == 401


async def test_rotating_a_key_ends_the_sessions_of_its_old_secret_after_the_overlap(served: Served) -> None:
    old = cookie_of(await served.log_in(served.admin[1]))
    key = next(key for key in served.app.ledger.keys() if key.id == served.admin[0])
    fresh = f"dmt_{key.id}_freshfreshfreshfresh"
    fields: dict[str, Any] = {"mac": mac(served.app._secret, fresh.encode()), "old_mac": key.mac}
    served.app.ledger.update_key(key.id, **fields, old_until_us=now_us() + 60_000_000)
    assert await served.status(old) == 200
    assert (await served.log_in(served.admin[1])).status == 303, "the old secret opens until its overlap ends"
    served.app.ledger.update_key(key.id, **fields, old_until_us=now_us() - 1)
    assert await served.status(old) == 303
    assert (await served.log_in(served.admin[1])).status == 401
    assert await served.status(cookie_of(await served.log_in(fresh))) == 200


async def test_a_developers_key_opens_no_page(served: Served) -> None:
    token = served.add("developer", *access.ROLES["developer"])
    said = await served.log_in(token)
    assert said.status == 403 and "set-cookie" not in said.headers
    assert "this key is a developer&#39;s, and no page is for it" in said.body.decode()
    served.app.ledger.revoke_key(token.split("_")[1])
    over = await served.log_in(token)
    assert over.status == 401 and b"developer" not in over.body


async def test_a_bearer_key_is_no_login_and_a_cookie_is_no_key(served: Served) -> None:
    headers = HOST | {"authorization": f"Bearer {served.admin[1]}"}
    assert (await ask(served.app.gateway, b"", path="/budgets", method="GET", headers=headers)).status == 303
    for path in ("/budgets", "/parts/live"):
        told = await ask(
            served.app.gateway, b"", path=path, method="GET", headers=headers | {"accept": "application/json"}
        )
        assert told.status == 401 and "log in first" in told.json()["error"]["message"], path
    cookie = cookie_of(await served.log_in(served.admin[1]))
    assert await served.status(cookie, "/metrics") == 401


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("token", ["", "0" * 32])
def test_no_form_is_taken_without_its_token(path: str, token: str) -> None:
    books, control, facts = fakes.full_site()
    site = Visitor(books, control, **facts)
    site.token = token or "-"
    answer = site.press(path, csrf=token, name="x", id="x")
    assert answer.status == 403
    assert control.done == []


@pytest.mark.parametrize("path", POSTS)
def test_no_form_is_taken_from_another_origin_or_by_get(path: str) -> None:
    books, control, facts = fakes.full_site()
    site = Visitor(books, control, **facts)
    site.get("/budgets")
    assert site.press(path, {"origin": "https://elsewhere.example"}, name="x").status == 403
    assert site.press(path, {"sec-fetch-site": "cross-site"}, name="x").status == 403
    assert site.get(path).status in (404, 405)
    assert control.done == []


def test_every_form_that_a_page_draws_carries_the_token(full: Visitor) -> None:
    for page in PAGES:
        html = full.get(page.path).text
        for form in re.findall(r"<form[^>]*method=\"post\"[^>]*>.*?</form>", html, re.DOTALL):
            assert f'name="csrf" value="{full.token}"' in form, page.path


def test_the_policy_has_no_exception() -> None:
    policy = dict(guard.HEADERS)["content-security-policy"]
    assert "unsafe" not in policy
    assert "*" not in policy
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["frame-ancestors"] == directives["object-src"] == directives["base-uri"] == "'none'"


@pytest.mark.parametrize("path", [page.path for page in PAGES])
def test_no_page_needs_what_the_policy_forbids(full: Visitor, path: str) -> None:
    answer = full.get(path)
    assert answer.headers["content-security-policy"] == dict(guard.HEADERS)["content-security-policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text), "an inline script"
    assert not re.search(r"<style\b|\sstyle=|\son\w+=\"", answer.text), "an inline style or handler"
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//(?!localhost)", re.sub(r"<a [^>]*>", "", answer.text)), (
        "another host"
    )


def test_loopback_pages_are_not_opened_under_a_foreign_name(tmp_path: Path) -> None:
    import asyncio

    async def tried() -> list[int]:
        app = App(load(None, {}, tmp_path), tmp_path / "data", {}, base_url="http://127.0.0.1:4141", clock=now_us)
        try:
            await app.start()
            asked = [{"host": "evil.example"}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {}]
            get = [(await ask(app.gateway, b"", path="/", method="GET", headers=more)).status for more in asked]
            post = [(await ask(app.gateway, b"a=b", path="/cache/clear", headers=FORM | more)).status for more in asked]
            return get + post
        finally:
            await app.stop()

    # A link from elsewhere may open a page (it changes nothing); no request from elsewhere may press.
    assert asyncio.run(tried()) == [403, 403, 200, 200, 403, 403, 403, 403]
