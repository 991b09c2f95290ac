"""On curves that are known the knee's range holds the knee, membership is not surely wrong, and prices are covered."""

from __future__ import annotations

import pytest

from bench.lab_statistics import CURVES, frontiers, holds, truth_of

SEED = 13


def check(name: str, n: int, runs: int, size: int = 1) -> None:
    found = frontiers(name, n, runs, SEED, size)
    for promise, missed, most in (
        ("knee by bend", 1 - found["bend covered"], 0.1),
        ("knee by worth", 1 - found["worth covered"], 0.1),
        ("prices", found["prices missed"], 0.08),
        ("a member surely out", found["a member surely out"], 0.1),
        ("a beaten one surely in", found["a beaten one surely in"], 0.05),
    ):
        assert holds(round(missed * runs), runs, most), (promise, found)


@pytest.mark.parametrize("name", CURVES)
def test_on_a_known_curve_what_is_said_is_so(name: str) -> None:
    check(name, 100, 20)


def test_more_samples_make_a_shorter_range() -> None:
    few, many = (frontiers("bend", n, 12, SEED) for n in (40, 300))
    assert many["bend named"] < few["bend named"] and many["bend named"] < 1.2


def test_the_curves_have_knees_to_find() -> None:
    assert {name: truth_of(curve)[1:] for name, curve in CURVES.items()} == {
        "bend": ("c", "c"),
        "gentle": ("c", "b"),
        "close": ("b", "b"),
    }


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CURVES)
def test_frontiers_in_depth(name: str) -> None:
    for n in (60, 200, 600):
        check(name, n, 300)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_frontiers_of_clusters_in_depth() -> None:
    check("bend", 300, 300, size=5)
