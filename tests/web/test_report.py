"""What a report says: sums that add up, unknowns that stay unknown, savings with interval and grade."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.core.evidence import OWN_KEY
from demitasse.core.ledger import Bucket
from demitasse.core.money import NANOS
from demitasse.web.promises import Promise
from demitasse.web.report import DAY_US, HOUR_US, build_report, month_end_us, month_start_us
from demitasse.web.savings import CAUSES

from .fakes import NOW_US, FakeBooks, bucket_of, full_books, hit, many_buckets

HOUR = NOW_US // HOUR_US
MONTH = month_start_us(NOW_US)


def month_of(*buckets, held=0):
    return build_report(FakeBooks(buckets=buckets, held=held), MONTH, NOW_US + HOUR_US, NOW_US)


def calls(hour=HOUR, **fields):
    return Bucket(
        hour=hour,
        **{"key": "a", "model": "m", "route": "r", "outcome": "answered", "cache": "miss", "requests": 1, **fields},
    )


def test_an_empty_month_is_all_zero_and_claims_nothing():
    report = month_of()
    assert (report.requests, report.paid_nanos, report.baseline_nanos, report.saved_nanos) == (0, 0, 0, 0)
    assert report.grade == "A"
    assert report.forecast is None
    assert report.saved_share is None
    assert report.quality.startswith("no saving that changes an answer is on")


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**12),
            st.dictionaries(st.sampled_from([c.field for c in CAUSES]), st.integers(-(10**9), 10**12)),
        ),
        max_size=8,
    )
)
def test_would_have_cost_is_paid_plus_saved_and_causes_add_up_to_the_nano(rows):
    report = month_of(*(calls(hour=HOUR - i, cost_nanos=paid, **saved) for i, (paid, saved) in enumerate(rows)))
    assert report.paid_nanos == sum(paid for paid, _ in rows)
    assert sum(s.nanos for s in report.savings) == report.saved_nanos
    assert report.baseline_nanos == report.paid_nanos + report.saved_nanos
    assert sum(s.low_nanos for s in report.savings) == report.saved_low_nanos <= report.saved_nanos
    assert report.saved_nanos <= report.saved_high_nanos


def test_calls_without_a_price_are_unpriced_never_free():
    report = month_of(calls(unpriced=1), calls(cache="exact", saved_exact_nanos=0))
    assert report.paid_nanos is None
    assert report.baseline_nanos is None
    assert report.as_json()["paid_usd"] is None
    assert report.unpriced == 1


def test_some_calls_without_a_price_leave_the_others_counted():
    report = month_of(calls(unpriced=1), calls(cost_nanos=7))
    assert (report.paid_nanos, report.unpriced, report.requests) == (7, 1, 2)


def test_a_booked_baseline_of_an_unpriced_call_is_not_taken_for_a_saving():
    report = month_of(calls(unpriced=1, baseline_nanos=900), calls(cost_nanos=10, baseline_nanos=10))
    assert (report.baseline_nanos, report.saved_nanos) == (10, 0)


def test_an_exact_cache_is_measured_and_its_interval_is_one_point():
    report = month_of(calls(cost_nanos=100, saved_exact_nanos=60, saved_coalesced_nanos=5))
    assert (report.grade, report.saved_low_nanos, report.saved_high_nanos) == ("A", 65, 65)
    assert [s.cause for s in report.savings[:2]] == ["exact_cache", "coalesced"]


def test_a_saving_without_evidence_is_modelled_and_may_be_nothing():
    report = month_of(calls(cost_nanos=100, saved_exact_nanos=60, saved_routed_nanos=40))
    assert (report.grade, report.saved_low_nanos, report.saved_high_nanos) == ("C", 60, 100)
    assert report.quality == "not bounded: smaller model without a certificate"


def test_json_has_the_promised_fields_and_every_cause():
    answer = build_report(full_books(), MONTH, NOW_US, NOW_US).as_json()
    assert {"requests", "paid_usd", "baseline_usd", "saved_usd", "saved_by_cause", "held_usd"} <= set(answer)
    assert set(answer["saved_by_cause"]) == {c.cause for c in CAUSES}
    assert sum(answer["saved_by_cause"].values()) == pytest.approx(answer["saved_usd"])
    assert answer["baseline_usd"] == pytest.approx(answer["paid_usd"] + answer["saved_usd"])
    assert answer["held_usd"] == 1.12


def test_outcomes_caches_and_errors_are_counted_in_calls():
    report = month_of(
        calls(requests=5),
        calls(outcome="failed", requests=2),
        calls(outcome="lost"),
        calls(outcome="refused", cache="off", requests=3),
    )
    assert report.outcomes == {"answered": 5, "refused": 3, "failed": 2, "lost": 1}
    assert report.caches == {"miss": 8, "off": 3}
    assert report.errors == 3


def test_energies_of_different_methods_are_never_added_up():
    report = month_of(
        calls(energy_modelled_low_uj=3, energy_modelled_high_uj=9, energy_measured_low_uj=4, energy_measured_high_uj=4)
    )
    assert [(e.method, e.low_uj, e.high_uj) for e in report.energy] == [("measured", 4, 4), ("modelled", 3, 9)]


def test_slices_by_key_model_and_day_add_up_to_the_whole():
    report = build_report(full_books(), MONTH, NOW_US, NOW_US)
    for slices in (report.by_key, report.by_model, report.by_route, report.by_day):
        assert sum(s.requests for s in slices) == report.requests
        assert sum(s.paid_nanos or 0 for s in slices) == report.paid_nanos
        assert sum(s.saved_nanos for s in slices) == report.saved_nanos


def test_a_short_stretch_is_told_by_the_hour_and_a_long_one_by_the_day():
    books = full_books()
    day = build_report(books, NOW_US // DAY_US * DAY_US, NOW_US, NOW_US)
    assert day.by_hour
    assert sum(s.requests for s in day.by_hour) == sum(s.requests for s in day.by_day) == day.requests
    assert not build_report(books, MONTH, NOW_US, NOW_US).by_hour


def test_reads_groups_of_few_dimensions_whatever_the_traffic():
    books = FakeBooks(buckets=many_buckets(20_000))
    report = build_report(books, MONTH, NOW_US, NOW_US)
    assert report.requests == 20_000 - sum(b.requests for b in books.base if b.hour * HOUR_US < MONTH)
    assert max(len(group) for group in books.asked) == 3
    assert len(books.asked) <= 6


def test_the_forecast_needs_five_whole_days():
    days = [calls(hour=HOUR - 24 * i, cost_nanos=NANOS) for i in range(5)]
    assert month_of(*days).forecast is None
    assert month_of(*days, calls(hour=HOUR - 120, cost_nanos=NANOS)).forecast is not None


def test_the_forecast_of_an_even_spender_is_that_rate_without_doubt():
    books = FakeBooks(buckets=[calls(hour=d * 24, cost_nanos=NANOS) for d in range(HOUR // 24 - 27, HOUR // 24)])
    forecast = build_report(books, MONTH, NOW_US, NOW_US).forecast
    rest_days = (month_end_us(NOW_US) - NOW_US) / DAY_US
    assert forecast.nanos == pytest.approx((20 + rest_days) * NANOS)
    assert forecast.plus_minus_nanos < NANOS / 1000


def test_an_uneven_spender_gets_an_interval():
    books = FakeBooks(
        buckets=[calls(hour=d * 24, cost_nanos=(d % 3) * NANOS) for d in range(HOUR // 24 - 27, HOUR // 24)]
    )
    assert build_report(books, MONTH, NOW_US, NOW_US).forecast.plus_minus_nanos > NANOS


def test_no_forecast_for_another_stretch_than_the_running_month():
    assert build_report(full_books(), MONTH - 30 * DAY_US, MONTH, NOW_US).forecast is None


def test_a_hit_saves_what_the_call_would_have_cost():
    entry = hit(NOW_US, id="c1")
    report = month_of(bucket_of(entry))
    assert report.paid_nanos == 0
    assert report.saved_nanos == report.baseline_nanos == entry.baseline_nanos > 0


def promise(route="r", state="promoted", quality=0.95, saving=0.4, low=0.3, high=0.5):
    return Promise("crt_1", route, state, quality, quality + 0.01, 0.05, saving, low, high, 300, 0, NOW_US + DAY_US)


def with_promises(*buckets, promises=()):
    return build_report(FakeBooks(buckets=buckets), MONTH, NOW_US + HOUR_US, NOW_US, promises=promises)


def test_a_smaller_models_saving_is_modelled_until_a_certificate_bounds_it():
    rows = [calls(cost_nanos=600, saved_routed_nanos=400)]
    (without,) = (s for s in with_promises(*rows).savings if s.nanos)
    assert (without.grade, without.low_nanos, without.high_nanos, without.bound) == ("C", 0, 400, "")
    report = with_promises(*rows, promises=[promise()])
    (bounded,) = (s for s in report.savings if s.nanos)
    assert (bounded.grade, bounded.low_nanos, bounded.high_nanos, bounded.bound) == ("B", 300, 500, "≥ 95.0 %")
    assert report.quality == "at least 95.0 % of the reference on route 'r', 95 % confidence"
    assert report.floor == 0.95 and not report.unbounded


def test_one_route_without_a_certificate_leaves_the_cause_modelled():
    rows = [calls(saved_routed_nanos=400), calls(route="other", saved_routed_nanos=10)]
    report = with_promises(*rows, promises=[promise()])
    assert report.grade == "C" and report.unbounded == ("smaller model",)
    assert "not bounded: smaller model" in report.quality


def test_what_was_saved_under_a_certificate_stays_bounded_after_its_end_but_promises_nothing_now():
    report = with_promises(calls(saved_routed_nanos=400), promises=[promise(state="revoked")])
    assert report.grade == "B" and report.floor is None and report.bounded == ()


def test_our_own_calls_are_paid_and_netted_and_no_requests():
    own = calls(key=OWN_KEY, cost_nanos=30, saved_routed_nanos=-30, requests=3)
    report = with_promises(calls(cost_nanos=600, saved_routed_nanos=400), own, promises=[promise()])
    assert (report.requests, report.own_nanos, report.paid_nanos) == (1, 30, 630)
    assert report.saved_nanos == 370 and report.baseline_nanos == 1_000
    assert {s.name for s in report.by_key} == {"a", OWN_KEY}
    assert report.outcomes == {"answered": 1}


def test_what_only_cost_something_has_changed_no_answer():
    own = calls(key=OWN_KEY, cost_nanos=30, saved_routed_nanos=-30)
    assert with_promises(calls(cost_nanos=600), own).quality.startswith("no saving that changes an answer is on")
