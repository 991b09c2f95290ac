"""Kept answers and the questions that have them, by partition; bounded in bytes and in time. Knows no chance and no gate."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from math import log
from typing import TYPE_CHECKING, Final, Protocol

from .cache import Kept
from .semantic_asked import Asked
from .semantic_index import Index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..score.guards import Marks

    Vector = NDArray[np.float32]

_QUESTIONS: Final = 256
"""Of one answer that are kept; further ones would add nothing."""
_ENTRY_BYTES: Final = 1_500
"""What an answer weighs beside its body."""
_PARTITION_BYTES: Final = 500
_QUESTION_BYTES: Final = 600
_WORD_BYTES: Final = 80


class Embed(Protocol):
    """What the cache needs of an embedding (``score.embed.Embedder``): a unit vector for a text, float32 of (dims,)."""

    dims: int

    def __call__(self, text: str) -> Vector: ...


class Question:
    """A text that was asked, and the number of the answer it has."""

    __slots__ = ("answer", "marks", "text", "words")

    def __init__(self, text: str, words: frozenset[str], answer: int) -> None:
        self.text, self.words, self.answer = text, words, answer
        self.marks: Marks | None = None
        """The guards' view of a short text, once it was needed."""


class Answer:
    """One kept reply and the questions that have it, by their number."""

    __slots__ = ("id", "judged", "kept", "partition", "questions", "tags", "weight", "wrong")

    def __init__(self, id: str, kept: Kept, partition: Partition, tags: tuple[tuple[str, str], ...]) -> None:
        self.id, self.kept, self.partition, self.tags = id, kept, partition, tags
        self.questions: list[int] = []
        self.judged = self.wrong = 0
        self.weight = len(kept.reply.body) + _ENTRY_BYTES


class Partition:
    """Questions that may share answers: one tenant, one model, one request but for the question."""

    __slots__ = ("index", "key", "questions", "words")

    def __init__(self, key: bytes, dims: int) -> None:
        self.key = key
        self.index = Index(dims)
        self.questions: dict[int, Question] = {}
        self.words: Counter[str] = Counter()
        """In how many questions each word is."""

    def rarity(self, word: str) -> float:
        """Inverse document frequency."""
        return log((len(self.questions) + 2) / (self.words[word] + 1))


class Memory:
    """Answers by number, least recently used first. Numbers are never used again."""

    def __init__(self, embed: Embed, *, max_bytes: int) -> None:
        self.answers: OrderedDict[int, Answer] = OrderedDict()
        self.partitions: dict[bytes, Partition] = {}
        self.bytes = self.evicted = 0
        self._embed, self._max_bytes = embed, max_bytes
        self._by_id: dict[str, int] = {}
        self._next = 0

    def partition(self, key: bytes, *, make: bool = False) -> Partition | None:
        """The partition of a key. A hash finds it; what decides is the key in full."""
        short = hashlib.sha256(key).digest()
        found = self.partitions.get(short)
        if found is None and make:
            found = self.partitions[short] = Partition(key, self._embed.dims)
            self.bytes += len(key) + _PARTITION_BYTES
        return found if found is not None and found.key == key else None

    def numbered(self, id: str) -> int | None:
        return self._by_id.get(id)

    def near(
        self, partition: Partition, text: str, count: int, least: float, oldest_us: int
    ) -> list[tuple[int, float]]:
        """(question, cosine) of living questions near a text, nearest first. What has outlived its time is dropped."""
        vector = self._embed(text)
        while True:
            found = partition.index.nearest(vector, count, least)
            old = {
                n for name, _ in found if self.answers[n := partition.questions[name].answer].kept.kept_us < oldest_us
            }
            if not old:
                return found
            for number in old:
                self.drop(number)

    def add(self, asked: Asked, kept: Kept, words: frozenset[str]) -> str | None:
        """Keeps an answer to a question; its id, or None when it is too large. The least recently used make room."""
        if len(kept.reply.body) + len(asked.text) + len(asked.partition) > self._max_bytes // 8:
            return None
        partition = self.partition(asked.partition, make=True)
        if partition is None:
            return None
        answer = Answer(f"sem_{asked.call_id}", kept, partition, asked.tags)
        if (old := self._by_id.get(answer.id)) is not None:
            self.drop(old)
        self._next += 1
        number = self._next
        weight = 4 * self._embed.dims + 4 * len(asked.text) + _WORD_BYTES * len(words) + _QUESTION_BYTES
        partition.questions[number] = Question(asked.text, words, number)
        partition.index.add(number, self._embed(asked.text))
        partition.words.update(words)
        answer.questions.append(number)
        answer.weight += weight
        self.answers[number] = answer
        self._by_id[answer.id] = number
        self.bytes += answer.weight
        while self.bytes > self._max_bytes and len(self.answers) > 1:
            self.drop(next(iter(self.answers)))
            self.evicted += 1
        return answer.id

    def merge(self, number: int, into: int) -> None:
        """The questions of one answer get another, equal one; its own reply is dropped."""
        gone, stays = self.answers.get(number), self.answers.get(into)
        if gone is None or stays is None or gone is stays or gone.partition is not stays.partition:
            return
        room = max(0, _QUESTIONS - len(stays.questions))
        moved, rest = gone.questions[:room], gone.questions[room:]
        for name in moved:
            gone.partition.questions[name].answer = into
        stays.questions += moved
        gone.questions = rest
        stays.judged += gone.judged
        stays.wrong += gone.wrong
        if not rest:
            share = gone.weight - len(gone.kept.reply.body) - _ENTRY_BYTES
            gone.weight -= share
            stays.weight += share
        self.drop(number)

    def drop(self, number: int) -> None:
        """Forgets an answer and its questions; unknown numbers are no harm."""
        answer = self.answers.pop(number, None)
        if answer is None:
            return
        del self._by_id[answer.id]
        self.bytes -= answer.weight
        partition = answer.partition
        for name in answer.questions:
            question = partition.questions.pop(name)
            partition.index.remove(name)
            partition.words.subtract(question.words)
            for word in question.words:
                if not partition.words[word]:
                    del partition.words[word]
        if not partition.questions:
            del self.partitions[hashlib.sha256(partition.key).digest()]
            self.bytes -= len(partition.key) + _PARTITION_BYTES
