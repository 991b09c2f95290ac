"""From the word that a user types to the rows of a datasheet: a task, a route's traffic, a recording, any file of rows."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..lab.governance.datasheets import QUESTIONS, SAMPLE, Datasheet, Item, datasheet
from ..lab.tasks import contamination, rows
from ..lab.tasks.task import Task
from ..web.report import iso
from .recordings import read as read_recording
from .task_sources import LEDGER, Where, find, texts

RECORDED = "recorded:"


def sheet_of(
    word: str,
    where: Where,
    *,
    against: Sequence[str] = (),
    datasets: str | None = None,
    answers: Path | None = None,
    sample: int = SAMPLE,
) -> Datasheet:
    """The datasheet of what ``word`` names.

    Args:
        word: what ``task_sources.find`` takes, ``recorded:FILE``, or any file of rows.
        against: other sets that it is held against, named likewise.
        datasets: a folder of local data sets instead of the hub.
        answers: a TOML file with people's answers to ``QUESTIONS``, by id.

    Raises ConfigError: there is no such thing, or it cannot be read.
    """
    made, told = iso(where.clock()), _answers(answers)
    if word.startswith(RECORDED):
        path = where.cwd / word.removeprefix(RECORDED)
        items = [Item(answer.text, slice="") for _, answer in read_recording(path)]
        return datasheet(
            path.name, items, made=made, kind="recording", source=f"file:{path.name}", answers=told, sample=sample
        )
    task = _task(word, where, datasets)
    if task is None:
        return _rows(where.cwd / word, made, told, sample)
    items = [_item(one) for one in task.samples]
    dates = sorted(sample.at_us for sample in task.samples if sample.at_us is not None)
    return datasheet(
        task.name,
        items,
        made=made,
        kind="traffic" if word.startswith(LEDGER) else "task",
        source=task.source.name,
        licence=task.source.licence,
        split=task.source.split,
        fetched=task.source.fetched,
        sha256=task.source.sha256,
        task_hash=task.hash,
        closed=task.form in ("label", "choice"),
        moments=[iso(at_us)[:10] for at_us in dates],
        overlaps={other: contamination.overlap(task, texts(other, where, datasets=datasets)) for other in against},
        answers=told,
        sample=sample,
    )


def _task(word: str, where: Where, datasets: str | None) -> Task | None:
    """None: a file of rows that is no task."""
    try:
        return find(word, where, datasets=datasets)
    except ConfigError:
        if word.endswith(rows.SUFFIXES) and (where.cwd / word).is_file():
            return None
        raise


def _item(sample: Any) -> Item:
    filled = [name for name in ("target", "choices", "cluster", "slice", "at_us") if getattr(sample, name)]
    names = ("input", *filled, *(f"metadata.{name}" for name in sample.metadata))
    return Item(contamination.text_of(sample), sample.target, sample.slice, sample.at_us, names)


def _rows(path: Path, made: str, told: Mapping[str, str], sample: int) -> Datasheet:
    found = rows.read(path)
    items = [
        Item(
            "\n".join(str(value) for value in row.fields.values() if isinstance(value, str)),
            fields=tuple(name for name, value in row.fields.items() if value not in (None, "")),
        )
        for row in found.rows
    ]
    return datasheet(
        path.name,
        items,
        made=made,
        kind="rows",
        source=f"file:{path.name}",
        sha256=found.sha256,
        answers=told,
        sample=sample,
    )


def _answers(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except OSError as why:
        raise ConfigError(f"{path.name}: {(why.strerror or 'cannot be read').lower()}") from why
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise ConfigError(f"{path.name} is no TOML file: {why}") from why
    known = {one.id for one in QUESTIONS}
    for name, answer in told.items():
        if name not in known:
            raise ConfigError(f"{path.name}: there is no question '{name}'; there are: {', '.join(sorted(known))}")
        if not isinstance(answer, str):
            raise ConfigError(f"{path.name}: {name} is to be a text")
    return told
