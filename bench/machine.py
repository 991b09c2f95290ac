"""What a measurement says of the machine it was made on, and what processes have used. Reads /proc; knows no gateway."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any, Self

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
OUT = Path(__file__).parent / "out"

BUSY_SHARE = 0.05
"""More than this share of all cores used by others makes a run *busy*: its absolute figures are not to be quoted."""


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*"):
            try:
                found += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                continue
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, of a process with its threads and descendants."""
    total = 0
    for one in family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total * TICK_S


def rss_mb(pid: int) -> float:
    """Resident memory of a process with its descendants; pages they share count in each."""
    total = 0
    for one in family(pid):
        try:
            status = Path(f"/proc/{one}/status").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
    return round(total / 1024, 1)


class Watch:
    """Watches the whole machine during a run, to know whether others were at work on it.

    ``with Watch(pids) as watch: …`` and then ``watch.facts()``; ``pids`` are our own processes.
    """

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids

    def __enter__(self) -> Self:
        self._at = time.perf_counter()
        self._stat = _stat()
        self._own = self._own_s()
        return self

    def __exit__(self, *_: object) -> None:
        self._took_s = time.perf_counter() - self._at
        now = _stat()
        self._busy_s = (now["busy"] - self._stat["busy"]) * TICK_S
        self._steal_s = (now["steal"] - self._stat["steal"]) * TICK_S
        self._ours_s = self._own_s() - self._own

    def facts(self) -> dict[str, Any]:
        cores_s = (os.cpu_count() or 1) * self._took_s
        others = max(0.0, self._busy_s - self._ours_s) / cores_s
        steal = self._steal_s / cores_s
        return {
            "others_share": round(others, 4),
            "steal_share": round(steal, 4),
            "busy": others > BUSY_SHARE or steal > BUSY_SHARE,
        }

    def _own_s(self) -> float:
        # The children that have ended (the load generators) are in our own account.
        waited = os.times()
        return sum(cpu_s(pid) for pid in self._pids) + sum(waited[:4])


def facts() -> dict[str, Any]:
    """Cores, load, versions, and which commit is measured."""
    return {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "load": [round(x, 2) for x in os.getloadavg()],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": _commit(),
    }


def write(name: str, result: dict[str, Any], folder: Path = OUT) -> Path:
    """A result as JSON, under ``bench/out`` unless told otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def table(rows: list[list[Any]], head: list[str]) -> str:
    """Rows under a head, each column as wide as it needs to be."""
    lines = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["─" * width for width in widths])
    return "\n".join(
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    )


def _stat() -> dict[str, int]:
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return {"busy": user + nice + system + irq + softirq, "steal": steal}


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    shown = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run(["git", "status", "--porcelain", "--", "src"], capture_output=True, text=True, check=False)
    return shown.stdout.strip() + ("+" if changed.stdout.strip() else "")
