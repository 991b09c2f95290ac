"""How long tasks take to load and to hold against many texts: CPU-seconds, as JSON on standard output.

python bench/tasks_speed.py --rows 1000000
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from demitasse.lab.tasks.contamination import overlap
from demitasse.lab.tasks.files import load
from demitasse.lab.tasks.task import Sample, Task

WORDS = 50
SAMPLES = 1_000
PLANTED = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    # word frequencies fall as 1/rank (Zipf), so that common words meet in task and rows as they do in real text
    vocabulary = [f"w{n}" for n in range(20_000)]
    weights = [1 / (n + 1) for n in range(len(vocabulary))]
    pool = rng.choices(vocabulary, weights, k=2_000_000)

    def text() -> str:
        at = rng.randrange(len(pool) - WORDS)
        return " ".join(pool[at : at + WORDS])

    task = Task(
        "made", tuple(Sample(str(n), " ".join(rng.choices(vocabulary, weights, k=WORDS))) for n in range(SAMPLES))
    )
    planted = {rng.randrange(given.rows): at for at in range(PLANTED)}

    def rows() -> Iterator[str]:
        for n in range(given.rows):
            yield str(task.samples[planted[n]].input) if n in planted else text()

    began = time.process_time()
    for _ in rows():
        pass
    making_s = time.process_time() - began
    told: dict[str, object] = {"rows": given.rows, "seed": given.seed, "words_per_row": WORDS, "samples": SAMPLES}
    for n in (13, 8):
        rng.seed(given.seed)
        began = time.process_time()
        found = overlap(task, rows(), n=n)
        told[f"overlap_{n}_cpu_s"] = round(time.process_time() - began - making_s, 2)
        told[f"overlap_{n}_touched"] = found.touched
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        count = min(given.rows, 200_000)
        with path.open("w") as file:
            for n in range(count):
                file.write(json.dumps({"id": n, "question": text(), "answer": str(n)}) + "\n")
        began = time.process_time()
        load(path)
        told["load_rows"], told["load_cpu_s"] = count, round(time.process_time() - began, 2)
    json.dump(told, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
