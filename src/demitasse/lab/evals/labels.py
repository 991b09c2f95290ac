"""Where the labels of a picture go so that they hide neither points nor each other. Pure geometry; knows no figures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from msgspec import Struct

TALL = 17.0
_PER_CHARACTER = 7.8
"""Of a 13 px sans-serif, on the safe side: fonts differ."""
_SPOTS = (
    (1.0, -0.5), (1.0, -1.1), (1.0, 0.9), (-1.0, -0.5), (-1.0, -1.1), (-1.0, 0.9), (0.0, -1.0), (0.0, 1.0),
)  # fmt: skip
"""To the side, and up or down; the first is liked best."""
_PER_PIXEL = 3.0
"""What a pixel of distance is worth, in square pixels of thin lines crossed."""
_APART = (10.0, 20.0, 34.0, 52.0, 76.0, 104.0)


class Box(Struct, frozen=True):
    """A rectangle, from its upper left corner."""

    x: float
    y: float
    wide: float
    tall: float

    def shared(self, other: Box) -> float:
        """Area that both cover."""
        wide = min(self.x + self.wide, other.x + other.wide) - max(self.x, other.x)
        tall = min(self.y + self.tall, other.y + other.tall) - max(self.y, other.y)
        return wide * tall if wide > 0 and tall > 0 else 0.0

    def inside(self, other: Box) -> bool:
        return (
            self.x >= other.x
            and self.y >= other.y
            and self.x + self.wide <= other.x + other.wide
            and self.y + self.tall <= other.y + other.tall
        )


def width_of(text: str) -> float:
    """Of a label, roughly, never too little."""
    return _PER_CHARACTER * len(text) + 4


def placed(
    at: Sequence[tuple[float, float]],
    wide: Sequence[float],
    dots: Sequence[Box],
    bars: Sequence[Box],
    lines: Sequence[tuple[float, float]],
    page: Box,
) -> list[Box]:
    """A box for each label near its point, in the order of importance; greedy, the least hidden of 48 places each.

    Args:
        wide: of each label.
        dots: what no label should hide.
        bars: what it may cross rather than stand far away from its point.
        lines: corners of one broken line with horizontal and vertical pieces, that is better not written over.
        page: what no label may leave; a label wider than it is let out.
    """
    strokes = [
        Box(min(a[0], b[0]) - 1, min(a[1], b[1]) - 1, abs(a[0] - b[0]) + 2, abs(a[1] - b[1]) + 2)
        for a, b in itertools.pairwise(lines)
    ]
    thin = [*bars, *strokes]
    found: list[Box] = []
    for (x, y), width in zip(at, wide, strict=True):
        best, least = None, float("inf")
        for apart in _APART:
            for side, rise in _SPOTS:
                spot = Box(_left(x, width, side, apart), _top(y, side, rise, apart), width, TALL)
                cost = _hidden(spot, found, dots, thin, page) + _PER_PIXEL * apart
                if cost < least:
                    best, least = spot, cost
        assert best is not None
        found.append(best)
    return found


def _left(x: float, wide: float, side: float, apart: float) -> float:
    return x + apart if side > 0 else x - apart - wide if side < 0 else x - wide / 2


def _top(y: float, side: float, rise: float, apart: float) -> float:
    if side == 0:
        return y - apart - TALL if rise < 0 else y + apart
    return y - TALL / 2 + (0 if rise == -0.5 else rise * apart)


def _hidden(spot: Box, others: Sequence[Box], dots: Sequence[Box], thin: Sequence[Box], page: Box) -> float:
    hidden = 20.0 * sum(spot.shared(other) for other in others)
    hidden += 10.0 * sum(spot.shared(dot) for dot in dots)
    hidden += sum(spot.shared(line) for line in thin)
    return hidden + (0.0 if spot.inside(page) else 1e6)
