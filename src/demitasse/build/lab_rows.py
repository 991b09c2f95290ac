"""Rows of an evaluation as the lab's pages show them: found by their place in the file, with what was asked beside them.

Knows lines and one task; knows no folder and no verdict.
"""

# ruff: noqa: PLC0415 - a gateway starts without the lab
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
from msgspec import Struct

from ..web.lab_facts import Only, Sample
from ..wire.text import Said

if TYPE_CHECKING:
    from ..lab.evals.result import Row
    from ..lab.tasks.task import Task


class Asked(Struct, frozen=True):
    """A task whose samples are found by id."""

    task: Task
    by_id: dict[str, Any]

    @classmethod
    def of(cls, task: Task) -> Asked:
        return cls(task, {sample.id: sample for sample in task.samples})

    def said(self, id: str, mode: str) -> tuple[Said, ...]:
        from ..lab.scorers.ask import messages

        sample = self.by_id.get(id)
        if sample is None:
            return ()
        told = messages(self.task, sample, "constrained" if mode == "constrained" else "free")
        return tuple(Said(turn["role"], turn["content"]) for turn in told)

    def target(self, id: str) -> tuple[str, ...]:
        sample = self.by_id.get(id)
        if sample is None:
            return ()
        letters = {chr(65 + i): text for i, text in enumerate(sample.choices)}
        return tuple(f"{right}: {letters[right]}" if right in letters else right for right in sample.target)


def as_sample(row: Row, at: int, task: Asked | None, mode: str, most: int) -> Sample:
    asked = task.said(row.sample, mode) if task is not None else ()
    return Sample(
        at=at,
        value=row.score.value,
        failure=row.score.failure,
        scoring_nanos=row.score.cost_nanos,
        text=row.text[:most],
        said=row.score.said[:most],
        why=row.score.why[:most],
        asked=tuple(Said(said.role, said.text[:most]) for said in asked),
        target=task.target(row.sample) if task is not None else (),
        **{name: getattr(row, name) for name in _ROW},
    )


_ROW = (
    "sample", "repeat", "slice", "model", "entry", "cost_nanos", "latency_ms", "first_byte_ms", "tokens_in", "tokens_out",
    "energy_uj", "energy_method",
)  # fmt: skip


def read_as(row: Row) -> str:
    return row.score.said or row.text


class _BriefScore(Struct, frozen=True):
    value: float | None = None
    failure: str = ""


class _Brief(Struct, frozen=True):
    """So much of a row as decides whether it is shown."""

    score: _BriefScore
    slice: str = ""


_brief = msgspec.json.Decoder(_Brief).decode


def fits(line: bytes, only: Only, slice: str | None) -> bool:
    if not only and slice is None:
        return True
    try:
        row = _brief(line)
    except msgspec.DecodeError:
        return True  # shown with what is wrong with it
    if slice is not None and row.slice != slice:
        return False
    unread = row.score.failure not in ("", "error")
    if only == "unreadable":
        return unread
    if only == "wrong":
        return not unread and row.score.value is not None and row.score.value < 1
    return only != "unscored" or row.score.value is None


def decoded(path: Path, line: bytes) -> Row:
    from ..lab.evals.result import EvaluationError, Row

    try:
        return msgspec.json.decode(line, type=Row)
    except msgspec.DecodeError as why:
        raise EvaluationError(f"{path.name}/rows.jsonl: {why}; run the evaluation again with --fresh") from why


def at_line(file: BinaryIO, at: int) -> bool:
    """Whether a line begins there; the file then stands at it."""
    if at < 0:
        return False
    if at:
        file.seek(at - 1)
        if file.read(1) != b"\n":
            return False
    else:
        file.seek(0)
    return True


def lines(file: BinaryIO, at: int) -> Iterator[tuple[int, bytes]]:
    for line in file:
        yield at, line
        at += len(line)
