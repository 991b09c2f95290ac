"""Whether a machine was one's own while something was measured: others' work and the hypervisor's theft, from ``/proc``.

Two readings and what the measured thing itself used give what others used. Knows nothing of what is measured.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

OTHERS: Final = 0.15
"""Share of the cores that others may use before a figure says more about them; a desktop at rest stays below."""
STEAL: Final = 0.02
"""Share of the cores' time that a hypervisor may give to other machines."""


class Reading(Struct, frozen=True):
    """Cumulative counters of the whole machine at a moment; None where the system does not tell."""

    at_s: float
    """Monotonic."""
    busy_s: float | None
    """CPU seconds of all processes."""
    steal_s: float | None
    """CPU seconds that were wanted and given to other machines."""
    load: float | None
    """Processes that ran or wanted to, averaged over the last minute."""


class Busy(Struct, frozen=True):
    """The machine between two readings."""

    wall_s: float
    cores: float
    own_cpu_s: float
    """Of what was measured, and of the measuring."""
    others_cores: float | None
    """Cores that others kept busy, on average."""
    steal_share: float | None
    load_before: float | None
    load_after: float | None
    contended: bool
    why: str = ""


def read(proc: Path = Path("/proc")) -> Reading:
    """The counters now."""
    busy = steal = load = None
    try:
        ticks = [int(one) for one in (proc / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        each = os.sysconf("SC_CLK_TCK")
        busy, steal = (sum(ticks[:3]) + ticks[5] + ticks[6]) / each, ticks[7] / each
        load = float((proc / "loadavg").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        pass
    return Reading(time.monotonic(), busy, steal, load)


def between(before: Reading, after: Reading, *, own_cpu_s: float, cores: float) -> Busy:
    """What happened between two readings. Where the system does not tell, nothing is held against the figures, and it is said.

    Args:
        own_cpu_s: CPU seconds of what was measured.
        cores: that the measured thing may use.
    """
    wall_s = max(after.at_s - before.at_s, 1e-9)
    others = steal = None
    if before.busy_s is not None and after.busy_s is not None:
        others = max(0.0, after.busy_s - before.busy_s - own_cpu_s) / wall_s
    if before.steal_s is not None and after.steal_s is not None:
        steal = max(0.0, after.steal_s - before.steal_s) / (wall_s * cores)
    said = []
    if others is None or steal is None:
        said.append("the system does not tell what else ran")
    crowded = others is not None and others > OTHERS * cores
    stolen = steal is not None and steal > STEAL
    if crowded:
        said.append(f"others kept {others:.1f} of {cores:g} cores busy")
    if stolen:
        said.append(f"the hypervisor gave {100 * (steal or 0):.0f} % of the time to other machines")
    return Busy(
        wall_s=wall_s,
        cores=cores,
        own_cpu_s=own_cpu_s,
        others_cores=others,
        steal_share=steal,
        load_before=before.load,
        load_after=after.load,
        contended=crowded or stolen,
        why="; ".join(said),
    )
