"""What tokens cost, in integers. Knows rates, tiers, variants and times; knows no vendor, no file and no clock.

A rate is a whole number of pico-dollars per token (1 USD per million tokens = 1,000,000 pico per token), so that six
decimals of a vendor's dollar figure are exact. Sums are made in pico and rounded once, at the end, to nano-dollars:
half up for what was used (`cost`), always up for what may be used (`bound`).

An unknown rate is None and makes everything that needs it None, *unpriced*; it is never taken for zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct

from .call import Usage

PICO_PER_NANO: Final = 1_000
PICO_PER_USD_PER_MTOK: Final = 1_000_000
HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
FOREVER_US: Final = 2**62
UNKNOWN_IMAGE_TOKENS: Final = 50_000
"""What an image counts as where its model's maximum is not known: above the dearest that any vendor documents."""


class Rates(Struct, frozen=True, omit_defaults=True):
    """Pico-dollars per token, one for each bucket of `Usage` in its order; None: no price is known for that bucket."""

    uncached_in: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    image_in: int | None = None
    audio_in: int | None = None
    text_out: int | None = None
    reasoning_out: int | None = None
    audio_out: int | None = None
    per_request_nanos: int = 0


class Tier(Struct, frozen=True):
    """Rates for *all* tokens of a call whose input is more than ``above`` tokens, cached ones included."""

    above: int
    rates: Rates


class Sheet(Struct, frozen=True, omit_defaults=True):
    """The rates of one moment in one context: ``base``, or the last of ``tiers`` (ascending) that the input exceeds."""

    base: Rates
    tiers: tuple[Tier, ...] = ()


class Period(Struct, frozen=True, omit_defaults=True):
    """Sheets that hold from ``from_us`` until ``until_us``, on each day between two times of day (UTC; may wrap)."""

    standard: Sheet
    variants: dict[str, Sheet] = {}
    from_us: int = 0
    until_us: int = FOREVER_US
    day_from_us: int = 0
    day_until_us: int = DAY_US

    @property
    def all_day(self) -> bool:
        return self.day_from_us == 0 and self.day_until_us >= DAY_US

    def holds(self, at_us: int) -> bool:
        if not self.from_us <= at_us < self.until_us:
            return False
        of_day, start, end = at_us % DAY_US, self.day_from_us, self.day_until_us
        return start <= of_day < end if start <= end else of_day >= start or of_day < end


class Card(Struct, frozen=True, omit_defaults=True):
    """A model's price list, compiled once. ``base``, ``tiers`` and ``variants`` hold unless one of ``times`` does.

    ``variants`` are whole sheets by context, e.g. ``processing=batch&service_tier=flex`` (names in alphabetical order).
    Every combination that the vendor knows is listed, so a lookup is one step.
    """

    id: str
    """What the books name it by: ``genai-prices 0.2.3 openai/gpt-5.1``, ``config models.large``."""
    provider: str
    model: str
    base: Rates
    tiers: tuple[Tier, ...] = ()
    variants: dict[str, Sheet] = {}
    times: tuple[Period, ...] = ()
    max_input: int | None = None
    """Context window in tokens, where known."""
    max_image_tokens: int | None = None
    unmetered: tuple[str, ...] = ()
    """What the vendor also charges for and tokens don't show (web searches, …), by the price database's own names."""

    def __hash__(self) -> int:
        return hash(self.id)


def cost(
    card: Card,
    usage: Usage,
    *,
    at_us: int,
    service_tier: str | None = None,
    batch: bool = False,
    context: tuple[tuple[str, str], ...] = (),
) -> int | None:
    """Nano-dollars for one request, rounded half up once; None where a bucket that was used has no rate.

    ``service_tier`` is the one that the *answer* names; ``context`` holds further facts that a vendor prices by.
    """
    base, tiers = card.base, card.tiers
    if card.times or service_tier is not None or batch or context:
        sheet = sheet_at(card, at_us, service_tier, batch=batch, context=context)
        if sheet is not None:
            base, tiers = sheet.base, sheet.tiers
    if tiers:
        base = _tier(base, tiers, usage.total_in)
    return _sum(base, usage)


def bound(
    card: Card,
    *,
    input_tokens: int,
    output_tokens: int,
    images: int = 0,
    requests: int = 1,
    at_us: int,
    service_tier: str | None = None,
    batch: bool = False,
    context: tuple[tuple[str, str], ...] = (),
    audio: bool | None = None,
) -> int | None:
    """The most that ``requests`` requests can cost, each of at most these tokens and images; nano-dollars, rounded up.

    Every token is taken at the dearest rate that may apply: any input bucket, any tier the input may reach, any service
    tier that the vendor may choose (all of them when ``service_tier`` is None or ``auto``), any time within an hour.

    ``audio``: whether sound goes in or comes out. None: not known, so rates for sound count where the card has them.
    None is returned where what may be used has no price.
    """
    tokens_in = input_tokens + images * (card.max_image_tokens or UNKNOWN_IMAGE_TOKENS) if images else input_tokens
    hour = at_us // HOUR_US if card.times else 0
    top = _top(card, tokens_in, _Doubt(hour, service_tier, batch, context, audio, images > 0))
    if top is None:
        return None
    rate_in, rate_out, each_nanos = top
    if rate_out is None:
        if output_tokens:
            return None
        rate_out = 0
    pico = tokens_in * rate_in + output_tokens * rate_out
    return (-(-pico // PICO_PER_NANO) + each_nanos) * requests


def output_rate_bound(
    card: Card,
    *,
    input_tokens: int,
    at_us: int,
    service_tier: str | None = None,
    batch: bool = False,
    context: tuple[tuple[str, str], ...] = (),
    audio: bool | None = None,
) -> int | None:
    """Pico-dollars that an output token can cost at most: ``left_nanos * 1000 // rate`` of them fit in what is left."""
    hour = at_us // HOUR_US if card.times else 0
    top = _top(card, input_tokens, _Doubt(hour, service_tier, batch, context, audio, image=False))
    return None if top is None else top[1]


def sheet_at(
    card: Card,
    at_us: int,
    service_tier: str | None = None,
    *,
    batch: bool = False,
    context: tuple[tuple[str, str], ...] = (),
) -> Sheet | None:
    """The sheet for a moment and a context; None means the card's own base and tiers."""
    variants, standard = card.variants, None
    for period in card.times:
        if period.holds(at_us):
            variants, standard = period.variants, period.standard
            break
    if not variants:
        return standard
    if context:
        return variants.get(_context_name(variants, service_tier, batch, context), standard)
    if batch:
        both = variants.get(f"processing=batch&service_tier={service_tier}") if service_tier is not None else None
        return both or variants.get("processing=batch") or variants.get(f"service_tier={service_tier}", standard)
    return variants.get("service_tier=" + service_tier, standard) if service_tier is not None else standard


def rates(
    *,
    input: int | None,
    output: int | None = None,
    cache_read: int | None = None,
    cache_write: int | None = None,
    cache_write_5m: int | None = None,
    cache_write_1h: int | None = None,
    image_in: int | None = None,
    audio_in: int | None = None,
    reasoning_out: int | None = None,
    audio_out: int | None = None,
    per_request_nanos: int = 0,
) -> Rates:
    """Rates in which a bucket without a price of its own has that of the next wider one; pico-dollars per token."""

    def first(*choices: int | None) -> int | None:
        return next((c for c in choices if c is not None), None)

    return Rates(
        uncached_in=input,
        cache_read=first(cache_read, input),
        cache_write_5m=first(cache_write_5m, cache_write, input),
        cache_write_1h=first(cache_write_1h, cache_write, input),
        image_in=first(image_in, input),
        audio_in=first(audio_in, input),
        text_out=output,
        reasoning_out=first(reasoning_out, output),
        audio_out=first(audio_out, output),
        per_request_nanos=per_request_nanos,
    )


def pico_per_token(usd_per_mtok: Decimal | str | float) -> int:
    """A vendor's figure as a rate. More than six decimals are rounded to the nearest."""
    return int((Decimal(str(usd_per_mtok)) * PICO_PER_USD_PER_MTOK).to_integral_value())


def _sum(rates: Rates, usage: Usage) -> int | None:
    try:
        pico = usage.uncached_in * rates.uncached_in + usage.text_out * rates.text_out  # type: ignore[operator]
        # Most calls use few buckets, and a rate that is None matters only where its bucket was used.
        if n := usage.cache_read:
            pico += n * rates.cache_read  # type: ignore[operator]
        if n := usage.reasoning_out:
            pico += n * rates.reasoning_out  # type: ignore[operator]
        if n := usage.cache_write_5m:
            pico += n * rates.cache_write_5m  # type: ignore[operator]
        if n := usage.cache_write_1h:
            pico += n * rates.cache_write_1h  # type: ignore[operator]
        if n := usage.image_in:
            pico += n * rates.image_in  # type: ignore[operator]
        if n := usage.audio_in:
            pico += n * rates.audio_in  # type: ignore[operator]
        if n := usage.audio_out:
            pico += n * rates.audio_out  # type: ignore[operator]
    except TypeError:
        return _sum_of_known(rates, usage)
    return (pico + PICO_PER_NANO // 2) // PICO_PER_NANO + rates.per_request_nanos


def _sum_of_known(rates: Rates, usage: Usage) -> int | None:
    """As `_sum`, where some rate is None: fine as long as its bucket is empty (an embedding has no output price)."""
    pico = 0
    for bucket in Usage.__struct_fields__:
        if tokens := getattr(usage, bucket):
            rate = getattr(rates, bucket)
            if rate is None:
                return None
            pico += tokens * rate
    return (pico + PICO_PER_NANO // 2) // PICO_PER_NANO + rates.per_request_nanos


def _tier(base: Rates, tiers: tuple[Tier, ...], total_in: int) -> Rates:
    for tier in reversed(tiers):
        if total_in > tier.above:
            return tier.rates
    return base


def _context_name(
    variants: dict[str, Sheet], service_tier: str | None, batch: bool, context: tuple[tuple[str, str], ...]
) -> str:
    """Facts that no variant of this card knows say nothing about the price and are left out."""
    facts = [f"{name}={value}" for name, value in context]
    if service_tier is not None:
        facts.append("service_tier=" + service_tier)
    if batch:
        facts.append("processing=batch")
    return "&".join(sorted(f for f in facts if f in variants))


_Top = tuple[int, int | None, int]
"""Input rate, output rate (pico per token), nano-dollars per request: each at its dearest. No output price is None."""


class _Doubt(NamedTuple):
    """What is not known before a call and may move its price."""

    hour: int
    service_tier: str | None
    batch: bool
    context: tuple[tuple[str, str], ...]
    audio: bool | None
    image: bool


_UNKNOWN_TIER: Final = ""


def _known(card: Card, service_tier: str) -> bool:
    name = "service_tier=" + service_tier
    return name in card.variants or any(name in period.variants for period in card.times)


def _top(card: Card, tokens_in: int, doubt: _Doubt) -> _Top | None:
    if doubt.service_tier is not None and doubt.service_tier != "auto" and not _known(card, doubt.service_tier):
        doubt = doubt._replace(service_tier=_UNKNOWN_TIER)  # what a client made up shall not fill the memory below
    for above, top in _steps(card, doubt):
        if tokens_in > above:
            return top
    return None


@lru_cache(maxsize=4096)
def _steps(card: Card, doubt: _Doubt) -> tuple[tuple[int, _Top | None], ...]:
    """The dearest rates by how large the input may be, largest first; the last step holds for every input."""
    sheets = [s for period in _periods(card, doubt.hour) for s in _sheets(period, doubt)]
    starts = sorted({tier.above for sheet in sheets for tier in sheet.tiers}, reverse=True)
    return tuple((above, _dearest(sheets, above, doubt)) for above in [*starts, -1])


def _periods(card: Card, hour: int) -> Iterator[Period]:
    """All that may hold in this hour, the one before or after, at any time of day: the vendor's clock decides."""
    from_us, until_us = (hour - 1) * HOUR_US, (hour + 2) * HOUR_US
    near = [p for p in card.times if p.from_us < until_us and p.until_us > from_us]
    yield from near
    if not any(p.from_us <= from_us and p.until_us >= until_us and p.all_day for p in near):
        yield Period(standard=Sheet(card.base, card.tiers), variants=card.variants)


def _sheets(period: Period, doubt: _Doubt) -> Iterator[Sheet]:
    """Those among which the vendor may choose. The standard one always: a wish for another tier can be turned down."""
    yield period.standard
    for name, sheet in period.variants.items():
        if all(_may_hold(fact, doubt) for fact in name.split("&")):
            yield sheet


def _may_hold(fact: str, doubt: _Doubt) -> bool:
    name, _, value = fact.partition("=")
    if name == "service_tier":
        return doubt.service_tier in {None, "auto", value}
    if name == "processing" and value == "batch":
        return doubt.batch
    return (name, value) in doubt.context


def _dearest(sheets: list[Sheet], above: int, doubt: _Doubt) -> _Top | None:
    """Over every sheet and tier that an input of more than ``above`` (and up to the next step) may meet."""
    sets = [s.base for s in sheets] + [t.rates for s in sheets for t in s.tiers if t.above <= above]
    ins = [x for r in sets for x in (r.uncached_in, r.cache_read, r.cache_write_5m, r.cache_write_1h)]
    outs = [x for r in sets for x in (r.text_out, r.reasoning_out)]
    if doubt.image:
        ins += [r.image_in for r in sets]
    if doubt.audio is not False:
        sound_in, sound_out = [r.audio_in for r in sets], [r.audio_out for r in sets]
        # Only where the call is known to hold sound does a missing price for it make the whole unpriced.
        ins += sound_in if doubt.audio else [x for x in sound_in if x is not None]
        outs += sound_out if doubt.audio else [x for x in sound_out if x is not None]
    rate_in = _largest(ins)
    return None if rate_in is None else (rate_in, _largest(outs), max(r.per_request_nanos for r in sets))


def _largest(found: list[int | None]) -> int | None:
    known = [x for x in found if x is not None]
    return max(known) if len(known) == len(found) and known else None
