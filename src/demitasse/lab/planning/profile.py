"""A traffic: how many calls, how long, how uneven. Knows how it adds up from the books' sums; reads no file itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ...core.hardware import Interval
from ...core.ledger import Bucket
from .facts import PlanError

NAMES: Final = ("calls_per_day", "tokens_in", "tokens_out", "cached", "peak", "answered")
_LIMITS: Final[dict[str, tuple[float, float, str]]] = {
    "calls_per_day": (0, 1e10, "calls a day"),
    "tokens_in": (0, 1e7, "tokens a call"),
    "tokens_out": (0, 1e6, "tokens an answer"),
    "cached": (-1, 1, "a share of the prompt's tokens, 0 to 1"),
    "peak": (1 - 1e-9, 1000, "the busiest hour over the mean hour, 1 or more"),
    "answered": (-1, 0.999, "a share of the calls, 0 up to but not 1"),
}
"""Each above the first and up to the second."""


class Profile(Struct, frozen=True, omit_defaults=True):
    """What is to be served. Means are over calls; a figure that is not known exactly is a range."""

    calls_per_day: Interval
    tokens_in: Interval
    tokens_out: Interval
    cached: Interval = Interval(0, 0)
    """Share of the prompt's tokens that a provider's prompt cache, or an engine's prefix cache, has already."""
    peak: Interval = Interval(1, 1)
    """Calls in the busiest hour over calls in the mean hour."""
    answered: Interval = Interval(0, 0)
    """Share of the calls that the gateway's own cache answers; no model sees them."""
    p95_over_mean: Interval | None = None
    """Of the answers' lengths, where it was measured."""
    source: str = "typed in"

    def ranges(self) -> dict[str, Interval]:
        """Its figures by the names that the arithmetic takes."""
        return {name: getattr(self, name) for name in NAMES}


def checked(profile: Profile) -> Profile:
    """The same. Raises PlanError for what no traffic can be."""
    for name, (above, most, meaning) in _LIMITS.items():
        low, high = getattr(profile, name)
        if not (above < low <= high <= most and math.isfinite(high)):
            told = f"{low:g}" if low == high else f"{low:g}..{high:g}"
            least = "above 0" if above == 0 else f"{max(0.0, above):g}" if above < 0 else "1"
            raise PlanError(f"{name.replace('_', '-')}: {told} is not possible; it is {meaning} ({least} to {most:g})")
    return profile


def from_buckets(hours: Sequence[Bucket], *, span_hours: float, source: str) -> Profile:
    """A profile from the roll-up's hours.

    Args:
        hours: sums by hour and ``cache``, of one route or of all.
        span_hours: how long was looked at, the hours without a call included.

    Raises:
        PlanError: when no call reached a model.
    """
    total = sum(b.requests for b in hours)
    asked = [b for b in hours if b.attempts]
    calls = sum(b.attempts for b in asked)
    if not calls:
        raise PlanError(
            f"{source}: no call reached a model; take a longer time (--since 90d) or type the traffic in (--calls-per-day …)"
        )
    fresh = sum(b.uncached_in + b.cache_write_5m + b.cache_write_1h for b in asked)
    kept = sum(b.cache_read for b in asked)
    out = sum(b.text_out + b.reasoning_out for b in asked)
    by_hour: dict[int, int] = {}
    for b in hours:
        by_hour[b.hour or 0] = by_hour.get(b.hour or 0, 0) + b.requests
    served = sum(b.requests for b in asked)
    return checked(
        Profile(
            calls_per_day=_point(total * 24 / span_hours),
            tokens_in=_point((fresh + kept) / calls),
            tokens_out=_point(max(out, 1) / calls),
            cached=_point(kept / (fresh + kept) if fresh + kept else 0.0),
            peak=_point(min(1000.0, max(1.0, max(by_hour.values()) * span_hours / total))),
            answered=_point(max(0.0, min(0.999, 1 - served / total))),
            source=source,
        )
    )


def _point(value: float) -> Interval:
    return Interval(value, value)
