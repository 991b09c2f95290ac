"""Answers and scores as they come, on disk before anything else happens with them. Knows lines and keys; knows no model.

An answer is written before its call is settled in the ledger: whoever is killed in between finds the answer here and its
price there, and nothing is paid twice. A line that a kill cut off is no line.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from ...core.call import Usage
from ..scorers.scorer import Score
from .result import EvaluationError, Method


class Told(Struct, frozen=True, omit_defaults=True, tag="answer", tag_field="kind"):
    """An answer, as it came from upstream."""

    key: str
    entry: str
    body: Raw
    """The chat completion, whole."""
    model: str = ""
    usage: Usage | None = None


class Closed(Struct, frozen=True, omit_defaults=True, tag="closed", tag_field="kind"):
    """What the books say of it. Missing where a kill came between: the ledger knows."""

    key: str
    cost_nanos: int | None = None
    latency_ms: float | None = None
    first_byte_ms: float | None = None
    model: str = ""
    energy_uj: tuple[int, int] | None = None
    energy_method: Method | None = None
    certificate: str = ""


class Scored(Struct, frozen=True, omit_defaults=True, tag="score", tag_field="kind"):
    """A score that cost something to get."""

    key: str
    scorer: str
    score: Score
    sample: str = ""
    """Two samples may ask the same and have other targets."""


Line = Told | Closed | Scored
_decode = msgspec.json.Decoder(Told | Closed | Scored).decode
Kind = Literal["answer", "closed", "score"]


def key_of(identity: str, body: bytes, repeat: int) -> str:
    """What an answer is found by: who was asked, what, and for which time."""
    return hashlib.sha256(b"%b\0%d\0%b" % (identity.encode(), repeat, body)).hexdigest()[:32]


class Journal:
    """One run's lines. Held by one process at a time.

    Args:
        path: ``journal.jsonl``; made where it is missing.

    Raises EvaluationError when another process holds it, OSError when it can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, Told] = {}
        self.closed: dict[str, Closed] = {}
        self.scores: dict[tuple[str, str, str], Score] = {}
        """By answer, scorer and sample."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise EvaluationError(
                f"{path.parent.name} is being evaluated by another process; wait for it, or stop it"
            ) from None
        self._read(path)

    def answer(self, told: Told) -> None:
        """Written when this returns."""
        self._write(told)
        self.answers[told.key] = told

    def close_call(self, closed: Closed) -> None:
        self._write(closed)
        self.closed[closed.key] = closed

    def score(self, key: str, scorer: str, sample: str, score: Score) -> None:
        self._write(Scored(key, scorer, score, sample))
        self.scores[key, scorer, sample] = score

    def close(self) -> None:
        os.close(self._file)

    def _write(self, line: Line) -> None:
        whole = msgspec.json.encode(line) + b"\n"
        at = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, whole)
        except OSError:
            os.ftruncate(self._file, at)
            raise
        if written != len(whole):
            os.ftruncate(self._file, at)
            raise OSError(28, "no space left for the journal", "journal.jsonl")

    def _read(self, path: Path) -> None:
        good = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break  # cut off by a kill
                try:
                    self._take(_decode(line))
                except msgspec.DecodeError as why:
                    raise EvaluationError(f"{path}, line {number}: {why}; begin anew with --fresh") from why
                good += len(line)
        os.ftruncate(self._file, good)

    def _take(self, line: Line) -> None:
        match line:
            case Told():
                self.answers[line.key] = line
            case Closed():
                self.closed[line.key] = line
            case Scored():
                self.scores[line.key, line.scorer, line.sample] = line.score
