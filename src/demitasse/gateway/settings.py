"""How the gateway behaves: plain values that ``build`` fills from the configuration. Knows no file and no section."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class LoopGuard(Struct, frozen=True):
    """When one key asks the same thing more than ``repeats`` times in ``window_s`` and that has used more than ``share``
    of one of its budgets, it is paused."""

    enabled: bool = True
    repeats: int = 200
    window_s: float = 600.0
    share: float = 0.2


class CacheSettings(Struct, frozen=True):
    exact: bool = True
    coalesce: bool = True
    sampled: bool = False
    max_bytes: int = 64 << 20
    ttl_s: float = 86_400.0


class Retry(Struct, frozen=True):
    """``attempts`` on one model in all; waits double from ``backoff_s`` and are drawn from 50-100 % of that."""

    attempts: int = 2
    backoff_s: float = 0.25
    max_wait_s: float = 4.0


class BreakerSettings(Struct, frozen=True):
    failures: int = 5
    open_s: float = 10.0


class Settings(Struct, frozen=True):
    clamp: bool = False
    assume_max_output: int = 4096
    on_spent: Literal["refuse", "local"] = "refuse"
    on_hangup: Literal["cancel", "drain"] = "cancel"
    first_event_s: float = 10.0
    """A stream's headers wait this long for the first content, so that an upstream's error keeps its status."""
    ping_s: float = 12.0
    retry_memory_s: float = 60.0
    max_body_bytes: int = 32 << 20
    require_key: bool = False
    loopback: bool = True
    cors: tuple[str, ...] = ()
    disclose: bool = False
    """Answers say in a header that a model made them."""
    cache: CacheSettings = CacheSettings()
    loop_guard: LoopGuard = LoopGuard()
    retry: Retry = Retry()
    breaker: BreakerSettings = BreakerSettings()
