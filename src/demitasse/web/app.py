"""The dashboard as a Starlette application: which path shows which page, and what every answer carries.

Cheap to make: templates, Jinja and static files are read when a first page asks for them. Books are read in a thread of
its own, so that no page ever stands in the way of a call.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct, structs
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ..core import access
from ..core.acting import acting
from ..core.errors import ConfigError, DemitasseError
from ..core.limits import Budget
from . import actions, assets, governance, guard, lab_views, render, review, steering, views, waiting
from .address import reachable
from .components import samples
from .desk import Desk
from .drift_views import watch as watch_view
from .facts import (
    LOCAL,
    Visitor,
)
from .guard import Done
from .lab_views import LabPage, Look

MOST_FORM_BYTES = 64 << 10

NO_SESSION = (
    "log in first, at /login, and send the cookie that it sets; a key in a header opens no page, but "
    "/demitasse/status, /demitasse/calls and /metrics"
)

View = Callable[[Desk, Mapping[str, str]], dict[str, Any]]
_T = TypeVar("_T")


class Page(Struct, frozen=True):
    """A page with a place in the navigation."""

    path: str
    name: str
    template: str
    view: View = lambda _desk, _query: {}


REVIEW = Page("/review", "Review", "review.html")
"""Shown by ``Site.review``: what stands on it depends on who looks."""

EVALUATIONS = Page("/evaluations", "Evaluations", "evaluations.html")
"""Shown by ``Site.lab``, like all of ``lab_views.PAGES``."""

# Not /models: OpenAI clients whose base URL lacks /v1 ask there, and the gateway answers them.
PAGES: tuple[Page, ...] = (
    Page("/", "Overview", "overview.html", views.overview),
    Page("/savings", "Savings", "savings.html", steering.savings),
    Page("/ledger", "Ledger", "ledger.html", views.ledger),
    Page("/routes", "Routes", "routes.html", steering.routes),
    Page("/what-if", "What if", "what_if.html", steering.what_if),
    Page("/budgets", "Budgets", "budgets.html", views.budgets),
    Page("/engines", "Models", "models.html", views.models),
    Page("/cache", "Cache", "cache.html", views.cache),
    EVALUATIONS,
    REVIEW,
    Page("/governance", "Governance", "governance.html", governance.page),
    Page("/watch", "Watch", "watch.html", watch_view),
    Page("/settings", "Settings", "settings.html", views.settings),
)

CARD = Page("/governance/card", "Model card", "governance_card.html", governance.card)
"""A model's, ``?model=NAME``; reached from the governance page."""


WAITING = Page("/waiting", "Waiting for a person", "waiting.html", waiting.page)
"""Reached from what needs somebody."""


def dashboard(desk: Desk) -> Starlette:
    """The application for every path that the gateway does not answer itself."""
    desk = structs.replace(desk, base_url=reachable(desk.base_url.rstrip("/"), socket.gethostname()))
    site = Site(desk)
    paths = [
        Route(page.path, partial(site.page, page), methods=["GET"])
        for page in PAGES
        if page not in (REVIEW, EVALUATIONS)
    ]
    paths += [Route(path, partial(site.act, action), methods=["POST"]) for path, action in actions.ACTIONS.items()]
    paths += [Route(page.path, partial(site.lab, page), methods=["GET"]) for page in lab_views.PAGES]
    paths += [Route(page.path, partial(site.lab_part, page), methods=["GET"]) for page in lab_views.PARTS]
    paths += [
        Route("/parts/live", site.live, methods=["GET"]),
        Route("/parts/figures", site.figures, methods=["GET"]),
        Route("/ledger/{id:path}", site.entry, methods=["GET"]),
        Route("/keys/create", site.create_key, methods=["POST"]),
        Route(REVIEW.path, site.review, methods=["GET"]),
        Route("/review/vote", site.vote, methods=["POST"]),
        Route(CARD.path, partial(site.page, CARD), methods=["GET"]),
        Route(WAITING.path, partial(site.page, WAITING), methods=["GET"]),
        Route("/waiting/read", site.read_waiting, methods=["POST"]),
        Route("/governance/pack", site.pack, methods=["POST"]),
        Route("/components", site.components, methods=["GET"]),
        Route("/login", site.login, methods=["GET", "POST"]),
        Route("/logout", site.logout, methods=["POST"]),
        Route("/static/{name:path}", assets_of, methods=["GET"]),
        Route("/favicon.ico", icon, methods=["GET"]),
    ]
    return Starlette(
        routes=[Route(path.path, site.permitted(path), methods=path.methods) for path in paths],
        exception_handlers={HTTPException: site.http_error, DemitasseError: site.our_error},
    )


async def assets_of(request: Request) -> Response:
    return _guarded(await asyncio.to_thread(assets.serve, request))


async def icon(_request: Request) -> Response:
    """For those who ask without having read a page."""
    return _guarded(RedirectResponse(await asyncio.to_thread(assets.url, "cup.svg"), 303))


class May:
    """What templates ask before they draw a button: ``may('/budgets/set')``, by the table that refuses it on the server."""

    def __init__(self, visitor: Visitor | None) -> None:
        self._visitor = visitor

    def __call__(self, path: str) -> bool:
        return self._visitor is not None and self._visitor.may(access.needed("POST", path))

    def __bool__(self) -> bool:
        return self._visitor is not None and self._visitor.admin


class Site:
    """The pages' handlers, over one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._secret = desk.secret or (desk.login.secret if desk.login else secrets.token_bytes(32))
        self._attempts = guard.Attempts()
        self._used: dict[str, None] = {}
        # One thread: a store's connection is used by one at a time, and pages never crowd out calls.
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dashboard")
        # Another: a verdict takes a second, and the stream of calls does not wait for it.
        self._lab_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dashboard-lab")

    def permitted(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """The route's handler behind the one check of who may come to it: ``core.access`` says which scope it needs."""
        handler = route.endpoint

        async def handle(request: Request) -> Response:
            needs = access.needed(request.method, route.path)
            if needs != access.OPEN:
                visitor = self._visitor(request)
                if visitor is None:
                    part = route.path.startswith("/parts/") and not _wants_json(request)
                    return _guarded(Response(status_code=401)) if part else self._to_login(request)
                if not visitor.may(needs):
                    raise HTTPException(403, access.sentence(visitor.name, visitor.scopes, needs))
            response: Response = await handler(request)
            return response

        return handle

    async def page(self, page: Page, request: Request) -> Response:
        visitor = self._visitor(request)
        if visitor is None:
            return self._to_login(request)
        values = await self._read(lambda: page.view(self._desk, request.query_params))
        if _wants_json(request):
            return self._json(values)
        return await self._show(request, visitor, page.template, here=page.path, title=page.name, **values)

    async def entry(self, request: Request) -> Response:
        visitor = self._visitor(request)
        if visitor is None:
            return self._to_login(request)
        id = request.path_params["id"]
        values = await self._read(lambda: views.entry(self._desk, id))
        if values is None:
            raise HTTPException(404, f"there is no call '{id}' in the books; the newest are on the ledger's page")
        if _wants_json(request):
            return self._json(values)
        return await self._show(request, visitor, "entry.html", here="/ledger", title="Why?", **values)

    async def live(self, request: Request) -> Response:
        """The stream alone, or 204 when nothing in it has changed since ``seen``."""
        if self._visitor(request) is None:
            return Response(status_code=401)
        live = await self._read(lambda: views.live(self._desk))
        if live.seen == request.query_params.get("seen"):
            return _guarded(Response(status_code=204))
        return await self._fragment("parts/live.html", live=live)

    async def figures(self, request: Request) -> Response:
        """The figures, the charts and what needs you, or 204 when no call has come since ``seen``."""
        visitor = self._visitor(request)
        if visitor is None:
            return Response(status_code=401)
        values = await self._read(lambda: views.overview(self._desk, request.query_params))
        if _figures_seen(values) == request.query_params.get("seen"):
            return _guarded(Response(status_code=204))
        return await self._fragment("parts/figures.html", **values, **self._common(visitor))

    async def lab(self, page: LabPage, request: Request) -> Response:
        """A page on evaluations or made models: texts only for those who may read content."""
        visitor = self._visitor(request)
        if visitor is None:
            return self._to_login(request)
        values = await self._look(page, request, visitor)
        if values is None:
            raise HTTPException(404, page.missing.format(**_short(request.path_params)))
        if _wants_json(request):
            return self._json(values)
        return await self._show(request, visitor, page.template, here=page.here, title=page.title, **values)

    async def lab_part(self, page: LabPage, request: Request) -> Response:
        """A piece of such a page; one that is over asks for the whole page anew."""
        visitor = self._visitor(request)
        if visitor is None:
            return Response(status_code=401)
        values = await self._look(page, request, visitor)
        if values is None or values.get("over"):
            return _guarded(Response(status_code=204, headers={"hx-refresh": "true"}))
        return await self._fragment(page.template, **values)

    async def components(self, request: Request) -> Response:
        visitor = self._visitor(request)
        if visitor is None:
            return self._to_login(request)
        return await self._show(request, visitor, "components.html", here="", title="Components", **samples())

    async def act(self, action: actions.Action, request: Request) -> Response:
        """Do it, go back to where the button was, and say there what was done."""
        visitor, form = await self._form(request)
        if visitor is None:
            return self._to_login(request)
        desk = self._desk
        try:
            rows = await self._read(lambda: desk.books.spent(desk.clock()))
            budgets: list[Budget] = [spent.budget for spent in rows]
            with acting(_who(visitor)):
                done = await action(desk, form, budgets)
        except DemitasseError as error:
            done = Done(str(error), failed=True)
        desk.reports.clear()
        if _wants_json(request):
            return self._json({"done": not done.failed, "text": done.text}, 400 if done.failed else 200)
        return self._back(request, form, done)

    async def review(self, request: Request) -> Response:
        """A pair to vote on: texts only for those who may read content."""
        visitor, reviews = self._visitor(request), self._desk.reviews
        if visitor is None:
            return self._to_login(request)
        values = await self._read(lambda: review.page(reviews, request.query_params, may=visitor.may("content")))
        if _wants_json(request):
            return self._json(values)
        return await self._show(request, visitor, REVIEW.template, here=REVIEW.path, title=REVIEW.name, **values)

    async def vote(self, request: Request) -> Response:
        visitor, form = await self._form(request)
        if visitor is None:
            return self._to_login(request)
        try:
            done = await review.vote(self._desk.reviews, form, self._read)
        except DemitasseError as error:
            done = Done(str(error), failed=True)
        if _wants_json(request):
            return self._json({"done": not done.failed, "text": done.text}, 400 if done.failed else 200)
        return self._back(request, form, done)

    async def pack(self, request: Request) -> Response:
        """The signed pack as a download, made in the lab's thread: it may take a while."""
        visitor, _ = await self._form(request)
        if visitor is None:
            return self._to_login(request)
        governing = self._desk.governance
        if governing is None:
            raise HTTPException(404, "this dashboard packs nothing; on the machine itself: demitasse evidence")
        name, raw = await asyncio.get_running_loop().run_in_executor(self._lab_reader, governing.pack)
        told = {"content-disposition": f'attachment; filename="{name}"'}
        return _guarded(Response(raw, media_type="application/zip", headers=told))

    async def read_waiting(self, request: Request) -> Response:
        """Words that wait for a person: answered by the POST itself, so that no link and no prefetch reads them."""
        visitor, form = await self._form(request)
        if visitor is None:
            return self._to_login(request)
        try:
            with acting(_who(visitor)):
                values = await waiting.read(self._desk, form)
        except DemitasseError as error:
            if _wants_json(request):
                return self._json({"done": False, "text": str(error)}, 400)
            return self._back(request, {"back": WAITING.path}, Done(str(error), failed=True))
        if _wants_json(request):
            return self._json(values)
        return await self._show(request, visitor, WAITING.template, here="", title=WAITING.name, **values)

    async def create_key(self, request: Request) -> Response:
        """The one page that shows a secret: it answers the POST itself, so that nothing is kept to show it again."""
        visitor, form = await self._form(request)
        if visitor is None:
            return self._to_login(request)
        once = form.get("once", "")
        try:
            if once and once in self._used:
                raise ConfigError(
                    "this key has been created already, and its secret was shown; create another if it is lost"
                )
            with acting(_who(visitor)):
                token = await actions.create_key(self._desk, form)
        except DemitasseError as error:
            if _wants_json(request):
                return self._json({"done": False, "text": str(error)}, 400)
            return self._back(request, form, Done(str(error), failed=True))
        self._remember(once)
        name = form.get("name", "").strip()
        if _wants_json(request):
            return self._json({"done": True, "name": name, "key": token})
        return await self._show(
            request,
            visitor,
            "key.html",
            here="/budgets",
            title="A new key",
            name=name,
            token=token,
            base_url=self._desk.base_url,
        )

    async def login(self, request: Request) -> Response:
        login, now_us = self._desk.login, self._desk.clock()
        if login is None:
            return _guarded(RedirectResponse("/", 303))
        if request.method == "GET":
            return await self._login_page(_local_path(request.query_params.get("back", "/")))
        form = await _read_form(request)
        back = _local_path(form.get("back", "/"))
        if not guard.same_origin(request):
            raise HTTPException(403, "this form came from another site; open the dashboard and log in there")
        address = request.client.host if request.client else ""
        visitor = login.enter(form.get("key", "").strip())
        if visitor is None and (scopes := login.without_pages(form.get("key", "").strip())):
            return await self._login_page(back, _no_pages(scopes), 403)
        if visitor is None:  # a good key is never held up: whoever shares an address could else lock its holder out
            if wait_s := self._attempts.wait_s(address, now_us):
                error = f"too many wrong keys; the next try is possible in {wait_s} s"
                return await self._login_page(back, error, 429, {"retry-after": str(wait_s)})
            self._attempts.fail(address, now_us)
            error = "no key with the right to see the books; make one with: demitasse keys create NAME --scope read"
            return await self._login_page(back, error, 401)
        response = RedirectResponse(back, 303)
        session = guard.Session(visitor.id, now_us + guard.SESSION_US)
        response.set_cookie(
            guard.SESSION,
            guard.seal(login.secret, "session", session),
            max_age=guard.SESSION_US // 1_000_000,
            httponly=True,
            samesite="strict",
            secure=login.secure,
        )
        return _guarded(response)

    async def logout(self, request: Request) -> Response:
        visitor, _ = await self._form(request)
        response = RedirectResponse("/login" if visitor and self._desk.login else "/", 303)
        secure = self._desk.login is not None and self._desk.login.secure
        response.delete_cookie(guard.SESSION, httponly=True, samesite="strict", secure=secure)
        return _guarded(response)

    async def http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail = error.detail
        if error.status_code == 404 and detail == HTTPStatus.NOT_FOUND.phrase:
            detail = f"there is no page {request.scope['path']}; the ones there are stand above"
        return await self._error(request, error.status_code, detail, dict(error.headers or {}))

    async def our_error(self, request: Request, error: Exception) -> Response:
        """The books cannot be read (disk full, locked, damaged): a page that says so."""
        return await self._error(request, 503, str(error))

    async def _error(self, request: Request, status: int, text: str, headers: dict[str, str] | None = None) -> Response:
        if _wants_json(request):
            return self._json({"error": {"message": text, "code": status}}, status)
        visitor = self._visitor(request)
        response = await self._show(
            request, visitor, "error.html", here="", title=HTTPStatus(status).phrase, status=status, text=text
        )
        response.status_code = status
        response.headers.update(headers or {})
        return response

    async def _read(self, read: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, read)

    async def _look(self, page: LabPage, request: Request, visitor: Visitor) -> dict[str, Any] | None:
        look = Look(self._desk.lab, visitor.may("content"), self._desk.clock())
        asked = {**request.query_params, **request.path_params}
        return await asyncio.get_running_loop().run_in_executor(self._lab_reader, page.view, look, asked)

    async def _show(self, request: Request, visitor: Visitor | None, template: str, **values: Any) -> Response:
        done = guard.unseal(self._secret, "done", request.cookies.get(guard.FLASH, ""), Done)
        common = self._common(visitor)
        theme = request.cookies.get("theme", "")
        common |= {
            "done": done,
            "path": _asked(request),
            "theme": theme if theme in {"light", "dark"} else "",
            "nav": [p for p in PAGES if visitor.may(access.needed("GET", p.path))] if visitor else (),
        }
        response = Response(
            await self._read(lambda: render.html(template, **common, **values)), media_type="text/html; charset=utf-8"
        )
        if done is not None:
            response.delete_cookie(guard.FLASH, httponly=True, samesite="strict")
        return _guarded(response)

    async def _fragment(self, template: str, **values: Any) -> Response:
        html = await self._read(lambda: render.html(template, **values))
        return _guarded(Response(html, media_type="text/html; charset=utf-8"))

    async def _login_page(
        self, back: str, error: str = "", status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        html = await self._read(
            lambda: render.html(
                "login.html", back=back, error=error, theme="", title="Log in", version=self._desk.version
            )
        )
        return _guarded(Response(html, status, headers, media_type="text/html; charset=utf-8"))

    def _common(self, visitor: Visitor | None) -> dict[str, Any]:
        return {
            "visitor": visitor,
            "csrf": guard.csrf_token(self._secret, visitor) if visitor else "",
            "once": secrets.token_hex(8),
            "mode": self._desk.mode(),
            "version": self._desk.version,
            "may": May(visitor),
            "can_log_out": self._desk.login is not None and visitor is not None,
            "seen_of": _figures_seen,
        }

    def _visitor(self, request: Request) -> Visitor | None:
        return guard.visitor_of(request, self._desk.login, self._desk.clock())

    async def _form(self, request: Request) -> tuple[Visitor | None, dict[str, str]]:
        """The visitor and the fields of a POST that is one of ours; 403 for any other."""
        visitor = self._visitor(request)
        if visitor is None:
            return None, {}
        form = await _read_form(request)
        token = form.pop("csrf", "") or request.headers.get("x-csrf-token", "")
        if not guard.may_post(request, self._secret, visitor, token):
            raise HTTPException(403, "this form is not one of this dashboard's, or an old one; open the page again")
        return visitor, form

    def _remember(self, once: str) -> None:
        self._used[once] = None
        while len(self._used) > 256:
            self._used.pop(next(iter(self._used)))

    def _to_login(self, request: Request) -> Response:
        if _wants_json(request):
            return self._json({"error": {"message": NO_SESSION, "code": 401}}, 401)
        if request.method != "GET":
            return _guarded(RedirectResponse("/login", 303))
        back = _asked(request)
        return _guarded(RedirectResponse("/login?" + urlencode({"back": back}), 303))

    def _back(self, request: Request, form: Mapping[str, str], done: Done) -> Response:
        response = RedirectResponse(_local_path(form.get("back", "/")), 303)
        sealed = guard.seal(self._secret, "done", done)
        secure = request.scope["scheme"] == "https" or (self._desk.login is not None and self._desk.login.secure)
        response.set_cookie(guard.FLASH, sealed, max_age=60, httponly=True, samesite="strict", secure=secure)
        return _guarded(response)

    def _json(self, values: dict[str, Any], status: int = 200) -> Response:
        return _guarded(Response(render.as_json(values), status, media_type="application/json"))


async def _read_form(request: Request) -> dict[str, str]:
    """The fields of an urlencoded body; where one comes twice, its last value."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "forms are sent as application/x-www-form-urlencoded")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_FORM_BYTES:
            raise HTTPException(413, f"a form has at most {MOST_FORM_BYTES:,} bytes")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError as error:
        raise HTTPException(400, "the form is not urlencoded UTF-8") from error


def _no_pages(scopes: Sequence[str]) -> str:
    role = access.role_of(scopes)
    whose = f"is a {role}'s" if role else f"has the scope {', '.join(scopes)}"
    return (
        f"this key {whose}, and no page is for it: pages need the scope read; "
        "make a key that has it with: demitasse keys create NAME --scope read"
    )


def _short(params: Mapping[str, str]) -> dict[str, str]:
    """For a sentence."""
    return {name: value[:80] for name, value in params.items()}


def _figures_seen(values: Mapping[str, Any]) -> str:
    """Changes with the figures and the list of what needs you."""
    report, needs = values["report"], values["needs"]
    listed = [*(f"{need.alert.id} {need.like}" for need in needs), *(one.alert.id for one in values["in_force"])]
    alerts = zlib.crc32(",".join(listed).encode(), values["needs_more"])
    return f"{report.requests}.{report.paid_nanos}.{report.saved_nanos}.{report.until_us}.{alerts:x}"


def _who(visitor: Visitor) -> str:
    """As the chain names whoever presses a button."""
    return "loopback" if visitor is LOCAL else f"key:{visitor.name}"


def _wants_json(request: Request) -> bool:
    asked = request.query_params.get("format")
    accept = request.headers.get("accept", "")
    return asked == "json" or (not asked and "application/json" in accept and "text/html" not in accept)


def _asked(request: Request) -> str:
    """Path and query as they came: ``request.url`` is put together with what the client says its host is."""
    query = request.scope["query_string"].decode("utf-8", "replace")
    path: str = request.scope["path"]
    return path + ("?" + query if query else "")


def _local_path(path: str) -> str:
    """A place on this site; anything that a browser might read as another host is the front page."""
    fine = path.startswith("/") and path[1:2] not in {"/", "\\"} and path.isprintable() and "\\" not in path
    return path if fine else "/"


def _guarded(response: Response) -> Response:
    response.headers.update(dict(guard.HEADERS))
    if "cache-control" not in response.headers:
        response.headers["cache-control"] = "no-store"
    return response
