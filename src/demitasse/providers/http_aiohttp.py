"""aiohttp behind the seam of `http.py`: for upstreams behind a proxy, or when `[http] client = "aiohttp"` asks for it.

Knows how aiohttp's exceptions and stages map to ours; knows no provider. It does what `http_small` does, for more CPU.
"""

from __future__ import annotations

import asyncio
import functools
import io
import ssl
from collections.abc import Awaitable, Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp import http_exceptions
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from .http import (
    DEFAULT_TIMEOUTS,
    HIGH_WATER,
    MAX_BODY,
    MAX_HEAD,
    BadResponse,
    BrokenOff,
    ConnectFailed,
    HeaderBlock,
    Headers,
    HttpError,
    Origin,
    Phase,
    Response,
    Settings,
    Timeouts,
    connect_failed,
    encode_headers,
    framing_fault,
    request_head,
    timed_out,
    tls_context,
)
from .proxies import Proxies

_AT_ONCE = 1 << 20
"""aiohttp warns of larger bodies as one piece, because sending them would hold up the loop."""


class AiohttpClient:
    """See `HttpClient`. ``env`` is asked for proxies."""

    def __init__(self, settings: Settings, env: Mapping[str, str]) -> None:
        self._settings = settings
        self._proxies = Proxies(env)
        self._sessions: dict[tuple[bool, str | None], aiohttp.ClientSession] = {}
        self._open: set[_Answer] = set()
        self._asking: set[asyncio.Task[Any]] = set()
        self._closed = False

    def post(
        self,
        origin: Origin,
        path: bytes,
        headers: Headers | HeaderBlock,
        body: bytes,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> Awaitable[Response]:
        return self._exchange(origin, "POST", path, headers, body, timeouts)

    def get(
        self, origin: Origin, path: bytes, headers: Headers | HeaderBlock, timeouts: Timeouts = DEFAULT_TIMEOUTS
    ) -> Awaitable[Response]:
        return self._exchange(origin, "GET", path, headers, None, timeouts)

    async def close(self) -> None:
        self._closed = True
        for task in self._asking:
            task.cancel()
        if self._asking:
            await asyncio.wait(self._asking)
        for answer in tuple(self._open):
            answer.abort()
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def _exchange(
        self,
        origin: Origin,
        method: str,
        path: bytes,
        headers: Headers | HeaderBlock,
        body: bytes | None,
        timeouts: Timeouts,
    ) -> Response:
        if self._closed:
            raise ConnectFailed("the HTTP client is closed; nothing was sent")
        target = request_head(method.encode(), origin, path).split(b" ", 2)[1].decode()
        scheme, shown = ("https" if origin.tls else "http"), origin.host_header.decode()
        block = headers if isinstance(headers, bytes) else encode_headers(headers)
        stage = _Stage(origin, timeouts)
        asking = asyncio.ensure_future(
            self._session(origin).request(
                method,
                URL(f"{scheme}://{shown}{target}", encoded=True),
                headers=_decode_headers(block),
                data=io.BytesIO(body) if body is not None and len(body) > _AT_ONCE else body,
                proxy=self._proxies.of(origin),
                allow_redirects=False,
                trace_request_ctx=stage,
            )
        )
        self._asking.add(asking)
        try:
            raw = await stage.guard(asking)
        except BaseException:
            asking.add_done_callback(_close_late)  # it may have been answered in the very turn we gave up
            raise
        finally:
            self._asking.discard(asking)
        answer = _Answer(raw, stage, self._open)
        fault = framing_fault(answer.headers) or _head_fault(raw, answer.headers)
        if fault:
            answer.abort()
            raise BadResponse(f"{origin.name} sent an answer that cannot be used: {fault}")
        return answer

    def _session(self, origin: Origin) -> aiohttp.ClientSession:
        key = (origin.tls, origin.ca_file)
        session = self._sessions.get(key)
        if session is None:
            settings = self._settings
            connector = aiohttp.TCPConnector(
                limit=0,
                limit_per_host=settings.max_connections,
                keepalive_timeout=settings.keep_tls_s if origin.tls else settings.keep_plain_s,
                ssl=tls_context(origin.ca_file) if origin.tls else True,
            )
            wire: Any = functools.partial(_Wire, loop=asyncio.get_running_loop())
            connector._factory = wire  # noqa: SLF001 - there is no public way
            session = self._sessions[key] = aiohttp.ClientSession(
                connector=connector,
                headers={"Accept-Encoding": "identity"},
                skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
                trace_configs=[_tracing()],
                read_bufsize=HIGH_WATER // 2,  # it stops reading at twice that
                max_line_size=MAX_HEAD,
                max_field_size=MAX_HEAD,
            )
        return session


class _Wire(ResponseHandler):
    """A connection on which something came while nobody had asked is not taken from the pool again.

    aiohttp would keep those bytes and read them as the answer to the next call.
    """

    def is_connected(self) -> bool:
        return super().is_connected() and not self.should_close


class _Stage:
    """How far a call has come; aiohttp tells by its traces. The time limit of the stage it is in ends it."""

    def __init__(self, origin: Origin, timeouts: Timeouts) -> None:
        self.loop = asyncio.get_running_loop()
        self.origin = origin
        self.timeouts = timeouts
        self.total_by = None if timeouts.total_s is None else self.loop.time() + timeouts.total_s
        self.sent = False
        self.reused = False
        self.received = 0
        self._phase: Phase = "connect"
        self._total_first = False
        self._limit: asyncio.Timeout | None = None

    def enter(self, phase: Phase) -> None:
        self._phase = phase
        if phase == "first_byte":
            self.sent = True
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(self._by())

    async def guard(self, asking: asyncio.Future[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
        """The answer's head, or one of our errors."""
        try:
            async with asyncio.timeout_at(self._by()) as self._limit:
                return await asking
        except TimeoutError as error:
            raise self._late(error) from None
        except asyncio.CancelledError:
            if asking.cancelled() and not _is_cancelled():  # by close()
                raise self.broken_off("the HTTP client was closed") from None
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._translate(error) from error
        finally:
            self._limit = None

    async def read(self, content: aiohttp.StreamReader) -> bytes:
        """The next piece; empty at the end."""
        self._phase = "idle"
        try:
            async with asyncio.timeout_at(self._by()):
                piece = await content.readany()
        except TimeoutError as error:
            raise self._late(error) from None
        except (aiohttp.ClientError, OSError, http_exceptions.HttpProcessingError) as error:
            raise self._translate(error) from error
        self.received += len(piece)
        return piece

    def broken_off(self, how: str) -> HttpError:
        if not self.sent:
            return ConnectFailed(f"connection to {self.origin.name}: {how}; nothing was sent")
        return BrokenOff(
            f"connection to {self.origin.name}: {how}; {self.received} bytes of the answer had come, "
            "and the call may have been billed",
            received=self.received,
            reused=self.reused,
        )

    def _by(self) -> float:
        seconds = getattr(self.timeouts, f"{self._phase}_s")
        by: float = self.loop.time() + seconds
        self._total_first = self.total_by is not None and self.total_by <= by
        return self.total_by if self.total_by is not None and self._total_first else by

    def _late(self, error: TimeoutError) -> HttpError:
        if isinstance(error, OSError) and error.errno:
            return self._translate(error)
        return timed_out(self.origin, "total" if self._total_first else self._phase, self.timeouts, sent=self.sent)

    def _translate(self, error: Exception) -> HttpError:
        match error:
            case aiohttp.ClientConnectorCertificateError():
                cause = error.certificate_error
                return connect_failed(self.origin, cause if isinstance(cause, OSError) else OSError(str(cause)))
            case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
                return ConnectFailed(
                    f"cannot connect to {self.origin.name} through the proxy: {error}; nothing was sent"
                )
            case aiohttp.ClientConnectorError():
                return connect_failed(self.origin, error.os_error)
            case aiohttp.InvalidURL():
                return ConnectFailed(f"{self.origin.name}: the address or its proxy's cannot be used ({error})")
            case ssl.SSLError() if not self.sent:
                return connect_failed(self.origin, error)
        if not self.sent:
            return self.broken_off(str(error) or type(error).__name__)
        if _is_malformed(error):
            return BadResponse(f"{self.origin.name} sent an answer that cannot be used: {_short(error)}")
        return self.broken_off(_short(error))


class _Answer:
    """A `Response`."""

    def __init__(self, raw: aiohttp.ClientResponse, stage: _Stage, register: set[_Answer]) -> None:
        self.status = raw.status
        self.headers = [(name.lower(), value) for name, value in raw.raw_headers]
        self._raw = raw
        self._stage = stage
        self._error: HttpError | None = None
        self._register = register
        register.add(self)

    def header(self, name: bytes) -> bytes | None:
        return next((value for known, value in self.headers if known == name), None)

    async def read(self, limit: int = MAX_BODY) -> bytes:
        pieces, size = [], 0
        async for piece in self:
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                self.abort()
                name = self._stage.origin.name
                raise BadResponse(f"{name} answered with more than {limit} bytes; the connection was closed")
        return b"".join(pieces)

    def __aiter__(self) -> _Answer:
        return self

    async def __anext__(self) -> bytes:
        while self._error is None:
            content = self._raw.content
            if content.at_eof() and content.exception() is None:
                self._ended()
                raise StopAsyncIteration
            try:
                piece = await self._stage.read(content)
            except HttpError as error:
                self._error = self._error or error
                self._close()
            except asyncio.CancelledError:
                self.abort()
                raise
            else:
                if piece:
                    if content.at_eof():
                        self._ended()
                    return piece
        raise self._error

    def abort(self) -> None:
        if self._error is None and self in self._register:
            self._error = self._stage.broken_off("the call was given up on this side")
            self._close()

    def _ended(self) -> None:
        self._register.discard(self)

    def _close(self) -> None:
        self._register.discard(self)
        connection = self._raw.connection
        if connection is not None and connection.protocol is not None:
            connection.protocol.abort()  # at once, also with a request half written
        self._raw.close()


def _tracing() -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()

    def entering(phase: Phase) -> Any:
        async def note(_session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
            context.trace_request_ctx.enter(phase)

        return note

    async def reused(_session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
        context.trace_request_ctx.reused = True

    config.on_connection_queued_start.append(entering("queue"))
    config.on_connection_queued_end.append(entering("connect"))
    config.on_connection_create_start.append(entering("connect"))
    config.on_connection_reuseconn.append(reused)
    config.on_request_headers_sent.append(entering("first_byte"))
    return config


def _close_late(asking: asyncio.Future[aiohttp.ClientResponse]) -> None:
    if not asking.cancelled() and asking.exception() is None:
        asking.result().close()


def _decode_headers(block: bytes) -> list[tuple[str, str]]:
    """aiohttp takes text and sends it as UTF-8."""
    try:
        text = block.decode()
    except UnicodeDecodeError:
        text = block.decode("latin-1")
    pairs = (line.partition(": ") for line in text.split("\r\n") if line)
    return [(name, value) for name, _, value in pairs]


def _head_fault(raw: aiohttp.ClientResponse, headers: list[tuple[bytes, bytes]]) -> str:
    if raw.status == 101:
        return "status 101, though no other protocol was asked for"
    if raw.version is not None and raw.version.major != 1:
        return f"HTTP version {raw.version.major}.{raw.version.minor}"
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEAD:
        return f"a head of more than {MAX_HEAD} bytes"
    return ""


def _is_malformed(error: BaseException) -> bool:
    """Whether the upstream's bytes were wrong, not missing."""
    if isinstance(error, aiohttp.ClientPayloadError):
        cause = error.__cause__
        return isinstance(cause, http_exceptions.HttpProcessingError) and "Not enough data" not in str(cause)
    return isinstance(error, aiohttp.ClientResponseError | http_exceptions.HttpProcessingError | ValueError)


def _short(error: BaseException) -> str:
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the upstream closed it"
    text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return " ".join(text.split())[:200] or type(error).__name__


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
