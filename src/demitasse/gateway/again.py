"""The same call put to another model as a call of our own: held, settled and in the books like any other.

For shadows, judges and checks. It is booked under ``OWN_KEY``, on budgets of that key and the totals; never with a
client's provider key, never from or into a cache; and nothing that goes wrong with it touches a client's call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Raw, Struct, structs

from ..core.call import Call, Caller, Event, Kind, Reply
from ..core.entry import Entry
from ..core.evidence import OWN_KEY
from ..wire.ask import read
from .answer import Client, Facts, Steps, answer
from .attempt import Breakers
from .budget import Budgets
from .request import as_call
from .route import Route, Routes, Rung

Purpose = Literal["shadow", "judge", "check", "moderation", "grounding"]
"""shadow: what would another model have said · judge: which of two answers is better · check: would the model have said
what the semantic cache has, and which of the two is better · moderation: is a text harmful · grounding: does a claim stand in
what was supplied."""


_MOST_ROUTES = 256


class Again(Struct, frozen=True):
    """What the other model said, and the entry that it is booked as."""

    reply: Reply
    entry: Entry


class Own:
    """Asks on our own account.

    Args:
        steps: the way of a client's call, which ours follow but for breakers and clamping.
        keep: keeps a call's bodies, or not; given the call and its reply, returns the reference.
        id: a fresh call id for a moment.
    """

    def __init__(self, steps: Steps, keep: Callable[[Call, Reply], str | None], id: Callable[[int], str]) -> None:
        self._steps = structs.replace(
            steps,
            # A shortened answer is another answer: what does not fit is left out instead.
            budgets=Budgets(steps.ledger, clamp=False, assume_max_output=steps.settings.assume_max_output),
            # A model that fails our calls is not thereby closed to clients.
            breakers=Breakers(steps.settings.breaker),
        )
        self._keep = keep
        self._routes: dict[tuple[str, Rung], _Only] = {}
        self._id = id

    async def repeat(self, call: Call, rung: Rung, *, purpose: Purpose, route: str, keep: bool) -> Again:
        """Put a client's call to ``rung``, for what is learned of ``route``.

        Args:
            keep: its bodies too, as those of the client's call are.

        Raises Refused (no budget has room for it), UpstreamError or StoreError.
        """
        body = without_delivery(call, rung.alias)
        tenant, person = call.caller.tenant, call.person
        return await self._ask(call.kind, body, rung, tenant, call.session, purpose, call.id, route, keep, person)

    async def ask(
        self, body: bytes, rung: Rung, *, tenant: str, purpose: Purpose, of: str, route: str, kind: Kind = "chat"
    ) -> Again:
        """Put a question of our own about the call ``of`` to ``rung``; its bodies are not kept. Raises as ``repeat``."""
        return await self._ask(kind, body, rung, tenant, "", purpose, of, route, keep=False)

    async def _ask(
        self,
        kind: Kind,
        body: bytes,
        rung: Rung,
        tenant: str,
        session: str,
        purpose: Purpose,
        of: str,
        route: str,
        keep: bool,
        person: str | None = None,
    ) -> Again:
        at_us = self._steps.clock()
        id = self._id(at_us)
        caller = Caller(key=OWN_KEY, name=OWN_KEY, tenant=tenant)
        call = structs.replace(
            as_call(read(kind, body), id, id, at_us, caller, {}),
            tags=(("purpose", purpose), ("of", of)),
            session=session,
            person=person,
        )
        facts = Facts()
        steps = structs.replace(self._steps, routes=self._only(route, rung), keep=self._keep if keep else _not_kept)
        reply = await answer(call, facts, Nobody(), steps)
        assert facts.entry is not None
        return Again(reply, facts.entry)

    def _only(self, route: str, rung: Rung) -> _Only:
        """The same one each time: what others remember of a route, they remember by its identity."""
        known = self._routes.get((route, rung))
        if known is None:
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            known = self._routes[route, rung] = _Only(Route(route, rung, stamp=rung.upstream_model))
        return known


def without_delivery(call: Call, model: str) -> bytes:
    """The call's body for ``model``, whole instead of streamed; all else as it was, in its order."""
    fields = {name: raw for name, raw in call.fields.items() if name not in ("stream", "stream_options")}
    fields["model"] = Raw(msgspec.json.encode(model))
    return msgspec.json.encode(fields)


def for_model(body: bytes, model: str) -> bytes:
    """A request of our own making for ``model``."""
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    return msgspec.json.encode({"model": Raw(msgspec.json.encode(model)), **fields})


def _not_kept(_call: Call, _reply: Reply) -> None:
    return None


class _Only(Routes):
    """One route, whatever is asked for."""

    def __init__(self, route: Route) -> None:
        super().__init__((route,))
        self._route = route

    def find(self, name: str) -> Route | None:  # noqa: ARG002 - the Routes' signature
        return self._route


class Nobody(Client):
    """The other end of a call that no client waits for."""

    async def send(self, event: Event) -> None:
        """There is nobody to pass it to."""

    def watch(self, on_hangup: Callable[[], object]) -> None:
        """Nobody hangs up."""

    def unwatch(self) -> None:
        """Nor was it watched."""

    def expect_stream(self) -> None:
        """Nobody waits."""
