"""A route's own traffic as a Task: which calls, which of their answers count as right, and their kept bodies.

Reads books, evidence and bodies beside a running gateway; writes nothing and asks no model. What a Task makes of them is
said in ``lab.tasks.traffic``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from ..core.entry import Entry
from ..core.errors import ConfigError
from ..core.evidence import OWN_KEYS, Answered, Label
from ..lab.tasks import traffic
from ..lab.tasks.task import Source, Task
from ..lab.tasks.traffic import Bodies, Exchange, Half, Split
from ..store.books import SqliteBooks
from ..store.evidence import SqliteEvidence
from .keeping import Keeper, keeper
from .replaying import entries_between

if TYPE_CHECKING:
    from .task_sources import Where

MOST = 2_000
"""Calls that are drawn where nobody says how many."""
GOOD = 0.8
"""A score of the application or of a person from which on an answer counts as right."""
BAD = 0.5
"""Below it an answer does not, whoever gave it."""
_DAY_US = 86_400_000_000
_UNITS_US = {"h": _DAY_US // 24, "d": _DAY_US, "w": 7 * _DAY_US}
_SHAPE = "write ledger:ROUTE, or with parts after @: ledger:auto@before=2026-11-01,half=train,n=500,scorer=judge:MODEL"


class Asked(Struct, frozen=True):
    """What ``ledger:ROUTE@…`` asks for."""

    route: str
    split: Split = Split()
    n: int = MOST
    scorer: str = ""
    need_target: bool = True
    said: str = ""


def parse(word: str, now_us: int) -> Asked:
    """``auto@before=2026-11-01,half=test``. Raises ConfigError naming the part."""
    route, _, parts = word.partition("@")
    asked = Asked(route=route, said=parts)
    split = asked.split
    for part in filter(None, parts.split(",")):
        name, _, value = part.partition("=")
        if name in ("train", "test") and not value:
            name, value = "half", name
        match name:
            case "since":
                split = structs.replace(split, since_us=_moment_us(value, now_us))
            case "before":
                split = structs.replace(split, before_us=_moment_us(value, now_us))
            case "half" if value in ("train", "test"):
                half: Half = "train" if value == "train" else "test"
                split = structs.replace(split, half=half)
            case "n" if value.isdecimal() and int(value):
                asked = structs.replace(asked, n=int(value))
            case "scorer" if value:
                asked = structs.replace(asked, scorer=value)
            case "targets" if value in ("known", "any"):
                asked = structs.replace(asked, need_target=value == "known")
            case _:
                raise ConfigError(f"ledger:{word}: '{part}' is no part of it; {_SHAPE}")
    return structs.replace(asked, split=split)


def find(word: str, where: Where, *, seed: int) -> Task:
    """The task of a route's traffic. Raises ConfigError: no such route, no bodies, nothing known to be right; StoreError."""
    now_us = where.clock()
    asked = parse(word, now_us)
    config = where.config()
    known = config.routes.get(asked.route)
    if known is None:
        there = ", ".join(config.routes) or "none; a [models] name alone keeps no route"
        raise ConfigError(f"ledger:{asked.route}: there is no route of that name; there are {there}")
    bodies = keeper(config, where.data, where.clock)
    if bodies is None:
        raise ConfigError(
            f"ledger:{asked.route}: no bodies are kept, so nobody knows what was asked; set [keep] bodies = true "
            "(with master_key_env or master_key_file) for calls to come"
        )
    books, evidence = SqliteBooks(where.data), SqliteEvidence(where.data)
    with closing(bodies), closing(books), closing(evidence):
        until_us = now_us if asked.split.before_us is None else asked.split.before_us
        # all of the time before it: a session belongs where it begins
        served = [entry for entry in entries_between(books, 0, until_us, asked.route) if _counts(entry)]
        labels = evidence.labels(route=asked.route, until_us=until_us)
        return _task(asked, served, labels, bodies, known.reference or known.ladder[-1], seed)


def _task(asked: Asked, served: list[Entry], labels: list[Label], bodies: Keeper, reference: str, seed: int) -> Task:
    said = _by_call(labels)
    rights = {entry.id: right_of(entry, said.get(entry.id, ()), reference) for entry in served}
    with_bodies = [entry for entry in served if entry.body_ref]
    usable = [entry for entry in with_bodies if rights[entry.id][0] or not asked.need_target]
    calls = [Exchange(e.id, e.at_us, e.session, dict(e.tags).get("task", "")) for e in usable]
    drawn = traffic.drawn(calls, asked.split, asked.n, seed=seed)
    entries = {entry.id: entry for entry in usable}
    task, left = traffic.task_of(
        drawn,
        lambda id: _bodies(entries[id], rights[id], said.get(id, ()), bodies),
        name=f"ledger:{asked.route}",
        source=Source(f"ledger:{asked.route}", licence="the callers' own", split=asked.said),
        scorer=asked.scorer,
        need_target=asked.need_target,
    )
    if not task.samples:
        unknown = structs.replace(left, no_target=left.no_target + len(with_bodies) - len(usable))
        raise traffic.nothing(asked.route, len(served), len(with_bodies), unknown)
    return task


def right_of(entry: Entry, labels: Iterable[Label], reference: str) -> tuple[str, str]:
    """The entry whose answer counts as right for a call, and why; ("", "") where none is known to.

    A person's choice comes first, then what the application said, then the reference's own answer, unless it was found bad.
    """
    by_source = {label.source: label for label in labels}
    for source in ("vote", "feedback"):
        label = by_source.get(source)
        if label is not None:
            best = max(_answers(label), key=lambda one: one.score or 0.0, default=None)
            if best is not None and (best.score or 0.0) >= GOOD:
                return best.entry or entry.id, source
    told = _score(entry, labels)
    if told is not None and told < BAD and entry.model == reference:
        return "", ""
    shadow = by_source.get("shadow")
    if shadow is not None and shadow.reference is not None and shadow.reference.entry:
        return shadow.reference.entry, "reference"
    return (entry.id, "reference") if entry.model == reference else ("", "")


def _answers(label: Label) -> list[Answered]:
    return [one for one in (label.reference, *label.others) if one is not None and one.score is not None]


def _score(entry: Entry, labels: Iterable[Label]) -> float | None:
    """What people said of the served answer."""
    for label in labels:
        if label.source in ("vote", "feedback"):
            for one in _answers(label):
                if one.model == entry.model:
                    return one.score
    return None


def _by_call(labels: Iterable[Label]) -> dict[str, list[Label]]:
    found: dict[str, list[Label]] = {}
    for label in labels:
        found.setdefault(label.id, []).append(label)
    return found


def _counts(entry: Entry) -> bool:
    """A client's call that a model answered, as text."""
    return (
        entry.outcome == "answered"
        and entry.kind in ("chat", "completion")
        and entry.cache in ("off", "miss")
        and entry.key not in OWN_KEYS
    )


def _bodies(entry: Entry, right: tuple[str, str], labels: Iterable[Label], bodies: Keeper) -> Bodies | None:
    kept = bodies.recording(entry.id)
    if kept is None:
        return None
    other = kept if right[0] == entry.id else bodies.recording(right[0]) if right[0] else None
    return Bodies(
        request=bytes(kept.request),
        right=None if other is None or not other.complete else bytes(other.reply),
        because=right[1],
        served=bytes(kept.reply),
        score=_score(entry, labels),
    )


def _moment_us(text: str, now_us: int) -> int:
    ago = re.fullmatch(r"(\d{1,6})([hdw])", text.strip())
    if ago is not None:
        return now_us - int(ago[1]) * _UNITS_US[ago[2]]
    try:
        when = dt.datetime.fromisoformat(text.strip())
    except ValueError as why:
        raise ConfigError(f"ledger: '{text}' is no moment; write 2026-11-01, or how long ago as 7d") from why
    aware = when if when.tzinfo is not None else when.replace(tzinfo=dt.UTC)
    return int(aware.timestamp() * 1_000_000)
