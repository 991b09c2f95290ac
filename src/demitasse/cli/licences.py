"""`licences`: under which terms every model in use is used, what this house's profile allows, and what a person has accepted."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import getpass
from typing import Any

import click

from .accountable import one_line
from .ground import Commands, Failure, Place, placed, say, say_json, table


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
@click.pass_context
def licences(ctx: click.Context, place: Place, as_json: bool) -> None:
    """Licences of models: list, accept, undo."""
    ctx.obj = place.world  # what was named before the subcommand holds for it, too
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, as_json=as_json)


@licences.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def list_(place: Place, as_json: bool) -> None:
    """Every model in use: its licence, the terms on its answers, and whether this house allows it, and why."""
    from ..build.governing_sources import opened, window
    from ..build.governing_use import licence_register
    from ..build.governing_view import look
    from ..lab.governance.clean import cleaned

    with opened(place.config(), place.data, clock=place.clock) as sources:
        view = look(sources, window(place.clock()))
        told = cleaned(licence_register(view), view.own_words).value
    if as_json:
        say_json(told)
        return
    rows = told["rows"]
    if not rows:
        say("no model is in use yet; begin with: demitasse up")
        return
    table(
        ("model", "kind", "licence", "use", "learning from answers", "allowed", "why"),
        [
            (r["name"], r["kind"], r["licence"], r["answer"], r["outputs"], "yes" if r["allowed"] else "no", r["why"])
            for r in rows
        ],
        whole=("model",),
    )
    say("")
    listed = ", ".join(told["approved"]) or "any"
    say(f"profile {told['profile']}; approved providers: {listed}; the terms with their sources: demitasse card MODEL")


@licences.command()
@click.argument("name")
@click.option("--why", required=True, help="The reason, for whoever asks later: what was read, and who agreed.")
@click.option("--by", metavar="WHO", help="Who accepts it; else the name that this machine knows you by.")
@click.option("--anyway", is_flag=True, help="Accept it although no model of that name is known here yet.")
@placed
def accept(place: Place, name: str, why: str, by: str | None, anyway: bool) -> None:
    """Take on the terms of model NAME: it may be pulled, served and learned from, whatever the profile says.

    Who did so, when and why is an event of the chain.
    """
    from ..lab.governance.register import SETTING, Accepted, accepted
    from ..web.report import iso

    why = one_line("--why", why)
    if not why:
        raise click.UsageError("--why says nothing; write what was read, and who agreed")
    if not anyway:
        _must_be_known(place, name)
    who = one_line("--by", by or place.env.get("USER") or _whoami())
    with place.settings() as settings:
        kept = accepted(settings.get_setting(SETTING)) | {name: Accepted(why, who, iso(place.clock()))}
        settings.set_setting(SETTING, _plain(kept))
    say(f"the terms of '{name}' are accepted by {who}; back with: demitasse licences undo {name}")


@licences.command()
@click.argument("name")
@click.option("--why", default="", help="The reason, for whoever asks later.")
@click.option("--by", metavar="WHO", help="Who takes it back; else the name that this machine knows you by.")
@placed
def undo(place: Place, name: str, why: str, by: str | None) -> None:
    """Take an acceptance back; what was accepted, that it was taken back, by whom and why, stays in the chain."""
    from ..lab.governance.register import SETTING, accepted

    with place.settings() as settings:
        kept = accepted(settings.get_setting(SETTING))
        if name not in kept:
            there = ", ".join(sorted(kept)) or "none"
            raise Failure(f"nothing was accepted for '{name}'; accepted: {there}")
        left = _plain({other: one for other, one in kept.items() if other != name}) or None
        who = one_line("--by", by or place.env.get("USER") or _whoami())
        settings.set_setting(SETTING, left, told={"undone": {"name": name, "who": who, "why": one_line("--why", why)}})
    say(f"the terms of '{name}' are no longer accepted; again with: demitasse licences accept {name} --why \"…\"")


def _must_be_known(place: Place, name: str) -> None:
    """Raises Failure: nothing here bears the name, so that what is accepted would be of nobody."""
    from ..build.governing_sources import opened, window
    from ..build.governing_view import look
    from ..config.read import meant

    if name.startswith("hf:"):  # weights that may be pulled next, by their place
        return
    with opened(place.config(), place.data, clock=place.clock) as sources:
        view = look(sources, window(place.clock()))
        if view.knows(name):
            return
        near = meant(name, (*view.names(), *view.shelf.catalogued()))
    raise Failure(
        f"no model '{name}' is in use, configured or in the catalogue{near or '; the names are in: demitasse licences'}; "
        "accept it all the same with --anyway"
    )


def _plain(kept: Any) -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(kept)
    return plain


def _whoami() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in a container
        return "nobody named"
