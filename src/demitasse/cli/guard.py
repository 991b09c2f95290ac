"""`guard`: which rules hold for whom, and what waits for a person to let it pass, or to refuse it."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import click

from .accountable import one_line
from .ground import Commands, Failure, Place, note, placed, say, say_json, table


@click.group(cls=Commands)
def guard() -> None:
    """What is looked for in prompts and done about it: rules, waiting, read, approve, reject, withdraw."""


@guard.command()
@click.option("--route", default="", help="As they hold for this route.")
@click.option("--tenant", default="", help="As they hold for this key, or `team:NAME`.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def rules(place: Place, route: str, tenant: str, as_json: bool) -> None:
    """The rules in force: where several profiles speak of a call, the stricter word of each."""
    import msgspec

    from ..build.guarding import policies
    from ..guard.kinds import TYPES

    config = place.config()
    if route and route not in config.routes:
        raise Failure(f"there is no route '{route}'; there are: {', '.join(config.routes) or 'none'}")
    all_rules = policies(config)
    found = all_rules.rules(route, tenant)
    told = msgspec.to_builtins(found) | {
        "personal": {type: found.action(type) for type in TYPES},
        "data_class": all_rules.class_of.get(tenant),
        "classes": {
            type: [
                {"class": data.name, "stays": data.stays} for data in all_rules.classes.values() if type in data.types
            ]
            for type in TYPES
            if any(type in data.types for data in all_rules.classes.values())
        },
    }
    if as_json:
        say_json(told)
        return
    if not found.on:
        say("the guard is off here: nothing below is looked for, but for the types of [classes]")
    rows = [
        [name, "yes" if value is True else "no" if value is False else str(value or "-")]
        for name, value in told.items()
    ]
    table(("rule", "value"), [row for row in rows if row[0] not in ("personal", "checks", "classes")], whole=("rule",))
    say("checks of answers: " + (", ".join(found.checks) or "none"))
    table(
        ("personal data", "action", "and by [classes]"),
        [
            [type, action, "; ".join(_stays(**data) for data in told["classes"].get(type, ())) or "-"]
            for type, action in told["personal"].items()
        ],
        whole=("personal data", "action"),
    )


def _stays(stays: str, **data: str) -> str:
    where = "stays with models here" if stays == "local" else f"stays in {stays}"
    return f"{where}, or is refused ({data['class']})"


@guard.command()
@click.option(
    "--all", "every", is_flag=True, help="Each by itself, also what waits for the same route, key and author."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array of each.")
@placed
def waiting(place: Place, every: bool, as_json: bool) -> None:
    """What was refused until a person lets it pass, the newest first; by code, and never the words."""
    from ..web.needs import Grouped, grouped
    from ..web.waiting import APPROVE, MOST_WAITING, code_of
    from .units import clock_text

    with place.books() as books:
        found = books.alerts(last=MOST_WAITING, begins=APPROVE)
    if as_json:
        say_json(
            [
                {"code": code_of(a), "at_us": a.at_us, "call": a.subject, "why": a.message, "group": a.group or None}
                for a in found
            ]
        )
        return
    if not found:
        say("nothing waits")
        return
    rows = [Grouped(alert, 0) for alert in found] if every else grouped(found)
    table(
        ("code", "at", "more like it", "why"),
        [[code_of(a), clock_text(a.at_us), f"{like:,}" if like else "-", a.message] for a, like in rows],
        whole=("code", "at", "more like it"),
    )
    if len(rows) < len(found):
        note(
            "those alike each by itself: demitasse guard waiting --all; no to all of them: demitasse guard reject CODE --like"
        )


@guard.command()
@click.argument("code")
@placed
def approve(place: Place, code: str) -> None:
    """Let what bears CODE pass for a day; a running gateway follows within a second."""
    from ..build.guarding import approve as let_pass
    from ..build.withholding import drop
    from .units import clock_text

    code = _waits(place, code)
    with place.settings() as settings:
        until_us = let_pass(settings, code, place.clock())
        settings.resolve_alert(f"approve-{code}")
    drop(place.data, code)
    say(f"{code} passes until {clock_text(until_us)} UTC; undo with: demitasse guard withdraw {code}")


@guard.command()
@click.argument("code")
@click.option("--why", default="", help="Why; it stands in the audit log beside who.")
@click.option("--like", is_flag=True, help="And all else that waits for the same route, key and author.")
@placed
def reject(place: Place, code: str, why: str, like: bool) -> None:
    """Refuse what bears CODE, for good: whoever asks it again is told that a person refused it. Its words are dropped."""
    from ..build.guarding import reject as refuse
    from ..build.withholding import drop
    from ..web.waiting import APPROVE, code_of

    why = one_line("--why", why)
    code = _waits(place, code)
    codes = [code]
    if like:
        with place.books() as books:
            found = {code_of(a): a for a in books.alerts(last=10_000, begins=APPROVE)}
        group = found[code].group if code in found else ""
        codes += [one for one, alert in found.items() if one != code and group and alert.group == group]
    with place.settings() as settings:
        for one in codes:
            refuse(settings, one, place.clock(), by=settings.by, why=why)
            settings.resolve_alert(APPROVE + one)
            drop(place.data, one)
    say(f"{code} is refused for good" if len(codes) == 1 else f"{len(codes)} requests are refused for good")


@guard.command()
@click.argument("code")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def read(place: Place, code: str, as_json: bool) -> None:
    """The words of what waits under CODE, where [keep] bodies has them kept. Who read them is a row of the audit log."""
    from ..build.keeping import keeper
    from ..build.withholding import read as look
    from ..core.visible import visible
    from ..web.waiting import APPROVE
    from ..wire.text import turns

    code = _waits(place, code)
    with place.books() as books:
        alert = books.find_alert(APPROVE + code)
    kept = keeper(place.config(), place.data, place.clock)
    if kept is None:
        raise Failure("words of what waits are not kept here; they are with [keep] bodies and [keep] held")
    try:
        with place.settings() as settings:
            found = look(kept, settings, code) if alert is not None and alert.resolved_us is None else None
    finally:
        kept.close()
    if found is None:
        raise Failure(f"the request under {code} is not there: it was decided, a day is over, or it was never kept")
    said = [{"role": one.role, "text": one.text} for one in turns(found.body)]
    if as_json:
        say_json({"code": code, "call": found.call, "turns": said, "of_bytes": found.of_bytes or None})
        return
    if found.of_bytes:
        note(
            f"this is not all of it: the request had {found.of_bytes:,} bytes; of so much only the newest words are kept, and "
            "what is not shown may give orders, too"
        )
    for one in said:
        say(f"{visible(one['role'])}: {visible(one['text'])}")
    note(f"that you read this stands in the audit log; decide with: demitasse guard approve {code}, or reject {code}")


@guard.command()
@click.argument("code")
@placed
def withdraw(place: Place, code: str) -> None:
    """Take an approval back."""
    from ..build.guarding import withdraw as take_back

    code = _code(code)
    with place.settings() as settings:
        if not take_back(settings, code):
            raise Failure(f"{code} was not approved; see: demitasse guard waiting")
        settings.reopen_alert(f"approve-{code}")
    say(f"{code} waits again; undo with: demitasse guard approve {code}")


def _waits(place: Place, text: str) -> str:
    """The code of something that waits, or waited. Raises Failure."""
    code = _code(text)
    with place.books() as books:
        if books.find_alert(f"approve-{code}") is None:
            raise Failure(f"nothing waits under {code}; see: demitasse guard waiting")
    return code


def _code(text: str) -> str:
    if len(text) != 10 or any(c not in "0123456789abcdef" for c in text):
        raise Failure(f"'{text[:40]}' is no code; it has ten digits and letters a to f, as the refusal named it")
    return text
