"""From the word that a user types to a Task: a file, a route's own traffic, a standard set, another harness's task.

Knows the configuration, the ledger and the kept bodies; what their rows mean is said in ``lab.tasks``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from ..core.errors import ConfigError
from ..lab.tasks import contamination, files, hub, lm_eval, logs, rows, spec, standard
from ..lab.tasks.task import Task
from . import task_ledger

if TYPE_CHECKING:
    from ..config import Config


class Where(Protocol):
    """What finding a task needs of an installation; a command line's Place is one."""

    env: Mapping[str, str]
    cwd: Path
    clock: Callable[[], int]

    @property
    def data(self) -> Path: ...

    def config(self, overrides: Mapping[str, Any] | None = None) -> Config: ...


DATASETS = "DEMITASSE_DATASETS"
"""The variable that names a folder of data sets in the hub's layout, to be read instead of the hub."""
LEDGER = "ledger:"
LM_EVAL = "lm-eval:"


def find(
    word: str,
    where: Where,
    *,
    datasets: str | None = None,
    seed: int = 7,
    told: Callable[[str], None] = lambda _said: None,
) -> Task:
    """The task that ``word`` names.

    Args:
        word: a data file or ``x.task.toml``; ``ledger:ROUTE``; ``lm-eval:FILE.yaml``; a finished run's log (Inspect's, or
            lm-evaluation-harness's samples); or a standard set's name.
        datasets: a folder of local data sets, instead of the hub; None: the variable DEMITASSE_DATASETS, else the hub.
        seed: of what is drawn from the ledger.
        told: hears what a person should know of the task beside it: what was left out of the ledger's, and masked.

    Raises ConfigError: there is no such task, or it cannot be read; the sentence says what to do.
    """
    path = where.cwd / word
    if word.startswith(LEDGER):
        return task_ledger.find(word.removeprefix(LEDGER), where, seed=seed, told=told)
    if word.startswith(LM_EVAL):
        return lm_eval.load(where.cwd / word.removeprefix(LM_EVAL), _fetch(where, datasets))
    if word.endswith(".eval") or (word.endswith((".json", ".jsonl")) and logs.kind_of(path)):
        return logs.read(path).task
    if word.endswith((spec.SUFFIX, *rows.SUFFIXES)):
        return files.load(path)
    if standard.find(word) is not None:
        local = datasets_folder(where, datasets) is not None
        today = dt.datetime.fromtimestamp(where.clock() / 1e6, dt.UTC).date().isoformat()
        return standard.load(word, _fetch(where, datasets), fetched="" if local else today)
    meant = standard.near(word)
    raise ConfigError(
        f"there is no task '{word}'; "
        + (f"did you mean '{meant}'? " if meant else "")
        + "a task is a file (.jsonl, .csv, .parquet, .task.toml), ledger:ROUTE, lm-eval:FILE.yaml, or a standard set: "
        "demitasse tasks list"
    )


def texts(word: str, where: Where, *, datasets: str | None = None, seed: int = 7) -> Iterator[Sequence[str]]:
    """The texts of each row of a file, whichever columns it has, or of another task; for ``lab.tasks.contamination``.

    Raises ConfigError.
    """
    if word.endswith(".txt"):
        yield from ((line,) for line in _lines(where.cwd / word))
        return
    if word.endswith(rows.SUFFIXES) and not logs.kind_of(where.cwd / word):
        for row in rows.read(where.cwd / word).rows:
            yield tuple(_strings(row.fields))
        return
    for sample in find(word, where, datasets=datasets, seed=seed).samples:
        yield (contamination.text_of(sample), *sample.target)


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from file
    except OSError as why:
        raise ConfigError(f"{path}: {(why.strerror or 'cannot be read').lower()}") from why
    except UnicodeDecodeError as why:
        raise ConfigError(f"{path}: is no UTF-8; save it as UTF-8") from why


def _strings(value: Any) -> Iterator[str]:
    """All texts within a row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _strings(one)


def _fetch(where: Where, datasets: str | None) -> standard.FETCH:
    """Where the files of data sets come from: a local folder, else the hub."""
    folder = datasets_folder(where, datasets)
    if folder is not None:
        return lambda wanted: hub.local(folder, wanted)
    return lambda wanted: hub.fetched(hub.hugging_face(), wanted)


def datasets_folder(where: Where, datasets: str | None) -> Path | None:
    """The folder that standard sets are read from; None: they come from the hub. Raises ConfigError: it is none."""
    named = datasets or where.env.get(DATASETS)
    if not named:
        return None
    folder = where.cwd / named
    if not folder.is_dir():
        said = "--from" if datasets else DATASETS
        raise ConfigError(f"{said} {named}: is no folder; name the one that holds <owner>/<name>/<split>.parquet")
    return folder


class Listed(Struct, frozen=True):
    """A standard set as a list shows it."""

    name: str
    about: str
    repo: str
    licence: str
    parts: bool
    here: bool
    """Its files lie in the local folder, or in the hub library's own store."""


def listed(where: Where, *, datasets: str | None = None) -> list[Listed]:
    """The standard sets, and which can be read without a hub. Asks no network. Raises ConfigError: the folder is none."""
    folder = datasets_folder(where, datasets)
    return [
        Listed(
            name=known.name,
            about=known.about,
            repo=known.repo,
            licence=known.told.licence,
            parts=bool(known.parts),
            here=_here(known, folder),
        )
        for known in standard.table().values()
    ]


def hub_library() -> bool:
    """Whether the library that fetches data sets is installed."""
    return find_spec("huggingface_hub") is not None


def task_files(folder: Path) -> Sequence[Path]:
    """The ``*.task.toml`` of a folder and its folder ``tasks``."""
    return sorted({*folder.glob(f"*{spec.SUFFIX}"), *folder.glob(f"tasks/*{spec.SUFFIX}")})


def _here(known: standard.Standard, folder: Path | None) -> bool:
    wanted = standard.wanted(known, "")
    if folder is not None:
        base = folder / known.repo
        return base.is_dir() and bool(
            hub.chosen([p.relative_to(base).as_posix() for p in base.rglob("*") if p.is_file()], wanted)
        )
    if not hub_library():
        return False
    from huggingface_hub import constants  # noqa: PLC0415 - an extra

    kept = Path(constants.HF_HUB_CACHE) / f"datasets--{known.repo.replace('/', '--')}" / "snapshots"
    paths = [p.relative_to(kept).parts[1:] for p in kept.rglob("*") if p.is_file()] if kept.is_dir() else []
    return bool(hub.chosen(["/".join(parts) for parts in paths], wanted))
