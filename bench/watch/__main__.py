"""What the watch, the drift test and a certificate pressed for every day promise, against what they do when quality is known.

    python -m bench.watch [--runs 2000] [--steps 100000] [--seed 7] [--out bench/out] [--parts falls …]

A step is a shadow call. A route that shadows 2 % of its calls makes 2,000 of them in 100,000 calls; both lengths are run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from demitasse.stats.drift import Drift
from demitasse.stats.intervals import clopper_pearson

from .. import machine
from .button import pressed
from .daily import EDGE, PATH, QUALITY, afresh, broken
from .rivals import AllIn, BegunAnew, Oracle, limit
from .runs import (
    Alarms,
    Runs,
    Verdicts,
    always_right,
    both_scored,
    bound_of_sessions,
    sessions,
    side_by_side,
    watch,
    weighted,
)

DELTA = 0.05
SHARE = 0.02
"""Of calls that are shadowed, where steps are calls."""
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.watch", description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=machine.OUT)
    parser.add_argument(
        "--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="the others stay as they were"
    )
    args = parser.parse_args()
    path = args.out / "watch.json"
    result: Row = json.loads(path.read_text()) if path.exists() else {}
    for name in args.parts:
        facts, began = machine.facts(), time.process_time()
        rows = PARTS[name](args.runs, args.steps, args.seed)
        result[name] = {
            "command": f"python -m bench.watch --runs {args.runs} --steps {args.steps} --seed {args.seed} --parts {name}",
            "machine": facts,
            "delta": DELTA,
            "cpu_s": round(time.process_time() - began, 1),
            "rows": rows,
        }
        machine.write("watch", result, args.out)
        print(f"\n{name.replace('_', ' ')}: {result[name]['cpu_s']:.0f} s of CPU\n{_shown(rows)}", flush=True)


def false_alarms(runs: int, steps: int, seed: int) -> list[Row]:
    """Quality at the floor or above it, all the time."""
    rows = []

    def add(what: str, alarms: Alarms, steps: int = steps, *, ours: bool = True) -> None:
        rows.append({"what": what, "steps": steps} | _rate(alarms.early, ours=ours))

    for above in (0.0, 0.01, 0.02, 0.03):
        verdicts = always_right(0.95 + above, 0.9)
        add(
            f"{above:.0%} above the floor", watch(verdicts, runs=runs, steps=steps, delta=DELTA, seed=seed, falls=False)
        )
    for name, verdicts in {
        "floor 90 %, at it": always_right(0.9, 0.85, 0.9),
        "floor 99 %, at it": always_right(0.99, 0.94, 0.99),
        "both scored, at the floor": both_scored(0.95, 0.9),
        "weighted draws, at the floor": weighted(0.95, 0.9),
    }.items():
        add(name, watch(verdicts, runs=runs, steps=steps, delta=DELTA, seed=seed, falls=False))
    day = max(1, steps // 100)
    renewed = always_right(0.95, 0.98)
    add(
        "another policy every day, 0-3 points above",
        watch(renewed, runs=runs, steps=steps, delta=DELTA, seed=seed, falls=False, wavers=day),
    )
    size = 20
    add(
        f"sessions of {size} that go badly together",
        sessions(runs=runs, steps=steps, delta=DELTA, seed=seed, size=size, known=True, falls=False),
    )
    few, short = max(20, runs // 10), steps // 20
    add(
        "the same, ten at a time, the gateway's own watch",
        side_by_side(runs=few, steps=short, delta=DELTA, seed=seed, size=size),
        short,
    )
    add(
        "WRONG USE: the same sessions, not named",
        sessions(runs=few, steps=short, delta=DELTA, seed=seed, size=size, known=False, falls=False),
        short,
        ours=False,
    )
    at_floor = always_right(0.95, 0.9)
    anew = watch(
        at_floor, runs=runs, steps=steps, delta=DELTA, seed=seed, falls=False, make=lambda n: _EveryDay(n, day)
    )
    add("WRONG USE: a new watch every day", anew, ours=False)
    return rows


def falls(runs: int, steps: int, seed: int) -> list[Row]:
    """Quality falls by five points at a random moment."""
    rows = []
    short = max(1, int(steps * SHARE))

    def add(what: str, verdicts: Verdicts, steps: int, *, slide: int = 0) -> None:
        alarms = watch(verdicts, runs=runs, steps=steps, delta=DELTA, seed=seed, falls=True, slide=slide)
        rows.append({"what": what, "steps": steps} | _delays(alarms, verdicts.bound(DELTA)))

    for length in (short, steps):
        for above in (0.0, 0.01, 0.02, 0.03):
            add(
                f"from {0.95 + above:.0%} to {0.9 + above:.0%}",
                always_right(0.95 + above, 0.9 + above),
                length,
            )
    add("floor 90 %: from 92% to 87%", always_right(0.92, 0.87, 0.9), short)
    add("floor 90 %: from 92% to 87%", always_right(0.92, 0.87, 0.9), steps)
    add("floor 99 %: from 99.5% to 94.5%", always_right(0.995, 0.945, 0.99), short)
    add("from 97% to 92%, both scored", both_scored(0.97, 0.92), short)
    add("from 95% to 90%, both scored", both_scored(0.95, 0.90), short)
    add("from 97% to 92%, weighted draws", weighted(0.97, 0.92), short)
    add("from 95% to 90%, weighted draws", weighted(0.95, 0.90), short)
    add("from 97% to 92% within 500 verdicts, from its first sign", always_right(0.97, 0.92), short, slide=500)
    add("a fall of 37 points, to 60%", always_right(0.97, 0.6), short)
    alarms = sessions(runs=runs, steps=short * 4, delta=DELTA, seed=seed, size=20, known=True, falls=True)
    bound = bound_of_sessions(20, DELTA)
    rows.append({"what": "from 95% to 90%, in sessions of 20", "steps": short * 4} | _delays(alarms, bound))
    return rows


def rivals(runs: int, steps: int, seed: int) -> list[Row]:
    """Other ways to watch: false alarms at the floor, and delays."""
    rows = []
    few = max(20, runs // 4)
    at_floor = always_right(0.95, 0.9)
    oracle_limit = limit(at_floor, runs=few, steps=steps, delta=DELTA, seed=seed + 1)
    makers: dict[str, Callable[[Verdicts], Callable[[int], Any] | None]] = {
        "ours": lambda _: None,
        "all in from the first verdict on": lambda v: lambda n: AllIn(n, v),
        "begun anew every ten verdicts": lambda v: lambda n: BegunAnew(n, v),
        "oracle: knows the fall and the length of the run": lambda v: lambda n: Oracle(n, v, oracle_limit, DELTA),
    }
    for name, maker in makers.items():
        quiet = watch(at_floor, runs=few, steps=steps, delta=DELTA, seed=seed, falls=False, make=maker(at_floor))
        for above in (0.0, 0.02):
            verdicts = always_right(0.95 + above, 0.9 + above)
            if name.startswith("oracle") and above:
                continue  # its limit is for one fall
            alarms = watch(verdicts, runs=few, steps=steps, delta=DELTA, seed=seed, falls=True, make=maker(verdicts))
            row = {"what": f"{name}, from {0.95 + above:.0%}", "steps": steps}
            rows.append(
                row | {"false_at_the_floor": _rate(quiet.early)["rate"]} | _delays(alarms, verdicts.bound(DELTA))
            )
    return rows


def certificates(runs: int, steps: int, seed: int) -> list[Row]:
    """A user who certifies every day for a hundred days."""
    rows = []
    days = 100
    labels = max(1, int(steps * 0.05) // days)

    def add(what: str, labels: int, runs: int, count: int, *, ours: bool, **more: Any) -> None:
        rows.append({"what": what, "labels": labels} | _rate(np.arange(runs) < count, ours=ours) | more)

    for name, traffic, per_day in (
        ("seven thresholds, the fifth 0.1 points short", PATH, labels),
        ("the same, draws favour the risky calls", replace(PATH, favour=4.0), labels),
        ("one threshold, 0.001 points short, every call labelled", EDGE, max(1, steps // days)),
    ):
        found = broken(traffic, runs=runs, days=days, per_day=per_day, delta=DELTA, seed=seed)
        told = {name: value for name, value in found.items() if name not in ("runs", "broken")}
        add(name, per_day * days, runs, found["broken"]["standing"], ours=True, **told)
        add("  NAIVE: a z-test on all labels each day", per_day * days, runs, found["broken"]["afresh"], ours=False)
        add("  NAIVE: what looks best each day", per_day * days, runs, found["broken"]["best"], ours=False)
    few = max(20, runs // 5)
    found = afresh(EDGE, runs=few, days=days, per_day=labels, delta=DELTA, seed=seed)
    add("  NAIVE: the betting test, afresh each day", labels * days, few, found["broken"]["afresh"], ours=False)
    add("  the same test once, on the last day", labels * days, few, found["broken"]["once, at the end"], ours=True)
    few = max(10, runs * 3 // 20)
    for name, how in (
        ("", {}),
        (", sessions of 4", {"session": 4}),
        (", always-small 0.01 points short", {"flat": True}),
    ):
        found = pressed(runs=few, days=30, per_day=40, delta=DELTA, seed=seed, **how)
        told = {name: value for name, value in found.items() if name not in ("runs", "broken")}
        add(f"through the lab's own code, 30 days{name}", 1_200, few, found["broken"], ours=True, **told)
    return rows


def drift(runs: int, _steps: int, seed: int) -> list[Row]:
    """Scores before are 800 numbers; then come so many more, of which the last part is otherwise."""
    rows = []
    few, before, after = max(10, runs // 20), 1_000, 2_000
    for what, shift, width, moved in (
        ("nothing changes", 0.0, 1.0, False),
        ("a quarter of a standard deviation: 10 points at the median, tolerated", 0.25, 1.0, False),
        ("one standard deviation", 1.0, 1.0, True),
        ("0.7 standard deviations", 0.7, 1.0, True),
        ("four times as wide", 0.0, 4.0, True),
    ):
        early, delay = np.zeros(few, dtype=bool), []
        for run in range(few):
            rng = np.random.default_rng((seed, run))
            watcher = Drift(rng.normal(size=800), DELTA)
            for x in rng.normal(size=before).tolist():
                watcher.saw(x)
            early[run] = watcher.crossed
            now = (i + 1 for i, x in enumerate(rng.normal(shift, width, size=after).tolist()) if watcher.saw(x))
            came = next(now, None)
            if not moved:
                early[run] = early[run] or came is not None
            elif not early[run]:
                delay.append(float("inf") if came is None else came)
        told = {"median": _number(np.median(delay)), "q90": _number(np.quantile(delay, 0.9))} if moved else {}
        rows.append({"what": what, "steps": before + after} | _rate(early) | told)
    return rows


PARTS: dict[str, Callable[[int, int, int], list[Row]]] = {
    "false_alarms": false_alarms,
    "falls": falls,
    "rivals": rivals,
    "certificates": certificates,
    "drift": drift,
}


class _EveryDay:
    """A watch that is thrown away each day for a new one."""

    def __init__(self, runs: int, day: int) -> None:
        self._runs, self._day, self._n = runs, day, 0
        self._watch = self._new()

    def step(self, loss: np.ndarray, weight: np.ndarray) -> np.ndarray:
        if self._n and self._n % self._day == 0:
            self._watch = self._new()
        self._n += 1
        return self._watch.step(loss, weight)

    def keep(self, which: np.ndarray) -> None:
        self._runs = int(which.sum())
        self._watch.keep(which)

    def _new(self) -> Runs:
        return Runs(self._runs, QUALITY, 1 - QUALITY, DELTA)


def _rate(happened: np.ndarray, *, ours: bool = True) -> Row:
    count, runs = int(happened.sum()), len(happened)
    low, high = clopper_pearson(count, runs)
    row = {"runs": runs, "count": count, "rate": round(count / runs, 4), "low": round(low, 4), "high": round(high, 4)}
    return row | ({"kept": low <= DELTA} if ours else {})


def _delays(alarms: Alarms, bound: float) -> Row:
    median, late = float(np.median(alarms.delay)), float(np.quantile(alarms.delay, 0.9, method="higher"))
    return {
        "runs": len(alarms.early),
        "early": round(float(alarms.early.mean()), 4),
        "median": _number(median),
        "q90": _number(late),
        "bound": round(bound),
        "ratio": _number(median / bound, 3),
        "never": int(np.isinf(alarms.delay).sum()),
        "kept": median <= bound,
    }


def _number(value: float, digits: int = 0) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None


def _shown(rows: list[Row]) -> str:
    head = list(dict.fromkeys(key for row in rows for key in row))
    return machine.table([["" if row.get(key) is None else row[key] for key in head] for row in rows], head)


if __name__ == "__main__":
    sys.exit(main())
