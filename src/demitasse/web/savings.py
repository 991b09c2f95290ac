"""Where savings come from: each cause with its interval, its grade and what is promised of the quality beside it. Pure.

Exact arithmetic over roll-ups, so that the causes add up to the whole; knows no report and no page.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..core.entry import Cause, Grade
from ..core.ledger import Bucket
from .promises import Promise, of_route, share_text


class CauseFacts(Struct, frozen=True):
    """How a saving of one cause is shown. ``field``: the roll-up's column that sums it."""

    cause: Cause
    label: str
    field: str
    grade: Grade
    why: str


CAUSES: tuple[CauseFacts, ...] = (
    CauseFacts("exact_cache", "exact cache", "saved_exact_nanos", "A", "the same request, answered from memory"),
    CauseFacts("coalesced", "coalesced", "saved_coalesced_nanos", "A", "identical calls under way shared one answer"),
    CauseFacts(
        "prompt_cache",
        "prompt cache",
        "saved_prompt_nanos",
        "B",
        "a prefix that the provider kept because we asked it to",
    ),
    CauseFacts("shaped", "shaped", "saved_shaped_nanos", "C", "tokens that were not sent"),
    CauseFacts("routed", "smaller model", "saved_routed_nanos", "C", "a cheaper model answered"),
    CauseFacts("batch", "batch", "saved_batch_nanos", "C", "answered later, at the batch price"),
    CauseFacts("local", "local model", "saved_local_nanos", "C", "answered on this machine"),
    CauseFacts("semantic_cache", "semantic cache", "saved_semantic_nanos", "C", "a similar request's answer"),
)
"""Exact and coalesced savings are measured: the very answer's own price was not paid a second time. Of the prompt cache, what was
measured of breakpoints and what is proven of keys (B, from below). The others are modelled (C) until a certificate bounds
what they do to quality; then that cause is bounded (B)."""


class Saving(Struct, frozen=True):
    """What one cause saved, in nanos, with the interval it lies in and how well that is known."""

    cause: Cause
    label: str
    nanos: int
    low_nanos: int
    high_nanos: int
    grade: Grade
    why: str
    bound: str = ""
    """What is promised of the quality beside it: ``≥ 95.0 %``; empty where nothing is, or nothing need be."""


UNCHANGED = ("exact_cache", "coalesced", "prompt_cache", "batch")
"""Causes that leave the answer the model's own."""


def savings_of(total: Bucket, routes: Sequence[Bucket], promises: Sequence[Promise]) -> tuple[Saving, ...]:
    """All causes, the largest first; they add up to what ``total`` saved, to the nano."""
    found = []
    for facts in CAUSES:
        nanos = getattr(total, facts.field)
        routed = facts.cause == "routed" and nanos
        found.append((routed and _routed(facts, nanos, routes, promises)) or _saving(facts, nanos))
    return tuple(sorted(found, key=lambda s: -s.nanos))


def _routed(facts: CauseFacts, nanos: int, routes: Sequence[Bucket], promises: Sequence[Promise]) -> Saving | None:
    """What a smaller model saved where certificates promise its quality; None where some of it has none.

    The interval is the certificates' own: what their calls' share of saving was measured to be, with both answers' costs.
    """
    saved = [
        (row.saved_routed_nanos, of_route(promises, row.route or "")) for row in routes if row.saved_routed_nanos > 0
    ]
    stand = [(part, promise) for part, promise in saved if promise is not None]
    if not stand or len(stand) < len(saved):
        return None
    spread = [(part, promise) for part, promise in stand if promise.saving > 0]
    less = sum(part * (1 - promise.saving_low / promise.saving) for part, promise in spread)
    more = sum(part * (promise.saving_high / promise.saving - 1) for part, promise in spread)
    floor = min(promise.quality for _, promise in stand)
    low, high = nanos - round(max(0.0, less)), nanos + round(max(0.0, more))
    return Saving(facts.cause, facts.label, nanos, low, high, "B", facts.why, f"≥ {share_text(floor)}")


def _saving(facts: CauseFacts, nanos: int) -> Saving:
    # What is not measured may be nothing at all: without evidence the interval reaches down to zero.
    low = min(0, nanos) if facts.grade == "C" else nanos
    high = max(0, nanos) if facts.grade == "C" else nanos
    return Saving(facts.cause, facts.label, nanos, low, high, facts.grade, facts.why)


def saved_by_all(row: Bucket) -> int:
    return sum(getattr(row, facts.field) for facts in CAUSES)
