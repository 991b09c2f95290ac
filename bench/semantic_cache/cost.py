"""CPU and memory of a lookup: a prompt of 300 words, and a short one, beside 1,000 and 9,000 kept answers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from demitasse.gateway.semantic import SemanticCache, SemanticSettings
from demitasse.gateway.semantic_asked import read
from demitasse.providers.catalogue import embeddings
from demitasse.providers.download import pull
from demitasse.score import guards
from demitasse.score.embed import Embedder, words

from .streams import EMBEDDING, call, clinc, kept

ROUNDS = 200


def measure() -> dict[str, Any]:
    path = pull(embeddings()["wordllama-256"], EMBEDDING)
    before = _rss_mb()
    began = time.process_time()
    embed = Embedder(path)
    result: dict[str, Any] = {"open_s": round(time.process_time() - began, 3), "open_mb": round(_rss_mb() - before, 1)}
    texts = clinc().texts
    for size in (1_000, 9_000):
        cache = SemanticCache(SemanticSettings(max_bytes=1 << 30), embed, clock=lambda: 0, draw=lambda: 0.5)
        long = _long_prompts(texts, ROUNDS, seed=size)
        for n, text in enumerate([*texts[: size - 50], *long[:50]]):
            asked = cache.read(call(n, text, 0), "auto", "1")
            if asked is not None:
                cache.keep(asked, kept(n, n, 0))
        for name, prompts in (("300 words", long), ("short", texts[-ROUNDS:])):
            calls = [call(n, text, 0) for n, text in enumerate(prompts)]
            askeds = [asked for c in calls if (asked := cache.read(c, "auto", "1")) is not None]
            result[f"{name}, {size} kept"] = {
                "words": round(sum(len(words(text)) for text in prompts) / len(prompts)),
                "eligible": len(askeds),
                "embed_ms": _each_ms(embed, prompts),
                "read_ms": _each_ms(partial(cache.read, route="auto", stamp="1"), calls),
                "find_ms": _each_ms(cache.find, askeds),
                "guards_read_ms": _each_ms(guards.read, prompts),
            }
        result[f"mb, {size} kept"] = round(cache.stats()["bytes"] / 1e6, 1)
    result["rss_grown_mb"] = round(_rss_mb() - before, 1)
    return result


def _long_prompts(texts: list[str], count: int, seed: int) -> list[str]:
    """Prompts of 300 words: short requests one behind the other, no two alike, none that asks for the time or the like."""
    draw = random.Random(seed)
    texts = [text for text in texts[:8_000] if text.isascii() and not isinstance(read(call(0, text, 0), "r", ""), str)]
    texts = [text for text in texts if not any(c.isdigit() for c in text)]
    prompts = []
    for _ in range(count):
        prompt: list[str] = []
        while len(prompt) < 300:
            prompt += draw.choice(texts).split()
        prompts.append(" ".join(prompt[:300]))
    return [p for p in prompts if len(p) < 4_000]


def _each_ms(what: Callable, over: list) -> float:
    for one in over[:20]:
        what(one)
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        for one in over:
            what(one)
        best = min(best, time.process_time() - began)
    return round(best / len(over) * 1e3, 4)


def _rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
