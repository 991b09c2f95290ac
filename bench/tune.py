"""A small sweep of the small model, as `demitasse tune` makes it, kept with its command and its trials.

    python -m bench.tune [--slots 1,2,4] [--threads 1] [--calls 8] [--repeats 3] [--again 0] [--data DIR]

Writes bench/results/tune.json. On a machine that others use, the figures say what was left: each trial tells how much others
took. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "tune.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--data", help="else the user's own data folder")
    for name, value in (
        ("slots", "1,2,4"),
        ("threads", "1"),
        ("calls", "8"),
        ("repeats", "3"),
        ("again", "0"),
        ("seed", "7"),
    ):
        parser.add_argument(f"--{name}", default=value)
    asked = parser.parse_args()
    options = [f"--{name}={getattr(asked, name)}" for name in ("slots", "threads", "calls", "repeats", "again", "seed")]
    command = ["demitasse", "tune", asked.model, *options, "--json"]
    where = ["--data", asked.data] if asked.data else []
    run = subprocess.run(
        [sys.executable, "-m", "demitasse", *command[1:], *where], stdout=subprocess.PIPE, text=True, check=True
    )
    found = json.loads(run.stdout)
    journal = Path(found.pop("journal"))
    trials = [json.loads(line) for line in journal.read_text().splitlines()]
    kept = {
        "command": " ".join(command),
        "seed": int(asked.seed),
        "day": datetime.now(UTC).date().isoformat(),
        "depends_on": trials[0],
        "result": found,
        "trials": trials[1:],
    }
    RESULT.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
