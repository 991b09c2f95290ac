"""A model or a route asked on the lab's account: the way of a client's call, without caches and without traces for others.

What a route would do (policy, drafts, fallbacks, shaping) is done; it is held, settled and chained under ``LAB_KEY``. Knows no
task and no score.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from ..core.call import Call, Caller, Reply, Wish
from ..core.entry import Entry
from ..core.evidence import LAB_KEY
from ..wire.ask import read
from .again import Nobody, for_model
from .answer import Facts, Steps, answer
from .attempt import Breakers
from .budget import Budgets
from .loop_guard import Repeats
from .request import as_call
from .settings import LoopGuard

Told = Callable[[str, Reply], None]
"""Called with the call's id and its answer, before either is in the books."""


class Examiner:
    """Asks for the lab.

    Args:
        steps: the way of a client's call.
        evaluation: the run's id. Calls bear it as a tag that is theirs for good, so that a budget on it is a hard limit.
        id: a fresh call id for a moment.
    """

    def __init__(self, steps: Steps, evaluation: str, id: Callable[[int], str]) -> None:
        tag = ("evaluation", evaluation)
        self._caller = Caller(key=LAB_KEY, name=LAB_KEY, tenant=LAB_KEY, pinned_tags=(tag,))
        self._tags = (("purpose", "evaluation"), tag)
        self._id = id
        self._steps = structs.replace(
            steps,
            # A shortened answer is another answer: what does not fit is refused, and the run stops there.
            budgets=Budgets(steps.ledger, clamp=False, assume_max_output=steps.settings.assume_max_output),
            # A task asks much the same thing a thousand times, and means it.
            repeats=Repeats(LoopGuard(enabled=False)),
            breakers=Breakers(steps.settings.breaker),
            semantic=None,
            check=None,
            shadow=None,
        )
        self.paid_nanos = 0
        """For all calls so far, those that failed and were billed among them."""

    async def ask(self, body: bytes, model: str, told: Told) -> Entry:
        """Put a chat request to what ``model`` names; returns the entry it is booked under.

        Raises Refused (no budget has room, no such model), UpstreamError or StoreError.
        """
        steps = self._steps
        at_us = steps.clock()
        id = self._id(at_us)
        call = structs.replace(
            as_call(read("chat", for_model(body, model)), id, id, at_us, self._caller, {}),
            tags=self._tags,
            wish=Wish(cache="no-store"),
            session=id,
        )

        def keep(call: Call, reply: Reply) -> None:
            told(call.id, reply)

        facts = Facts()
        try:
            await answer(call, facts, Nobody(), structs.replace(steps, keep=keep))
        finally:
            self.paid_nanos += (facts.entry.cost_nanos or 0) if facts.entry is not None else 0
        assert facts.entry is not None
        return facts.entry
