"""The control table as data, and its status from what was gathered. Pure; knows no standard's text and no store."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import msgspec
from msgspec import Struct

Status = Literal["evidenced", "partial", "organisational"]


class Control(Struct, frozen=True):
    """A row: what a framework asks, in our words, and which proofs answer it."""

    framework: str
    id: str
    title: str
    asks: str
    needs: tuple[str, ...]
    remains: str
    """What stays for people, whatever the books hold."""
    most: Literal["evidenced", "partial"] = "evidenced"
    """The best that it can be: the proofs are not always the whole of what is asked."""


class Proof(Struct, frozen=True):
    """Something that the books can show."""

    title: str
    how: str
    """How it is computed, in a sentence or two."""
    files: tuple[str, ...]
    """Of the pack."""
    page: str
    """Of the dashboard."""
    make: str
    """The command or setting that would make it."""


class Shown(Struct, frozen=True):
    """A proof as it stands in this installation. ``says``: the numbers, in a sentence."""

    name: str
    title: str
    stands: bool
    says: str
    how: str
    files: tuple[str, ...]
    page: str
    make: str


class Row(Struct, frozen=True):
    """A control with its status."""

    framework: str
    id: str
    title: str
    asks: str
    status: Status
    why: str
    """Of the status: what stands and what is missing."""
    proofs: tuple[Shown, ...]
    remains: str

    @property
    def missing(self) -> tuple[Shown, ...]:
        return tuple(proof for proof in self.proofs if not proof.stands)


class Table(Struct, frozen=True):
    """The whole of ``controls.toml``."""

    control: tuple[Control, ...]
    proof: dict[str, Proof]


Found = Mapping[str, tuple[bool, str]]
"""Of each proof by name: whether it stands, and the numbers in a sentence."""


@lru_cache(maxsize=1)
def table() -> Table:
    """What is asked and what answers it."""
    told: dict[str, Any] = tomllib.loads((files(__package__) / "controls.toml").read_text("utf-8"))
    return msgspec.convert(told, Table)


def judged(found: Found) -> tuple[Row, ...]:
    """Every control with its status, in the table's order. A proof that nobody looked for does not stand."""
    asked = table()
    return tuple(_row(control, asked.proof, found) for control in asked.control)


def counts(rows: tuple[Row, ...]) -> dict[Status, int]:
    """Rows by status."""
    found: dict[Status, int] = {"evidenced": 0, "partial": 0, "organisational": 0}
    for row in rows:
        found[row.status] += 1
    return found


def _row(control: Control, proofs: Mapping[str, Proof], found: Found) -> Row:
    shown = tuple(_shown(name, proofs[name], found) for name in control.needs)
    standing = sum(proof.stands for proof in shown)
    status: Status
    if not standing:
        status = "organisational"
    elif standing < len(shown):
        status = "partial"
    else:
        status = control.most
    return Row(
        control.framework, control.id, control.title, control.asks, status, _why(shown, control), shown, control.remains
    )


def _shown(name: str, proof: Proof, found: Found) -> Shown:
    stands, says = found.get(name, (False, "not looked for"))
    return Shown(name, proof.title, stands, says, proof.how, proof.files, proof.page, proof.make)


def _why(shown: tuple[Shown, ...], control: Control) -> str:
    missing = [proof.title for proof in shown if not proof.stands]
    standing = [proof.title for proof in shown if proof.stands]
    if not standing:
        return f"nothing here shows it: missing {', '.join(missing)}"
    if missing:
        return f"shown: {', '.join(standing)}; missing: {', '.join(missing)}"
    if control.most == "partial":
        return f"shown: {', '.join(standing)}, which is not the whole of what is asked"
    return f"shown: {', '.join(standing)}"
