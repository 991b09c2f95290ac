"""A route's own traffic as a Task: which calls, which of their answers count as right, and their kept bodies.

Reads books, evidence and bodies beside a running gateway; writes nothing and asks no model. What a Task makes of them is
said in ``lab.tasks.traffic``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
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


def find(word: str, where: Where, *, seed: int, told: Callable[[str], None] = lambda _said: None) -> Task:
    """The task of a route's traffic; ``told`` hears what was left out and masked.

    Raises ConfigError: no such route, no bodies, nothing known to be right; StoreError.
    """
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
        said = _by_call(evidence.labels(route=asked.route, until_us=until_us))
        # all of the time before it: a session belongs where it begins
        entries = entries_between(books, 0, until_us, asked.route)
        past = _past(filter(_counts, entries), said, known.reference or known.ladder[-1], asked)
        task, left = _task(asked, past, bodies, seed)
        told(_words(left, past.unknown, past.risky, past.bound))
        return task


class _Kept(Struct, frozen=True):
    """What is remembered of a call whose body is kept; of millions of them no more."""

    call: Exchange
    right: tuple[str, str]
    score: float | None


class _Past(Struct):
    kept: dict[str, _Kept]
    served: int = 0
    with_bodies: int = 0
    unknown: int = 0
    """Of those with bodies, the calls of which nobody knows what is right."""
    risky: int = 0
    """Of those with bodies, the calls whose prompt looked like an attack: nothing is learned from them, nor measured by them."""
    bound: int = 0
    """Of those with bodies, the calls whose data may not go everywhere: a task is put to any model that somebody names."""


def _past(entries: Iterable[Entry], said: Mapping[str, list[Label]], reference: str, asked: Asked) -> _Past:
    past = _Past({})
    for entry in entries:
        past.served += 1
        if not entry.body_ref:
            continue
        past.with_bodies += 1
        if entry.guard is not None and entry.guard.band == "high":
            past.risky += 1
            continue
        if entry.guard is not None and entry.guard.stays:
            past.bound += 1
            continue
        labels = said.get(entry.id, ())
        right = right_of(entry, labels, reference)
        if not right[0] and asked.need_target:
            past.unknown += 1
            continue
        call = Exchange(entry.id, entry.at_us, entry.session, dict(entry.tags).get("task", ""), entry.key)
        past.kept[entry.id] = _Kept(call, right, _score(entry, labels))
    return past


def _task(asked: Asked, past: _Past, bodies: Keeper, seed: int) -> tuple[Task, traffic.Left]:
    drawn = traffic.drawn((one.call for one in past.kept.values()), asked.split, asked.n, seed=seed)
    task, left = traffic.task_of(
        drawn,
        lambda id: _bodies(past.kept[id], bodies),
        name=f"ledger:{asked.route}",
        source=Source(f"ledger:{asked.route}", licence="the callers' own", split=asked.said),
        scorer=asked.scorer,
        need_target=asked.need_target,
    )
    if not task.samples:
        left = structs.replace(left, no_target=left.no_target + past.unknown)
        raise traffic.nothing(asked.route, past.served, past.with_bodies, left)
    return task, left


def _words(left: traffic.Left, unknown: int, risky: int = 0, bound: int = 0) -> str:
    """What a person should know of what is not there."""
    parts = [
        f"{count:,} {what}"
        for count, what in (
            (left.no_target + unknown, "without a known right answer"),
            (left.not_text, "with tools or files, or no question at the end"),
            (left.repeated, "asked before word for word"),
            (risky, "whose prompt looked like an attack"),
            (bound, "whose data may not leave"),
        )
        if count
    ]
    masked = ", ".join(f"{count:,} {kind}" for kind, count in sorted(left.masked.items()))
    return (
        f"left out: {', '.join(parts) or 'nothing'}; masked: {masked or 'nothing'} (names and the like are not found)"
    )


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


def _bodies(one: _Kept, bodies: Keeper) -> Bodies | None:
    kept = bodies.recording(one.call.id)
    if kept is None:
        return None
    ref, because = one.right
    other = kept if ref == one.call.id else bodies.recording(ref) if ref else None
    return Bodies(
        request=bytes(kept.request),
        right=None if other is None or not other.complete else bytes(other.reply),
        because=because,
        served=bytes(kept.reply),
        score=one.score,
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
