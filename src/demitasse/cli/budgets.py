"""`budgets`: how much may be spent, by whom, in which time."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from .ground import Commands, Failure, Place, note, placed, say, say_json, table
from .units import limit, pairs

if TYPE_CHECKING:
    from ..core.limits import Budget, Scope, Spent


@click.group(cls=Commands)
def budgets() -> None:
    """Limits on money: list, set, remove."""


@budgets.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@placed
def list_(place: Place, as_json: bool) -> None:
    """All limits, what is used of them in their present window, and where they come from."""
    spent = _in_force(place)
    if as_json:
        say_json([_json(s) for s in spent])
        return
    columns = ("name", "for", "limit", "used", "held", "left", "window", "kind", "set by")
    table(columns, [_row(s) for s in spent], right=("limit", "used", "held", "left"))


@budgets.command("set")
@click.argument("name")
@click.argument("limit_text", metavar="LIMIT")
@click.option("--key", metavar="NAME", help="Only calls with this key.")
@click.option("--team", metavar="NAME", help="Only calls of this team.")
@click.option("--tag", metavar="K=V", help="Only calls of keys that this tag is pinned to.")
@click.option("--model", metavar="NAME", help="Only calls to this model.")
@click.option(
    "--soft",
    "soft",
    multiple=True,
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Alert at this share of it, e.g. 0.8.",
)
@click.option("--hard/--soft-only", "hard", default=None, help="Refuse what could exceed it, or only alert.")
@placed
def set_(
    place: Place,
    name: str,
    limit_text: str,
    key: str | None,
    team: str | None,
    tag: str | None,
    model: str | None,
    soft: tuple[float, ...],
    hard: bool | None,
) -> None:
    """Set a limit, or set it anew. LIMIT is 5/day, 20/month, 100 (ever) or none (count only)."""
    from msgspec.structs import replace

    from ..core.limits import Budget

    if not re.fullmatch(r"[\w.-]{1,64}", name):
        raise click.BadParameter(f"'{name}': a budget's name has letters, digits, '.', '-' and '_' only")
    limit_nanos, period = limit(limit_text)
    given: dict[Scope, str | None] = {"key": key, "team": team, "tag": tag, "model": model}
    subjects = [(scope, subject) for scope, subject in given.items() if subject is not None]
    if len(subjects) > 1:
        raise click.UsageError("choose one of --key, --team, --tag and --model; a second budget can limit the other")
    if tag is not None:
        pairs((tag,))
    _not_in_file(place, name)
    with place.settings() as settings:
        names = {"local", *(key.name for key in settings.keys())}
        known = next((b for b in settings.budgets() if b.name == name), None)
        budget = replace(known or Budget(name), limit_nanos=limit_nanos, period=period, origin="command")
        if subjects:
            budget = replace(budget, scope=subjects[0][0], subject=subjects[0][1])
        if soft:
            budget = replace(budget, soft=tuple(sorted(soft)))
        if hard is not None:
            budget = replace(budget, hard=hard)
        if budget.scope == "key" and not budget.subject not in names:
            note(f"there is no key '{budget.subject}' yet; create it with: demitasse keys create {budget.subject}")
        settings.set_budget(budget)
    said = "is now" if known or name == "default" else "is new:"  # so that a mistyped name shows
    say(f"budget '{name}' {said} {limit_words(budget)} for {subject_words(budget)}, everywhere within a second")


@budgets.command()
@click.argument("name")
@placed
def remove(place: Place, name: str) -> None:
    """Take a limit away; what was used under its name stays in the books."""
    _not_in_file(place, name)
    with place.settings() as settings:
        settings.remove_budget(name)
    say(f"budget '{name}' is removed")
    if name == "default":
        note("without [budgets.default] the gateway sets one of $5.00 a day at its next start")


def limit_words(budget: Budget) -> str:
    """``$5.00 a day``."""
    from ..web.render import money

    if budget.limit_nanos is None:
        return "counted, without a limit"
    per = {"day": " a day", "month": " a month", "ever": " in all"}[budget.period]
    return money(budget.limit_nanos) + per


def subject_words(budget: Budget) -> str:
    """Whose it is: ``all calls``, ``key 'ci'``."""
    return "all calls" if budget.scope == "total" else f"{budget.scope} '{budget.subject}'"


def _not_in_file(place: Place, name: str) -> None:
    """The file wins and is never rewritten: say so before the change is lost."""
    from ..config import budgets as file_budgets

    config = place.config()
    if any(b.name == name and b.origin == "file" for b in file_budgets(config)):
        raise Failure(f"budget '{name}' is set in {config.path}, and the file wins; change it there: [budgets.{name}]")


def _in_force(place: Place) -> list[Spent]:
    """What the store says, and what the file will say at the gateway's next start."""
    from ..config import budgets as file_budgets
    from ..core.limits import Spent
    from ..core.money import window

    now_us = place.clock()
    with place.books() as books:
        found = {s.budget.name: s for s in books.spent(now_us)}
    for budget in file_budgets(place.config()):
        known = found.get(budget.name)
        if known is None:
            found[budget.name] = Spent(budget, window(budget.period, now_us), 0, 0)
        elif budget.origin == "file":
            found[budget.name] = Spent(budget, known.window, known.settled_nanos, known.held_nanos, known.closed)
    return sorted(found.values(), key=lambda s: (s.budget.scope != "total", s.budget.name))


def _row(spent: Spent) -> tuple[str, ...]:
    from ..web.render import money

    budget = spent.budget
    return (
        budget.name,
        subject_words(budget),
        "none" if budget.limit_nanos is None else limit_words(budget),
        money(spent.settled_nanos),
        money(spent.held_nanos),
        "-" if spent.left_nanos is None else "closed" if spent.closed else money(spent.left_nanos),
        spent.window,
        "counts" if budget.limit_nanos is None else "refuses" if budget.hard else "alerts",
        budget.origin,
    )


def _json(spent: Spent) -> dict[str, Any]:
    from ..core.money import usd

    budget, left = spent.budget, spent.left_nanos
    return {
        "name": budget.name,
        "scope": budget.scope,
        "subject": budget.subject or None,
        "period": budget.period,
        "limit_usd": None if budget.limit_nanos is None else usd(budget.limit_nanos),
        "hard": budget.hard,
        "soft": list(budget.soft),
        "origin": budget.origin,
        "window": spent.window,
        "used_usd": usd(spent.settled_nanos),
        "held_usd": usd(spent.held_nanos),
        "left_usd": None if left is None else usd(left),
        "closed": spent.closed,
    }
