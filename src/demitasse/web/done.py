"""What was done for an alert and still holds, each with the button that takes it back. Knows alerts' commands; knows no request.

What holds is asked of what is in force (budgets, streams, certificates) and not of who pressed what, so that a thing done by a
command stands here too, and one that was taken back elsewhere does not.
"""

from __future__ import annotations

import shlex
from typing import Final

from msgspec import Struct

from ..core.limits import Alert
from .desk import Desk
from .drift_facts import button

MOST_SHOWN: Final = 10
_MOST_READ: Final = 500


class Holds(Struct, frozen=True):
    """An alert whose command was done: what that was, and the word on the button that undoes it."""

    alert: Alert
    button: str


def done(desk: Desk) -> list[Holds]:
    """The newest first; of several alerts that one undo answers, the newest."""
    in_force = _InForce(desk)
    found: dict[str, Holds] = {}
    for alert in desk.books.alerts(open_only=False, last=_MOST_READ):
        word = button(alert.undo) if alert.resolved_us is not None and alert.undo not in found else ""
        if word and in_force(alert.undo):
            found[alert.undo] = Holds(alert, word)
            if len(found) == MOST_SHOWN:
                break
    return list(found.values())


class _InForce:
    """Whether there is still something that an undo would take back; reads each table once, and only if it is asked for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._budgets: set[str] | None = None
        self._accepted: set[str] | None = None
        self._undone: set[str] | None = None

    def __call__(self, undo: str) -> bool:
        match shlex.split(undo):
            case ["demitasse", "budgets", "remove", name]:
                return name in self._budgets_there()
            case ["demitasse", "drift", "--unaccept", name]:
                return name in self._streams_accepted()
            case ["demitasse", "promote", id]:
                return id in self._certificates_undone()
        return False

    def _budgets_there(self) -> set[str]:
        if self._budgets is None:
            self._budgets = {spent.budget.name for spent in self._desk.books.spent(self._desk.clock())}
        return self._budgets

    def _streams_accepted(self) -> set[str]:
        if self._accepted is None:
            streams = self._desk.watch.facts().streams if self._desk.watch is not None else ()
            self._accepted = {f"{row.route}/{row.stream}" for row in streams if row.since_us is not None}
        return self._accepted

    def _certificates_undone(self) -> set[str]:
        if self._undone is None:
            rows = self._desk.evidence.certificates() if self._desk.evidence is not None else ()
            serve = {certificate.policy.route for certificate, state, *_ in rows if state == "promoted"}
            undone = (certificate for certificate, state, *_ in rows if state == "undone")
            self._undone = {certificate.id for certificate in undone if certificate.policy.route not in serve}
        return self._undone
