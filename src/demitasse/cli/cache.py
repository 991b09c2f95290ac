"""`cache`: the answers that the running gateway keeps in memory."""

from __future__ import annotations

from typing import Any

import click

from .ground import Commands, Place, placed, say, say_json
from .running import need


@click.group(cls=Commands)
def cache() -> None:
    """The running gateway's caches of answers: stats, clear, why, evict."""


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--url", metavar="URL", help="The gateway's address; else the one that runs here.")
@click.option("--key", metavar="KEY", help="A key with the right to read; else DEMITASSE_KEY.")
@placed
def stats(place: Place, as_json: bool, url: str | None, key: str | None) -> None:
    """How much is kept, and how often it was of use."""
    gateway = need(place, url, key)
    facts: dict[str, Any] = gateway.json("GET", "/demitasse/cache")
    semantic: dict[str, Any] = gateway.json("GET", "/demitasse/semantic")
    if as_json:
        say_json({**facts, "semantic": semantic})
        return
    for name, value in facts.items():
        _say_fact(name, value)
    _say_fact("semantic", semantic["on"])
    for name in ("answers", "questions", "hits") if semantic["on"] else ():
        _say_fact(f"  {name}", semantic[name])
    for gate in semantic.get("gates", ()):
        state = "open" if gate["open"] else f"closed: {gate['why_closed']}"
        say(
            f"  {gate['tenant']} on {gate['route']}: {state} ({gate['checks']} checks, {gate['wrong_in_checks']} wrong)"
        )


@cache.command()
@click.option("--url", metavar="URL", help="The gateway's address; else the one that runs here.")
@click.option("--key", metavar="KEY", help="A key with the right to administer; else DEMITASSE_KEY.")
@placed
def clear(place: Place, url: str | None, key: str | None) -> None:
    """Drop all kept answers; the caches fill again by themselves."""
    cleared = need(place, url, key).json("POST", "/demitasse/cache/clear", {})["cleared"]
    say(f"{cleared:,} kept answers dropped")


@cache.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--url", metavar="URL", help="The gateway's address; else the one that runs here.")
@click.option(
    "--key", metavar="KEY", help="The key that got the answer, or one that may administer; else DEMITASSE_KEY."
)
@placed
def why(place: Place, id: str, as_json: bool, url: str | None, key: str | None) -> None:
    """Why a call was answered by the semantic cache: which question it was taken for, and how sure that was."""
    told: dict[str, Any] = need(place, url, key).json("GET", f"/demitasse/semantic/{id}")
    if as_json:
        say_json(told)
        return
    gate = told["gate"]
    shared = f"{told['questions']:,} questions share its answer"
    checked = f"{gate['wrong_in_checks']:,} of {gate['checks']:,} checks were wrong"
    say(f"taken for   {' '.join(told['nearest'].split())}")
    say(f"asked in    call {told['from_call']}, {told['age_s']:,.0f} s before; {shared}")
    say(f"likeness    {told['similarity']:.3f}")
    say(f"chance      {told['chance_wrong']:.2%} that it is wrong; up to {told['threshold']:.2%} is served")
    say(f"promise     at most {gate['max_error']:.1%} of hits are wrong; {checked}")
    say(f"wrong? POST /demitasse/feedback with a score of 0, or: demitasse cache evict --id {told['answer']}")


@cache.command()
@click.option("--id", metavar="ID", help="An answer, as `cache why` names it.")
@click.option("--tag", metavar="NAME=VALUE", help="All answers that calls with this tag made.")
@click.option("--tenant", metavar="NAME", help="All answers of one tenant: team:NAME, or a key's name.")
@click.option("--url", metavar="URL", help="The gateway's address; else the one that runs here.")
@click.option("--key", metavar="KEY", help="A key with the right to administer; else DEMITASSE_KEY.")
@placed
def evict(place: Place, id: str | None, tag: str | None, tenant: str | None, url: str | None, key: str | None) -> None:
    """Take answers out of the semantic cache, by one of --id, --tag and --tenant."""
    named = {name: value for name, value in (("id", id), ("tag", tag), ("tenant", tenant)) if value}
    if len(named) != 1:
        raise click.UsageError("name one of --id, --tag and --tenant")
    evicted = need(place, url, key).json("POST", "/demitasse/semantic/evict", named)["evicted"]
    say(f"{evicted:,} answers taken out")


def _say_fact(name: str, value: Any) -> None:
    shown = ("on" if value else "off") if isinstance(value, bool) else f"{value:,}"
    say(f"{name.replace('_', ' '):<10} {shown}")
