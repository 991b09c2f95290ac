"""What an Entry adds to the sums: one row of measures, in the order of Bucket's fields.

Pure: an Entry in, numbers out. A baseline that is unknown counts as the call's own cost, so that it neither saves nor
wastes; tokens and energy are those of the attempts, because they are what was paid for.
"""

from __future__ import annotations

from ..core.entry import Attempt, Entry
from ..core.ledger import Bucket

DIMENSIONS = ("key", "team", "route", "model", "outcome", "cache")
MEASURES = tuple(name for name in Bucket.__struct_fields__ if name not in ("hour", *DIMENSIONS))
HOUR_US = 3_600_000_000

Sums = list[float]
_AT = {name: at for at, name in enumerate(MEASURES)}
_SAVED = {
    cause: _AT[f"saved_{short}_nanos"]
    for cause, short in {
        "exact_cache": "exact",
        "semantic_cache": "semantic",
        "coalesced": "coalesced",
        "prompt_cache": "prompt",
        "shaped": "shaped",
        "routed": "routed",
        "batch": "batch",
        "local": "local",
    }.items()
}
_BLANK: Sums = [0] * len(MEASURES)
_COST, _BASELINE, _UNPRICED, _ESTIMATED = _AT["cost_nanos"], _AT["baseline_nanos"], _AT["unpriced"], _AT["estimated"]
_ATTEMPTS, _JOINED, _TOKENS = _AT["attempts"], _AT["joined"], _AT["uncached_in"]
_MODELLED, _MEASURED = _AT["energy_modelled_low_uj"], _AT["energy_measured_low_uj"]
_DURATION, _OVERHEAD = _AT["duration_ms"], _AT["overhead_us"]
_BLANK[_AT["requests"]] = 1


def dimensions(entry: Entry) -> tuple[str, str, str, str, str, str]:
    """The entry's place in the roll-ups; what it does not have is empty."""
    return (entry.key, entry.team or "", entry.route, entry.model or "", entry.outcome, entry.cache)


def measures(entry: Entry) -> Sums:
    """What one call adds, in the order of MEASURES."""
    row = _BLANK.copy()
    cost = entry.cost_nanos
    if cost is None:
        row[_UNPRICED] = 1
        cost = 0
    row[_COST] = cost
    row[_BASELINE] = cost if entry.baseline_nanos is None else entry.baseline_nanos
    for cause, nanos in entry.saved:
        row[_SAVED[cause]] += nanos
    if entry.estimated:
        row[_ESTIMATED] = 1
    row[_JOINED] = entry.joined
    row[_DURATION] = entry.duration_ms
    row[_OVERHEAD] = entry.overhead_us or 0
    if entry.attempts:
        row[_ATTEMPTS] = len(entry.attempts)
        for attempt in entry.attempts:
            _meter(row, attempt)
    return row


def _meter(row: Sums, attempt: Attempt) -> None:
    usage = attempt.usage
    if usage is not None:
        at = _TOKENS
        row[at] += usage.uncached_in
        row[at + 1] += usage.cache_read
        row[at + 2] += usage.cache_write_5m
        row[at + 3] += usage.cache_write_1h
        row[at + 4] += usage.image_in
        row[at + 5] += usage.audio_in
        row[at + 6] += usage.text_out
        row[at + 7] += usage.reasoning_out
        row[at + 8] += usage.audio_out
    energy = attempt.energy
    if energy is not None and energy.method != "vendor":
        at = _MODELLED if energy.method == "modelled" else _MEASURED
        row[at] += energy.low_uj
        row[at + 1] += energy.high_uj


def _upsert(table: str, time: str) -> str:
    names = ", ".join(MEASURES)
    marks = ", ".join("?" * (len(MEASURES) + 2))
    sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in MEASURES)
    return f"INSERT INTO {table} ({time}, dim, {names}) VALUES ({marks}) ON CONFLICT ({time}, dim) DO UPDATE SET {sums}"  # noqa: S608


ADD_HOURS = _upsert("rollup_hours", "hour")
ADD_DAYS = _upsert("rollup_days", "day")
ADD_CARRIED = _upsert("carried_hours", "hour")
