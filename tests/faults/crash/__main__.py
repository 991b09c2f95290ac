"""The harness as a command: many rounds, a line each, and the whole result as JSON."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from .run import RESULTS, run, write
from .sabotage import WAYS


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.crash", description="Kill gateways, then compare the books."
    )
    parser.add_argument("--seed", default="7")
    parser.add_argument("--interleavings", type=int, default=10_000)
    parser.add_argument("--in-round", type=int, default=25, help="interleavings that share a data directory")
    parser.add_argument(
        "--sabotage", choices=sorted(WAYS), help="take a promise out of the gateways; the verdict must fail"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    result = asyncio.run(
        run(
            arguments.seed, arguments.interleavings, in_round=arguments.in_round, sabotage=arguments.sabotage, say=print
        )
    )
    name = f"crash_{arguments.seed}_{arguments.interleavings}" + (
        f"_{arguments.sabotage}" if arguments.sabotage else ""
    )
    print(write(result, arguments.out / f"{name}.json"))
    sys.exit(1 if result["breaches"] else 0)


if __name__ == "__main__":
    main()
