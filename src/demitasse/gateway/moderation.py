"""Moderation by a model: a provider's endpoint, or a chat model asked with a fixed question. Booked as a call of our own.

Knows which model, and whether the text may go there; what is done about harm is decided in ``guarding``. Where the model cannot
be asked, the call goes on uncounted, unless its route refuses harm: then what could not be looked at is refused too.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable

from ..core.call import Call, Caller, Kind, Reply
from ..core.entry import Check
from ..core.errors import DemitasseError, Refused, StoreError, UpstreamError
from ..core.evidence import OWN_KEY
from ..guard.finding import Moderated
from ..guard.moderation import MOST_CHARS, from_chat, from_endpoint, has_endpoint, to_chat, to_endpoint
from .again import Own
from .locality import permits
from .route import Rung
from .steps import Steps

log = logging.getLogger("demitasse")

PATIENCE_S = 20.0
"""A client waits behind this; a moderator that takes longer is as good as none."""
_NO_SCHEMA = frozenset({400, 404, 422})
"""What servers say that do not know ``response_format``."""


class Moderator:
    """Asks models about harm, by their names in settings.

    Args:
        steps: the way of a client's call at this moment.
        id: a fresh call id for a moment.
        secret: makes the marks around a text, which nobody can foresee.
    """

    def __init__(self, steps: Callable[[], Steps], id: Callable[[int], str], *, secret: bytes) -> None:
        self._steps = steps
        self._id = id
        self._secret = secret
        self._made: tuple[Steps, Own] | None = None
        self._unconstrained: set[str] = set()
        """Models whose servers do not know ``response_format``."""

    async def __call__(self, model: str, text: str, call: Call, *, refuse: bool = False) -> tuple[Moderated, ...]:
        """What the model flags in a text of this call, the strongest first; empty: nothing, or it could not be asked.

        Args:
            call: whose text it is: where its data may go, its tenant and id.
            refuse: the route refuses harm, so what cannot be looked at is refused.

        Raises:
            Refused: with ``refuse``, where the model could not be asked.
        """
        if not text.strip():
            return ()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._ask(model, text, call)
        except TimeoutError:
            why = f"it did not answer in {PATIENCE_S:g} s"
        except StoreError:
            raise
        except _Unread as unread:
            why = str(unread)
        except DemitasseError as error:
            # An upstream's own words may repeat what it was sent, and budgets are nobody else's business.
            why = f"it failed ({_code(error)})"
        log.warning("call %s was not moderated by '%s': %s", call.id, model, why)
        if refuse:
            raise Refused(
                f"this route refuses what is harmful, and '{model}', which would tell, could not be asked: {why}; "
                "try again later",
                status=503,
                code="moderation_failed",
                type="server_error",
                final=False,
            )
        return ()

    async def reply(self, model: str, reply: Reply, call: Call) -> Check | None:
        """What the model says of an answer, as a check of it; None: it could not be asked, or there is nothing to read."""
        text = _text(reply)
        if not text.strip():
            return None
        try:
            harm = await self(model, text, call, refuse=True)
        except (Refused, StoreError):
            return None
        named = ", ".join(one.category for one in harm)
        return Check("moderation", not harm, round(max((one.score for one in harm), default=0.0), 4), named)

    async def _ask(self, model: str, text: str, call: Call) -> tuple[Moderated, ...]:
        if len(text) > MOST_CHARS:
            raise _Unread(f"the text is longer than the {MOST_CHARS:,} characters that are moderated")
        route = await self._steps().routes.resolve(model, Caller(key=OWN_KEY, name=OWN_KEY))
        rung = route.reference
        if not permits(call.stays, rung):
            raise _Unread("the call's data may not go there; name a local model as [guard] moderation")
        try:
            if has_endpoint(rung.upstream_model):
                reply = await self._put(to_endpoint(text, rung.alias), rung, call, "moderation")
                return from_endpoint(reply.body)
            return from_chat(_text(await self._chat(text, rung, call)))
        except ValueError as why:
            raise _Unread("its answer could not be read") from why

    async def _chat(self, text: str, rung: Rung, call: Call) -> Reply:
        mark = hashlib.blake2b(call.id.encode(), digest_size=6, key=self._secret[:64], person=b"moderation").hexdigest()
        if rung.alias not in self._unconstrained:
            try:
                return await self._put(to_chat(text, rung.alias, mark=mark), rung, call, "chat")
            except UpstreamError as error:
                if error.status not in _NO_SCHEMA:
                    raise
                self._unconstrained.add(rung.alias)
        return await self._put(to_chat(text, rung.alias, mark=mark, constrained=False), rung, call, "chat")

    async def _put(self, body: bytes, rung: Rung, call: Call, kind: Kind) -> Reply:
        again = await self._own().ask(
            body,
            rung,
            tenant=call.caller.tenant,
            purpose="moderation",
            of=call.id,
            route=call.model,
            kind=kind,
        )
        return again.reply

    def _own(self) -> Own:
        steps = self._steps()
        if self._made is None or self._made[0] is not steps:
            self._made = (steps, Own(steps, lambda _call, _reply: None, self._id))
        return self._made[1]


class _Unread(Exception):
    """The text was not moderated; says why, without a word of it."""


def _text(reply: Reply) -> str:
    from ..score.normal import answer_of  # noqa: PLC0415 - a start is spared what only moderation needs

    try:
        return answer_of(reply.body).text
    except ValueError:
        return ""


def _code(error: DemitasseError) -> str:
    return str(getattr(error, "code", "")) or type(error).__name__
