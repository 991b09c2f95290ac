"""The planner: more samples for smaller gaps, none for no gap; that its n has the power it says is in tests/statistics."""

from __future__ import annotations

import pytest

from demitasse.stats.power import Spread, detectable, needed, power


def test_more_discordance_and_a_smaller_margin_take_more_samples() -> None:
    few = needed(Spread.right_or_wrong(0.05), margin=0.05)
    more = needed(Spread.right_or_wrong(0.2), margin=0.05)
    most = needed(Spread.right_or_wrong(0.2), margin=0.02)
    assert few and more and most and few < more < most
    assert needed(Spread.right_or_wrong(0.2), margin=0.02, effect=2.0) == pytest.approx(2 * most, abs=2)


def test_without_any_discordance_it_takes_what_the_rule_of_three_takes() -> None:
    n = needed(Spread.right_or_wrong(0.0), margin=0.05)
    assert n is not None and 70 <= n <= 80  # 0.025 ** (1 / n) > 1 - 0.05 from 72 on


def test_nothing_decides_where_the_difference_is_the_margin() -> None:
    assert needed(Spread.right_or_wrong(0.1, -0.02), margin=0.02) is None


def test_what_n_samples_can_detect_is_what_takes_n_samples() -> None:
    spread = Spread.right_or_wrong(0.15)
    n = needed(spread, margin=0.04)
    assert n is not None
    assert detectable(n, spread) == pytest.approx(0.04, rel=0.05)
    assert power(n, spread, margin=0.04) == pytest.approx(0.8, abs=0.02)


def test_a_seen_sample_keeps_room_for_what_was_not_seen_and_can_be_moved_to_no_difference() -> None:
    spread = Spread.seen([0.0] * 60)
    assert spread.mean == pytest.approx(0) and spread.deviation > 0.1
    moved = Spread.seen([1.0] * 5 + [0.0] * 55, at=0.0)
    assert moved.mean == pytest.approx(0, abs=1e-9)


def test_a_difference_beyond_the_discordance_is_refused() -> None:
    with pytest.raises(ValueError, match="no larger"):
        Spread.right_or_wrong(0.05, 0.1)
