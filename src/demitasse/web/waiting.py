"""What waits for a person: calls whose text may give orders that are not its to give, and their words for who may read them.

The list is for whoever sees figures; words are for who may both decide (``operate``) and read (``content``). Knows no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from msgspec import Struct

from ..core.errors import ConfigError
from ..core.limits import Alert, Budget
from ..core.quiet import quiet
from ..core.visible import visible
from ..wire.text import turns
from .desk import Desk
from .guard import Done
from .needs import grouped

MOST_CHARS: Final = 40_000
MOST_WAITING: Final = 1_000
MOST_SHOWN: Final = 200
MOST_WHY_CHARS: Final = 1_000
APPROVE: Final = "approve-"
"""Begins the id of an alert that asks a person; the code follows."""
_CODE_CHARS: Final = 10


class Held(Struct, frozen=True):
    """A request as it came."""

    __repr__ = quiet

    call: str
    """Its id: of several with the same text, the newest."""
    body: bytes
    of_bytes: int = 0
    """How long the whole of it was, where only the newest words are kept; 0: all of it is."""


class Waiting(Protocol):
    """Where the words of what waits are kept."""

    async def read(self, code: str) -> Held | None:
        """What waits under a code; None: it is not kept, or not any more. The chain is told who read it, before it is given.

        May raise DemitasseError: then nothing is given.
        """
        ...


def page(desk: Desk, query: Mapping[str, str]) -> dict[str, Any]:
    """What waits, the newest first, without a word of it: of what waits for the same route, key and author the newest, and how
    many are ``like`` it; with ``all`` each, the newest two hundred."""
    found = _open(desk)
    every = query.get("all") == "yes"
    groups = grouped(found)
    rows = [_row(alert, 0) for alert in found[:MOST_SHOWN]] if every else [_row(*one) for one in groups[:MOST_SHOWN]]
    return {
        "waiting": rows,
        "total": len(found),
        "every": every,
        "apart": len(groups) < len(found),
        "keeps": desk.waiting is not None,
        "read": None,
    }


async def read(desk: Desk, form: Mapping[str, str]) -> dict[str, Any]:
    """The words under ``code``. Raises ConfigError: nothing waits under it, or its words are not there."""
    code = _code(form)
    if desk.waiting is None:
        raise ConfigError("words of what waits are not kept here: see [keep] bodies and [keep] held")
    alert = desk.books.find_alert(APPROVE + code)
    found = None if alert is None or alert.resolved_us is not None else await desk.waiting.read(code)
    if found is None:
        raise ConfigError(f"the request under {code} is not there: it was decided, a day is over, or it was never kept")
    said = [
        {"role": one.role, "text": visible(one.text[:MOST_CHARS]), "cut": len(one.text) > MOST_CHARS}
        for one in turns(found.body)
    ]
    return {"read": {"code": code, "call": found.call, "turns": said, "of_bytes": found.of_bytes or None}}


async def reject(desk: Desk, form: Mapping[str, str], _budgets: list[Budget]) -> Done:
    """``code``: it never passes; ``why`` stands in the chain. With ``like`` (``yes``) all that waits for the same route, key and
    author. There is no way back, so no undo.

    Raises ConfigError: it does not wait.
    """
    code, why = _code(form), " ".join(form.get("why", "").split())
    if len(why) > MOST_WHY_CHARS:
        raise ConfigError(f"the reason is longer than {MOST_WHY_CHARS} characters")
    if not why.isprintable():
        raise ConfigError(
            "the reason has characters that nobody sees, and it would stay in the chain for good; say it without"
        )
    waiting = {code_of(alert): alert for alert in _open(desk)}
    if code not in waiting:
        raise ConfigError(f"nothing waits under {code}; open the page again")
    group = waiting[code].group
    codes = [
        one for one, alert in waiting.items() if one == code or (form.get("like") and group and alert.group == group)
    ]
    for one in codes:
        await desk.control.reject(one, why)
        await desk.control.resolve_alert(APPROVE + one)
    return Done(f"{code} is refused for good" if len(codes) == 1 else f"{len(codes)} requests are refused for good")


def code_of(alert: Alert) -> str:
    """Under which something waits."""
    return alert.id.removeprefix(APPROVE)


def _code(form: Mapping[str, str]) -> str:
    code = form.get("code", "")
    if len(code) != _CODE_CHARS or set(code) - set("0123456789abcdef"):
        raise ConfigError("this is no code of something that waits; open the page again")
    return code


def _open(desk: Desk) -> list[Alert]:
    return desk.books.alerts(open_only=True, last=MOST_WAITING, begins=APPROVE)


def _row(alert: Alert, like: int) -> dict[str, Any]:
    return {
        "code": code_of(alert), "at_us": alert.at_us, "call": alert.subject, "why": alert.message,
        "alert": alert.id, "like": like,
    }  # fmt: skip
