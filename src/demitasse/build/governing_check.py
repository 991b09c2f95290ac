"""Before weights are fetched or served: does the profile of the house allow them? Costs nothing where it is not commercial."""

# ruff: noqa: PLC0415 - a start outside the commercial profile is spared the register
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..config import Config


def check_licence(config: Config, data: Path, get_setting: Callable[[str], Any], name: str, *, to: str) -> None:
    """Raises NotLicensed where [governance] profile does not allow the model ``name`` to be ``pulled`` or ``served``.

    Args:
        get_setting: of the store: what persons have accepted.
        name: an alias of [models], a catalogue's name, ``made:NAME`` or ``hf:…``.
    """
    if config.governance.profile != "commercial":
        return
    from ..lab.governance.register import SETTING, accepted, refuse
    from .governing_models import Shelf

    shelf = Shelf(config, data, accepted(get_setting(SETTING)))
    refuse(shelf.licensed(shelf.origin(name)), to=to)
