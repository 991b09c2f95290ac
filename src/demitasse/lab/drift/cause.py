"""Who moved: which key, model or route explains most of a change in what was spent or asked. Buckets in, a name out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from ...core.ledger import Bucket

LEAST: Final = 0.5
"""Share of a change that one name must explain to be named."""
MORE: Final = 0.2
"""More than its share of everything, at least: where all have moved alike, the largest is no cause."""


class Cause(Struct, frozen=True):
    """``dimension`` (key, model, route) and its ``name`` explain ``share`` of the change; figures are of it alone."""

    dimension: str
    name: str
    share: float
    before: float
    now: float


def of_amounts(
    dimension: str, before: Mapping[str, float], now: Mapping[str, float], calls: Mapping[str, float]
) -> Cause | None:
    """Of a sum: who has the largest part of its change. ``before`` and ``now`` are of stretches of the same length, ``calls``
    everybody's share of the calls."""
    change = sum(now.values()) - sum(before.values())
    if not change or len(calls) < 2:
        return None
    moves = {name: now.get(name, 0.0) - before.get(name, 0.0) for name in {*before, *now}}
    name = max(moves, key=lambda one: (moves[one] / change, one))
    share = moves[name] / change
    if share < calls.get(name, 0.0) + MORE:
        return None
    return Cause(dimension, name, min(share, 1.0), before.get(name, 0.0), now.get(name, 0.0))


def of_means(dimension: str, before: Iterable[Bucket], now: Iterable[Bucket], measure: str) -> Cause | None:
    """Of a mean over calls (``cost_nanos``, ``duration_ms``): whose calls, dearer or more of them, moved it most."""
    first, second = _parts(dimension, before, measure), _parts(dimension, now, measure)
    calls = (sum(n for n, _ in first.values()), sum(n for n, _ in second.values()))
    if not all(calls):
        return None
    mean = sum(amount for _, amount in first.values()) / calls[0]

    # More calls of what was dear anyway count by how much dearer than the mean they are.
    def moved(name: str) -> float:
        n, amount = first.get(name, (0, 0.0))
        m, later = second.get(name, (0, 0.0))
        return (later - m * mean) / calls[1] - (amount - n * mean) / calls[0]

    moves = {name: moved(name) for name in {*first, *second}}
    change = sum(moves.values())
    if change <= 0:
        return None
    name = max(moves, key=lambda one: (moves[one], one))
    n, amount = first.get(name, (0, 0.0))
    m, later = second.get(name, (0, 0.0))
    if len(moves) < 2 or moves[name] / change < m / calls[1] + MORE:
        return None
    return Cause(dimension, name, min(1.0, moves[name] / change), amount / n if n else 0.0, later / m if m else 0.0)


def strongest(found: Iterable[Cause | None]) -> Cause | None:
    """The one that explains most, and enough; of equals the first."""
    best = max(
        (one for one in found if one is not None and one.name), key=lambda one: round(one.share, 2), default=None
    )
    return best if best is not None and best.share >= LEAST else None


def _parts(dimension: str, rows: Iterable[Bucket], measure: str) -> dict[str, tuple[int, float]]:
    found: dict[str, tuple[int, float]] = {}
    for row in rows:
        name = getattr(row, dimension) or ""
        n, amount = found.get(name, (0, 0.0))
        found[name] = (n + row.requests, amount + getattr(row, measure))
    return found
