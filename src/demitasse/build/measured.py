"""Speeds that were measured on this machine, kept in the store so that costs need not assume any."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from ..core.hardware import Throughput

SETTING: Final = "measured_speeds"
"""Of the store: alias → `Speed` and the file it was measured of."""


class Speed(Struct, frozen=True):
    """How fast an engine was, and with how many calls side by side it was measured."""

    throughput: Throughput
    slots: int = 1
    file: str = ""
    """The model's file name: another file under the same alias is another model."""


def speed(kept: Any, alias: str, file: str) -> Throughput | None:
    """What the store's setting has for this alias and file; None: nothing, or nothing that can be read."""
    try:
        found = msgspec.convert(kept, dict[str, Speed]).get(alias)
    except msgspec.ValidationError:
        return None
    return found.throughput if found is not None and found.file == file else None


def with_speed(kept: Any, alias: str, found: Speed) -> dict[str, Any]:
    """The setting with one more."""
    return {**(kept if isinstance(kept, dict) else {}), alias: msgspec.to_builtins(found)}
