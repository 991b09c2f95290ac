"""Rounds after rounds, and their sum. Keeps the directory of a round that failed, to be looked at."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from demitasse.testing.running import mock_process

from .round import Result, play_round

RESULTS = Path(__file__).parents[3] / "bench" / "results"
_SUMS = ("interleavings", "calls", "tries", "kills", "samples", "answered", "refused_by_budget", "joined", "served")
_MONEY = ("served_nanos", "booked_nanos", "lost_nanos")


async def run(
    seed: str,
    interleavings: int,
    *,
    in_round: int = 25,
    sabotage: str | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Play so many interleavings and say what came of them; ``breaches`` is what did not hold."""
    launcher = ("-m", "tests.faults.crash.sabotage", sabotage) if sabotage else ("-m", "demitasse")
    begun = dt.datetime.now(dt.UTC)
    rounds: list[Result] = []
    left = interleavings
    while left > 0:
        folder = Path(tempfile.mkdtemp(prefix="crash-"))
        # A mock of its own for each round: nothing that a killed gateway still had in the air is counted twice.
        with mock_process() as mock:
            played = await play_round(f"{seed}.{len(rounds)}", min(in_round, left), folder, mock, launcher)
        rounds.append(played)
        left -= played.interleavings
        say(_line(played, interleavings - left, interleavings))
        if played.breaches:
            say(f"  kept: {folder}")
        else:
            shutil.rmtree(folder)
    return _sum(seed, rounds, begun, sabotage)


def write(result: dict[str, Any], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def _line(played: Result, done: int, of: int) -> str:
    rows = " ".join(f"{name} {count}" for name, count in sorted(played.rows.items()))
    verdict = "holds" if not played.breaches else f"BROKEN: {'; '.join(played.breaches[:3])}"
    return (
        f"{done}/{of} · {played.gateways} gateways · {played.kills} kills · {rows} · {verdict} · {played.took_s:.1f} s"
    )


def _sum(seed: str, rounds: list[Result], begun: dt.datetime, sabotage: str | None) -> dict[str, Any]:
    rows: Counter[str] = Counter()
    for played in rounds:
        rows.update(played.rows)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "seed": seed,
        "sabotage": sabotage,
        "begun": begun.isoformat(timespec="seconds"),
        "took_s": round((dt.datetime.now(dt.UTC) - begun).total_seconds(), 1),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        **{name: sum(getattr(played, name) for played in rounds) for name in (*_SUMS, *_MONEY)},
        "rows": dict(rows),
        "breaches": [f"{played.seed}: {breach}" for played in rounds for breach in played.breaches],
        "rounds": [msgspec.to_builtins(played) for played in rounds],
    }
