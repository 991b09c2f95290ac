"""`shape`: which shapers run on which routes, and proving that one does no harm."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .ground import Commands, Failure, Place, note, placed, progress, say, say_json, table
from .running import Gateway, error_text, need
from .units import day_text

if TYPE_CHECKING:
    from ..lab.shape_proof import Pair
    from ..wire.shaping import Proof, Shaper

NAMES = ("compact_json", "repeats", "trim_context", "whitespace")
ASK_S = 300.0


@click.group(cls=Commands)
def shape() -> None:
    """The same with fewer tokens: list, prove, forget."""


@shape.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@placed
def list_(place: Place, as_json: bool) -> None:
    """Each route's shapers: off, on, or proven by an evaluation, and until when."""
    config = place.config()
    rows: list[dict[str, Any]] = []
    with place.settings() as settings:
        for name, route in config.routes.items():
            for shaper in NAMES:
                mode = getattr(config.shape, shaper) if route.shape else "off"
                proof = _proof(settings.get_setting(_place_of(name, shaper)))
                runs = mode == "on" or (mode == "proven" and proof is not None and proof.holds(place.clock()))
                rows.append(
                    {"route": name, "shaper": shaper, "mode": mode, "runs": runs, "proof": proof and _told(proof)}
                )
    if as_json:
        say_json(rows)
        return
    if not rows:
        raise Failure("no route is configured; shapers run on routes with  shape = true")
    shown = [(r["route"], r["shaper"], r["mode"], "yes" if r["runs"] else "no", _short(r["proof"])) for r in rows]
    table(("route", "shaper", "mode", "runs", "evaluation"), shown)


@shape.command()
@click.argument("route")
@click.argument("shaper", type=click.Choice(NAMES))
@click.option(
    "--cases",
    "cases_path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines: requests of this route, each with `expected`, the right answer, where it is known.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0.001, 0.5),
    default=0.05,
    show_default=True,
    help="Share of calls that may get worse.",
)
@click.option(
    "--delta", type=click.FloatRange(0.001, 0.5), default=0.05, show_default=True, help="Chance to be wrong about it."
)
@click.option("--days", type=click.FloatRange(1, 365), default=30, show_default=True, help="How long it holds.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--url", metavar="URL", help="The gateway's address; else the one that runs here.")
@click.option("--key", metavar="KEY", help="A key that may call the route; else DEMITASSE_KEY.")
@placed
def prove(
    place: Place,
    route: str,
    shaper: Shaper,
    cases_path: Path,
    margin: float,
    delta: float,
    days: float,
    as_json: bool,
    url: str | None,
    key: str | None,
) -> None:
    """Ask the route's reference the same cases with the shaper and without, and put the verdict on record.

    Each case is paid for twice, from the budgets of the key. What differs and can't be decided from the outside counts as
    worse: give cases with `expected`, or whose answers are numbers, choices, labels or JSON.
    """
    from ..lab.shape_proof import needed

    cases = _cases(cases_path, shaper)
    least = needed(margin, delta)
    if len(cases) < least:
        raise Failure(
            f"{cases_path} has {len(cases)} requests that '{shaper}' would shorten; a margin of {margin:g} needs at least "
            f"{least}: add some, or allow a wider --margin"
        )
    gateway = need(place, url, key)
    pairs, before, after, model = [], 0, 0, route
    with progress("cases") as step:
        for body, shaped, expected in cases:
            plain, spent, _ = _ask(gateway, route, body)
            short, left, model = _ask(gateway, route, shaped)
            pairs.append(_pair(plain, short, expected))
            before, after = before + spent, after + left
            step(1, len(cases))
    _record(
        place, pairs, route, shaper, margin, delta, days, 1 - after / before if before else 0.0, model, as_json=as_json
    )


@shape.command()
@click.argument("route")
@click.argument("shaper", type=click.Choice(NAMES))
@placed
def forget(place: Place, route: str, shaper: str) -> None:
    """Take an evaluation off the record: where the mode is `proven`, the shaper stops."""
    with place.settings() as settings:
        if settings.get_setting(_place_of(route, shaper)) is None:
            raise Failure(f"there is no evaluation of '{shaper}' on route '{route}'; see: demitasse shape list")
        settings.set_setting(_place_of(route, shaper), None)
    say(f"the evaluation of '{shaper}' on route '{route}' is off the record")


Case = tuple[dict[str, Any], dict[str, Any], str | None]


def _cases(path: Path, shaper: Shaper) -> list[Case]:
    """Requests that the shaper changes, each as it is and as it would be sent."""
    import msgspec
    from msgspec import Raw

    from ..wire.shaping import shape as shaped

    found: list[Case] = []
    for nth, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            body = json.loads(line)
            expected = body.pop("expected", None)
            messages = [Raw(msgspec.json.encode(dict(m))) for m in body["messages"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Failure(
                f"{path}, line {nth}: not a request with 'messages' ({error}); one JSON object a line"
            ) from error
        out = shaped(messages, [frozenset({shaper})] * len(messages))
        if any(out.removed):
            short = body | {"messages": [json.loads(bytes(m)) for m in out.messages]}
            found.append((body, short, None if expected is None else str(expected)))
    return found


def _ask(gateway: Gateway, route: str, body: dict[str, Any]) -> tuple[bytes, int, str]:
    """The reference's answer, the prompt's tokens, and its name."""
    from http.client import HTTPException

    sent = {"temperature": 0} | body | {"model": route, "stream": False}
    headers = {
        "x-demitasse-cache": "no-store",
        "x-demitasse-route": "reference",
        "x-demitasse-tags": "purpose=shape-proof",
    }
    try:
        with gateway.ask("POST", "/v1/chat/completions", sent, headers=headers, timeout_s=ASK_S) as response:
            data, status = response.read(), response.status
            model = response.headers.get("x-demitasse-model") or route
    except (OSError, HTTPException) as error:
        raise Failure(f"the gateway at {gateway.url} does not answer ({error}); nothing was recorded") from error
    if status >= 400:
        raise Failure(f"{error_text(data, status)}; nothing was recorded")
    usage = json.loads(data).get("usage") or {}
    return data, int(usage.get("prompt_tokens") or 0), model


def _pair(plain: bytes, shaped: bytes, expected: str | None) -> Pair:
    from ..lab.shape_proof import Pair
    from ..score.normal import Answer, answer_of
    from ..score.verdict import compare

    one, other = answer_of(plain), answer_of(shaped)
    if expected is None:
        return Pair(plain=True, shaped=compare(one, other).score == 1.0)
    right = Answer(text=expected)
    return Pair(plain=compare(right, one).score == 1.0, shaped=compare(right, other).score == 1.0)


def _record(
    place: Place,
    pairs: list[Pair],
    route: str,
    shaper: Shaper,
    margin: float,
    delta: float,
    days: float,
    tokens_saved: float,
    model: str,
    *,
    as_json: bool,
) -> None:
    import msgspec

    from ..lab.shape_proof import prove as proven

    proof = proven(
        pairs,
        route=route,
        shaper=shaper,
        margin=margin,
        delta=delta,
        tokens_saved=tokens_saved,
        model=model,
        method="answers compared from the outside; what can't be decided counts as worse",
        at_us=place.clock(),
        days=days,
    )
    with place.settings() as settings:
        settings.set_setting(_place_of(route, shaper), msgspec.to_builtins(proof))
    if as_json:
        say_json(_told(proof))
    else:
        say(
            f"'{shaper}' on route '{route}': {proof.n} cases, {proof.worse} worse, {proof.better} better; at most "
            f"{proof.worse_at_most:.1%} of calls get worse ({1 - delta:.0%} confidence); {tokens_saved:.1%} of prompt "
            "tokens saved"
        )
    if not proof.holds(place.clock()):
        raise Failure(f"not proven: {proof.worse_at_most:.1%} is more than the margin of {margin:.1%}; it stays off")
    if not as_json:
        _say_what_now(place, route, shaper)


def _say_what_now(place: Place, route: str, shaper: str) -> None:
    config = place.config()
    allowed = route in config.routes and config.routes[route].shape
    if not allowed or getattr(config.shape, shaper) == "off":
        note(f'to use it: [shape] {shaper} = "proven" and [routes.{route}] shape = true')


def _place_of(route: str, shaper: str) -> str:
    from ..gateway.shape import PROOF

    return f"{PROOF}{route}.{shaper}"


def _proof(value: object) -> Proof | None:
    from ..gateway.shape import proof_of

    return proof_of(value)


def _told(proof: Proof) -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(proof)
    return told


def _short(proof: dict[str, Any] | None) -> str:
    if proof is None:
        return ""
    verdict = "passed" if proof["worse_at_most"] <= proof["margin"] else "failed"
    return f"{verdict}, n = {proof['n']}, until {day_text(proof['expires_us'])}"
