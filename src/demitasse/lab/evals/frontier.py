"""Cost against quality over candidates on the same samples: the Pareto set, the knee as a range, the price of the next point.

Pure; knows no files, asks no model. The statistics are ``stats.pareto``'s; why the knee is where it is:
``docs/decisions/0051-where-the-knee-is.md``. A candidate whose cost is not known is listed and not drawn: unknown is not zero.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from ...stats import pareto
from ...stats.bounded import Floats
from .axes import UNITS, Axis, common, costs_of, known, mixed, told_of, value
from .compare import score_interval
from .result import EvaluationError
from .seen import UNREAD, Seen

LEVEL = 0.95
KNEE_LEVEL = 0.9
"""Of the knee's range."""


class Point(Struct, frozen=True):
    """One candidate."""

    name: str
    quality: float | None
    quality_interval: tuple[float, float] | None
    cost: float | None
    """In the frontier's unit; None: unknown, so it is not drawn."""
    cost_interval: tuple[float, float] | None
    unread: int
    """Answers that could not be read; they count 0."""
    on_front: bool
    """Of those drawn nobody is both cheaper and better, by what was measured."""
    front_probability: float | None
    """That this is so, over bootstrap draws."""
    knee_probability: float | None
    beaten_by: str
    """The one that beats it in most draws, of those that beat it by what was measured; empty on the front."""
    beaten_probability: float | None
    why_not: str
    """Why it is not drawn; empty where it is."""


class Step(Struct, frozen=True):
    """From one member of the Pareto set to the next dearer one."""

    below: str
    above: str
    points: float
    """Gained, of a hundred."""
    points_interval: tuple[float, float]
    paid: float
    """More, in the frontier's unit."""
    price: float
    """Of a point."""
    price_interval: tuple[float, float | None]
    """None: no limit, there may be nothing gained."""
    nothing: float
    """Probability that nothing is gained."""


class Knee(Struct, frozen=True):
    """Where paying more stops paying, as a range."""

    method: Literal["worth", "bend"]
    best: str
    """By what was measured; where that has none, the likeliest. Empty: what was measured and most resamples have none."""
    names: tuple[str, ...]
    """Candidates of the range, of resamples that have a knee; the cheapest first. Empty: hardly any has."""
    low: float | None
    """Cost at its two ends."""
    high: float | None
    none: float
    """Probability that there is no bend."""


class Frontier(Struct, frozen=True):
    """Candidates on the same samples."""

    axis: Axis
    unit: str
    worth: float | None
    n: int
    clusters: int
    seed: int
    points: tuple[Point, ...]
    """The cheapest first; those that are not drawn last."""
    steps: tuple[Step, ...]
    knee: Knee | None
    """None: fewer than two candidates are drawn."""
    notes: tuple[str, ...]

    @property
    def drawn(self) -> tuple[Point, ...]:
        return tuple(point for point in self.points if not point.why_not)

    @property
    def front(self) -> tuple[Point, ...]:
        """The Pareto set, the cheapest first."""
        return tuple(point for point in self.points if point.on_front)

    def named(self, name: str) -> Point:
        return next(point for point in self.points if point.name == name)


def frontier(
    candidates: Mapping[str, Sequence[Seen]],
    *,
    axis: Axis = "money",
    worth: float | None = None,
    seed: int = 7,
) -> Frontier:
    """Hold all candidates against each other on the samples that all of them were asked.

    Args:
        worth: what a point of quality (of a hundred) is worth, in the axis' unit (USD per 1,000 calls): the knee is the last
            step that costs no more. None: where the curve bends most.
        seed: of the bootstrap.

    Raises:
        EvaluationError: no candidates, or no sample that all were asked and have a score on.
    """
    if not candidates:
        raise EvaluationError("there are no candidates; name one evaluation at least")
    told, blind = told_of(candidates)
    samples, notes = common(told or candidates)
    by_name = {name: {one.sample: one for one in rows} for name, rows in candidates.items()}
    costs = {name: costs_of(by_name[name], samples, axis) for name in told}
    why_not = blind | {name: why for name, (_, why) in costs.items() if why} | mixed(by_name, samples, axis, costs)
    drawn = [name for name in told if name not in why_not]
    first = next(iter(told or candidates))
    clusters = [by_name[first][s].cluster or f"\0{s}" for s in samples]
    own = None if len(set(clusters)) == len(clusters) else clusters
    quality = np.array([[value(by_name[name][s]) for name in drawn] for s in samples]).reshape(len(samples), len(drawn))
    cost = np.array([costs[name][0] for name in drawn]).reshape(len(drawn), len(samples)).T
    sure = _Sure(drawn, quality, cost, own, worth, seed) if drawn else None
    points = [
        _point(name, [by_name[name][s] for s in samples if s in by_name[name]], own, sure, why_not.get(name, ""), seed)
        for name in candidates
    ]
    return Frontier(
        axis=axis,
        unit=UNITS[axis],
        worth=worth,
        n=len(samples),
        clusters=len(set(clusters)),
        seed=seed,
        points=tuple(sorted(points, key=lambda p: (p.cost is None, p.cost or 0.0, p.name))),
        steps=sure.steps() if sure else (),
        knee=sure.knee() if sure and len(drawn) > 1 else None,
        notes=notes,
    )


class _Sure:
    """Estimates of those that are drawn, and what bootstrap draws make of them."""

    def __init__(
        self,
        names: Sequence[str],
        quality: Floats,
        cost: Floats,
        clusters: Sequence[str] | None,
        worth: float | None,
        seed: int,
    ) -> None:
        self.names = list(names)
        self.quality, self.cost = quality.mean(axis=0), cost.mean(axis=0)
        self.quality_drawn, self.cost_drawn = pareto.resampled(quality, cost, clusters, seed=seed)
        self.worth = worth
        self.front = pareto.front(self.cost, self.quality)
        self.front_drawn = pareto.front(self.cost_drawn, self.quality_drawn)
        self.knee_drawn = self._knee(self.cost_drawn, self.quality_drawn)

    def _knee(self, cost: Floats, quality: Floats) -> pareto.Ints:
        return pareto.bend(cost, quality) if self.worth is None else pareto.worth_it(cost, quality, 100 * self.worth)

    def beaten(self, at: int) -> tuple[str, float]:
        """By whom, and how surely."""
        by = pareto.dominated(self.cost, self.quality)[at]
        if not by.any():
            return "", 0.0
        cheaper = self.cost_drawn <= self.cost_drawn[:, at : at + 1]
        better = self.quality_drawn >= self.quality_drawn[:, at : at + 1]
        shares = np.where(by, (cheaper & better).mean(axis=0), -1.0)
        who = int(shares.argmax())
        return self.names[who], float(shares[who])

    def order(self) -> list[int]:
        """The Pareto set, the cheapest first."""
        return [int(i) for i in np.argsort(self.cost, kind="stable") if self.front[i]]

    def steps(self) -> tuple[Step, ...]:
        order = self.order()
        return tuple(self._step(a, b) for a, b in itertools.pairwise(order) if self.quality[b] > self.quality[a])

    def _step(self, a: int, b: int) -> Step:
        gained = 100 * (self.quality_drawn[:, b] - self.quality_drawn[:, a])
        paid = self.cost_drawn[:, b] - self.cost_drawn[:, a]
        low, high = pareto.price_interval(gained, paid, LEVEL)
        points, more = float(100 * (self.quality[b] - self.quality[a])), float(self.cost[b] - self.cost[a])
        return Step(
            below=self.names[a],
            above=self.names[b],
            points=points,
            points_interval=_middle(gained),
            paid=more,
            price=more / points,
            price_interval=(low, high if np.isfinite(high) else None),
            nothing=float((gained <= 0).mean()),
        )

    def knee(self) -> Knee:
        here = int(self._knee(self.cost, self.quality))
        shares = self.knee_shares()
        none = float((self.knee_drawn == pareto.NONE).mean())
        order = [int(i) for i in np.argsort(self.cost, kind="stable")]
        method: Literal["worth", "bend"] = "bend" if self.worth is None else "worth"
        if none > KNEE_LEVEL:
            return Knee(method, "", (), None, None, none)
        first, last = pareto.central([shares[i] for i in order], KNEE_LEVEL)
        inside = [i for i in order[first : last + 1] if shares[i] >= _RARE or i == here]
        best = here if here != pareto.NONE or none > 0.5 else int(np.argmax(shares))
        if best not in {pareto.NONE, *inside}:
            inside = sorted([*inside, best], key=lambda i: float(self.cost[i]))
        return Knee(
            method,
            "" if best == pareto.NONE else self.names[best],
            tuple(self.names[i] for i in inside),
            float(self.cost[inside].min()),
            float(self.cost[inside].max()),
            none,
        )

    def knee_shares(self) -> Floats:
        """(candidates,) how often each is the knee."""
        return np.array([float((self.knee_drawn == i).mean()) for i in range(len(self.names))])


_RARE = 0.01
"""Within the range a candidate that is the knee in fewer draws is not named."""


def _point(
    name: str, rows: Sequence[Seen], clusters: Sequence[str] | None, sure: _Sure | None, why_not: str, seed: int
) -> Point:
    values = np.array([value(one) for one in rows if known(one)])
    whole = clusters if clusters is not None and len(clusters) == len(values) else None
    at = sure.names.index(name) if sure is not None and not why_not else None
    interval = score_interval(values, whole, level=LEVEL, seed=seed) if len(values) else None
    unread = sum(one.failure in UNREAD for one in rows)
    if at is None or sure is None:
        mean = float(values.mean()) if len(values) else None
        return Point(name, mean, interval, None, None, unread, False, None, None, "", None, why_not)
    by, surely = sure.beaten(at)
    return Point(
        name=name,
        quality=float(sure.quality[at]),
        quality_interval=interval,
        cost=float(sure.cost[at]),
        cost_interval=_middle(sure.cost_drawn[:, at]),
        unread=unread,
        on_front=bool(sure.front[at]),
        front_probability=float(sure.front_drawn[:, at].mean()),
        knee_probability=float((sure.knee_drawn == at).mean()),
        beaten_by=by,
        beaten_probability=surely if by else None,
        why_not="",
    )


def _middle(draws: Floats) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
