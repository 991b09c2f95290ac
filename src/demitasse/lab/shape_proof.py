"""Does a shaper make answers worse? The same cases answered with and without it, and the bound that follows. Asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..stats.intervals import clopper_pearson
from ..wire.shaping import Proof, Shaper

DAY_US = 86_400_000_000


class Pair(NamedTuple):
    """One case: whether its answer was right without the shaper and with it."""

    plain: bool
    shaped: bool


def prove(
    pairs: Sequence[Pair],
    *,
    route: str,
    shaper: Shaper,
    margin: float,
    delta: float,
    tokens_saved: float,
    model: str,
    method: str,
    at_us: int,
    days: float,
) -> Proof:
    """The evaluation on record, whether it passes or not: at most ``worse_at_most`` of the calls are made worse, with
    confidence 1 - ``delta`` (one-sided Clopper-Pearson, exact). Cases that the shaper mends are counted and not set off.

    Cases are taken to be drawn alike and independently; ``margin`` must have been fixed before they were seen.
    """
    worse = sum(p.plain and not p.shaped for p in pairs)
    return Proof(
        route=route,
        shaper=shaper,
        n=len(pairs),
        worse=worse,
        better=sum(p.shaped and not p.plain for p in pairs),
        worse_at_most=clopper_pearson(worse, len(pairs), 1 - 2 * delta)[1] if pairs else 1.0,
        margin=margin,
        delta=delta,
        tokens_saved=tokens_saved,
        model=model,
        method=method,
        at_us=at_us,
        expires_us=at_us + int(days * DAY_US),
    )


def needed(margin: float, delta: float) -> int:
    """Cases that prove ``margin`` if not one of them is made worse."""
    n = 1
    while clopper_pearson(0, n, 1 - 2 * delta)[1] > margin:
        n = n + 1 if n < 50 else n + n // 50
    return n
