"""Price cards from the price database (genai-prices) and from settings. Knows the database's rules; knows no gateway.

The database's own arithmetic is exact but slow, and importing it is heavy. So a model's prices are compiled once into a
`Card` of integers, and the serving process never imports the database: it asks this module in a process of its own,

    python -m demitasse.providers.price_cards openai/gpt-5.1 anthropic/claude-opus-4-5

which prints one JSON object, each name with its card or null. `ask` does that.

Compiled is what the database itself resolves for every moment and context that it tells apart; here is only the step
from its price keys to our buckets. A model is *unpriced* (None) where tokens do not tell the price: it is sold by the
hour, page or character, or it also puts out images or video at another rate.
"""

from __future__ import annotations

import datetime as dt
import itertools
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from ..core.errors import DemitasseError
from ..core.money import NANOS
from ..core.price import DAY_US, FOREVER_US, Card, Period, Rates, Sheet, Tier, pico_per_token, rates
from ..guard.moderation import has_endpoint
from .vendors import Vendor, is_home

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

Cards = dict[str, Card | None]
"""What was asked for, as it was asked, with its card; None: unpriced or unknown."""


LAYOUT: Final = 1
"""Rises whenever a `Card` compiled by an older version can't be read any more or means something else."""


def edition() -> str:
    """What compiled cards may be kept under: another edition, and they are asked for anew."""
    import importlib.metadata  # noqa: PLC0415 - not on the way of a call

    return f"{importlib.metadata.version('genai-prices')}/{LAYOUT}"


def compile_card(provider_id: str | None, model_ref: str, at_us: int) -> Card | None:
    """The card of a provider's model, with the rates of ``at_us`` as its own and all others by time.

    ``provider_id`` None: whichever provider the database finds by the model's name. None is returned for a model that
    the database does not know, or whose price does not follow from tokens.
    """
    from genai_prices import __version__  # noqa: PLC0415 - heavy
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415

    try:
        provider, model = get_snapshot().find_provider_model(model_ref, None, provider_id, None)
    except LookupError:
        return None
    name = f"genai-prices {__version__} {provider.id}/{model.id}"
    return _compile(name, provider_id or provider.id, model_ref, provider, model, at_us)


def config_card(
    name: str,
    provider: str,
    model: str,
    price: Mapping[str, Decimal | None],
    *,
    max_input: int | None = None,
    max_image_tokens: int | None = None,
) -> Card:
    """The card of ``[models.NAME] price``; ``price`` by the names of its settings (``msgspec.structs.asdict``)."""
    rate = {k.removesuffix("_usd_per_mtok"): v for k, v in price.items() if k.endswith("_usd_per_mtok")}
    pico = {k: None if v is None else pico_per_token(v) for k, v in rate.items()}
    fee = int((price.get("usd_per_request") or Decimal(0)) * NANOS)
    return Card(
        id=f"config models.{name}",
        provider=provider,
        model=model,
        base=rates(**pico, per_request_nanos=fee),
        max_input=max_input,
        max_image_tokens=max_image_tokens or image_tokens(provider, model),
    )


class FreeRow(NamedTuple):
    """A vendor's moderation endpoint that costs nothing by the vendor's own word, at its own address."""

    provider: str
    source: str
    as_of: str


FREE_MODERATION: Final = (FreeRow("openai", "platform.openai.com/docs/guides/moderation", "2026-11-21"),)


def free_moderation(vendor: Vendor, model: str, base_url: str, region: str | None) -> Card | None:
    """The card of a moderation endpoint that costs nothing: its vendor says so, or it is one's own (``region = "local"``); None:
    nobody says so. The price database knows none of these models, since none is sold by the token."""
    if not has_endpoint(model):
        return None
    row = next((row for row in FREE_MODERATION if row.provider == vendor.name and is_home(vendor, base_url)), None)
    if row is None and region != "local":
        return None
    said = f"{row.source}, {row.as_of}" if row is not None else 'region = "local"'
    return Card(
        id=f"free {vendor.name}/{model} ({said})", provider=vendor.name, model=model, base=rates(input=0, output=0)
    )


async def ask(refs: Sequence[str], *, timeout_s: float = 60.0) -> Cards:
    """The cards for ``provider/model`` names, from a process of its own. Raises DemitasseError when that fails."""
    import asyncio  # noqa: PLC0415 - the command below needs none

    if not refs:
        return {}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __spec__.name, "--", *refs, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        raise DemitasseError(
            f"the price database did not answer within {timeout_s:g} s; models stay unpriced"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        why = err.decode(errors="replace").strip().rpartition("\n")[2]
        raise DemitasseError(f"the price database could not be read ({why}); models stay unpriced")
    return decode(out)


def decode(data: bytes) -> Cards:
    """What the command printed."""
    return msgspec.json.decode(data, type=Cards)


class ImageRow(NamedTuple):
    """The most tokens one image can count as: by provider and the beginning of the model's name, the longest wins."""

    provider: str
    prefix: str
    tokens: int
    source: str
    as_of: str


_OPENAI = "platform.openai.com/docs/guides/images-vision"
_CLAUDE = "docs.claude.com/en/docs/build-with-claude/vision"
IMAGE_ROWS: Final = (
    # Tiles of 512 px after fitting into 2048 × 768 px: at most eight, each at the model's rate, plus a base.
    ImageRow("openai", "gpt-4o", 85 + 8 * 170, _OPENAI, "2025-12"),
    ImageRow("openai", "gpt-4o-mini", 2833 + 8 * 5667, _OPENAI, "2025-12"),
    ImageRow("openai", "gpt-4.1", 85 + 8 * 170, _OPENAI, "2025-12"),
    ImageRow("openai", "o1", 75 + 8 * 150, _OPENAI, "2025-12"),
    ImageRow("openai", "o3", 75 + 8 * 150, _OPENAI, "2025-12"),
    # At most 1,536 patches of 32 px, times the model's factor.
    ImageRow("openai", "gpt-4.1-mini", 2489, _OPENAI, "2025-12"),
    ImageRow("openai", "gpt-4.1-nano", 3779, _OPENAI, "2025-12"),
    ImageRow("openai", "o4-mini", 2642, _OPENAI, "2025-12"),
    # (width × height) / 750 after fitting; the larger of the documented limits.
    ImageRow("anthropic", "claude-", 4784, _CLAUDE, "2026-05"),
)


def image_tokens(provider: str, model: str) -> int | None:
    """From the table above; None where no maximum is known, and then the dearest that is known counts."""
    rows = [r for r in IMAGE_ROWS if r.provider == provider and model.lower().startswith(r.prefix)]
    return max(rows, key=lambda r: len(r.prefix)).tokens if rows else None


# Price keys of the database, by what becomes of them.
_TAKEN: Final = frozenset(
    {"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_5m_mtok", "cache_write_1h_mtok"}
    | {"input_image_mtok", "input_audio_mtok", "output_audio_mtok", "output_reasoning_mtok", "requests_kcount"}
)
_UNSEEN: Final = frozenset(
    {"input_video_mtok", "output_citation_mtok", "cache_audio_read_mtok", "cache_image_read_mtok"}
)
"""Tokens that no usage we read tells apart from others of their direction; their price is noted, not used."""


def _compile(
    name: str, asked_provider: str, asked_model: str, provider: Provider, model: ModelInfo, at_us: int
) -> Card | None:
    contexts = list(_contexts(model)) if any(model is own for own in provider.models) else []
    periods = _merged(_periods(model, contexts))
    own = next(p for p in periods if p.holds(at_us))
    if own.standard.base.uncached_in is None:
        return None
    return Card(
        id=name,
        provider=asked_provider,
        model=asked_model,
        base=own.standard.base,
        tiers=own.standard.tiers,
        variants=own.variants,
        times=tuple(p for p in periods if p is not own),
        max_input=model.context_window,
        max_image_tokens=image_tokens(provider.id, model.id),
        unmetered=tuple(sorted(_priced_keys(model) - _TAKEN)),
    )


def _contexts(model: ModelInfo) -> Iterator[dict[str, str]]:
    """Every combination of facts that a variant of this model asks for, except none at all."""
    values: dict[str, set[str]] = {}
    for variant in model.price_variants or ():
        for key, value in variant.when.items():
            values.setdefault(key, set()).add(value)
    names = sorted(values)
    for chosen in itertools.product(*([None, *sorted(values[n])] for n in names)):
        context = {n: v for n, v in zip(names, chosen, strict=True) if v is not None}
        if context:
            yield context


def _periods(model: ModelInfo, contexts: list[dict[str, str]]) -> Iterator[Period]:
    """Between two moments at which any constraint may change its mind the prices are constant: one period for each."""
    days, times = _edges(model)
    for from_us, until_us in itertools.pairwise([0, *sorted(days), FOREVER_US]):
        for day_from_us, day_until_us in itertools.pairwise([0, *sorted(times - {0}), DAY_US]):
            moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=from_us + day_from_us)
            standard = _sheet(model.get_prices(moment))
            variants = {_context_name(c): _sheet(model.get_prices(moment, c)) for c in contexts}
            yield Period(
                standard=standard,
                variants=variants if any(sheet != standard for sheet in variants.values()) else {},
                from_us=from_us,
                until_us=until_us,
                day_from_us=day_from_us,
                day_until_us=day_until_us,
            )


def _edges(model: ModelInfo) -> tuple[set[int], set[int]]:
    """(midnights at which a price starts, times of day at which one starts or ends); UTC microseconds."""
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint  # noqa: PLC0415 - heavy

    conditional = model.prices if isinstance(model.prices, list) else []
    days, times = set(), set()
    for constraint in [p.constraint for p in conditional] + [v.constraint for v in model.price_variants or ()]:
        if isinstance(constraint, StartDateConstraint):
            days.add((constraint.start_date - dt.date(1970, 1, 1)).days * DAY_US)
        elif isinstance(constraint, TimeOfDateConstraint):
            times |= {_time_of_day_us(constraint.start_time), _time_of_day_us(constraint.end_time)}
    return days, times


def _time_of_day_us(moment: dt.time) -> int:
    at = dt.datetime.combine(dt.date(1970, 1, 2), moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))
    return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1) % DAY_US


def _merged(periods: Iterable[Period]) -> list[Period]:
    """Neighbours with the same prices made one: first over the day, then, where whole days are alike, over dates."""
    by_day: list[Period] = []
    for p in periods:
        last = by_day[-1] if by_day else None
        if last and last.from_us == p.from_us and _same(last, p):
            by_day[-1] = msgspec.structs.replace(last, day_until_us=p.day_until_us)
        else:
            by_day.append(p)
    merged: list[Period] = []
    for p in by_day:
        last = merged[-1] if merged else None
        if last and last.all_day and p.all_day and _same(last, p):
            merged[-1] = msgspec.structs.replace(last, until_us=p.until_us)
        else:
            merged.append(p)
    return merged


def _same(a: Period, b: Period) -> bool:
    return a.standard == b.standard and a.variants == b.variants


def _context_name(context: Mapping[str, str]) -> str:
    return "&".join(f"{k}={v}" for k, v in sorted(context.items()))


def _sheet(price: ModelPrice) -> Sheet:
    """One resolved price as rates; all unknown where tokens do not tell the price."""
    stored = {k: v for k, v in vars(price).items() if v is not None}
    if not _follows_from_tokens(price, stored):
        return Sheet(Rates())
    starts = sorted({tier.start for v in stored.values() for tier in getattr(v, "tiers", ())})
    return Sheet(_rates(stored, 0), tuple(Tier(start, _rates(stored, start + 1)) for start in starts))


def _follows_from_tokens(price: ModelPrice, stored: Mapping[str, Any]) -> bool:
    if "input_mtok" not in stored:
        return False
    if any(key.endswith("_mtok") and key not in _TAKEN | _UNSEEN for key in stored):
        return False  # output images, output video: their tokens are among the output and cost more
    try:
        price.calc_price({"input_tokens": 0})
    except ValueError:
        return False  # the database itself finds this price incomplete
    return True


def _rates(stored: Mapping[str, Any], total_in: int) -> Rates:
    """The rates that hold for an input of so many tokens; what has no price of its own falls to the next wider one."""
    usd = {key: _at(value, total_in) for key, value in stored.items() if key in _TAKEN}
    pico = {key: pico_per_token(value) for key, value in usd.items() if key != "requests_kcount"}
    full = rates(
        input=pico["input_mtok"],
        output=pico.get("output_mtok"),
        cache_read=pico.get("cache_read_mtok"),
        cache_write=pico.get("cache_write_mtok"),
        cache_write_5m=pico.get("cache_write_5m_mtok"),
        cache_write_1h=pico.get("cache_write_1h_mtok"),
        image_in=pico.get("input_image_mtok"),
        audio_in=pico.get("input_audio_mtok"),
        reasoning_out=pico.get("output_reasoning_mtok"),
        audio_out=pico.get("output_audio_mtok"),
        per_request_nanos=int(usd.get("requests_kcount", Decimal(0)) * NANOS / 1000),
    )
    # Sound that is sold by the hour is not paid for by its tokens.
    if "input_audio_hours" in stored or "audio_hours" in stored:
        full = msgspec.structs.replace(full, audio_in=None)
    if "output_audio_hours" in stored or "audio_hours" in stored:
        full = msgspec.structs.replace(full, audio_out=None)
    return full


def _at(value: Any, total_in: int) -> Decimal:
    found: Decimal = getattr(value, "base", value)
    for tier in getattr(value, "tiers", ()):
        if total_in > tier.start:
            found = tier.price
    return found


def _priced_keys(model: ModelInfo) -> set[str]:
    standard = [p.prices for p in model.prices] if isinstance(model.prices, list) else [model.prices]
    every = standard + [v.prices for v in model.price_variants or ()]
    return {key for price in every for key, value in vars(price).items() if value is not None}


def main(arguments: Sequence[str]) -> int:
    """``[--] NAME…``: prints the cards of ``provider/model`` (or bare model) names as one JSON object."""
    refs = [a for a in arguments if a != "--"]
    if not refs:
        sys.stderr.write("usage: python -m demitasse.providers.price_cards PROVIDER/MODEL…\n")
        return 2
    now_us = time.time_ns() // 1000
    cards: Cards = {}
    for ref in refs:
        provider, slash, model = ref.partition("/")
        cards[ref] = compile_card(provider, model, now_us) if slash else compile_card(None, ref, now_us)
    sys.stdout.write(msgspec.json.encode(cards).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
