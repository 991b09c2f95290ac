"""`certify`: what a route's labels prove, as a certificate."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import contextlib

import click

from .ground import Place, placed
from .units import moment_us


@click.command()
@click.argument("route")
@click.option(
    "--quality",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Of the reference's score; else the route's, else 0.95.",
)
@click.option(
    "--delta",
    type=click.FloatRange(0, 0.5, min_open=True),
    metavar="SHARE",
    help="Chance that the promise is wrong; else [certificates] delta.",
)
@click.option("--since", metavar="WHEN", help="Count calls from here on: a date, or how long ago (7d).")
@click.option(
    "--days",
    type=click.FloatRange(0, 365, min_open=True),
    metavar="N",
    help="How long it holds; else [certificates] days.",
)
@click.option("--seed", type=int, metavar="N", help="Splits the labels; another one begins anew.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def certify(
    place: Place,
    route: str,
    quality: float | None,
    delta: float | None,
    since: str | None,
    days: float | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Prove on ROUTE's labels how much of its traffic the small model may answer; looking often costs nothing.

    What is proven becomes a certificate; it serves nothing until: demitasse promote ROUTE
    """
    from ..build.certifying import certify as look
    from ..build.certifying import terms
    from ..store.evidence import SqliteEvidence
    from .certificates import say_look

    since_us = None if since is None else moment_us(since, place.clock())
    wanted = terms(place.config(), route, quality=quality, delta=delta, days=days, since_us=since_us, seed=seed)
    evidence = SqliteEvidence(place.data)
    with contextlib.closing(evidence), place.books() as books, place.settings() as settings:
        found = look(wanted, settings, evidence, books)
    say_look(place, found, as_json=as_json)
