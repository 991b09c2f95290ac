"""What this machine has and what of it is free: cores, load, memory, energy counters. Reads ``/proc``, ``/sys``.

Where a system does not tell, the answer is None or the plain core count; nothing here raises.
"""

from __future__ import annotations

import os
from pathlib import Path

_RAPL = Path("/sys/class/powercap")


def free_threads(cores: float, physical: int, load: float) -> int:
    """Threads for native compute: what is free, at least 1, at most the physical cores.

    Two threads on two busy cores are 4 to 8 times slower than one, because each step waits for the slowest thread: a
    thread too few costs little, a thread too many much, so fractions are rounded down.
    """
    return max(1, min(physical, int(cores - load + 0.25)))


def choose_threads() -> int:
    """`free_threads` of this machine now."""
    return free_threads(allowed_cores(), physical_cores(), load())


def allowed_cores() -> float:
    """Cores this process may use: the affinity mask, further limited by the control group's quota."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    quota = _cgroup_cores(Path("/sys/fs/cgroup"))
    return min(cores, quota) if quota else cores


def _cgroup_cores(root: Path) -> float | None:
    try:
        limit, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    return None if limit in ("max", "-1") else int(limit) / int(period)


def physical_cores() -> int:
    """Cores, not hyper-threads: siblings share the units that matrix products wait for."""
    siblings = set()
    for core in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list"):
        try:
            siblings.add(core.read_text())
        except OSError:
            continue
    return len(siblings) or os.cpu_count() or 1


def load() -> float:
    """Cores that others keep busy, averaged over the last minute."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return 0.0


def free_memory_bytes() -> int | None:
    """What could be had without swapping, within the control group's limit."""
    free = None
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = int(line.split()[1]) * 1024
        root = Path("/sys/fs/cgroup")
        limit = (root / "memory.max").read_text().strip()
        if limit != "max":
            left = int(limit) - int((root / "memory.current").read_text())
            free = left if free is None else min(free, left)
    except (OSError, ValueError):
        return free
    return free


def cpu_seconds(pid: int) -> float | None:
    """User and system time of a process so far; None where the system does not tell. Resolution: 10 ms."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def rss_bytes(pid: int) -> int | None:
    """Memory a process holds at the moment, shared pages included."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def busy_cpu_seconds() -> float | None:
    """CPU seconds that all processes together have had since the system started; None where it does not tell."""
    try:
        fields = [int(f) for f in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")  # less idle and waiting for disks


def rapl_uj(root: Path = _RAPL) -> dict[str, tuple[int, int]] | None:
    """The processor packages' energy counters: ``{name: (micro-joules, wraps at)}``; None where there are none or they
    may not be read (most systems let only root)."""
    found = {}
    for package in sorted(root.glob("intel-rapl:[0-9]*")):
        if package.name.count(":") != 1:  # sub-domains are part of their package
            continue
        try:
            found[package.name] = (
                int((package / "energy_uj").read_text()),
                int((package / "max_energy_range_uj").read_text()),
            )
        except (OSError, ValueError):
            return None
    return found or None
