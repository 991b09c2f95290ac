"""The ledger's marks: small facts about its own tables, by name, in the table ``meta``. Knows what each must look like.

They are no rows of the chain. What follows from them is checked elsewhere; here is told which of them cannot be what was written.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import msgspec

NUMBERS: Final = ("revision", "folded", "touched", "tallied", "tally_until")
"""Marks that every ledger has."""
_TEXTS: Final = ("recovered", "noticed")
"""JSON objects; a ledger may be without them."""


def number(db: sqlite3.Connection, name: str) -> int:
    """A mark that is a whole number. Raises sqlite3.DatabaseError: it is none."""
    row = db.execute("SELECT v FROM meta WHERE k = ?", (name,)).fetchone()
    if row is None or not isinstance(row[0], int) or row[0] < 0:
        raise sqlite3.DatabaseError(f"its mark '{name}' is no number; see: demitasse audit verify")
    return int(row[0])


def amiss(db: sqlite3.Connection) -> list[str]:
    """A sentence for each mark that cannot be what was written. Names of later versions are passed over."""
    kept: dict[Any, Any] = dict(db.execute("SELECT k, v FROM meta"))
    top = int(db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])
    said = []
    for name in (*NUMBERS, "exported"):
        value = kept.get(name, 0 if name == "exported" else None)
        if not isinstance(value, int) or value < 0:
            said.append(f"the ledger's mark '{name}' is no whole number from 0 on: {_short(value)}")
        elif name in ("tallied", "tally_until", "exported") and value > top:
            said.append(f"the ledger's mark '{name}' tells of row {value:,}, and there are {top:,}")
    for name in _TEXTS:
        try:
            whole = name not in kept or isinstance(msgspec.json.decode(kept[name]), dict)
        except (msgspec.DecodeError, RecursionError, TypeError, ValueError):
            whole = False
        if not whole:
            said.append(f"the ledger's mark '{name}' cannot be read: {_short(kept[name])}")
    if not isinstance(kept.get("carried_configuration", ""), str):
        said.append(f"the ledger's mark 'carried_configuration' is no text: {_short(kept['carried_configuration'])}")
    return said


def _short(value: object) -> str:
    return "it is not there" if value is None else repr(value)[:60]
