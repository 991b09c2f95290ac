"""Who may see and who may press: sessions, CSRF tokens, same-origin checks, login attempts, security headers.

Pure but for the attempts it remembers; the moment and the secrets are passed in. Knows no page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import Request

from .facts import LOCAL, Login, Visitor

SESSION = "dmt_session"
FLASH = "dmt_done"
SESSION_US = 12 * 3_600_000_000

POLICY = (
    "default-src 'self'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)

HEADERS: tuple[tuple[str, str], ...] = (
    (
        "content-security-policy",
        "; ".join(POLICY),
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    # Not no-referrer: browsers then send "Origin: null" with our own forms.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)

_T = TypeVar("_T")


class Session(Struct, frozen=True):
    """What a session cookie says: the key it was begun with, and when it ends."""

    id: str
    until_us: int


class Done(Struct, frozen=True):
    """What was just done, and the form that undoes it: where it posts to, with which fields."""

    text: str
    undo: str = ""
    fields: dict[str, str] = {}
    failed: bool = False
    """It was not done, and ``text`` says why."""


def seal(secret: bytes, purpose: str, value: Struct) -> str:
    """A cookie's text: the value as JSON and its HMAC-SHA-256 under the secret, bound to what it is for."""
    body = base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()
    return f"{body}.{_sign(secret, purpose, body)}"


def unseal(secret: bytes, purpose: str, text: str, type: type[_T]) -> _T | None:
    """What was sealed; None when it was not, or not by us."""
    body, _, signature = text.partition(".")
    if not hmac.compare_digest(_sign(secret, purpose, body).encode(), signature.encode()):
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=type)
    except (msgspec.DecodeError, binascii.Error):
        return None  # an older release's shape: as good as no cookie


def visitor_of(request: Request, login: Login | None, now_us: int) -> Visitor | None:
    """Who asks: anyone where no login is needed, else the holder of a session whose key is still in force."""
    if login is None:
        return LOCAL
    session = unseal(login.secret, "session", request.cookies.get(SESSION, ""), Session)
    if session is None or session.until_us <= now_us:
        return None
    return login.visitor(session.id)


def csrf_token(secret: bytes, visitor: Visitor) -> str:
    """Goes into every form; a foreign page cannot read it."""
    return _sign(secret, "csrf", visitor.id)[:32]


def may_post(request: Request, secret: bytes, visitor: Visitor, token: str) -> bool:
    """Whether a POST comes from one of our own pages."""
    return same_origin(request) and hmac.compare_digest(csrf_token(secret, visitor).encode(), token.encode())


def same_origin(request: Request) -> bool:
    """By what the browser says of itself; programs that say nothing are judged by their token."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host", "")


class Attempts:
    """Failed logins: at most ``each`` from one address and ``all`` together in a minute. Good keys are not asked."""

    def __init__(self, *, each: int = 5, all: int = 60) -> None:
        self._each = each
        self._all = all
        self._failed: list[tuple[int, str]] = []

    def wait_s(self, address: str, now_us: int) -> int:
        """Seconds until another try is allowed; 0 when it is."""
        self._failed = [(at, who) for at, who in self._failed if now_us - at < 60_000_000]
        own = [at for at, who in self._failed if who == address]
        over = own[-self._each :] if len(own) >= self._each else []
        if len(self._failed) >= self._all:
            over = [*over, self._failed[-self._all][0]]
        return -(-(min(over) + 60_000_000 - now_us) // 1_000_000) if over else 0

    def fail(self, address: str, now_us: int) -> None:
        self._failed.append((now_us, address))


def _sign(secret: bytes, purpose: str, text: str) -> str:
    return hmac.new(secret, f"demitasse dashboard {purpose}\0{text}".encode(), hashlib.sha256).hexdigest()
