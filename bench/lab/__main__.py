"""Cost against quality of three real models on HEADLINES, BANKING77 (ten intents) and GSM8K: the product's own commands.

python -m bench.lab [--n 100] [--seed 7] [--data DIR] [--tasks headlines,banking77] → bench/results/lab/

Goes on where it was broken off: an answer that was given once is not asked for again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TASKS = HERE.parent / "tasks"
OUT = HERE.parent / "results" / "lab"
MODELS = ("small", "medium", "large")
MODES = ("constrained", "free")
SIZES = {"headlines": 1.0, "banking77": 1.0, "gsm8k": 0.25}
"""Share of --n: a GSM8K answer of two hundred tokens takes ten times as long as a label."""


def demitasse(arguments: list[str], data: Path) -> Any:
    """One command's JSON. A run that stopped is told, and no reason to stop here."""
    command = [
        sys.executable,
        "-m",
        "demitasse",
        "--config",
        str(HERE / "models.toml"),
        "--data",
        str(data),
        *arguments,
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, env={**os.environ, "NO_COLOR": "1"})
    if not done.stdout:
        raise SystemExit(f"{' '.join(arguments)} ended with status {done.returncode}")
    return json.loads(done.stdout)


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tasks", default=",".join(SIZES))
    parser.add_argument("--models", default=",".join(MODELS))
    given = parser.parse_args()
    data = given.data or Path(tempfile.mkdtemp(prefix="demitasse-lab-"))
    OUT.mkdir(parents=True, exist_ok=True)
    for task in given.tasks.split(","):
        one_task(task, max(1, round(given.n * SIZES[task])), given, data)


def one_task(task: str, n: int, given: argparse.Namespace, data: Path) -> None:
    began, cpu = time.perf_counter(), cpu_s()
    found: list[dict[str, Any]] = []
    file = TASKS / f"{task}.task.toml"
    for mode in MODES:
        for model in given.models.split(","):
            arguments = ["evaluate", str(file), "--model", model, "--n", str(n), "--seed", str(given.seed)]
            found += demitasse([*arguments, f"--{mode}", "--parallel", "1", "--json"], data)
            made = found[-1]
            print(
                f"{task} {model} {mode}: {made['quality']} {made['quality_interval']} {made['usd_per_1000']} $/1,000",
                flush=True,
            )
    picture = OUT / f"{task}.svg"
    frontier = demitasse(
        ["frontier", *(run["id"] for run in found), "--seed", str(given.seed), "--svg", str(picture), "--json"], data
    )
    told = {
        "command": f"python -m bench.lab --n {given.n} --seed {given.seed} --tasks {task}",
        "samples": n,
        "evaluations": found,
        "frontier": frontier,
        "wall_s": round(time.perf_counter() - began, 1),
        "cpu_s": round(cpu_s() - cpu, 1),
        "load_after": os.getloadavg(),
    }
    (OUT / f"{task}.json").write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(frontier.get("words", ""), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
