"""Gateways die at random points; the books agree with the provider all the same. And the check can tell when they don't."""

from __future__ import annotations

import pytest

from tests.faults.crash.run import run


@pytest.mark.timeout(300)
async def test_no_kill_at_any_point_overshoots_a_limit_or_loses_a_call() -> None:
    result = await run("7", 60)
    assert result["breaches"] == []
    assert result["kills"] > 10
    assert result["rows"]["lost"] > 0
    assert result["booked_nanos"] == result["served_nanos"]


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_no_kill_at_any_point_in_a_thousand_interleavings() -> None:
    result = await run("11", 1000)
    assert result["breaches"] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("promise", "breach"),
    [
        ("no-hold", "more than the ledger has"),
        ("lost-for-free", "more than the ledger has"),
        ("answer-before-the-commit", "was answered, but its entry says"),
    ],
)
async def test_the_verdict_notices_a_broken_promise(promise: str, breach: str) -> None:
    result = await run("4", 16, sabotage=promise)
    assert any(breach in found for found in result["breaches"]), result["breaches"]
