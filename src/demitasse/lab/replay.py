"""Another policy over the past: what it would have cost and kept, and how well each part of that is known.

Knows entries, labels and a policy; knows no file, no model and no text. Three kinds of call are told apart:
*exact*, where the answer that the policy would have given was given then or by a shadow call; *estimated*, where calls of
the same slice were drawn at random and stand for it (inverse-propensity weights on what a price card alone would have
said: the difference estimator of Cassel, Särndal and Wretman 1976, which off-policy evaluation calls doubly robust); and
*modelled*, where nothing was drawn and only the price card speaks. Of quality, a model says nothing: there it is unknown.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import NamedTuple, Protocol

from msgspec import Struct

from ..core.entry import Entry, Grade
from ..core.evidence import OWN_KEYS, Answered, Label
from ..core.policy import Action, Policy, Setting, choose
from ..score.scorer import alone
from ..stats.intervals import wilson

Z95 = 1.959964
MOST_WORST = 20
FEWEST_DRAWN = 10
"""Fewer sessions than this stand for nobody but themselves: below some twenty the intervals cover nearer 90 than 95 %."""
SERVED_FROM_CACHE = frozenset({"exact", "coalesced", "semantic"})


class Scorer(Protocol):
    """A policy's learned part; higher scores are safer."""

    def prompt_score(self, features: Sequence[float], slice: str) -> float: ...

    def draft_score(self, features: Sequence[float], marks: Sequence[float], slice: str) -> float: ...


Price = Callable[[Entry, str], int | None]
"""What one call would have cost, in nanos, had the model of this name used the same tokens; None: it has no price."""

Features = Callable[[Entry], tuple[float, ...]]
"""A prompt's features from its kept body; empty where no body is kept."""


class Estimate(Struct, frozen=True):
    """A figure with its 95 % interval. ``low == high`` where it is exact."""

    value: float
    low: float
    high: float
    grade: Grade


class Part(Struct, frozen=True):
    """One slice's calls under the other policy. Money in nanos."""

    name: str
    calls: int
    exact: int
    estimated: int
    modelled: int
    unpriced: int
    """Calls left out of both sums, because a model that was or would be asked has no price."""
    paid_nanos: int
    would_nanos: Estimate
    quality: Estimate | None
    """Share of what always-reference scores; None: nothing is known."""
    cheap_share: float | None
    """Share of the calls that the small model's answer would have served, as far as it can be told."""


class Worse(Struct, frozen=True):
    """A call that the policy would have answered with the small model, and the chance that this is worse."""

    id: str
    slice: str
    chance: float
    known: bool
    """The two answers were compared; else it is the policy's own score."""
    cheap_entry: str = ""
    reference_entry: str = ""


class Replayed(Struct, frozen=True):
    """The whole stretch, and its slices."""

    route: str
    policy: str
    total: Part
    slices: tuple[Part, ...]
    worst: tuple[Worse, ...]


class _Fate(Struct):
    """What the policy would have done with one call, as far as it is known."""

    entry: Entry
    label: Label | None
    action: Action | None
    served: str = ""
    """``cheap`` or ``reference``, where it is known which answer would have been given."""
    cost: int | None = None
    """Known, not modelled."""
    model_cost: int | None = None
    large: int | None = None
    """What the reference would have cost by its card."""
    drawn: bool = False
    """A shadow call drew it by chance, so that it may stand for others."""
    loss: float | None = None
    """1 - the given answer's share of the reference's score, where it is known."""


def replay(
    entries: Iterable[Entry],
    labels: Iterable[Label],
    policy: Policy,
    *,
    scorer: Scorer | None,
    price: Price,
    features: Features = lambda _entry: (),
) -> Replayed:
    """``policy`` over the route's calls of the past.

    Args:
        entries: any entries; calls of other routes, own calls, and what no model answered are passed over.
        labels: evidence about them, any source; a vote weighs more than a judge, a judge more than nothing.
        scorer: the policy's, or None where its settings need no score.
        price: price cards over tokens, for what was never asked.
    """
    of = _by_call(labels)
    fates: dict[str, list[_Fate]] = defaultdict(list)
    for entry in entries:
        if entry.route != policy.route or entry.key in OWN_KEYS or entry.outcome != "answered":
            continue
        if entry.cache in SERVED_FROM_CACHE:
            continue
        slice = dict(entry.tags).get("task", "")
        fates[slice].append(_fate(entry, of.get(entry.id), policy, slice, scorer, price, features))
    parts = tuple(_part(name, found) for name, found in sorted(fates.items()))
    everything = [fate for found in fates.values() for fate in found]
    return Replayed(policy.route, policy.id, _total(parts), parts, _worst(everything, policy, scorer))


def _by_call(labels: Iterable[Label]) -> dict[str, Label]:
    """One label per call: people over machines, and of the same kind the later."""
    weight = {"shadow": 1, "vote": 2}
    best: dict[str, Label] = {}
    for label in labels:
        if label.source not in weight:
            continue
        known = best.get(label.id)
        if known is None or weight[label.source] >= weight[known.source]:
            best[label.id] = label
    return best


def _fate(
    entry: Entry,
    label: Label | None,
    policy: Policy,
    slice: str,
    scorer: Scorer | None,
    price: Price,
    features: Features,
) -> _Fate:
    setting = policy.of(slice)
    fixed = setting.direct in (inf, -inf) and setting.draft in (inf, -inf)
    seen: tuple[float, ...] = ()
    action: Action | None = choose(setting, 0.0) if fixed else None
    if scorer is not None and (action is None or action == "draft"):
        seen = (label.features if label is not None else ()) or features(entry)
        if action is None and seen:
            action = choose(setting, scorer.prompt_score(seen, slice))
    small, large = price(entry, policy.cheap), price(entry, policy.reference)
    fate = _Fate(entry, label, action, large=large, drawn=label is not None and label.propensity > 0)
    asked = {attempt.model for attempt in entry.attempts}
    cheap = _answer(label, policy.cheap)
    reference = label.reference if label is not None else None
    known_small = entry.cost_nanos if asked == {policy.cheap} else cheap.cost_nanos if cheap is not None else None
    known_large = (
        entry.cost_nanos if asked == {policy.reference} else reference.cost_nanos if reference is not None else None
    )
    if action == "reference":
        fate.served, fate.loss = "reference", 0.0
        fate.cost, fate.model_cost = known_large, large
    elif action == "cheap":
        fate.served = "cheap"
        fate.cost, fate.model_cost = known_small, small
        fate.loss = _loss(cheap, reference)
    elif action == "draft":
        # Until drafts were seen, each is taken to be refused: the dearest that can happen.
        may_ask = (small, large, *((price(entry, policy.second or ""),) if _may_ask_second(policy, setting) else ()))
        fate.model_cost = None if None in may_ask else sum(nanos or 0 for nanos in may_ask)
        verdict = _judged(label, cheap, seen, policy, slice, scorer) if cheap is not None and seen else None
        if verdict is not None:
            fate.served = "cheap" if verdict.stands else "reference"
            fate.loss = _loss(cheap, reference) if verdict.stands else 0.0
            costs = (known_small, verdict.second_nanos, 0 if verdict.stands else known_large)
            fate.cost = None if None in costs else sum(nanos or 0 for nanos in costs)
    else:
        fate.model_cost = large
    return fate


class _Verdict(NamedTuple):
    stands: bool
    second_nanos: int | None
    """What the second opinion cost; 0 where none was asked for."""


def _judged(
    label: Label | None, cheap: Answered, seen: Sequence[float], policy: Policy, slice: str, scorer: Scorer | None
) -> _Verdict | None:
    """The verdict on a draft, as the gateway comes to it: by itself, and beside a second answer only where that is asked for.
    None: not all of what it needs is known."""
    if scorer is None or not cheap.marks:
        return None
    setting = policy.of(slice)
    score = scorer.draft_score(seen, alone(cheap.marks), slice)
    if not _may_ask_second(policy, setting) or score >= setting.second:
        return _Verdict(score >= setting.accept, 0)
    second = _answer(label, policy.second)
    if second is None:
        return None
    return _Verdict(scorer.draft_score(seen, cheap.marks, slice) >= setting.accept, second.cost_nanos)


def _may_ask_second(policy: Policy, setting: Setting) -> bool:
    return policy.second is not None and setting.second > -inf


def _answer(label: Label | None, model: str | None) -> Answered | None:
    if label is None:
        return None
    return next((answered for answered in label.others if answered.model == model), None)


def _loss(cheap: Answered | None, reference: Answered | None) -> float | None:
    if cheap is None or cheap.score is None:
        return None
    best = 1.0 if reference is None or reference.score is None else reference.score
    return best - cheap.score


def _part(name: str, fates: Sequence[_Fate]) -> Part:
    priced = [f for f in fates if f.entry.cost_nanos is not None and (f.cost is not None or f.model_cost is not None)]
    exact = [f for f in priced if f.cost is not None and f.loss is not None]
    stand = len({_cluster(f) for f in fates if _drawn(f)}) >= FEWEST_DRAWN
    rest = len(priced) - len(exact)
    served = [f.served for f in fates if f.served]
    return Part(
        name=name,
        calls=len(fates),
        exact=len(exact),
        estimated=rest if stand else 0,
        modelled=0 if stand else rest,
        unpriced=len(fates) - len(priced),
        paid_nanos=sum(f.entry.cost_nanos or 0 for f in priced),
        would_nanos=_cost(priced),
        quality=_quality(fates),
        cheap_share=served.count("cheap") / len(served) if served else None,
    )


def _cost(fates: Sequence[_Fate]) -> Estimate:
    """The sum of costs: known ones as they were, the others as modelled, corrected by what the drawn ones show."""
    known = float(sum(f.cost for f in fates if f.cost is not None))
    parts = [Estimate(known, known, known, "A")]
    for action, unknown in _by_action(f for f in fates if f.cost is None).items():
        modelled = float(sum(f.model_cost or 0 for f in unknown))
        shifts = [
            (_cluster(f), _weight(f), float(f.cost - base))
            for f in fates
            if _stands_for(f, action)
            and f.cost is not None
            and (base := f.large if action is None else f.model_cost) is not None
        ]
        if len({cluster for cluster, _, _ in shifts}) < FEWEST_DRAWN:
            parts.append(Estimate(modelled, modelled, modelled, "C"))
            continue
        mean, half = _weighted_mean(shifts)
        value, half = modelled + len(unknown) * mean, half * len(unknown)
        parts.append(Estimate(value, max(0.0, value - half), value + half, "B"))
    return _together([(1.0, part) for part in parts])


def _quality(fates: Sequence[_Fate]) -> Estimate | None:
    """1 - the mean loss: known ones as they are, the others as those that were drawn. None: for some, nothing speaks."""
    if not fates:
        return None
    value = 1 - math.fsum(f.loss for f in fates if f.loss is not None) / len(fates)
    parts = [(1.0, Estimate(value, value, value, "A"))]
    for action, unknown in _by_action(f for f in fates if f.loss is None).items():
        judged = [(_cluster(f), _weight(f), f.loss) for f in fates if _stands_for(f, action) and f.loss is not None]
        if len({cluster for cluster, _, _ in judged}) < FEWEST_DRAWN:
            return None
        mean, half = _weighted_mean(judged)
        low, high = _bounded(mean, half, judged)
        parts.append((len(unknown) / len(fates), Estimate(-mean, -high, -low, "B")))
    return _together(parts)


def _by_action(fates: Iterable[_Fate]) -> dict[Action | None, list[_Fate]]:
    found: dict[Action | None, list[_Fate]] = defaultdict(list)
    for fate in fates:
        found[fate.action].append(fate)
    return found


def _drawn(fate: _Fate) -> bool:
    return fate.label is not None and fate.drawn


def _stands_for(fate: _Fate, action: Action | None) -> bool:
    """Whether a drawn call says something about calls with this action; those of unknown action are like all of them."""
    return _drawn(fate) and (action is None or fate.action == action)


def _weight(fate: _Fate) -> float:
    assert fate.label is not None
    return 1 / fate.label.propensity


def _weighted_mean(found: Sequence[tuple[str, float, float]]) -> tuple[float, float]:
    """The mean of (cluster, weight, value) and half its 95 % interval, clusters being drawn together (Hájek; linearised,
    with Student's quantile for as many clusters as their weights are worth)."""
    total = math.fsum(w for _, w, _ in found)
    mean = math.fsum(w * v for _, w, v in found) / total
    by_cluster: dict[str, float] = defaultdict(float)
    for cluster, w, v in found:
        by_cluster[cluster] += w * (v - mean)
    m, worth = len(by_cluster), _worth(found)
    variance = math.fsum(r * r for r in by_cluster.values()) / (total * total) * m / (m - 1)
    return mean, _student(max(1.0, worth - 1)) * math.sqrt(variance)


def _student(freedom: float) -> float:
    """Student's two-sided 95 % quantile (expansion in 1/freedom, Abramowitz & Stegun 26.7.5)."""
    z = Z95
    one = (z**3 + z) / 4
    two = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    three = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + one / freedom + two / freedom**2 + three / freedom**3


def _bounded(mean: float, half: float, found: Sequence[tuple[str, float, float]]) -> tuple[float, float]:
    """An interval for a mean loss that stays honest when no loss was seen: never narrower than Wilson's on as many
    clusters as their weights are worth."""
    worth = _worth(found)
    low, high = wilson(min(max(mean, 0.0), 1.0) * worth, worth)
    return min(low, mean - half), max(high, mean + half)


def _worth(found: Sequence[tuple[str, float, float]]) -> float:
    """How many equal clusters would say as much (Kish 1965)."""
    weights: dict[str, float] = defaultdict(float)
    for cluster, w, _ in found:
        weights[cluster] += w
    return math.fsum(weights.values()) ** 2 / math.fsum(w * w for w in weights.values())


def _cluster(fate: _Fate) -> str:
    return fate.entry.session or fate.entry.id


def _total(parts: Sequence[Part]) -> Part:
    calls = sum(p.calls for p in parts)
    shares = [(p.calls, p.cheap_share) for p in parts if p.cheap_share is not None]
    known = sum(n for n, _ in shares)
    return Part(
        name="",
        calls=calls,
        exact=sum(p.exact for p in parts),
        estimated=sum(p.estimated for p in parts),
        modelled=sum(p.modelled for p in parts),
        unpriced=sum(p.unpriced for p in parts),
        paid_nanos=sum(p.paid_nanos for p in parts),
        would_nanos=_together([(1.0, p.would_nanos) for p in parts]),
        quality=_together([(p.calls / calls, p.quality) for p in parts if p.quality is not None])
        if calls and all(p.quality is not None for p in parts)
        else None,
        cheap_share=math.fsum(n * share for n, share in shares) / known if known else None,
    )


def _together(parts: Sequence[tuple[float, Estimate]]) -> Estimate:
    """A weighted sum of independent estimates; its interval's halves add up as squares."""
    value = math.fsum(w * e.value for w, e in parts)
    below = math.sqrt(math.fsum((w * (e.value - e.low)) ** 2 for w, e in parts))
    above = math.sqrt(math.fsum((w * (e.high - e.value)) ** 2 for w, e in parts))
    grade: Grade = max((e.grade for _, e in parts), default="A")
    return Estimate(value, value - below, value + above, grade)


def _worst(fates: Sequence[_Fate], policy: Policy, scorer: Scorer | None) -> tuple[Worse, ...]:
    found = []
    for fate in fates:
        if fate.served != "cheap":
            continue
        label, slice = fate.label, dict(fate.entry.tags).get("task", "")
        cheap = _answer(label, policy.cheap)
        chance = fate.loss
        if chance is None and scorer is not None and label is not None and label.features:
            chance = 1 - scorer.prompt_score(label.features, slice)
        if chance is None or chance <= 0:
            continue
        found.append(
            Worse(
                id=fate.entry.id,
                slice=slice,
                chance=min(1.0, chance),
                known=fate.loss is not None,
                cheap_entry=cheap.entry if cheap is not None else "",
                reference_entry=label.reference.entry if label is not None and label.reference is not None else "",
            )
        )
    return tuple(sorted(found, key=lambda w: (-w.chance, not w.known, w.id))[:MOST_WORST])
