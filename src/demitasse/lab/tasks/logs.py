"""Finished runs of other harnesses: their samples as a Task, and the answers with the scores that were given there.

Reads Inspect's logs (``.eval``, ``.json``) and lm-evaluation-harness's ``--log_samples`` JSON lines, as those harnesses wrote
them. Asks nobody and scores nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from ...core.errors import ConfigError
from .task import Task


class Given(Struct, frozen=True, omit_defaults=True):
    """An answer as another harness recorded it."""

    text: str
    score: float | None = None
    """0 to 1, as given there; None: it was not scored, or by something else than a number in that range."""
    finish: str | None = None
    """OpenAI's word for why it ended."""
    latency_ms: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    error: str = ""
    """Why there is no answer."""
    said: str = ""
    """What was read there as the answer."""


class Log(Struct, frozen=True):
    """A finished run."""

    task: Task
    answers: Mapping[str, Given]
    """By sample. Of several answers to one sample (epochs, repeats), the first."""
    model: str
    harness: str
    """``inspect`` or ``lm-eval``."""
    scorer: str
    """By which the scores were given: Inspect's scorer, lm-eval's metric and filter."""
    more: int = 0
    """Further answers to the same samples, which are left out."""


def read(path: Path) -> Log:
    """The run in a log file. Raises ConfigError: it is none, is damaged, or holds no samples."""
    from . import logs_inspect, logs_lm_eval  # noqa: PLC0415 - they need the nouns above

    kind = kind_of(path)
    if kind == "inspect":
        return logs_inspect.read(path)
    if kind == "lm-eval":
        return logs_lm_eval.read(path)
    raise ConfigError(
        f"{path}: is no log of Inspect (.eval, .json) and none of lm-evaluation-harness (samples_*.jsonl of --log_samples)"
    )


def kind_of(path: Path) -> str:
    """``inspect``, ``lm-eval``, or "" for anything else, by the file's first bytes. Raises ConfigError: it cannot be read."""
    suffix = path.suffix.lower()
    if suffix not in (".eval", ".json", ".jsonl"):
        return ""
    try:
        with path.open("rb") as file:
            if suffix == ".eval":
                return "inspect"
            start = file.read(_LOOK_BYTES) if suffix == ".json" else file.readline(_LINE_BYTES)
    except OSError as why:
        raise ConfigError(f"{path}: {(why.strerror or 'cannot be read').lower()}") from why
    if suffix == ".json":
        return "inspect" if start.lstrip().startswith(b"{") and b'"eval"' in start and b'"version"' in start else ""
    try:
        first = msgspec.json.decode(start)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    return "lm-eval" if isinstance(first, dict) and {"doc_id", "resps", "arguments"} <= first.keys() else ""


_LOOK_BYTES = 4096
_LINE_BYTES = 64 << 20


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
