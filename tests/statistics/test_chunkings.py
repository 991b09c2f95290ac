"""Ten thousand random answers, cut at random: a stream restored as it comes is its whole restored, every time."""

from __future__ import annotations

import pytest

from tests.wire.chunkings import mismatch


@pytest.mark.long
@pytest.mark.parametrize("block", range(10))
def test_no_cut_makes_a_difference(block: int) -> None:
    first = 10_000 * 7 + 1_000 * block  # other seeds than those of the default run
    assert [found for seed in range(first, first + 1_000) if (found := mismatch(seed)) is not None] == []
