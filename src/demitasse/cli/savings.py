"""`savings`: what can be turned on to save, from the safest up, and turned off again."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import click

from .ground import Commands, Place, placed, say, say_json, table


@click.group(cls=Commands)
def savings() -> None:
    """Savings that can be turned on and off: list, on, off. What the configuration file says is changed there."""


@savings.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@placed
def list_(place: Place, as_json: bool) -> None:
    """Every saving from the safest up: on or off, who says so, and what it does."""
    from ..config.switches import STORED, SWITCHES, is_on, overlay, said_by_file

    given = place.config()
    with place.settings() as settings:
        config = overlay(given, settings.get_setting(STORED))
    rows = [
        {
            "name": switch.name,
            "on": is_on(config, switch),
            "origin": config.origins.get(switch.place, "file" if said_by_file(given, switch) else "default"),
            "setting": switch.place,
            "does": switch.does,
        }
        for switch in SWITCHES
    ]
    if as_json:
        say_json(rows)
        return
    table(
        ("saving", "state", "by", "what it does"),
        [[str(row["name"]), "on" if row["on"] else "off", str(row["origin"]), str(row["does"])] for row in rows],
        whole=("saving", "state", "by"),
    )
    say("a smaller model is turned on by its certificate: demitasse certify ROUTE, then demitasse promote ROUTE")


@savings.command()
@click.argument("name")
@placed
def on(place: Place, name: str) -> None:
    """Turn a saving on; a running gateway follows within a second."""
    _switch(place, name, on=True)


@savings.command()
@click.argument("name")
@placed
def off(place: Place, name: str) -> None:
    """Turn a saving off; a running gateway follows within a second."""
    _switch(place, name, on=False)


def _switch(place: Place, name: str, *, on: bool) -> None:
    from ..config.switches import STORED, is_on, overlay, said_by_file, switch_named
    from ..core.errors import ConfigError

    switch, given = switch_named(name), place.config()
    if said_by_file(given, switch):
        where = given.path.name if given.path else "the environment"
        raise ConfigError(f"{switch.label} is set in {where}; change it there: {switch.place}")
    with place.settings() as settings:
        switched = settings.get_setting(STORED) or {}
        if is_on(overlay(given, switched), switch) == on:
            say(f"{switch.label} is {'on' if on else 'off'} already")
            return
        settings.set_setting(STORED, {**switched, name: on})
    say(f"{switch.label} is {'on' if on else 'off'}; undo with: demitasse savings {'off' if on else 'on'} {name}")
