"""A million recorded answers scored: how long that takes on this machine, in all and by part.

python -m bench.recorded [--n 1000000] [--seed 7] → bench/results/recorded.json
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

from demitasse.build.evaluating import Wanted
from demitasse.build.recordings import evaluate_recorded
from demitasse.lab.evals.load import read as load_now
from demitasse.lab.tasks.files import load
from demitasse.providers.machine import allowed_cores

LABELS = ("card_arrival", "card_linking", "exchange_rate", "card_payment_fee_charged", "top_up_failed")


def make(folder: Path, n: int, seed: int) -> tuple[Path, Path]:
    """A label task and answers to it: bare labels, sentences with one, JSON, nonsense."""
    rng = random.Random(seed)
    task, answers = folder / "task.jsonl", folder / "answers.jsonl"
    with task.open("w") as t, answers.open("w") as a:
        for i in range(n):
            right = rng.choice(LABELS)
            said = right if rng.random() < 0.8 else rng.choice(LABELS)
            form = rng.random()
            text = (
                said
                if form < 0.5
                else f"The answer is {said}."
                if form < 0.8
                else f'{{"answer": "{said}"}}'
                if form < 0.95
                else "No idea."
            )
            t.write(
                json.dumps(
                    {"id": str(i), "input": f"Customer message number {i}, about as long as they are.", "target": right}
                )
                + "\n"
            )
            a.write(json.dumps({"id": str(i), "answer": text, "cost_usd": 0.00002, "latency_ms": 400 + i % 100}) + "\n")
    (folder / "banking.task.toml").write_text(
        f'data = "task.jsonl"\nform = "label"\nlabels = {json.dumps(LABELS)}\nlicence = "made here"\n'
    )
    return folder / "banking.task.toml", answers


def cpu_s() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", default="bench/results/recorded.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task_file, answers = make(folder, given.n, given.seed)
        before, began, cpu = load_now(), time.perf_counter(), cpu_s()
        task = load(task_file)
        loaded = time.perf_counter()
        run, rows = evaluate_recorded(
            folder / "data",
            folder,
            task,
            Wanted(f"recorded:{answers}"),
            on="local",
            clock=lambda: time.time_ns() // 1000,
        )
        ended = time.perf_counter()
    assert run.summary is not None
    told = {
        "command": f"python -m bench.recorded --n {given.n} --seed {given.seed}",
        "n": given.n,
        "scored": run.summary.n,
        "quality": run.summary.quality,
        "format_failures": run.summary.format_failures,
        "rows": len(rows),
        "load_task_s": round(loaded - began, 2),
        "score_s": round(ended - loaded, 2),
        "wall_s": round(ended - began, 2),
        "cpu_s": round(cpu_s() - cpu, 2),
        "cores": allowed_cores(),
        "load_before": before.load,
        "max_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    Path(given.out).write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
