"""The verdict on pairs: what it says, what it needs, and that it never says more than the interval."""

from __future__ import annotations

import numpy as np
import pytest

from demitasse.stats.multiple import holm
from demitasse.stats.paired import McNemar, Table, mcnemar, paired, table, verdict
from demitasse.stats.quantiles import Quantile, quantile


def ruled(candidate: list[float], reference: list[float], margin: float, clusters: list[str] | None = None) -> str:
    p = paired(candidate, reference, clusters, margin=margin)
    return verdict(p.p_non_inferior, p.p_superior, p.p_inferior, alpha=0.05)


def test_sixty_equal_answers_prove_no_margin_of_two_points() -> None:
    assert ruled([1.0] * 60, [1.0] * 60, 0.02) == "inconclusive"
    assert ruled([1.0] * 60, [1.0] * 60, 0.07) == "non-inferior"


def test_each_verdict_is_reached() -> None:
    n = 400
    up, down = [1.0] * n, [1.0] * (n - 60) + [0.0] * 60
    assert ruled(up, down, 0.02) == "superior"
    assert ruled(down, up, 0.02) == "inferior"
    assert ruled(down, up, 0.3) == "non-inferior"
    assert ruled(down[-80:], up[-80:], 0.75) == "inconclusive"


def test_the_verdict_is_what_the_interval_shows() -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        c, r = rng.random(50) < rng.random(), rng.random(50) < rng.random()
        p = paired(c, r, margin=0.1)
        shown = (
            "superior" if p.interval[0] > 0
            else "non-inferior" if p.interval[0] > -0.1
            else "inferior" if p.interval[1] < -0.1
            else "inconclusive"
        )  # fmt: skip
        near = min(abs(p.interval[0]), abs(p.interval[0] + 0.1), abs(p.interval[1] + 0.1)) < 0.002
        assert near or verdict(p.p_non_inferior, p.p_superior, p.p_inferior, alpha=0.05) == shown


def test_unknown_scores_are_taken_for_what_speaks_against_the_verdict() -> None:
    nan = float("nan")
    assert ruled([1.0] * 100, [1.0] * 100, 0.05) == "non-inferior"
    assert ruled([1.0] * 90 + [nan] * 10, [1.0] * 100, 0.05) == "inconclusive"
    assert ruled([1.0] * 90 + [0.0] * 10, [1.0] * 90 + [nan] * 10, 0.05) == "inconclusive"
    assert ruled([0.0] * 12 + [1.0] * 78 + [nan] * 10, [1.0] * 100, 0.02) == "inferior"
    assert ruled([nan] * 20, [1.0] * 20, 0.02) == "inconclusive"


def test_clusters_count_once() -> None:
    c, r = [1.0, 0.0] * 10, [0.0, 0.0] * 10
    alone = paired(c * 10, r * 10, margin=0.0)
    together = paired(c * 10, r * 10, [f"c{i}" for i in range(20)] * 10, margin=0.0)
    assert together.clusters == 20 and together.n == alone.n == 200
    assert together.interval[0] < alone.interval[0] - 0.1


def test_mcnemar_is_the_exact_binomial_of_discordant_samples() -> None:
    stats = pytest.importorskip("scipy.stats", reason="needs the extra lab")
    found = mcnemar(Table(50, 3, 11, 6))
    assert found.p == pytest.approx(stats.binomtest(3, 14).pvalue)
    assert found.p_superior == pytest.approx(stats.binomtest(3, 14, alternative="greater").pvalue)
    assert found.p_inferior == pytest.approx(stats.binomtest(3, 14, alternative="less").pvalue)
    assert found.mid_p == pytest.approx(found.p - stats.binom.pmf(3, 14, 0.5))
    large = mcnemar(Table(0, 600, 700, 0))
    assert large.p == pytest.approx(stats.binomtest(600, 1300).pvalue)
    assert mcnemar(Table(10, 0, 0, 10)) == McNemar(1.0, 1.0, 1.0, 1.0)


def test_the_table_counts_only_right_and_wrong() -> None:
    found = table([1, 1, 0, 0, 0.5], [1, 0, 1, 0, 1])
    assert found == Table(1, 1, 1, 1)
    assert found.discordance == 0.5


def test_holm_is_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_a_quantile_is_bounded_by_order_statistics_where_there_are_enough() -> None:
    stats = pytest.importorskip("scipy.stats", reason="needs the extra lab")
    values = list(range(1, 101))
    found = quantile(values, 0.5)
    exact = stats.quantile_test(values, q=50, p=0.5).confidence_interval(0.95)
    assert (found.low, found.high) == (exact.low, exact.high)
    assert quantile([1.0, 2.0, 3.0], 0.95) == Quantile(pytest.approx(2.9), 2.0, None)
    with pytest.raises(ValueError, match="quantile 1"):
        quantile(values, 1.0)


@pytest.mark.parametrize("margin", [-0.1, 1.0])
def test_a_margin_out_of_bounds_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        paired([1.0], [1.0], margin=margin)
