"""What another model would have said, and whether it is as good: asked on our own account, judged, kept as a label.

For shadow calls and for checks of the semantic cache alike. Verdicts are read off the answers where that can be done; a
judge model is asked last, blind and in both orders. Knows who is asked and in which order; what two answers are worth
beside each other is ``score``'s business.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from ..core.call import Call, Caller, Reply
from ..core.entry import Entry
from ..core.errors import DemitasseError, Refused, UpstreamError
from ..core.evidence import OWN_KEY, Answered, EvidenceStore, Label, LabelSource
from ..core.ledger import Ledger
from ..gateway.again import Own, Purpose
from ..gateway.answer import Steps
from ..gateway.cache import Kept
from ..gateway.route import Rung
from ..gateway.shadow import prompt_hash
from ..wire.text import question, system_text, turns

if TYPE_CHECKING:
    from ..score import judge
    from ..score.normal import Answer

log = logging.getLogger("demitasse.shadow")

_DAY_US = 86_400_000_000
_NO_SCHEMA = frozenset({400, 404, 415, 422, 501})
"""What servers say to a ``response_format`` that they do not know."""


class Heard(Struct, frozen=True):
    """What one model said to a call, and the entry that it is booked under."""

    alias: str
    reply: Reply
    entry: Entry

    def answered(self, score: float | None, marks: tuple[float, ...] = ()) -> Answered:
        """As a label tells it; the cost is that of this answer alone, without drafts that were thrown away."""
        own = [a for a in self.entry.attempts if a.model == self.alias and a.status == "ok"]
        return Answered(
            model=self.alias,
            version=own[-1].upstream_model if own else self.reply.model,
            score=score,
            cost_nanos=own[-1].cost_nanos if own else None,
            entry=self.entry.id,
            marks=marks,
        )


class Judged(Struct, frozen=True):
    """A candidate's score beside the reference, and how it came about. None: nobody could tell."""

    score: float | None
    method: str = ""


class Purse:
    """Whether there is money for calls of our own.

    Once a budget has refused one, all wait until the next day or until a limit was set anew: were only those left out that
    no longer fit, what is learned would be learned of short calls, and of those that need no judge.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], int]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._closed: tuple[int, int] | None = None

    @property
    def open(self) -> bool:
        """A hard limit of our own key stands (what a command has lifted must not leave us unbounded) and is not spent."""
        return self._closed != self._now() and any(
            budget.scope == "key" and budget.subject == OWN_KEY and budget.hard and budget.limit_nanos is not None
            for budget in self._ledger.budgets()
        )

    def refused(self, error: Refused) -> None:
        """One of our calls was refused."""
        if error.code == "insufficient_quota" and self._closed != self._now():
            self._closed = self._now()
            log.info(
                "no more shadow calls today: %s; a lower [shadow] rate would leave some for the whole day",
                error.message,
            )

    def _now(self) -> tuple[int, int]:
        return self._clock() // _DAY_US, self._ledger.revision


class Assessor:
    """Asks, compares and keeps.

    Args:
        store: where labels go.
        purse: whether there is money for it.
        steps: the way of a call as it is in force.
        keep: keeps the bodies of a call of ours, given its reply; returns the reference.
        id: a fresh call id for a moment (UTC microseconds).
        secret: of the data folder; makes what a judge is shown unpredictable.
    """

    def __init__(
        self,
        store: EvidenceStore,
        purse: Purse,
        steps: Callable[[], Steps],
        *,
        keep: Callable[[Call, Reply], str | None],
        id: Callable[[int], str],
        secret: bytes,
    ) -> None:
        self.judge = ""
        """The model that is asked where nothing else decides, as ``[models]`` or ``provider/model`` names it; "": nobody."""
        self.purse = purse
        self._store = store
        self._steps = steps
        self._keep = keep
        self._id = id
        self._secret = secret
        self._made: tuple[Steps, Own] | None = None
        self._unconstrained: set[str] = set()
        """Judges whose servers know no schema."""

    async def again(self, call: Call, rung: Rung, *, purpose: Purpose, entry: Entry) -> Heard:
        """What ``rung`` says to a client's call, which is in the books as ``entry``; its bodies are kept where those are.

        Raises Refused (no budget has room for it), UpstreamError or StoreError.
        """
        kept = entry.body_ref is not None
        try:
            found = await self._own().repeat(call, rung, purpose=purpose, route=entry.route, keep=kept)
        except Refused as error:
            self.purse.refused(error)
            raise
        return Heard(rung.alias, found.reply, found.entry)

    async def verdict(self, call: Call, reference: Reply, candidate: Reply, *, entry: Entry) -> Judged:
        """Whether one answer to a call is as good as another, by rule or judge; keeps nothing. ``entry`` is the call's."""
        seen = await asyncio.to_thread(_look, call.body, reference, [candidate])
        return (await self._judge(call, seen, entry, "judge"))[0]

    async def label(
        self, call: Call, reference: Heard, candidates: Sequence[Heard], *, entry: Entry, propensity: float
    ) -> Label:
        """Judge what other models said beside the reference, and keep the label.

        Args:
            entry: the client's call as it is in the books.
            propensity: the probability with which it was drawn.

        A judge that fails, or that no budget has room for, leaves an answer unjudged, for people to vote on. Raises
        StoreError.
        """
        seen = await asyncio.to_thread(_look, call.body, reference.reply, [heard.reply for heard in candidates])
        judged = await self._judge(call, seen, entry, "judge")
        others = tuple(
            heard.answered(said.score, marks) for heard, said, marks in zip(candidates, judged, seen.marks, strict=True)
        )
        return await self._keep_label("shadow", call, entry, seen, reference.answered(1.0), others, judged, propensity)

    async def check(self, call: Call, fresh: Reply, kept: Kept, *, entry: Entry, propensity: float) -> Label:
        """Judge an answer that the semantic cache would have given beside the one that the model gave, and keep the label.

        Args:
            fresh: what the client got; ``entry`` is its call.
            propensity: the probability with which a hit is checked rather than served.

        Raises StoreError.
        """
        seen = await asyncio.to_thread(_look, call.body, fresh, [kept.reply])
        judged = await self._judge(call, seen, entry, "check")
        other = Answered(kept.model, kept.reply.model, judged[0].score, 0, kept.entry_id)
        reference = Heard(entry.model or "", fresh, entry).answered(1.0)
        return await self._keep_label("check", call, entry, seen, reference, (other,), judged, propensity)

    async def _keep_label(
        self,
        source: LabelSource,
        call: Call,
        entry: Entry,
        seen: _Seen,
        reference: Answered,
        others: tuple[Answered, ...],
        judged: Sequence[Judged],
        propensity: float,
    ) -> Label:
        label = Label(
            id=entry.id,
            at_us=entry.at_us,
            route=entry.route,
            source=source,
            reference=reference,
            others=others,
            session=entry.session,
            slice=dict(entry.tags).get("task", ""),
            propensity=propensity,
            served=entry.model or "",
            features=seen.features,
            version=seen.version,
            certificate=entry.decision.certificate if entry.decision is not None else "",
            method="+".join(dict.fromkeys(said.method for said in judged if said.method)),
            prompt_hash=prompt_hash(self._secret, system_text(call.body)),
        )
        await self._store.label(label)
        return label

    async def _judge(self, call: Call, seen: _Seen, entry: Entry, purpose: Purpose) -> list[Judged]:
        return [
            Judged(found, method)
            if found is not None
            else await self._ask_judge(call, seen.reference, answer, entry, purpose)
            for (found, method), answer in zip(seen.verdicts, seen.candidates, strict=True)
        ]

    async def _ask_judge(
        self, call: Call, reference: Answer, candidate: Answer, entry: Entry, purpose: Purpose
    ) -> Judged:
        from ..score import judge  # noqa: PLC0415 - as in _look

        # A judge that sees only the words cannot judge an answer about a picture.
        if not self.judge or call.images:
            return Judged(None)
        steps = self._steps()
        try:
            route = await steps.routes.resolve(self.judge, Caller(key=OWN_KEY, name=OWN_KEY))
        except DemitasseError:
            return Judged(None)
        seed = hashlib.blake2b(f"{call.id}\0{candidate.text}".encode(), digest_size=8, key=self._secret[:64]).digest()
        verdicts: list[tuple[judge.Better | None, bool]] = []
        for candidate_first in (bool(seed[0] & 1), not seed[0] & 1):
            pair = (candidate, reference) if candidate_first else (reference, candidate)
            try:
                said = await self._put(call, pair, route.reference, seed[1:].hex(), entry, purpose)
            except DemitasseError as error:
                if isinstance(error, Refused):
                    self.purse.refused(error)
                break  # one order alone is fair on average: which comes first is drawn
            verdicts.append((said, candidate_first))
        score = judge.score(verdicts)
        return Judged(score, f"judge:{self.judge}" if score is not None else "")

    async def _put(
        self, call: Call, pair: tuple[Answer, Answer], rung: Rung, mark: str, entry: Entry, purpose: Purpose
    ) -> judge.Better | None:
        from ..score import judge  # noqa: PLC0415 - as in _look
        from ..score.normal import answer_of  # noqa: PLC0415

        conversation = [(said.role, said.text) for said in turns(call.body)]
        for constrained in (True, False) if rung.alias not in self._unconstrained else (False,):
            body = judge.ask(conversation, *pair, mark=mark, model=rung.alias, constrained=constrained)
            try:
                found = await self._own().ask(
                    body, rung, tenant=call.caller.tenant, purpose=purpose, of=entry.id, route=entry.route
                )
            except UpstreamError as error:
                if not constrained or error.status not in _NO_SCHEMA:
                    raise
                self._unconstrained.add(rung.alias)
            else:
                return judge.read(answer_of(found.reply.body))
        return None

    def _own(self) -> Own:
        steps = self._steps()
        if self._made is None or self._made[0] is not steps:
            self._made = (steps, Own(steps, self._keep, self._id))
        return self._made[1]


class _Seen(Struct, frozen=True):
    """What is read off a call and its answers without asking anyone."""

    reference: Answer
    candidates: list[Answer]
    verdicts: list[tuple[float | None, str]]
    features: tuple[float, ...]
    marks: list[tuple[float, ...]]
    version: str


def _look(body: bytes, reference: Reply, replies: Sequence[Reply]) -> _Seen:
    """Runs in a thread: the work of some milliseconds on a long prompt."""
    from ..score import draft, features  # noqa: PLC0415 - only where shadows are made
    from ..score.asked import asked_of  # noqa: PLC0415
    from ..score.normal import answer_of  # noqa: PLC0415
    from ..score.verdict import compare  # noqa: PLC0415
    from .scoring import VERSION  # noqa: PLC0415

    asked, wanted = asked_of(body), answer_of(reference.body)
    answers = [answer_of(reply.body) for reply in replies]
    verdicts = [compare(wanted, answer, asked.how, labels=asked.labels) for answer in answers]
    # Each draft is marked beside the cheapest other one, as it would be when a policy asks for a second.
    second = [next((a for other, a in enumerate(answers) if other != at), None) for at in range(len(answers))]
    return _Seen(
        reference=wanted,
        candidates=answers,
        verdicts=[(verdict.score, verdict.method) for verdict in verdicts],
        features=features.features(question(body)),
        marks=[draft.marks(asked, answer, other) for answer, other in zip(answers, second, strict=True)],
        version=VERSION,
    )
