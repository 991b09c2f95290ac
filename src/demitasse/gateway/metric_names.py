"""Which names become labels of metrics: bounded sets, whatever clients ask for. Pure but for the names it remembers.

A label's value is a time series that Prometheus keeps for months. A client may ask for any ``provider/name``; only names of
the configuration, and those that have answered at least once, get a series of their own, and never more than ``MOST``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..core.entry import Entry
from ..guard.kinds import HARMS, HIDDEN, SECRETS, TYPES

OTHER: Final = "other"
MOST: Final = 300
"""Names of routes and models with a series of their own."""

FOUND: Final = frozenset({*TYPES, *SECRETS, *HIDDEN})
_HARMS: Final = frozenset(HARMS)

REFUSING: Final = frozenset({"private_data_refused", "hidden_characters"})
"""Codes of refusals for the sake of what was found."""


class Names:
    """Folds names that nobody vouches for into ``other``."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def know(self, names: Iterable[str]) -> None:
        """Names that the configuration has: routes and models."""
        self._known.update(names)

    def answered(self, *names: str) -> None:
        """Names that stood for something: a model gave an answer under them."""
        if len(self._known) < MOST:
            self._known.update(names)

    def fold(self, name: str) -> str:
        """The label's value; a plain name without a provider before it can only come from a configuration or catalogue."""
        if not name or name in self._known:
            return name
        if "/" in name or len(self._known) >= MOST:
            return OTHER
        self._known.add(name)
        return name


def findings(entry: Entry) -> list[tuple[str, str, int]]:
    """Type, action and count of what the guard found in a call. What was replaced or stripped is told apart from the rest."""
    guard = entry.guard
    if guard is None:
        return []
    rest = "refuse" if entry.outcome == "refused" and entry.error in REFUSING else "detect"
    acted: dict[str, list[tuple[str, int]]] = {}
    for action, what, count in guard.done:
        if action in ("redact", "mask"):
            acted.setdefault(what, []).append((action, count))
    stripped = any(action == "strip" for action, _, _ in guard.done)
    rows: list[tuple[str, str, int]] = []
    for type, count in guard.found:
        name, left = type if type in FOUND else OTHER, count
        for action, times in acted.get(type, ()):
            rows.append((name, action, times))
            left -= times
        if left > 0:
            rows.append((name, rest, left))
    for kind, count in guard.hidden:
        rows.append((kind if kind in FOUND else OTHER, "strip" if stripped else rest, count))
    return rows


def harm(category: str) -> str:
    return category if category in _HARMS else OTHER
