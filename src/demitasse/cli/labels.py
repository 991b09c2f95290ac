"""`labels`: what the evidence comes to so far. `feedback`: an application's, or a person's, word on one answer."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

from typing import Any

import click

from .ground import Place, placed, say, say_json, table
from .units import day_text, moment_us


@click.command()
@click.option("--route", metavar="ROUTE", help="Only this route's.")
@click.option("--since", metavar="WHEN", help="Calls from this moment on: 2026-11-21, or 7d ago; else all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def labels(place: Place, route: str | None, since: str | None, as_json: bool) -> None:
    """Evidence about quality: how many calls were compared, how, how good the cheaper answers were, what it cost."""
    from ..store.evidence import SqliteEvidence
    from ..web.labels import summary

    now_us = place.clock()
    evidence = SqliteEvidence(place.data)
    try:
        with place.books() as books:
            since_us = moment_us(since, now_us) if since else 0
            told = summary(evidence, books, now_us + 1, route=route, since_us=since_us)
    finally:
        evidence.close()
    if as_json:
        say_json(told)
    elif not told["routes"]:
        say(
            "no evidence yet: shadow calls make it, on a route with a ladder ([shadow] usd_per_day = 0.50), and so does"
        )
        say("POST /demitasse/feedback; see docs/reference/json.md")
    else:
        _tell(told)


def _tell(told: dict[str, Any]) -> None:
    rows = [
        (route["route"], model["model"], f"{model['labels']:,}", f"{model['judged']:,}", *_share(model, "as_good"))
        for route in told["routes"]
        for model in route["models"]
    ]
    if rows:
        columns = ("route", "model", "compared", "judged", "as good", "95 % interval")
        table(columns, rows, right=columns[2:], whole=("route", "model"))
    for route in told["routes"]:
        say()
        span = f", {day_text(route['since_us'])} to {day_text(route['until_us'])}" if route["since_us"] else ""
        say(f"{route['route']}: {_counts(route['sources']) or 'no labels'}{span}; own cost ${route['own_usd']:.6f}")
        if route["methods"]:
            say(f"  decided by {_counts(route['methods'])}")
        for said in route["feedback"]:
            about = f" '{said['label']}'" if said["label"] else ""
            say(f"  feedback{about} on {said['model']}: {said['mean']:.2f} of 1, {said['n']:,} calls")
        for said in route["grounding"]:
            say(f"  grounding of {said['model']} by '{said['label']}': {said['mean']:.2f} of 1, {said['n']:,} calls")
    for who in told["agreement"]:
        share, interval = _share(who, "share")
        kappa = f", kappa {who['kappa']:.2f}" if who["kappa"] is not None else ""
        say()
        say(f"{who['who']} agrees with people on {share} of {who['n']:,} votes {interval}{kappa}")


def _share(row: dict[str, Any], name: str) -> tuple[str, str]:
    if row[name] is None:
        return "–", "–"
    low, high = row["interval"]
    return f"{row[name]:.1%}", f"[{low:.1%}, {high:.1%}]"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


@click.command()
@click.argument("id")
@click.argument("score", type=click.FloatRange(0, 1))
@click.option(
    "--label", "name", metavar="NAME", default="", help="What was scored, e.g. useful; a later score replaces it."
)
@click.option("--url", metavar="URL", help="The gateway's address; else the one that runs here.")
@click.option("--key", metavar="KEY", help="The key that got the answer; else DEMITASSE_KEY.")
@placed
def feedback(place: Place, id: str, score: float, name: str, url: str | None, key: str | None) -> None:
    """Say how good an answer was: its x-request-id, and a score from 0 to 1. It becomes evidence."""
    from .running import need

    kept = need(place, url, key).json("POST", "/demitasse/feedback", {"id": id, "score": score, "label": name})
    about = f" as '{kept['label']}'" if kept["label"] else ""
    say(f"kept{about}: {kept['score']:g} for '{kept['model']}' on call {kept['id']}")
