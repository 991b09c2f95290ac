"""A real Chromium before a real server: pages must open in silence, under the strict policy, and their buttons work."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from web import fakes

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    # Not for the session: while it is open its event loop runs in this thread, and no other asynchronous test could.
    if CHROMIUM is None:
        why = "no Chromium is installed (looked for chromium, chromium-browser, google-chrome): no page was opened"
        if os.environ.get("DEMITASSE_REQUIRE_BROWSER") == "1":
            pytest.fail(why)
        pytest.skip(why)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield running
        running.close()


class Site:
    """A dashboard on a port of its own, in a thread of this process."""

    def __init__(self, books, control, facts):
        from demitasse.web.app import dashboard
        from demitasse.web.desk import Desk

        self.books, self.control = books, control
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self._app = dashboard(Desk(books, control, **facts))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self):
        import uvicorn

        config = uvicorn.Config(self._app, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        asyncio.run(self._server.serve(sockets=[self.socket]))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._server.should_exit = True
        self._thread.join(10)


@pytest.fixture
def site():
    books, control, facts = fakes.full_site()
    with Site(books, control, facts) as running:
        yield running


@pytest.fixture
def bare_site():
    books = fakes.FakeBooks()
    with Site(books, fakes.FakeControl(books), {"clock": lambda: fakes.NOW_US}) as running:
        yield running


@pytest.fixture
def guarded_site():
    books, control, facts = fakes.full_site(login=fakes.FakeLogin())
    with Site(books, control, facts) as running:
        yield running


@pytest.fixture
def open_page(browser):
    """Opens pages whose console must be silent by the end of the test."""
    opened = []

    def open_(url, *, width=1280, scheme="light", **more):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **more)
        page = context.new_page()
        noise = []
        page.on("console", lambda message: noise.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: noise.append(f"error: {error}"))
        page.on("requestfailed", lambda request: noise.append(f"failed: {request.url} {request.failure}"))
        opened.append((context, noise))
        page.goto(url)
        return page

    yield open_
    heard = [line for _, noise in opened for line in noise if "net::ERR_ABORTED" not in line]
    for context, _ in opened:
        context.close()
    assert heard == []
