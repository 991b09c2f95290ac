"""Part two: what was served becomes candidates, held against the large model; then against questions with known intents.

python -m bench.distil --data DIR [--steps format,classifier,student,prune] → bench/results/distil.json

DIR is the folder of part one (``python -m bench.distil.serve --data DIR``); both use the product's own commands and nothing else.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import resource
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OUT = HERE.parent / "results" / "distil.json"
PLAN = tomllib.loads((HERE / "plan.toml").read_text())
TASK = HERE.parent / "tasks" / "banking77.task.toml"


def demitasse(data: Path, config: Path, *arguments: str) -> tuple[int, Any]:
    command = [sys.executable, "-m", "demitasse", "--config", str(config), "--data", str(data), *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if not done.stdout:
        raise SystemExit(f"{' '.join(arguments)} ended with status {done.returncode}")
    return done.returncode, json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", default="format,classifier,student,prune")
    given = parser.parse_args()
    os.environ.setdefault("BENCH_MASTER_KEY", base64.b64encode(bytes(32)).decode())
    config = given.data / "distil.toml"
    config.write_text((HERE / "distil.toml").read_text())
    asked = (given.data / "asked.jsonl").read_text().splitlines()
    n_test = round(len(asked) * PLAN["test_share"])
    began = time.perf_counter()
    _, report = demitasse(
        given.data, config, "optimise", "ledger:intents", "--model", "small", "--reference", "large",
        "--steps", given.steps, "--all", "--keep", "--name", "intents", "--n", str(n_test),
        "--margin", str(PLAN["margin"]), "--seed", str(PLAN["seed"]), "--parallel", "1",
    )  # fmt: skip
    made = sorted(p.parent.name for p in (given.data / "models" / "made").glob("*/manifest.json"))
    asked_as: dict[str, str] = {}
    with config.open("a") as file:
        for name in made:
            kind = json.loads((given.data / "models" / "made" / name / "manifest.json").read_text())["kind"]
            provider = "classifier" if kind == "classifier" else "local"
            if kind in ("classifier", "gguf"):
                threads = "" if kind == "classifier" else "threads = 1\nslots = 1\ncontext = 4096\n"
                file.write(f'\n[models."{name}"]\nprovider = "{provider}"\nsource = "made:{name}"\n{threads}')
            if kind == "classifier":  # what it abstains from goes to the large model
                file.write(f'\n[routes."{name}-route"]\nreference = "{name}"\nfallback = ["large"]\n')
                asked_as[name] = f"{name}-route"
    models = ["small", *(asked_as.get(name, name) for name in made), "large"]
    fresh = []
    for model in models:
        _, runs = demitasse(
            given.data, config, "evaluate", str(TASK), "--model", model, "--n", str(PLAN["fresh"]),
            "--seed", str(PLAN["seed"]), "--parallel", "1",
        )  # fmt: skip
        fresh += runs
    reference = fresh[-1]["id"]
    verdicts = []
    for run in fresh[:-1]:
        _, told = demitasse(
            given.data,
            config,
            "compare",
            run["id"],
            reference,
            "--margin",
            str(PLAN["margin"]),
            "--alpha",
            str(PLAN["alpha"]),
        )
        verdicts.append(told)
    _, frontier = demitasse(given.data, config, "frontier", *(run["id"] for run in fresh))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = {
        "command": f"python -m bench.distil.serve --data DIR; python -m bench.distil --data DIR --steps {given.steps}",
        "plan": PLAN,
        "served": len(asked),
        "right_of_served": sum(json.loads(line)["right"] or 0 for line in asked),
        "optimise": report,
        "fresh": fresh,
        "verdicts": verdicts,
        "frontier": frontier,
        "wall_s": round(time.perf_counter() - began, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
    }
    OUT.write_text(json.dumps(told, indent=1) + "\n")
    for run in fresh:
        print(f"{run['model']:30} {run['quality']} {run['quality_interval']} ${run['usd_per_1000']} per 1,000")
    for told in verdicts:
        print(
            json.dumps({k: told.get(k) for k in ("candidate", "verdict", "difference", "interval")}, default=str)[:300]
        )


if __name__ == "__main__":
    main()
