"""When each key last called, from the roll-ups: no call writes anything for it. Knows the books, no page."""

from __future__ import annotations

from ..core.ledger import Books
from .report import DAY_US, HOUR_US

LOOK_BACK_DAYS = 400
"""A key that is older than that and silent counts as never used."""


def last_days(books: Books, now_us: int) -> dict[str, int]:
    """Key's name → the day of its last call, as the microsecond (UTC) that it began with. Reading the books is no call."""
    found: dict[str, int] = {}
    for row in books.buckets(now_us - LOOK_BACK_DAYS * DAY_US, now_us, ("key", "day")):
        if row.key is not None and row.hour is not None:
            found[row.key] = max(found.get(row.key, 0), row.hour * HOUR_US // DAY_US * DAY_US)
    return found
