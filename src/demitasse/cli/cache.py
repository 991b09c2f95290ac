"""`cache`: the answers that the running gateway keeps in memory."""

from __future__ import annotations

from typing import Any

import click

from .ground import Commands, Place, placed, say, say_json
from .running import need


@click.group(cls=Commands)
def cache() -> None:
    """The running gateway's cache of answers: stats, clear."""


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--url", metavar="URL", help="The gateway's address; else the one that runs here.")
@click.option("--key", metavar="KEY", help="A key with the right to read; else DEMITASSE_KEY.")
@placed
def stats(place: Place, as_json: bool, url: str | None, key: str | None) -> None:
    """How much is kept, and how often it was of use."""
    facts: dict[str, Any] = need(place, url, key).json("GET", "/demitasse/cache")
    if as_json:
        say_json(facts)
        return
    for name, value in facts.items():
        shown = ("on" if value else "off") if isinstance(value, bool) else f"{value:,}"
        say(f"{name.replace('_', ' '):<10} {shown}")


@cache.command()
@click.option("--url", metavar="URL", help="The gateway's address; else the one that runs here.")
@click.option("--key", metavar="KEY", help="A key with the right to administer; else DEMITASSE_KEY.")
@placed
def clear(place: Place, url: str | None, key: str | None) -> None:
    """Drop all kept answers; the cache fills again by itself."""
    cleared = need(place, url, key).json("POST", "/demitasse/cache/clear", {})["cleared"]
    say(f"{cleared:,} kept answers dropped")
