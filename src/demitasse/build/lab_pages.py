"""What the lab's pages read: evaluations and made models below the data folder. Reads, never changes, and asks no model.

Lists read the small ``run.json`` alone. Samples are read from a place in their file on, so that a page of a million costs as
much as a page of fifty. Nothing of the lab is imported before somebody looks.
"""

# ruff: noqa: PLC0415 - a gateway starts without the lab
from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import structs

from ..web.lab_facts import (
    Axis,
    Compared,
    Curve,
    Evaluation,
    Figures,
    LoadFacts,
    Made,
    Only,
    Sample,
    Samples,
    Which,
)
from . import lab_verdicts
from .lab_rows import Asked, as_sample, at_line, decoded, fits, lines
from .lab_verdicts import LIST_CHARS, Read

if TYPE_CHECKING:
    from ..lab.evals.result import Row, Run

MOST_LINES = 50_000
"""So many lines a page looks through for samples that fit; then it shows what it has and where to look on."""
MOST_ANSWERS = 20_000
"""An evaluation of more is compared by the command alone."""
MOST_TASK_BYTES = 64 << 20
"""Of a larger task a page does not show what was asked."""
MOST_CHARS = 40_000
_NAME = re.compile(r"[A-Za-z0-9][\w.@+-]{0,199}", re.ASCII)
_ANSWER = b'{"kind":"answer"'

_T = TypeVar("_T")


class LabFolder:
    """The Protocol ``web.lab_facts.LabBooks`` over one data folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._runs = _Kept(2_000)
        self._tasks = _Kept(3)
        self._verdicts = _Kept(3)
        self._curves = _Kept(24)
        self._journals: dict[Path, tuple[int, int]] = {}
        self._lock = Lock()

    # ── evaluations ─────────────────────────────────────────────────────────────────────────────────────────────

    def evaluations(self) -> Sequence[Evaluation]:
        from ..lab.evals.result import FOLDER

        found = []
        for file in (self._data / FOLDER).glob("*/run.json"):
            one = self.evaluation(file.parent.name)
            if one is not None:
                found.append(one)
        return sorted(found, key=lambda one: (-one.began_us, one.id))

    def evaluation(self, id: str) -> Evaluation | None:
        path = self._folder(id)
        run = self._run(path) if path is not None else None
        if run is None or path is None:
            return None
        told = run.summary
        done, last_us = (told.n + told.unscored, None) if told is not None else (0, None)
        if run.state == "running":
            done, last_us = self._journalled(path / "journal.jsonl")
        return Evaluation(
            id=id,
            **{name: getattr(run, name) for name in _SAME},
            summary=None if told is None else msgspec.convert(told, Figures, from_attributes=True),
            load=msgspec.convert(run.load, LoadFacts, from_attributes=True),
            done=done,
            last_us=last_us,
            aside=run.id != id,
            readable=(path / "rows.jsonl").exists(),
        )

    def samples(
        self, id: str, *, after: int = 0, count: int = 50, only: Only = "", slice: str | None = None
    ) -> Samples | None:
        path = self._folder(id)
        run = self._run(path) if path is not None else None
        if path is None or run is None:
            return None
        try:
            file = (path / "rows.jsonl").open("rb")
        except FileNotFoundError:
            return None
        found: list[tuple[int, bytes]] = []
        following = None
        with file:
            if not at_line(file, after):
                return None
            for number, (at, line) in enumerate(lines(file, after)):
                if number >= MOST_LINES:
                    following = at
                    break
                if not fits(line, only, slice):
                    continue
                if len(found) == count:
                    following = at
                    break
                found.append((at, line))
        task = self._task(path)
        rows = tuple(as_sample(decoded(path, line), at, task, run.mode, LIST_CHARS) for at, line in found)
        return Samples(tuple(structs.replace(row, asked=row.asked[-1:]) for row in rows), following)

    def sample(self, id: str, at: int) -> Sample | None:
        path = self._folder(id)
        run = self._run(path) if path is not None else None
        if path is None or run is None:
            return None
        try:
            with (path / "rows.jsonl").open("rb") as file:
                line = file.readline() if at_line(file, at) else b""
        except FileNotFoundError:
            return None
        return as_sample(decoded(path, line), at, self._task(path), run.mode, MOST_CHARS) if line else None

    # ── verdicts ────────────────────────────────────────────────────────────────────────────────────────────────

    def compare(
        self, a: str, b: str, *, margin: float, which: Which = "", after: int = 0, count: int = 50
    ) -> Compared | None:
        ours, theirs = self._folder(a), self._folder(b)
        if ours is None or theirs is None or self._run(ours) is None or self._run(theirs) is None:
            return None
        key = ("compare", margin, _state(ours), _state(theirs))
        held = self._verdicts.get(key, lambda: lab_verdicts.held(self._read(a, ours), self._read(b, theirs), margin))
        shown = held.by[which][after : after + count]
        return Compared(
            comparison=held.comparison,
            words=held.words,
            notes=held.notes,
            counts={name: len(found) for name, found in held.by.items()},
            pairs=tuple(held.pair(sample) for sample in shown),
            next=after + count if after + count < len(held.by[which]) else None,
        )

    def curve(self, task: str, axis: Axis, worth: float | None = None) -> Curve | None:
        newest: dict[tuple[str, str], Evaluation] = {}
        for one in self.evaluations():
            if one.task == task and one.state == "complete" and one.readable and not one.aside:
                known = newest.setdefault((one.model, one.mode), one)
                if one.wanted > known.wanted:  # a quick look at four samples is not to displace a run of a hundred
                    newest[one.model, one.mode] = one
        if not newest:
            return None
        if sum(one.wanted for one in newest.values()) > 5 * MOST_ANSWERS:
            raise _too_many(f"demitasse frontier {' '.join(one.id for one in newest.values())}")
        places = [(one.id, path) for one in newest.values() if (path := self._folder(one.id)) is not None]
        key = (
            "curve",
            axis,
            worth,
            *((id, _mark(path / "rows.jsonl"), _mark(path / "run.json")) for id, path in places),
        )
        return self._curves.get(
            key, lambda: lab_verdicts.curve(task, [self._read(id, path) for id, path in places], axis, worth)
        )

    # ── made models ─────────────────────────────────────────────────────────────────────────────────────────────

    def made(self) -> Sequence[Made]:
        from ..lab.optimise import artefact

        return [msgspec.convert(one, Made, from_attributes=True) for one in artefact.made(self._data)]

    def made_one(self, name: str) -> Made | None:
        from ..lab.optimise import artefact
        from ..providers.made import NAME, folder

        if not NAME.fullmatch(name) or ".." in name:
            return None
        try:
            return msgspec.convert(artefact.read(folder(self._data / "models", name)), Made, from_attributes=True)
        except artefact.ArtefactError:
            return None

    # ── files ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _folder(self, id: str) -> Path | None:
        """Below the evaluations, whatever it is called; None where there is none."""
        from ..lab.evals.result import FOLDER

        home = self._data / FOLDER
        if not _NAME.fullmatch(id) or ".." in id:
            return None
        path = home / id
        return path if path.is_dir() and path.resolve().parent == home.resolve() else None

    def _run(self, path: Path) -> Run | None:
        from ..lab.evals import result

        file = path / "run.json"
        try:
            return self._runs.get((path, _mark(file)), lambda: result.load(path))
        except result.EvaluationError:
            return None  # half a folder, or one of another version: nothing to show

    def _task(self, path: Path) -> Asked | None:
        from ..lab.evals import result

        file = path / "task.json"
        mark = _mark(file)
        if mark is None or mark[1] > MOST_TASK_BYTES:
            return None
        return self._tasks.get((path, mark), lambda: Asked.of(result.load_task(path)))

    def _read(self, id: str, path: Path) -> Read:
        """All of it, as it is compared. Raises EvaluationError."""
        from ..lab.evals import reading, result
        from ..lab.evals.seen import seen

        run = result.load(path)
        if run.n * run.repeats > MOST_ANSWERS:
            raise _too_many(f"demitasse compare {id} …")
        result.rows(path)  # says what is wrong with it
        with (path / "rows.jsonl").open("rb") as file:
            rows = [(at, decoded(path, line)) for at, line in lines(file, 0)]
        asked = self._task(path) or Asked.of(result.load_task(path))
        one = reading.Evaluation(id, structs.replace(run, id=id), asked.task, seen(row for _, row in rows))
        first: dict[str, tuple[int, Row]] = {}
        for at, row in rows:
            first.setdefault(row.sample, (at, row))
        return Read(one, first, asked)

    def _journalled(self, path: Path) -> tuple[int, int | None]:
        """Answers in a journal, and when the newest came. Only what was written since the last look is read."""
        with self._lock:
            seen, count = self._journals.get(path, (0, 0))
            try:
                told = path.stat()
                if told.st_size < seen:
                    seen = count = 0
                with path.open("rb") as file:
                    file.seek(seen)
                    for line in file:
                        if not line.endswith(b"\n"):
                            break
                        count += line.startswith(_ANSWER)
                        seen += len(line)
            except FileNotFoundError:
                return 0, None
            self._journals[path] = seen, count
            return count, told.st_mtime_ns // 1000


_SAME = tuple(
    name
    for name in Evaluation.__struct_fields__
    if name not in {"id", "summary", "load", "done", "last_us", "aside", "readable"}
)


class _Kept:
    """The newest few results, each by what it was made from."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], _T]) -> _T:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: _T = self._kept[key]
                return found
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made


def _state(path: Path) -> Hashable:
    """Of an evaluation: changes when it goes on."""
    return path, _mark(path / "rows.jsonl"), _mark(path / "run.json")


def _mark(file: Path) -> tuple[int, int] | None:
    """Changes when the file does; None: it is not there."""
    try:
        told = file.stat()
    except OSError:
        return None
    return told.st_mtime_ns, told.st_size


def _too_many(command: str) -> Exception:
    from ..lab.evals.result import EvaluationError

    return EvaluationError(f"these are too many answers for a page; the command takes its time: {command}")
