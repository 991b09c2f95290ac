"""`demitasse` with one promise taken out: `python -m tests.faults.crash.sabotage WAY up …`. The verdict must notice each."""

from __future__ import annotations

import sys
from typing import Any

from msgspec import structs

from demitasse.core.entry import Entry, Hold
from demitasse.store import procs
from demitasse.store.ledger import SqliteLedger


def no_hold() -> None:
    """Every hold is granted and none is written."""

    async def hold(_self: SqliteLedger, _hold: Any) -> None:
        return None

    SqliteLedger.hold = hold  # type: ignore[method-assign,assignment]


def lost_for_free() -> None:
    """Recovery lets the holds of the dead go instead of settling them in full."""
    lost = procs.lost

    def free(hold: Hold) -> Entry:
        return structs.replace(lost(hold), cost_nanos=0, charges=(), estimated=False)

    procs.lost = free


def answer_before_the_commit() -> None:
    """The last byte does not wait for the row, which is written half a second later."""
    import asyncio

    settle = SqliteLedger.settle

    def late(self: SqliteLedger, entry: Entry) -> Any:
        loop = asyncio.get_running_loop()
        loop.call_later(0.5, settle, self, entry)
        done = loop.create_future()
        done.set_result(None)
        return done

    SqliteLedger.settle = late  # type: ignore[method-assign]


WAYS = {
    "no-hold": no_hold,
    "lost-for-free": lost_for_free,
    "answer-before-the-commit": answer_before_the_commit,
}


if __name__ == "__main__":
    WAYS[sys.argv.pop(1)]()
    from demitasse.cli import main

    main()
