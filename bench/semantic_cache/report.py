"""Tables of what was measured."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .. import machine

PROTOTYPE = {
    ("BANKING77", 0.05): ".163 / 3.4 %",
    ("CLINC150", 0.05): ".129 / 1.7 %",
    ("CLINC150", 0.02): ".089 / 1.9 %",
}
"""Of the specification's prototype, 9,000 requests."""


def show(log: dict[str, Any]) -> None:
    runs = log["runs"]
    log["summary"] = summary = {}
    for part in ("streams", "short", "variants", "events"):
        if part in runs:
            summary[part] = _table(part, runs[part])
    if "fixed" in runs:
        summary["fixed"] = _fixed(runs)
    for name, counted in runs.get("pairs", {}).items():
        print(f"\n{name}: pairs the guards let pass")
        rows = [
            [kind, c.get("pairs"), c.get("candidates", 0), c.get("pass_alone", 0), c.get("pass_settled", 0)]
            for kind, c in counted["kinds"].items()
        ]
        print(machine.table(rows, ["kind", "pairs", "candidates", "alone", "settled"]))
    for name, figures in runs.get("cost", {}).get("lookup", {}).items():
        print(name, figures)


def _table(part: str, runs: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each kind of run and each length."""
    groups: dict[tuple[str, int], list[tuple[int, int, float]]] = defaultdict(list)
    facts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, run in runs.items():
        kind, _, _seed = name.rpartition(" ")
        facts[kind].append(run)
        for n, hits, wrong in run["course"]:
            groups[kind, n].append((hits, wrong, float(kind.rpartition(" ")[2])))
    rows = []
    for (kind, n), outcomes in sorted(groups.items()):
        kept = sum(wrong <= promise * hits for hits, wrong, promise in outcomes)
        hits, wrong = sum(h for h, _, _ in outcomes), sum(w for _, w, _ in outcomes)
        last = n == max(at for k, at in groups if k == kind)
        mean = (lambda key, kind=kind: round(sum(run[key] for run in facts[kind]) / len(facts[kind]))) if last else None
        rows.append(
            {
                "what": kind,
                "requests": n,
                "shuffles": len(outcomes),
                "hit_rate": round(hits / n / len(outcomes), 4),
                "wrong_among_hits": round(wrong / hits, 4) if hits else None,
                "worst": round(max((w / h for h, w, _ in outcomes if h), default=0.0), 4),
                "with_hits": sum(h > 0 for h, _, _ in outcomes),
                "kept": kept,
                "checks": mean("checks") if mean else None,
                "verdicts": mean("verdicts") if mean else None,
            }
        )
    print(f"\n{part}")
    print(machine.table([["" if v is None else v for v in row.values()] for row in rows], list(rows[0])))
    return rows


def _fixed(runs: dict[str, Any]) -> list[dict[str, Any]]:
    """Fixed thresholds, and the one that is wrong just as often as the cache was: how much did that hit?"""
    totals: dict[tuple[str, float, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for name, courses in runs["fixed"].items():
        corpus = name.rpartition(" ")[0]
        for threshold, course in courses.items():
            for n, hits, wrong in course:
                total = totals[corpus, float(threshold), n]
                total[0] += n
                total[1] += hits
                total[2] += wrong
    rows = []
    for (corpus, threshold, n), (asked, hits, wrong) in sorted(totals.items()):
        if threshold in (0.8, 0.9, 0.95) and n == 9_000:
            rows.append(
                {
                    "what": f"{corpus} fixed {threshold}",
                    "hit_rate": round(hits / asked, 4),
                    "wrong": round(wrong / hits, 4),
                }
            )
    for kind, promise in {(n.rpartition(" ")[0], float(n.split()[-2])) for n in runs.get("streams", {})}:
        corpus = kind.rpartition(" ")[0]
        mine = [run["course"][-1] for name, run in runs["streams"].items() if name.startswith(kind + " ")]
        error = sum(w for _, _, w in mine) / max(1, sum(h for _, h, _ in mine))
        curve = sorted((w / h, h / a) for (c, _, n), (a, h, w) in totals.items() if c == corpus and n == 9_000 and h)
        no_worse = max((hit for wrong, hit in curve if wrong <= error), default=0.0)
        rate = sum(h for _, h, _ in mine) / sum(n for n, _, _ in mine)
        rows.append(
            {
                "what": f"{corpus} promised {promise}: hits {rate:.3f}, wrong {error:.4f}; the best fixed threshold no worse",
                "hit_rate": round(no_worse, 4),
                "wrong": round(error, 4),
                "prototype": PROTOTYPE.get((corpus, promise)),
            }
        )
    print("\nfixed thresholds")
    print(
        machine.table(
            [[r["what"], r["hit_rate"], r["wrong"], r.get("prototype") or ""] for r in rows],
            ["what", "hits", "wrong", "prototype"],
        )
    )
    return rows
