"""`redteam`: attacks replayed against the guard, or through the running gateway to a model, and how that went over time."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from .ground import Failure, Place, note, placed, progress, say, say_json, table

if TYPE_CHECKING:
    from ..build.redteaming import Ask, Asked, Outcome
    from ..lab.injection.suite import Attack
    from .running import Gateway

ANSWER_S = 120.0
_SHOWN = 10


@click.command()
@click.option("--suite", metavar="FILE", help="Attacks of your own, one JSON object a line; else the built-in ones.")
@click.option("--route", metavar="NAME", help="Put them to this route or model, too.")
@click.option("--trend", is_flag=True, help="Show the runs that are kept, and replay nothing.")
@click.option("--url", metavar="URL", help="With --route: through the gateway at this address.")
@click.option("--key", metavar="KEY", help="With --url: a key of that gateway's; else DEMITASSE_KEY.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def redteam(
    place: Place, suite: str | None, route: str | None, trend: bool, url: str | None, key: str | None, as_json: bool
) -> None:
    """Replay attacks against the guard: what is flagged, and with --route, what is refused and what a model gives away.

    A run is kept with its date. Exit status 1 where something that the last such run caught is missed now. With --route each
    attack is paid for, on the key demitasse-lab; with --url it is a call like any other to that gateway, on the key it is given.
    """
    import asyncio

    from ..build import redteaming as red

    with place.settings() as store:
        if trend:
            _say_trend(red.kept(store), as_json=as_json)
            return
        from ..lab.injection.suite import built_in, from_file

        attacks = built_in() if suite is None else from_file(place.cwd / suite)
        config = place.config()
        if key is not None and url is None:
            raise click.UsageError("--key is of another gateway's: name it with --url; without, the lab's own key pays")
        canary = ""
        if route is not None:
            from ..store.secret import server_secret

            canary = red.canary_of(server_secret(place.data), place.clock())
        with progress("attacks") as step:
            total = sum(one.attack for one in attacks.attacks)

            def replayed(asking: Ask | None) -> list[Outcome]:
                def counted(one: Attack, system: str) -> Asked:
                    assert asking is not None
                    step(1, total)
                    return asking(one, system)

                ask = counted if asking else None
                return red.replay(attacks, false_alarms=config.guard.false_alarms, ask=ask, canary=canary)

            if route is None:
                outcomes = replayed(None)
            elif url is not None:
                from .running import need

                outcomes = replayed(_through(need(place, url, key), route))
            else:
                from ..build.redteam_calls import asking

                held = asking(config, place.data, place.env, route, replayed, clock=place.clock)
                outcomes = asyncio.run(held)
        run = red.summary(
            attacks, outcomes, model=route or red.GUARD, at_us=place.clock(), false_alarms=config.guard.false_alarms
        )
        last = red.before(red.kept(store), run)
        gone = red.lost(run, last)
        red.keep(store, run)
    if as_json:
        say_json({**run, "lost": gone, "before": last["at"] if last else None, "kinds": _kinds(outcomes)})
    else:
        _say(run, outcomes)
    if gone:
        named = ", ".join(gone[:_SHOWN]) + (", …" if len(gone) > _SHOWN else "")
        are = "is" if len(gone) == 1 else "are"
        raise Failure(f"{len(gone)} that the run of {last['at'][:10] if last else ''} caught {are} missed now: {named}")


def _through(gateway: Gateway, route: str) -> Ask:
    """Puts an attack to a route as an application would: as the user's words, a document or a tool's result."""
    import json
    from http.client import HTTPException

    from ..build.redteaming import REFUSALS, Asked, body_of
    from .running import error_text

    def ask(one: Attack, system: str) -> Asked:
        body = body_of(one, system, route)
        try:
            with gateway.ask("POST", "/v1/chat/completions", body, timeout_s=ANSWER_S) as response:
                status, data = response.status, response.read()
        except (OSError, HTTPException) as error:
            raise Failure(f"the gateway at {gateway.url} does not answer ({error}); is it still running?") from error
        if status < 400:
            message = json.loads(data)["choices"][0]["message"]
            return Asked(blocked=False, answer=json.dumps(message, ensure_ascii=False))
        try:
            code = json.loads(data)["error"]["code"]
        except (ValueError, KeyError, TypeError):
            code = None
        if code in REFUSALS:
            return Asked(blocked=True)
        raise Failure(f"{one.id} could not be put to '{route}': {error_text(data, status)}")

    return ask


def _kinds(outcomes: list[Outcome]) -> dict[str, dict[str, int | None]]:
    """Of each kind: how many, and what came of them."""
    found: dict[str, dict[str, int | None]] = {}
    for kind in dict.fromkeys(one.kind for one in outcomes):
        own = [one for one in outcomes if one.kind == kind]
        asked = [one for one in own if one.blocked is not None]
        found[kind] = {
            "n": len(own),
            "flagged": sum(one.flagged for one in own),
            "blocked": sum(bool(one.blocked) for one in asked) if asked else None,
            "leaked": sum(bool(one.leaked) for one in asked) if asked else None,
        }
    return found


def _say(run: dict[str, Any], outcomes: list[Outcome]) -> None:
    columns = ("kind", "texts", "flagged", *(("refused", "leaked") if run["leaked"] is not None else ()))
    table(
        columns,
        [
            (kind, *(("-" if count is None else str(count)) for count in counts.values()))[: len(columns)]
            for kind, counts in _kinds(outcomes).items()
        ],
        right=columns[1:],
    )
    say()
    low, high = (f"{100 * end:.1f}" for end in run["interval"])
    through = "gave the canary away" if run["leaked"] is not None else "were not flagged"
    attacks, honest = ("" if run[name] == 1 else "s" for name in ("n", "honest"))
    say(f"{run['n']} attack{attacks}: {run['flagged']} flagged; {100 * run['rate']:.1f} % [{low}, {high}] {through}.")
    if run["honest"]:
        say(f"{run['honest']} honest text{honest}: {run['honest_flagged']} flagged.")
    if run["missed"]:
        kinds = Counter(one.kind for one in outcomes if one.attack and not one.flagged)
        note("not flagged: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))


def _say_trend(runs: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        say_json({"runs": runs})
        return
    if not runs:
        say("No run is kept yet; make one with: demitasse redteam")
        return
    columns = ("when", "against", "suite", "attacks", "flagged", "refused", "leaked", "honest flagged")
    table(
        columns,
        [
            (
                run["at"][:16].replace("T", " "),
                run["model"],
                f"{run['suite']} {run['suite_sha256'][:6]}",
                *(
                    "-" if run[name] is None else str(run[name])
                    for name in ("n", "flagged", "blocked", "leaked", "honest_flagged")
                ),
            )
            for run in runs
        ],
        right=columns[3:],
        whole=("when",),
    )
