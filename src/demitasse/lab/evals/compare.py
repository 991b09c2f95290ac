"""One verdict on two evaluations of the same samples: non-inferior, superior, inferior or inconclusive, and why.

Regressions between versions of a model or a prompt are the same question: the reference is what was there before. Pure;
knows no files, asks no model. The statistics are ``stats.paired``'s.

What is not known is held against a verdict, never for one. A sample that one of the two has no score for counts as the worst
for whoever claims something: unscored on the candidate's side it is wrong where "non-inferior" is claimed and right where
"inferior" is. Samples that only one of them was asked are left out and counted; that is sound only while nobody
chose them by how they went, so the comparison says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct, structs

from ...stats import paired as pairs
from ...stats.bounded import BoundedMean, Floats, design_effect
from ...stats.intervals import wilson
from ...stats.multiple import holm
from ...stats.paired import McNemar, Paired, Table, Verdict
from ...stats.power import Spread, detectable, needed
from ...stats.quantiles import Quantile, quantile
from .result import EvaluationError
from .seen import UNREAD, Seen

MARGIN = 0.02
ALPHA = 0.05
POWER = 0.8
"""With which ``mde`` and ``n_needed`` are told."""


class Side(Struct, frozen=True):
    """One of the two, on the samples that both were asked."""

    name: str
    quality: float | None
    """Mean score of the samples it has a score on; None: of none."""
    interval: tuple[float, float] | None
    unread: int
    """Answers that could not be read: not in the form asked for, cut off, empty, refused. They count 0."""
    wrong: int
    """Read, and not wholly right."""
    unscored: int
    errors: int
    """Of those unscored, the ones that no answer came for."""
    cost_nanos: float | None
    """Of one call on average; None as soon as one is unpriced."""
    latency_ms: dict[str, Quantile]
    """``p50`` and ``p95``, with their intervals from order statistics."""


class Change(Struct, frozen=True):
    """A sample on which the two differ."""

    sample: str
    slice: str
    candidate: float
    reference: float
    failure: str
    """Why the worse answer could not be read; empty where it was read and wrong."""


class Part(Struct, frozen=True):
    """One slice. The interval is its own; the verdict has been held to Holm's level over all slices."""

    name: str
    n: int
    candidate: float | None
    reference: float | None
    difference: float
    interval: tuple[float, float]
    verdict: Verdict


class Comparison(Struct, frozen=True):
    """What two evaluations say of each other."""

    verdict: Verdict
    margin: float
    alpha: float
    """All wrong verdicts together are that probable, at most."""
    difference: float
    """Candidate less reference, on the samples that both have a score on."""
    interval: tuple[float, float]
    """Of level 1 - alpha; where scores are unknown it reaches to what they could be."""
    worse: bool
    """Provably worse than the reference, by whatever little; decides nothing."""
    candidate: Side
    reference: Side
    n: int
    """Pairs: samples that both were asked."""
    clusters: int
    unscored: int
    """Pairs of which one side at least has no score."""
    only_candidate: int
    """Samples that only the candidate was asked; left out."""
    only_reference: int
    p: Paired
    p_adjusted: tuple[float, float, float] | None
    """Of non-inferior, superior, inferior after Holm, where several candidates were compared; None for one."""
    table: Table
    mcnemar: McNemar | None
    """None where some scores lie between 0 and 1, or samples hang together."""
    mde: float
    """How far from the margin the truth must lie for so many samples to show it, four times of five."""
    n_needed: int | None
    """Samples that would decide, four times of five, if the truth is what was seen; None: it lies at the margin."""
    n_if_equal: int | None
    """The same if the two are truly equal; None where the margin is 0."""
    cost_ratio: float | None
    """Candidate's cost over the reference's, on the pairs; None: unknown, or the reference costs nothing."""
    slices: tuple[Part, ...]
    regressions: tuple[Change, ...]
    """Samples on which the candidate does worse; the largest fall first."""
    fixes: tuple[Change, ...]
    notes: tuple[str, ...]
    """What a reader must know before believing it."""


def compare(
    candidate: Sequence[Seen],
    reference: Sequence[Seen],
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    names: tuple[str, str] = ("candidate", "reference"),
    seed: int = 7,
) -> Comparison:
    """Hold the candidate against the reference on the samples that both were asked.

    Args:
        margin: how much worse is still as good, in points / 100; fix it before you look.
        alpha: probability of a wrong verdict, at most.
        seed: of the weights that intervals are drawn with.

    Raises:
        EvaluationError: they share no sample.
    """
    both = _pair(candidate, reference, names)
    ours, theirs = [c for c, _ in both], [r for _, r in both]
    c, r = _scores(ours), _scores(theirs)
    clusters = _clusters(theirs)
    found = pairs.paired(c, r, clusters, margin=margin, alpha=alpha, seed=seed)
    seen = pairs.differences(c, r)
    table = pairs.table(c, r)
    plain = clusters is None and table.both + table.only_candidate + table.only_reference + table.neither == len(seen)
    effect = design_effect(np.nan_to_num(c - r), clusters)
    spread = Spread.seen(seen)
    changes = [_change(one, other) for one, other in both if _differs(one, other)]
    only = len(candidate) - len(both), len(reference) - len(both)
    unscored = int((np.isnan(c) | np.isnan(r)).sum())
    costs = _cost(ours), _cost(theirs)
    return Comparison(
        verdict=pairs.verdict(found.p_non_inferior, found.p_superior, found.p_inferior, alpha=alpha),
        margin=margin,
        alpha=alpha,
        difference=found.difference,
        interval=found.interval,
        worse=found.p_worse <= alpha / 2,
        candidate=_side(names[0], ours, clusters, costs[0], 1 - alpha, seed),
        reference=_side(names[1], theirs, clusters, costs[1], 1 - alpha, seed),
        n=found.n,
        clusters=found.clusters,
        unscored=unscored,
        only_candidate=only[0],
        only_reference=only[1],
        p=found,
        p_adjusted=None,
        table=table,
        mcnemar=pairs.mcnemar(table) if plain else None,
        mde=detectable(found.n, spread, alpha=alpha, power=POWER, effect=effect),
        n_needed=needed(spread, margin=margin, alpha=alpha, power=POWER, effect=effect),
        n_if_equal=needed(Spread.seen(seen, at=0.0), margin=margin, alpha=alpha, power=POWER, effect=effect),
        cost_ratio=costs[0] / costs[1] if costs[0] is not None and costs[1] else None,
        slices=_slices(theirs, c, r, clusters, margin, alpha, seed),
        regressions=tuple(
            sorted((x for x in changes if x.candidate < x.reference), key=lambda x: x.candidate - x.reference)
        ),
        fixes=tuple(sorted((x for x in changes if x.candidate > x.reference), key=lambda x: x.reference - x.candidate)),
        notes=_notes(names, len(both), only, unscored),
    )


def compare_all(
    candidates: Mapping[str, Sequence[Seen]],
    reference: Sequence[Seen],
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    reference_name: str = "reference",
    seed: int = 7,
) -> list[Comparison]:
    """Several candidates against one reference, in the order given.

    Each kind of verdict is held to Holm's level: that any candidate at all is wrongly called non-inferior has probability
    alpha/2 at most, and the same goes for superior and for inferior.
    """
    found = [
        compare(rows, reference, margin=margin, alpha=alpha, names=(name, reference_name), seed=seed)
        for name, rows in candidates.items()
    ]
    adjusted = _adjusted([one.p for one in found])
    return [
        one if len(found) == 1 else structs.replace(one, p_adjusted=p, verdict=pairs.verdict(*p, alpha=alpha))
        for one, p in zip(found, adjusted, strict=True)
    ]


# ── pairs ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pair(candidate: Sequence[Seen], reference: Sequence[Seen], names: tuple[str, str]) -> list[tuple[Seen, Seen]]:
    ours = {one.sample: one for one in candidate}
    both = [(ours[one.sample], one) for one in reference if one.sample in ours]
    if not both:
        raise EvaluationError(
            f"'{names[0]}' and '{names[1]}' share no sample, so there is nothing to compare; evaluate both on the same "
            "task, with the same number of samples and the same seed"
        )
    return both


def _scores(side: Sequence[Seen]) -> Floats:
    return np.array([np.nan if one.value is None else one.value for one in side])


def _clusters(side: Sequence[Seen]) -> list[str] | None:
    """Names; None where all samples stand alone."""
    names = [one.cluster or f"\0{one.sample}" for one in side]
    return None if len(set(names)) == len(names) else names


def _differs(one: Seen, other: Seen) -> bool:
    return one.value is not None and other.value is not None and one.value != other.value


def _change(one: Seen, other: Seen) -> Change:
    ours, theirs = one.value or 0.0, other.value or 0.0
    return Change(one.sample, other.slice, ours, theirs, one.failure if ours < theirs else other.failure)


# ── sides and slices ────────────────────────────────────────────────────────────────────────────────────────────────


def _side(
    name: str, side: Sequence[Seen], clusters: Sequence[str] | None, cost: float | None, level: float, seed: int
) -> Side:
    known = [i for i, one in enumerate(side) if one.value is not None]
    values = np.array([side[i].value for i in known], dtype=float)
    named = None if clusters is None else [clusters[i] for i in known]
    late = [one.latency_ms for one in side if one.latency_ms is not None]
    return Side(
        name=name,
        quality=float(values.mean()) if known else None,
        interval=score_interval(values, named, level=level, seed=seed) if known else None,
        unread=sum(one.failure in UNREAD for one in side),
        wrong=sum(one.value is not None and one.value < 1 and one.failure not in UNREAD for one in side),
        unscored=len(side) - len(known),
        errors=sum(one.failure == "error" for one in side),
        cost_nanos=cost,
        latency_ms={key: quantile(late, q, level) for key, q in (("p50", 0.5), ("p95", 0.95))} if late else {},
    )


def score_interval(
    values: Floats, clusters: Sequence[str] | None, *, level: float = 0.95, seed: int = 7
) -> tuple[float, float]:
    """Of a mean score: Wilson's for right-or-wrong answers that stand alone, else ``stats.bounded``'s."""
    if clusters is None and bool(np.all((values == 0) | (values == 1))):
        return wilson(int(values.sum()), len(values), level)
    return BoundedMean(values, clusters, seed=seed).interval(level)


def _cost(side: Sequence[Seen]) -> float | None:
    """Of one call on average; calls that no answer came for may have cost something too, and count if it is known."""
    costs = [one.cost_nanos for one in side if not (one.failure == "error" and one.cost_nanos is None)]
    known = [cost for cost in costs if cost is not None]
    return sum(known) / len(known) if known and len(known) == len(costs) else None


def _slices(
    side: Sequence[Seen],
    c: Floats,
    r: Floats,
    clusters: Sequence[str] | None,
    margin: float,
    alpha: float,
    seed: int,
) -> tuple[Part, ...]:
    names = sorted({one.slice for one in side})
    if len(names) < 2:
        return ()
    found = []
    for name in names:
        at = np.array([i for i, one in enumerate(side) if one.slice == name])
        own = None if clusters is None else [clusters[i] for i in at]
        found.append((at, pairs.paired(c[at], r[at], own, margin=margin, alpha=alpha, seed=seed)))
    adjusted = _adjusted([one for _, one in found])
    return tuple(
        Part(
            name=name or "(none)",
            n=one.n,
            candidate=_mean(c[at]),
            reference=_mean(r[at]),
            difference=one.difference,
            interval=one.interval,
            verdict=pairs.verdict(*p, alpha=alpha),
        )
        for name, (at, one), p in zip(names, found, adjusted, strict=True)
    )


def _mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _adjusted(found: Sequence[Paired]) -> list[tuple[float, float, float]]:
    columns = (
        holm([one.p_non_inferior for one in found]),
        holm([one.p_superior for one in found]),
        holm([one.p_inferior for one in found]),
    )
    return list(zip(*columns, strict=True))


def _notes(names: tuple[str, str], n: int, only: tuple[int, int], unscored: int) -> tuple[str, ...]:
    notes = []
    for name, count in zip(names, only, strict=True):
        if count:
            notes.append(
                f"{count} samples that only '{name}' was asked are left out; compared are the {n} that both were. "
                "That is sound unless they were chosen by how they went."
            )
    if unscored:
        notes.append(
            f"{unscored} of {n} samples lack a score on one side at least; the verdict holds whatever they would have been."
        )
    return tuple(notes)
