"""A whole plan: who wins, where that changes, what it says in words, and what it refuses."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from msgspec.structs import replace

from demitasse.core.hardware import Interval
from demitasse.core.ledger import Bucket
from demitasse.core.price import Card, rates
from demitasse.lab.planning import asked, costs
from demitasse.lab.planning.facts import Fact, PlanError, defaults, parse_range, parse_set
from demitasse.lab.planning.options import hosted_option, machine_option, split
from demitasse.lab.planning.plan import make_plan, ranges_of
from demitasse.lab.planning.profile import Profile, from_buckets
from demitasse.lab.planning.svg import apart, picture
from demitasse.lab.planning.words import recommendation
from tests.lab.planning.planned import FACTS, TODAY, hosted, point, traffic, usual

SLOW_FACTS = FACTS.put({"gpu.h100.usd_per_hour": point(3), "ops.rented.usd_per_month": point(100)}, TODAY)


def test_hosted_wins_a_small_traffic_and_machines_a_large_one() -> None:
    assert make_plan(traffic(500), usual(), FACTS, today=TODAY).lines[0].option.kind == "hosted"
    assert make_plan(traffic(20_000_000), usual(), FACTS, today=TODAY).lines[0].option.kind == "own"


def test_the_break_even_is_where_the_costs_are_equal() -> None:
    options = [hosted(), machine_option("rented:h100/gpt-oss-20b", SLOW_FACTS)]
    found = make_plan(traffic(), options, SLOW_FACTS, today=TODAY)
    (cross,) = found.break_evens
    assert (cross.cheaper_below, cross.cheaper_above) == ("hosted:p/m", "rented:h100/gpt-oss-20b")
    assert cross.low is not None
    assert cross.middle is not None
    assert cross.low <= cross.middle
    x = costs.middle(ranges_of(traffic(cross.middle), SLOW_FACTS, [row.name for row in found.facts]))
    one, other = (costs.at(option, x).full for option in options)
    assert one == pytest.approx(other, rel=0.02)


def test_the_threshold_of_an_input_is_where_the_winner_changes() -> None:
    found = make_plan(traffic(150_000), usual(), FACTS, today=TODAY)
    turning = [s for s in found.tornado if s.threshold is not None]
    assert turning
    x = costs.middle(ranges_of(found.profile, FACTS, [row.name for row in found.facts]))
    for swing in turning:
        assert swing.threshold is not None
        beyond = 1.001 if swing.threshold > x[swing.name] else 0.999
        moved = x | {swing.name: swing.threshold * beyond}
        assert min(usual(), key=lambda o: costs.at(o, moved).full).name == swing.then != found.lines[0].option.name


def test_a_plan_is_the_same_for_the_same_seed() -> None:
    one, two = (make_plan(traffic(), usual(), FACTS, today=TODAY, seed=11) for _ in range(2))
    assert one == two


def test_overlapping_ranges_are_told_with_what_they_depend_on() -> None:
    told = recommendation(make_plan(traffic(100_000), usual(), FACTS, today=TODAY))
    assert "overlap" in told
    assert "depends on" in told


def test_a_clear_winner_is_told_with_what_it_would_take() -> None:
    told = recommendation(make_plan(traffic(20_000), [hosted(), usual()[1]], FACTS, today=TODAY))
    assert "Nothing within the ranges changes that. It would take" in told
    assert "overlap" not in told


def test_an_option_below_the_quality_is_left_out_and_one_unmeasured_is_called_so() -> None:
    poor = replace(hosted(), quality=0.7, quality_interval=Interval(0.65, 0.75))
    found = make_plan(traffic(500), [poor, usual()[1]], FACTS, today=TODAY, quality=0.9)
    assert [line.meets for line in found.lines] == [None, False]
    told = recommendation(found)
    assert "isn't measured" in told
    assert "left out: hosted:p/m" in told


def test_a_score_whose_interval_holds_the_quality_decides_nothing() -> None:
    near = replace(hosted(), quality=0.9, quality_interval=Interval(0.87, 0.93))
    found = make_plan(traffic(500), [near], FACTS, today=TODAY, quality=0.9)
    assert found.lines[0].meets is None
    assert "isn't decided by its evaluation" in recommendation(found)


def test_where_all_are_below_the_quality_nothing_is_advised() -> None:
    poor = replace(hosted(), quality=0.5)
    assert "No option reaches" in recommendation(make_plan(traffic(), [poor], FACTS, today=TODAY, quality=0.9))


def test_rows_older_than_180_days_are_named_and_what_the_user_set_is_not() -> None:
    later = TODAY + dt.timedelta(days=400)
    old = make_plan(traffic(), usual(), FACTS, today=later)
    assert "gpu.h100.usd_per_hour" in old.stale
    assert "older than 180 days" in recommendation(old)
    mine = FACTS.put({"gpu.h100.usd_per_hour": point(2)}, later)
    assert "gpu.h100.usd_per_hour" not in make_plan(traffic(), usual(), mine, today=later).stale


def test_every_row_has_a_source_and_a_date_and_its_range_the_right_way_up() -> None:
    for row in defaults().rows.values():
        assert len(row.source) > 5, row.name
        assert dt.date(2024, 1, 1) < row.date <= TODAY
        assert row.low <= row.high
        assert row.url or row.method == "estimate", row.name
    assert all(split(name) for name in defaults().compared)


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        (traffic(0), "calls-per-day: 0 is not possible"),
        (traffic(-5), "calls-per-day: -5"),
        (traffic(1e15), "calls-per-day: 1e"),
        (traffic(into=0), "tokens-in: 0"),
        (traffic(out=5e7), "tokens-out"),
        (traffic(peak=0.5), "peak: 0.5"),
        (traffic(calls=float("nan")), "calls-per-day: nan"),
        (replace(traffic(), cached=point(1.2)), "cached: 1.2"),
        (replace(traffic(), answered=point(1)), "answered: 1"),
    ],
)
def test_a_traffic_that_cannot_be_is_refused(profile, told) -> None:
    with pytest.raises(PlanError, match=re.escape(told)):
        make_plan(profile, usual(), FACTS, today=TODAY)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gpu.h100.usd_per_hour=-1", "negative"),
        ("gpu.h100.usd_per_hour=0", "0 would be free"),
        ("gpu.h100.usd_per_hour=9..2", "upside down"),
        ("gpu.h100.usd_per_hour=two", "no number"),
        ("gpu.h100.usd_per_hour", "NAME=VALUE"),
        ("gpu.h100.usd_per_hor=2", "did you mean 'gpu.h100.usd_per_hour'"),
        ("gpu.h100.usd_per_hour=1e20", "beyond anything"),
        ("power.pue=0.9", "below 1"),
        ("plan.max_load=1.5", "above 1"),
        ("gpu.h100.usd_per_hour=inf", "not finite"),
    ],
)
def test_a_figure_that_cannot_be_is_refused(text, told) -> None:
    with pytest.raises(PlanError, match=re.escape(told)):
        FACTS.put(dict([parse_set(text)]), TODAY)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("rented:h200/gpt-oss-20b", "did you mean 'h100'"),
        ("rented:h100/gpt-oss-20", "did you mean 'gpt-oss-20b'"),
        ("rentd:h100/gpt-oss-20b", "did you mean 'rented'"),
        ("h100", "is no option"),
        ("rented:mac-mini-m4/qwen3.5-9b", "not for rent"),
    ],
)
def test_an_unknown_option_gets_the_nearest_name(name, told) -> None:
    with pytest.raises(PlanError, match=re.escape(told)):
        machine_option(name, FACTS)


def test_a_file_says_what_flags_say_and_its_slips_are_named() -> None:
    found = asked.read('quality = 0.9\n[traffic]\ncalls_per_day = "3..8"\n[set]\n"power.pue" = 1.2\n', "my.toml")
    assert found.traffic == {"calls_per_day": Interval(3, 8)}
    assert found.figures == {"power.pue": point(1.2)}
    with pytest.raises(PlanError, match=r"my.toml, \[traffic\]: no 'calls'"):
        asked.read("[traffic]\ncalls = 3\n", "my.toml")
    with pytest.raises(PlanError, match=r"my.toml, row 1"):
        asked.read('[[row]]\nname = "gpu.x.usd_per_hour"\n', "my.toml")


def test_hardware_of_ones_own_can_be_brought() -> None:
    new = {
        "gpu.x.usd_per_hour": 1.0,
        "gpu.x.watts_idle": 9.0,
        "gpu.x.watts_busy": 90.0,
        "speed.x.m.input_per_s": 1e3,
        "speed.x.m.output_per_s": 1e2,
    }
    rows = [Fact(n, v, v, "", TODAY, "measured", "ours") for n, v in new.items()]
    assert machine_option("rented:x/m", FACTS.with_rows(rows)).hardware == "x"


def test_a_traffic_from_the_books_has_its_peak_its_caches_and_its_means() -> None:
    hours = [
        Bucket(hour=0, cache="none", requests=30, attempts=30, uncached_in=21_000, cache_read=9_000, text_out=3_000),
        Bucket(hour=5, cache="exact", requests=10),
        Bucket(hour=9, cache="none", requests=60, attempts=60, uncached_in=42_000, cache_read=18_000, text_out=6_000),
    ]
    found = from_buckets(hours, span_hours=24, source="the ledger")
    assert found.calls_per_day == point(100)
    assert found.tokens_in == point(1000)
    assert found.tokens_out == point(100)
    assert found.cached.low == pytest.approx(0.3)
    assert found.answered.low == pytest.approx(0.1)
    assert found.peak.low == pytest.approx(60 * 24 / 100)
    with pytest.raises(PlanError, match="no call reached a model"):
        from_buckets([], span_hours=24, source="the ledger")


def test_the_picture_is_well_formed_and_its_names_stand_apart() -> None:
    found = make_plan(traffic(), usual(), FACTS, today=TODAY)
    text = picture(found, ranges_of(found.profile, FACTS, [row.name for row in found.facts]))
    root = ET.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    ends = {line.option.name for line in found.lines}
    heights = sorted(float(t.get("y", 0)) for t in root.iter(f"{space}text") if t.text in ends)
    assert len(heights) == len(ends)
    assert all(b - a >= 35 for a, b in itertools.pairwise(heights))
    assert "prefers-color-scheme:dark" in text


def test_names_are_moved_apart_within_the_frame() -> None:
    found = apart([100.0, 101.0, 102.0, 400.0], 80, 410, 36)
    assert sorted(found) == found
    assert all(b - a >= 36 - 1e-9 for a, b in itertools.pairwise(found))
    assert min(found) >= 80
    assert max(found) <= 410


def test_numbers_and_ranges_are_read_as_people_write_them() -> None:
    assert parse_range("50_000") == point(50_000)
    assert parse_range("1.8..2.4") == Interval(1.8, 2.4)


def test_an_option_with_too_few_machines_is_left_out_and_that_is_said() -> None:
    most = Fact("box.mac-mini-m4.most_units", 8, 8, "boxes", TODAY, "measured", "what we have")
    facts = FACTS.with_rows([most])
    few, other = machine_option("edge:mac-mini-m4/qwen3.5-9b", facts), hosted()
    found = make_plan(traffic(500_000), [few, other], facts, today=TODAY)
    assert [line.fits for line in found.lines] == [True, False]
    assert "Too small for the busiest hour, and left out: edge:mac-mini-m4/qwen3.5-9b" in recommendation(found)
    assert "Nothing is left" in recommendation(make_plan(traffic(500_000), [few], facts, today=TODAY))
    assert make_plan(traffic(100), [few, other], facts, today=TODAY).lines[1].fits


def test_a_picture_of_many_options_draws_as_many_as_can_be_told_apart() -> None:
    many = [hosted(f"hosted:p/m{n}") for n in range(12)]
    found = make_plan(traffic(), many, FACTS, today=TODAY)
    text = picture(found, ranges_of(found.profile, FACTS, [row.name for row in found.facts]))
    assert text.count("<polyline") == 8
    assert "4 dearer options are in the table alone" in text
    with pytest.raises(PlanError, match="more than a reader can hold"):
        make_plan(traffic(), [*many, hosted("hosted:p/x")], FACTS, today=TODAY)


def test_a_model_without_a_price_of_its_answers_is_refused_and_never_free() -> None:
    embedding = Card(id="e", provider="p", model="m", base=rates(input=20_000))
    with pytest.raises(PlanError, match="have no price"):
        hosted_option("hosted:p/m", embedding)
    with pytest.raises(PlanError, match="knows no price"):
        hosted_option("hosted:p/m", None)


def test_the_file_of_the_page_can_be_read_and_planned() -> None:
    page = (Path(__file__).parents[3] / "docs/plan.md").read_text(encoding="utf-8")
    found = asked.read(page.partition("```toml\n")[2].partition("```")[0], "the page")
    facts = FACTS.with_rows(found.rows.rows.values()).put(found.figures, TODAY)
    options = [hosted(found.options[0]), machine_option(found.options[1], facts)]
    plan = make_plan(Profile(**found.traffic), options, facts, today=TODAY, quality=found.quality)
    assert {line.option.name for line in plan.lines} == set(found.options)
    assert plan.lines[0].costed.full_nanos[0] < plan.lines[0].costed.full_nanos[2]
