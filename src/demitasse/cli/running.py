"""The gateway that runs here, if one does: found by the note it leaves in the data directory, asked over HTTP.

Uses the standard library's client alone, because a command waits for one answer and should start at once.
"""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .ground import Failure, Place

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

NOTE = "gateway.json"
ASK_S = 2.0


class Gateway:
    """One running gateway: its address, and the key (if any) to speak with it."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.key = key

    @property
    def base_url(self) -> str:
        """What OpenAI's clients take."""
        return self.url + "/v1"

    @contextlib.contextmanager
    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = ASK_S,
    ) -> Iterator[HTTPResponse]:
        """One request; the response is open inside. Raises OSError or HTTPException when there is no answer."""
        connection = self._connect(timeout_s)
        sent = {"content-type": "application/json"} | dict(headers or {})
        if self.key:
            sent.setdefault("authorization", f"Bearer {self.key}")
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            yield connection.getresponse()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: Any = None, *, timeout_s: float = ASK_S) -> Any:
        """The decoded answer. Raises Failure with the server's own sentence when it is an error."""
        from http.client import HTTPException

        try:
            with self.ask(method, path, body, timeout_s=timeout_s) as response:
                data = response.read()
                status = response.status
        except (OSError, HTTPException) as error:
            raise Failure(f"the gateway at {self.url} does not answer ({error}); is it still running?") from error
        if status >= 400:
            raise Failure(error_text(data, status))
        return json.loads(data)

    def alive(self) -> bool:
        from http.client import HTTPException

        try:
            with self.ask("GET", "/healthz", timeout_s=1.0) as response:
                return response.status == 200 and b'"ok"' in response.read()
        except (OSError, HTTPException):
            return False

    def _connect(self, timeout_s: float) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        return kind(parts.hostname or "127.0.0.1", parts.port, timeout=timeout_s)


def find(place: Place, url: str | None = None, key: str | None = None) -> Gateway | None:
    """The gateway that was named, that left its note in the data directory, or that answers at the configured port.

    The last is not asked where a data directory was named: it may well write other books.
    """
    key = key or place.env.get("DEMITASSE_KEY")
    if named := url or place.env.get("DEMITASSE_URL"):
        gateway = Gateway(named.removesuffix("/").removesuffix("/v1"), key)
        if not gateway.alive():
            raise Failure(f"no gateway answers at {gateway.url}; check --url or DEMITASSE_URL")
        return gateway
    here = noted(place.data)
    if here is not None and (gateway := Gateway(here, key)).alive():
        return gateway
    address = None if place.names_data else configured(place)
    if address is not None and (gateway := Gateway(address, key)).alive():
        return gateway
    return None


def need(place: Place, url: str | None = None, key: str | None = None) -> Gateway:
    """The running gateway; Failure says how to start one."""
    gateway = find(place, url, key)
    if gateway is None:
        raise Failure("no gateway is running here; start one with: demitasse up")
    return gateway


def configured(place: Place) -> str | None:
    server = place.config().server
    if not server.port:
        return None
    host = "127.0.0.1" if server.host in {"0.0.0.0", "::", "localhost"} else server.host  # noqa: S104 - asked, not bound
    return f"{'https' if server.tls_cert else 'http'}://{f'[{host}]' if ':' in host else host}:{server.port}"


def noted(data: Path) -> str | None:
    """The address that a gateway on this data directory wrote down, if its process still lives."""
    note = _note(data)
    return None if note is None else str(note["url"])


def leave_note(data: Path, url: str) -> dict[str, Any] | None:
    """Write down where this process serves; every address of this machine is reached by loopback.

    Returns the note of another gateway that serves from the same directory, for ``take_note_away``.
    """
    other = _note(data)
    url = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    _write_note(data, {"url": url, "pid": os.getpid()})
    return other


def take_note_away(data: Path, other: Mapping[str, Any] | None = None) -> None:
    """Remove this process's note, or put another's back that still serves; what somebody else wrote since stays."""
    path = data / NOTE
    try:
        if json.loads(path.read_text(encoding="utf-8")).get("pid") != os.getpid():
            return
        path.unlink()
        if other is not None:
            os.kill(int(other["pid"]), 0)
            _write_note(data, other)
    except (OSError, ValueError):
        return


def _note(data: Path) -> dict[str, Any] | None:
    try:
        note = json.loads((data / NOTE).read_text(encoding="utf-8"))
        os.kill(int(note["pid"]), 0)
        return {"url": str(note["url"]), "pid": int(note["pid"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_note(data: Path, note: Mapping[str, Any]) -> None:
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = data / f".{NOTE}-{os.getpid()}"
    fresh.write_text(json.dumps(note) + "\n", encoding="utf-8")
    fresh.replace(data / NOTE)


def error_text(data: bytes, status: int) -> str:
    """The sentence in an error answer."""
    try:
        return str(json.loads(data)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the gateway answered with HTTP {status}"
