"""The buttons of the watch: an alert's command done by a press, and taken back by another. Knows what commands alerts name."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ..core.acting import actor
from ..core.errors import ConfigError
from ..core.limits import Alert, Budget
from .guard import Done

if TYPE_CHECKING:
    from .actions import Action
    from .desk import Desk

Form = Mapping[str, str]


async def do(desk: Desk, form: Form, budgets: list[Budget]) -> Done:
    """``alert``: its remedy is done, and it waits for nobody any more."""
    alert = _alert(desk, form)
    if alert.kind == "approval_needed":
        _not_ones_own(desk, alert)
    text = await _run(desk, alert.remedy, budgets)
    await desk.control.resolve_alert(alert.id)
    return Done(text, "/watch/undo", {"alert": alert.id})


async def undo(desk: Desk, form: Form, budgets: list[Budget]) -> Done:
    """``alert``: its remedy is taken back, and it is on the list again."""
    alert = _alert(desk, form)
    text = await _run(desk, alert.undo, budgets)
    await desk.control.reopen_alert(alert.id)
    return Done(text, "/watch/do", {"alert": alert.id})


async def accept(desk: Desk, form: Form, _budgets: list[Budget]) -> Done:
    """``name`` (``route/stream``): what comes from today on is the usual."""
    return _accept(desk, form.get("name", ""))


async def unaccept(desk: Desk, form: Form, _budgets: list[Budget]) -> Done:
    return _unaccept(desk, form.get("name", ""))


ACTIONS: Final[dict[str, Action]] = {
    "/watch/do": do,
    "/watch/undo": undo,
    "/watch/accept": accept,
    "/watch/unaccept": unaccept,
}


def _accept(desk: Desk, name: str) -> Done:
    _watch(desk, name, accepted=True)
    return Done(f"'{name}' is held against what comes from today on", "/watch/unaccept", {"name": name})


def _unaccept(desk: Desk, name: str) -> Done:
    _watch(desk, name, accepted=False)
    return Done(f"'{name}' is held against the past weeks again", "/watch/accept", {"name": name})


def _watch(desk: Desk, name: str, *, accepted: bool) -> None:
    route, _, stream = name.rpartition("/")
    if desk.watch is None or not route:
        raise ConfigError(f"nothing is watched as '{name}'; open the page again")
    (desk.watch.accept if accepted else desk.watch.unaccept)(route, stream)


def _not_ones_own(desk: Desk, alert: Alert) -> None:
    """Raises ConfigError: the call was asked with the very key that would let it pass."""
    entry = desk.books.entry(alert.subject)
    if entry is not None and actor() == f"key:{entry.key}":
        raise ConfigError(
            f"this call was asked with the key '{entry.key}', which is yours: somebody else has to let it pass"
        )


def _alert(desk: Desk, form: Form) -> Alert:
    id = form.get("alert", "")
    found = desk.books.find_alert(id)
    if found is None:
        raise ConfigError("there is no such alert; open the page again")
    return found


async def _run(desk: Desk, command: str, budgets: list[Budget]) -> str:
    """What the button does is what the command would do. Raises ConfigError: there is no such button."""
    from . import actions  # noqa: PLC0415 - they are in its table

    match shlex.split(command):
        case ["demitasse", "undo", route]:
            return (await actions.undo(desk, {"route": route}, budgets)).text
        case ["demitasse", "promote", id]:
            return (await actions.promote(desk, {"id": id}, budgets)).text
        case ["demitasse", "budgets", "set", name, amount, *rest]:
            scope = {"scope": rest[0].removeprefix("--"), "subject": rest[1]} if rest else {"scope": "total"}
            return (await actions.set_budget(desk, {"name": name, "amount": amount, **scope}, budgets)).text
        case ["demitasse", "budgets", "remove", name]:
            return (await actions.remove_budget(desk, {"name": name}, budgets)).text
        case ["demitasse", "drift", "--accept", name]:
            return _accept(desk, name).text
        case ["demitasse", "drift", "--unaccept", name]:
            return _unaccept(desk, name).text
        case ["demitasse", "guard", "approve", code]:
            await desk.control.let_pass(code)
            return f"{code} passes for a day"
        case ["demitasse", "guard", "withdraw", code]:
            await desk.control.let_wait(code)
            return f"{code} waits again"
    raise ConfigError(f"no button does this; type it: {command}")
