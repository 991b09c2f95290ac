"""What steps of an optimisation share: Candidate, Bench, and the configuration that a candidate needs. Knows data only."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from ..evals.result import Row, Run
from ..scorers.ask import Mode
from ..tasks.task import Task
from . import artefact, licences
from .artefact import Base, Data, Licences, Manifest
from .split import Split


class Table(Struct, frozen=True):
    """One table of the configuration: ``[models.NAME]`` or ``[routes.NAME]``."""

    section: str
    name: str
    settings: dict[str, Any]

    def lines(self) -> str:
        """As TOML."""
        head = self.name if re.fullmatch(r"[A-Za-z0-9_-]+", self.name) else msgspec.json.encode(self.name).decode()
        told = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in self.settings.items()]
        return "\n".join([f"[{self.section}.{head}]", *told]) + "\n"


class Candidate(Struct, frozen=True, kw_only=True):
    """Something that could answer in the reference's place."""

    name: str
    step: str
    ask: str
    """The model or route to put questions to."""
    tables: tuple[Table, ...] = ()
    """What the configuration needs for that, beside what it holds."""
    task: Task | None = None
    """Another way to put the task, with the rows to measure on; None: as it is put."""
    mode: Mode | None = None
    """None: constrained where the task's form allows it."""
    made: Manifest | None = None
    """The artefact behind it, not yet measured; it is on the disk."""
    bytes: int | None = None
    bits_per_weight: float | None = None
    replaces: str = ""
    """Name of the candidate that its gate holds it against; empty: the reference."""
    notes: tuple[str, ...] = ()


class Skipped(Struct, frozen=True):
    """A step that could not be tried, and what would make it possible."""

    step: str
    why: str


class Evaluate(Protocol):
    """Puts all samples of a task to a model or route; the tables are added to the configuration for that."""

    async def __call__(
        self, task: Task, ask: str, mode: Mode | None, tables: tuple[Table, ...]
    ) -> tuple[Run, list[Row]]: ...


class Facts(Struct, frozen=True):
    """What is known of a model that the user named."""

    alias: str
    path: Path | None = None
    """Its GGUF file, where it is local."""
    bytes: int | None = None
    bits_per_weight: float | None = None
    source: str = ""
    licence: str = "not stated"
    settings: dict[str, Any] = {}
    """Slots, threads, context: a model made from it runs with the same."""


class Bench(Struct, frozen=True, kw_only=True):
    """All that a step may use."""

    split: Split
    data: Path
    model: Facts
    """The small model that is to be made better."""
    reference: Facts
    margin: float
    seed: int
    evaluate: Evaluate
    clock: Callable[[], int]
    command: str = ""
    prefix: str = ""
    """Of artefacts' names."""
    encoder: Path | None = None
    """A folder with an encoder as it comes from a hub, to be quantised and tried under a classifier."""
    max_cpu_s: float = 600.0
    """Of one training."""
    licence_checked: bool = False
    """Somebody has read terms that nobody here knows."""
    precision: float = 0.95
    """What a classifier's answers shall have before it stops abstaining."""
    env: Mapping[str, str] = {}
    tell: Callable[[str], None] = print
    """A line for whoever waits."""


Make = Callable[[Bench, "Candidate"], Awaitable[list[Candidate]]]
"""A step: from the bench and the best candidate on the small model so far to new ones. Raises DemitasseError: it cannot."""


def made_from(bench: Bench, name: str, kind: artefact.Kind, method: str, parameters: dict[str, Any]) -> Manifest:
    """A manifest with what all steps know: made from the small model, with the rows to learn from."""
    train, test = bench.split.train, bench.split.test
    small = bench.model
    return Manifest(
        name=name,
        kind=kind,
        method=method,
        created=artefact.moment(bench.clock()),
        command=bench.command,
        base=Base(
            small.alias, artefact.sha256(small.path) if small.path is not None else "", small.licence, small.source
        ),
        parameters=parameters,
        data=Data(
            task=train.name,
            hash=train.hash,
            source=train.source.name,
            licence=train.source.licence,
            train=len(train.samples),
            test=len(test.samples),
            split=bench.split.how,
            dropped=bench.split.dropped,
            contaminated=bench.split.contaminated,
        ),
        seeds={"seed": bench.seed},
        libraries=artefact.libraries(("numpy",)),
        licences=terms(bench, small.licence),
    )


def named(bench: Bench, *parts: str) -> str:
    """A name for something new: nothing that may be serving is written over, or deleted when the new one fails its gate."""
    return artefact.free_name(bench.data, artefact.name_for(bench.prefix, *parts))


def terms(bench: Bench, base: str) -> Licences:
    """What may be made of it: the base's licence, the data's, and a teacher's terms where the rows hold a model's answers."""
    data = bench.split.train.source
    teacher = bench.reference.source if data.name.startswith("ledger:") else ""
    found = licences.together(
        licences.licence(base, of="the base"), licences.licence(data.licence, of="the data"), licences.teacher(teacher)
    )
    verdict: Literal["allowed", "conditions", "unclear", "refused"] = "unclear"
    if found.answer != "unknown":
        verdict = found.answer
    return Licences(base, data.licence, teacher, verdict, found.why)


def may_learn(bench: Bench, base: str) -> Licences:
    """The same, for what learns. Raises LicenceRefused: terms forbid it, or nobody knows them and nobody has said that they read
    them."""
    found = terms(bench, base)
    licences.check(licences.teacher(found.teacher), checked=bench.licence_checked)
    if found.verdict == "refused":
        raise licences.LicenceRefused(found.why)
    return found
