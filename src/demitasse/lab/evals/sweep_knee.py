"""Trials of settings as points with intervals, and where more throughput stops being worth the waiting. Pure numpy.

Intervals are of a Bayesian bootstrap (Rubin, 1981) over repeats, with weights that all settings share, and within a repeat
over its calls. With one repeat nothing is known of how repeats differ, and the intervals are too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from msgspec import Struct

from ...stats.bounded import Floats
from ...stats.pareto import NONE, bend
from .sweep import Setting, Trial

DRAWS: Final = 2_000
LEVEL: Final = 0.95

SETTLED: Final = 0.5
"""Share of the draws that must have a knee in one place before it is chosen by itself."""

Aim = Literal["knee", "throughput", "latency"]


class Figure(Struct, frozen=True):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


class Point(Struct, frozen=True):
    """One setting over all its repeats. None: not told by the system."""

    setting: Setting
    repeats: int
    calls: int
    failed: int
    out_per_s: Figure
    in_per_s: Figure
    calls_per_s: Figure
    p50_ms: Figure
    p95_ms: Figure
    cpu_s_per_1k: Figure | None
    """CPU seconds of the engine for a thousand tokens, in and out."""
    energy_j_per_call: tuple[float, float] | None
    energy_method: str
    rss_bytes: int | None
    contended: int
    """Repeats in which others used the machine."""
    others_cores: float | None
    steal_share: float | None
    load: float | None


class Knee(Struct, frozen=True):
    """Where throughput against a cost bends, and how sure that is."""

    against: Literal["latency", "energy"]
    setting: Setting | None
    """None: no bend."""
    share: float
    """Of the draws that have it there."""
    range: tuple[Setting, ...]
    """The settings that together hold 95 % of the draws; most first."""
    none_share: float
    """Of the draws that have no bend."""

    @property
    def settled(self) -> bool:
        """Whether it is where it is in most draws; else another day may put it elsewhere, or find none."""
        return self.setting is not None and self.share >= SETTLED


class Found(Struct, frozen=True):
    """A whole sweep."""

    points: tuple[Point, ...]
    knees: tuple[Knee, ...]
    best: dict[Aim, Setting | None]
    lost: tuple[tuple[Setting, str], ...]
    """Settings that could not be measured, and why."""


def analyse(trials: Sequence[Trial], *, seed: int = 7, draws: int = DRAWS) -> Found:
    """What the trials say. Of several attempts at a repeat the least disturbed counts."""
    kept: dict[Setting, dict[int, Trial]] = {}
    lost: dict[Setting, str] = {}
    for trial in trials:
        if trial.failed or not trial.answered:
            lost[trial.setting] = trial.failed or next((c.failed for c in trial.calls), "no call was answered")
            continue
        mine = kept.setdefault(trial.setting, {})
        known = mine.get(trial.repeat)
        if known is None or _disturbed(trial) < _disturbed(known):
            mine[trial.repeat] = trial
    settings = sorted(kept)
    repeats = sorted({repeat for mine in kept.values() for repeat in mine})
    rng = np.random.default_rng(seed)
    weights = rng.standard_exponential((draws + 1, len(repeats)))
    weights[0] = 1.0  # the estimate itself
    by_repeat = {repeat: weights[:, at] for at, repeat in enumerate(repeats)}
    made = [_drawn([*kept[setting].values()], by_repeat, rng) for setting in settings]
    points = tuple(
        _point(setting, [*kept[setting].values()], drawn) for setting, drawn in zip(settings, made, strict=True)
    )
    knees: list[Knee] = []
    best: dict[Aim, Setting | None] = {"knee": None, "throughput": None, "latency": None}
    if settings:
        speed = np.column_stack([drawn["out"] for drawn in made])
        wait = np.column_stack([drawn["p95"] for drawn in made])
        knees.append(_knee("latency", settings, wait, speed))
        if all(drawn["cpu"].size for drawn in made):
            knees.append(_knee("energy", settings, np.column_stack([drawn["cpu"] for drawn in made]), speed))
        best = {
            "knee": knees[0].setting if knees[0].settled else None,
            "throughput": settings[int(speed[0].argmax())],
            "latency": settings[int(wait[0].argmin())],
        }
    done = {setting: why for setting, why in lost.items() if setting not in kept}
    return Found(points, tuple(knees), best, tuple(sorted(done.items())))


def _disturbed(trial: Trial) -> tuple[bool, float]:
    return trial.busy.contended, trial.busy.others_cores or 0.0


def _drawn(trials: Sequence[Trial], weights: dict[int, Floats], rng: np.random.Generator) -> dict[str, Floats]:
    """(draws + 1,) of each figure; the first is the estimate."""
    count = len(next(iter(weights.values())))
    sums = {name: np.zeros(count) for name in ("wall", "out", "in", "calls", "cpu")}
    timed = all(trial.cpu_s is not None for trial in trials)
    latencies: list[float] = []
    each: list[Floats] = []
    for trial in trials:
        weight = weights[trial.repeat]
        tokens_out = sum(call.tokens_out for call in trial.answered)
        tokens_in = sum(call.tokens_in for call in trial.answered)
        for name, value in (
            ("wall", trial.busy.wall_s),
            ("out", tokens_out),
            ("in", tokens_in),
            ("calls", len(trial.answered)),
            ("cpu", trial.cpu_s or 0.0),
        ):
            sums[name] += weight * value
        for call in trial.answered:
            own = rng.standard_exponential(count)
            own[0] = 1.0
            latencies.append(call.latency_ms)
            each.append(weight * own)
    order = np.argsort(latencies)
    sorted_ms = np.asarray(latencies)[order]
    share = np.cumsum(np.asarray(each)[order], axis=0)
    share = share / share[-1]
    tokens = np.maximum(sums["out"] + sums["in"], 1e-9)
    return {
        "out": sums["out"] / sums["wall"],
        "in": sums["in"] / sums["wall"],
        "calls": sums["calls"] / sums["wall"],
        "cpu": 1000 * sums["cpu"] / tokens if timed else np.empty(0),
        "p50": sorted_ms[(share >= 0.5 - 1e-12).argmax(axis=0)],
        "p95": sorted_ms[(share >= 0.95 - 1e-12).argmax(axis=0)],
    }


def _point(setting: Setting, trials: Sequence[Trial], drawn: dict[str, Floats]) -> Point:
    joules = [trial.energy_uj for trial in trials]
    calls = sum(len(trial.answered) for trial in trials)
    told = all(joules) and calls
    return Point(
        setting=setting,
        repeats=len(trials),
        calls=calls,
        failed=sum(len(trial.calls) - len(trial.answered) for trial in trials),
        out_per_s=_figure(drawn["out"]),
        in_per_s=_figure(drawn["in"]),
        calls_per_s=_figure(drawn["calls"]),
        p50_ms=_figure(drawn["p50"]),
        p95_ms=_figure(drawn["p95"]),
        cpu_s_per_1k=_figure(drawn["cpu"]) if drawn["cpu"].size else None,
        energy_j_per_call=(
            sum(one[0] for one in joules if one) / calls / 1e6,
            sum(one[1] for one in joules if one) / calls / 1e6,
        )
        if told
        else None,
        energy_method="/".join(sorted({trial.energy_method for trial in trials if trial.energy_method})),
        rss_bytes=max((trial.rss_bytes for trial in trials if trial.rss_bytes), default=None),
        contended=sum(trial.busy.contended for trial in trials),
        others_cores=_mean([trial.busy.others_cores for trial in trials]),
        steal_share=_mean([trial.busy.steal_share for trial in trials]),
        load=_mean([trial.busy.load_before for trial in trials]),
    )


def _figure(draws: Floats) -> Figure:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws[1:], [tail, 1 - tail])
    value = float(draws[0])
    return Figure(value, min(float(low), value), max(float(high), value))


def _mean(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return sum(told) / len(told) if told else None


def _knee(against: Literal["latency", "energy"], settings: Sequence[Setting], cost: Floats, speed: Floats) -> Knee:
    found = bend(cost, speed)
    counts = {int(at): int(n) for at, n in zip(*np.unique(found[1:], return_counts=True), strict=True)}
    none, total = counts.pop(NONE, 0), len(found) - 1
    held, chosen = 0, []
    for at, n in sorted(counts.items(), key=lambda pair: -pair[1]):
        if held >= LEVEL * (total - none):
            break
        held += n
        chosen.append(settings[at])
    at = int(found[0])
    return Knee(
        against=against,
        setting=None if at == NONE else settings[at],
        share=counts.get(at, 0) / total,
        range=tuple(chosen),
        none_share=none / total,
    )
