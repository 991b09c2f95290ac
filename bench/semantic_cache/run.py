"""One stream through the cache as the gateway would put it: hits, checks, verdicts, errors. And fixed thresholds beside it."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np

from demitasse.gateway.semantic import GateSettings, SemanticCache, SemanticSettings

from .streams import call, kept

MARKS = (1_000, 2_000, 4_500, 9_000)
"""Where a stream could have ended: the outcome so far is that of the shorter stream."""


def serve(
    stream: list[tuple[str, int]],
    embed,
    *,
    max_error: float,
    seed: int,
    restart_at: int | None = None,
    changes_at: int | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The outcome of a stream: counts at its end, and the course at ``MARKS``.

    Args:
        restart_at: after so many requests the gateway starts anew: its evidence was written down, its answers are gone.
        changes_at: from here on a kept answer of before is wrong with probability one half, as if models had changed.
    """
    gate = {name: more.pop(name) for name in list(more) if name in GateSettings.__struct_fields__}
    settings = SemanticSettings(GateSettings(max_error=max_error, **gate), max_bytes=1 << 30, **more)
    now, chance = 0, random.Random(seed + 1_000_003)

    def fresh(state: bytes | None = None) -> SemanticCache:
        return SemanticCache(settings, embed, clock=lambda: now, draw=random.Random(seed).random, state=state)

    cache = fresh()
    hits = wrong = verdicts = 0
    first_hit = None
    course, after = [], []
    began = time.process_time()
    for n, (text, answer) in enumerate(stream, 1):
        now = n * 1_000
        if n == restart_at:
            cache = fresh(cache.dump())
        asked = cache.read(call(n, text, now), "auto", "1")
        mine = kept(n, answer, now)
        found = cache.find(asked) if asked is not None else None
        if found is not None and found.action == "hit":
            hits += 1
            first_hit = first_hit or n
            bad = _differs(found.kept, mine, changes_at, chance)
            wrong += bad
            if changes_at is not None and n >= changes_at:
                after.append(bad)
        elif asked is not None:
            cache.keep(asked, mine)
            if found is not None:
                rival = _differs(found.rival, mine, changes_at, chance) if found.rival is not None else None
                verdicts += 1 + (rival is not None)
                cache.learn(found, wrong=_differs(found.kept, mine, changes_at, chance), rival_wrong=rival)
        if n in MARKS or n in (len(stream), restart_at, changes_at):
            course.append((n, hits, wrong))
    facts = cache.stats()
    (gate_facts,) = facts["gates"] or [{}]
    return {
        "seed": seed,
        "requests": len(stream),
        "hits": hits,
        "wrong": wrong,
        "checks": gate_facts.get("checks", 0),
        "verdicts": verdicts,
        "first_hit": first_hit,
        "course": course,
        "closings": gate_facts.get("closings", 0),
        "served_wrong_at_most": gate_facts.get("served_wrong_at_most"),
        "not_eligible": facts["not_eligible"],
        "guarded": facts["guarded"],
        "answers": facts["answers"],
        "mb": round(facts["bytes"] / 1e6, 1),
        "after_change": {"hits": len(after), "wrong": sum(after)} if changes_at is not None else None,
        "cpu_ms_per_request": round((time.process_time() - began) / len(stream) * 1e3, 3),
    }


def _differs(known, mine, changes_at: int | None, chance: random.Random) -> bool:
    if known.reply.body != mine.reply.body:
        return True
    stale = changes_at is not None and known.kept_us < changes_at * 1_000 <= mine.kept_us
    return stale and chance.random() < 0.5


def fixed(stream: list[tuple[str, int]], embed, thresholds: list[float]) -> dict[float, list[tuple[int, int, int]]]:
    """What a plain cosine threshold does: every answer of a model is kept, the nearest one above the threshold is served."""
    vectors = np.stack([embed(text) for text, _ in stream])
    answers = np.array([answer for _, answer in stream])
    likeness = vectors @ vectors.T
    courses = {}
    for threshold in thresholds:
        there = np.full(len(stream), -2.0, np.float32)  # 0 once kept, so that adding it leaves only kept ones in reach
        hits = wrong = 0
        course = []
        for n in range(len(stream)):
            near = likeness[n, :n] + there[:n]
            best = int(near.argmax()) if n else -1
            if n and near[best] >= threshold:
                hits += 1
                wrong += bool(answers[best] != answers[n])
            else:
                there[n] = 0.0
            if n + 1 in MARKS:
                course.append((n + 1, hits, wrong))
        courses[threshold] = course
    return courses
