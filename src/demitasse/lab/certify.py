"""Learn, then test: which step of a path of policies may serve, and what is promised of it. Pure arithmetic on scores.

A *path* is a list of policies in a fixed order, from the most careful to the cheapest, chosen without the calls that are
tested here. Each step in turn is put to the claim "it falls below ``quality`` x always-reference"; the first step whose
claim cannot be refuted ends the walk, and the last one before it serves. All steps together err with probability delta
at most (Angelopoulos et al., *Learn then test*, 2021, fixed sequence; the test is ``stats.betting``).

Knows matrices of scores and costs; nothing of prompts, routers, models or files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ..stats.betting import Floats, Martingale, aimed, floor, needed

WORTH = 1.25
REST = ""
"""Name of what belongs to no slice with a floor of its own."""


@dataclass(frozen=True)
class Trial:
    """Labelled calls under every step of a path.

    Args:
        served: (rows, steps) scores in 0..1 of what each step would have answered.
        cost: (rows, steps) what that would have cost, in any unit.
        reference: (rows,) scores of the reference's answers.
        reference_cost: (rows,) in the same unit.
        weight: (rows,) inverse of the propensity, in 0..1 after division by the largest that the design allows
            (smallest propensity / propensity); None: every call was as likely to be drawn.
        group: (rows,) numbers of sessions: calls of one session are one piece of evidence. None: every call is its own.
        slice: (rows,) names; None: no slices.
        handed: (rows, steps) the chance that each step has the small model answer. Where training rows know it, steps that
            hand over less than ``WORTH`` times what a model that is never right could be handed are passed over: they
            would prove nothing of this one. None: all steps are tested.
    """

    served: Floats
    cost: Floats
    reference: Floats
    reference_cost: Floats
    weight: Floats | None = None
    group: npt.NDArray[np.int64] | None = None
    slice: Sequence[str] | None = None
    handed: Floats | None = None

    @property
    def steps(self) -> int:
        return int(self.served.shape[1])

    def __len__(self) -> int:
        return len(self.reference)

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Trial:
        """Some of the rows, in this order."""
        at = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Trial(
            self.served[at],
            self.cost[at],
            self.reference[at],
            self.reference_cost[at],
            None if self.weight is None else self.weight[at],
            None if self.group is None else self.group[at],
            None if self.slice is None else [self.slice[i] for i in at],
            None if self.handed is None else self.handed[at],
        )


@dataclass(frozen=True)
class SliceVerdict:
    """One slice: how far along the path it may go by itself (-1: the reference serves it)."""

    name: str
    n: int
    step: int
    quality: float
    """Estimate at ``step``, as a share of the reference's score."""
    floor: float | None
    """None: too few calls for a floor of its own; it goes with the rest."""
    saving: float
    certified: bool


@dataclass(frozen=True)
class Verdict:
    """What was proven. ``step`` is an index into the path; -1: nothing, the reference serves."""

    step: int
    quality: float
    floor: float
    saving: float
    saving_low: float
    saving_high: float
    n: int
    evidence: Floats = field(repr=False)
    """(steps,) peak log wealth of the rest (of all calls, where there are no slices); log(1/delta) refutes."""
    slices: tuple[SliceVerdict, ...] = ()
    """Every slice; those with a floor have their own step, the others the rest's."""

    @property
    def certified(self) -> bool:
        return self.step >= 0 or any(s.certified for s in self.slices)

    def of(self, slice: str) -> int:
        """The step that serves a slice."""
        return next((s.step for s in self.slices if s.name == slice), self.step)


def certify(
    trial: Trial,
    *,
    quality: float = 0.95,
    delta: float = 0.05,
    hint: Trial | None = None,
    spread: Floats | float | None = None,
    standing: MutableMapping[str, Martingale] | None = None,
) -> Verdict:
    """The cheapest step of a path whose quality is at least ``quality`` x the reference's, with confidence 1 - delta.

    Args:
        trial: calls that the path was not chosen on, in an order that does not depend on their scores.
        hint: the training calls under the same path: what losses to expect. Any are valid; good ones give power.
        spread: (steps,) or one for all, root mean square of a loss, as far as it is known without the calls that are
            tested; goes before what ``hint`` says. Without either, bets begin timidly.
        standing: martingales by slice name (``REST`` for all else) that go on from call to call: ``trial`` then holds
            only calls that they have not seen, and looking again costs nothing. Updated in place. None: the calls at
            hand are all there will be, and the bets aim at the last of them.
    """
    names = _own(trial, quality, delta, standing)
    share = delta / len(names)
    rows = {name: _rows(trial, names, name) for name in names}
    peaks = {
        name: _from(
            _begin(hint, names, name, quality),
            _peaks(trial.take(at), _hint(hint, names, name), spread, quality, share, name, standing),
        )
        for name, at in rows.items()
    }
    return settle(trial, peaks, quality=quality, delta=delta, standing=standing is not None)


def settle(
    trial: Trial, peaks: Mapping[str, Floats], *, quality: float, delta: float, standing: bool = True
) -> Verdict:
    """The verdict that the evidence leads to, with what ``trial`` says of quality and saving there.

    Args:
        peaks: (steps,) peak log wealth by slice with a floor of its own, and of ``REST``.
        standing: the evidence may go on, so that nothing beyond ``quality`` is promised.
    """
    names, share = list(peaks), delta / len(peaks)
    steps = _holm(peaks, delta)
    chosen = np.full(len(trial), -1)
    rows = {name: _rows(trial, names, name) for name in names}
    for name, at in rows.items():
        chosen[at] = steps[name]
    quality_of, saving, low, high = _estimate(trial, chosen)
    floors = {name: _floor(trial.take(at), steps[name], quality, share, standing) for name, at in rows.items()}
    return Verdict(
        steps.get(REST, -1),
        quality_of,
        min(*floors.values(), max(quality_of, quality)),
        saving,
        low,
        high,
        len(trial),
        peaks.get(REST, np.zeros(trial.steps)),
        _slices(trial, chosen, steps, floors),
    )


def losses(trial: Trial, quality: float) -> tuple[Floats, float]:
    """(units, steps) losses ``quality x reference - served`` per session, and the largest that is possible.

    A session's losses are added up and divided by the size of the largest session, so that a unit lies in -1..quality
    and the mean keeps its sign.
    """
    loss = quality * trial.reference[:, None] - trial.served
    if trial.weight is not None:
        loss = loss * trial.weight[:, None]
    if trial.group is not None:
        _, first, unit, size = np.unique(trial.group, return_index=True, return_inverse=True, return_counts=True)
        if size.max(initial=1) > 1:
            summed = np.zeros((len(size), loss.shape[1]))
            np.add.at(summed, unit, loss)
            loss = summed[np.argsort(first, kind="stable")] / size.max()
    return loss, quality


def _own(trial: Trial, quality: float, delta: float, standing: Mapping[str, Martingale] | None) -> list[str]:
    """Slices with enough calls for a floor of their own, and the rest. Sizes alone decide, never scores."""
    if standing:
        return sorted(standing)
    if trial.slice is None:
        return [REST]
    counts: dict[str, int] = {}
    for name in trial.slice:
        counts[name] = counts.get(name, 0) + 1
    counts.pop(REST, None)
    for many in range(len(counts), 0, -1):
        enough = 2 * needed(delta / (many + 1), 1 - quality, quality)
        own = [name for name, n in counts.items() if n >= enough]
        if len(own) >= many:
            rest = len(trial) - sum(counts[name] for name in own)
            return sorted(own) + ([REST] if rest else [])
    return [REST]


def _rows(trial: Trial, names: list[str], name: str) -> npt.NDArray[np.int64]:
    if trial.slice is None or names == [REST]:
        return np.arange(len(trial))
    own = set(names) - {REST}
    return np.array([i for i, s in enumerate(trial.slice) if (s if s in own else REST) == name], dtype=np.int64)


def _hint(hint: Trial | None, names: list[str], name: str) -> Trial | None:
    if hint is None:
        return None
    mine = hint.take(_rows(hint, names, name)) if hint.slice is not None else hint
    return mine if len(mine) >= 20 else hint


def _begin(hint: Trial | None, names: list[str], name: str, quality: float) -> int:
    """The first step that is worth testing, by what training rows of the slice (of all, where there is none) hand over."""
    if hint is None or hint.handed is None or not len(hint):
        return 0
    at = _rows(hint, names, name)
    handed = hint.handed[at if len(at) else np.arange(len(hint))].mean(axis=0)
    worth = np.flatnonzero(handed > WORTH * (1 - quality))
    return int(worth[0]) if len(worth) else hint.steps - 1


def _from(begin: int, peaks: Floats) -> Floats:
    """The walk begins here: what stands before is neither tested nor won without it."""
    found = peaks.copy()
    found[:begin] = peaks[begin]
    return found


def _peaks(
    trial: Trial,
    hint: Trial | None,
    spread: Floats | float | None,
    quality: float,
    delta: float,
    name: str,
    standing: MutableMapping[str, Martingale] | None,
) -> Floats:
    loss, bound = losses(trial, quality)
    if standing is not None:
        known = standing.setdefault(name, Martingale(trial.steps, bound=bound))
        return known.update(loss).peak
    if spread is None and hint is not None and len(hint):
        spread = np.sqrt((losses(hint, quality)[0] ** 2).mean(axis=0))
    peak = aimed(loss, delta=delta, bound=bound, spread=spread)
    # proven on the way and lost again by the end: nobody would believe it, so it is not said
    return np.where(loss.sum(axis=0) <= 0, peak, 0.0)


def _holm(peaks: Mapping[str, Floats], delta: float) -> dict[str, int]:
    """How far each slice gets. A slice that walks its whole path leaves its share of delta to the others."""
    open = set(peaks)
    steps: dict[str, int] = {}
    while True:
        bar = math.log(max(len(open), 1) / delta) - 1e-9
        for name in open:
            refuted = peaks[name] >= bar
            steps[name] = (int(np.argmin(refuted)) if not refuted.all() else len(refuted)) - 1
        done = {name for name in open if steps[name] == len(peaks[name]) - 1}
        if not done or done == open:
            return steps
        open -= done


def _floor(trial: Trial, step: int, quality: float, delta: float, standing: bool) -> float:
    """What is proven beyond ``quality``: only a path walked to its end leaves delta for more."""
    if step < 0:
        return 1.0
    if step < trial.steps - 1 or standing:
        return quality
    if trial.group is not None:
        return quality
    weight = 1.0 if trial.weight is None else trial.weight
    return floor(
        trial.reference * weight, trial.served[:, step] * weight, delta=delta, start=quality, end=1.25, grid=101
    )


def _estimate(trial: Trial, chosen: npt.NDArray[np.int64]) -> tuple[float, float, float, float]:
    """Quality, saving and its 95 % interval (ratio of sums, linearised, by session) when each row goes its chosen step."""
    rows = np.arange(len(trial))
    serves = chosen >= 0
    at = np.maximum(chosen, 0)
    weight = np.ones(len(trial)) if trial.weight is None else trial.weight
    served = np.where(serves, trial.served[rows, at], trial.reference) * weight
    cost = np.where(serves, trial.cost[rows, at], trial.reference_cost) * weight
    whole, full = float((trial.reference * weight).sum()), float((trial.reference_cost * weight).sum())
    quality = float(served.sum()) / whole if whole > 0 else 1.0
    if full <= 0:
        return quality, 0.0, 0.0, 0.0
    share = float(cost.sum()) / full
    residual = cost - share * trial.reference_cost * weight
    if trial.group is not None:
        residual = np.bincount(np.unique(trial.group, return_inverse=True)[1], residual).astype(np.float64)
    half = 1.96 * math.sqrt(float((residual**2).sum())) / full
    return quality, 1 - share, 1 - share - half, 1 - share + half


def _slices(
    trial: Trial, chosen: npt.NDArray[np.int64], steps: Mapping[str, int], floors: Mapping[str, float]
) -> tuple[SliceVerdict, ...]:
    if trial.slice is None:
        return ()
    found = []
    for name in sorted(set(trial.slice)):
        at = np.array([i for i, s in enumerate(trial.slice) if s == name], dtype=np.int64)
        part = replace(trial.take(at), slice=None)
        quality, saving, _, _ = _estimate(part, chosen[at])
        own = name in steps and name != REST
        step = steps[name] if own else steps.get(REST, -1)
        found.append(
            SliceVerdict(name, len(at), step, quality, floors[name] if own else None, saving, own and step >= 0)
        )
    return tuple(found)
