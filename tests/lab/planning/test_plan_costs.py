"""What options cost: against the formulas of the books, within their bounds, and with the right machines for the peak."""

from __future__ import annotations

import math
import random

import pytest
from msgspec.structs import replace

from demitasse.core.hardware import Hardware, Interval, usd_per_hour
from demitasse.lab.planning import costs
from demitasse.lab.planning.break_even import draws
from demitasse.lab.planning.options import machine_option
from demitasse.lab.planning.plan import make_plan, ranges_of
from demitasse.lab.planning.staffing import machines, slower, wait_quantile_s, waiting
from tests.lab.planning.planned import FACTS, TODAY, hosted, point, traffic, usual


def ranges(profile=None, options=None):
    names = sorted({n for o in options or usual() for n in o.inputs})
    return ranges_of(profile or traffic(), FACTS, names)


@pytest.mark.parametrize("option", usual(), ids=lambda o: o.name)
def test_no_world_within_the_ranges_costs_more_or_less_than_the_bounds(option) -> None:
    wide = replace(
        traffic(), calls_per_day=Interval(10_000, 90_000), cached=Interval(0, 0.5), tokens_out=Interval(100, 300)
    )
    within = ranges(wide)
    found = costs.spans(option, within)
    for world in draws(within, 300, seed=3)[1:]:
        at = costs.at(option, world)
        for metric in ("marginal", "full", "units", "all_kwh"):
            value = getattr(at, metric)
            if value is not None:
                assert found[metric].low - 1 <= value <= found[metric].high + 1, (metric, world)


def test_an_input_that_occurs_twice_does_not_widen_the_range_twice() -> None:
    """Speed makes machines fewer *and* their work shorter: the bounds are reached, so no wider than they must be."""
    option = machine_option("own:h100/gpt-oss-20b", FACTS)
    within = ranges(traffic(5_000_000))
    found = costs.spans(option, within)["full"]
    kind = {n: r.high if n.endswith(("_per_s", "life_years")) else r.low for n, r in within.items()}
    assert costs.at(option, kind).full == found.low


def test_a_hosted_call_costs_what_its_card_says_cached_tokens_at_their_rate() -> None:
    x = costs.middle(ranges(replace(traffic(1000, 800, 200), cached=point(0.5))))
    at = costs.at(hosted(), x)
    each = (400 * 250_000 + 400 * 25_000 + 200 * 2_000_000) / 1000
    assert at.full == at.marginal == round(each * 1000 * 30.4375)


def test_an_own_machine_costs_what_the_formula_of_the_books_says() -> None:
    option = machine_option("own:h100/gpt-oss-20b", FACTS)
    x = costs.middle(ranges())
    at = costs.at(option, x)
    unit = Hardware(
        capex_usd=point(x["gpu.h100.capex_usd"]),
        cores=point(1),
        life_years=point(x["gpu.h100.life_years"]),
        watts_idle=point(x["gpu.h100.watts_idle"]),
        watts_per_busy_core=point(x["gpu.h100.watts_busy"]),
        pue=point(x["power.pue"]),
        usd_per_kwh=point(x["power.usd_per_kwh"]),
        ops_usd_per_year=point(0),
    )
    busy_h = at.utilisation * at.units * 730.5
    full = usd_per_hour(unit, "full", threads=1, utilisation=at.utilisation).low * busy_h + x["ops.own.usd_per_month"]
    assert at.full == pytest.approx(full * 1e9)
    assert at.marginal == pytest.approx(usd_per_hour(unit, "marginal", threads=1).low * busy_h * 1e9)


def test_a_rented_machine_is_paid_around_the_clock_and_marginally_by_its_busy_hours() -> None:
    x = costs.middle(ranges())
    at = costs.at(machine_option("rented:h100/gpt-oss-20b", FACTS), x)
    rent = x["gpu.h100.usd_per_hour"]
    assert at.full == pytest.approx((rent * 730.5 * at.units + x["ops.rented.usd_per_month"]) * 1e9)
    assert at.marginal == pytest.approx(rent * 730.5 * at.units * at.utilisation * 1e9)


def test_a_model_that_needs_two_gpus_is_staffed_in_pairs() -> None:
    option = machine_option("own:h100/llama-3.3-70b", FACTS)
    at = costs.at(option, costs.middle(ranges(options=[option])))
    assert at.units >= 2
    assert at.units % 2 == 0


def test_calls_that_the_gateways_cache_answers_reach_no_model() -> None:
    half = replace(traffic(), answered=point(0.5))
    for option in usual():
        all_of_them, some = (costs.spans(option, ranges(p))["marginal"].middle for p in (traffic(), half))
        assert some == pytest.approx(all_of_them / 2, rel=1e-6)


def test_energy_of_two_methods_is_tagged_and_never_the_same_kind_of_figure() -> None:
    named = hosted(kwh_per_token_out=Interval(1e-7, 5e-7))
    found = make_plan(traffic(), [named, *usual()[1:]], FACTS, today=TODAY)
    tags = {line.option.kind: line.costed.energy_method for line in found.lines}
    assert tags == {"hosted": "vendor", "rented": "modelled", "own": "modelled", "edge": "modelled"}
    assert make_plan(traffic(), [hosted()], FACTS, today=TODAY).lines[0].costed.energy_method == "unknown"


def test_carbon_is_energy_times_intensity() -> None:
    found = make_plan(traffic(), usual()[1:2], FACTS, today=TODAY).lines[0].costed
    assert found.carbon_kg is not None
    assert found.all_kwh is not None
    carbon = FACTS["power.carbon_g_per_kwh"].range
    assert found.carbon_kg.low == pytest.approx(found.all_kwh.low * carbon.low / 1000, rel=1e-6)
    assert found.carbon_kg.high == pytest.approx(found.all_kwh.high * carbon.high / 1000, rel=1e-6)


def test_erlang_c_has_the_textbooks_value() -> None:
    assert waiting(0.5, 1) == pytest.approx(0.5)  # M/M/1: the load
    assert waiting(1.0, 2) == pytest.approx(1 / 3)
    assert waiting(8.0, 10) == pytest.approx(0.4092, abs=5e-5)


def test_as_many_machines_as_keep_the_wait_and_not_one_more() -> None:
    for offered in (0.01, 0.3, 2.5, 17.0, 59.0):
        count = machines(offered, 3.0, wait_s=1.0, max_load=0.95)
        assert slower(1.0, offered, 3.0, count) <= 0.05
        assert count == math.ceil(offered / 0.95) or slower(1.0, offered, 3.0, count - 1) > 0.05
    assert machines(800.0, 3.0, wait_s=1.0, max_load=0.8) == 1000


def test_the_wait_is_that_of_a_simulated_queue() -> None:
    chance, offered, service_s, count = random.Random(5), 3.2, 2.0, 4
    free, now, waits = [0.0] * count, 0.0, []
    for _ in range(60_000):
        now += chance.expovariate(offered / service_s)
        first = min(range(count), key=free.__getitem__)
        start = max(now, free[first])
        waits.append(start - now)
        free[first] = start + chance.expovariate(1 / service_s)
    waits.sort()
    assert sum(w > 1 for w in waits) / len(waits) == pytest.approx(slower(1.0, offered, service_s, count), abs=0.03)
    assert waits[int(0.95 * len(waits))] == pytest.approx(wait_quantile_s(0.95, offered, service_s, count), rel=0.12)
