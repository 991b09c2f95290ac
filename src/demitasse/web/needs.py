"""What needs somebody: the same short list on every page that has one. Knows alerts and their buttons; knows no request.

Alerts of one group (many texts that wait for the same reason) are one line with a count; of lines the newest five are shown,
and it is said how many more there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from msgspec import Struct

from ..core.limits import Alert
from .desk import Desk
from .drift_facts import button

MOST_SHOWN: Final = 5
MOST_LISTED: Final = 200
MOST_READ: Final = 1_000


class Grouped(NamedTuple):
    """The newest alert of a group."""

    alert: Alert
    like: int
    """How many others of its group there are."""


class Need(Struct, frozen=True):
    """An alert with its one button: ``action`` is where it posts to; without one somebody has to look first."""

    alert: Alert
    action: str
    button: str
    link: str = ""
    like: int = 0
    """How many more wait for the same reason."""


def needs(desk: Desk, *, every: bool = False) -> dict[str, Any]:
    """``needs``: at most five (with ``every``: two hundred), the newest first, each with one button; ``needs_more``: how many
    lines more there are."""
    found = grouped(desk.books.alerts(open_only=True, last=MOST_READ))
    most = MOST_LISTED if every else MOST_SHOWN
    return {"needs": [_need(one) for one in found[:most]], "needs_more": max(0, len(found) - most)}


def grouped(alerts: Iterable[Alert]) -> list[Grouped]:
    """Alerts, those of a group as one, in the order of the first of each."""
    found: dict[str, Grouped] = {}
    for alert in alerts:
        name = f"group {alert.group}" if alert.group else f"alert {alert.id}"
        last = found.get(name)
        found[name] = Grouped(alert, 0) if last is None else Grouped(last.alert, last.like + 1)
    return list(found.values())


def _need(one: Grouped) -> Need:
    alert = one.alert
    if alert.kind == "approval_needed":
        action, word = ("", "") if one.like else ("/watch/do", button(alert.remedy))
        return Need(alert, action, word, "/waiting", one.like)
    if alert.kind.startswith("loop"):
        return Need(alert, "/keys/resume", "resume", f"/ledger?key={alert.subject}")
    if "budget" in alert.kind:
        return Need(alert, "/alerts/resolve", "done", "/budgets")
    if alert.undo and (word := button(alert.remedy)):
        return Need(alert, "/watch/do", word, "/watch")
    call = alert.remedy.removeprefix("demitasse explain ")
    return Need(alert, "/alerts/resolve", "done", f"/ledger/{call}" if call != alert.remedy else "")
