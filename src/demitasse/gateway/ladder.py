"""A ladder of models: drafts below, which may be refused unseen, and a top that is heard. Knows no policy and no money.

Tokens can't be unsent. So the types keep apart what may still be refused from what may be streamed: a ``Drafter`` can only
give a whole ``Draft``, it takes no ``send``; the client's ``send`` is for the ``top`` alone, and for a draft that stands.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Protocol

from msgspec import Struct

from ..core.call import Reply, Send
from ..core.errors import UpstreamError
from .attempt import Climb, Draft
from .route import Rung

log = logging.getLogger("demitasse")


class Drafter:
    """A lower rung: a model whose answer is judged before anybody sees it.

    Args:
        patient: it was to answer by itself, and is asked for as long as any model that does; else it is asked once.
    """

    __slots__ = ("_patient", "_rung")

    def __init__(self, rung: Rung, *, patient: bool = False) -> None:
        self._rung = rung
        self._patient = patient

    @property
    def alias(self) -> str:
        return self._rung.alias

    async def draft(self, climb: Climb) -> Draft:
        """Its whole answer. Raises UpstreamError."""
        return await (climb.whole(self._rung) if self._patient else climb.draft(self._rung))


class Ladder(Struct, frozen=True, eq=False):
    """What a call climbs: drafts in this order, until one stands; else the top, which streams as it comes.

    The first drafter's answer is the one that may stand; a second one's is only compared with it.
    """

    rungs: tuple[Drafter, ...]
    top: Rung
    fallbacks: tuple[Rung, ...] = ()
    """Asked in this order when the top cannot answer."""
    forgive: bool = False
    """The top is a policy's choice: whatever it fails by, the fallbacks are asked."""


class Verdict(Struct, frozen=True):
    """What was found of a draft."""

    stands: bool
    score: float | None = None
    ask_second: bool = False
    """Another drafter's answer could change it."""
    reason: str = ""
    """In words, for the books."""


STANDS = Verdict(stands=True)
"""What is found of an answer that a policy lets a cheaper model give by itself; a check may still hold it back."""


class Judge(Protocol):
    """Whether a draft may be given to the client. Pure, and quick: it runs between two bytes of an answer."""

    def __call__(self, draft: Reply, second: Reply | None) -> Verdict: ...


Confirm = Callable[[Reply, Verdict], Awaitable[Verdict]]
"""A second look at a draft that would stand, by somebody who takes longer than the judge may; the verdict that then holds."""


class Ascent:
    """One call's way up a ladder, and where it has come to; as complete at every moment as its ``climb``."""

    __slots__ = (
        "_confirm",
        "_judge",
        "_ladder",
        "accepted",
        "answering",
        "climb",
        "escalated",
        "kept_draft",
        "verdict",
        "why",
    )

    def __init__(
        self, ladder: Ladder, climb: Climb, judge: Judge | None = None, confirm: Confirm | None = None
    ) -> None:
        self._ladder = ladder
        self._judge = judge
        self._confirm = confirm
        self.climb = climb
        self.answering: int | None = None
        """Which attempt's answer the client gets."""
        self.verdict: Verdict | None = None
        self.accepted = False
        """A draft stood."""
        self.escalated = False
        """A draft, or what a policy put first, was not what the client got; or is not going to be."""
        self.kept_draft = False
        """The top failed, and the best draft was served in its place."""
        self.why = ""
        """Why it went further up than it began."""

    @property
    def speaker(self) -> str | None:
        """Our name of the model that answers, as far as that is known; else of the one that is being asked."""
        if self.answering is not None:
            return self.climb.attempts[self.answering].model
        return self.climb.rung.alias if self.climb.rung is not None else None

    @property
    def stands_in(self) -> bool:
        """The answer is neither what a policy chose nor the reference's: it is given because that one failed."""
        if self.kept_draft or self.climb.rung is None:
            return self.kept_draft
        ladder = self._ladder
        own = (ladder.top, *ladder.fallbacks[:1]) if ladder.forgive else (ladder.top,)
        return not self.accepted and self.climb.rung not in own

    async def run(self, send: Send) -> Reply:
        """The answer. Raises UpstreamError from the last model asked, when there is none at all."""
        best: Draft | None = None
        if self._ladder.rungs and self._judge is not None:
            best = await self._draft(self._judge)
            if best is not None and self.verdict is not None and self.verdict.stands:
                self.accepted = True
                return await self._serve(best, send)
            self.escalated = True
        ladder = self._ladder
        try:
            reply, rung = await self.climb.run(
                (ladder.top, *ladder.fallbacks), send, forgive=ladder.top if ladder.forgive else None
            )
        except UpstreamError as failed:
            if best is None or self.climb.content or failed.after_content:
                raise
            self.kept_draft = True
            self.why = f"{self.why}; then {failed.message}"
            return await self._serve(best, send)
        if ladder.forgive and rung is not ladder.top:
            self.escalated = True
            self.why = f"'{ladder.top.alias}' could not answer"
        self.answering = len(self.climb.attempts) - 1
        return reply

    async def _draft(self, judge: Judge) -> Draft | None:
        """The first drafter's answer and the verdict on it; None where it gave none."""
        first, *others = self._ladder.rungs
        try:
            draft = await first.draft(self.climb)
        except UpstreamError as failed:
            self.why = f"no draft: {failed.message}"
            return None
        verdict = self._judged(judge, draft, None)
        if verdict.ask_second and others:
            try:
                second = await others[0].draft(self.climb)
            except UpstreamError as failed:
                log.info("no second opinion on a draft: %s", failed)
            else:
                verdict = self._judged(judge, draft, second)
        if verdict.stands and self._confirm is not None:
            began = perf_counter()
            verdict = await self._confirm(draft.reply, verdict)
            self.climb.open_s += perf_counter() - began
        self.verdict = verdict
        self.why = verdict.reason
        return draft

    def _judged(self, judge: Judge, draft: Draft, second: Draft | None) -> Verdict:
        try:
            return judge(draft.reply, second.reply if second is not None else None)
        except Exception:
            # A fault in what was learned must cost money, never an answer.
            log.exception("a draft could not be judged; the next rung is asked")
            return Verdict(stands=False, reason="the draft could not be judged; see the log")

    async def _serve(self, draft: Draft, send: Send) -> Reply:
        self.answering = draft.nth
        for event in draft.events:
            await send(event)
        return draft.reply
