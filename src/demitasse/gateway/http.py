"""HTTP in, HTTP out. Knows paths, headers, status codes and event streams; knows nothing of budgets, caches or models.

Bare ASGI: ``/v1/*`` is answered here, every other path goes to the pages (a Starlette application).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from ..core import access
from ..core.call import Call, Caller, Event, Kind
from ..core.errors import Refused, StoreError, UpstreamError
from ..core.ids import call_id
from ..wire.ask import read
from ..wire.errors import error_body
from ..wire.sse import DONE, PING, frame
from . import care
from .answer import Client, Facts, Steps, answer, refused
from .door import Door
from .feedback import MOST_BYTES, Feedback
from .keys import may
from .request import Headers, HungUp, Receive, as_call, read_body, token, unread
from .route import Route

log = logging.getLogger("demitasse")

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_CALLS: dict[str, Kind] = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completion",
    "/v1/embeddings": "embedding",
    "/chat/completions": "chat",
    "/completions": "completion",
    "/embeddings": "embedding",
}
_JSON = (b"content-type", b"application/json")
_SSE = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}").fullmatch
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_FINAL = (b"x-should-retry", b"false")


LINE = "demitasse.line"
"""Where a server that shows its connections puts a Line into the scope."""


class Line(Protocol):
    """The connection itself, past ASGI, from a server that offers it."""

    def tell(self, call: Callable[[], object] | None) -> None:
        """Have ``call`` called when the client hangs up, at once if it has; None: no more."""
        ...

    def piece(self, data: bytes) -> bool:
        """Send a piece of a body that is open and goes on; False: it must go by ASGI (the client reads too slowly)."""
        ...

    def respond(self, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a whole answer with status 200. Names and values hold no line breaks; ``content-length`` is among them."""
        ...


class Gateway:
    """The ASGI application.

    Args:
        steps: the way of a call, see ``answer``.
        pages: where every path that is not ours goes (the dashboard).
        facts_of: ``GET /demitasse/calls/{id}``: one call's facts from the books, or None; runs in a thread.
        calls_of: ``GET /demitasse/calls``: a key's newest calls; runs in a thread.
        status: ``GET /demitasse/status``: what runs here, for commands.
        ready: whether calls can be answered now; else why not.
        gauges: further values for ``/metrics``.
        clock: UTC microseconds. random_bits: ``core.ids.RANDOM_BITS`` random bits for an id.
        feedback: what applications say of their answers; None: nobody listens.
        receipt_of: ``GET /demitasse/calls/{id}/receipt``: whose call it is, its signed receipt, and the same for who may not
            read texts; or None. Runs in a thread.
    """

    def __init__(
        self,
        steps: Steps,
        *,
        pages: App,
        facts_of: Callable[[str], dict[str, Any] | None],
        calls_of: Callable[[str], list[dict[str, Any]]] = lambda _key: [],
        status: Callable[[], dict[str, Any]],
        ready: Callable[[], str | None],
        gauges: Callable[[], Mapping[str, float]],
        clock: Callable[[], int],
        random_bits: Callable[[], int],
        started_us: int,
        feedback: Feedback | None = None,
        receipt_of: Callable[[str], tuple[str, bytes, bytes] | None] | None = None,
    ) -> None:
        self.steps = steps
        self._pages = pages
        self._facts_of = facts_of
        self._calls_of = calls_of
        self._status = status
        self._ready = ready
        self._gauges = gauges
        self._clock = clock
        self._random_bits = random_bits
        self._started_s = started_us // 1_000_000
        self._feedback = feedback
        self._receipt_of = receipt_of
        self._door = Door(loopback=steps.settings.loopback, cors=steps.settings.cors)

    def replace(self, steps: Steps) -> None:
        """Take up new settings; calls under way finish with the old ones."""
        self.steps = steps
        self._door = Door(loopback=steps.settings.loopback, cors=steps.settings.cors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
            return
        path: str = scope["path"]
        kind = _CALLS.get(path)
        if kind is not None and scope["method"] == "POST":
            await self._call(kind, scope, receive, send)
            return
        await self._other(path, scope, receive, send)

    async def _call(self, kind: Kind, scope: Scope, receive: Receive, send: Send) -> None:
        """One call to a model: from bytes to bytes, every failure included."""
        steps, facts, at_us = self.steps, Facts(), self._clock()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if steps.observe is not None:
            facts.trace = headers.get(b"traceparent")
        id = call_id(at_us, self._random_bits())
        asked = headers.get(b"x-request-id")
        request_id = asked.decode() if asked is not None and _REQUEST_ID(asked) else id
        client = _Connection(scope, receive, send, facts, request_id, steps)
        client.receipt = headers.get(b"x-demitasse-receipt") == b"1"
        call: Call | None = None
        known = False
        steps.metrics.in_flight += 1
        try:
            client.cors = self._door.check("POST", headers)
            caller = steps.keys.identify(token(headers), headers.get(b"x-demitasse-key"), _address(scope))
            client.caller, known = caller, True
            steps.keys.permit(caller, "call")  # before a body is read
            body = await read_body(receive, headers, steps.settings.max_body_bytes)
            call = facts.sent = as_call(read(kind, body), id, request_id, at_us, caller, headers)
            reply = await answer(call, facts, client, steps)
            await client.finish(reply.body, stream=call.stream)
        except Refused as error:
            if not known:
                steps.metrics.denied_at_the_door(error.code or error.type)
            else:
                # A body that can't be read is a refused call too: someone will ask why their bill has no row for it.
                refused(call or unread(id, request_id, at_us, kind, client.caller), facts, error, steps)
                await _booked(steps)
            await client.fail(error.status, _refusal_body(error), _refusal_headers(error))
        except UpstreamError as error:
            await _booked(steps)
            more = [(b"retry-after", b"%d" % max(1, round(error.retry_after_s)))] if error.retry_after_s else []
            await client.fail(error.status, error.body or error_body(error.message, error.type, code=error.code), more)
        except StoreError as error:
            body = error_body(str(error), "server_error", code="ledger_unavailable")
            await client.fail(503, body, [(b"retry-after", b"5"), _FINAL])
        except HungUp:
            client.gone = True
        except asyncio.CancelledError:
            if not client.gone:
                raise
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
        except Exception:
            log.exception("call %s could not be answered", id)
            if call is not None and facts.entry is None:  # whatever it holds is let go
                refused(call, facts, Refused("", code="internal_error"), steps)
            message = "this gateway failed in a way that it should not; its log says where"
            await client.fail(500, error_body(message, "server_error", code="internal_error"), [])
        finally:
            steps.metrics.in_flight -= 1
            client.close()

    async def _other(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Models, health, metrics, our own facts; anything else is a page."""
        method: str = scope["method"]
        ours = (
            path.startswith(("/v1/", "/demitasse/"))
            or path in ("/healthz", "/readyz", "/metrics", "/models")
            or path in _CALLS
        )
        headers: dict[bytes, bytes] = dict(scope["headers"])
        cors: str | None = None
        try:
            if method == "OPTIONS" and ours:
                cors = self._door.check("GET", headers)
                await _reply(send, 204, b"", _preflight(headers, cors))
                return
            cors = self._door.check(method, headers, page=not ours)
            if not ours:
                await self._pages(scope, receive, send)
                return
            status, body, kind = await self._small(method, path, headers, receive, _address(scope))
        except HungUp:
            return
        except StoreError as error:
            body = error_body(str(error), "server_error", code="ledger_unavailable")
            await _reply(send, 503, body, [_JSON, (b"retry-after", b"5"), *_cors(cors)])
            return
        except Refused as error:
            self.steps.metrics.denied_at_the_door(error.code or error.type)
            await _reply(send, error.status, _refusal_body(error), [_JSON, *_refusal_headers(error), *_cors(cors)])
            return
        asked = headers.get(b"x-request-id")
        request_id = (
            asked if asked is not None and _REQUEST_ID(asked) else call_id(self._clock(), self._random_bits()).encode()
        )
        await _reply(send, status, body, [(b"content-type", kind), (b"x-request-id", request_id), *_cors(cors)])

    async def _small(
        self, method: str, path: str, headers: Headers, receive: Receive, address: str
    ) -> tuple[int, bytes, bytes]:
        json = b"application/json"
        row = access.row(method, path)  # what has none is not answered here, whatever stands below
        if row is None:
            self.steps.keys.identify(token(headers), headers.get(b"x-demitasse-key"), address)
            raise _no_such(method, path)
        if path == "/healthz":
            return 200, b'{"status":"ok"}', json
        if path == "/readyz":
            why = self._ready()
            return (
                (200, b'{"status":"ready"}', json) if why is None else (503, msgspec.json.encode({"status": why}), json)
            )
        caller = self.steps.keys.identify(token(headers), headers.get(b"x-demitasse-key"), address)
        if row not in access.OWN:
            self.steps.keys.permit(caller, access.PATHS[row])
        if path == "/metrics":
            text = self.steps.metrics.text(self._gauges(), self.steps.breakers.states())
            return 200, text, b"text/plain; version=0.0.4; charset=utf-8"
        if path in ("/v1/models", "/models"):
            data = [self._model(route) for route in self.steps.routes.visible(caller)]
            return 200, msgspec.json.encode({"object": "list", "data": data}), json
        if path.startswith("/v1/models/"):
            route = await self.steps.routes.resolve(path.removeprefix("/v1/models/"), caller)
            return 200, msgspec.json.encode(self._model(route)), json
        if path.startswith("/demitasse/"):
            return await self._own(method, path, headers, caller, receive)
        raise _no_such(method, path)

    async def _own(
        self, method: str, path: str, headers: Headers, caller: Caller, receive: Receive
    ) -> tuple[int, bytes, bytes]:
        json = b"application/json"
        if path == "/demitasse/feedback" and method == "POST" and self._feedback is not None:
            self.steps.keys.admit(caller)  # it writes: who may only look may not, and none without end
            body = await read_body(receive, headers, MOST_BYTES)
            await self.steps.ledger.flush()
            told = await self._feedback.take(caller, body)
            care.heard(self.steps.semantic, told["id"], told["score"])
            return 200, msgspec.json.encode(told), json
        if path == "/demitasse/calls" and method == "GET":
            await self.steps.ledger.flush()
            rows = await asyncio.to_thread(self._calls_of, caller.key)
            return 200, msgspec.json.encode({"calls": rows}), json
        if path.startswith("/demitasse/calls/") and path.endswith("/receipt") and self._receipt_of is not None:
            await self.steps.ledger.flush()
            asked = path.removeprefix("/demitasse/calls/").removesuffix("/receipt")
            found = await asyncio.to_thread(self._receipt_of, asked)
            if found is None or not (found[0] == caller.key or may(caller, "read")):
                raise _no_such_call()
            _, opened, closed = found
            return 200, opened if found[0] == caller.key or may(caller, "content") else closed, json
        if path.startswith("/demitasse/calls/") and method == "GET":
            await self.steps.ledger.flush()
            row = await asyncio.to_thread(self._facts_of, path.removeprefix("/demitasse/calls/"))
            if row is None or not (row["key"] == caller.key or may(caller, "read")):
                raise _no_such_call()
            return 200, msgspec.json.encode(row), json
        if path.startswith(care.PATH + "/") and method == "GET":
            call_id = path.removeprefix(care.PATH + "/")
            return 200, msgspec.json.encode(care.why(self.steps.semantic, call_id, caller)), json
        if path == care.PATH and method == "GET":
            return 200, msgspec.json.encode(care.figures(self.steps.semantic)), json
        if path == care.PATH + "/evict" and method == "POST":
            body = await read_body(receive, headers, MOST_BYTES)
            return 200, msgspec.json.encode(care.evict(self.steps.semantic, body)), json
        if path == "/demitasse/status" and method == "GET":
            return 200, msgspec.json.encode(self._status()), json
        if path == "/demitasse/cache" and method == "GET":
            return 200, msgspec.json.encode(self.steps.cache.stats()), json
        if path == "/demitasse/cache/clear" and method == "POST":
            semantic = self.steps.semantic
            cleared = self.steps.cache.clear() + (semantic.evict() if semantic is not None else 0)
            return 200, msgspec.json.encode({"cleared": cleared}), json
        raise _no_such(method, path)

    def _model(self, route: Route) -> dict[str, Any]:
        return {
            "id": route.name,
            "object": "model",
            "created": self._started_s,
            "owned_by": "demitasse" if route.named else route.reference.provider,
        }


class _Connection(Client):
    """One request's connection: opens the response as late as it may, keeps it alive, and sees a hang-up."""

    __slots__ = (
        "_facts",
        "_line",
        "_on_hangup",
        "_opened",
        "_pinger",
        "_receive",
        "_request_id",
        "_send",
        "_steps",
        "_timer",
        "_watcher",
        "caller",
        "cors",
        "gone",
        "receipt",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, facts: Facts, request_id: str, steps: Steps) -> None:
        self._line: Line | None = scope.get(LINE)
        self._on_hangup: Callable[[], object] | None = None
        self._receive = receive
        self._send = send
        self._facts = facts
        self._request_id = request_id
        self._steps = steps
        self._opened = False
        self._watcher: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pinger: asyncio.Task[None] | None = None
        self.caller = Caller()
        self.cors: str | None = None
        self.gone = False
        self.receipt = False
        """A receipt was asked for, as a header of the answer."""

    async def send(self, event: Event) -> None:
        if not self._opened:
            await self._open()
        data = frame(event.data)
        if self._line is None or not self._line.piece(data):
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _open(self) -> None:
        self._opened = True
        headers = [*_SSE, *self._headers(), *self._provenance(whole=False)]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    def watch(self, on_hangup: Callable[[], object]) -> None:
        self._on_hangup = on_hangup
        if self._line is not None:
            self._line.tell(self._hung_up)
        else:
            self._watcher = asyncio.get_running_loop().create_task(self._await_hangup())

    def unwatch(self) -> None:
        if self._line is not None:
            self._line.tell(None)
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()

    async def _await_hangup(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._hung_up()

    def _hung_up(self) -> None:
        self.gone = True
        if self._on_hangup is not None:
            self._on_hangup()

    def expect_stream(self) -> None:
        """From now on the client gets a sign of life every ``ping_s``, headers included, however slow the model is."""
        if self._timer is not None:
            return
        settings = self._steps.settings
        self._timer = asyncio.get_running_loop().call_later(settings.first_event_s, self._begin_pings)

    def _begin_pings(self) -> None:
        self._pinger = asyncio.get_running_loop().create_task(self._ping())

    async def _ping(self) -> None:
        while True:
            if not self._opened:
                await self._open()
            await self._send({"type": "http.response.body", "body": PING, "more_body": True})
            await asyncio.sleep(self._steps.settings.ping_s)

    async def finish(self, body: bytes, *, stream: bool) -> None:
        """The last bytes: the ledger has committed."""
        self._stop_pings()
        if not stream:
            headers = [_JSON, (b"content-length", b"%d" % len(body)), *self._headers(), *self._provenance(whole=True)]
            if self._line is not None:
                self._line.respond(headers, body)
                return
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._send({"type": "http.response.body", "body": body})
            return
        if not self._opened:
            await self._open()
        await self._send({"type": "http.response.body", "body": DONE})

    async def fail(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """An error: a status while nothing was sent, an event without [DONE] afterwards."""
        self._stop_pings()
        if self._opened:
            await self._send({"type": "http.response.body", "body": frame(body)})
            return
        await _reply(self._send, status, body, [_JSON, *headers, *self._headers()])

    def _headers(self) -> list[tuple[bytes, bytes]]:
        facts, entry = self._facts, self._facts.entry
        found = [(b"x-request-id", self._request_id.encode("latin-1"))]
        if facts.route:
            found += [(b"x-demitasse-route", _header(facts.route)), (b"x-demitasse-cache", facts.cache.encode())]
        if facts.model:
            found.append((b"x-demitasse-model", _header(facts.model)))
        if facts.certificate:
            found.append((b"x-demitasse-certificate", _header(facts.certificate)))
        if entry is not None:
            if entry.cost_nanos is not None:
                found.append((b"x-demitasse-cost-usd", _usd(entry.cost_nanos)))
            saved = sum(nanos for _, nanos in entry.saved)
            found.append((b"x-demitasse-saved-usd", _usd(saved)))
            if entry.overhead_us is not None:
                found.append((b"x-demitasse-overhead-ms", b"%.3f" % (entry.overhead_us / 1e3)))
        elif facts.held_nanos is not None:
            found.append((b"x-demitasse-held-usd", _usd(facts.held_nanos)))
        if facts.clamped is not None:
            found.append((b"x-demitasse-clamped", b"max_completion_tokens=%d" % facts.clamped))
        if self.caller.rpm or self.caller.tpm:
            found += self._steps.keys.limits.headers(self.caller, self._steps.clock())
        if self.cors is not None:
            found += _cors(self.cors)
        return found

    def _provenance(self, *, whole: bool) -> list[tuple[bytes, bytes]]:
        """Where an answer comes from: that a model made it, and, once it is in the books, its receipt."""
        facts, steps = self._facts, self._steps
        found = [(b"x-demitasse-ai", b"generated")] if steps.settings.disclose else []
        if whole and self.receipt and steps.receipt is not None and facts.sent is not None and facts.entry is not None:
            found.append((b"x-demitasse-receipt", steps.receipt(facts.sent, facts.entry)))
        return found

    def _stop_pings(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._pinger is not None:
            self._pinger.cancel()

    def close(self) -> None:
        self._stop_pings()
        self.unwatch()


async def _booked(steps: Steps) -> None:
    """Errors, too, are in the books when the client learns of them. A ledger that cannot commit keeps them queued."""
    try:
        await steps.ledger.flush()
    except StoreError as error:
        log.warning("an entry waits for its commit: %s", error)


def _no_such_call() -> Refused:
    message = "no such call in the books; list the last ones with: demitasse ledger"
    return Refused(message, status=404, code="unknown_call")


def _refusal_body(error: Refused) -> bytes:
    return error_body(error.message, error.type, error.param, error.code)


def _refusal_headers(error: Refused) -> list[tuple[bytes, bytes]]:
    found = [(k.encode(), v.encode("latin-1")) for k, v in error.headers]
    if error.retry_after_s is not None:
        found.append((b"retry-after", b"%d" % max(1, round(error.retry_after_s))))
    if error.final:
        found.append(_FINAL)
    return found


def _no_such(method: str, path: str) -> Refused:
    if path in _CALLS or path.removesuffix("/") in _CALLS:
        return Refused(f"{path} takes POST", status=405, code="method_not_allowed")
    if path.startswith("/demitasse/"):
        return Refused(f"there is no {method} {path[:200]} here", status=404, code="unknown_path")
    return Refused(
        f"there is no {path[:200]} here; this server has /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/models",
        status=404,
        code="unknown_path",
    )


def _address(scope: Scope) -> str:
    """Who knocks, as far as the socket says."""
    client = scope.get("client")
    return client[0] if client else ""


def _usd(nanos: int) -> bytes:
    return b"%d.%09d" % divmod(nanos, 1_000_000_000) if nanos >= 0 else b"-%d.%09d" % divmod(-nanos, 1_000_000_000)


@lru_cache(maxsize=4096)
def _header(value: str) -> bytes:
    """A name as a header's value: printable ASCII only, since names come from requests and files."""
    return _UNPRINTABLE.sub("?", value).encode()


def _cors(origin: str | None) -> list[tuple[bytes, bytes]]:
    if origin is None:
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"*"),
        (b"vary", b"origin"),
    ]


def _preflight(headers: Headers, origin: str | None) -> list[tuple[bytes, bytes]]:
    wanted = headers.get(b"access-control-request-headers", b"authorization, content-type")
    return [
        *_cors(origin),
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-allow-headers", wanted),
        (b"access-control-max-age", b"600"),
    ]


async def _reply(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = [] if status == 204 else [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": body})
