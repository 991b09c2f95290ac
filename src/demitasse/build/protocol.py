"""uvicorn's HTTP protocol, which also tells the gateway at once when a client hangs up.

ASGI can only tell by a ``receive`` that somebody awaits: a task for every call, which costs more than the rest of a short
answer. Other servers, and tests, get by with that.
"""

from __future__ import annotations

from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..gateway.http import HANGUP, Hangup


class Protocol(HttpToolsProtocol):
    """One connection."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        cast("dict[str, Any]", self.scope)[HANGUP] = Hangup()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            hangup: Hangup | None = cast("dict[str, Any]", cycle.scope).get(HANGUP)
            if hangup is not None:
                hangup.fire()
