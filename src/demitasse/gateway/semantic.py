"""Answers to questions that mean the same as one answered before: found by vector, guarded by words, admitted by evidence.

Knows calls, replies and verdicts; knows no model and no money. Off unless asked for, and then closed until checks have
bounded the errors among its hits (`semantic_gate`). Memory only, bounded, with a lifetime (`semantic_memory`).

    eligible? (semantic_asked) ─▶ nearest questions of the partition (semantic_index) ─▶ the answer most spoken for
      ─▶ guards (score.guards) ─▶ chance to be wrong (score.verifier) ─▶ gate: serve, check or ask

Questions whose answers a verdict found equal share one kept answer: the first. So each of an answer's questions was compared
with the very reply that is served, and agreement of several of them is what the verifier trusts most.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from ..core.call import Call
from .cache import Kept
from .semantic_asked import Asked, Why, read
from .semantic_gate import Choice, Gate, GateSettings
from .semantic_memory import Answer, Embed, Memory, Partition, Question

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..score.guards import Marks, Objection
    from ..score.verifier import Candidate

NEIGHBOURS: Final = 24
_COURTESIES: Final = 24
"""Words that two texts may differ in and be the same but for fillers; more are another question."""
SETTLED: Final = 2
"""Questions found to have the same answer, from which on a new one needs not have the very same words."""
_GUARDED: Final = 8
"""Questions of an answer that the guards look at, nearest first."""
_SHORT: Final = 400
"""Characters up to which the guards' marks of a question are kept with it."""
_SCOPES: Final = 1_000
"""Gates that are kept at hand; others are kept as data."""
_SERVED: Final = 10_000
"""Hits that can still be flagged."""
_FLAGGED: Final = 10_000
"""Answers known to be wrong, by a hash of their content."""


class SemanticSettings(Struct, frozen=True):
    """``[cache] semantic``, as far as it is on."""

    gate: GateSettings = GateSettings()
    sampled: bool = False
    min_cosine: float = 0.6
    ttl_s: float = 86_400.0
    max_bytes: int = 64 << 20
    verdict_share: float = 1.0
    """Share of the candidates that would not be hits for which a verdict is asked all the same: they teach the verifier."""


class Found(Struct, frozen=True):
    """What was found for a question. On a ``hit`` serve ``kept``. On a ``check`` ask the model, give its answer to
    ``SemanticCache.keep``, and tell ``SemanticCache.learn`` whether ``kept`` says something else."""

    action: Literal["hit", "check"]
    kept: Kept
    rival: Kept | None
    """The nearest other answer. A verdict on it too, where that is cheap, keeps answers from being kept twice."""
    propensity: float
    """Probability with which this would-be hit was to be checked; 1.0 for what is no would-be hit, or while closed."""
    explain: dict[str, Any]
    asked: Asked
    choice: Choice
    marks: NDArray[np.float64]
    answer: int
    rival_answer: int | None
    passed: bool
    """The guards had nothing against it."""


class SemanticCache:
    """See the module. One for the gateway.

    Args:
        embed: text to unit vector.
        clock: UTC microseconds.
        draw: uniform in [0, 1).
        state: what ``dump`` once gave: evidence, not answers. What cannot be read of it is gathered anew.
    """

    def __init__(
        self,
        settings: SemanticSettings,
        embed: Embed,
        *,
        clock: Callable[[], int],
        draw: Callable[[], float],
        state: bytes | None = None,
    ) -> None:
        self.settings = settings
        self._clock, self._draw = clock, draw
        self._memory = Memory(embed, max_bytes=settings.max_bytes)
        self._gates: OrderedDict[str, Gate] = OrderedDict()
        self._gates_kept: dict[str, bytes] = {}
        self._served: OrderedDict[str, Found] = OrderedDict()
        self._flagged: OrderedDict[bytes, None] = OrderedDict()
        self._not_eligible: Counter[str] = Counter()
        self._guarded: Counter[str] = Counter()
        self._lookups = 0
        if state is not None:
            self._load(state)

    # The way of a call

    def read(self, call: Call, route: str, stamp: str) -> Asked | None:
        """The question of a call; None when it is not eligible. ``stamp`` changes when the route's models do."""
        asked = read(call, route, stamp, sampled=self.settings.sampled)
        if isinstance(asked, str):
            self._not_eligible[asked] += 1
            return None
        return asked

    def find(self, asked: Asked) -> Found | None:
        """The answer that a question may have in common with earlier ones; None: nothing near, or nothing to be learned."""
        if not asked.look:
            return None
        self._lookups += 1
        partition = self._memory.partition(asked.partition)
        if partition is None:
            return None
        oldest_us = self._clock() - int(self.settings.ttl_s * 1e6)
        near = self._memory.near(partition, asked.text, NEIGHBOURS, self.settings.min_cosine, oldest_us)
        return self._consider(asked, partition, near) if near else None

    def keep(self, asked: Asked, kept: Kept) -> str | None:
        """Keeps a model's whole answer to a question; its id, or None when it is not to be kept."""
        if not kept.reply.complete or kept.tenant != asked.tenant or _fault(asked.partition, kept) in self._flagged:
            return None
        from ..score.embed import words  # noqa: PLC0415 - numpy, and only where it is used

        return self._memory.add(asked, kept, frozenset(words(asked.text)))

    def learn(self, found: Found, *, wrong: bool, rival_wrong: bool | None = None) -> None:
        """The verdict on a check: whether the kept answer says something else than the model's. After ``keep``.

        Args:
            rival_wrong: the same of ``found.rival``, where that was judged too.
        """
        if found.action == "hit":
            return
        if found.passed:
            self._gate(found.asked.scope).judged(found.choice, found.marks, wrong=wrong)
        memory = self._memory
        answer = memory.answers.get(found.answer)
        if answer is not None:
            answer.judged += 1
            answer.wrong += wrong
        new = memory.numbered(f"sem_{found.asked.call_id}")
        same = None if wrong else found.answer
        rival = found.rival_answer if rival_wrong is False else None
        into = same if same is not None else rival
        if new is not None and into is not None:
            memory.merge(new, into)
        if same is not None and rival is not None:
            memory.merge(rival, same)

    def flag(self, call_id: str) -> bool:
        """Somebody says that a hit was wrong: it counts as an error, and the answer is evicted and never kept again.

        False: no hit of that call is known (any more).
        """
        found = self._served.pop(call_id, None)
        if found is None:
            return False
        self._gate(found.asked.scope).flagged(found.choice, found.marks)
        self._flagged[_fault(found.asked.partition, found.kept)] = None
        while len(self._flagged) > _FLAGGED:
            self._flagged.popitem(last=False)
        self._memory.drop(found.answer)
        return True

    # Care

    def served(self, call_id: str) -> Found | None:
        """The hit that a call was answered by, with why; None: it was none, or is forgotten."""
        return self._served.get(call_id)

    def evict(self, *, id: str | None = None, tag: str | None = None, tenant: str | None = None) -> int:
        """Forgets answers by id, by a tag (``name=value``) of the call that made them, or by tenant; all when none is given.
        Returns how many."""
        gone = [
            number
            for number, answer in self._memory.answers.items()
            if (id is None or answer.id == id)
            and (tag is None or tag in (f"{name}={value}" for name, value in answer.tags))
            and (tenant is None or answer.kept.tenant == tenant)
        ]
        for number in gone:
            self._memory.drop(number)
        return len(gone)

    def stats(self) -> dict[str, Any]:
        memory = self._memory
        gates = [(scope.split("\0"), gate.facts()) for scope, gate in self._gates.items()]
        return {
            "answers": len(memory.answers),
            "questions": sum(len(partition.questions) for partition in memory.partitions.values()),
            "partitions": len(memory.partitions),
            "bytes": memory.bytes,
            "max_bytes": self.settings.max_bytes,
            "ttl_s": self.settings.ttl_s,
            "lookups": self._lookups,
            "hits": sum(facts["hits"] for _, facts in gates),
            "evicted": memory.evicted,
            "not_eligible": dict(self._not_eligible),
            "guarded": dict(self._guarded),
            "gates": [{"tenant": tenant, "route": route, **facts} for (tenant, route), facts in gates],
        }

    def dump(self) -> bytes:
        """The evidence of all gates and hashes of flagged answers, for the next start. No texts."""
        gates = self._gates_kept | {scope: gate.dump() for scope, gate in self._gates.items()}
        return msgspec.msgpack.encode({"version": 1, "gates": gates, "flagged": list(self._flagged)})

    def _load(self, state: bytes) -> None:
        try:
            kept = msgspec.msgpack.decode(state, type=_State)
        except msgspec.DecodeError:
            return  # of another version
        self._gates_kept = kept.gates
        self._flagged = OrderedDict.fromkeys(kept.flagged)

    # Finding

    def _consider(self, asked: Asked, partition: Partition, near: list[tuple[int, float]]) -> Found | None:
        from ..score.embed import words  # noqa: PLC0415
        from ..score.verifier import Neighbour, elect, marks  # noqa: PLC0415

        spoken = frozenset(words(asked.text))
        questions = [partition.questions[name] for name, _ in near]
        neighbours = [
            Neighbour(cosine, question.answer, question.words)
            for question, (_, cosine) in zip(questions, near, strict=True)
        ]
        candidate = elect(neighbours)
        answers, gate = self._memory.answers, self._gate(asked.scope)
        answer = answers[candidate.answer]
        features = marks(
            spoken,
            neighbours,
            candidate,
            rarity=partition.rarity,
            known=len(answer.questions),
            judged=answer.judged,
            wrong=answer.wrong,
        )
        chance = gate.verifier.chance(features)
        own = [question for question in questions if question.answer == candidate.answer]
        nearest, objection = _guard(asked.text, spoken, answer, own)
        if objection is None:
            choice = gate.choose(chance, self._draw())
        else:
            self._guarded[objection.guard] += 1
            choice = Choice("ask", chance, gate.threshold)
        if choice.move == "ask" and self._draw() >= self.settings.verdict_share:
            return None
        found = Found(
            "hit" if choice.move == "serve" else "check",
            answer.kept,
            answers[candidate.rival].kept if candidate.rival is not None else None,
            choice.propensity,
            self._explain(answer, nearest, candidate, choice, objection, gate),
            asked,
            choice,
            features,
            candidate.answer,
            candidate.rival,
            objection is None,
        )
        if found.action == "hit":
            answers.move_to_end(candidate.answer)
            self._served[asked.call_id] = found
            if len(self._served) > _SERVED:
                self._served.popitem(last=False)
        return found

    def _explain(
        self,
        answer: Answer,
        nearest: Question,
        candidate: Candidate,
        choice: Choice,
        objection: Objection | None,
        gate: Gate,
    ) -> dict[str, Any]:
        from ..score.guards import names_of_guards  # noqa: PLC0415

        strict = len(answer.questions) < SETTLED
        return {
            "answer": answer.id,
            "from_call": answer.kept.entry_id,
            "age_s": round((self._clock() - answer.kept.kept_us) / 1e6, 1),
            "nearest": nearest.text,
            "similarity": round(candidate.cosine, 4),
            "rival_similarity": round(candidate.rival_cosine, 4),
            "agreement": round(candidate.votes, 4),
            "questions": len(answer.questions),
            "guards": {
                "strict": strict,
                "passed": list(names_of_guards(strict=strict)) if objection is None else [],
                "objection": None if objection is None else f"{objection.guard}: {objection.why}",
            },
            "chance_wrong": round(choice.chance, 5),
            "threshold": round(choice.threshold, 5),
            "check_probability": round(choice.propensity, 4),
            "gate": gate.summary(),
        }

    def _gate(self, scope: str) -> Gate:
        gate = self._gates.get(scope)
        if gate is not None:
            self._gates.move_to_end(scope)
            return gate
        gate = self._gates[scope] = Gate(self.settings.gate, self._gates_kept.pop(scope, None))
        if len(self._gates) > _SCOPES:
            longest_unused, other = self._gates.popitem(last=False)
            self._gates_kept[longest_unused] = other.dump()
        return gate


def _guard(text: str, spoken: frozenset[str], answer: Answer, own: list[Question]) -> tuple[Question, Objection | None]:
    """The nearest of an answer's questions that the guards let pass; or the nearest of all, with the objection.

    One that passes is enough: its answer was compared with the kept one.
    """
    from ..score.guards import Objection, foreign, objection, vocabulary  # noqa: PLC0415

    strict = len(answer.questions) < SETTLED
    if strict and all(len(spoken ^ question.words) > _COURTESIES for question in own):
        # The very same words are wanted, and no courtesy is so long: long texts need not be read to see that.
        return own[0], Objection("words", "other words")
    asked = _marks(text)
    first: Objection | None = None
    passed: Question | None = None
    known = set() if strict else vocabulary(answer.partition.questions[name].words for name in answer.questions)
    for question in own[:_GUARDED]:
        marks = question.marks or _marks(question.text)
        if len(question.text) <= _SHORT:
            question.marks = marks
        if not strict and (against := foreign(asked, marks, known)) is not None:
            return question, against
        if passed is None:
            against = objection(asked, marks, strict=strict)
            first = first or against
            passed = question if against is None else None
    return (passed, None) if passed is not None else (own[0], first)


@lru_cache(maxsize=64)
def _marks(text: str) -> Marks:
    from ..score.guards import read  # noqa: PLC0415

    return read(text)


def _fault(partition: bytes, kept: Kept) -> bytes:
    """Names what an answer says, in its partition, whatever its id and date."""
    try:
        said = bytes(msgspec.json.decode(kept.reply.body, type=_Said).choices)
    except msgspec.DecodeError:
        said = kept.reply.body
    return hashlib.sha256(hashlib.sha256(partition).digest() + said).digest()


class _Said(Struct):
    choices: Raw = Raw(b"")


class _State(Struct):
    version: Literal[1]
    gates: dict[str, bytes]
    flagged: list[bytes]


__all__ = ["Asked", "Embed", "Found", "GateSettings", "SemanticCache", "SemanticSettings", "Why"]
