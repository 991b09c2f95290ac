"""What candidates of a frontier share: the samples that can be counted, and what each costs on an axis. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from .result import EvaluationError
from .seen import Seen

Axis = Literal["money", "energy", "latency"]
UNITS: dict[Axis, str] = {"money": "USD per 1,000 calls", "energy": "Wh per 1,000 calls", "latency": "ms per call"}


def told_of(candidates: Mapping[str, Sequence[Seen]]) -> tuple[dict[str, Sequence[Seen]], dict[str, str]]:
    """Those that have scores, and why the others are left out: one that nobody scored must not take all samples along."""
    told, blind = {}, {}
    for name, rows in candidates.items():
        count = sum(known(one) for one in rows)
        if rows and count >= len(rows) / 2:
            told[name] = rows
        else:
            blind[name] = f"only {count} of its {len(rows)} answers have a score"
    return told, blind


def known(one: Seen) -> bool:
    return one.value is not None or one.failure == "error"


def value(one: Seen) -> float:
    """A sample that no answer came for is one that the candidate did not solve."""
    return one.value or 0.0


def common(candidates: Mapping[str, Sequence[Seen]]) -> tuple[list[str], tuple[str, ...]]:
    asked = [{one.sample for one in rows} for rows in candidates.values()]
    shared, everything = set.intersection(*asked), set.union(*asked)
    scored = [{one.sample for one in rows if known(one)} for rows in candidates.values()]
    usable = shared.intersection(*scored)
    if not usable:
        raise EvaluationError(
            "there is no sample that all candidates were asked and have a score on; evaluate them on the same task, with the "
            "same number of samples and the same seed"
        )
    notes = []
    if len(shared) < len(everything):
        notes.append(f"Of {len(everything)} samples all candidates were asked {len(shared)}; the others are left out.")
    if len(usable) < len(shared):
        notes.append(f"{len(shared) - len(usable)} samples that one of them has no score on are left out for all.")
    errors = sum(one.failure == "error" and one.sample in usable for rows in candidates.values() for one in rows)
    if errors:
        notes.append(f"{errors} samples that no answer came for count as not solved.")
    first = next(iter(candidates.values()))
    return [one.sample for one in first if one.sample in usable], tuple(notes)


def costs_of(rows: Mapping[str, Seen], samples: Sequence[str], axis: Axis) -> tuple[list[float], str]:
    """Of each sample in the axis' unit, or why not."""
    found = [_cost(rows[sample], axis) for sample in samples]
    priced = [cost for cost in found if cost is not None]
    if len(priced) == len(found):
        return priced, ""
    # a call that failed may have no price; those that answered must have one
    lacking = sum(c is None and rows[s].failure != "error" for c, s in zip(found, samples, strict=True))
    if lacking or not priced:
        what = {"money": "price", "energy": "energy figure", "latency": "latency"}[axis]
        return [], f"no {what} for {lacking or len(found)} of {len(found)} calls"
    mean = sum(priced) / len(priced)
    return [mean if cost is None else cost for cost in found], ""


def _cost(one: Seen, axis: Axis) -> float | None:
    if axis == "money":
        return None if one.cost_nanos is None else one.cost_nanos / 1e6
    if axis == "energy":
        return None if one.energy_uj is None else one.energy_uj / 3.6e6
    return one.latency_ms


def mixed(
    rows: Mapping[str, Mapping[str, Seen]],
    samples: Sequence[str],
    axis: Axis,
    costs: Mapping[str, tuple[list[float], str]],
) -> dict[str, str]:
    """Energy that was got by another method than most: such figures are never compared."""
    if axis != "energy":
        return {}
    methods = {
        name: {rows[name][s].energy_method for s in samples if rows[name][s].energy_uj is not None}
        for name, (_, why) in costs.items()
        if not why
    }
    pure = [next(iter(found)) for found in methods.values() if len(found) == 1]
    usual = max(sorted({m for m in pure if m}), key=pure.count, default=None)
    return {
        name: f"its energy is {' and '.join(sorted(m or 'of unknown method' for m in found))}, that of the others {usual}"
        for name, found in methods.items()
        if found != {usual}
    }
