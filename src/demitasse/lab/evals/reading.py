"""Evaluations by name, ready to be held against each other: what was asked must be the same. Knows files; judges nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from ..tasks.task import Sample, Task
from .result import EvaluationError, Run, find, load, load_task, rows
from .seen import Seen, seen


class Evaluation(Struct, frozen=True):
    """One of those that are compared."""

    ref: str
    run: Run
    task: Task
    seen: list[Seen]


def read_all(data: Path, refs: Iterable[str]) -> list[Evaluation]:
    """By id, beginning of an id, or folder. Raises EvaluationError naming the one that can't be read."""
    found = []
    for ref in refs:
        path = find(data, ref)
        found.append(Evaluation(ref, load(path), load_task(path), seen(rows(path))))
    return found


def same_questions(found: Sequence[Evaluation]) -> list[str]:
    """What differs in how they were asked, as sentences for a reader; the last one is the reference.

    Raises EvaluationError where samples of one id are different questions: then nothing may be compared.
    """
    *others, last = found
    theirs = {sample.id: sample for sample in last.task.samples}
    modes_told = any(f"({one.run.mode})" in name for name, one in zip((n for n, _ in named(found)), found, strict=True))
    said = []
    for one in others:
        for sample in one.task.samples:
            other = theirs.get(sample.id)
            if other is not None and _question(sample) != _question(other):
                raise EvaluationError(
                    f"'{one.ref}' ({one.run.task}) and '{last.ref}' ({last.run.task}) mean different questions by sample "
                    f"'{sample.id}'; evaluate both on the same task"
                )
        ways = [
            f"{what} ({a or 'none'} and {b or 'none'})"
            for what, a, b in (
                ("the scorer", one.run.scorer, last.run.scorer),
                ("the form of the answer", one.run.form, last.run.form),
                ("how answers are constrained", not modes_told and one.run.mode, not modes_told and last.run.mode),
                ("the repeats", one.run.repeats, last.run.repeats),
            )
            if a != b
        ]
        if _prompt(one.task) != _prompt(last.task):
            ways.append("the prompt")
        if ways:
            said.append(f"'{one.ref}' and '{last.ref}' differ in {', '.join(ways)} too, not only in the model.")
        if one.run.state != "complete" or last.run.state != "complete":
            early = one if one.run.state != "complete" else last
            said.append(f"'{early.ref}' has not been finished ({early.run.state}); what it left out may not be chance.")
    return said


def named(found: Sequence[Evaluation]) -> list[tuple[str, list[Seen]]]:
    """Each with the shortest name that tells it from the others: the model's, with how it was asked, else with the run's mark."""
    ways = [
        (name, f"{name} ({one.run.mode})", f"{name} {one.run.id.rpartition('-')[2]}", one.run.id)
        for one in found
        for name in [_short(one.run.model)]
    ]
    columns = list(zip(*ways, strict=True))
    taken = [next((way[at] for way in columns if way.count(way[at]) == 1), ways[at][-1]) for at in range(len(ways))]
    return [(name, one.seen) for name, one in zip(taken, found, strict=True)]


def _short(model: str) -> str:
    """A recording by its file's name alone."""
    return Path(model.removeprefix("recorded:")).stem if model.startswith("recorded:") else model


def _question(sample: Sample) -> object:
    return sample.input, sample.target, sample.choices


def _prompt(task: Task) -> object:
    return task.system, task.template, task.shots
