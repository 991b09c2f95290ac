"""What one interleaving tries: calls and kills, drawn from a seed. Pure."""

from __future__ import annotations

import random
from typing import Any

from msgspec import Struct

KEYS = ("ann", "bob")
SPAN_MS = 90
"""Calls begin, and gateways die, within so many milliseconds."""

_FAULTS = (
    ("flaky-1", 4),
    ("429-bare", 2),
    ("500", 2),
    ("truncate", 3),
    ("truncate-clean", 3),
    ("error-mid-stream", 3),
    ("no-usage", 3),
    ("no-done", 2),
    ("usage-with-choices", 2),
    ("usage-every-chunk", 2),
    ("html-200", 1),
    ("hang", 2),
    ("reset-after", 5),
)


class Act(Struct, frozen=True):
    """One logical call of a client, with its retries."""

    id: str
    key: str
    at_ms: float
    stream: bool
    tokens: int
    delay_ms: float
    chunk_ms: float
    behave: str
    max_tokens: int
    hang_up_ms: float | None
    tries: int
    echo_ms: float | None
    """The client loses patience without hanging up: its first retry comes while the call is still under way."""

    def body(self) -> dict[str, Any]:
        mock: dict[str, Any] = {"tokens": self.tokens, "delay_ms": self.delay_ms, "chunk_ms": self.chunk_ms}
        if self.behave:
            mock["behave"] = self.behave
        body = {
            "model": "mock",
            "messages": [{"role": "user", "content": self.text()}],
            "max_completion_tokens": self.max_tokens,
            "user": self.id,
            "mock": mock,
        }
        return body | ({"stream": True, "stream_options": {"include_usage": True}} if self.stream else {})

    def text(self) -> str:
        """Nobody else's question; the mock's answer repeats it."""
        return f"call {self.id} asks"

    def answer(self) -> str:
        words = self.text().split()
        return " ".join(words[i % len(words)] for i in range(min(self.tokens, self.max_tokens)))


class Kill(Struct, frozen=True):
    at_ms: float
    gateway: int
    down_ms: float


class Interleaving(Struct, frozen=True):
    acts: tuple[Act, ...]
    kills: tuple[Kill, ...]


def interleaving(rng: random.Random, name: str, gateways: int) -> Interleaving:
    """About every second interleaving has a kill; now and then everybody dies."""
    acts = tuple(_act(rng, f"{name}.{n}") for n in range(rng.randint(3, 8)))
    dying = rng.choices([0, 1, gateways], [10, 8, 2])[0]
    kills = tuple(
        Kill(rng.uniform(0, SPAN_MS), g, rng.choice([0, 0, 20, 60])) for g in rng.sample(range(gateways), dying)
    )
    return Interleaving(acts, kills)


def _act(rng: random.Random, id: str) -> Act:
    behave = ""
    if rng.random() < 0.3:
        names, weights = zip(*_FAULTS, strict=True)
        behave = rng.choices(names, weights)[0]
        if behave == "reset-after":
            behave += f"-{rng.choice([0, 1, 40, 150, 400, 900, 2000, 5000])}"
    hangs = behave == "hang"
    return Act(
        id=id,
        key=rng.choice(KEYS),
        at_ms=rng.uniform(0, SPAN_MS),
        stream=rng.random() < 0.6,
        tokens=rng.randint(1, 24),
        delay_ms=rng.choice([0, 0, 1, 5, 20, 50]),
        chunk_ms=rng.choice([0, 0, 1, 2, 5]),
        behave=behave,
        max_tokens=rng.randint(4, 40),
        hang_up_ms=rng.uniform(0, 120) if hangs or rng.random() < 0.2 else None,
        tries=rng.choice([1, 2, 3]),
        echo_ms=rng.uniform(0, 40) if rng.random() < 0.15 else None,
    )
