"""Intervals for counts agree with what is known of them."""

from __future__ import annotations

import pytest

from demitasse.stats.intervals import clopper_pearson, wilson


@pytest.mark.parametrize(("k", "n"), [(0, 20), (3, 200), (10, 200), (100, 200), (200, 200), (17, 10_000)])
def test_clopper_pearson_is_that_of_the_beta_quantiles(k: int, n: int) -> None:
    stats = pytest.importorskip("scipy.stats", reason="needs the extra lab")
    low, high = clopper_pearson(k, n)
    exact = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    assert low == pytest.approx(exact.low, abs=1e-9)
    assert high == pytest.approx(exact.high, abs=1e-9)


@pytest.mark.parametrize(("k", "n"), [(0, 20), (10, 200), (200, 200)])
def test_wilson_is_scipys(k: int, n: int) -> None:
    stats = pytest.importorskip("scipy.stats", reason="needs the extra lab")
    exact = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k, n) == pytest.approx((exact.low, exact.high))


def test_no_trials_know_nothing_and_no_count_is_refused() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 of 2"):
        clopper_pearson(3, 2)
