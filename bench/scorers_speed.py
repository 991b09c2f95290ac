"""How long the scorers that need nobody take: CPU-microseconds per answer, as JSON on standard output. One core.

python bench/scorers_speed.py
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time

from demitasse.lab.scorers.registry import pure
from demitasse.lab.tasks.task import Sample, Task
from demitasse.score.normal import Answer

REASONING = "Let's see. " + "She sells 16 - 3 - 4 = 9 duck eggs a day, and that is what counts here. " * 8
LABELS = tuple(f"{what}_{how}" for what in ("card", "top_up", "transfer", "cash", "pin", "fee", "limit") for how in
               ("arrival", "failed", "pending", "charge", "wrong", "lost", "blocked", "refund", "status", "country", "time"))  # fmt: skip
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}
TASKS = {
    "exact": (Task("t", (Sample("q", "", ("Paris",)),)), {"short": "**Paris**.", "constrained": '{"answer": "Paris"}'}),
    "numeric": (Task("t", (Sample("q", "", ("18",)),), form="number"),
                {"short": "18", "constrained": '{"reasoning": "16 + 2", "answer": 18}', "long": f"{REASONING}\n#### 18"}),
    "choice": (Task("t", (Sample("q", "", ("B",), choices=("Rome", "Paris", "Bonn", "Wien")),), form="choice"),
               {"short": "B", "constrained": '{"answer": "B"}', "sentence": "The answer is (B).", "long": f"{REASONING} So the answer is B."}),
    "label of 77": (Task("t", (Sample("q", "", (LABELS[3],)),), form="label", labels=LABELS),
                    {"short": LABELS[3], "constrained": f'{{"answer": "{LABELS[3]}"}}', "sentence": f"This is about {LABELS[3]}.",
                     "long": REASONING}),
    "json": (Task("t", (Sample("q", "", ('{"name": "Ann", "age": 30}',)),), form="json", schema=PERSON),
             {"short": '{"age": 30, "name": "Ann"}'}),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=5_000, help="per measurement")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    told: dict[str, object] = {
        "answers": given.answers,
        "repeats": given.repeats,
        "unit": "CPU µs per answer, median of repeats",
    }
    for name, (task, answers) in TASKS.items():
        score, sample = pure(task), task.samples[0]
        assert score is not None
        for kind, text in answers.items():
            answer, spent = Answer(text), []
            for _ in range(given.repeats):
                began = time.process_time()
                for _ in range(given.answers):
                    score(sample, answer)
                spent.append((time.process_time() - began) / given.answers * 1e6)
            told[f"{name}, {kind}"] = round(statistics.median(spent), 1)
    json.dump(told, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
