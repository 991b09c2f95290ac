"""Erasing somebody, all of it: the keys to their texts, what lies under them, and the lab's runs that have their words in plain.

Knows what is kept where. A running gateway follows the chain and empties its memory by itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from ..core.errors import StoreError
from ..lab.evals.result import FOLDER
from ..store import commitments, erasure
from ..store.books import SqliteBooks
from ..store.erasure import Gone
from ..store.subjects import Subject, Subjects, tenants

FROM_CALLS = "ledger:"
"""What the name of a task begins with that was made of calls that were really served."""


class Erased(Struct, frozen=True):
    """What was destroyed. ``runs``: names of evaluations whose rows held the words."""

    subjects: int
    texts: int
    runs: tuple[str, ...] = ()
    told: bool = False
    """Whether the chain has it: of whom nothing was ever known it tells nothing."""


class _Run(Struct):
    task: str = ""
    source: str = ""


class _Row(Struct):
    sample: str


def erase(
    data: Path,
    secret: bytes,
    now_us: int,
    *,
    person: str | None,
    tenant: str | None,
    told: Mapping[str, str] | None = None,
) -> Erased:
    """Make unreadable what is kept of a person (at ``tenant``, or wherever they are named so), or of a whole tenant.

    ``told``: what the chain says of it: ``by``, ``who`` and ``why``. May be done again; nothing kept is no failure. Raises
    StoreError, OSError; then it is to be done again.
    """
    subjects = _who(data, Subjects(secret), person, tenant)
    runs = list(_runs(data, _theirs(data, secret, subjects, whole=person is None)))
    gone = Gone(0, 0)
    if subjects:
        old = [tenant] if person is None and tenant is not None else []
        gone = erasure.erase(data, subjects, now_us, tenant=person is None, old_names=old, say=told)
    for run in runs:
        shutil.rmtree(run)
    return Erased(gone.subjects, gone.bodies, tuple(run.name for run in runs), bool(subjects))


def _who(data: Path, names: Subjects, person: str | None, tenant: str | None) -> list[Subject]:
    if person is None:
        if tenant is None:
            raise ValueError("a person or a tenant")
        return [names.tenant(tenant)]
    if tenant is not None:
        return [names.person(tenant, person)]
    return [found for at in tenants(data) if (found := names.person_at(at, person)) in _known(data, at)]


def _known(data: Path, tenant: str) -> set[Subject]:
    return {Subject(name, tenant) for name in commitments.subjects_of(data, tenant)}


def _theirs(data: Path, secret: bytes, subjects: Iterable[Subject], *, whole: bool) -> Callable[[str], bool]:
    """Whether a call is of these subjects, as its commitment tells by their salts: its entry does not say."""
    names = {name for one in subjects for name in (commitments.subjects_of(data, one.tenant) if whole else [one.name])}
    marks = commitments.marks(data, secret, names)
    books = SqliteBooks(data)

    def theirs(id: str) -> bool:
        try:
            entry = books.entry(id)
        except StoreError:
            return True
        return entry is not None and entry.prompt_mac is not None and marks(id, entry.prompt_mac)

    return theirs


def _runs(data: Path, theirs: Callable[[str], bool]) -> Iterator[Path]:
    """The evaluations on calls of somebody's. One that is not finished names no calls: it goes if it is on calls at all."""
    for file in sorted((data / FOLDER).glob("*/run.json")):
        try:
            run = msgspec.json.decode(file.read_bytes(), type=_Run)
        except msgspec.DecodeError:
            continue
        if not (run.task.startswith(FROM_CALLS) or run.source.startswith(FROM_CALLS)):
            continue
        rows = file.with_name("rows.jsonl")
        if not rows.exists() or any(theirs(sample) for sample in _samples(rows)):
            yield file.parent


def _samples(rows: Path) -> Iterator[str]:
    with rows.open("rb") as lines:
        for line in lines:
            try:
                yield msgspec.json.decode(line, type=_Row).sample
            except msgspec.DecodeError:
                continue
