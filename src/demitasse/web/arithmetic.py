"""A call's bill, line by line: tokens × rate per bucket, so that what is shown adds up to what was booked.

Where the lines come to another sum than the books, the books are right and the page says what may explain it: the
provider reported the cost itself, or another rate held. Pure; knows cards and attempts, no page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from ..core.call import BUCKETS, Usage
from ..core.entry import Attempt, Entry
from ..core.price import PICO_PER_NANO, Card, Rates, Tier, cost, sheet_at
from .facts import ModelRow

BUCKET_LABELS = {
    "uncached_in": "input",
    "cache_read": "input, read from the provider's cache",
    "cache_write_5m": "input, written to the provider's cache (5 min)",
    "cache_write_1h": "input, written to the provider's cache (1 h)",
    "image_in": "image input",
    "audio_in": "audio input",
    "text_out": "output",
    "reasoning_out": "reasoning output",
    "audio_out": "audio output",
}


class Line(Struct, frozen=True):
    """One bucket: ``tokens`` × ``pico_per_token`` = ``pico`` pico-dollars. None: the card has no rate for it."""

    bucket: str
    label: str
    tokens: int
    pico_per_token: int | None
    pico: int | None


class Bill(Struct, frozen=True):
    """One attempt's cost, explained."""

    attempt: Attempt
    lines: tuple[Line, ...]
    per_request_nanos: int
    sum_nanos: int | None
    """The lines together, rounded half up to a nano; None without a card, or with a bucket that has no rate."""
    cost_nanos: int | None
    """What was booked."""
    rates: str
    """Which rates of the card these are: ``standard``, ``service_tier=flex``, …; empty without a card."""
    agrees: bool | None
    """Whether the two are the same; None when one of them is not known."""


class Comparison(Struct, frozen=True):
    """What the same tokens would have cost elsewhere: modelled (C), since another model writes another answer."""

    model: str
    nanos: int
    card: str


def bill(attempt: Attempt, cards: Callable[[str], Card | None]) -> Bill:
    """With the rates that explain the booked cost, if any of the card's do, else with the standard ones."""
    usage, card = attempt.usage, cards(attempt.card) if attempt.card else None
    booked = 0 if attempt.status == "error" and attempt.cost_nanos is None else attempt.cost_nanos
    if usage is None:
        return Bill(attempt, (), 0, None, booked, "", None)
    if card is None:
        lines = tuple(Line(b, BUCKET_LABELS[b], n, None, None) for b, n in _used(usage))
        return Bill(attempt, lines, 0, None, booked, "", None)
    sheets = list(_rates_of(card, usage, attempt.started_us))
    name, rates = next(((n, r) for n, r in sheets if _total(usage, r) == booked), sheets[0])
    total = _total(usage, rates)
    lines = tuple(_line(b, n, getattr(rates, b)) for b, n in _used(usage))
    agrees = None if booked is None or total is None else booked == total
    return Bill(attempt, lines, rates.per_request_nanos, total, booked, name, agrees)


def compare(entry: Entry, models: Sequence[ModelRow]) -> list[Comparison]:
    """The given answer's tokens at every known model's price, cheapest first; the model that answered is left out."""
    usage = entry.usage
    if usage is None:
        return []
    # Elsewhere nothing of this prompt would have lain in a provider's cache.
    fresh = Usage(
        uncached_in=usage.uncached_in + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h,
        image_in=usage.image_in,
        audio_in=usage.audio_in,
        text_out=usage.text_out,
        reasoning_out=usage.reasoning_out,
        audio_out=usage.audio_out,
    )
    found = []
    for row in models:
        if row.card is None or row.kind == "route" or row.name == entry.model:
            continue
        nanos = cost(row.card, fresh, at_us=entry.at_us)
        if nanos is not None:
            found.append(Comparison(row.name, nanos, row.card.id))
    return sorted(found, key=lambda c: (c.nanos, c.model))[:8]


def _used(usage: Usage) -> list[tuple[str, int]]:
    return [(b, n) for b in BUCKETS if (n := getattr(usage, b))]


def _line(bucket: str, tokens: int, rate: int | None) -> Line:
    return Line(bucket, BUCKET_LABELS[bucket], tokens, rate, None if rate is None else tokens * rate)


def _rates_of(card: Card, usage: Usage, at_us: int) -> Iterator[tuple[str, Rates]]:
    """Every set of rates that may have held, the likeliest first; the attempt does not say which tier it had."""
    standard = sheet_at(card, at_us)
    base, tiers = (standard.base, standard.tiers) if standard else (card.base, card.tiers)
    yield _tiered("standard", base, tiers, usage)
    variants = dict(card.variants)
    for period in card.times:
        if period.holds(at_us):
            variants = period.variants
    for name, sheet in variants.items():
        yield _tiered(name, sheet.base, sheet.tiers, usage)


def _tiered(name: str, base: Rates, tiers: tuple[Tier, ...], usage: Usage) -> tuple[str, Rates]:
    for tier in reversed(tiers):
        if usage.total_in > tier.above:
            return f"{name}, above {tier.above:,} input tokens", tier.rates
    return name, base


def _total(usage: Usage, rates: Rates) -> int | None:
    pico = 0
    for bucket, tokens in _used(usage):
        rate = getattr(rates, bucket)
        if rate is None:
            return None
        pico += tokens * rate
    return (pico + PICO_PER_NANO // 2) // PICO_PER_NANO + rates.per_request_nanos
