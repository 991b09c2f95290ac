"""From the word that a user types to a Task: a file, a route's own traffic, a standard set, another harness's task.

Knows the configuration, the ledger and the kept bodies; what their rows mean is said in ``lab.tasks``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..core.errors import ConfigError
from ..lab.tasks import files, rows, spec
from ..lab.tasks.task import Task

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


def find(word: str, where: Where, *, datasets: str | None = None, seed: int = 7) -> Task:
    """The task that ``word`` names.

    Args:
        word: a data file or ``x.task.toml``; ``ledger:ROUTE``; ``lm-eval:FILE.yaml``; or a standard set's name.
        datasets: a folder of local data sets, instead of the hub; None: the variable DEMITASSE_DATASETS, else the hub.
        seed: of what is drawn from the ledger.

    Raises ConfigError: there is no such task, or it cannot be read; the sentence says what to do.
    """
    path = where.cwd / word
    if word.endswith((spec.SUFFIX, *rows.SUFFIXES)):
        return files.load(path)
    raise ConfigError(f"there is no task '{word}'; name a file (.jsonl, .csv, .parquet or .task.toml)")
