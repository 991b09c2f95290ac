"""A certificate from a file of outcomes: learn a router on some rows, certify it on others, say what more would buy.

Knows rows with known scores; nothing of ledgers, routes or models. ``docs/certificates.md`` tells what is promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.policy import Baseline
from ..stats.betting import Floats, needed
from .baselines import baselines
from .certify import Trial, Verdict, certify, losses
from .outcomes import Outcomes, Rows, split
from .router import Router, aim, train

LEAST_SHARE, MOST_SHARE, GROWTH = 0.1, 1 / 3, 4_000
"""Of the rows, to learn from: a tenth where there are few, and 1/GROWTH more for each, to a third. Few rows prove more
than they teach."""
MORE = (1.0, 3.0, 9.0)
"""Multiples of today's rows that ``next_labels`` looks ahead to."""
MOST_AHEAD = 10_000
FUTURES = 7
COARSE = 4
"""Steps of the path that a look ahead skips over."""


@dataclass(frozen=True)
class SliceFound:
    """One slice: its own threshold, or the reference (None)."""

    name: str
    n: int
    threshold: float | None
    quality: float
    floor: float | None
    saving: float
    certified: bool
    step: int
    """Of the router's path; -1: the reference."""


@dataclass(frozen=True)
class Found:
    """What a file proves. Shares of what always-reference scores and costs."""

    certified: bool
    threshold: float | None
    """The small model serves where the score is at least this; None: nowhere."""
    quality: float
    floor: float
    saving: float
    saving_low: float
    saving_high: float
    delta: float
    wanted: float
    n_train: int
    n_certify: int
    baselines: tuple[Baseline, ...]
    slices: tuple[SliceFound, ...]
    next_labels: tuple[tuple[int, float], ...]
    just_switch: bool
    router: Router
    step: int
    """Of the router's path, for all that has no slice of its own; -1: the reference."""

    def served(self, rows: Outcomes) -> tuple[float, float]:
        """Quality and saving on rows that nothing was learned from or certified on, in expectation over the policy's chance."""
        p = self.chances(rows)
        quality = float((p * rows.cheap + (1 - p) * rows.reference).sum())
        cost = float((p * rows.cheap_cost + (1 - p) * rows.reference_cost).sum())
        full, paid = float(rows.reference.sum()), float(rows.reference_cost.sum())
        return (quality / full if full > 0 else 1.0), (1 - cost / paid if paid > 0 else 0.0)

    def chances(self, rows: Outcomes) -> Floats:
        """(rows,) with which the small model answers each."""
        step = np.full(len(rows), self.step)
        if rows.slice is not None and self.slices:
            own = {s.name: s.step for s in self.slices}
            step = np.array([own.get(name, self.step) for name in rows.slice], dtype=np.int64)
        found = self.router.chances(rows)[np.arange(len(rows)), np.maximum(step, 0)]
        return np.where(step < 0, 0.0, found)


def train_share(rows: int) -> float:
    """The part of so many rows that is learned from."""
    return min(MOST_SHARE, LEAST_SHARE + rows / GROWTH)


def certify_rows(
    rows: Outcomes, *, quality: float = 0.95, delta: float = 0.05, seed: int = 7, look_ahead: bool = True
) -> Found:
    """Learn on some of the rows, certify on the rest; rows that share a prompt or a session stay together.

    Args:
        look_ahead: also guess what more labels would buy, which takes longer than all else.
    """
    groups = rows.groups()
    learn, test = split(groups, train_share(len(rows)), seed)
    if rows.session is None:  # the same prompt again is no further evidence
        test = test[np.sort(np.unique(groups[test], return_index=True)[1])]
    learned, tested = rows.take(learn), rows.take(test)
    router = train(learned, len(tested))
    trial, hint = _trial(router, tested), _trial(router, learned)
    verdict = None
    if len(trial):
        verdict = certify(trial, quality=quality, delta=delta, hint=hint, spread=_spread(hint, trial, quality))
    told = verdict if verdict is not None and verdict.certified and verdict.saving > 0 else None
    slices = _slices(router, told) if told else ()
    return Found(
        certified=told is not None,
        threshold=_threshold(router, told, slices) if told else None,
        step=told.step if told else -1,
        quality=told.quality if told else 1.0,
        floor=told.floor if told else 1.0,
        saving=told.saving if told else 0.0,
        saving_low=told.saving_low if told else 0.0,
        saving_high=told.saving_high if told else 0.0,
        delta=delta,
        wanted=quality,
        n_train=len(learn),
        n_certify=len(test),
        baselines=baselines(tested.cheap, tested.reference, tested.cheap_cost, tested.reference_cost, quality=quality),
        slices=slices,
        next_labels=_ahead(router, learned, tested, quality, delta, seed) if look_ahead and len(tested) else (),
        just_switch=told is not None and _switch(router, told),
        router=router,
    )


def _trial(router: Router, rows: Outcomes) -> Trial:
    """The rows under each policy of the path. What chance would decide is weighed instead: the mean is the same, and surer."""
    p = router.chances(rows)
    return Trial(
        served=p * rows.cheap[:, None] + (1 - p) * rows.reference[:, None],
        cost=p * rows.cheap_cost[:, None] + (1 - p) * rows.reference_cost[:, None],
        reference=rows.reference,
        reference_cost=rows.reference_cost,
        weight=rows.weight,
        group=None if rows.session is None else _numbers(rows),
        slice=rows.slice,
        handed=p,
    )


def _spread(hint: Trial, trial: Trial, quality: float) -> Floats | None:
    """(steps,) what a tested unit's loss is expected to vary by: as the training sessions, on the scale of the tested ones."""
    if not len(hint):
        return None
    found, _ = losses(hint, quality)
    scale = _largest(hint) / _largest(trial)
    return np.asarray(np.sqrt((found**2).mean(axis=0)) * scale)


def _largest(trial: Trial) -> int:
    """Calls of the largest session."""
    return 1 if trial.group is None else int(np.unique(trial.group, return_counts=True)[1].max(initial=1))


def _numbers(rows: Outcomes) -> Rows | None:
    groups = rows.groups()
    return groups if len(np.unique(groups)) < len(groups) else None


def _at(router: Router, step: int) -> float | None:
    return router.threshold(step) if step >= 0 else None


def _slices(router: Router, verdict: Verdict) -> tuple[SliceFound, ...]:
    found: list[SliceFound] = []
    for s in verdict.slices:
        serves = s.certified and s.saving > 0
        step = s.step if serves or s.floor is None else -1
        found.append(SliceFound(s.name, s.n, _at(router, step), s.quality, s.floor, s.saving, serves, step))
    return tuple(found)


def _threshold(router: Router, verdict: Verdict, slices: Sequence[SliceFound]) -> float | None:
    """That of what has no slice of its own, else of the slice with most calls."""
    if verdict.step >= 0:
        return _at(router, verdict.step)
    own = [s for s in slices if s.certified]
    return max(own, key=lambda s: s.n).threshold if own else None


def _switch(router: Router, verdict: Verdict) -> bool:
    last = len(router.levels) - 1
    return {s.step for s in verdict.slices} | {verdict.step} == {last}


def _ahead(
    router: Router, learned: Outcomes, tested: Outcomes, quality: float, delta: float, seed: int
) -> tuple[tuple[int, float], ...]:
    """(further labels, about this saving): today's tested rows, drawn again as many times over.

    A guess: a router that learned from more would do better, and rows not seen yet may be unlike these.
    """
    rng = np.random.default_rng(seed)
    known = len(learned) + len(tested)
    least = min(needed(delta, 1 - quality, quality), MOST_AHEAD // 4)
    found: list[tuple[int, float]] = []
    for more in MORE:
        further = _round(max(more * known, 2 * more * least))
        if further > MOST_AHEAD and found:
            break
        n = round((known + further) * (1 - train_share(known + further)))
        sharper = _coarse(aim(router, learned, n))
        trial = replace(_trial(sharper, tested), group=None)
        hint = replace(_trial(sharper, learned), group=None)
        expected = _spread(hint, trial, quality)
        savings = []
        for _ in range(FUTURES):
            # a future is one of the populations that these rows may come from
            source = rng.integers(0, len(trial), len(trial))
            drawn = trial.take(source[rng.integers(0, len(trial), n)])
            future = certify(drawn, quality=quality, delta=delta, hint=hint, spread=expected)
            savings.append(max(0.0, future.saving) if future.certified else 0.0)
        found.append((further, float(np.median(savings))))
    return tuple(found)


def _coarse(router: Router) -> Router:
    at = slice(len(router.levels) % COARSE, None, COARSE)
    last = [-1] if (len(router.levels) - 1 - at.start) % COARSE else []
    return replace(
        router,
        levels=np.append(router.levels[at], router.levels[last]),
        widths=np.append(router.widths[at], router.widths[last]),
    )


def _round(labels: float) -> int:
    scale: int = 10 ** max(0, len(str(int(labels))) - 2)
    return int(-(-labels // scale) * scale)
