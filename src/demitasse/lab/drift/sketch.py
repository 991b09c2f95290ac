"""The calls of an hour or a day summed up, per stream: counts, sums and a histogram, which add up. Pure; numbers and names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

from msgspec import Struct

from ...core.entry import Entry
from .streams import BY_NAME, Stream, numbers

_Name = TypeVar("_Name", int, str)
_PER_OCTAVE = 4
_PER_ONE = 40
_MOST_WHO = 40
"""Keys or models that a sketch names; all others are one, ``""``."""


class Sketch(Struct, omit_defaults=True):
    """``n`` calls. ``sum`` of the numbers and ``logs`` of their logarithms, each with its squares; of a rate ``sum`` counts."""

    n: int = 0
    sum: float = 0.0
    squares: float = 0.0
    logs: float = 0.0
    log_squares: float = 0.0
    bins: dict[int, int] = {}
    """Of a spread: quarter-octaves of what has a size, fortieths of what lies in 0..1."""
    keys: dict[str, int] = {}
    models: dict[str, int] = {}
    """Of a rate, whose calls they were."""

    def add(self, other: Sketch) -> None:
        """The other's calls too."""
        self.n += other.n
        self.sum += other.sum
        self.squares += other.squares
        self.logs += other.logs
        self.log_squares += other.log_squares
        if other.bins:
            _add(self.bins, other.bins)
        if other.keys:
            _add(self.keys, other.keys)
            _add(self.models, other.models)

    @property
    def mean(self) -> float:
        return self.sum / self.n if self.n else 0.0

    @property
    def typical(self) -> float:
        """The geometric mean: of what has a long tail the middle."""
        return math.exp(self.logs / self.n) if self.n else 0.0


Sketches = dict[str, Sketch]
"""By stream."""


def take(into: Sketches, entry: Entry, topic: float | None = None) -> None:
    """One more call."""
    for name, number in numbers(entry, topic):
        stream, sketch = BY_NAME[name], into.setdefault(name, Sketch())
        sketch.n += 1
        sketch.sum += number
        if stream.kind == "rate":
            if number:
                _count(sketch.keys, entry.key)
                _count(sketch.models, entry.model or entry.asked_model)
            continue
        sketch.squares += number * number
        if stream.unit != "share":
            log = math.log(max(number, 1e-9))
            sketch.logs += log
            sketch.log_squares += log * log
        if stream.kind == "spread":
            at = (
                math.floor(number * _PER_ONE) if stream.unit == "share" else math.floor(_PER_OCTAVE * math.log2(number))
            )
            sketch.bins[at] = sketch.bins.get(at, 0) + 1


def value_of(stream: Stream, sketch: Sketch) -> float:
    """For people: money by its mean, times and sizes by their geometric mean, shares as they are."""
    return sketch.typical if stream.unit in ("tokens", "ms") else sketch.mean


def merged(parts: Iterable[Mapping[str, Sketch]]) -> Sketches:
    """All together."""
    whole: Sketches = {}
    for part in parts:
        for name, sketch in part.items():
            whole.setdefault(name, Sketch()).add(sketch)
    return whole


def _add(into: dict[_Name, int], more: Mapping[_Name, int]) -> None:
    for name, count in more.items():
        into[name] = into.get(name, 0) + count


def _count(counts: dict[str, int], name: str) -> None:
    if name not in counts and len(counts) >= _MOST_WHO:
        name = ""
    counts[name] = counts.get(name, 0) + 1
