"""Whether the lab's statistics keep their word, in simulation: intervals, verdicts, the planner, the frontier.

    python -m bench.lab_statistics [--runs 2000] [--seed 7] [--out bench/out]

Worlds whose truth is known are sampled again and again; each part counts how often what was said is not so. ``tests/statistics``
runs the same functions with fewer runs. Intervals are drawn with 4,000 weights here (20,000 in `compare`), which is only worse.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from bench import machine
from demitasse.lab.evals.frontier import Frontier, frontier
from demitasse.lab.evals.seen import Seen
from demitasse.stats import pareto
from demitasse.stats.bounded import BoundedMean, Floats
from demitasse.stats.intervals import clopper_pearson, wilson
from demitasse.stats.multiple import holm
from demitasse.stats.paired import Paired, paired, verdict
from demitasse.stats.power import Spread, needed

ALPHA, DRAWS = 0.05, 4_000
Rng = np.random.Generator
Pairs = tuple[Floats, Floats, list[str] | None]
"""Scores of candidate and reference, and clusters."""
World = Callable[[Rng, int], Pairs]


def holds(broken: int, runs: int, most: float) -> bool:
    """Whether so many broken promises are no evidence (99.9 %) against a chance of ``most``."""
    return clopper_pearson(broken, runs, 0.998)[0] <= most


# ── worlds of pairs, by their true difference ───────────────────────────────────────────────────────────────────────


def right_or_wrong(up: float, down: float) -> tuple[World, float]:
    """Only the candidate right, only the reference right; the rest alike."""

    def draw(rng: Rng, n: int) -> Pairs:
        kind = rng.choice(3, p=[up, down, 1 - up - down], size=n)
        alike = (rng.random(n) < 0.8).astype(float)
        return np.where(kind == 0, 1.0, np.where(kind == 1, 0.0, alike)), np.where(kind == 0, 0.0, np.where(kind == 1, 1.0, alike)), None  # fmt: skip

    return draw, up - down


def graded(difference: float) -> tuple[World, float]:
    """A judge's grades, alike but for noise; the candidate is moved by ``difference``."""

    def draw(rng: Rng, n: int) -> Pairs:
        base = rng.uniform(0.2, 0.8, n)
        return base + rng.uniform(-0.15, 0.15, n) + difference, base, None

    return draw, difference


def rare(chance: float, gain: float = 0.0) -> tuple[World, float]:
    """Nearly always a little better, seldom all wrong: a sample may not contain one."""

    def draw(rng: Rng, n: int) -> Pairs:
        fails = rng.random(n) < chance
        return np.where(fails, 0.0, 1.0), np.where(fails, 1.0, 1.0 - gain), None

    return draw, (1 - chance) * gain - chance


def sessions(up: float, down: float, size: int = 8) -> tuple[World, float]:
    """Clusters of 1 to ``size`` that mostly go well or badly as a whole; larger ones are no different."""

    def draw(rng: Rng, n: int) -> Pairs:
        sizes: list[int] = []
        while sum(sizes) < n:
            sizes.append(int(rng.integers(1, size + 1)))
        names = np.repeat(np.arange(len(sizes)), sizes)
        own = rng.choice(3, p=[up, down, 1 - up - down], size=len(sizes))[names]
        kind = np.where(rng.random(len(names)) < 0.8, own, rng.choice(3, p=[up, down, 1 - up - down], size=len(names)))
        return np.where(kind == 1, 0.0, 1.0), np.where(kind == 0, 0.0, 1.0), [str(i) for i in names]

    return draw, up - down


WORLDS: dict[str, tuple[World, float]] = {
    "no discordance": right_or_wrong(0.0, 0.0),
    "discordance 2 %": right_or_wrong(0.01, 0.01),
    "discordance 10 %": right_or_wrong(0.05, 0.05),
    "discordance 40 %": right_or_wrong(0.2, 0.2),
    "one way 2 %": right_or_wrong(0.0, 0.02),
    "one way 10 %": right_or_wrong(0.0, 0.1),
    "worse by 10 %": right_or_wrong(0.05, 0.15),
    "graded": graded(0.0),
    "graded, worse by 5 %": graded(-0.05),
    "rare failures 1 %": rare(0.01, 0.02),
    "rare failures 5 %": rare(0.05, 0.05),
    "sessions": sessions(0.1, 0.1),
    "sessions, one way": sessions(0.0, 0.1),
}
SIZES = (20, 60, 200, 400)
TANGO = ("discordance 2 %", "discordance 10 %", "discordance 40 %", "one way 10 %")


# ── intervals ───────────────────────────────────────────────────────────────────────────────────────────────────────


def cover(name: str, n: int, runs: int, seed: int) -> dict[str, Any]:
    """How often the truth lies below and above the 95 % interval, its mean length; beside it the percentile bootstrap's."""
    (world, truth), rng = WORLDS[name], np.random.default_rng([seed, n, len(name)])
    below = above = plain = 0
    length = 0.0
    for run in range(runs):
        c, r, clusters = world(rng, n)
        low, high = BoundedMean(c - r, clusters, bounds=(-1, 1), seed=run, draws=DRAWS).interval()
        below, above, length = below + (truth < low), above + (truth > high), length + high - low
        if run < 400:
            low, high = percentile(c - r, clusters, rng)
            plain += not low - 1e-12 <= truth <= high + 1e-12
    return {
        "runs": runs,
        "missed": (below + above) / runs,
        "below": below,
        "above": above,
        "length": round(length / runs, 4),
        "percentile_bootstrap_missed": plain / min(400, runs),
    }


def percentile(d: Floats, clusters: list[str] | None, rng: Rng, draws: int = 1_000) -> tuple[float, float]:
    """What is commonly done."""
    _, index = (None, np.arange(len(d))) if clusters is None else np.unique(clusters, return_inverse=True)
    sums, sizes = np.bincount(index, d), np.bincount(index)
    taken = rng.integers(0, len(sizes), (draws, len(sizes)))
    low, high = np.quantile(sums[taken].sum(axis=1) / sizes[taken].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def tango(up: int, down: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The score interval of Tango (1998) for paired right-or-wrong answers: what an interval for these alone may reach."""

    def score(d: float) -> float:
        b, c = -up - down + (2 * n - up + down) * d, -down * d * (1 - d)
        q = (np.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        return (up - down - n * d) / float(np.sqrt(max(n * (2 * q + d * (1 - d)), 1e-12)))

    ends = []
    for target in (z, -z):
        low, high = -1 + 1e-9, 1 - 1e-9
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if score(middle) > target else (low, middle)
        ends.append((low + high) / 2)
    return ends[0], ends[1]


def beside_tango(name: str, n: int, runs: int, seed: int) -> dict[str, Any]:
    """Mean lengths of both intervals, and how often either misses."""
    (world, truth), rng = WORLDS[name], np.random.default_rng([seed, n, 1])
    lengths, missed = np.zeros(2), np.zeros(2)
    for run in range(runs):
        c, r, _ = world(rng, n)
        ends = (
            BoundedMean(c - r, bounds=(-1, 1), seed=run, draws=DRAWS).interval(),
            tango(int((c > r).sum()), int((c < r).sum()), n),
        )
        lengths += [high - low for low, high in ends]
        missed += [not low <= truth <= high for low, high in ends]
    return {
        "runs": runs,
        "longer": round(float(lengths[0] / lengths[1]) - 1, 4),
        "missed": float(missed[0] / runs),
        "tango_missed": float(missed[1] / runs),
    }


def scores(rate: float, n: int, runs: int, seed: int) -> dict[str, Any]:
    """One model's share of right answers: Wilson's interval, and the bounded one that graded scores get."""
    rng = np.random.default_rng([seed, n, round(1000 * rate)])
    told = rng.binomial(n, rate, runs)
    ends = {int(k): (wilson(int(k), n), BoundedMean([1.0] * int(k) + [0.0] * (n - int(k)), draws=DRAWS).interval()) for k in set(told)}  # fmt: skip
    missed = [sum(not ends[int(k)][way][0] <= rate <= ends[int(k)][way][1] for k in told) / runs for way in (0, 1)]
    return {"runs": runs, "wilson_missed": missed[0], "bounded_missed": missed[1]}


# ── verdicts ────────────────────────────────────────────────────────────────────────────────────────────────────────

MARGIN = 0.05
AT_MARGIN: dict[str, World] = {
    "right or wrong": right_or_wrong(0.05, 0.1)[0],
    "one way": right_or_wrong(0.0, 0.05)[0],
    "graded": graded(-MARGIN)[0],
    "rare failures": rare(0.05)[0],
    "sessions": sessions(0.05, 0.1)[0],
}
EQUAL: dict[str, World] = {
    "right or wrong": right_or_wrong(0.08, 0.08)[0],
    "one way": right_or_wrong(0.001, 0.001)[0],
    "graded": graded(0.0)[0],
    "rare failures": rare(1 / 21, 0.05)[0],
    "sessions": sessions(0.08, 0.08)[0],
}


def judged(pairs: Pairs, seed: int, margin: float = MARGIN) -> Paired:
    c, r, clusters = pairs
    return paired(c, r, clusters, margin=margin, alpha=ALPHA, seed=seed, draws=DRAWS)


def errs(kind: str, n: int, runs: int, seed: int) -> dict[str, Any]:
    """At the margin and at equality: how often each verdict is given that is not so there."""
    rng = np.random.default_rng([seed, n, len(kind)])
    wrong = dict.fromkeys(("non-inferior", "inferior", "superior"), 0)
    for run in range(runs):
        found = judged(AT_MARGIN[kind](rng, n), run)
        wrong["non-inferior"] += found.p_non_inferior <= ALPHA / 2
        wrong["inferior"] += found.p_inferior <= ALPHA / 2
        found = judged(EQUAL[kind](rng, n), run)
        wrong["superior"] += found.p_superior <= ALPHA / 2
    return {"runs": runs, **{name: count / runs for name, count in wrong.items()}}


def hidden(n: int, runs: int, seed: int) -> dict[str, Any]:
    """At the margin, half of the candidate's failures come back without a score: held against it, and wrongly left out."""
    rng, world = np.random.default_rng([seed, n]), AT_MARGIN["right or wrong"]
    honest = naive = 0
    for run in range(runs):
        c, r, _ = world(rng, n)
        c = np.where((c == 0) & (rng.random(n) < 0.5), np.nan, c)
        honest += judged((c, r, None), run).p_non_inferior <= ALPHA / 2
        kept = ~np.isnan(c)
        naive += judged((c[kept], r[kept], None), run).p_non_inferior <= ALPHA / 2
    return {"runs": runs, "non-inferior": honest / runs, "non-inferior, unscored left out": naive / runs}


def family(candidates: int, n: int, runs: int, seed: int) -> dict[str, Any]:
    """So many candidates, all of them equal to the reference, or all at the margin: how often any of them gets a wrong verdict."""
    rng = np.random.default_rng([seed, n, candidates])
    superior = inferior = careless = 0
    for run in range(runs):
        reference = (rng.random(n) < 0.8).astype(float)
        flips = rng.random((candidates, n)) < 0.1
        p_up, p_down = [], []
        for flip in flips:
            c = np.where(flip, (rng.random(n) < 0.5).astype(float), reference)
            drift = 0.1 * (0.5 - 0.8)
            found = paired(c, reference, margin=-drift, alpha=ALPHA, seed=run, draws=DRAWS)
            p_up.append(found.p_non_inferior)
            p_down.append(found.p_inferior)
        superior += min(holm(p_up)) <= ALPHA / 2
        inferior += min(holm(p_down)) <= ALPHA / 2
        careless += min(p_up) <= ALPHA / 2
    return {"runs": runs, "up": superior / runs, "down": inferior / runs, "up without Holm": careless / runs}


# ── the planner ─────────────────────────────────────────────────────────────────────────────────────────────────────

PLANS = ((0.1, 0.0, 0.05), (0.1, 0.0, 0.02), (0.02, 0.0, 0.02), (0.3, 0.0, 0.05), (0.2, -0.1, 0.02), (0.05, 0.02, 0.02), (0.04, -0.04, 0.1))  # fmt: skip
"""Discordance, difference, margin."""


def planned(plan: tuple[float, float, float], runs: int, seed: int) -> dict[str, Any]:
    """With the n that should decide four times of five: how often the verdict is one."""
    discordance, difference, margin = plan
    n = needed(Spread.right_or_wrong(discordance, difference), margin=margin)
    assert n is not None
    world, _ = right_or_wrong((discordance + difference) / 2, (discordance - difference) / 2)
    rng, decided = np.random.default_rng([seed, n]), 0
    for run in range(runs):
        found = judged(world(rng, n), run, margin)
        decided += verdict(found.p_non_inferior, found.p_superior, found.p_inferior, alpha=ALPHA) != "inconclusive"
    return {"n": n, "runs": runs, "decided": decided / runs}


# ── the frontier ────────────────────────────────────────────────────────────────────────────────────────────────────

CURVES: dict[str, dict[str, tuple[float, float]]] = {
    "bend": {
        "a": (0.002, 0.45),
        "b": (0.01, 0.62),
        "c": (0.03, 0.8),
        "d": (0.3, 0.84),
        "e": (3.0, 0.88),
        "f": (0.2, 0.7),
    },
    "gentle": {"a": (0.01, 0.5), "b": (0.03, 0.6), "c": (0.1, 0.69), "d": (0.3, 0.75), "e": (1.0, 0.79)},
    "close": {"a": (0.01, 0.7), "b": (0.02, 0.79), "c": (0.05, 0.81), "d": (0.1, 0.82), "e": (0.3, 0.815)},
}
"""Candidates: USD per 1,000 calls, and chance to be right."""
WORTH = 0.005


def asked(curve: dict[str, tuple[float, float]], n: int, rng: Rng, size: int = 1) -> dict[str, list[Seen]]:
    """Hard questions are hard for all: a latent difficulty, shared within clusters of ``size``, and luck of each candidate's own."""
    shared = np.repeat(rng.standard_normal(-(-n // size)), size)[:n]
    told = {}
    for name, (cost, right) in curve.items():
        luck = np.sqrt(0.6) * shared + np.sqrt(0.4) * rng.standard_normal(n)
        value = luck < _quantile(right)
        price = 1e6 * cost * rng.gamma(4, 0.25, n)
        told[name] = [
            Seen(f"s{i}", float(value[i]), cluster=f"c{i // size}" if size > 1 else "", cost_nanos=float(price[i]))
            for i in range(n)
        ]
    return told


def _quantile(share: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)


def truth_of(curve: dict[str, tuple[float, float]]) -> tuple[set[str], str, str]:
    """Members of the true Pareto set, the true bend, the true knee by WORTH."""
    names = list(curve)
    cost, quality = np.array([curve[n][0] for n in names]), np.array([curve[n][1] for n in names])
    members = {names[i] for i in np.flatnonzero(pareto.front(cost, quality))}
    return members, names[int(pareto.bend(cost, quality))], names[int(pareto.worth_it(cost, quality, 100 * WORTH))]


def frontiers(name: str, n: int, runs: int, seed: int, size: int = 1) -> dict[str, Any]:
    """How often the knee's range holds the true knee, how many candidates it names; membership that is surely wrong; prices."""
    curve, rng = CURVES[name], np.random.default_rng([seed, n, len(name), size])
    members, bend, worth = truth_of(curve)
    hit = {"bend": 0, "worth": 0}
    named = {"bend": 0, "worth": 0}
    sure_wrong = dict.fromkeys(("out", "in"), 0)
    prices: list[bool] = []
    for run in range(runs):
        rows = asked(curve, n, rng, size)
        for way, right, value in (("bend", bend, None), ("worth", worth, WORTH)):
            found = frontier(rows, worth=value, seed=run)
            assert found.knee is not None
            hit[way] += right in found.knee.names
            named[way] += len(found.knee.names)
        sure_wrong["out"] += any((p.front_probability or 0) < 0.025 for p in found.drawn if p.name in members)
        sure_wrong["in"] += any((p.front_probability or 0) > 0.975 for p in found.drawn if p.name not in members)
        prices += list(_prices(found, curve))
    return {
        "runs": runs,
        **{f"{way} covered": hit[way] / runs for way in hit},
        **{f"{way} named": named[way] / runs for way in named},
        "a member surely out": sure_wrong["out"] / runs,
        "a beaten one surely in": sure_wrong["in"] / runs,
        "prices missed": 1 - sum(prices) / max(1, len(prices)),
    }


def _prices(found: Frontier, curve: dict[str, tuple[float, float]]) -> Sequence[bool]:
    """Whether each step's interval holds its true price; nothing to gain is a price without limit."""
    held = []
    for step in found.steps:
        (paid, gained) = (curve[step.above][i] - curve[step.below][i] for i in (0, 1))
        low, high = step.price_interval
        price = paid / (100 * gained) if gained > 0 else float("inf")
        held.append(low <= price and (high is None or price <= high))
    return held


# ── all of it ───────────────────────────────────────────────────────────────────────────────────────────────────────


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=machine.OUT)
    args = parser.parse_args()
    runs, seed = args.runs, args.seed
    begun = process_time()
    few = max(100, runs // 5)
    told = {
        "intervals": {
            f"{name}, n {n}": cover(name, n, runs if n <= 60 else few, seed) for name in WORLDS for n in SIZES
        },
        "beside Tango": {f"{name}, n {n}": beside_tango(name, n, runs, seed) for name in TANGO for n in SIZES},
        "scores": {
            f"{p:g}, n {n}": scores(p, n, 20 * runs, seed) for p in (0.01, 0.05, 0.5, 0.95, 0.99) for n in SIZES
        },
        "verdicts": {
            f"{kind}, n {n}": errs(kind, n, runs if n <= 60 else few, seed) for kind in AT_MARGIN for n in SIZES
        },
        "unscored": {f"n {n}": hidden(n, runs, seed) for n in (60, 200)},
        "families": {f"{k} candidates, n {n}": family(k, n, few, seed) for k in (5, 20) for n in (100,)},
        "plans": {
            f"discordance {a:g}, difference {b:g}, margin {c:g}": planned((a, b, c), few, seed) for a, b, c in PLANS
        },
        "frontiers": {f"{name}, n {n}": frontiers(name, n, few, seed) for name in CURVES for n in (60, 200, 600)}
        | {"bend, clusters of 5, n 300": frontiers("bend", 300, few, seed, size=5)},
    }
    result = {
        "command": f"python -m bench.lab_statistics --runs {runs} --seed {seed}",
        "seed": seed,
        "cpu_s": round(process_time() - begun, 1),
        "machine": machine.facts(),
        **told,
    }
    print(machine.write("lab_statistics", result, args.out))
    for part, rows in told.items():
        columns = list(next(iter(rows.values())))
        print(
            machine.table([[name, *(f"{row[c]:.4g}" for c in columns)] for name, row in rows.items()], [part, *columns])
        )


if __name__ == "__main__":
    main()
