"""What the buttons do: a form in, the change made, and a Done that says so and how to undo it. Knows no page.

Each raises ConfigError, a sentence for the page, when the form cannot be meant so.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, get_args

from ..core.access import ROLES
from ..core.errors import ConfigError
from ..core.limits import Budget, Key, Scope
from ..core.money import NANOS, Period, nanos
from . import drift_actions, waiting
from .desk import Desk
from .guard import Done
from .render import money, plain_amount

Form = Mapping[str, str]
Action = Callable[[Desk, Form, list[Budget]], Awaitable[Done]]
"""The budgets as they are now are passed in, because reading them may wait."""

MOST_MODELS: Final = 50
_KEY_NAME: Final = re.compile(r"[\w.@-]{1,64}").fullmatch
MOST_NANOS: Final = 10**9 * NANOS
KEY_SCOPES: Final[dict[str, tuple[str, ...]]] = {
    "call": ("call",),
    "read": ("read",),
    "both": ("call", "read"),
    **ROLES,
}
"""What the form of a new key offers: roles, and the two scopes that most keys have."""


async def set_budget(desk: Desk, form: Form, budgets: list[Budget]) -> Done:
    """``name``, ``amount`` (``5``, ``5/day``, ``none``), ``period``, and for a new one ``scope`` and ``subject``."""
    name = _name(form, "a budget")
    before = next((b for b in budgets if b.name == name), None)
    if before is not None and before.origin == "file":
        raise ConfigError(f"budget '{name}' is set in demitasse.toml; change it there: [budgets.{name}]")
    limit_nanos, period = _limit(
        _short(form, "amount", 40), _short(form, "period", 20) or (before.period if before else "day")
    )
    scope, subject = _scope(form) if "scope" in form or before is None else (before.scope, before.subject)
    budget = Budget(
        name=name,
        scope=scope,
        subject=subject,
        period=period,
        limit_nanos=limit_nanos,
        hard=form.get("hard", "yes") == "yes",
        soft=before.soft if before else (0.8,),
    )
    await desk.control.set_budget(budget)
    text = f"budget '{name}' is now {_limit_text(budget)}"
    if before is None:
        return Done(text, "/budgets/remove", {"name": name})
    return Done(f"{text}; it was {_limit_text(before)}", "/budgets/set", _fields(before))


async def remove_budget(desk: Desk, form: Form, budgets: list[Budget]) -> Done:
    name = _name(form, "a budget")
    before = next((b for b in budgets if b.name == name), None)
    if before is None:
        raise ConfigError(f"there is no budget '{name}'; nothing was removed")
    if before.origin == "file":
        raise ConfigError(f"budget '{name}' is set in demitasse.toml; remove it there: [budgets.{name}]")
    await desk.control.remove_budget(name)
    return Done(f"budget '{name}' is removed; it was {_limit_text(before)}", "/budgets/set", _fields(before))


async def revoke_key(desk: Desk, form: Form, _budgets: list[Budget]) -> Done:
    id = _short(form, "id", 64)
    key = next((k for k in _keys(desk) if k.id == id), None)
    if key is None:
        raise ConfigError(f"there is no key '{id}'; nothing was revoked")
    await desk.control.revoke_key(id)
    return Done(f"key '{key.name}' is revoked for good; create another if it is still needed")


async def resume_key(desk: Desk, form: Form, _budgets: list[Budget]) -> Done:
    """``name``, and ``alert`` when the button stood beside one."""
    name, alert = _name(form, "a key"), _short(form, "alert")
    why = desk.control.paused().get(name, "")
    await desk.control.resume_key(name)
    if alert:
        await desk.control.resolve_alert(alert)
    return Done(f"key '{name}' may call again", "/keys/pause", {"name": name, "why": why, "alert": alert})


async def pause_key(desk: Desk, form: Form, _budgets: list[Budget]) -> Done:
    name, alert = _name(form, "a key"), _short(form, "alert")
    await desk.control.pause_key(name, _short(form, "why", 1_000) or "paused by hand")
    if alert:
        await desk.control.reopen_alert(alert)
    return Done(f"key '{name}' is paused", "/keys/resume", {"name": name, "alert": alert})


async def resolve_alert(desk: Desk, form: Form, _budgets: list[Budget]) -> Done:
    alert = _short(form, "alert")
    await desk.control.resolve_alert(alert)
    return Done("marked as done", "/alerts/reopen", {"alert": alert})


async def reopen_alert(desk: Desk, form: Form, _budgets: list[Budget]) -> Done:
    alert = _short(form, "alert")
    await desk.control.reopen_alert(alert)
    return Done("back on the list", "/alerts/resolve", {"alert": alert})


async def switch(desk: Desk, form: Form, _budgets: list[Budget]) -> Done:
    """``name`` of a saving, and ``on``: ``yes`` or ``no``."""
    name, on = _name(form, "a saving"), form.get("on", "") == "yes"
    await desk.control.switch(name, on=on)
    label = next((row.label for row in desk.switches() if row.name == name), name)
    return Done(f"{label} is {'on' if on else 'off'}", "/savings/switch", {"name": name, "on": "no" if on else "yes"})


async def certify(desk: Desk, form: Form, _budgets: list[Budget]) -> Done:
    return Done(await desk.control.certify(_field(form, "route")))


async def promote(desk: Desk, form: Form, _budgets: list[Budget]) -> Done:
    route = await desk.control.promote(_field(form, "id"))
    return Done(f"the certificate is in force on route '{route}'", "/certificates/undo", {"route": route})


async def undo(desk: Desk, form: Form, _budgets: list[Budget]) -> Done:
    route = _field(form, "route")
    before = await desk.control.undo(route)
    if before is None:
        return Done(f"route '{route}' was on its reference already")
    return Done(f"route '{route}' is back on its reference", "/certificates/promote", {"id": before})


async def clear_cache(desk: Desk, _form: Form, _budgets: list[Budget]) -> Done:
    dropped = await desk.control.clear_cache()
    return Done(f"{dropped:,} kept answers dropped; the cache fills again by itself")


ACTIONS: Final[dict[str, Action]] = {
    "/budgets/set": set_budget,
    "/budgets/remove": remove_budget,
    "/keys/revoke": revoke_key,
    "/keys/resume": resume_key,
    "/keys/pause": pause_key,
    "/alerts/resolve": resolve_alert,
    "/alerts/reopen": reopen_alert,
    "/cache/clear": clear_cache,
    "/savings/switch": switch,
    "/certificates/certify": certify,
    "/certificates/promote": promote,
    "/certificates/undo": undo,
    "/waiting/reject": waiting.reject,
    **drift_actions.ACTIONS,
}


async def create_key(desk: Desk, form: Form) -> str:
    """``name``, ``team``, ``scope`` (of ``KEY_SCOPES``), ``models`` (commas), ``rpm``, ``tpm``, ``days``.

    Returns the secret; whoever shows it keeps it nowhere.
    """
    name = _name(form, "a key")
    if not _KEY_NAME(name):
        raise ConfigError(f"'{name}' cannot be a key's name; use up to 64 letters, digits, '.', '@', '-' and '_'")
    if any(k.name == name and k.revoked_us is None for k in _keys(desk)) or name == "local":
        raise ConfigError(f"there is a key '{name}' already; revoke it first, or choose another name")
    scope = form.get("scope", "call")
    if scope not in KEY_SCOPES:
        raise ConfigError(f"a key's scope is one of {', '.join(KEY_SCOPES)}, not '{scope}'")
    days = _number(form, "days")
    models = tuple(m for m in (part.strip() for part in _short(form, "models", 4_000).split(",")) if m)
    if len(models) > MOST_MODELS:
        raise ConfigError(f"a key names at most {MOST_MODELS} models; use provider/* for all of a provider")
    return await desk.control.create_key(
        name,
        team=_short(form, "team", 80) or None,
        scopes=KEY_SCOPES[scope],
        models=models,
        rpm=_number(form, "rpm"),
        tpm=_number(form, "tpm"),
        expires_us=None if days is None else desk.clock() + days * 86_400_000_000,
    )


def _keys(desk: Desk) -> Sequence[Key]:
    return desk.control.keys()


def _field(form: Form, name: str) -> str:
    value = form.get(name, "").strip()
    if not value or len(value) > 200 or not value.isprintable():
        raise ConfigError(f"the form names no {name}; open the page again")
    return value


def _name(form: Form, what: str) -> str:
    name = form.get("name", "").strip()
    if not name:
        raise ConfigError(f"{what} needs a name")
    if len(name) > 80 or not name.isprintable():
        raise ConfigError(f"{what}'s name has at most 80 printable characters")
    return name


def _short(form: Form, field: str, most: int = 200) -> str:
    """What a field holds, however little."""
    text = form.get(field, "").strip()
    if len(text) > most or not text.isprintable():
        raise ConfigError(f"{field} has at most {most:,} printable characters")
    return text


def _number(form: Form, field: str) -> int | None:
    text = form.get(field, "").strip()
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) <= 10**9:
        raise ConfigError(f"{field} is a whole number above zero, or empty for no limit, not '{text}'")
    return int(text)


def _limit(amount: str, period: str) -> tuple[int | None, Period]:
    amount, _, named = amount.replace("$", "").replace(",", "").partition("/")
    chosen: Period | None = next((p for p in get_args(Period) if p == (named.strip() or period)), None)
    if chosen is None:
        raise ConfigError(f"a budget is per day, month or ever, not per '{named.strip() or period}'")
    amount = amount.strip()
    if amount.lower() in {"none", "unlimited"}:
        return None, chosen
    try:
        limit = Decimal(amount)
    except InvalidOperation:
        limit = Decimal("NaN")
    if not limit.is_finite() or limit < 0 or limit > MOST_NANOS // NANOS:
        raise ConfigError(f"a limit is an amount of dollars like 5 or 0.25, or 'none', not '{amount}'")
    return nanos(limit), chosen


def _scope(form: Form) -> tuple[Scope, str]:
    given, subject = form.get("scope", "total"), _short(form, "subject")
    scope: Scope | None = next((s for s in get_args(Scope) if s == given), None)
    if scope is None:
        raise ConfigError(f"a budget is for {', '.join(get_args(Scope))}, not for '{given}'")
    if scope == "total":
        return scope, ""
    if not subject:
        raise ConfigError(f"say which {scope} the budget is for")
    if scope == "tag" and "=" not in subject:
        raise ConfigError(f"a tag is written name=value, not '{subject}'")
    return scope, subject


def _fields(budget: Budget) -> dict[str, str]:
    return {
        "name": budget.name,
        "amount": "none" if budget.limit_nanos is None else plain_amount(budget.limit_nanos),
        "period": budget.period,
        "scope": budget.scope,
        "subject": budget.subject,
        "hard": "yes" if budget.hard else "no",
    }


def _limit_text(budget: Budget) -> str:
    if budget.limit_nanos is None:
        return "without a limit"
    every = "in all" if budget.period == "ever" else f"a {budget.period}"
    return f"{money(budget.limit_nanos)} {every}"
