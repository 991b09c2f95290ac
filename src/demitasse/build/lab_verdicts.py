"""Verdicts and frontiers of evaluations that lie in memory, in the form in which pages show them. Pure; knows no file."""

# ruff: noqa: PLC0415 - a gateway starts without the lab
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct, structs

from ..web.lab_facts import Answer, Axis, Curve, Pair
from .lab_rows import Asked, read_as

if TYPE_CHECKING:
    from ..lab.evals import reading
    from ..lab.evals.result import Row

LIST_CHARS: Final = 2_000
"""Of a text in a list."""


class Read(Struct, frozen=True):
    """One evaluation in memory."""

    one: reading.Evaluation
    rows: dict[str, tuple[int, Row]]
    """Of each sample its place and its first answer."""
    asked: Asked


class Held(Struct, frozen=True):
    """Two of them, held against each other."""

    a: Read
    b: Read
    comparison: dict[str, Any]
    words: str
    notes: tuple[str, ...]
    by: dict[str, list[str]]
    values: dict[str, tuple[float | None, float | None]]

    def pair(self, sample: str) -> Pair:
        (at_a, a), (at_b, b) = self.a.rows[sample], self.b.rows[sample]
        values = self.values[sample]
        asked = self.a.asked.said(sample, self.a.one.run.mode)
        return Pair(
            sample=sample,
            slice=a.slice,
            a=_answer(at_a, a, values[0]),
            b=_answer(at_b, b, values[1]),
            question=asked[-1].text[:LIST_CHARS] if asked else "",
            target=self.a.asked.target(sample),
        )


def held(a: Read, b: Read, margin: float) -> Held:
    from ..lab.evals import words
    from ..lab.evals.compare import compare
    from ..lab.evals.reading import named, same_questions

    notes = same_questions([a.one, b.one])
    (name_a, seen_a), (name_b, seen_b) = named([a.one, b.one])
    found = compare(seen_a, seen_b, margin=margin, names=(name_a, name_b))
    told: dict[str, Any] = msgspec.to_builtins(structs.replace(found, regressions=(), fixes=()))
    del told["regressions"], told["fixes"]
    for side in (told["candidate"], told["reference"]):
        nanos = side.pop("cost_nanos")
        side["usd_per_1000"] = None if nanos is None else round(nanos / 1e6, 9)
    ours = {one.sample: one.value for one in seen_a}
    values = {one.sample: (ours[one.sample], one.value) for one in seen_b if one.sample in ours}
    by: dict[str, list[str]] = {"": list(values), "a": [], "b": [], "neither": [], "differ": []}
    for sample, (x, y) in values.items():
        if x is not None and y is not None:
            if x != y:
                by["a" if x > y else "b"].append(sample)
            if x < 1 and y < 1:
                by["neither"].append(sample)
        if read_as(a.rows[sample][1]) != read_as(b.rows[sample][1]):
            by["differ"].append(sample)
    return Held(a, b, told, words.compared(found), (*notes, *found.notes), by, values)


def curve(task: str, read: list[Read], axis: Axis, worth: float | None) -> Curve:
    from ..lab.evals import words
    from ..lab.evals.frontier import frontier
    from ..lab.evals.reading import named, same_questions
    from ..lab.evals.result import EvaluationError

    ones = [one.one for one in read]
    try:
        notes = same_questions(ones)
    except EvaluationError:
        # A task was changed and kept its name: what is drawn is what was asked last.
        ones = [one for one in ones if one.run.task_hash == ones[0].run.task_hash]
        notes = [*same_questions(ones), "Evaluations of other questions under the same name are left out."]
    candidates = named(ones)
    found = frontier(dict(candidates), axis=axis, worth=worth)
    told: dict[str, Any] = msgspec.to_builtins(found)
    return Curve(
        task=task,
        found=told | {"front": [point.name for point in found.front], "words": words.drawn(found)},
        ids={name: one.run.id for (name, _), one in zip(candidates, ones, strict=True)},
        prices=tuple(words.prices(step, axis) for step in found.steps),
        notes=(*notes, *found.notes),
    )


def _answer(at: int, row: Row, value: float | None) -> Answer:
    return Answer(at, value, row.score.failure, row.text[:LIST_CHARS], row.score.said, row.score.why[:LIST_CHARS])
