"""What the guard makes of a call: the call as models may see it, and its answer as the client is to get it.

Knows placeholders and events; decides nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import cache
from types import ModuleType
from typing import Protocol

from msgspec import Struct, structs

from ..core.call import Call, Event, Reply
from ..core.entry import Check, Entry, Guarded
from ..core.errors import UpstreamError
from .closing import Facts
from .ladder import STANDS, Confirm, Judge, Ladder, Verdict
from .pilot import Course
from .route import Route
from .steps import Client

log = logging.getLogger("demitasse")


class Restorer(Protocol):
    """Puts values back in the place of their placeholders; one for each call. See ``wire/restore``."""

    def reply(self, reply: Reply) -> Reply: ...

    def event(self, event: Event) -> list[Event]: ...

    def end(self) -> list[Event]: ...

    def body(self, body: bytes) -> bytes: ...


class Grey(Protocol):
    """Has a model decide what the check ``grounding`` cannot; one for each call. See ``gateway.grounding``."""

    def draft(self, draft: Reply, verdict: Verdict) -> Awaitable[Verdict]:
        """The verdict on a draft that would stand, once its grey claims are judged. Never raises."""
        ...

    def told(self, reply: Reply, found: tuple[Check, ...]) -> tuple[Check, ...]:
        """The checks of an answer, with what was found of it as a draft."""
        ...

    def given(self, reply: Reply, entry: Entry) -> None:
        """Of an answer that is in the books. Returns at once."""
        ...


class Passage(Struct, frozen=True, eq=False):
    """A call that was let through."""

    call: Call
    """As models may see it: what was redacted is a placeholder, in ``fields`` and in ``body``."""
    route: Route
    """Its models are those alone that the data may be put to."""
    checks: tuple[str, ...] = ()
    """What answers are checked for, by the names of ``[guard] checks``."""
    restorer: Restorer | None = None
    moderate: Callable[[Reply, Call], Awaitable[Check | None]] | None = None
    """Asks a model whether an answer is harmful; None: not asked for."""
    grey: Grey | None = None
    """Asks a model about claims of an answer that nobody could decide; None: not asked for."""
    harm: Callable[[Call, Facts], Awaitable[None]] | None = None
    """Asks a model whether the prompt is harmful, and tells it in ``facts.guard``; raises Refused where that is refused. It
    costs money, so a key that may not call now is turned away before."""
    redacted: bool = False
    """Placeholders stand in it. They belong to one conversation, so that no other question's answer fits."""

    @property
    def restricted(self) -> bool:
        """Its data may not go everywhere: then nothing of it is put to further models to learn from, and no policy of the
        whole route applies."""
        return self.call.stays != ""

    def way(self, course: Course, judge: Judge | None) -> tuple[Ladder, Judge | None]:
        """What the call climbs and the judge of its drafts, by whom none stands that fails a check.

        An answer that a policy lets a cheaper model give by itself is a draft, too, where a better model stands behind it. A
        stream of it is held back only where more than ``leaks`` has something to check: its first words would wait for the last.
        """
        if not self.checks:
            return course.ladder, judge
        checks = _checks()
        if judge is None:
            if course.checked is None or (self.call.stream and not checks.demanding(self.call, self.checks)):
                return course.ladder, None
            return course.checked, checks.judged(lambda *_: STANDS, checks.checks_of(self.checks), self.call)
        return course.ladder, checks.judged(judge, checks.checks_of(self.checks), self.call)

    def checked(self, reply: Reply, told: Guarded | None) -> Guarded | None:
        """What the guard tells of the call, with the checks of its answer. Never raises."""
        if not self.checks or told is None:
            return told
        checks = _checks()
        found = checks.check_reply(self.call, reply, checks.checks_of(self.checks))
        if self.grey is not None:
            found = self.grey.told(reply, found)
        return structs.replace(told, checks=found) if found else told

    @property
    def confirm(self) -> Confirm | None:
        """What looks once more at a draft that would stand."""
        return self.grey.draft if self.grey is not None else None

    def given(self, reply: Reply, entry: Entry) -> None:
        """Of an answer that is in the books, for those who look at it afterwards. Returns at once."""
        if self.grey is not None:
            self.grey.given(reply, entry)

    async def moderated(self, reply: Reply, told: Guarded | None) -> Guarded | None:
        """The same with what the moderator says of the answer. Never raises; a stream has been sent by then."""
        if self.moderate is None or told is None:
            return told
        try:
            found = await self.moderate(reply, self.call)
        except Exception:
            # An answer that is given and paid for is not taken back because nobody could look at it.
            log.exception("the answer of call %s was not moderated", self.call.id)
            return told
        return structs.replace(told, checks=(*told.checks, found)) if found is not None else told

    def listening(self, client: Client) -> Client:
        """The client, to whom values come back in the place of placeholders."""
        return client if self.restorer is None else _Listening(client, self.restorer)

    async def end(self, client: Client) -> None:
        """A stream is over, or broke off: let go of what was held back. ``client``: the one that ``listening`` gave."""
        if isinstance(client, _Listening):
            await client.end()

    def restored(self, reply: Reply) -> Reply:
        """A whole answer as the client is to get it."""
        return reply if self.restorer is None or self.call.stream else self.restorer.reply(reply)

    def restored_error(self, error: UpstreamError) -> UpstreamError:
        """An upstream may repeat what it was sent in its error; the client is told of its own words."""
        if self.restorer is not None:
            error.message = self.restorer.body(error.message.encode()).decode()
            if error.body is not None:
                error.body = self.restorer.body(error.body)
        return error


@cache
def _checks() -> ModuleType:
    from . import checks  # noqa: PLC0415 - it loads what scores answers, which a start is spared

    return checks


class _Listening(Client):
    """A client behind a restorer."""

    def __init__(self, client: Client, restorer: Restorer) -> None:
        self._client = client
        self._restorer = restorer

    async def send(self, event: Event) -> None:
        for restored in self._restorer.event(event):
            await self._client.send(restored)

    async def end(self) -> None:
        for event in self._restorer.end():
            await self._client.send(event)

    def watch(self, on_hangup: Callable[[], object]) -> None:
        self._client.watch(on_hangup)

    def unwatch(self) -> None:
        self._client.unwatch()

    def expect_stream(self) -> None:
        self._client.expect_stream()
