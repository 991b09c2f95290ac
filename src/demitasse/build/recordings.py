"""Recorded answers as the target of an evaluation: a file of them, or a finished run of another harness. Asks no model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from ..core.money import nanos
from ..lab.evals import result
from ..lab.evals.replayed import Recorded, pieces, rows_of, score_piece, unanswered
from ..lab.evals.result import EvaluationError, Row, Run
from ..lab.evals.summary import summarise
from ..lab.scorers.scorer import Score, Unscorable
from ..lab.tasks import logs
from ..lab.tasks.task import Task, chosen
from ..providers.machine import allowed_cores
from .evaluating import Wanted, machine_load, run_of

PREFIX = "recorded:"


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
    """Score what was answered elsewhere, on all cores.

    Args:
        wanted: its ``model`` is ``recorded:FILE``.
        on: ``local``, ``ray`` or a cluster's address.

    Raises EvaluationError.
    """
    task = chosen(task, wanted.n, seed=wanted.seed)
    file = cwd / wanted.model.removeprefix(PREFIX)
    answers = dict(read(file))
    run = run_of(task, wanted, "free", f"recorded {_mark(file)}", clock())
    path = result.folder(data, run.id)
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = machine_load()
    try:
        found = rows_of(_scored(pieces(task, answers)))
    except Unscorable as why:
        raise EvaluationError(str(why)) from why
    missing = len(unanswered(task, answers))
    run = structs.replace(
        run,
        state="complete",
        why=f"{missing} samples have no recorded answer and are left out" if missing else "",
        ended_us=clock(),
        summary=summarise(found, samples=len(task.samples), wall_s=None),
        load=structs.replace(machine_load(), before=before.before),
    )
    result.write_task(path, task)
    result.write_rows(path, found)
    result.write(path, run)
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


def _scored(work: Iterator[bytes]) -> Iterator[bytes]:
    first = next(work, None)
    if first is None:
        return
    second = next(work, None)
    if second is None:
        yield score_piece(first)
        return

    def all_() -> Iterator[bytes]:
        yield first
        yield second
        yield from work

    with ProcessPoolExecutor(max(1, int(allowed_cores())), mp_context=get_context("spawn")) as pool:
        yield from pool.map(score_piece, all_())


def _mark(path: Path) -> str:
    with path.open("rb") as file:
        return f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
