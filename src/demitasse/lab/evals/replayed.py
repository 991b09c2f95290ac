"""Recorded answers, scored in pieces that any process can do: bytes in, bytes out. Knows no file and no executor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice

import msgspec
from msgspec import Struct, structs

from ...score.normal import Answer
from ..scorers.registry import pure
from ..scorers.scorer import Pure, Score
from ..tasks.task import Sample, Source, Task
from .result import Row

PIECE = 20_000
"""Answers scored at a time: handing them over costs little beside scoring them, and losing one loses little."""


class Recorded(Struct, frozen=True, omit_defaults=True):
    """An answer that was given elsewhere."""

    text: str
    finish: str | None = None
    cost_nanos: int | None = None
    latency_ms: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    score: Score | None = None
    """As whoever recorded it scored it; then it is not scored again."""


class _Item(Struct, frozen=True, array_like=True):
    sample: Sample
    answer: Recorded


class _Piece(Struct, frozen=True):
    task: bytes
    """The Task without its samples, as JSON: the same for all pieces."""
    items: list[_Item]


_pieces = msgspec.msgpack.Decoder(_Piece)
_rows = msgspec.msgpack.Decoder(list[Row])


def pieces(task: Task, answers: Mapping[str, Recorded], size: int = PIECE) -> Iterator[bytes]:
    """The task's samples that have an answer, ``size`` at a time; the same bytes for the same task and answers.

    Raises Unscorable where the task's scorer needs a model or a person.
    """
    pure_of(task)
    bare = msgspec.json.encode(structs.replace(task, samples=(), shots=(), source=Source("")), order="sorted")
    # What was asked takes most of the bytes, and no scorer of this kind reads it.
    items = (
        _Item(structs.replace(sample, input=""), answer)
        for sample in task.samples
        if (answer := answers.get(sample.id)) is not None
    )
    while part := list(islice(items, size)):
        yield msgspec.msgpack.encode(_Piece(bare, part))


def score_piece(piece: bytes) -> bytes:
    """Rows of one piece, encoded. What an executor runs, wherever it runs it."""
    found = _pieces.decode(piece)
    score = _scorer(found.task)
    return msgspec.msgpack.encode([_row(item.sample, item.answer, score) for item in found.items])


def rows_of(results: Iterable[bytes]) -> list[Row]:
    """All rows in their order."""
    return [row for result in results for row in _rows.decode(result)]


def unanswered(task: Task, answers: Mapping[str, Recorded]) -> Sequence[Sample]:
    return [sample for sample in task.samples if sample.id not in answers]


def pure_of(task: Task) -> Pure:
    """The task's scorer as a plain function. Raises Unscorable where it needs a model or a person."""
    found = pure(task)
    if found is None:
        from ..scorers.scorer import Unscorable  # noqa: PLC0415 - only to raise

        raise Unscorable(
            f"the scorer '{task.scorer or task.form}' asks a model or a person and cannot score recordings by itself; "
            'give the task another one, e.g. scorer = "exact"'
        )
    return found


@lru_cache(maxsize=4)
def _scorer(task: bytes) -> Pure:
    return pure_of(msgspec.json.decode(task, type=Task))


def _row(sample: Sample, answer: Recorded, score: Pure) -> Row:
    return Row(
        sample=sample.id,
        score=answer.score if answer.score is not None else score(sample, Answer(answer.text, finish=answer.finish)),
        slice=sample.slice,
        cluster=sample.cluster,
        text=answer.text,
        cost_nanos=answer.cost_nanos,
        latency_ms=answer.latency_ms,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
    )
