"""Models that ship inside the package: what is said of them (``detectors.toml``), and what was measured (``card.json``).

Measured before they shipped, by the commands that ``card.json`` names; nothing is measured here. Whether the figures are of the
weights that are installed, their hash tells.
"""

from __future__ import annotations

import contextlib
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Final

import msgspec
from msgspec import Struct

from ..lab.governance.cards import Evaluated, Figure

CARD: Final = "card.json"
"""Beside the weights; written by ``python -m bench.cards``."""


class Detector(Struct, frozen=True):
    """A model that ships inside the package, as ``detectors.toml`` tells it."""

    name: str
    title: str
    package: str
    file: str
    licence: str
    method: str
    use: str
    data: str
    page: str
    limits: tuple[str, ...] = ()


class Measured(Struct, frozen=True):
    """What was measured of weights with this hash."""

    sha256: str
    command: str
    evaluations: tuple[Evaluated, ...] = ()
    safety: tuple[Figure, ...] = ()
    cpu: tuple[Figure, ...] = ()
    """Names end in their unit."""
    lacking: tuple[str, ...] = ()
    """What was measured of other weights only, in words."""


@lru_cache(maxsize=1)
def detectors() -> dict[str, Detector]:
    """All of them, by name."""
    told = tomllib.loads((files("demitasse.lab.governance") / "detectors.toml").read_text("utf-8"))
    return {one.name: one for one in msgspec.convert(told["detector"], list[Detector])}


def weights(one: Detector) -> bytes:
    """The file as it is installed; empty: it is not there."""
    with contextlib.suppress(OSError, ModuleNotFoundError):
        return (files(one.package) / one.file).read_bytes()
    return b""


def measured(one: Detector) -> Measured | None:
    """None: nothing that can be read."""
    try:
        return msgspec.json.decode((files(one.package) / CARD).read_bytes(), type=Measured)
    except (OSError, ModuleNotFoundError, msgspec.MsgspecError):
        return None
