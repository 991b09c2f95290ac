"""Routing GPT-4-1106 and Mixtral-8x7B on RouteLLM's MMLU and GSM8K outcomes: how good the router is, and what is certified.

    python -m bench.routing routellm [--splits 200] [--seeds 20] [--labels 200 400 …] [--out bench/out]

APGR, CPT(50) and CPT(80) as RouteLLM defines them (arXiv 2406.18665, section 2.3), learned from a fifth of the labels, on the
other four fifths, over many random parts; contaminated rows are dropped, as RouteLLM does. Then certified saving: so many
labelled calls in all, to learn from and to certify with, and all other rows to see whether the promise was kept. A call costs
as RouteLLM says, $24.7 and $0.24 per million tokens; calls are taken to be of one length (``call``: what published savings
count), or as long as their prompts (``token``). Beside it what is usually shipped: the best threshold on the same calibration
rows. Questions alone, and with MMLU's 57 subjects known as slices.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import machine
from demitasse.lab.offline import certify_rows, train_share
from demitasse.lab.outcomes import Outcomes, split
from demitasse.lab.router import matrix, train
from demitasse.stats.intervals import clopper_pearson

DATA = Path(__file__).parents[3] / "shared" / "data" / "routellm" / "mmlu_gsm8k.parquet"
USD = {"cheap": 0.24, "reference": 24.7}
QUALITY, DELTA = 0.95, 0.05
PUBLISHED = {"mmlu": {"RouteLLM, best": 0.603, "prompt-only prototype": 0.649}, "gsm8k": {"RouteLLM, best": 0.622, "prompt-only prototype": 0.603}}  # fmt: skip
GOALS = {200: 0.16, 400: 0.22, 800: 0.30, 1600: 0.35, 3200: 0.39}
"""Of MMLU, where calls cost alike."""


def outcomes(bench: str, costs: str, *, tasks: bool) -> Outcomes:
    """All rows of one benchmark that nobody may have been trained on."""
    import pyarrow.parquet as pq

    wanted = ["bench", "task", "prompt", "weak_ok", "strong_ok", "contaminated"]
    told = pq.read_table(DATA, columns=wanted).to_pylist()
    rows = [row for row in told if row["bench"] == bench and not row["contaminated"]]
    prompts = [row["prompt"] for row in rows]
    size = np.array([len(prompt) / 4 for prompt in prompts]) if costs == "token" else np.ones(len(rows))
    found = Outcomes(
        prompts,
        np.array([float(row["weak_ok"]) for row in rows]),
        np.array([float(row["strong_ok"]) for row in rows]),
        size * USD["cheap"] / 1e6,
        size * USD["reference"] / 1e6,
        [row["task"] for row in rows] if tasks else None,
    )
    return replace(found, features=matrix(found))


# ── the router alone ────────────────────────────────────────────────────────────────────────────────────────────────


def curve(uplift: np.ndarray, rows: Outcomes) -> dict[str, float]:
    """APGR, and the share of calls to the large model that recovers 50 and 80 % of the gap."""
    order = np.argsort(-uplift, kind="stable")
    gain = np.concatenate([[0.0], np.cumsum((rows.reference - rows.cheap)[order])])
    recovered = gain / gain[-1]
    asked = np.linspace(0, 1, len(recovered))
    return {
        "apgr": float(np.trapezoid(recovered, asked)),
        "cpt50": float(asked[np.argmax(recovered >= 0.5)]),
        "cpt80": float(asked[np.argmax(recovered >= 0.8)]),
    }


def routing(rows: Outcomes, seeds: int) -> dict[str, Any]:
    found = []
    for seed in range(seeds):
        order = np.random.default_rng([seed, 20]).permutation(len(rows))
        fifth = len(rows) // 5
        router = train(rows.take(order[:fifth]), 1)
        rest = rows.take(order[fifth:])
        found.append(curve(router.expected(rest)[0], rest))
    told: dict[str, Any] = {"rows": len(rows), "learned_from": len(rows) // 5, "seeds": seeds}
    for name in found[0]:
        values = np.array([f[name] for f in found])
        told[name] = {"mean": round(float(values.mean()), 4), "standard_error": round(float(values.std(ddof=1) / seeds**0.5), 4)}  # fmt: skip
    return told


# ── what is certified ───────────────────────────────────────────────────────────────────────────────────────────────


def naive(labelled: Outcomes, everybody: Outcomes, seed: int) -> np.ndarray:
    """(rows,) 1 where the small model answers: the cheapest threshold that keeps the promise on the calibration rows, which
    is what is usually shipped."""
    learn, test = split(labelled.groups(), train_share(len(labelled)), seed)
    router, rows = train(labelled.take(learn), len(test)), labelled.take(test)
    lost, saved = router.expected(rows)
    order = np.argsort(lost / saved)
    served = rows.reference.sum() + np.cumsum((rows.cheap - rows.reference)[order])
    fine = np.flatnonzero(served >= QUALITY * rows.reference.sum())
    most = (lost / saved)[order[fine[-1]]] if len(fine) else -np.inf
    lost, saved = router.expected(everybody)
    return np.asarray(lost / saved <= most, dtype=float)


def does(p: np.ndarray, rows: Outcomes, at: np.ndarray) -> tuple[float, float]:
    """Quality and saving where each of the rows ``at`` has the chance ``p`` of the small model."""
    p, cheap, reference = p[at], rows.cheap[at], rows.reference[at]
    small, large = rows.cheap_cost[at], rows.reference_cost[at]
    quality = float((p * cheap + (1 - p) * reference).sum() / reference.sum())
    return quality, float(1 - (p * small + (1 - p) * large).sum() / large.sum())


def saving(rows: Outcomes, labels: int, splits: int) -> dict[str, Any]:
    """Certified and naive savings over random draws of the labelled rows.

    A promise is held against the rows that were not drawn, and against all rows: it is of the population that the labelled
    rows were drawn from; those not drawn are a little worse wherever the drawn ones were lucky.
    """
    certified, whole, shipped, ahead, nothing = [], [], [], [], 0
    all_rows = np.arange(len(rows))
    for seed in range(splits):
        order = np.random.default_rng([seed, labels]).permutation(len(rows))
        labelled, rest = rows.take(order[:labels]), order[labels:]
        found = certify_rows(labelled, quality=QUALITY, delta=DELTA, seed=seed, look_ahead=seed < 10)
        p = found.chances(rows)
        certified.append(does(p, rows, rest))
        whole.append(does(p, rows, all_rows))
        nothing += not found.certified
        shipped.append(does(naive(labelled, rows, seed), rows, rest))
        ahead += [dict(found.next_labels)] if found.next_labels else []
    return {
        "labels": labels,
        "splits": splits,
        "certified": facts(certified),
        "certified_population": facts(whole),
        "nothing_certified": round(nothing / splits, 4),
        "best_threshold_on_calibration": facts(shipped),
        "foreseen": {
            str(more): round(float(np.mean([a[more] for a in ahead])), 4) for more in (ahead[0] if ahead else ())
        },
    }


def facts(found: list[tuple[float, float]]) -> dict[str, Any]:
    quality, saved = (np.array(column) for column in zip(*found, strict=True))
    broken = int((quality < QUALITY).sum())
    low, high = clopper_pearson(broken, len(found))
    return {
        "saving_mean": round(float(saved.mean()), 4),
        "saving_median": round(float(np.median(saved)), 4),
        "saving_standard_error": round(float(saved.std() / len(saved) ** 0.5), 4),
        "quality_mean": round(float(quality.mean()), 4),
        "broken": broken,
        "broken_share": round(broken / len(found), 4),
        "broken_95": [round(low, 4), round(high, 4)],
        "kept": low <= DELTA,
    }


def hindsight(rows: Outcomes, seeds: int = 5) -> float:
    """What the router's best threshold saves on all other rows, learned from a fifth and chosen knowing their outcomes."""
    best = []
    for seed in range(seeds):
        order = np.random.default_rng([seed, 20]).permutation(len(rows))
        router, rest = train(rows.take(order[: len(rows) // 5]), 1), rows.take(order[len(rows) // 5 :])
        lost, saved = router.expected(rest)
        at = np.argsort(np.where(lost > 0, lost / saved, lost))
        served = rest.reference.sum() + np.cumsum((rest.cheap - rest.reference)[at])
        last = np.flatnonzero(served >= QUALITY * rest.reference.sum())[-1]
        best.append(float((rest.reference_cost - rest.cheap_cost)[at[: last + 1]].sum() / rest.reference_cost.sum()))
    return round(float(np.mean(best)), 4)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.routing routellm", description=__doc__)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--labels", type=int, nargs="*", default=list(GOALS))
    parser.add_argument("--out", type=Path, default=machine.OUT)
    args = parser.parse_args(argv)
    if not DATA.exists():
        print(f"skipped: no data in {DATA}")
        return
    started = time.perf_counter()
    result: dict[str, Any] = {
        "command": f"python -m bench.routing routellm --splits {args.splits} --seeds {args.seeds}",
        "machine": machine.facts(),
        "quality": QUALITY,
        "delta": DELTA,
        "usd_per_mtok": USD,
        "published_apgr": PUBLISHED,
        "goals": {str(n): goal for n, goal in GOALS.items()},
    }
    result["routing"] = show_routing(args.seeds)
    result["saving"] = show_saving(args.labels, args.splits)
    result["took_s"] = round(time.perf_counter() - started, 1)
    print(machine.write("routing_routellm", result, args.out))


def show_routing(seeds: int) -> list[dict[str, Any]]:
    told, lines = [], []
    for bench, tasks in (("mmlu", False), ("mmlu", True), ("gsm8k", False)):
        one = {"bench": bench, "tasks_known": tasks, **routing(outcomes(bench, "call", tasks=tasks), seeds)}
        told.append(one)
        cells = [f"{one[k]['mean']:.3f} ± {one[k]['standard_error']:.3f}" for k in ("apgr", "cpt50", "cpt80")]
        lines.append([bench + (", subjects known" if tasks else ""), *cells, *PUBLISHED[bench].values()])
    print(machine.table(lines, ["", "APGR", "CPT(50)", "CPT(80)", *PUBLISHED["mmlu"]]), flush=True)
    return told


def show_saving(labels: list[int], splits: int) -> list[dict[str, Any]]:
    told, lines = [], []
    for bench, costs, tasks in (("mmlu", "call", False), ("mmlu", "call", True), ("mmlu", "token", False), ("gsm8k", "call", False), ("gsm8k", "token", False)):  # fmt: skip
        rows = outcomes(bench, costs, tasks=tasks)
        best = hindsight(rows)
        for n in labels:
            if n > len(rows) * 0.65:
                continue
            one = {"bench": bench, "costs": costs, "tasks_known": tasks, "hindsight": best, **saving(rows, n, splits)}
            told.append(one)
            lines.append(line(one))
            print(*lines[-1], flush=True)
    head = [
        "",
        "costs",
        "labels",
        "goal",
        "saving",
        "none",
        "broken",
        "95 %",
        "naive saving",
        "naive broken",
        "95 %",
        "hindsight",
    ]
    print(machine.table(lines, head))
    return told


def line(one: dict[str, Any]) -> list[Any]:
    mine, shipped = one["certified"], one["best_threshold_on_calibration"]
    goal = GOALS.get(one["labels"]) if one["bench"] == "mmlu" and one["costs"] == "call" else None
    return [
        one["bench"] + (", subjects" if one["tasks_known"] else ""),
        one["costs"],
        one["labels"],
        "" if goal is None else f"{goal:.0%}",
        f"{mine['saving_mean']:.1%}",
        f"{one['nothing_certified']:.0%}",
        f"{mine['broken_share']:.1%}",
        "{:.1%}-{:.1%}".format(*mine["broken_95"]),
        f"{one['certified_population']['broken_share']:.1%}",
        f"{shipped['saving_mean']:.1%}",
        f"{shipped['broken_share']:.1%}",
        "{:.1%}-{:.1%}".format(*shipped["broken_95"]),
        f"{one['hindsight']:.1%}",
    ]


if __name__ == "__main__":
    main()
