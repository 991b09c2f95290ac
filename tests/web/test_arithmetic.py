"""A bill adds up to what was booked, or says that it does not and why."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from demitasse.core.call import BUCKETS, Usage
from demitasse.core.price import Card, Sheet, Tier, cost, rates
from demitasse.web.arithmetic import bill, compare

from .fakes import CARDS, LARGE, MODELS, NOW_US, entry

usages = st.builds(Usage, **dict.fromkeys(BUCKETS, st.integers(0, 10**6)))
CARD = Card(
    id="test 1 x",
    provider="x",
    model="x",
    base=rates(input=333, output=7_777, cache_read=33, per_request_nanos=5),
    tiers=(Tier(200_000, rates(input=666, output=9_999, cache_read=66)),),
    variants={"service_tier=flex": Sheet(rates(input=111, output=2_222))},
)


def attempt_of(card, usage, paid):
    return structs.replace(entry(card=card, usage=usage).attempts[0], cost_nanos=paid)


@given(usages)
def test_the_lines_of_every_bill_add_up_to_the_booked_nano(usage):
    found = bill(attempt_of(CARD, usage, cost(CARD, usage, at_us=NOW_US)), {CARD.id: CARD}.get)
    assert found.agrees
    assert (sum(line.pico for line in found.lines) + 500) // 1000 + found.per_request_nanos == found.cost_nanos
    assert sum(line.tokens for line in found.lines) == usage.total_in + usage.total_out


def test_a_tier_that_held_is_named():
    usage = Usage(uncached_in=300_000, text_out=10)
    assert (
        bill(attempt_of(CARD, usage, cost(CARD, usage, at_us=NOW_US)), {CARD.id: CARD}.get).rates
        == "standard, above 200,000 input tokens"
    )


def test_a_service_tier_is_found_by_the_sum_it_explains():
    usage = Usage(uncached_in=1_000, text_out=1_000)
    paid = cost(CARD, usage, at_us=NOW_US, service_tier="flex")
    found = bill(attempt_of(CARD, usage, paid), {CARD.id: CARD}.get)
    assert (found.rates, found.agrees) == ("service_tier=flex", True)


def test_a_cost_that_the_provider_reported_is_shown_beside_what_the_card_gives():
    found = bill(attempt_of(LARGE, Usage(uncached_in=1_000), 999), CARDS.get)
    assert (found.agrees, found.cost_nanos, found.sum_nanos) == (False, 999, 1_250_000)


def test_without_a_card_the_tokens_are_listed_and_nothing_is_claimed():
    found = bill(entry(card=None).attempts[0], CARDS.get)
    assert (found.cost_nanos, found.sum_nanos, found.agrees) == (None, None, None)
    assert [line.bucket for line in found.lines] == ["uncached_in", "cache_read", "text_out"]


def test_an_attempt_that_was_turned_down_costs_nothing():
    refused = structs.replace(entry().attempts[0], status="error", usage=None, cost_nanos=None, card=None)
    assert bill(refused, CARDS.get).cost_nanos == 0


def test_other_models_are_compared_without_the_cache_of_the_one_that_answered():
    found = compare(entry(usage=Usage(uncached_in=500, cache_read=500, text_out=100)), MODELS)
    assert [c.model for c in found] == ["smollm2-135m", "gpt-5-mini"]
    assert found[1].nanos == 1000 * 250 + 100 * 2000
    assert compare(entry(usage=None, cost_nanos=None), ()) == []
