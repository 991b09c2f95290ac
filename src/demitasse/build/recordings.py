"""Recorded answers as the target of an evaluation: a file of them, or a finished run of another harness. Asks no model."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from .. import __version__
from ..core.money import nanos
from ..lab.evals import load, result
from ..lab.evals.executor import executor
from ..lab.evals.replayed import Recorded, pieces, rows_of, score_piece, unanswered
from ..lab.evals.result import EvaluationError, Row, Run
from ..lab.evals.run import Metered, load_between
from ..lab.evals.summary import summarise
from ..lab.scorers.scorer import Score, Unscorable
from ..lab.tasks import logs
from ..lab.tasks.task import Task, chosen
from ..providers.machine import allowed_cores
from .evaluating import Wanted, run_of

PREFIX = "recorded:"
WORK = "demitasse.lab.evals.replayed:score_piece"


class _Line(Struct, frozen=True):
    """A line of a file of recorded answers."""

    id: str | int
    answer: str
    cost_usd: float | None = None
    latency_ms: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    finish: str | None = None


def evaluate_recorded(
    data: Path, cwd: Path, task: Task, wanted: Wanted, *, on: str, clock: Callable[[], int]
) -> tuple[Run, list[Row]]:
    """Score what was answered elsewhere, on all cores. A kill loses the pieces under way and no other.

    Args:
        wanted: its ``model`` is ``recorded:FILE``.
        on: ``local``, ``ray`` or a cluster's address.

    Raises EvaluationError, ExecutorError.
    """
    task = chosen(task, wanted.n, seed=wanted.seed)
    file = cwd / wanted.model.removeprefix(PREFIX)
    answers = dict(read(file))
    run = run_of(task, wanted, "free", f"recorded {_mark(file)}", clock())
    path = result.folder(data, run.id)
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    before, began = load.read(), _cpu_s()
    journal = path / "pieces"
    try:
        found = rows_of(_scored(list(pieces(task, answers)), journal, on))
    except Unscorable as why:
        raise EvaluationError(str(why)) from why
    missing = len(unanswered(task, answers))
    run = structs.replace(
        run,
        state="complete",
        why=f"{missing} samples have no recorded answer and are left out" if missing else "",
        ended_us=clock(),
        summary=summarise(found, samples=len(task.samples), wall_s=None),
        load=load_between(Metered(before), Metered(load.read()), own_cpu_s=_cpu_s() - began, cores=allowed_cores()),
    )
    result.write_task(path, task)
    result.write_rows(path, found)
    result.write(path, run)
    shutil.rmtree(journal, ignore_errors=True)  # its rows are in rows.jsonl now
    return run, found


def read(path: Path) -> Iterator[tuple[str, Recorded]]:
    """Recorded answers by their sample's id.

    Another harness's log (``lab.tasks.logs``), or JSONL with ``id`` and ``answer``, and optionally ``cost_usd``, ``latency_ms``,
    ``tokens_in``, ``tokens_out``, ``finish``. Raises EvaluationError naming the line; ConfigError: a log is damaged.
    """
    if logs.kind_of(path):
        yield from _logged(path)
        return
    decode = msgspec.json.Decoder(_Line).decode
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    told = decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as why:
                    raise EvaluationError(f'{path}, line {number}: {why}; a line is {{"id": …, "answer": …}}') from why
                yield (
                    str(told.id),
                    Recorded(
                        told.answer,
                        told.finish,
                        None if told.cost_usd is None else nanos(told.cost_usd),
                        told.latency_ms,
                        told.tokens_in,
                        told.tokens_out,
                    ),
                )
    except OSError as why:
        raise EvaluationError(f"{path}: {(why.strerror or 'cannot be read').lower()}") from why


def _logged(path: Path) -> Iterator[tuple[str, Recorded]]:
    """With the scores that were given there; who gave none is scored here."""
    for id, given in logs.read(path).answers.items():
        score = Score(given.score, "error" if given.error else "", given.said, given.error)
        kept = score if given.score is not None or given.error else None
        told = (given.finish, None, given.latency_ms, given.tokens_in, given.tokens_out)
        yield id, Recorded(given.text, *told, score=kept)


def _scored(work: Sequence[bytes], journal: Path, on: str) -> list[bytes]:
    """Each piece's rows, in the pieces' order. One piece is not worth a process of its own."""
    if on == "local" and len(work) < 2:
        return [score_piece(piece) for piece in work]

    async def collect() -> list[bytes]:
        done = executor(on, journal=journal, edition=__version__)
        found = {index: rows async for index, rows in done.map(WORK, work)}
        return [found[index] for index in range(len(work))]

    return asyncio.run(collect())


def _cpu_s() -> float:
    """Of this process and of those that worked for it and have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _mark(path: Path) -> str:
    with path.open("rb") as file:
        return f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
