"""A certificate from a file of outcomes: learn a router on some rows, certify it on others, say what more would buy.

Knows rows with known scores; nothing of ledgers, routes or models. ``docs/certificates.md`` tells what is promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.policy import Baseline
from ..score.features import NAMES, features
from ..stats.betting import Floats, needed
from .baselines import baselines
from .certify import Trial, Verdict, certify, losses
from .outcomes import Outcomes, Rows, split
from .uplift import Uplift, fit

TRAIN_SHARE = 0.25
STEPS = 20
MORE = (1.0, 3.0, 9.0)
"""Multiples of today's rows that ``next_labels`` looks ahead to."""
MOST_AHEAD = 10_000
FUTURES = 5
LUCK = 0.02
"""Added to every expected loss: an estimate near nothing is mostly luck, and of two such the dearer call saves more."""


@dataclass(frozen=True)
class Router:
    """A score for each prompt, higher is safer: minus the expected loss, per share of the reference's cost."""

    uplift: Uplift
    slices: tuple[str, ...]
    mean_cost: float

    def scores(self, rows: Outcomes) -> Floats:
        """(rows,) one minus the expected loss; where calls differ in price, per price of a mean call."""
        expected = self.uplift.expected(_matrix(rows, self.slices)) + LUCK
        relative = np.clip(rows.reference_cost / self.mean_cost, 0.1, 10.0) if self.mean_cost > 0 else 1.0
        return np.asarray(1 - expected / relative)


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
    rest: bool = True
    """What belongs to no slice of its own may be served by the small model too."""

    def served(self, rows: Outcomes) -> tuple[float, float]:
        """Quality and saving of the policy on rows that it was neither learned nor certified on."""
        cheap = self._cheap(rows)
        quality = float(np.where(cheap, rows.cheap, rows.reference).sum())
        cost = float(np.where(cheap, rows.cheap_cost, rows.reference_cost).sum())
        full, paid = float(rows.reference.sum()), float(rows.reference_cost.sum())
        return (quality / full if full > 0 else 1.0), (1 - cost / paid if paid > 0 else 0.0)

    def _cheap(self, rows: Outcomes) -> Floats:
        rest = self.threshold if self.rest else None
        least = np.full(len(rows), np.inf if rest is None else rest)
        if rows.slice is not None and self.slices:
            own = {s.name: np.inf if s.threshold is None else s.threshold for s in self.slices}
            least = np.array([own.get(name, least[i]) for i, name in enumerate(rows.slice)])
        return np.asarray(self.router.scores(rows) >= least)


def certify_rows(rows: Outcomes, *, quality: float = 0.95, delta: float = 0.05, seed: int = 7) -> Found:
    """Learn on about a quarter of the rows, certify on the rest; rows that share a prompt or a session stay together."""
    groups = rows.groups()
    learn, test = split(groups, TRAIN_SHARE, seed)
    if rows.session is None:  # the same prompt again is no further evidence
        test = test[np.sort(np.unique(groups[test], return_index=True)[1])]
    train, trial_rows = rows.take(learn), rows.take(test)
    router = learn_router(train)
    path = _path(router, train)
    trial, hint = _trial(router, path, trial_rows), _trial(router, path, train)
    if not len(trial):
        return Found(
            False,
            None,
            1.0,
            1.0,
            0.0,
            0.0,
            0.0,
            delta,
            quality,
            len(learn),
            0,
            (),
            (),
            (),
            just_switch=False,
            router=router,
        )
    verdict = certify(trial, quality=quality, delta=delta, hint=hint, spread=_spread(hint, trial, quality))
    saves = verdict.certified and verdict.saving > 0
    slices = _slices(path, verdict) if saves else ()
    null = baselines(
        trial_rows.cheap, trial_rows.reference, trial_rows.cheap_cost, trial_rows.reference_cost, quality=quality
    )
    return Found(
        certified=saves,
        threshold=_threshold(path, verdict, slices) if saves else None,
        quality=verdict.quality if saves else 1.0,
        floor=verdict.floor if saves else 1.0,
        saving=verdict.saving if saves else 0.0,
        saving_low=verdict.saving_low if saves else 0.0,
        saving_high=verdict.saving_high if saves else 0.0,
        delta=delta,
        wanted=quality,
        n_train=len(learn),
        n_certify=len(test),
        baselines=null,
        slices=slices,
        next_labels=_ahead(rows, trial, hint, quality, delta, seed),
        just_switch=saves and verdict.step == len(path) - 1 and all(s.step == verdict.step for s in verdict.slices),
        router=router,
        rest=verdict.step >= 0,
    )


def learn_router(train: Outcomes) -> Router:
    """A router from training rows alone."""
    names = tuple(sorted({name for name in train.slice if name})) if train.slice is not None else ()
    mean_cost = float(train.reference_cost.mean()) if len(train) else 0.0
    if not len(train):
        return Router(Uplift(np.zeros(1), np.ones(1), np.zeros((2, 2))), (), 0.0)
    return Router(fit(_matrix(train, names), train.cheap, train.reference), names, mean_cost)


def _matrix(rows: Outcomes, slices: Sequence[str]) -> Floats:
    """(rows, features): the prompts' features, and one column for each slice."""
    found = np.array([features(prompt) for prompt in rows.prompts], dtype=float).reshape(len(rows), len(NAMES))
    if not slices or rows.slice is None:
        return found if not slices else np.column_stack([found, np.zeros((len(rows), len(slices)))])
    place = {name: i for i, name in enumerate(slices)}
    own = np.zeros((len(rows), len(slices)))
    for i, name in enumerate(rows.slice):
        if name in place:
            own[i, place[name]] = 1.0
    return np.column_stack([found, own])


def _path(router: Router, train: Outcomes) -> Floats:
    """(steps,) thresholds from the most careful to the cheapest, each a further twentieth of what the reference costs; the
    last serves the small model always. Chosen on training rows alone."""
    scores = router.scores(train)
    order = np.argsort(-scores, kind="stable")
    spent = np.cumsum(train.reference_cost[order])
    if not len(order) or spent[-1] <= 0:
        return np.array([-np.inf])
    ends = np.searchsorted(spent, spent[-1] * np.arange(1, STEPS) / STEPS)
    cuts = np.unique(scores[order[np.minimum(ends, len(order) - 1)]])[::-1]
    return np.append(cuts, -np.inf)


def _trial(router: Router, path: Floats, rows: Outcomes) -> Trial:
    cheap = router.scores(rows)[:, None] >= path
    return Trial(
        served=np.where(cheap, rows.cheap[:, None], rows.reference[:, None]),
        cost=np.where(cheap, rows.cheap_cost[:, None], rows.reference_cost[:, None]),
        reference=rows.reference,
        reference_cost=rows.reference_cost,
        group=None if rows.session is None else _numbers(rows),
        slice=rows.slice,
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


def _at(path: Floats, step: int) -> float | None:
    if step < 0:
        return None
    return float(path[step]) if np.isfinite(path[step]) else ALWAYS


ALWAYS = -1e9
"""A threshold that every score passes: the small model serves all. JSON knows no infinity."""


def _slices(path: Floats, verdict: Verdict) -> tuple[SliceFound, ...]:
    found: list[SliceFound] = []
    for s in verdict.slices:
        serves = s.certified and s.saving > 0
        threshold = _at(path, s.step) if serves or s.floor is None else None
        found.append(SliceFound(s.name, s.n, threshold, s.quality, s.floor, s.saving, serves))
    return tuple(found)


def _threshold(path: Floats, verdict: Verdict, slices: Sequence[SliceFound]) -> float | None:
    """That of what has no slice of its own, else of the slice with most calls."""
    if verdict.step >= 0:
        return _at(path, verdict.step)
    own = [s for s in slices if s.certified]
    return max(own, key=lambda s: s.n).threshold if own else None


def _ahead(
    rows: Outcomes, trial: Trial, hint: Trial, quality: float, delta: float, seed: int
) -> tuple[tuple[int, float], ...]:
    """(further labels, about this saving): today's certifying rows, drawn again as many times over; the router stays.

    A guess: a router that learned from more would do better, and rows not seen yet may be unlike these.
    """
    rng = np.random.default_rng(seed)
    expected = _spread(replace(hint, group=None), replace(trial, group=None), quality)
    found: list[tuple[int, float]] = []
    least = needed(delta, 1 - quality)
    for more in MORE:
        further = _round(max(more * len(rows), 2 * more * least))
        if further > MOST_AHEAD and found:
            break
        n = len(trial) + round(further * (1 - TRAIN_SHARE))
        savings = []
        for _ in range(FUTURES):
            drawn = replace(trial.take(rng.integers(0, len(trial), n)), group=None)
            future = certify(
                drawn,
                quality=quality,
                delta=delta,
                spread=expected,
            )
            savings.append(max(0.0, future.saving) if future.certified else 0.0)
        found.append((further, float(np.median(savings))))
    return tuple(found)


def _round(labels: float) -> int:
    scale: int = 10 ** max(0, len(str(int(labels))) - 2)
    return int(-(-labels // scale) * scale)
