"""Answers to questions that mean the same as one answered before: found by vector, guarded by words, admitted by evidence.

Knows calls, replies and verdicts; knows no model and no money. Off unless asked for, and then closed until checks have
bounded the errors among its hits (`semantic_gate`). Memory only, bounded, with a lifetime.

    eligible? (semantic_asked) ─▶ nearest questions of the partition (semantic_index) ─▶ the answer most spoken for
      ─▶ guards (score.guards) ─▶ chance to be wrong (score.verifier) ─▶ gate: serve, check or ask

Questions whose answers a verdict found equal share one kept answer: the first. So each of an answer's questions was compared
with the very reply that is served, and agreement of several of them is what the verifier trusts most.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from ..core.call import Call
from .cache import Kept
from .semantic_asked import Asked, Why, read
from .semantic_gate import Choice, Gate, GateSettings
from .semantic_index import Index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..score.guards import Marks, Objection

    Vector = NDArray[np.float32]

NEIGHBOURS: Final = 24
SETTLED: Final = 2
"""Questions found to have the same answer, from which on a new one needs not have the very same words."""
_QUESTIONS: Final = 256
"""Of one answer that are kept; further ones would add nothing."""
_GUARDED: Final = 8
"""Questions of an answer that the guards look at, nearest first; one that they let pass is enough."""
_SHORT: Final = 400
"""Characters up to which the guards' marks of a question are kept."""
_SCOPES: Final = 1_000
_SERVED: Final = 10_000
"""Hits that can still be flagged."""
_FLAGGED: Final = 10_000
"""Answers known to be wrong, by a hash of their content."""


class SemanticSettings(Struct, frozen=True):
    """``[cache] semantic``."""

    gate: GateSettings = GateSettings()
    sampled: bool = False
    min_cosine: float = 0.6
    ttl_s: float = 86_400.0
    max_bytes: int = 64 << 20
    verdict_share: float = 1.0
    """Share of the other candidates, which would not be hits, for which a verdict is asked: they teach the verifier."""


class Found(Struct):
    """What was found for a question. Serve ``kept`` on a hit; else ask the model, ``keep`` its answer and, where
    ``wants_verdict``, tell ``learn`` whether ``kept`` says the same."""

    id: str
    """The call's."""
    action: Literal["hit", "check"]
    kept: Kept
    propensity: float
    """Probability with which a hit would have been checked."""
    explain: dict[str, Any]
    rival: Kept | None
    """The answer nearest in the running; a verdict on it too keeps answers from being kept twice."""
    _asked: Asked
    _choice: Choice
    _marks: NDArray[np.float64]
    _answer: int
    _rival: int | None
    _teaches: bool = True


class Embed:
    """What the cache needs of an embedding: ``dims``, and a unit vector for a text (``score.embed.Embedder``)."""

    dims: int

    def __call__(self, text: str) -> Vector: ...  # type: ignore[empty-body]


class _Question:
    """A text that was asked, and which answer it has."""

    __slots__ = ("answer", "marks", "text", "words")

    def __init__(self, text: str, words: frozenset[str], answer: int) -> None:
        self.text, self.words, self.answer = text, words, answer
        self.marks: Marks | None = None


class _Answer:
    """One kept reply and the questions that have it, by their number."""

    __slots__ = ("id", "judged", "kept", "partition", "questions", "tags", "weight", "wrong")

    def __init__(self, id: str, kept: Kept, partition: _Partition, tags: tuple[tuple[str, str], ...]) -> None:
        self.id, self.kept, self.partition, self.tags = id, kept, partition, tags
        self.questions: list[int] = []
        self.judged = self.wrong = 0
        self.weight = 0


class _Partition:
    """Questions that may share answers: one tenant, one model, one request but for the question."""

    __slots__ = ("index", "key", "questions", "scope", "words")

    def __init__(self, key: bytes, scope: str, dims: int) -> None:
        self.key, self.scope = key, scope
        self.index = Index(dims)
        self.questions: dict[int, _Question] = {}
        self.words: Counter[str] = Counter()
        """In how many questions each word is."""

    def rarity(self, word: str) -> float:
        from math import log  # noqa: PLC0415

        return log((len(self.questions) + 2) / (self.words[word] + 1))


class SemanticCache:
    """See the module. One for the gateway.

    Args:
        embed: text to unit vector.
        clock: UTC microseconds.
        draw: uniform in [0, 1).
        state: what ``dump`` once gave: evidence, not answers.
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
        self._embed, self._clock, self._draw = embed, clock, draw
        self._partitions: dict[bytes, _Partition] = {}
        self._answers: OrderedDict[int, _Answer] = OrderedDict()
        """Least recently used first."""
        self._by_id: dict[str, int] = {}
        self._gates: OrderedDict[str, Gate] = OrderedDict()
        self._gates_kept: dict[str, bytes] = {}
        self._served: OrderedDict[str, Found] = OrderedDict()
        self._flagged: OrderedDict[bytes, None] = OrderedDict()
        self._bytes = 0
        self._next = 0
        self.not_eligible: Counter[str] = Counter()
        self.guarded: Counter[str] = Counter()
        self.lookups = self.evicted = 0
        if state is not None:
            self._load(state)

    # The way of a call

    def read(self, call: Call, route: str, stamp: str) -> Asked | None:
        """The question of a call; None when it is not eligible."""
        asked = read(call, route, stamp, sampled=self.settings.sampled)
        if isinstance(asked, str):
            self.not_eligible[asked] += 1
            return None
        return asked

    def find(self, asked: Asked) -> Found | None:
        """The answer that a question may have in common with earlier ones; None: nothing near enough, or nothing to learn."""
        if not asked.look:
            return None
        self.lookups += 1
        partition = self._partition(asked)
        if partition is None or not partition.questions:
            return None
        near = self._near(partition, asked.text)
        if not near:
            return None
        return self._consider(asked, partition, near)

    def keep(self, asked: Asked, kept: Kept) -> str | None:
        """Keeps a model's whole answer to a question; its id, or None when it is not to be kept."""
        if not kept.reply.complete or kept.tenant != asked.tenant:
            return None
        if self._fault(asked.partition, kept) in self._flagged:
            return None
        from ..score.embed import words  # noqa: PLC0415 - numpy

        partition = self._partition(asked, make=True)
        assert partition is not None
        self._next += 1
        number = self._next
        answer = _Answer(f"sem_{asked.call_id}", kept, partition, asked.tags)
        answer.weight = len(kept.reply.body) + 1_500
        if answer.weight + len(asked.text) > self.settings.max_bytes // 4:
            return None
        if (old := self._by_id.get(answer.id)) is not None:
            self._drop(old)
        self._answers[number] = answer
        self._by_id[answer.id] = number
        self._bytes += answer.weight
        self._add_question(number, answer, _Question(asked.text, frozenset(words(asked.text)), number))
        while self._bytes > self.settings.max_bytes:
            self._drop(next(iter(self._answers)))
            self.evicted += 1
        return answer.id

    def learn(self, found: Found, *, wrong: bool, rival_wrong: bool | None = None) -> None:
        """The verdict on a check: whether the kept answer says something else than the model's. After ``keep``.

        Args:
            rival_wrong: the same of ``found.rival``, where that was judged too.
        """
        if found.action == "hit":
            return
        if found._teaches:
            self._gate(found._asked.scope).judged(found._choice, found._marks, wrong=wrong)
        answer = self._answers.get(found._answer)
        if answer is not None:
            answer.judged += 1
            answer.wrong += wrong
        new = self._by_id.get(f"sem_{found._asked.call_id}")
        same = found._answer if not wrong else None
        rival = found._rival if rival_wrong is False else None
        into = same if same is not None else rival
        if new is not None and into is not None:
            self._merge(new, into)
        if same is not None and rival is not None:
            self._merge(rival, same)

    def flag(self, call_id: str) -> bool:
        """Somebody says that a hit was wrong: counts as an error, and the answer is evicted and never kept again.

        False: no hit of that call is known (any more).
        """
        found = self._served.pop(call_id, None)
        if found is None:
            return False
        self._gate(found._asked.scope).flagged(found._choice, found._marks)
        self._flagged[self._fault(found._asked.partition, found.kept)] = None
        while len(self._flagged) > _FLAGGED:
            self._flagged.popitem(last=False)
        self._drop(found._answer)
        return True

    # Care

    def served(self, call_id: str) -> Found | None:
        """The hit that a call was answered by, with why; None: it was none, or is forgotten."""
        return self._served.get(call_id)

    def evict(self, *, id: str | None = None, tag: str | None = None, tenant: str | None = None) -> int:
        """Forgets answers by their id, by a tag (``name=value``) of the call that made them, or by tenant; how many."""
        gone = [
            number
            for number, answer in self._answers.items()
            if (id is None or answer.id == id)
            and (tag is None or tag in (f"{name}={value}" for name, value in answer.tags))
            and (tenant is None or answer.kept.tenant == tenant)
        ]
        for number in gone:
            self._drop(number)
        return len(gone)

    def stats(self) -> dict[str, Any]:
        gates = {scope: gate.facts() for scope, gate in self._gates.items()}
        return {
            "entries": len(self._answers),
            "questions": sum(len(answer.questions) for answer in self._answers.values()),
            "partitions": len(self._partitions),
            "bytes": self._bytes,
            "max_bytes": self.settings.max_bytes,
            "ttl_s": self.settings.ttl_s,
            "lookups": self.lookups,
            "hits": sum(gate["hits"] for gate in gates.values()),
            "evicted": self.evicted,
            "not_eligible": dict(self.not_eligible),
            "guarded": dict(self.guarded),
            "gates": [{"tenant": s.partition("\0")[0], "route": s.partition("\0")[2], **g} for s, g in gates.items()],
        }

    def dump(self) -> bytes:
        """The evidence of all gates and the flagged answers' hashes, for the next start. No text."""
        gates = self._gates_kept | {scope: gate.dump() for scope, gate in self._gates.items()}
        return msgspec.msgpack.encode({"version": 1, "gates": gates, "flagged": list(self._flagged)})

    def _load(self, state: bytes) -> None:
        try:
            kept = msgspec.msgpack.decode(state, type=_State)
        except msgspec.DecodeError:
            return  # of another version: evidence is gathered anew
        self._gates_kept = kept.gates
        self._flagged = OrderedDict.fromkeys(kept.flagged)

    # Finding

    def _partition(self, asked: Asked, *, make: bool = False) -> _Partition | None:
        short = hashlib.sha256(asked.partition).digest()
        partition = self._partitions.get(short)
        if partition is None:
            if not make:
                return None
            partition = self._partitions[short] = _Partition(asked.partition, asked.scope, self._embed.dims)
            self._bytes += len(asked.partition) + 500
        # The hash only finds; what decides is the key in full.
        return partition if partition.key == asked.partition else None

    def _near(self, partition: _Partition, text: str) -> list[tuple[int, float]]:
        """Living questions near a text, nearest first."""
        oldest_us = self._clock() - int(self.settings.ttl_s * 1e6)
        while True:
            near = partition.index.nearest(self._embed(text), NEIGHBOURS, self.settings.min_cosine)
            dead = {
                partition.questions[n].answer
                for n, _ in near
                if self._answers[partition.questions[n].answer].kept.kept_us < oldest_us
            }
            if not dead:
                return near
            for number in dead:
                self._drop(number)

    def _consider(self, asked: Asked, partition: _Partition, near: list[tuple[int, float]]) -> Found | None:
        from ..score.embed import words  # noqa: PLC0415
        from ..score.verifier import Neighbour, elect, marks  # noqa: PLC0415

        questions = [partition.questions[number] for number, _ in near]
        neighbours = [
            Neighbour(cosine, question.answer, question.words)
            for question, (_, cosine) in zip(questions, near, strict=True)
        ]
        candidate = elect(neighbours)
        answer = self._answers[candidate.answer]
        gate = self._gate(asked.scope)
        features = marks(
            frozenset(words(asked.text)),
            neighbours,
            candidate,
            rarity=partition.rarity,
            known=len(answer.questions),
            judged=answer.judged,
            wrong=answer.wrong,
        )
        chance = gate.verifier.chance(features)
        own = [question for question in questions if question.answer == candidate.answer]
        nearest, objection = self._guard(asked.text, answer, own, strict=len(answer.questions) < SETTLED)
        if objection is None:
            choice = gate.choose(chance, self._draw())
        else:
            self.guarded[objection.guard] += 1
            choice = Choice("ask", chance, gate.threshold)
        if choice.move == "ask" and self._draw() >= self.settings.verdict_share:
            return None
        rival = self._answers[candidate.rival] if candidate.rival is not None else None
        found = Found(
            asked.call_id,
            "hit" if choice.move == "serve" else "check",
            answer.kept,
            choice.propensity,
            self._explain(answer, nearest, candidate, choice, objection, gate),
            rival.kept if rival is not None else None,
            asked,
            choice,
            features,
            candidate.answer,
            candidate.rival,
            objection is None,
        )
        if found.action == "hit":
            self._answers.move_to_end(candidate.answer)
            self._served[asked.call_id] = found
            if len(self._served) > _SERVED:
                self._served.popitem(last=False)
        return found

    def _guard(
        self, text: str, answer: _Answer, own: list[_Question], *, strict: bool
    ) -> tuple[_Question, Objection | None]:
        """The nearest of an answer's questions that the guards let pass; or the nearest of all, with the objection."""
        from ..score.guards import foreign, objection, read, vocabulary  # noqa: PLC0415

        asked, first, passed = read(text), None, None
        questions = answer.partition.questions
        known = set() if strict else vocabulary(questions[number].words for number in answer.questions)
        for question in own[:_GUARDED]:
            marks = question.marks or read(question.text)
            if len(question.text) <= _SHORT:
                question.marks = marks
            if not strict and (against := foreign(asked, marks, known)) is not None:
                return question, against
            if passed is None:
                against = objection(asked, marks, strict=strict)
                passed, first = (question, None) if against is None else (None, first or against)
        return passed or own[0], first

    def _explain(
        self, answer: _Answer, nearest: _Question, candidate: Any, choice: Choice, objection: Objection | None, gate: Gate
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
            "gate": {
                "open": gate.open,
                "why_closed": None if gate.open else gate.why_closed,
                "max_error": gate.settings.max_error,
                "confidence": 1 - gate.settings.delta,
                "checks": gate.seen.checks,
                "wrong_in_checks": gate.seen.wrong,
            },
        }

    # Keeping

    def _gate(self, scope: str) -> Gate:
        gate = self._gates.get(scope)
        if gate is None:
            gate = self._gates[scope] = Gate(self.settings.gate, self._gates_kept.pop(scope, None))
            if len(self._gates) > _SCOPES:
                old, least = self._gates.popitem(last=False)
                self._gates_kept[old] = least.dump()
        else:
            self._gates.move_to_end(scope)
        return gate

    def _add_question(self, number: int, answer: _Answer, question: _Question) -> None:
        partition = answer.partition
        partition.questions[number] = question
        partition.index.add(number, self._embed(question.text))
        partition.words.update(question.words)
        answer.questions.append(number)
        weight = 4 * self._embed.dims + 4 * len(question.text) + 80 * len(question.words) + 600
        answer.weight += weight
        self._bytes += weight

    def _merge(self, number: int, into: int) -> None:
        """The questions of one answer get another, equal one; its own reply is dropped."""
        gone, stays = self._answers.get(number), self._answers.get(into)
        if gone is None or stays is None or gone is stays or gone.partition is not stays.partition:
            return
        room = max(0, _QUESTIONS - len(stays.questions))
        moved, gone.questions = gone.questions[:room], gone.questions[room:]
        for name in moved:
            gone.partition.questions[name].answer = into
        stays.questions += moved
        share = gone.weight - len(gone.kept.reply.body) - 1_500
        gone.weight -= share
        stays.weight += share
        self._drop(number)

    def _drop(self, number: int) -> None:
        answer = self._answers.pop(number, None)
        if answer is None:
            return
        self._by_id.pop(answer.id, None)
        self._bytes -= answer.weight
        partition = answer.partition
        for name in answer.questions:
            question = partition.questions.pop(name)
            partition.index.remove(name)
            partition.words.subtract(question.words)
        if not partition.questions:
            self._partitions.pop(hashlib.sha256(partition.key).digest(), None)
            self._bytes -= len(partition.key) + 500

    def _fault(self, partition: bytes, kept: Kept) -> bytes:
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


__all__ = ["Asked", "Found", "GateSettings", "SemanticCache", "SemanticSettings", "Why"]
