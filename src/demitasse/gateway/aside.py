"""Questions of our own about a call, put to the model that a setting names: where its data may go, within a time, booked.

For what a rule wants a model's word on while a call is under way (moderation, claims that nobody could decide). Knows how such a
question is asked, and nothing of what it says.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..core.call import Call, Caller, Kind, Reply
from ..core.errors import DemitasseError, StoreError, UpstreamError
from ..core.evidence import OWN_KEY
from .again import Own, Purpose
from .locality import permits
from .route import Rung
from .steps import Steps

_T = TypeVar("_T")

_NO_SCHEMA = frozenset({400, 404, 422})
"""What servers say that do not know ``response_format``."""


class Unasked(Exception):
    """There is no answer; says why, without a word of the text."""


class Aside:
    """Asks models by their names in settings.

    Args:
        purpose: what it is booked as; also sets its marks apart from others'.
        setting: which one names the model, for whoever has to mend it.
        steps: the way of a client's call at this moment.
        id: a fresh call id for a moment.
        secret: makes the marks around a text, which nobody can foresee.
    """

    def __init__(
        self, purpose: Purpose, setting: str, steps: Callable[[], Steps], id: Callable[[int], str], *, secret: bytes
    ) -> None:
        self._purpose: Purpose = purpose
        self._setting = setting
        self._steps = steps
        self._id = id
        self._secret = secret
        self._made: tuple[Steps, Own] | None = None
        self._unconstrained: set[str] = set()
        """Models whose servers do not know ``response_format``."""

    async def within(self, patience_s: float, answer: Awaitable[_T]) -> _T:
        """The answer, if it comes in time. Raises Unasked, whatever kept it from coming, or StoreError."""
        try:
            async with asyncio.timeout(patience_s):
                return await answer
        except TimeoutError:
            raise Unasked(f"it did not answer in {patience_s:g} s") from None
        except StoreError:
            raise
        except DemitasseError as error:
            # An upstream's own words may repeat what it was sent, and budgets are nobody else's business.
            raise Unasked(f"it failed ({getattr(error, 'code', '') or type(error).__name__})") from error

    async def rung(self, model: str, call: Call) -> Rung:
        """Who is asked. Raises Unasked where the call's data may not go there, Refused where nobody is known by that name."""
        route = await self._steps().routes.resolve(model, Caller(key=OWN_KEY, name=OWN_KEY))
        if not permits(call.stays, route.reference):
            raise Unasked(f"the call's data may not go there; name a local model as {self._setting}")
        return route.reference

    def mark(self, call: Call) -> str:
        """What stands around the texts of this call's question: they cannot know it, so they cannot end their own part."""
        person = self._purpose.encode()
        return hashlib.blake2b(call.id.encode(), digest_size=6, key=self._secret[:64], person=person).hexdigest()

    async def chat(self, body: Callable[[bool], bytes], rung: Rung, call: Call) -> str:
        """What it says, with JSON of a schema asked for, or without where its server refuses that.

        Args:
            body: the question, given whether it may hold ``response_format``.
        """
        if rung.alias not in self._unconstrained:
            try:
                return text_of(await self.put(body(True), rung, call))
            except UpstreamError as error:
                if error.status not in _NO_SCHEMA:
                    raise
                self._unconstrained.add(rung.alias)
        return text_of(await self.put(body(False), rung, call))

    async def put(self, body: bytes, rung: Rung, call: Call, kind: Kind = "chat") -> Reply:
        """Its answer to a question about this call, which is then in the books. Raises as ``Own.ask``."""
        again = await self._own().ask(
            body, rung, tenant=call.caller.tenant, purpose=self._purpose, of=call.id, route=call.model, kind=kind
        )
        return again.reply

    def _own(self) -> Own:
        steps = self._steps()
        if self._made is None or self._made[0] is not steps:
            self._made = (steps, Own(steps, lambda _call, _reply: None, self._id))
        return self._made[1]


def text_of(reply: Reply) -> str:
    """What an answer says; "" where it is none."""
    from ..score.normal import answer_of  # noqa: PLC0415 - a start is spared what only these questions need

    try:
        return answer_of(reply.body).text
    except ValueError:
        return ""
