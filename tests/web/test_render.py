"""How values look: money with the digits that tell something, unknown as such."""

from __future__ import annotations

import pytest

from demitasse.core.money import nanos
from demitasse.web import render


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1482.4", "$1,482"),
        ("562", "$562.00"),
        ("4.306", "$4.31"),
        ("0.9996", "$1.00"),
        ("0.21", "$0.21"),
        ("0.02", "$0.02"),
        ("0.0123", "$0.0123"),
        ("0.00252", "$0.00252"),
        ("0.000000007", "$0.000000007"),
        ("0", "$0.00"),
        ("-0.5", "-$0.50"),
        ("-1200", "-$1,200"),
    ],
)
def test_money_shows_the_digits_that_tell_something(amount, text):
    assert render.money(nanos(amount)) == text


def test_an_unknown_price_reads_unpriced():
    assert render.money(None) == render.exact(None) == render.per_mtok(None) == render.pico_exact(None) == "unpriced"


def test_rates_are_printed_as_vendors_print_them():
    assert [render.per_mtok(r) for r in (1_250_000, 10_000_000, 125_000, 1)] == [
        "$1.25",
        "$10.00",
        "$0.125",
        "$0.000001",
    ]


def test_pico_amounts_keep_what_nanos_would_round():
    assert render.pico_exact(1_500) == "$0.0000000015"
    assert render.pico_exact(4_200_000_000) == "$0.004200000"


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (0, "0 %"), (0.0001, "< 0.1 %"), (0.002, "0.2 %"), (0.46, "46 %"), (0.996, "99.6 %"), (1, "100 %")],
)
def test_shares_near_nothing_or_all_do_not_read_as_such(share, text):
    assert render.percent(share) == text


def test_energy_has_a_unit_that_fits():
    assert [render.energy(wh * 3_600_000_000) for wh in (38_000, 4)] == ["38 kWh", "4 Wh"]
    assert render.energy(1_116_000_000) == "310 mWh"
    assert render.energy(0) == "0 Wh"


def test_sizes_lengths_and_counts_are_short():
    assert [render.size(n) for n in (None, 12, 9_300_000, 3 << 40)] == ["–", "12 B", "8.9 MB", "3.0 TB"]
    assert [render.duration(s) for s in (None, 0.0028, 0.24, 3.66, 40, 3600 * 5, 86_400)] == [
        "–",
        "2.8 ms",
        "240 ms",
        "3.7 s",
        "40 s",
        "5 h",
        "1 d",
    ]
    assert [render.short(n) for n in (940, 12_345, 200_000, 4_100_000)] == ["940", "12.3 k", "200 k", "4.1 M"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`commercial`: no <b>", "<code>commercial</code>: no &lt;b&gt;"),
        ("a `<x>` b `y`", "a <code>&lt;x&gt;</code> b <code>y</code>"),
        ("one ` alone", "one ` alone"),
        ("a `b` and ` alone", "a <code>b</code> and ` alone"),
        ("", ""),
    ],
)
def test_what_stands_between_backticks_is_code_and_all_is_escaped(text, shown):
    assert str(render.coded(text)) == shown
