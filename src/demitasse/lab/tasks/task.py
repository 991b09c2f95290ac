"""The lab's nouns for what is asked: Task and Sample. Pure; knows no file, no model and no score.

The names are the field's (lm-evaluation-harness, Inspect). A Task is data: everything that decides what is sent to a model
and how its answer is read is in it, so that its hash names the experiment.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

Form = Literal["text", "number", "choice", "label", "json", "code"]
"""What an answer is: decides how it may be constrained, and which scorer is the default."""


class Turn(Struct, frozen=True, omit_defaults=True):
    """One message of a Sample that is a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Sample(Struct, frozen=True, omit_defaults=True):
    """One question with what is known about its right answer."""

    id: str
    """Unique within its task, and the same whenever the same data are loaded."""
    input: str | tuple[Turn, ...]
    target: tuple[str, ...] = ()
    """Answers that are right; any one will do. A choice's target is its letter (``A`` is the first of ``choices``).
    Empty: none is known (a judge or a person must say), or ``metadata`` holds what the scorer needs."""
    choices: tuple[str, ...] = ()
    """Options in the order in which they are shown."""
    cluster: str = ""
    """Samples of one cluster depend on each other (a session, a passage with several questions); empty: it stands alone."""
    slice: str = ""
    """A part of the task that is reported by itself: subject, language, category."""
    at_us: int | None = None
    """When it was asked, for data from traffic (UTC microseconds)."""
    metadata: dict[str, Any] = {}
    """What a scorer needs beside the target: ``tests`` of a code task, ``schema`` of a JSON one; and the source's own fields."""


class Source(Struct, frozen=True, omit_defaults=True):
    """Where samples came from, for manifests and cards."""

    name: str
    """``file:headlines.csv``, ``hub:openai/gsm8k``, ``ledger:auto``."""
    sha256: str = ""
    """Of the file's bytes; empty where there is no one file."""
    licence: str = "not stated"
    split: str = ""
    fetched: str = ""
    """ISO date, where it was read from a hub."""


class Task(Struct, frozen=True, omit_defaults=True):
    """Samples, how they are put, and how answers are scored."""

    name: str
    samples: tuple[Sample, ...]
    form: Form = "text"
    labels: tuple[str, ...] = ()
    """The closed set of a ``label`` task."""
    scorer: str = ""
    """Name of the scorer; empty: the one that goes with ``form``. May carry options: ``judge:large``, ``numeric:0.01``."""
    system: str = ""
    """System prompt."""
    template: str = "{input}"
    """How a sample's ``input`` is put; ``{input}`` and ``{choices}`` (lettered lines) are filled in."""
    shots: tuple[Sample, ...] = ()
    """Worked examples that are put before every sample, as turns."""
    max_tokens: int = 256
    schema: dict[str, Any] | None = None
    """JSON schema of a ``json`` task."""
    source: Source = Source("made here")

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of what is asked and how it is scored; the name and the source do not count."""
        bare = structs.replace(self, name="", source=Source(""))
        return hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()


def chosen(task: Task, n: int | None, *, seed: int) -> Task:
    """``n`` samples of the task (all, where it has no more), the same ones for a seed, in the task's own order.

    The order of drawing is by hash of seed and id, so that ``n + 1`` samples contain the ``n``.
    """
    if n is None or n >= len(task.samples):
        return task
    ranked = sorted(task.samples, key=lambda s: hashlib.sha256(f"{seed}\0{s.id}".encode()).digest())
    kept = {s.id for s in ranked[:n]}
    return structs.replace(task, samples=tuple(s for s in task.samples if s.id in kept))
