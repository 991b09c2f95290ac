"""Savings that a button or a command turns on and off: which setting each one is, from the safest up. Pure.

The configuration file wins: what it names is its own to say. What is switched lies in the store and shows that origin.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct, structs

from ..core.errors import ConfigError
from .tree import Config, Semantic

STORED = "switches"
"""The store's setting that holds them: name → on."""


class Switch(Struct, frozen=True):
    """One saving. ``place``: the dotted setting it stands for; ``on``, ``off``: its values."""

    name: str
    place: str
    on: Any
    off: Any
    label: str
    does: str
    """One sentence: what changes, and for whom."""


SWITCHES: tuple[Switch, ...] = (
    Switch(
        "exact-cache", "cache.exact", True, False, "exact cache", "the same whole request gets the very same answer"
    ),
    Switch(
        "prompt-cache",
        "cache.prompt",
        True,
        False,
        "prompt cache",
        "providers are asked to keep what prompts begin with, where that pays; answers stay the model's own",
    ),
    Switch(
        "shadow",
        "shadow.usd_per_day",
        Decimal(1),
        Decimal(0),
        "shadow calls",
        "a small random share of calls is also put to the cheaper models, to learn what they would do; at most $1 a day",
    ),
    Switch(
        "semantic-cache",
        "cache.semantic",
        Semantic(),
        False,
        "semantic cache",
        "a request that means the same may get that answer; it serves nothing until its error is certified",
    ),
)


def switch_named(name: str) -> Switch:
    """Raises ConfigError with the names there are."""
    found = next((switch for switch in SWITCHES if switch.name == name), None)
    if found is None:
        names = [switch.name for switch in SWITCHES]
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names)}"
        raise ConfigError(f"no saving '{name}'; {hint}")
    return found


def said_by_file(config: Config, switch: Switch) -> bool:
    """Whether the file, the environment or the command line decides; then no button does."""
    inside = switch.place + "."
    return any(
        (place == switch.place or place.startswith(inside)) and by != "store" for place, by in config.origins.items()
    )


def is_on(config: Config, switch: Switch) -> bool:
    section, field = switch.place.split(".")
    return bool(getattr(getattr(config, section), field))


def overlay(config: Config, switched: Mapping[str, Any] | None) -> Config:
    """The configuration with what was switched in the store, where no file says otherwise. Unknown names are passed over:
    they may be a newer Demitasse's."""
    for name, on in (switched or {}).items():
        switch = next((switch for switch in SWITCHES if switch.name == name), None)
        if switch is None or said_by_file(config, switch) or bool(on) == is_on(config, switch):
            continue
        section, field = switch.place.split(".")
        changed = structs.replace(getattr(config, section), **{field: switch.on if on else switch.off})
        config = structs.replace(config, **{section: changed}, origins={**config.origins, switch.place: "store"})
    return config
