"""Figures in words: points, numbers of samples, dollars."""

from __future__ import annotations

import pytest

from demitasse.lab.evals import words


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.0, "0 points"), (-0.03, "−3 points"), (0.01, "+1 point"), (-0.00021, "−0.02 points"), (0.1234, "+12.3 points")],
)
def test_a_difference_that_is_not_nothing_is_not_told_as_nothing(value: float, told: str) -> None:
    assert words.points(value) == told


@pytest.mark.parametrize(
    ("n", "told"), [(76, "About 76"), (120, "About 120"), (4_896, "About 4,900"), (12_001, "About 13,000")]
)
def test_numbers_of_samples_are_rounded_up_to_two_figures(n: int, told: str) -> None:
    assert words.about(n) == told


@pytest.mark.parametrize(("nanos", "told"), [(0, "$0"), (81_300, "$0.081"), (1_310_000, "$1.31"), (2.5e9, "$2,500.00")])
def test_dollars_of_a_thousand_calls(nanos: float, told: str) -> None:
    assert words.usd(nanos) == told


def test_ratios_names_and_amounts() -> None:
    assert (words.times(0.0625), words.times(1.2), words.times(0.0)) == ("1/16", "1.2 times as much", "free")
    assert words.middle_cut("abcdefghijk", 7) == "abc…ijk"
    assert (words.amount(1234.5, "latency"), words.amount(0.1234, "energy")) == ("1,234 ms", "0.123 Wh")
