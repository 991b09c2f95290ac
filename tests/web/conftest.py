"""A browser's manners without a browser: a client that keeps cookies and finds the forms' tokens."""

from __future__ import annotations

import asyncio
import json
import re
from http.cookies import SimpleCookie
from typing import NamedTuple
from urllib.parse import urlencode

import pytest

from demitasse.web.app import dashboard
from demitasse.web.desk import Desk

from . import fakes


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    set_cookies: list[str]
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


class Visitor:
    """Opens pages and presses buttons of one dashboard."""

    def __init__(self, books, control, **facts):
        self.books, self.control = books, control
        self.app = dashboard(Desk(books, control, **facts))
        self.token = ""
        self.cookies = {}

    def send(self, method, path, headers=None, body=b""):
        """One request; cookies are kept as a browser does."""
        path, _, query = path.partition("?")
        sent = {"host": "localhost", **{k.replace("_", "-"): v for k, v in (headers or {}).items()}}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in sent.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("localhost", 80),
        }
        got = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def take(message):
            got.append(message)

        asyncio.run(self.app(scope, receive, take))
        pairs = [(k.decode(), v.decode()) for k, v in got[0]["headers"]]
        set_cookies = [v for k, v in pairs if k == "set-cookie"]
        for text in set_cookies:
            for name, morsel in SimpleCookie(text).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return Answer(got[0]["status"], dict(pairs), set_cookies, b"".join(m.get("body", b"") for m in got[1:]))

    def get(self, path, **headers):
        answer = self.send("GET", path, headers)
        html = answer.text if answer.headers.get("content-type", "").startswith("text/html") else ""
        if found := re.search(r'name="csrf" value="([0-9a-f]+)"', html):
            self.token = found[1]
        return answer

    def json(self, path):
        answer = self.get(path, accept="application/json")
        assert answer.status == 200, answer.text
        return answer.json()

    def press(self, path, headers=None, **fields):
        if not self.token:
            self.get("/budgets")
        form = {"csrf": self.token, **fields}
        plain = {"content-type": "application/x-www-form-urlencoded", "origin": "http://localhost", **(headers or {})}
        return self.send("POST", path, {k: v for k, v in plain.items() if v is not None}, urlencode(form).encode())

    def said(self, answer):
        """What the page says after a button, as plain text with its undo form's fields."""
        assert answer.status == 303, answer.text
        page = self.get(answer.headers["location"]).text
        found = re.search(r'<div class="said.*?</div>', page, re.DOTALL)
        return re.sub(r"\s+", " ", found[0]) if found else ""

    def undo(self, said):
        """Presses the undo that stood in ``said``."""
        action = re.search(r'action="([^"]+)"', said)[1]
        fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', said))
        return self.press(action, **fields)


@pytest.fixture
def full():
    books, control, facts = fakes.full_site()
    return Visitor(books, control, **facts)


@pytest.fixture
def empty():
    books = fakes.FakeBooks()
    return Visitor(books, fakes.FakeControl(books), clock=lambda: fakes.NOW_US, secret=b"x" * 32)


@pytest.fixture
def guarded():
    books, control, facts = fakes.full_site(login=fakes.FakeLogin())
    return Visitor(books, control, **facts)
