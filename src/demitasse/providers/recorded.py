"""Answers from the ledger's kept bodies, as a Model: the same question gets the answer it once got. Asks nobody.

For replays and tests without cost. Needs ``[keep] bodies``; knows recordings by their fingerprint, not where they lie.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from ..core.call import Call, Event, Reply, Send, Usage
from ..core.errors import UpstreamError
from ..core.fingerprint import DELIVERY, fingerprint
from ..core.quiet import quiet
from ..wire.chunks import explode, rename


class Recording(Struct, frozen=True):
    """What is kept of an answered call; both texts as they were on the wire."""

    __repr__ = quiet

    id: str
    """The entry's."""
    kind: str
    request: msgspec.Raw
    reply: msgspec.Raw
    model: str
    """The upstream's own name of the model that answered."""
    usage: Usage | None = None
    finish: str | None = None
    complete: bool = True


Look = Callable[[bytes], Awaitable[Recording | None]]


def mark(call: Call) -> bytes:
    """What a recording is found by: tenant, kind and the request, whichever model was asked."""
    head = f"{call.caller.tenant}\0{call.kind}\0".encode()
    return fingerprint(head, call.body, without=DELIVERY | {"model"})


class Recorded:
    """Replays recordings. ``look`` finds one by its mark."""

    def __init__(self, alias: str, look: Look) -> None:
        self.alias = alias
        self._look = look

    async def __call__(self, call: Call, send: Send) -> Reply:
        """Raises UpstreamError 404 (``not_recorded``) when this question was never asked, or its body was not kept."""
        found = await self._look(mark(call))
        if found is None:
            raise UpstreamError(
                f"'{self.alias}' has no recorded answer to this; bodies are kept with [keep] bodies = true, per key and team",
                status=404,
                code="not_recorded",
                type="invalid_request_error",
                retryable=False,
            )
        body = rename(bytes(found.reply), call.model)
        if call.stream:
            for data in explode(body, include_usage=call.include_usage, kind=call.kind):
                await send(Event(data, content=True, text_chars=48))
        return Reply(body, found.model, found.usage, finish=found.finish, complete=found.complete)
