"""What makes evidence on purpose: a drill in which a model is made to fail, and a second look at what was sent.

Both ask or read through the same parts as a client's call does, and leave what they found in the store, as an event of the chain.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import structs

from ..config import Config
from ..core.approved import HERE
from ..core.call import Call, Caller, Reply, Send
from ..core.entry import Entry
from ..core.errors import ConfigError, DemitasseError, UpstreamError
from ..core.evidence import LAB_KEY
from ..core.ids import RANDOM_BITS, call_id
from ..gateway.examine import Examiner
from ..gateway.locality import LOCAL
from ..gateway.route import Route, Routes
from ..guard import personal, secrets
from ..guard.finding import FindEntities
from ..guard.names import recogniser
from ..stats.intervals import wilson
from ..store.books import SqliteBooks
from ..store.settings import Settings
from ..web.report import iso
from ..wire.parts import parts
from .evaluating import opened
from .governing_view import DRILLS, RESIDUAL
from .keeping import Keeper, keeper

KEPT: Final = 200
"""Drills and looks that the store keeps; the chain has them all."""
QUESTION: Final = "This is a drill of the fallback. Answer with the one word: ready."
MOST_CALLS: Final = 50_000
"""Of the newest calls, so many are drawn from."""


class DrillError(DemitasseError):
    """A drill that cannot be held; the sentence says why."""


class Down:
    """A Model that is out of order: what the drill puts in a route's first place."""

    async def __call__(self, call: Call, send: Send) -> Reply:  # noqa: ARG002 - the Model's signature
        raise UpstreamError("the drill made this model fail", status=503, code="drill")


async def drill(
    config: Config, data: Path, env: Mapping[str, str], name: str, *, clock: Callable[[], int], draw: random.Random
) -> dict[str, Any]:
    """Ask ``name`` one short question while its first model is made to fail; what came of it is kept, and returned.

    The fallback's answer is paid for, on the key of the lab. Raises DrillError: it has no fallback, or nobody bears the name.
    """
    async with opened(config, data, env, clock=clock) as lab:
        steps = lab.app.gateway.steps
        route = await steps.routes.resolve(name, Caller(key=LAB_KEY, name=LAB_KEY))
        if not route.fallbacks:
            raise DrillError(f"'{name}' has no fallback to try; name one: [routes.{name}] fallback = [\"…\"]")
        broken = structs.replace(route.reference, model=Down())
        drilled: Route = structs.replace(route, reference=broken, lower=(), stamp=f"{route.stamp} drill")
        examiner = Examiner(
            structs.replace(steps, routes=Routes((drilled,))),
            "drill",
            lambda at_us: call_id(at_us, draw.getrandbits(RANDOM_BITS)),
        )
        body = msgspec.json.encode({"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 16})
        at_us = clock()
        entry, why = None, ""
        try:
            entry = await examiner.ask(body, name, lambda _id, _reply: None)
        except DemitasseError as error:
            why = str(error)
    told = _told(name, route, entry, why, iso(at_us), examiner.paid_nanos)
    _keep(data, DRILLS, told, clock)
    return told


def _told(name: str, route: Route, entry: Entry | None, why: str, at: str, paid_nanos: int) -> dict[str, Any]:
    answered = entry.model if entry is not None and entry.outcome == "answered" else None
    return {
        "at": at,
        "route": name,
        "failed": route.reference.alias,
        "fallbacks": [rung.alias for rung in route.fallbacks],
        "answered_by": answered,
        "passed": answered is not None and answered != route.reference.alias,
        "entry": entry.id if entry is not None else None,
        "took_ms": round(entry.duration_ms, 1) if entry is not None else None,
        "paid_usd": paid_nanos / 1e9,
        "why": why,
    }


def residual(
    config: Config, data: Path, *, n: int, seed: int, clock: Callable[[], int], which: str = "auto"
) -> dict[str, Any]:
    """Look again, with both tiers, at ``n`` kept requests that went to models elsewhere, as they were sent on; what is found is
    counted, kept, and returned. Of what stayed on this machine nothing got away: it is counted only.

    Raises ConfigError: no bodies are kept, or none is there.
    """
    kept = keeper(config, data, clock)
    if kept is None:
        raise ConfigError(
            "no requests are kept to look at: set [keep] bodies = true and a master key, and let calls come"
        )
    find_names = recogniser(which)
    books = SqliteBooks(data)
    try:
        entries = [entry for _, entry in books.entries(last=MOST_CALLS, outcome="answered") if entry.body_ref]
        ids = [entry.id for entry in entries if went_elsewhere(entry)]
        stayed = len(entries) - len(ids)
        random.Random(seed).shuffle(ids)
        looked, with_any, found = 0, 0, Counter[str]()
        for id in ids:
            if looked == n:
                break
            texts = _texts(kept, id)
            if texts is None:
                continue
            looked += 1
            kinds = [kind for text in texts for kind in _kinds(text, find_names)]
            found.update(kinds)
            with_any += bool(kinds)
    finally:
        books.close()
        kept.close()
    if not looked and stayed:
        raise ConfigError(
            f"nothing to look at: all of the {stayed:,} newest calls whose requests are kept stayed on this machine"
        )
    if not looked:
        raise ConfigError("none of the newest calls has its request kept; let calls come while [keep] bodies is on")
    told = {
        "at": iso(clock()),
        "n": looked,
        "of": len(ids),
        "stayed": stayed,
        "with_any": with_any,
        "rate": with_any / looked,
        "interval": list(wilson(with_any, looked, 0.95)),
        "found": dict(found.most_common()),
        "seed": seed,
        "method": "requests as they were sent on and kept; patterns with checksums, secrets, and names by a tagger",
    }
    _keep(data, RESIDUAL, told, clock)
    return told


def went_elsewhere(entry: Entry) -> bool:
    """Whether a call's request left for a model that does not compute here. What a class of data kept local did not, and what a
    cache answered did not.
    """
    if entry.guard is not None and entry.guard.stays == LOCAL:
        return False
    return any(attempt.provider not in HERE and attempt.region != LOCAL for attempt in entry.attempts)


def _texts(kept: Keeper, id: str) -> list[str] | None:
    """The texts of a kept request; None: it is not there any more."""
    recording = kept.recording(id)
    if recording is None:
        return None
    fields = msgspec.json.decode(bytes(recording.request), type=dict[str, msgspec.Raw])
    return [part.text for part in parts(recording.kind, fields)]  # type: ignore[arg-type]  # a kind that was kept is one


def _kinds(text: str, find_names: FindEntities) -> list[str]:
    found = [one.type for one in personal.find(text)[0]] + [one.kind for one in secrets.find(text)[0]]
    return found + [one.type for one in find_names(text)[0]]


def _keep(data: Path, name: str, told: dict[str, Any], clock: Callable[[], int]) -> None:
    settings = Settings(data, clock=clock)
    try:
        before = settings.get_setting(name) or []
        settings.set_setting(name, [*before, told][-KEPT:])
    finally:
        settings.close()
