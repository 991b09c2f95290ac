"""One stream through the cache as the gateway would put it: hits, checks, verdicts, errors."""

from __future__ import annotations

import random
import time
from typing import Any

from demitasse.gateway.semantic import GateSettings, SemanticCache, SemanticSettings

from .streams import call, kept

MARKS = (250, 500, 1_000, 1_500, 2_000, 3_000, 4_500, 6_000, 9_000)


def serve(stream: list[tuple[str, int]], embed, *, max_error: float, seed: int, **more: Any) -> dict[str, Any]:
    """The outcome of a stream: counts at its end, and the course at ``MARKS``."""
    gate = {k: more.pop(k) for k in list(more) if k in GateSettings.__struct_fields__}
    settings = SemanticSettings(GateSettings(max_error=max_error, **gate), max_bytes=1 << 30, **more)
    now = 0
    cache = SemanticCache(settings, embed, clock=lambda: now, draw=random.Random(seed).random)
    hits = wrong = verdicts = 0
    opened = None
    course = []
    began = time.process_time()
    for n, (text, answer) in enumerate(stream, 1):
        now = n * 1_000
        asked = cache.read(call(n, text, now), "auto", "1")
        mine = kept(n, answer, now)
        found = cache.find(asked) if asked is not None else None
        if found is not None and found.action == "hit":
            hits += 1
            wrong += found.kept.reply.body != mine.reply.body
        elif asked is not None:
            cache.keep(asked, mine)
            if found is not None:
                rival = found.rival.reply.body != mine.reply.body if found.rival is not None else None
                verdicts += 1 + (rival is not None)
                cache.learn(found, wrong=found.kept.reply.body != mine.reply.body, rival_wrong=rival)
        if hits and opened is None:
            opened = n
        if n in MARKS or n == len(stream):
            course.append((n, hits, wrong))
    (gate_facts,) = cache.stats()["gates"] or [{}]
    return {
        "requests": len(stream),
        "hits": hits,
        "wrong": wrong,
        "checks": gate_facts.get("checks", 0),
        "verdicts": verdicts,
        "first_hit": opened,
        "course": course,
        "closings": gate_facts.get("closings", 0),
        "wrong_at_most": gate_facts.get("served_wrong_at_most"),
        "not_eligible": cache.stats()["not_eligible"],
        "guarded": cache.stats()["guarded"],
        "answers": cache.stats()["answers"],
        "cpu_ms_per_request": round((time.process_time() - began) / len(stream) * 1e3, 3),
        "weights": cache._gates[next(iter(cache._gates))].verifier.state() if cache._gates else None,
    }
