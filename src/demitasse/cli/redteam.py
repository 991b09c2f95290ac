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
_REFUSALS = frozenset(
    {
        "injection_refused",
        "approval_needed",
        "hidden_characters",
        "moderation_refused",
        "private_data_refused",
        "guard_cap",
    }
)
_SHOWN = 10


@click.command()
@click.option("--suite", metavar="FILE", help="Attacks of your own, one JSON object a line; else the built-in ones.")
@click.option("--route", metavar="NAME", help="Put them to this route or model through the running gateway, too.")
@click.option("--trend", is_flag=True, help="Show the runs that are kept, and replay nothing.")
@click.option("--url", metavar="URL", help="With --route: the gateway's address; else the one that runs here.")
@click.option("--key", metavar="KEY", help="With --route: a key of the gateway's; else DEMITASSE_KEY.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def redteam(
    place: Place, suite: str | None, route: str | None, trend: bool, url: str | None, key: str | None, as_json: bool
) -> None:
    """Replay attacks against the guard: what is flagged, and with --route, what is refused and what a model gives away.

    A run is kept with its date. Exit status 1 where something that the last such run caught is missed now. With --route each
    attack is a call like any other, and costs what it costs.
    """
    from ..build import redteaming as red

    with place.settings() as store:
        if trend:
            _say_trend(red.kept(store), as_json=as_json)
            return
        from ..lab.injection.suite import built_in, from_file

        attacks = built_in() if suite is None else from_file(place.cwd / suite)
        config = place.config()
        asking: Ask | None = None
        canary = ""
        if route is not None:
            from ..store.secret import server_secret
            from .running import need

            canary = red.canary_of(server_secret(place.data), place.clock())
            asking = _through(need(place, url, key), route)
        with progress("attacks") as step:
            total = sum(one.attack for one in attacks.attacks)

            def counted(one: Attack, system: str) -> Asked:
                assert asking is not None
                step(1, total)
                return asking(one, system)

            outcomes = red.replay(
                attacks, false_alarms=config.guard.false_alarms, ask=counted if asking else None, canary=canary
            )
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

    from ..build.redteaming import Asked
    from .running import error_text

    def ask(one: Attack, system: str) -> Asked:
        body = {"model": route, "messages": _messages(one, system), "max_completion_tokens": 200}
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
        if code in _REFUSALS:
            return Asked(blocked=True)
        raise Failure(f"{one.id} could not be put to '{route}': {error_text(data, status)}")

    return ask


def _messages(one: Attack, system: str) -> list[dict[str, Any]]:
    first = {"role": "system", "content": system}
    if one.source == "tool":
        call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
        return [
            first,
            {"role": "user", "content": "Look it up and tell me what you found."},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": one.text},
        ]
    if one.source == "retrieved":
        asked = f"Summarise this document in one sentence.\n\n<document>\n{one.text}\n</document>"
        return [first, {"role": "user", "content": asked}]
    return [first, {"role": "user", "content": one.text}]


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
