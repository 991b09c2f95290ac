"""Charts are plain values: what is drawn is what the report says, and every day has its column."""

from __future__ import annotations

import json
import re

import pytest

from demitasse.core.ledger import Bucket
from demitasse.web import assets, charts
from demitasse.web.report import DAY_US, HOUR_US, build_report, month_start_us

from .fakes import NOW_US, FakeBooks, full_books

MONTH = month_start_us(NOW_US)
HOUR = NOW_US // HOUR_US


def drawn(books, since=MONTH):
    slices, hourly = charts.without_gaps(build_report(books, since, NOW_US, NOW_US))
    return slices, charts.cost_over_time(slices, hourly=hourly)


def test_columns_add_up_to_what_would_have_been_paid():
    books = full_books()
    report = build_report(books, MONTH, NOW_US, NOW_US)
    _, option = drawn(books)
    total = sum(sum(series["data"]) for series in option["series"])
    assert total == pytest.approx(report.baseline_nanos / 1e9)


def test_a_day_without_calls_is_an_empty_column():
    quiet = [Bucket(hour=HOUR - 24 * d, requests=1, cost_nanos=10**9) for d in (0, 3)]
    slices, option = drawn(FakeBooks(buckets=quiet))
    assert [s.requests for s in slices] == [0, 0, 1, 0, 0, 1]
    assert option["xAxis"]["data"] == ["16 Nov", "17 Nov", "18 Nov", "19 Nov", "20 Nov", "21 Nov"]


def test_the_future_has_no_columns():
    slices, _ = drawn(full_books())
    assert max(s.at_us for s in slices) <= NOW_US


def test_a_day_is_drawn_by_its_hours():
    _, option = drawn(full_books(), NOW_US // DAY_US * DAY_US)
    assert option["xAxis"]["data"][-1] == "12:00"


def test_options_are_json_and_name_only_colours_and_formats_that_exist():
    style, script = (assets.STATIC / "app.css").read_text(), (assets.STATIC / "app.js").read_text()
    slices, hourly = charts.without_gaps(build_report(full_books(), MONTH, NOW_US, NOW_US))
    for option in (charts.cost_over_time(slices, hourly=hourly), charts.calls_over_time(slices, hourly=hourly)):
        text = json.dumps(option)
        for colour in re.findall(r"var\((--[a-z]+)\)", text):
            assert f"{colour}:" in style
        for name in re.findall(r'"(@[a-z]+)"', text):
            assert name in charts.FORMATS
            assert f'"{name}"' in script
