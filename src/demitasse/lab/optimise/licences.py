"""May a student learn from this: terms on a teacher's answers, the base model's licence, the data's. Knows a dated table only.

Whoever trains reads the terms; this says which term to read, and refuses where one forbids it or nobody knows. It is no legal
advice. What vendors say is data, `licences.toml`, with the source and the day it was read.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Final, Literal

import msgspec
from msgspec import Struct

from ...core.errors import DemitasseError

Answer = Literal["allowed", "conditions", "unknown", "refused"]
"""In the order of how good they are; `together` takes the worst. ``conditions``: allowed, and something is to be done."""
_ORDER: Final[tuple[Answer, ...]] = ("allowed", "conditions", "unknown", "refused")


class LicenceRefused(DemitasseError):
    """Terms forbid it, or nobody knows them; the sentence names the term and what to do."""


class Term(Struct, frozen=True):
    """A row of the table: whose answers or files, and what the terms say of training on them."""

    name: str
    title: str
    match: str
    """Of names of models or licences, a regular expression over the whole name, in any case."""
    answer: Answer
    says: str
    """One sentence: what the term says, and of what."""
    source: str
    read: str
    """Day on which it was read, or the version that was; ISO date."""


class Verdict(Struct, frozen=True):
    """What came of one question, or of all."""

    answer: Answer
    why: str
    source: str = ""
    """Address of the terms."""
    read: str = ""

    @property
    def trainable(self) -> bool:
        """Whether training may go on without somebody having looked."""
        return self.answer in ("allowed", "conditions")


def teacher(name: str) -> Verdict:
    """May a model be trained on the answers of this one?

    Args:
        name: as the vendor or the catalogue calls it (``gpt-4o``, ``openai/gpt-4o``, ``qwen2.5-coder-1.5b``); empty: nobody's
            answers, people's labels only.
    """
    if not name:
        return Verdict("allowed", "No model's answers are learned from.")
    found = _found("teacher", name)
    if found is None:
        return Verdict(
            "unknown",
            f"No terms are known for answers of '{name}': read its owner's before anything is trained on them.",
        )
    return Verdict(found.answer, f"{found.title}: {found.says}", found.source, found.read)


def licence(name: str, *, of: str) -> Verdict:
    """May something under this licence be changed and used?

    Args:
        name: SPDX-like (``apache-2.0``, ``CC BY-NC 4.0``), or as a model file states it.
        of: what it is the licence of, for the sentence: ``the base model``, ``the data``.
    """
    bare = name.strip()
    if not bare or bare.casefold() in ("not stated", "unknown", "none", "other"):
        return Verdict(
            "unknown",
            f"No licence is stated for {of}: look at where it came from, and whether that allows this.",
        )
    found = _found("licence", bare)
    if found is None:
        return Verdict("unknown", f"'{bare}', the licence of {of}, is not in the table: read it.")
    return Verdict(found.answer, f"{found.title} ({of}): {found.says}", found.source, found.read)


def together(*verdicts: Verdict) -> Verdict:
    """The worst of them, with the reasons of all that are not simply allowed."""
    worst = max(verdicts, key=lambda verdict: _ORDER.index(verdict.answer))
    told = [verdict.why for verdict in verdicts if verdict.answer != "allowed"] or [verdict.why for verdict in verdicts]
    return Verdict(worst.answer, " ".join(told), worst.source, worst.read)


def check(verdict: Verdict, *, checked: bool = False) -> None:
    """Raises LicenceRefused where it may not be trained on. ``checked``: somebody has read the terms of what is unknown; it does
    not help against terms that forbid it."""
    if verdict.answer == "refused":
        source = f" ({verdict.source}, read {verdict.read})" if verdict.source else ""
        raise LicenceRefused(f"{verdict.why}{source} Take another teacher, or rows with labels of your own.")
    if verdict.answer == "unknown" and not checked:
        raise LicenceRefused(f"{verdict.why} If you have read the terms and they allow this, add --licence-checked.")


def find(kind: Literal["teacher", "licence"], name: str) -> Term | None:
    """The row of the table for a model's or provider's answers (``teacher``), or for a licence; None: nothing is known."""
    return _found(kind, name)


def _found(kind: str, name: str) -> Term | None:
    # A vendor's name before the model's says who serves it, which is not always who made it: the model's own name decides first.
    for candidate in (name.rpartition("/")[2], name):
        for term in _table()[kind]:
            if re.fullmatch(term.match, candidate.strip(), re.IGNORECASE):
                return term
    return None


@lru_cache(maxsize=1)
def _table() -> dict[str, list[Term]]:
    rows = tomllib.loads((files(__package__) / "licences.toml").read_text("utf-8"))
    return {kind: msgspec.convert(rows[kind], list[Term]) for kind in ("teacher", "licence")}
