from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.core.call import Energy, Usage
from demitasse.core.hardware import (
    Hardware,
    Interval,
    Throughput,
    carbon_mg,
    card,
    counted_uj,
    hardware,
    measured,
    modelled,
    token_prices,
    usd_per_hour,
)
from demitasse.core.price import cost

EXACT = hardware(
    capex_usd=8766, cores=4, life_years=1, utilisation=0.5, watts_idle=100, watts_per_busy_core=10, pue=1.5,
    usd_per_kwh=0.2, ops_usd_per_year=0, carbon_g_per_kwh=400,
)  # fmt: skip
SPEED = Throughput(input_per_s=200, output_per_s=50, threads=1, source="test")


def test_a_full_hour_is_the_machines_share_and_all_its_electricity_over_the_hours_it_works():
    hour = usd_per_hour(EXACT, "full", threads=2)
    # half the machine: 1 USD an hour / 0.5 used x 1/2, and (20 W busy + 100 W idle x 1/2 / 0.5) x 1.5 x 0.2 USD
    assert hour.low == pytest.approx(hour.high) == pytest.approx(1.0 + 0.120 * 1.5 * 0.2)


def test_a_marginal_hour_is_the_busy_cores_electricity_alone():
    assert usd_per_hour(EXACT, "marginal", threads=2).high == pytest.approx(0.020 * 1.5 * 0.2)


def test_utilisation_alone_moves_the_price_sixteenfold():
    busy = usd_per_hour(hardware(watts_idle=0, watts_per_busy_core=0), "full", threads=8, utilisation=0.8)
    idle = usd_per_hour(hardware(watts_idle=0, watts_per_busy_core=0), "full", threads=8, utilisation=0.05)
    assert idle.low / busy.low == pytest.approx(16)


def test_own_figures_are_points_and_named_in_the_cards_id():
    own = hardware(usd_per_kwh=0.3, capex_usd=None)
    assert own.usd_per_kwh == Interval(0.3, 0.3)
    assert own.capex_usd == Hardware().capex_usd
    assert token_prices(own, SPEED).id == "hardware 2026-11-21 with own usd_per_kwh full, test"
    with pytest.raises(TypeError):
        hardware(usd_per_kwhh=0.3)


def test_more_threads_than_cores_cost_no_more_than_the_machine():
    m = hardware(watts_per_busy_core=0, cores=4)
    assert usd_per_hour(m, "full", threads=4) == usd_per_hour(m, "full", threads=64)


@given(
    threads=st.integers(1, 64),
    input_per_s=st.floats(1, 1e5),
    output_per_s=st.floats(1, 1e4),
    scope=st.sampled_from(["marginal", "full"]),
)
def test_the_booked_price_lies_within_its_range_and_marginal_below_full(threads, input_per_s, output_per_s, scope):
    speed = Throughput(input_per_s, output_per_s, threads, "x")
    prices = token_prices(Hardware(), speed, scope)
    assert prices.input_range[0] <= prices.input_pico <= prices.input_range[1]
    assert prices.output_range[0] <= prices.output_pico <= prices.output_range[1]
    assert (
        token_prices(Hardware(), speed, "marginal").output_pico <= token_prices(Hardware(), speed, "full").output_pico
    )


def test_the_card_prices_a_call_and_counts_reused_tokens_as_free():
    prices = token_prices(EXACT, SPEED)
    local = card(prices, model="small", context=8192)
    assert (local.id, local.max_input) == (prices.id, 8192)
    plain, reused = Usage(uncached_in=1000, text_out=100), Usage(cache_read=1000, text_out=100)
    assert cost(local, plain, at_us=0) == pytest.approx(
        (1000 * prices.input_pico + 100 * prices.output_pico) / 1000, abs=1
    )
    assert cost(local, reused, at_us=0) == pytest.approx(100 * prices.output_pico / 1000, abs=1)


def test_modelled_energy_is_cpu_seconds_times_watts_times_overhead():
    energy = modelled(hardware(watts_per_busy_core=10, pue=1.5), Interval(1.0, 2.0))
    assert energy == Energy(low_uj=15_000_000, high_uj=30_000_000, method="modelled")


def test_measured_energy_is_a_share_of_what_the_processor_counted():
    assert measured(1000, Interval(1, 2), 4) == Energy(low_uj=250, high_uj=500, method="measured")
    assert measured(1000, Interval(1, 9), 4).high_uj == 1000
    assert measured(1000, Interval(0, 0), 0) == Energy(low_uj=1000, high_uj=1000, method="measured")


def test_counters_may_wrap_once():
    assert counted_uj({"a": (90, 100), "b": (5, 100)}, {"a": (10, 100), "b": (7, 100)}) == 22
    assert counted_uj({"gone": (90, 100)}, {}) == 0


def test_carbon_follows_from_intensity():
    kwh = 3_600_000_000_000
    assert carbon_mg(EXACT, Energy(low_uj=kwh, high_uj=2 * kwh, method="measured")) == (400_000, 800_000)
