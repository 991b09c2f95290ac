"""What a file for ``plan --file`` may say: the traffic, the quality wanted, options with scores, figures and rows of one's own.

    options = ["hosted:openai/gpt-5-mini", "rented:h100/gpt-oss-20b"]
    quality = 0.9
    [traffic]
    calls_per_day = "30000..80000"
    tokens_in = 800
    tokens_out = 200
    peak = 4
    [scores]
    "rented:h100/gpt-oss-20b" = 0.91
    [set]
    "gpu.h100.usd_per_hour" = "1.8..2.4"
    [[row]]                       # as in the package's facts.toml

Knows TOML; a command line's flags go before it.
"""

from __future__ import annotations

import tomllib
from typing import Any, Final

from msgspec import Struct

from ...core.hardware import Interval
from .facts import Facts, PlanError, decode, near, parse_range
from .profile import NAMES

_TABLES: Final = ("options", "quality", "traffic", "scores", "set", "row")


class Asked(Struct, frozen=True):
    """What a file says."""

    traffic: dict[str, Interval] = {}
    quality: float | None = None
    options: tuple[str, ...] = ()
    scores: dict[str, str] = {}
    figures: dict[str, Interval] = {}
    rows: Facts = Facts({})


def read(text: str, place: str) -> Asked:
    """Raises PlanError with the place and the name that is wrong."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as why:
        raise PlanError(f"{place}: {why}") from why
    _known(found, _TABLES, place)
    traffic = found.get("traffic", {})
    _known(traffic, NAMES, f"{place}, [traffic]")
    quality = found.get("quality")
    if quality is not None and (isinstance(quality, bool) or not isinstance(quality, int | float)):
        raise PlanError(f"{place}: quality = {quality!r} is no number")
    return Asked(
        traffic={name: parse_range(str(value), what=name) for name, value in traffic.items()},
        quality=quality,
        options=tuple(found.get("options", ())),
        scores={name: str(value) for name, value in found.get("scores", {}).items()},
        figures={name: parse_range(str(value), what=name) for name, value in found.get("set", {}).items()},
        rows=decode(text, place) if "row" in found else Facts({}),
    )


def _known(given: dict[str, Any], known: tuple[str, ...], place: str) -> None:
    for name in given:
        if name not in known:
            raise PlanError(f"{place}: no '{name}'{near(name, known)}; there are: {', '.join(known)}")
