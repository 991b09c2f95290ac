"""How many machines a peak needs, and how long a call waits for one: M/M/c, Erlang's C formula. Pure.

Source: Erlang (1917); the recursion for B is in every text on queueing (Kleinrock, Queueing Systems I, 1975, 3.5-3.6).
A machine that computes many calls at once is taken as one server that computes them one after the other at its full speed:
the mean wait is the same, the spread is roughly so.
"""

from __future__ import annotations

import math
from typing import Final

SLOW: Final = 0.05
"""So many calls may wait longer than is allowed, in the busiest hour."""
_FEW: Final = 60
"""Erlangs above which the load limit alone decides: so many machines seldom wait."""


def machines(offered: float, service_s: float, *, wait_s: float, max_load: float) -> int:
    """The fewest with a load of at most ``max_load`` and at most `SLOW` of the calls waiting longer than ``wait_s``.

    Args:
        offered: calls per second times seconds per call (erlangs) in the busiest hour.
        service_s: seconds that one call keeps a machine busy.
    """
    count = max(1, math.ceil(offered / max_load - 1e-9))
    if offered > _FEW:
        return count
    while slower(wait_s, offered, service_s, count) > SLOW:
        count += 1
    return count


def slower(than_s: float, offered: float, service_s: float, count: int) -> float:
    """The share of calls that wait longer."""
    if count <= offered:
        return 1.0
    return waiting(offered, count) * math.exp(-(count - offered) * than_s / service_s)


def waiting(offered: float, count: int) -> float:
    """Erlang C: the share of calls that wait at all; ``count > offered``."""
    blocked = 1.0
    for k in range(1, count + 1):
        blocked = offered * blocked / (k + offered * blocked)
    return blocked / (1 - offered / count * (1 - blocked))


def wait_quantile_s(share: float, offered: float, service_s: float, count: int) -> float:
    """The wait that ``share`` of the calls do not exceed; 0 where so many do not wait."""
    if count > 4 * _FEW:
        return 0.0
    some = waiting(offered, count)
    return max(0.0, math.log(some / (1 - share)) * service_s / (count - offered)) if some > 1 - share else 0.0
