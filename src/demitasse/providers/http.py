"""The seam to the network: a POST or GET to an upstream, its answer whole or as it comes. Knows no provider, no JSON.

Two clients stand behind it, run against the same tests: `http_small` (ours: little CPU, no proxies) and `http_aiohttp`.
`choose` picks one. Neither repeats a request, follows a redirect, keeps a cookie or asks for compression: a repeated
POST may be paid twice, so whether to try again is for the caller to say, and the errors tell what it must know.

    HttpError              .sent: whether any of the request may have reached the upstream; False: it cannot be billed
    ├── BadRequest         we were asked to send something that is no valid HTTP
    ├── ConnectFailed      no connection: name, network, refusal, certificate, proxy
    ├── BrokenOff          the connection was lost after sending; .received, .reused
    ├── TimedOut           .phase: queue, connect, first_byte, idle or total
    └── BadResponse        what came back is no valid HTTP, or too large
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NewType, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from ..core.errors import ConfigError, DemitasseError
from .dial import reason

MAX_BODY = 64 << 20
"""Bytes that `Response.read` takes unless told otherwise."""
MAX_HEAD = 64 << 10
"""Bytes of names and values in a response's head; more is refused."""
HIGH_WATER = 256 << 10
"""Bytes of a body that wait for their reader before the upstream is made to wait."""

Phase = Literal["queue", "connect", "first_byte", "idle", "total"]
Headers = Sequence[tuple[bytes, bytes]]
HeaderBlock = NewType("HeaderBlock", bytes)
"""Header lines, checked and joined once by `encode_headers`, so that a call only has to copy them."""


class Timeouts(Struct, frozen=True):
    """Seconds. They are looked at every ``Settings.sweep_s``, so each may be late by that."""

    connect_s: float = 10.0
    """Name, TCP and TLS together."""
    first_byte_s: float = 600.0
    """From sending until the head of the answer is there."""
    idle_s: float = 120.0
    """Silence within an answer; time in which we made the upstream wait does not count."""
    total_s: float | None = None
    queue_s: float = 30.0
    """Waiting for one of the pool's connections."""


DEFAULT_TIMEOUTS = Timeouts()


class Settings(Struct, frozen=True):
    """How the client is set up. ``max_connections`` and ``max_idle`` are for each upstream."""

    client: Literal["auto", "small", "aiohttp"] = "auto"
    max_connections: int = 512
    max_idle: int = 128
    keep_plain_s: float = 4.0
    """How long an idle connection is kept. Engines behind uvicorn or node hang up after 5 s, and a request that
    crosses their good-bye is lost."""
    keep_tls_s: float = 45.0
    """Over TLS it is mostly load balancers, which wait 60 s and more, and a new handshake is dear."""
    sweep_s: float = 0.25
    """How often the small client looks at its timeouts."""


class HttpError(DemitasseError):
    """An exchange that did not come about, or not to its end. ``str`` names host and port and what to do."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class BadRequest(HttpError):
    """A header, path or address that cannot be sent; a line break in a header would let it pose as another request."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class ConnectFailed(HttpError):
    """Nothing was sent: it was never billed, and another upstream may be asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class BrokenOff(HttpError):
    """The connection was lost after sending. The upstream may have done the work and may bill it.

    ``received``: bytes of the answer that had come. ``reused``: the connection had served before; together with
    ``received == 0`` the likely cause is that the upstream was just closing it as idle.
    """

    def __init__(self, message: str, *, received: int = 0, reused: bool = False) -> None:
        super().__init__(message, sent=True)
        self.received = received
        self.reused = reused


class TimedOut(HttpError):
    def __init__(self, message: str, *, phase: Phase, sent: bool) -> None:
        super().__init__(message, sent=sent)
        self.phase: Phase = phase


class BadResponse(HttpError):
    """The upstream answered with something that is not HTTP, is ambiguous about where it ends, or is too large."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)


class Response(Protocol):
    """An answer whose head has come. Read it to its end or `abort` it: until then it holds a connection of the pool.

    Whoever is cancelled while reading loses the connection, as by `abort`.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    """Names in lower case."""

    def header(self, name: bytes) -> bytes | None:
        """The first value of that name (in lower case)."""

    async def read(self, limit: int = MAX_BODY) -> bytes:
        """The rest of the body. Raises BadResponse when it is longer than ``limit``, BrokenOff, TimedOut."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in pieces as they come. Raises as `read`, after the last piece that did come."""

    def abort(self) -> None:
        """Close the connection at once, so that the upstream stops. Does nothing after the last byte, or twice."""


class HttpClient(Protocol):
    def post(
        self,
        origin: Origin,
        path: bytes,
        headers: Headers | HeaderBlock,
        body: bytes,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> Awaitable[Response]:
        """Sends ``body`` to the origin's base path + ``path``; returns when the head of the answer is there."""

    def get(
        self, origin: Origin, path: bytes, headers: Headers | HeaderBlock, timeouts: Timeouts = DEFAULT_TIMEOUTS
    ) -> Awaitable[Response]: ...

    async def close(self) -> None:
        """Calls in flight break off; every socket is closed when this returns."""


class Origin(Struct, frozen=True, eq=False):
    """Where an upstream is: computed once from its base URL and shared by all calls. Compared by identity."""

    host: str
    """A name (ASCII) or an IP address, IPv6 without brackets."""
    port: int
    tls: bool
    host_header: bytes
    base_path: bytes
    """Without a slash at its end; empty for the root."""
    ca_file: str | None = None
    """Certificates (PEM) that are trusted besides the system's or SSL_CERT_FILE's."""

    @classmethod
    def parse(cls, url: str, ca_file: str | None = None) -> Origin:
        """From a base URL such as ``https://api.openai.com/v1``. Raises ConfigError."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise ConfigError(f"'{url}' is not an address ({error}); write it as https://host/path") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ConfigError(f"'{url}' is not an address; write it as https://host/path")
        if parts.username is not None or parts.query or parts.fragment:
            raise ConfigError(f"'{host}': an upstream's address has no password, no '?' and no '#'")
        tls = parts.scheme == "https"
        host = _ascii_host(host)
        path = parts.path.rstrip("/").encode()
        if path and not _TARGET.fullmatch(path):
            raise ConfigError(f"'{url}': percent-encode what is not plain ASCII in the path")
        shown = f"[{host}]" if ":" in host else host
        if port is not None and port != (443 if tls else 80):
            shown += f":{port}"
        return cls(host, port or (443 if tls else 80), tls, shown.encode(), path, ca_file)

    @property
    def name(self) -> str:
        """``host:port`` for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def key(self) -> tuple[str, int, bool, str | None]:
        """Origins with the same key may share connections."""
        return (self.host, self.port, self.tls, self.ca_file)


@lru_cache(maxsize=8)
def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """The system's certificates (or SSL_CERT_FILE's, SSL_CERT_DIR's) and ``ca_file``'s; host names are verified."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"ca_file '{ca_file}' cannot be used ({error}); it must hold PEM certificates") from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def encode_headers(headers: Headers) -> HeaderBlock:
    """Header lines as they are sent. Raises BadRequest where a name or value could be mistaken for something else."""
    lines = []
    for name, value in headers:
        if not _NAME.fullmatch(name) or name.lower() in _CLIENTS_OWN:
            raise BadRequest(f"header {name!r} cannot be sent: it is not a header's name, or the client sets it itself")
        if _CONTROL.search(value):
            raise BadRequest(f"header {name!r} cannot be sent: its value has a line break or control character")
        lines.append(b"%b: %b\r\n" % (name, value.strip()))
    return HeaderBlock(b"".join(lines))


def request_head(method: bytes, origin: Origin, path: bytes) -> bytes:
    """Request line and the headers that every request has. Raises BadRequest."""
    target = (origin.base_path + path) or b"/"
    if not _TARGET.fullmatch(target):
        raise BadRequest(f"{origin.name}: path {target!r} cannot be sent; it must begin with / and be percent-encoded")
    return b"%b %b HTTP/1.1\r\nhost: %b\r\naccept-encoding: identity\r\n" % (method, target, origin.host_header)


def choose(settings: Settings, env: Mapping[str, str]) -> HttpClient:
    """``auto`` is the small client, and aiohttp for those upstreams which ``env`` puts behind a proxy."""
    from .http_small import SmallClient  # noqa: PLC0415 - it builds on this module

    if settings.client == "small":
        return SmallClient(settings)
    if settings.client == "aiohttp":
        from .http_aiohttp import AiohttpClient  # noqa: PLC0415 - heavy

        return AiohttpClient(settings, env)
    from .proxies import Proxies, ProxyAware  # noqa: PLC0415 - builds on this module

    proxies = Proxies(env)
    return ProxyAware(settings, env, proxies) if proxies else SmallClient(settings)


def framing_fault(headers: list[tuple[bytes, bytes]]) -> str:
    """Why a body cannot be taken as it is: encoded although nothing but identity was asked for. Empty: it can."""
    for name, value in headers:
        if name == b"transfer-encoding" and value.lower() != b"chunked":
            return f"transfer-encoding {value!r}"
        if name == b"content-encoding" and value.lower() not in (b"identity", b""):
            return f"content-encoding {value!r}, though none was asked for; switch compression off at the upstream"
    return ""


def connect_failed(origin: Origin, error: OSError) -> ConnectFailed:
    """What the user can do about it, by kind."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"its certificate was not accepted ({error.verify_message}); "
        if error.verify_code in _WRONG_NAME:
            why += "check the host's name in base_url"
        else:
            why += "if it is signed by a CA of your own, name the CA's file in SSL_CERT_FILE"
    elif isinstance(error, ssl.SSLError):
        why = f"the TLS handshake failed ({error.reason or error}); does it speak https on this port?"
    elif isinstance(error, socket.gaierror):
        why = f"the name is not known ({error.strerror}); check base_url and DNS"
    else:
        why = f"{reason(error)}; is it running, and is base_url right?"
    return ConnectFailed(f"cannot connect to {origin.name}: {why}")


def timed_out(origin: Origin, phase: Phase, timeouts: Timeouts, *, sent: bool) -> TimedOut:
    """The sentence for each phase."""
    message = _LATE[phase].format(name=origin.name, t=timeouts)
    return TimedOut(message + ("" if sent else "; nothing was sent"), phase=phase, sent=sent)


_LATE: dict[Phase, str] = {
    "queue": "{name}: all connections were busy for {t.queue_s:g} s; allow more connections, or ask less at once",
    "connect": "{name}: no connection within {t.connect_s:g} s; is it reachable from here?",
    "first_byte": "{name}: no answer within {t.first_byte_s:g} s of asking; if it needs longer, raise the timeout",
    "idle": "{name}: its answer stood still for {t.idle_s:g} s and was given up",
    "total": "{name}: not finished within {t.total_s:g} s, the limit for the whole call",
}
_WRONG_NAME = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH"""
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_TARGET = re.compile(rb"/[!-~]*")
_CLIENTS_OWN = frozenset(
    b"host content-length transfer-encoding connection keep-alive te trailer upgrade expect accept-encoding"
    b" proxy-connection proxy-authorization".split()
)


def _ascii_host(host: str) -> str:
    if host.isascii():
        if not re.fullmatch(r"[0-9a-z._-]+|[0-9a-f:.]+(%[0-9a-z]+)?", host):
            raise ConfigError(f"'{host}' is not a host's name")
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        raise ConfigError(f"'{host}' is not a host's name") from None
