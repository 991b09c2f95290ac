"""Sharing a sum out to the nano."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from demitasse.store.reconcile import spread


@given(st.lists(st.integers(0, 10**12), max_size=20), st.floats(0, 1))
def test_what_is_shared_out_adds_up_and_nobody_gets_more_than_fits(rooms, share):
    amount = int(sum(rooms) * share)
    parts = spread(amount, rooms)
    assert sum(parts) == amount
    assert all(0 <= part <= room for part, room in zip(parts, rooms, strict=True))
