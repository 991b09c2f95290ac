"""What a model loses when a question is put another way: the drop per kind of perturbation, the worst case, the pull of places.

Reads the rows of the clean run and of each perturbed one, paired by sample. A kind that changes nothing in a sample has no row
for it, so each drop is told on the samples that the kind did change. Three figures stand beside each other, since a mean alone
hides falls behind lucky rises, and a model that is mostly wrong has little to lose: the drop of the mean, the share of answers
that were right and no longer are, and the number of wrong ones that became right. Pure; knows no files and no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct, structs

from ...stats.intervals import wilson
from ...stats.multiple import holm
from ...stats.paired import paired
from ..tasks import positions
from ..tasks.task import Sample
from .result import EvaluationError, Row
from .seen import UNREAD, Seen, seen

ALPHA = 0.05


class Drop(Struct, frozen=True):
    """One kind of perturbation beside the clean run, on the samples that it changed."""

    kind: str
    n: int
    """Samples with a row in both runs."""
    clean: float | None
    perturbed: float | None
    """Mean scores over the samples that both runs have a score on; None: there are none."""
    drop: float
    """Clean less perturbed, in points / 100; below 0 the perturbed run did better."""
    interval: tuple[float, float]
    """Of level 1 - alpha. Where a score is unknown it reaches to what it could be."""
    p: float
    """Of "it loses nothing", one-sided, after Holm over all kinds that were run."""
    lost: int
    """Samples that were wholly right and are not with the perturbation."""
    right: int
    """Samples that were wholly right in the clean run, and have a score in both."""
    lost_interval: tuple[float, float]
    """Of ``lost / right`` (Wilson); (0, 1) where nothing was right."""
    gained: int
    """Samples that were not wholly right and are with the perturbation."""
    unread: int
    """Perturbed answers that could not be read: not in the form asked for, cut off, empty, refused. They count 0."""
    unread_clean: int
    unscored: int
    significant: bool = False
    """Whether ``p`` is alpha / 2 at most: it loses something; said wrongly of any kind at all with that probability."""


class Consistency(Struct, frozen=True):
    """Whether the same option is picked wherever it stands."""

    n: int
    """Samples that were asked in two orders at least."""
    same: int
    """Samples in which every order got the same option (unread answers are none)."""
    interval: tuple[float, float]
    """Of ``same / n`` (Wilson)."""
    picked: dict[str, float]
    """Share of readable answers that pick each place, over samples asked in all their orders; without a pull of positions
    every place gets the same. Places are letters, of labels numbers from 1."""
    answers: int
    """Readable answers behind ``picked``."""


class Robustness(Struct, frozen=True):
    """How a model bears questions put another way."""

    n: int
    """Samples of the clean run that have a score."""
    clean: float
    drops: tuple[Drop, ...]
    worst: str
    """The kind with the largest drop; empty where none was run."""
    worst_case: float
    """Mean over samples of the lowest score among the clean run and all perturbed ones."""
    held: int
    """Samples that were wholly right and stayed so under every kind they were put under."""
    right: int
    """Samples that were wholly right in the clean run."""
    held_interval: tuple[float, float]
    """Of ``held / right`` (Wilson)."""
    consistency: Consistency | None
    """None where no position was run."""
    alpha: float


def robustness(
    clean: Sequence[Row],
    perturbed: Mapping[str, Sequence[Row]],
    *,
    samples: Mapping[str, Sample] | None = None,
    labels: Sequence[str] = (),
    alpha: float = ALPHA,
    seed: int = 7,
) -> Robustness:
    """Hold each perturbed run against the clean one.

    Args:
        clean: rows of the task as it is; repeats are averaged.
        perturbed: rows of each kind, under the names of ``perturb.variants``.
        samples: the clean samples by id: which option a letter meant before it was moved. Without them a choice's letters
            cannot be told apart from its options, and ``consistency`` is that of labels.
        labels: of a label task, in the clean order: which place a label had in each other one.
        alpha: of intervals, and of the family of all kinds.
        seed: of the weights that intervals are drawn with.

    Raises:
        EvaluationError: the clean run has no score.
    """
    base = {one.sample: one for one in seen(clean)}
    scored = {name: one.value for name, one in base.items() if one.value is not None}
    if not scored:
        raise EvaluationError(
            "the clean run has no score, so there is nothing that could be lost; look at its failures"
        )
    runs = {kind: {one.sample: one for one in seen(rows)} for kind, rows in perturbed.items()}
    raw = [_drop(kind, base, run, alpha, seed) for kind, run in runs.items()]
    drops = [(drop, p) for drop, p in raw if drop.n]
    adjusted = holm([p for _, p in drops])
    found = tuple(
        structs.replace(drop, p=p, significant=p <= alpha / 2) for (drop, _), p in zip(drops, adjusted, strict=True)
    )
    lowest = {name: min([value, *_values(runs, name)]) for name, value in scored.items()}
    right = [name for name, value in scored.items() if value == 1]
    held = sum(lowest[name] == 1 for name in right)
    turned = {kind: rows for kind, rows in perturbed.items() if kind.startswith("position")}
    return Robustness(
        n=len(scored),
        clean=float(np.mean(list(scored.values()))),
        drops=found,
        worst=max(found, key=lambda one: one.drop).kind if found else "",
        worst_case=float(np.mean(list(lowest.values()))),
        held=held,
        right=len(right),
        held_interval=wilson(held, len(right), 1 - alpha),
        consistency=consistency(clean, turned, samples or {}, labels, alpha=alpha) if turned else None,
        alpha=alpha,
    )


def consistency(
    clean: Sequence[Row],
    turned: Mapping[str, Sequence[Row]],
    samples: Mapping[str, Sample],
    labels: Sequence[str] = (),
    *,
    alpha: float = ALPHA,
) -> Consistency:
    """Whether the same option is picked in every order. ``turned``: rows under ``position:1``, ``position:2``, …"""
    meant: dict[str, list[str]] = {}
    placed: dict[str, list[str]] = {}
    for by, rows in ((0, clean), *((int(kind.partition(":")[2] or 1), rows) for kind, rows in turned.items())):
        for row in rows:
            if row.repeat:
                continue
            said = "" if row.score.failure else row.score.said
            sample = samples.get(row.sample)
            known = sample is not None and bool(sample.choices)
            meant.setdefault(row.sample, []).append(
                positions.original(sample, said, by) if known and sample is not None else said
            )
            if said and known:
                placed.setdefault(row.sample, []).append(said)
            elif said in labels:
                placed.setdefault(row.sample, []).append(str((labels.index(said) + by) % len(labels) + 1))
    asked = {name: told for name, told in meant.items() if len(told) > 1}
    same = sum(len(set(told)) == 1 and bool(told[0]) for told in asked.values())
    whole = [
        letter
        for name, letters in placed.items()
        if len(meant[name])
        == (len(labels) or len(samples[name].choices))  # every order: no place had better options than another
        for letter in letters
    ]
    return Consistency(
        n=len(asked),
        same=same,
        interval=wilson(same, len(asked), 1 - alpha),
        picked={letter: whole.count(letter) / len(whole) for letter in sorted(set(whole))},
        answers=len(whole),
    )


def _drop(kind: str, base: Mapping[str, Seen], run: Mapping[str, Seen], alpha: float, seed: int) -> tuple[Drop, float]:
    """The drop, with its p-value before Holm."""
    both = [(one, run[name]) for name, one in base.items() if name in run]
    if not both:
        return Drop(kind, 0, None, None, 0.0, (-1.0, 1.0), 1.0, 0, 0, (0.0, 1.0), 0, 0, 0, 0), 1.0
    before = np.array([np.nan if one.value is None else one.value for one, _ in both])
    after = np.array([np.nan if other.value is None else other.value for _, other in both])
    names = [one.cluster or f"\0{one.sample}" for one, _ in both]
    clusters = None if len(set(names)) == len(names) else names
    found = paired(after, before, clusters, margin=0.0, alpha=alpha, seed=seed)
    known = ~(np.isnan(before) | np.isnan(after))
    was, now = before[known] == 1, after[known] == 1
    lost, right = int((was & ~now).sum()), int(was.sum())
    return Drop(
        kind=kind,
        n=len(both),
        clean=float(before[known].mean()) if known.any() else None,
        perturbed=float(after[known].mean()) if known.any() else None,
        drop=-found.difference,
        interval=(-found.interval[1], -found.interval[0]),
        p=found.p_worse,
        lost=lost,
        right=right,
        lost_interval=wilson(lost, right, 1 - alpha),
        gained=int((~was & now).sum()),
        unread=sum(other.failure in UNREAD for _, other in both),
        unread_clean=sum(one.failure in UNREAD for one, _ in both),
        unscored=int((~known).sum()),
    ), found.p_worse


def _values(runs: Mapping[str, Mapping[str, Seen]], name: str) -> list[float]:
    found = [run[name].value for run in runs.values() if name in run]
    return [value for value in found if value is not None]
