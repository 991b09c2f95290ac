"""Cards are what the price database says: the same sums, for every model it has, at every moment and in every context."""

import datetime as dt
import random
from decimal import Decimal

import msgspec
import pytest
from genai_prices import Usage as TheirUsage
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import StartDateConstraint, TieredPrices, TimeOfDateConstraint
from hypothesis import given, settings
from hypothesis import strategies as st

from demitasse.config import Price
from demitasse.core.call import BUCKETS, Usage
from demitasse.core.errors import DemitasseError
from demitasse.core.price import DAY_US, HOUR_US, Card, Period, Rates, Sheet, bound, cost, sheet_at
from demitasse.providers import price_cards
from demitasse.providers.price_cards import IMAGE_ROWS, LAYOUT, compile_card, config_card, image_tokens

NOW = 1_795_219_200_000_000  # 2026-11-21 00:00 UTC
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MODELS = [(provider, model) for provider in get_snapshot().providers for model in provider.models]
IDS = [f"{p.id}/{m.id}" for p, m in MODELS]
SOUND_BY_THE_HOUR = {
    "mistral/voxtral-small-24b-2507",
    "elevenlabs/eleven_realtime_v1_max",
    "elevenlabs/eleven_realtime_v1_mini",
}


def theirs(usage: Usage) -> TheirUsage:
    """Our disjoint buckets as the database's nested totals; the joins that we never see are zero."""
    return TheirUsage(
        input_tokens=usage.total_in,
        output_tokens=usage.total_out,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write_5m + usage.cache_write_1h,
        cache_write_5m_tokens=usage.cache_write_5m,
        cache_write_1h_tokens=usage.cache_write_1h,
        input_image_tokens=usage.image_in,
        input_audio_tokens=usage.audio_in,
        output_reasoning_tokens=usage.reasoning_out,
        output_audio_tokens=usage.audio_out,
        cache_audio_read_tokens=0,
        cache_image_read_tokens=0,
        input_video_tokens=0,
        output_citation_tokens=0,
    )


def compiled(provider, model, at_us=NOW) -> Card | None:
    return price_cards._compile("test", provider.id, model.id, provider, model, at_us)


def edges(model) -> list[int]:
    """Moments around which the model's price may change."""
    conditional = model.prices if isinstance(model.prices, list) else []
    found = [NOW]
    for c in [p.constraint for p in conditional] + [v.constraint for v in model.price_variants or ()]:
        if isinstance(c, StartDateConstraint):
            start = (c.start_date - dt.date(1970, 1, 1)).days * DAY_US
            found += [start - 1, start, start + 5 * HOUR_US]
        elif isinstance(c, TimeOfDateConstraint):
            for t in (c.start_time, c.end_time):
                of_day = (t.hour * 60 + t.minute) * 60_000_000
                found += [NOW + of_day - 1, NOW + of_day, NOW + 3 * DAY_US + of_day + 1]
    return found


def usages(model, draw: random.Random):
    """One in every bucket, and totals on both sides of every tier."""
    prices = [p.prices for p in model.prices] if isinstance(model.prices, list) else [model.prices]
    starts = {t.start for p in prices for v in vars(p).values() if isinstance(v, TieredPrices) for t in v.tiers}
    yield Usage(**{b: draw.randrange(1, 3000) for b in BUCKETS})
    for bucket in BUCKETS:
        yield Usage(**{bucket: draw.randrange(1, 5000)})
    for start in starts:
        yield Usage(uncached_in=start, text_out=777)
        yield Usage(uncached_in=start + 1, text_out=777)
        yield Usage(uncached_in=1, cache_read=start, cache_write_5m=3, text_out=777, reasoning_out=11)


def check_equal(provider, model, card, usage, at_us, context):
    """Equal to the database's own sum within half a nano of rounding, and half a pico for each token of a rate that it
    gives with more than six decimals. Unpriced by us only where a bucket has no price of its own or its sound is sold by time.
    """
    moment = EPOCH + dt.timedelta(microseconds=at_us)
    paid = cost(
        card,
        usage,
        at_us=at_us,
        service_tier=context.get("service_tier"),
        batch=context.get("processing") == "batch",
        context=tuple((k, v) for k, v in context.items() if k not in {"service_tier", "processing"}),
    )
    their_price = model.get_prices(moment, context)
    stored = {k: v for k, v in vars(their_price).items() if v is not None}
    used = [b for b in BUCKETS if getattr(usage, b)]
    if paid is None:
        assert any(why_unpriced(stored, bucket) for bucket in used), (provider.id, model.id, context, stored, used)
        return
    total = model.calc_price(theirs(usage), provider, genai_request_timestamp=moment, price_context=context).total_price
    rounded = sum(getattr(usage, b) for b in used) * Decimal("0.0005") if fine(stored) else 0
    assert abs(Decimal(paid) - total * 10**9) <= Decimal("0.5") + rounded, (
        provider.id,
        model.id,
        at_us,
        context,
        usage,
    )


def why_unpriced(stored, bucket) -> bool:
    """Whether tokens in this bucket have no price by these keys of the database."""
    if "input_mtok" not in stored or stored.keys() & {"output_image_mtok", "output_video_mtok"}:
        return True
    if bucket.endswith("_out") and "output_mtok" not in stored:
        return True
    return bucket.startswith("audio_") and any(k.endswith("audio_hours") for k in stored)


def fine(stored) -> bool:
    """Whether some rate has more decimals than a pico-dollar can say."""
    every = [
        x
        for v in stored.values()
        for x in ([v.base, *(t.price for t in v.tiers)] if isinstance(v, TieredPrices) else [v])
    ]
    return any((x * 1_000_000) % 1 for x in every)


def contexts(model):
    return [{}, *price_cards._contexts(model), {"service_tier": "unheard-of", "processing": "batch"}]


def test_every_model_costs_what_the_database_says_at_every_moment_and_in_every_context():
    draw = random.Random(7)
    for provider, model in MODELS:
        card = compiled(provider, model)
        if card is None:
            continue
        first, *others = usages(model, draw)
        for usage in others:
            check_equal(provider, model, card, usage, NOW, {})
        for context in contexts(model):
            for at_us in edges(model):
                check_equal(provider, model, card, first, at_us, context)
                check_equal(provider, model, card, others[-1], at_us, context)


@settings(max_examples=150, deadline=None)
@given(
    which=st.integers(0, len(MODELS) - 1),
    usage=st.builds(Usage, *([st.integers(0, 600_000)] * len(BUCKETS))),
    compiled_at=st.integers(NOW - 700 * DAY_US, NOW + 200 * DAY_US),
    at_us=st.integers(NOW - 700 * DAY_US, NOW + 200 * DAY_US),
    pick=st.integers(0, 100),
)
def test_it_does_not_matter_when_a_card_was_compiled(*, which, usage, compiled_at, at_us, pick):
    provider, model = MODELS[which]
    card = compiled(provider, model, compiled_at)
    if card is not None:
        every = contexts(model)
        check_equal(provider, model, card, usage, at_us, every[pick % len(every)])


def test_unpriced_models_are_those_that_tokens_do_not_price():
    unpriced = [(name, m) for name, (p, m) in zip(IDS, MODELS, strict=True) if compiled(p, m) is None]
    for name, model in unpriced:
        keys = {k for k, v in vars(model.get_prices(EPOCH + dt.timedelta(microseconds=NOW))).items() if v is not None}
        assert not keys or "input_mtok" not in keys or keys & {"output_image_mtok", "output_video_mtok"}, (name, keys)
    # Not a few hundred by accident: the database has some 180 entries without any price, and some 40 sold otherwise.
    assert len(unpriced) < 0.1 * len(MODELS)


def test_sound_that_is_sold_by_the_hour_makes_only_calls_with_sound_unpriced():
    for provider, model in MODELS:
        card = compiled(provider, model)
        if card is not None and (card.base.audio_in is None) != (f"{provider.id}/{model.id}" in SOUND_BY_THE_HOUR):
            pytest.fail(f"{provider.id}/{model.id}: {card.base}")


def test_rates_finer_than_a_pico_dollar_are_few_and_known():
    """Twelfths of a cent for cache writes, and floating-point dust; rounding them moves a million tokens by half a micro-dollar."""
    found = set()
    for provider, model in MODELS:
        prices = [p.prices for p in model.prices] if isinstance(model.prices, list) else [model.prices]
        if any(fine({k: v for k, v in vars(p).items() if v is not None and k.endswith("_mtok")}) for p in prices):
            found.add(provider.id)
    assert found <= {"huggingface_together", "openrouter"}


def test_a_model_is_found_as_the_database_finds_it():
    assert compile_card("openai", "gpt-5.1-2025-11-13", NOW).id.endswith(" openai/gpt-5.1")
    assert compile_card(None, "claude-3-5-haiku-latest", NOW).provider == "anthropic"
    assert compile_card("azure", "gpt-4o", NOW).provider == "azure"
    assert compile_card("openai", "no-such-model", NOW) is None
    assert compile_card("no-such-provider", "gpt-5.1", NOW) is None


def test_another_providers_variants_do_not_hold_where_its_model_is_resold():
    own, resold = compile_card("openai", "gpt-4o", NOW), compile_card("azure", "gpt-4o", NOW)
    assert own.variants
    usage = Usage(uncached_in=1000)
    if resold.id.endswith("openai/gpt-4o"):
        assert resold.variants == {}
    their = get_snapshot().calc(
        theirs(usage), "gpt-4o", "azure", None, EPOCH + dt.timedelta(microseconds=NOW), {"processing": "batch"}
    )
    assert cost(resold, usage, at_us=NOW, batch=True) == their.total_price * 10**9


def test_what_tokens_do_not_show_is_named_on_the_card():
    assert "web_searches_kcount" in compile_card("anthropic", "claude-sonnet-4-5", NOW).unmetered


def test_a_bound_is_never_below_what_the_database_would_charge():
    draw = random.Random(11)
    for provider, model in draw.sample(MODELS, 200):
        card = compiled(provider, model)
        if card is None or card.base.text_out is None:
            continue
        usage = Usage(
            uncached_in=draw.randrange(400_000), cache_write_1h=draw.randrange(9000), text_out=draw.randrange(9000)
        )
        most = bound(card, input_tokens=usage.total_in, output_tokens=usage.total_out, at_us=NOW)
        for context in ({}, {"service_tier": "priority"}, {"service_tier": "flex"}):
            paid = model.calc_price(
                theirs(usage),
                provider,
                genai_request_timestamp=EPOCH + dt.timedelta(microseconds=NOW),
                price_context=context,
            )
            assert most >= paid.total_price * 10**9 - 1 - usage.total_in // 2000


def test_settings_make_a_card_whose_unnamed_rates_fall_to_the_wider_kind():
    price = Price(
        Decimal("1.25"), Decimal(10), cache_read_usd_per_mtok=Decimal("0.125"), usd_per_request=Decimal("0.005")
    )
    card = config_card("large", "openai", "gpt-5.1", msgspec.structs.asdict(price))
    assert card.id == "config models.large"
    assert (
        cost(card, Usage(uncached_in=1000, cache_read=1000, reasoning_out=100), at_us=NOW)
        == 5_000_000 + 1_250_000 + 125_000 + 1_000_000
    )
    silent = config_card("e", "x", "y", msgspec.structs.asdict(Price(Decimal("0.02"))))
    assert cost(silent, Usage(uncached_in=10**6), at_us=NOW) == 20_000_000
    assert cost(silent, Usage(text_out=1), at_us=NOW) is None


def test_the_longest_matching_row_says_how_large_an_image_may_be():
    assert image_tokens("openai", "gpt-4o-mini-2024-07-18") == 48_169
    assert image_tokens("openai", "gpt-4o") == 1_445
    assert image_tokens("openai", "gpt-99") is None
    assert all(row.source and row.as_of for row in IMAGE_ROWS)


def test_kept_cards_are_asked_for_anew_when_the_database_or_their_layout_changes(monkeypatch):
    before = price_cards.edition()
    monkeypatch.setattr(price_cards, "LAYOUT", price_cards.LAYOUT + 1)
    assert price_cards.edition() != before
    # Whoever adds, removes or reinterprets a field of these raises LAYOUT and this.
    fields = Card.__struct_fields__, Sheet.__struct_fields__, Period.__struct_fields__, Rates.__struct_fields__
    assert (LAYOUT, [len(f) for f in fields]) == (1, [10, 2, 6, 10])


async def test_cards_come_from_a_process_of_their_own_and_are_the_same():
    cards = await price_cards.ask(["openai/gpt-5.1", "gpt-4o", "openai/whisper-1", "nobody/nothing", "--version"])
    assert cards["openai/gpt-5.1"].base == compile_card("openai", "gpt-5.1", NOW).base
    assert cards["gpt-4o"].provider == "openai"
    assert (cards["openai/whisper-1"], cards["nobody/nothing"], cards["--version"]) == (None, None, None)
    assert await price_cards.ask([]) == {}


async def test_a_database_that_does_not_answer_is_an_error_and_not_a_price(monkeypatch):
    with pytest.raises(DemitasseError, match="models stay unpriced"):
        await price_cards.ask(["openai/gpt-5.1"], timeout_s=0)


def test_the_serving_process_may_import_it_without_the_database():
    import subprocess
    import sys

    code = (
        "import sys, demitasse.providers.price_cards; print('genai_prices' in sys.modules, 'pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == [
        "False",
        "False",
    ]


def test_a_price_by_time_of_day_is_compiled_for_both_sides_of_midnight():
    card = compile_card("deepseek", "deepseek-chat", NOW)
    hours = {h: sheet_at(card, NOW + h * HOUR_US) or Sheet(card.base) for h in (0, 12, 17, 23)}
    assert hours[0] == hours[17] == hours[23] != hours[12]
