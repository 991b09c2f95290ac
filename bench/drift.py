"""How often the watch over drift and spend calls for nothing, how soon it sees a move, how often forecasts hold, as JSON.

    python -m bench.drift [--runs 100] [--months 3] [--out bench/results]

Routes are made hour by hour: calls come by the rhythm of day and week, days differ among themselves (all streams of a day together,
and some of it carries over to the next), numbers have long tails. ``worlds`` say how restless. False calls are counted over whole
installations (five routes, some fifty streams), per 30 days, against the promise of half a false call for drift and as much for spend.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from demitasse.lab.drift.route import Route
from demitasse.lab.drift.sketch import Sketch, Sketches
from demitasse.lab.drift.spend import Hours, out_of_line
from demitasse.lab.optimise.lesson import Lesson
from demitasse.lab.optimise.poison import strangers, wrong_labels
from demitasse.lab.tasks.task import Turn
from demitasse.stats.forecast import forecast
from demitasse.stats.intervals import clopper_pearson

from . import machine, planted

FIRST_DAY = 20_759  # a Monday
STREAMS = (
    "length",
    "score",
    "cost",
    "first_byte",
    "duration",
    "failed",
    "refused",
    "truncated",
    "injection",
    "personal",
)
WARM_DAYS = 35


class World(Struct, frozen=True):
    """How restless an installation is."""

    name: str
    calls: tuple[float, ...] = (4000, 1200, 400, 100, 40)
    """A day, of each route."""
    restless: float = 0.08
    """Deviation of the days' own level (of what has a size: of its logarithm; of rates: times)."""
    carries: float = 0.3
    """Of yesterday's level."""
    hours: float = 0.05
    """The same of hours among themselves."""
    tail: float = 1.0
    """Of a call's logarithm."""
    burst: float = 0.0
    """Chance that an hour's calls are one customer's, who asks otherwise."""


WORLDS = (
    World("even", restless=0.02, carries=0.0, hours=0.02),
    World("usual"),
    World("restless", restless=0.2, carries=0.3, hours=0.1),
    World("sticky", restless=0.15, carries=0.7),
    World("long tails", tail=1.8),
    World("bursts", burst=0.05),
)
HOUR = np.array([0.3, 0.2, 0.15, 0.1, 0.1, 0.2, 0.4, 0.8, 1.4, 1.9, 2.1, 2.1, 1.8, 2.0, 2.1, 2.0, 1.8, 1.4, 1.0, 0.8, 0.7, 0.6, 0.5, 0.4])  # fmt: skip
HOUR = HOUR / HOUR.sum()


class Moved(Struct, frozen=True):
    """From ``day`` on ``stream`` is ``by`` times what it was (a rate: so much higher)."""

    stream: str
    by: float
    day: int


def days_of(world: World, calls: float, days: int, rng: np.random.Generator, moved: Moved | None = None):
    """Of one route, day by day: 24 hours of sketches."""
    levels = dict.fromkeys(STREAMS, 0.0)
    for day in range(days):
        weekend = (FIRST_DAY + day + 3) % 7 >= 5
        for name in STREAMS:
            step = rng.normal(0, world.restless * math.sqrt(1 - world.carries**2))
            levels[name] = world.carries * levels[name] + step
        hours: list[Sketches] = []
        for hour in range(24):
            n = int(rng.poisson(calls * HOUR[hour] * (0.4 if weekend else 1.1)))
            odd = rng.random() < world.burst
            hours.append(
                _hour(world, n, hour, levels, rng, odd=odd, moved=moved if moved and day >= moved.day else None)
                if n
                else {}
            )
        yield hours


def _hour(
    world: World, n: int, hour: int, levels: dict[str, float], rng, *, odd: bool, moved: Moved | None
) -> Sketches:
    rhythm = 0.3 * math.sin(2 * math.pi * hour / 24)
    found: Sketches = {}
    middles = {"length": 6.0, "cost": -7.0, "first_byte": 6.0, "duration": 7.0}
    for name, middle in middles.items():
        level = middle + rhythm + levels[name] + rng.normal(0, world.hours) + (0.4 if odd else 0.0)
        if moved and moved.stream == name:
            level += math.log(moved.by)
        logs = rng.normal(level, world.tail, n)
        values = np.exp(logs)
        sketch = Sketch(n, float(values.sum()), float((values**2).sum()), float(logs.sum()), float((logs**2).sum()))
        if name == "length":
            sketch.bins = _counted(np.floor(4 * logs / math.log(2)))
        found[name] = sketch
    centre = 0.5 + 0.1 * (levels["score"] + rhythm) + (moved.by if moved and moved.stream == "score" else 0.0)
    scores = np.clip(rng.normal(centre, 0.2, n), 0, 1)
    found["score"] = Sketch(n, float(scores.sum()), float((scores**2).sum()), bins=_counted(np.floor(40 * scores)))
    for name, usual in (
        ("failed", 0.01),
        ("refused", 0.005),
        ("truncated", 0.02),
        ("injection", 0.002),
        ("personal", 0.1),
    ):
        rate = usual * math.exp(2 * levels[name]) + (moved.by if moved and moved.stream == name else 0.0)
        found[name] = Sketch(n, float(rng.binomial(n, min(1.0, rate))))
    return found


def _counted(at: np.ndarray) -> dict[int, int]:
    bins, counts = np.unique(at.astype(int), return_counts=True)
    return dict(zip(bins.tolist(), counts.tolist(), strict=True))


def watched(world: World, calls: float, days: int, seed: int, *, streams: int, moved: Moved | None = None):
    """One route watched from its first day on: (stream, hours since the move or since the first day) of every call."""
    rng = np.random.default_rng(seed)
    past: dict[int, list[Sketches]] = {}
    route, calls_made = Route("r", FIRST_DAY * 24), []
    for at, hours in enumerate(days_of(world, calls, days, rng, moved)):
        day = FIRST_DAY + at
        past[day] = hours
        past.pop(day - 70, None)
        for hour in range(24):
            events = route.advance(past, day * 24 + hour + 1, streams=streams)
            calls_made += [(event.stream.name, at * 24 + hour + 1) for event in events if event.what == "moved"]
    return calls_made, route


def false_calls(world: World, runs: int, months: int, seed: int) -> dict[str, Any]:
    """Over whole installations, after a warm-up: per 30 days."""
    days, count, by = WARM_DAYS + 30 * months, 0, dict.fromkeys(STREAMS, 0)
    streams = len(world.calls) * len(STREAMS)
    for run in range(runs):
        for at, calls in enumerate(world.calls):
            made, _ = watched(world, calls, days, seed + 100 * run + at, streams=streams)
            for name, _at in made:
                count, by[name] = count + 1, by[name] + 1
    return {
        "world": world.name,
        "months": runs * months,
        "calls": count,
        "a_month": count / runs / months,
        "by": {k: v for k, v in by.items() if v},
    }


def delays(moved: Moved, world: World, calls: float, runs: int, seed: int) -> dict[str, Any]:
    """Hours from a move to the call, of those within ten days."""
    found = []
    for run in range(runs):
        made, _ = watched(world, calls, moved.day + 10, seed + run, streams=50, moved=moved)
        found.append(
            next((h - 24 * moved.day for name, h in made if name == moved.stream and h > 24 * moved.day), math.inf)
        )
    found.sort()
    return {
        "stream": moved.stream, "by": moved.by, "calls_a_day": calls, "runs": runs, "world": world.name,
        "seen": sum(map(math.isfinite, found)) / runs, "median_h": found[len(found) // 2] if math.isfinite(found[len(found) // 2]) else None,
    }  # fmt: skip


def spending(kind: str, days: int, rng: np.random.Generator) -> Hours:
    """Hours of eight keys over two routes and models."""
    by: dict[tuple[str, str], dict[int, float]] = {}
    for key in range(8):
        usual, spread = 0.2 * 2.0 ** (key % 5), {"steady": 0.3, "noisy": 0.7, "batch": 0.3}[kind]
        for day in range(days):
            weekend = (FIRST_DAY + day + 3) % 7 >= 5
            level = rng.normal(0, 0.2)
            batch = int(rng.integers(0, 24)) if kind == "batch" and key % 2 and rng.random() < 0.3 else -1
            for hour in range(24):
                mean = usual * 24 * HOUR[hour] * (0.4 if weekend else 1.1)
                usd = (
                    mean * math.exp(level + rng.normal(0, spread)) * (rng.random() < 1 - math.exp(-6 * HOUR[hour] * 24))
                )
                usd += float(rng.lognormal(math.log(10 * usual), 0.6)) if hour == batch else 0.0
                for subject in (("key", f"k{key}"), ("route", f"r{key % 2}"), ("model", f"m{key % 2}"), ("", "")):
                    own = by.setdefault(subject, {})
                    at = (FIRST_DAY + day) * 24 + hour
                    own[at] = own.get(at, 0.0) + usd
    return Hours(by)


def false_spend(kind: str, runs: int, months: int, seed: int) -> dict[str, Any]:
    """Calls for money out of line where nothing is, per 30 days, after four weeks; who called is silent for a day."""
    count, days = 0, 28 + 30 * months
    for run in range(runs):
        whole = spending(kind, days, np.random.default_rng(seed + run))
        silent: dict[tuple[str, str], int] = {}
        part = Hours({})
        for hour in range((FIRST_DAY + 28) * 24, (FIRST_DAY + days) * 24):
            if hour % 24 == 0:
                part = Hours(
                    {s: {h: x for h, x in own.items() if hour - 28 * 24 <= h < hour} for s, own in whole.by.items()}
                )
            for subject, own in whole.by.items():
                part.by[subject][hour] = own.get(hour, 0.0)
            known = [s for s, until in silent.items() if until > hour]
            for anomaly in out_of_line(part, hour, known):
                silent[anomaly.dimension, anomaly.name] = hour + 24
                count += 1
    return {"world": kind, "months": runs * months, "calls": count, "a_month": count / runs / months}


def coverage(runs: int, seed: int) -> list[dict[str, Any]]:
    """Of 95 % intervals for the rest of a month."""
    found = []
    for kind in ("even", "weeks", "sticky", "growth", "wandering", "spiky"):
        for known, rest in ((7, 20), (14, 14), (28, 20), (45, 10), (56, 25)):
            hit, width = 0, 0.0
            for run in range(runs):
                rng = np.random.default_rng(seed + run)
                first = int(rng.integers(0, 7))
                days = spent_by_day(kind, first + known + rest, rng)[first:]
                told = forecast(days[:known], rest, first_weekday=first)
                assert told is not None
                hit += told.low <= sum(days[known:]) <= told.high
                width += (told.high - told.low) / told.value / runs
            low, high = clopper_pearson(hit, runs)
            found.append(
                {
                    "world": kind,
                    "days": known,
                    "rest": rest,
                    "holds": hit / runs,
                    "interval": [low, high],
                    "width": width,
                }
            )
    return found


def spent_by_day(kind: str, days: int, rng: np.random.Generator) -> list[float]:
    week, out, level, sticky = (1.0, 1.1, 1.05, 1.0, 0.9, 0.3, 0.25), [], 0.0, 0.0
    for day in range(days):
        own = week[day % 7]
        if kind == "even":
            x = math.exp(rng.normal(0, 0.4))
        elif kind == "weeks":
            x = own * math.exp(rng.normal(0, 0.25))
        elif kind == "sticky":
            sticky = 0.5 * sticky + rng.normal(0, 0.3)
            x = own * math.exp(sticky)
        elif kind == "growth":
            x = own * math.exp(0.01 * day + rng.normal(0, 0.25))
        elif kind == "wandering":
            level += rng.normal(0, 0.06)
            x = own * math.exp(level + rng.normal(0, 0.2))
        else:
            x = 0.2 + (3 * (1 + rng.pareto(2.5)) if rng.random() < 0.1 else 0.0)
        out.append(float(x))
    return out


MOVES = (
    (Moved("cost", 1.5, 36), 4000), (Moved("cost", 1.5, 36), 400), (Moved("cost", 1.5, 36), 40), (Moved("cost", 3.0, 36), 400),
    (Moved("duration", 2.0, 36), 400), (Moved("failed", 0.1, 36), 400), (Moved("failed", 0.5, 36), 400),
    (Moved("length", 2.0, 36), 400), (Moved("length", 4.0, 36), 400), (Moved("score", 0.15, 36), 400), (Moved("injection", 0.05, 36), 1200),
)  # fmt: skip


def wrong_labels_found(draws: int, seed: int) -> list[dict[str, Any]]:
    """Of labels changed at random among a thousand real questions, how many are found, and how many honest rows with them."""
    found = []
    for name, rows in planted.sets().items():
        for n in (160, 1000):
            for share in (0.0, 0.05):
                counts = {"changed": 0, "found": 0, "honest": 0, "strangers": 0}
                for draw in range(draws):
                    dice = random.Random(seed + draw)
                    some = dice.sample(rows, n)
                    labels = sorted({label for _, label in some})
                    wrong = {at for at in range(n) if dice.random() < share}
                    lessons = [
                        Lesson(
                            str(at),
                            (Turn("user", text),),
                            dice.choice([x for x in labels if x != label]) if at in wrong else label,
                        )
                        for at, (text, label) in enumerate(some)
                    ]
                    named = {int(id) for suspect in wrong_labels(lessons) for id in suspect.ids}
                    counts["changed"] += len(wrong)
                    counts["found"] += len(named & wrong)
                    counts["honest"] += len(named - wrong)
                    counts["strangers"] += sum(len(suspect.ids) for suspect in strangers(lessons))
                found.append({"set": name, "rows": n, "draws": draws, "share": share, **counts})
    return found


def said(found: dict[str, Any]) -> dict[str, Any]:
    """Tells it while others are still being made."""
    print(found, file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--months", type=int, default=3)
    parser.add_argument(
        "--only", default="false,delay,spend,forecast,labels", help="parts; others stay in the file as they are"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=machine.OUT)
    given = parser.parse_args()
    began, only, out = time.process_time(), given.only.split(","), given.out / "drift.json"
    told: dict[str, Any] = {}
    made = {"seed": given.seed, "runs": given.runs, "months": given.months}
    if "false" in only:
        told["false"] = [said(false_calls(world, given.runs, given.months, given.seed)) for world in WORLDS]
    if "delay" in only:
        told["delay"] = [said(delays(moved, WORLDS[1], calls, 2 * given.runs, given.seed)) for moved, calls in MOVES]
    if "spend" in only:
        told["spend"] = [
            said(false_spend(kind, given.runs, given.months, given.seed)) for kind in ("steady", "noisy", "batch")
        ]
    if "labels" in only:
        told["labels"] = wrong_labels_found(given.runs, given.seed)
    if "forecast" in only:
        told["forecast"] = coverage(100 * given.runs, given.seed)
    made["cpu_s"] = round(time.process_time() - began, 1)
    before = json.loads(out.read_text()) if out.exists() else {}
    told = before | told | {"made": before.get("made", {}) | dict.fromkeys(only, made)}
    given.out.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
