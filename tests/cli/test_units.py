"""How people write amounts and times."""

from __future__ import annotations

import click
import pytest

from demitasse.cli.units import day_text, duration_us, limit, moment_us, pairs

NOW_US = 1_795_262_591_000_000


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("5/day", (5_000_000_000, "day")),
        ("$5/day", (5_000_000_000, "day")),
        ("0.000000001/month", (1, "month")),
        ("100", (100_000_000_000, "ever")),
        ("none", (None, "day")),
        ("none/month", (None, "month")),
        ("0/day", (0, "day")),
    ],
)
def test_a_limit_reads_as_it_is_said(text, meant):
    assert limit(text) == meant


@pytest.mark.parametrize("text", ["", "five/day", "5/week", "-1/day", "nan/day", "inf", "1e400", "5/day/day"])
def test_what_is_no_limit_is_refused_with_an_example(text):
    with pytest.raises(click.BadParameter, match="5/day"):
        limit(text)


def test_times_are_dates_or_how_long_ago():
    assert day_text(moment_us("2026-11-01", NOW_US)) == "2026-11-01"
    assert moment_us("7d", NOW_US) == NOW_US - 7 * 86_400_000_000
    assert moment_us("2026-11-01T02:00+02:00", NOW_US) == moment_us("2026-11-01", NOW_US)
    assert duration_us("90s") == 90_000_000


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "7 days", "7y"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(click.BadParameter, match="write a date"):
        moment_us(text, NOW_US)


def test_tags_are_pairs():
    assert pairs(("team=search", "feature=a=b")) == (("team", "search"), ("feature", "a=b"))
    with pytest.raises(click.BadParameter, match="name=value"):
        pairs(("team",))
