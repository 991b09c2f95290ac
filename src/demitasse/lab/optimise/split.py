"""Rows to learn from and rows to measure on, kept apart before anything learns: by time where times are known, else by hash.

Pure; knows samples. What stands on both sides is taken from the rows to learn from: the same text, and samples of one cluster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from msgspec import Struct, structs

from ...core.errors import DemitasseError
from ...score.normal import plain
from ..tasks.task import Sample, Task

FEWEST = 20
"""Rows to measure on; fewer say nothing of anything."""
MOST = 300
"""Rows to measure on, where nobody says how many: each candidate answers all of them."""


class SplitError(DemitasseError):
    """Too few rows."""


class Split(Struct, frozen=True):
    """One task twice, with different samples."""

    train: Task
    test: Task
    how: str
    """For manifests: ``by time: …``."""
    dropped: dict[str, int]
    """Rows that nobody learns from, by reason."""
    contaminated: float | None = None
    """Share of test rows that shared a passage with rows to learn from, before those were taken out; None: nobody looked."""


def split(task: Task, *, test: int | None = None, seed: int = 7) -> Split:
    """The newest ``test`` samples to measure on where all bear a time, else those first by hash of seed and id.

    Args:
        test: how many; None: a third, at most `MOST`.

    Raises SplitError: fewer than `FEWEST` would be left on either side.
    """
    count = min(MOST, len(task.samples) // 3) if test is None else test
    if count < FEWEST or len(task.samples) - count < FEWEST:
        raise SplitError(
            f"task '{task.name}' has {len(task.samples)} samples, and {count} of them to measure on is too few on one side; "
            f"it takes {FEWEST} to learn from and {FEWEST} to measure on at least: add samples, or set --n"
        )
    timed = [sample for sample in task.samples if sample.at_us is not None]
    by_time = len(timed) == len(task.samples)
    key: Callable[[Sample], Any] = _by_time if by_time else _by_hash(seed)
    ordered = sorted(task.samples, key=key)
    chosen = {sample.id for sample in (ordered[-count:] if by_time else ordered[:count])}
    held = [sample for sample in task.samples if sample.id in chosen]
    texts = {_text(sample) for sample in held}
    clusters = {sample.cluster for sample in held if sample.cluster}
    rest, dropped = [], {"same text as a test row": 0, "same cluster as a test row": 0}
    for sample in task.samples:
        if sample.id in chosen:
            continue
        if _text(sample) in texts:
            dropped["same text as a test row"] += 1
        elif sample.cluster in clusters:
            dropped["same cluster as a test row"] += 1
        else:
            rest.append(sample)
    if len(rest) < FEWEST:
        raise SplitError(
            f"of task '{task.name}' only {len(rest)} rows are left to learn from once those like a test row are taken out"
        )
    return Split(
        train=structs.replace(task, samples=tuple(rest)),
        test=structs.replace(task, samples=tuple(held)),
        how="by time, the newest to measure on" if by_time else f"by hash of the id, seed {seed}",
        dropped={why: n for why, n in dropped.items() if n},
    )


def _by_time(sample: Sample) -> tuple[int, str]:
    return sample.at_us or 0, sample.id


def _by_hash(seed: int) -> Callable[[Sample], bytes]:
    return lambda sample: hashlib.sha256(f"optimise\0{seed}\0{sample.id}".encode()).digest()


def _text(sample: Sample) -> str:
    turns = (sample.input,) if isinstance(sample.input, str) else tuple(turn.content for turn in sample.input)
    return "\0".join(plain(one) for one in (*turns, *sample.choices))
