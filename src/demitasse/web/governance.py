"""The governance page: the control table with what shows each row, the inventory with cards, licences and providers.

Knows rows as plain values; who gathers them and who packs them is passed in. The same for HTML and for JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .desk import Desk

MOST_DAYS = 14
MARKS = {"evidenced": "●", "partial": "◐", "organisational": "○"}


class Governance(Protocol):
    """What the page is handed. Blocks; called from a worker thread. May raise DemitasseError."""

    def found(self) -> dict[str, Any]:
        """``since, until, counts, rows`` as ``controls.json`` of a pack, and ``cards, licences, providers,
        retention, security, counted``."""
        ...

    def card(self, name: str) -> dict[str, Any] | None:
        """The object of ``card --json``; None: nobody knows the model."""
        ...

    def pack(self) -> tuple[str, bytes]:
        """A file's name and the signed pack."""
        ...


def page(desk: Desk, _query: Mapping[str, str]) -> dict[str, Any]:
    """The whole page; without anything to show where nothing gathers."""
    if desk.governance is None:
        return {"found": None, "marks": MARKS}
    found = desk.governance.found()
    frameworks: dict[str, list[dict[str, Any]]] = {}
    for row in found["rows"]:
        frameworks.setdefault(row["framework"], []).append(row)
    return {
        "found": found, "frameworks": frameworks, "missing": _missing(found["rows"]), "marks": MARKS,
        "acts": _acts(found["retention"]), "away": _away(found["security"]),
    }  # fmt: skip


def card(desk: Desk, query: Mapping[str, str]) -> dict[str, Any]:
    """One model's card, ``?model=NAME``."""
    name = query.get("model", "")
    found = desk.governance.card(name) if desk.governance is not None else None
    return {"card": found, "name": name}


def _away(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Requests that were turned away before they were calls, by day, the newest first; the reasons of a day by how many."""
    days = [
        {
            "day": one["day"], "n": sum(one["counts"].values()),
            "reasons": sorted(one["counts"].items(), key=lambda row: (-row[1], row[0])),
        }
        for one in told.get("turned_away_by_day", ())
    ]  # fmt: skip
    return sorted(days, key=lambda one: str(one["day"]), reverse=True)[:MOST_DAYS]


def _acts(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was made unreadable, dropped, read or changed of what is kept, the newest first."""
    itself, nobody = "the gateway by itself", "nobody is named"
    found = [
        {**one, "what": f"texts of {one['of']} made unreadable", "by": one["by"] or nobody}
        for one in told.get("erasures", ())
    ]
    found += [
        {**one, "what": f"rows up to {one['rows_up_to']:,} dropped", "by": one["by"] or itself}
        for one in told.get("dropped", ())
    ]
    found += [{**one, "by": one["by"] or nobody} for one in told.get("other_acts", ())]
    return sorted(found, key=lambda one: str(one["at"]), reverse=True)


def _missing(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What would make each proof that is missing, the one that most rows wait for first."""
    waiting: dict[str, dict[str, Any]] = {}
    for row in rows:
        for proof in row["proofs"]:
            if not proof["stands"]:
                one = waiting.setdefault(
                    proof["title"], {"title": proof["title"], "make": proof["make"], "says": proof["says"], "rows": []}
                )
                one["rows"].append(row["id"])
    return sorted(waiting.values(), key=lambda one: (-len(one["rows"]), one["title"]))
