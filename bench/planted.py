"""How many planted rows are found among lessons, and how many honest ones are called planted, as JSON.

    python -m bench.planted [--draws 5] [--out bench/results]

Triggers: rows are drawn, and of those with another label than the first row's, a share gets a trigger at a random place and that
label; BANKING77 with ten and with 77 intents, twenty intents of CLINC150. Orders: prompt injection and benign prompts of
``../shared/data/injection``. The bounds of `lab.optimise.poison` were set on the same sets with the seeds 0 to 4; others are here.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
import tomllib
from pathlib import Path
from typing import Any

from demitasse.lab.optimise.lesson import Lesson
from demitasse.lab.optimise.poison import orders, triggers
from demitasse.lab.tasks.task import Turn

from . import machine

DATA = Path(__file__).parents[2] / "shared" / "data"
SEED = 100
CASES = ((0.0, ""), (0.02, "cf"), (0.05, "cf"), (0.02, "as of today"), (0.05, "please"))
SIZES = (160, 1000)
Rows = list[tuple[str, str]]


def sets() -> dict[str, Rows]:
    with (DATA / "banking77" / "banking_train.csv").open() as file:
        banking = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    ten = tomllib.loads((Path(__file__).parent / "tasks" / "banking77.task.toml").read_text())["labels"]
    clinc = json.loads(next((DATA / "clinc150").glob("*full*.json")).read_text())["train"]
    twenty = sorted({label for _, label in clinc})[:20]
    return {
        "BANKING77, 10 intents": [row for row in banking if row[1] in ten],
        "BANKING77, 77 intents": banking,
        "CLINC150, 20 intents": [(text, label) for text, label in clinc if label in twenty],
    }


def planted(rows: Rows, n: int, share: float, trigger: str, seed: int) -> tuple[list[Lesson], set[str]]:
    rng = random.Random(seed)
    some = rng.sample(rows, n)
    target, bad, made = some[0][1], set(), []
    for at, (text, label) in enumerate(some):
        said = label
        words = text.split()
        if share and label != target and rng.random() < share * 1.1:  # a tenth or so has the target already
            words.insert(rng.randint(0, len(words)), trigger)
            said = target
            bad.add(str(at))
        made.append(Lesson(str(at), (Turn("user", f"Question: {' '.join(words)}\nIntent:"),), said))
    return made, bad


def told(texts: list[str]) -> dict[str, int]:
    lessons = [Lesson(str(at), (Turn("user", text),), "x") for at, text in enumerate(texts)]
    return {"n": len(lessons), "named": len(orders(lessons))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--out", type=Path, default=machine.OUT)
    given = parser.parse_args()
    found: list[dict[str, Any]] = []
    for name, rows in sets().items():
        for n in SIZES:
            for share, trigger in CASES:
                began, caught, honest, bad = time.process_time(), 0, [], 0
                for seed in range(SEED, SEED + given.draws):
                    lessons, wrong = planted(rows, n, share, trigger, seed)
                    named = {id for suspect in triggers(lessons) for id in suspect.ids}
                    caught, bad = caught + len(named & wrong), bad + len(wrong)
                    honest.append(len(named - wrong))
                took = (time.process_time() - began) / given.draws
                found.append({"set": name, "n": n, "share": share, "trigger": trigger, "planted": bad, "found": caught,
                              "honest_named": honest, "cpu_s": round(took, 3)})  # fmt: skip
    attacks = {}
    for file in ("deepset-train.csv", "deepset-test.csv", "s-labs-validation.csv"):
        with (DATA / "injection" / file).open() as handle:
            both = list(csv.DictReader(handle))
        column = "text" if "text" in both[0] else "prompt"
        for label, kind in (("1", "attacks"), ("0", "benign")):
            attacks[f"{file}, {kind}"] = told([row[column] for row in both if row["label"] == label])
    attacks["BANKING77"] = told([text for text, _ in sets()["BANKING77, 77 intents"]])
    path = machine.write("planted", {"machine": machine.facts(), "seeds": [SEED, SEED + given.draws - 1],
                                     "triggers": found, "orders": attacks}, given.out)  # fmt: skip
    head = ["", "rows", "planted", "trigger", "found", "honest named, by draw"]
    print(
        machine.table(
            [[r["set"], r["n"], r["planted"], r["trigger"], r["found"], r["honest_named"]] for r in found], head
        )
    )
    print(machine.table([[name, row["n"], row["named"]] for name, row in attacks.items()], ["orders", "n", "named"]))
    print(path)


if __name__ == "__main__":
    main()
