"""Prices in integers: what is used is rounded once, what may be used is never underestimated, unknown is never zero."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from demitasse.core import price
from demitasse.core.call import BUCKETS, Usage
from demitasse.core.price import (
    DAY_US,
    HOUR_US,
    UNKNOWN_IMAGE_TOKENS,
    Card,
    Period,
    Rates,
    Sheet,
    Tier,
    bound,
    cost,
    output_rate_bound,
    pico_per_token,
    rates,
)

AT = 20_000 * DAY_US + 5 * HOUR_US
USD = pico_per_token
PLAIN = Card("t", "p", "m", rates(input=USD("1.25"), output=USD(10), cache_read=USD("0.125")))


def card(**fields) -> Card:
    return msgspec.structs.replace(PLAIN, **fields)


def test_rates_stand_in_the_order_of_the_usage_buckets():
    assert Rates.__struct_fields__[:-1] == BUCKETS


def test_a_call_costs_the_sum_of_its_buckets():
    usage = Usage(uncached_in=1000, cache_read=2000, text_out=300, reasoning_out=200)
    assert cost(PLAIN, usage, at_us=AT) == 1_250_000 + 250_000 + 5_000_000


def test_cost_is_rounded_half_up_once_and_a_bound_always_up():
    tiny = card(base=rates(input=500, output=499))
    assert cost(tiny, Usage(uncached_in=1), at_us=AT) == 1
    assert cost(tiny, Usage(text_out=1), at_us=AT) == 0
    assert cost(tiny, Usage(uncached_in=1, text_out=1), at_us=AT) == 1
    assert bound(tiny, input_tokens=0, output_tokens=1, at_us=AT) == 1


def test_an_unknown_rate_makes_only_the_calls_that_use_it_unpriced():
    embedding = card(base=rates(input=USD("0.02"), output=None))
    assert cost(embedding, Usage(uncached_in=1000), at_us=AT) == 20_000
    assert cost(embedding, Usage(uncached_in=1000, text_out=1), at_us=AT) is None
    assert bound(embedding, input_tokens=1000, output_tokens=0, at_us=AT) == 20_000
    assert bound(embedding, input_tokens=1000, output_tokens=1, at_us=AT) is None
    assert output_rate_bound(embedding, input_tokens=1000, at_us=AT) is None
    assert cost(card(base=Rates()), Usage(uncached_in=1), at_us=AT) is None
    assert bound(card(base=Rates()), input_tokens=1, output_tokens=0, at_us=AT) is None


def test_a_free_model_costs_nothing_and_is_not_unpriced():
    free = card(base=rates(input=0, output=0))
    assert cost(free, Usage(uncached_in=5, text_out=5), at_us=AT) == 0
    assert bound(free, input_tokens=5, output_tokens=5, at_us=AT) == 0


def test_above_a_tier_all_tokens_take_its_rates_and_cached_ones_count_towards_it():
    long = card(tiers=(Tier(200_000, rates(input=USD("2.5"), output=USD(15))),))
    assert cost(long, Usage(uncached_in=200_000), at_us=AT) == 250_000_000
    assert cost(long, Usage(uncached_in=200_001), at_us=AT) == 500_002_500
    assert cost(long, Usage(uncached_in=1, cache_read=200_000), at_us=AT) == 500_002_500
    assert bound(long, input_tokens=200_000, output_tokens=1, at_us=AT) == 250_010_000
    assert bound(long, input_tokens=200_001, output_tokens=1, at_us=AT) == 500_017_500
    assert output_rate_bound(long, input_tokens=200_001, at_us=AT) == USD(15)


def test_a_bound_holds_for_a_prompt_that_turns_out_shorter_where_more_is_cheaper():
    volume = card(tiers=(Tier(1000, rates(input=USD(1), output=USD(1))),))
    assert bound(volume, input_tokens=1001, output_tokens=10, at_us=AT) == 1_251_250 + 100_000


def test_the_answers_service_tier_decides_the_cost_and_an_unset_wish_is_bounded_by_the_dearest():
    variants = {
        "service_tier=priority": Sheet(rates(input=USD("2.5"), output=USD(20))),
        "service_tier=flex": Sheet(rates(input=USD("0.625"), output=USD(5))),
        "processing=batch": Sheet(rates(input=USD("0.6"), output=USD(4))),
        "processing=batch&service_tier=flex": Sheet(rates(input=USD("0.5"), output=USD(3))),
    }
    tiered, usage = card(variants=variants), Usage(uncached_in=1000)
    assert cost(tiered, usage, at_us=AT) == 1_250_000
    assert cost(tiered, usage, at_us=AT, service_tier="priority") == 2_500_000
    assert cost(tiered, usage, at_us=AT, service_tier="unheard-of") == 1_250_000
    assert cost(tiered, usage, at_us=AT, batch=True) == 600_000
    assert cost(tiered, usage, at_us=AT, batch=True, service_tier="default") == 600_000
    assert cost(tiered, usage, at_us=AT, batch=True, service_tier="flex") == 500_000
    assert cost(tiered, usage, at_us=AT, context=(("route", "eu"), ("service_tier", "flex"))) == 625_000

    def most(tier: str | None) -> int | None:
        return bound(tiered, input_tokens=1000, output_tokens=0, at_us=AT, service_tier=tier)

    assert most(None) == most("auto") == most("priority") == 2_500_000
    assert most("default") == most("flex") == 1_250_000


def test_service_tiers_that_clients_make_up_take_no_memory():
    before = price._steps.cache_info().currsize
    for i in range(50):
        assert bound(PLAIN, input_tokens=1000, output_tokens=0, at_us=AT, service_tier=f"made-up-{i}") == 1_250_000
    assert price._steps.cache_info().currsize <= before + 1


def test_a_price_that_changes_soon_is_bounded_by_the_dearer_one():
    rise = Period(Sheet(rates(input=USD(5), output=USD(50))), from_us=AT + 30 * 60_000_000)
    changing = card(times=(rise,))
    assert cost(changing, Usage(uncached_in=1000), at_us=AT) == 1_250_000
    assert cost(changing, Usage(uncached_in=1000), at_us=rise.from_us) == 5_000_000
    assert bound(changing, input_tokens=1000, output_tokens=0, at_us=AT) == 5_000_000
    assert bound(changing, input_tokens=1000, output_tokens=0, at_us=AT - 3 * HOUR_US) == 1_250_000


def test_a_price_by_time_of_day_may_cross_midnight_and_the_bound_takes_the_dearest_of_the_day():
    night = Period(Sheet(rates(input=USD("0.5"), output=USD(5))), day_from_us=22 * HOUR_US, day_until_us=6 * HOUR_US)
    by_day = card(times=(night,))
    for hour, nanos in ((5, 500_000), (6, 1_250_000), (21, 1_250_000), (22, 500_000), (0, 500_000)):
        assert cost(by_day, Usage(uncached_in=1000), at_us=20_000 * DAY_US + hour * HOUR_US) == nanos
    assert bound(by_day, input_tokens=1000, output_tokens=0, at_us=AT) == 1_250_000


def test_an_image_of_unknown_size_counts_as_the_models_maximum():
    assert bound(card(max_image_tokens=1000), input_tokens=0, output_tokens=0, images=2, at_us=AT) == 2_500_000
    assert bound(PLAIN, input_tokens=0, output_tokens=0, images=1, at_us=AT) == UNKNOWN_IMAGE_TOKENS * 1250
    dear = card(base=rates(input=1000, output=0, image_in=9000), max_image_tokens=10)
    assert bound(dear, input_tokens=10, output_tokens=0, at_us=AT) == 10
    assert bound(dear, input_tokens=10, output_tokens=0, images=1, at_us=AT) == 180


def test_sound_is_bounded_unless_it_is_known_to_be_absent():
    speech = card(base=rates(input=1000, output=1000, audio_in=5000, audio_out=7000))
    assert bound(speech, input_tokens=10, output_tokens=10, at_us=AT) == 120
    assert bound(speech, input_tokens=10, output_tokens=10, at_us=AT, audio=False) == 20
    silent = card(base=msgspec.structs.replace(PLAIN.base, audio_in=None))
    assert bound(silent, input_tokens=10, output_tokens=0, at_us=AT) is not None
    assert bound(silent, input_tokens=10, output_tokens=0, at_us=AT, audio=True) is None


def test_every_request_pays_its_fee():
    search = card(base=rates(input=1000, output=1000, per_request_nanos=5_000_000))
    assert cost(search, Usage(uncached_in=1), at_us=AT) == 5_000_001
    assert bound(search, input_tokens=1, output_tokens=1, requests=3, at_us=AT) == 3 * 5_000_002


def test_a_card_survives_json():
    whole = card(
        tiers=(Tier(5, PLAIN.base),),
        variants={"processing=batch": Sheet(PLAIN.base)},
        times=(Period(Sheet(PLAIN.base)),),
    )
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Card) == whole


RATE = st.integers(0, 10**8)
RATES = st.builds(Rates, *([RATE] * len(BUCKETS)), per_request_nanos=st.integers(0, 10**9))
SHEETS = st.builds(
    Sheet,
    RATES,
    st.lists(st.builds(Tier, st.integers(0, 3000), RATES), max_size=3).map(
        lambda tiers: tuple(sorted(tiers, key=lambda t: t.above))
    ),
)
VARIANTS = st.dictionaries(st.sampled_from(["service_tier=flex", "service_tier=priority", "processing=batch"]), SHEETS)
PERIODS = st.builds(
    Period,
    SHEETS,
    VARIANTS,
    st.integers(0, 48).map(lambda h: h * HOUR_US),
    st.integers(0, 48).map(lambda h: h * HOUR_US),
    st.integers(0, 24).map(lambda h: h * HOUR_US),
    st.integers(0, 24).map(lambda h: h * HOUR_US),
)


@given(
    sheet=SHEETS,
    variants=VARIANTS,
    times=st.lists(PERIODS, max_size=2),
    usage=st.builds(Usage, *([st.integers(0, 1000)] * len(BUCKETS))),
    at_us=st.integers(2 * HOUR_US, 40 * HOUR_US),
    drift_us=st.integers(-HOUR_US, HOUR_US),
    wish=st.sampled_from([None, "auto", "flex", "priority"]),
    given_tier=st.sampled_from([None, "flex", "priority", "default"]),
    batch=st.booleans(),
)
def test_no_cost_is_ever_above_its_bound(*, sheet, variants, times, usage, at_us, drift_us, wish, given_tier, batch):
    any_card = Card("t", "p", "m", sheet.base, sheet.tiers, variants, tuple(times), max_image_tokens=usage.image_in)
    images = 1 if usage.image_in else 0
    text_in = usage.total_in - usage.image_in
    service_tier = given_tier if wish in (None, "auto") else wish if given_tier == wish else None
    paid = cost(any_card, usage, at_us=at_us + drift_us, service_tier=service_tier, batch=batch)
    most = bound(
        any_card,
        input_tokens=text_in,
        output_tokens=usage.total_out,
        images=images,
        at_us=at_us,
        service_tier=wish,
        batch=batch,
    )
    assert paid is not None
    assert most is not None
    assert paid <= most
