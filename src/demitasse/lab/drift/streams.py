"""What is watched of a route's calls: one number of each call per stream, and what of it counts as moved. A table; knows Entries.

Only what clients asked counts: shadows, judges and evaluations are our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from ...core.entry import Entry

Kind = Literal["spread", "level", "rate"]
"""spread: how numbers are distributed, any change counts · level: their size, only more counts · rate: a share of calls, only
more counts."""


class Stream(Struct, frozen=True):
    """One thing that is watched."""

    name: str
    kind: Kind
    says: str
    """What it is, for people."""
    moved: str
    """What has happened when it moves: the middle of a sentence that begins with the route."""
    tolerance: float
    """spread: points of the distribution function; level: share of the usual; rate: points. Less is nobody's business."""
    unit: str = ""
    """``tokens``, ``usd``, ``ms`` or a share."""
    alert: str = "drift"
    """The kind of its alert."""


STREAMS: Final = (
    Stream(
        "length", "spread", "length of prompts", "is asked prompts of another length", 0.1, "tokens", "drift_inputs"
    ),
    Stream("score", "spread", "router's scores", "gets other scores from its router", 0.1, "share", "drift_inputs"),
    Stream("topic", "spread", "what prompts are about", "is asked about other things", 0.1, "share", "drift_inputs"),
    Stream("cost", "level", "cost of a call", "costs more a call", 0.15, "usd", "drift_cost"),
    Stream("first_byte", "level", "time to the first byte", "begins to answer later", 0.3, "ms", "drift_latency"),
    Stream("duration", "level", "time to the last byte", "takes longer to answer", 0.3, "ms", "drift_latency"),
    Stream("failed", "rate", "calls that failed", "fails more often", 0.02, "share", "drift_failures"),
    Stream("refused", "rate", "calls that were refused", "is refused more often", 0.02, "share", "drift_failures"),
    Stream(
        "truncated", "rate", "answers that were cut off", "has more answers cut off", 0.02, "share", "drift_failures"
    ),
    Stream(
        "injection",
        "rate",
        "prompts of high risk",
        "gets more prompts that look like attacks",
        0.01,
        "share",
        "drift_guard",
    ),
    Stream("personal", "rate", "prompts with personal data", "gets more personal data", 0.05, "share", "drift_guard"),
)
BY_NAME: Final = {stream.name: stream for stream in STREAMS}
KINDS: Final = tuple(dict.fromkeys(stream.alert for stream in STREAMS))
_CUT: Final = frozenset({"cut_at_hold", "truncated"})


def numbers(entry: Entry, topic: float | None = None) -> Iterator[tuple[str, float]]:
    """What one closed call says, by stream; a stream that it says nothing of is left out.

    Args:
        topic: how its prompt lies to what prompts were about, in 0..1, where somebody measured it.
    """
    asked = bool(entry.attempts)
    if entry.usage is not None and entry.usage.total_in:
        yield "length", float(entry.usage.total_in)
    if entry.decision is not None and entry.decision.score is not None:
        yield "score", entry.decision.score
    if topic is not None:
        yield "topic", topic
    if entry.outcome == "answered" and asked:
        if entry.cost_nanos is not None:
            yield "cost", entry.cost_nanos / 1e9
        if entry.first_byte_ms:
            yield "first_byte", entry.first_byte_ms
        if entry.duration_ms:
            yield "duration", entry.duration_ms
        yield "truncated", float(not _CUT.isdisjoint(entry.flags))
    if entry.outcome in ("answered", "failed", "lost"):
        yield "failed", float(entry.outcome != "answered")
    if entry.outcome in ("answered", "failed", "refused"):
        yield "refused", float(entry.outcome == "refused")
    if entry.guard is not None:
        yield "injection", float(entry.guard.band == "high")
        yield "personal", float(bool(entry.guard.found))
