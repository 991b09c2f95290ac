"""A small month of calls, and a store that holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import msgspec

from demitasse.core.call import Energy, Usage
from demitasse.core.entry import Attempt, Charge, Decision, Entry
from demitasse.core.limits import Budget
from demitasse.core.money import nanos
from demitasse.core.price import Card, cost, rates
from demitasse.store.ledger import SqliteLedger

NOW_US = 1_795_262_591_000_000  # 2026-11-21 12:03:11 UTC
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

CARD = Card(
    id="genai-prices 0.2.3 openai/gpt-5.1",
    provider="openai",
    model="gpt-5.1",
    base=rates(input=1_250_000, cache_read=125_000, output=10_000_000),
)
LOCAL = Card(id="hardware 2026-11-21 tiny", provider="local", model="tiny", base=rates(input=20_000, output=60_000))
OTHER = Card(id="genai-prices 0.2.3 openai/gpt-5-mini", provider="openai", model="gpt-5-mini", base=rates(input=250_000, output=2_000_000))  # fmt: skip


def attempt(usage: Usage, *, card: Card = CARD, at_us: int = NOW_US, **more) -> Attempt:
    alias = "large" if card is CARD else card.model
    fields = {
        "model": alias,
        "provider": card.provider,
        "upstream_model": card.model,
        "status": "ok",
        "started_us": at_us,
        "duration_ms": 800.0,
        "first_byte_ms": 120.5,
        "http_status": 200,
        "usage": usage,
        "cost_nanos": cost(card, usage, at_us=at_us),
        "card": card.id,
    }
    return Attempt(**(fields | more))


def entry(id: str, at_us: int, *, attempts: tuple[Attempt, ...] = (), **more) -> Entry:
    last = attempts[-1] if attempts else None
    paid = sum(a.cost_nanos or 0 for a in attempts)
    fields = {
        "id": id,
        "at_us": at_us,
        "key": "local",
        "kind": "chat",
        "asked_model": last.model if last else "large",
        "outcome": "answered",
        "route": last.model if last else "large",
        "model": last.model if last else None,
        "provider": last.provider if last else None,
        "cache": "miss",
        "usage": last.usage if last else None,
        "cost_nanos": paid,
        "baseline_nanos": paid,
        "attempts": attempts,
        "duration_ms": 801.5,
        "overhead_us": 240,
    }
    return Entry(**(fields | more))


def month() -> list[Entry]:
    """Nine calls on two days: paid, cached, coalesced, local, refused, unpriced, estimated, lost."""
    usage = Usage(uncached_in=1_000, cache_read=500, text_out=200)
    small = Usage(uncached_in=300, text_out=40)
    price = cost(CARD, usage, at_us=0)
    today, before = NOW_US - HOUR_US, NOW_US - DAY_US
    local = attempt(small, card=LOCAL, at_us=today + 3, energy=Energy(4_000_000, 9_000_000, "modelled"))
    return [
        entry("c01", before, attempts=(attempt(usage, at_us=before),), key="alice", team="search", tags=(("feature", "titles"),)),
        entry("c02", before + 1, attempts=(attempt(usage, at_us=before + 1, estimated=True),), key="alice", team="search", estimated=True, hold_nanos=nanos("0.05")),
        entry("c03", today, attempts=(attempt(usage, at_us=today),), key="alice", team="search",
              hold_nanos=nanos("0.02"), charges=(Charge("default", "2026-11-21", price),),
              decision=Decision(policy="reference", chosen="large", candidates=("large", "tiny"))),
        entry("c04", today + 1, key="bob", model="large", provider="openai", cache="exact", usage=usage, cost_nanos=0, baseline_nanos=price, saved=(("exact_cache", price),)),
        entry("c05", today + 2, key="bob", model="large", provider="openai", cache="coalesced", usage=usage, cost_nanos=0, baseline_nanos=price, saved=(("coalesced", price),)),
        entry("c06", today + 3, attempts=(local,), key="bob"),
        entry("c07", today + 4, key="bob", outcome="refused", cache="off", cost_nanos=0, baseline_nanos=None, error="insufficient_quota"),
        entry("c08", today + 5, attempts=(attempt(small, at_us=today + 5, card=OTHER, cost_nanos=None),), key="bob", cost_nanos=None, baseline_nanos=None, flags=("unpriced",)),
        entry("c09", today + 6, key="alice", team="search", outcome="lost", model="large", cost_nanos=nanos("0.03"), baseline_nanos=None, hold_nanos=nanos("0.03"), estimated=True, flags=("recovered",)),
    ]  # fmt: skip


async def settle(ledger: SqliteLedger, entries: Iterable[Entry]) -> None:
    for each in entries:
        await ledger.settle(each)


def fill(data: Path, entries: Iterable[Entry], cards: Iterable[Card] = (CARD, LOCAL, OTHER)) -> None:
    ledger = SqliteLedger.open(data, clock=lambda: NOW_US)
    for card in cards:
        ledger.put_card(card.provider, card.model, "0.2.3", msgspec.to_builtins(card))
    ledger.set_budget(Budget("default", limit_nanos=nanos(5)))
    asyncio.run(settle(ledger, entries))
    ledger.close()
