"""What an evaluation leaves: Row per answer and Run as a whole, in a folder of its own, written so that a kill leaves it whole.

    <data>/evaluations/<id>/
        run.json        the Run: what was asked of whom, how far it came, what it adds up to
        task.json       the Task as it was put, so that the folder explains itself
        journal.jsonl   answers and scores as they came (`journal`)
        rows.jsonl      one Row per sample and repeat, written when the run ends

Knows files; asks no model and scores nothing.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from ...core.errors import DemitasseError
from ..scorers.scorer import Score
from ..tasks.task import Task

FOLDER = "evaluations"
State = Literal["running", "complete", "stopped"]
"""running: under way, or killed · stopped: by a budget or by errors, see ``why``; goes on when it is called again."""

Method = Literal["measured", "modelled", "vendor"]


class EvaluationError(DemitasseError):
    """An evaluation that cannot be found, read or made; the sentence says what to do."""


class Row(Struct, frozen=True, omit_defaults=True):
    """One answer to one sample, scored."""

    sample: str
    score: Score
    repeat: int = 0
    slice: str = ""
    cluster: str = ""
    text: str = ""
    """The answer as it was given."""
    model: str = ""
    """Our name of the model that answered (of a route: the rung)."""
    entry: str = ""
    """The call's id in the ledger; empty for recordings."""
    cost_nanos: int | None = None
    """None: unpriced or unknown."""
    latency_ms: float | None = None
    first_byte_ms: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    energy_uj: tuple[int, int] | None = None
    energy_method: Method | None = None
    certificate: str = ""


class Load(Struct, frozen=True, omit_defaults=True):
    """How busy the machine was, so that figures of a crowded hour are not taken for those of a quiet one."""

    cores: float = 0.0
    before: float = 0.0
    """One-minute load average at the start."""
    after: float = 0.0
    cpu_s: float | None = None
    """CPU seconds of all processes of the machine meanwhile."""
    own_cpu_s: float = 0.0
    """Of this process: the harness itself."""
    steal_s: float | None = None
    """CPU seconds that the hypervisor gave to others."""
    threads: int | None = None
    wall_s: float = 0.0
    contended: bool = False
    """Others kept the cores busy: latencies and throughput say little about the model."""
    why: str = ""
    """Of ``contended``, in words."""
    engine_cpu_s: float = 0.0
    """Of the local engines that answered."""


class Summary(Struct, frozen=True, omit_defaults=True):
    """What the rows add up to. Intervals are 95 %."""

    n: int
    """Rows that have a score."""
    samples: int
    quality: float | None
    quality_interval: tuple[float, float] | None
    format_failures: int
    """Answers that could not be read (among them cut, empty, refused)."""
    wrong: int
    """Read, and not wholly right."""
    unscored: int
    errors: int
    """Samples that no answer came for."""
    cost_nanos: int | None
    """Of all answers; None as soon as one is unpriced."""
    scoring_nanos: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    latency_ms: dict[str, tuple[float, float, float]] = {}
    """``p50`` and ``p95`` (``p99`` from 500 rows): value and interval."""
    calls_per_s: float | None = None
    tokens_out_per_s: float | None = None
    energy_uj: dict[str, tuple[int, int]] = {}
    """By method; never added up over methods."""
    slices: dict[str, tuple[int, float]] = {}
    """Rows and quality of each."""


class Run(Struct, frozen=True, omit_defaults=True):
    """One model on one task."""

    id: str
    task: str
    task_hash: str
    form: str
    scorer: str
    model: str
    """As the user named it."""
    identity: str
    """What would answer: models with their versions, and the certificates in force. Part of what a kept answer is found by."""
    mode: str
    n: int
    """Samples."""
    began_us: int
    repeats: int = 1
    seed: int = 7
    state: State = "running"
    why: str = ""
    ended_us: int | None = None
    asked: int = 0
    """Answers that were asked for in all sittings."""
    reused: int = 0
    """Answers that an earlier sitting had paid for already."""
    summary: Summary | None = None
    load: Load = Load()
    source: str = ""
    licence: str = ""
    command: str = ""


def folder(data: Path, id: str) -> Path:
    return data / FOLDER / id


def find(data: Path, ref: str) -> Path:
    """The folder of an evaluation: by id, an unambiguous beginning of it, or a path. Raises EvaluationError."""
    given = Path(ref)
    if (given / "run.json").is_file():
        return given
    home = data / FOLDER
    if re.fullmatch(r"[\w.@+-]+", ref) and (home / ref / "run.json").is_file():
        return home / ref
    names = sorted(p.parent.name for p in home.glob("*/run.json"))
    near = [name for name in names if name.startswith(ref)]
    if len(near) == 1:
        return home / near[0]
    if near:
        raise EvaluationError(f"'{ref}' may be any of {', '.join(near[:6])}; write more of it")
    hint = f"there are: {', '.join(names[-6:])}" if names else "make one: demitasse evaluate TASK --model NAME"
    raise EvaluationError(f"no evaluation '{ref}'; {hint}")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the one process that changes a run's folder, which exists. Raises EvaluationError where another is."""
    held = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have set it aside since we opened it.
            mine = os.fstat(held).st_ino == path.stat().st_ino
        except OSError:
            mine = False
        if not mine:
            raise EvaluationError(f"{path.name} is being evaluated by another process; wait for it, or stop it")
        yield
    finally:
        os.close(held)


def load(path: Path) -> Run:
    """Raises EvaluationError."""
    return _read(path / "run.json", _RUN)


def load_task(path: Path) -> Task:
    """The task as it was put. Raises EvaluationError."""
    return _read(path / "task.json", _TASK)


def rows(path: Path) -> list[Row]:
    """All scored answers, in the task's order. Raises EvaluationError while the run has not ended."""
    file = path / "rows.jsonl"
    if not file.exists():
        raise EvaluationError(
            f"evaluation '{path.name}' has not ended; go on with the command that began it: {load(path).command}"
        )
    found = []
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                found.append(_ROW.decode(line))
            except msgspec.DecodeError as why:
                raise EvaluationError(f"{file}, line {number}: {why}; run it again with --fresh") from why
    return found


def runs(data: Path) -> list[Run]:
    """All evaluations that can be read, the newest first."""
    found = []
    for file in (data / FOLDER).glob("*/run.json"):
        try:
            found.append(_RUN.decode(file.read_bytes()))
        except (OSError, msgspec.DecodeError):
            continue
    return sorted(found, key=lambda run: -run.began_us)


def answered(path: Path) -> int:
    """Answers that a run has so far, be it under way or killed: read off its journal, without parsing it."""
    try:
        with (path / "journal.jsonl").open("rb") as lines:
            return sum(line.startswith(b'{"kind":"answer"') for line in lines)
    except OSError:
        return 0


def write(path: Path, run: Run) -> None:
    _whole(path / "run.json", msgspec.json.format(msgspec.json.encode(run), indent=1))


def write_task(path: Path, task: Task) -> None:
    _whole(path / "task.json", msgspec.json.encode(task))


def write_rows(path: Path, found: Iterable[Row]) -> None:
    _whole(path / "rows.jsonl", b"".join(msgspec.json.encode(row) + b"\n" for row in found))


def _whole(path: Path, content: bytes) -> None:
    """The old file or the new one, never half of one."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_bytes(content)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


_RUN: msgspec.json.Decoder[Run] = msgspec.json.Decoder(Run)
_TASK: msgspec.json.Decoder[Task] = msgspec.json.Decoder(Task)
_ROW: msgspec.json.Decoder[Row] = msgspec.json.Decoder(Row)


_T = TypeVar("_T")


def _read(path: Path, decoder: msgspec.json.Decoder[_T]) -> _T:
    try:
        return decoder.decode(path.read_bytes())
    except FileNotFoundError:
        raise EvaluationError(f"{path}: not there; it is no evaluation's folder") from None
    except msgspec.DecodeError as why:
        raise EvaluationError(f"{path}: {why}; run the evaluation again with --fresh") from why
