"""Moderation by a model: a provider's endpoint, or a chat model asked with a fixed question. Booked as a call of our own.

Knows which model, and whether the text may go there; what is done about harm is decided in ``guarding``. Where the model cannot
be asked, the call goes on uncounted, unless its route refuses harm: then what could not be looked at is refused too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..core.call import Call, Reply
from ..core.entry import Check
from ..core.errors import Refused, StoreError
from ..guard.finding import Moderated
from ..guard.moderation import MOST_CHARS, from_chat, from_endpoint, has_endpoint, to_chat, to_endpoint
from .aside import Aside, Unasked, text_of
from .steps import Steps

log = logging.getLogger("demitasse")

PATIENCE_S = 20.0
"""A client waits behind this; a moderator that takes longer is as good as none."""


class Moderator:
    """Asks models about harm, by their names in settings.

    Args:
        steps: the way of a client's call at this moment.
        id: a fresh call id for a moment.
        secret: makes the marks around a text, which nobody can foresee.
    """

    def __init__(self, steps: Callable[[], Steps], id: Callable[[int], str], *, secret: bytes) -> None:
        self._aside = Aside("moderation", "[guard] moderation", steps, id, secret=secret)

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
            return await self._aside.within(PATIENCE_S, self._ask(model, text, call))
        except Unasked as unasked:
            why = str(unasked)
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
        text = text_of(reply)
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
            raise Unasked(f"the text is longer than the {MOST_CHARS:,} characters that are moderated")
        rung = await self._aside.rung(model, call)
        try:
            if has_endpoint(rung.upstream_model):
                reply = await self._aside.put(to_endpoint(text, rung.alias), rung, call, "moderation")
                return from_endpoint(reply.body)
            mark = self._aside.mark(call)
            said = await self._aside.chat(
                lambda constrained: to_chat(text, rung.alias, mark=mark, constrained=constrained), rung, call
            )
            return from_chat(said)
        except ValueError as why:
            raise Unasked("its answer could not be read") from why
