"""Answers of earlier runs that a new run asks for too: copied into its journal, so that none is paid for twice. Knows lines.

Runs with other numbers of samples, other targets or another scorer put the same requests to the same models.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from ..scorers.ask import Mode, request
from ..tasks.task import Task
from .journal import key_of


class _Line(msgspec.Struct):
    kind: str
    key: str


_decode = msgspec.json.Decoder(_Line).decode


def keys_of(task: Task, identity: str, mode: Mode, *, seed: int, repeats: int) -> set[str]:
    """What every answer of a run is found by."""
    return {
        key_of(identity, request(task, sample, mode, seed=seed + repeat), repeat)
        for repeat in range(repeats)
        for sample in task.samples
    }


def adopt(own: Path, others: Iterable[Path], wanted: set[str]) -> int:
    """Make a journal at ``own`` of the wanted answers in ``others``, with what the books say of them; returns how many.

    Scores are not taken over: another task may hold the same answer right. Nothing is done where ``own`` is there already. A
    journal that cannot be read, or a line that is damaged or cut off, gives nothing.
    """
    if own.exists() or not wanted:
        return 0
    found: dict[tuple[str, str], bytes] = {}
    for other in others:
        for line in _lines(other):
            try:
                head = _decode(line)
            except msgspec.DecodeError:
                continue
            if head.key in wanted and head.kind in ("answer", "closed"):
                found.setdefault((head.kind, head.key), line)
    answers = {key for kind, key in found if kind == "answer"}
    if answers:
        new = own.with_name(f".{own.name}.{os.getpid()}")
        new.touch(mode=0o600)
        new.write_bytes(b"".join(line for (_, key), line in found.items() if key in answers))
        new.replace(own)
    return len(answers)


def _lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            return [line for line in file if line.endswith(b"\n")]
    except OSError:
        return []
