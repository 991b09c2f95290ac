"""`certify`: what a route's labels prove, as a certificate; or what a file of outcomes proves."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import contextlib

import click

from .ground import Place, placed
from .units import moment_us


@click.command()
@click.argument("route", required=False)
@click.option(
    "--outcomes", metavar="FILE", help="Rows with known scores (CSV, JSONL or Parquet) instead of a route's labels."
)
@click.option("--holdout", metavar="FILE", help="With --outcomes: rows never seen, to measure on what was certified.")
@click.option(
    "--prices",
    metavar="cheap=USD,reference=USD",
    help="With --outcomes: dollars per million tokens, where the file has no costs.",
)
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
    route: str | None,
    outcomes: str | None,
    holdout: str | None,
    prices: str | None,
    quality: float | None,
    delta: float | None,
    since: str | None,
    days: float | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Prove on ROUTE's labels how much of its traffic the small model may answer; looking often costs nothing.

    What is proven becomes a certificate; it serves nothing until: demitasse promote ROUTE

    With --outcomes the same is proven on a file's rows (columns prompt, cheap, reference; optional slice, session,
    cheap_cost, reference_cost), and nothing is kept.
    """
    if outcomes is not None:
        if route is not None or since is not None or days is not None:
            raise click.UsageError("--outcomes reads a file: leave out ROUTE, --since and --days")
        from .offline import certify_file

        certify_file(
            place.cwd / outcomes,
            quality=0.95 if quality is None else quality,
            delta=0.05 if delta is None else delta,
            prices=prices,
            seed=7 if seed is None else seed,
            holdout=None if holdout is None else place.cwd / holdout,
            as_json=as_json,
        )
        return
    if route is None:
        raise click.UsageError("name a ROUTE, or a file of known scores with --outcomes FILE")
    if holdout is not None or prices is not None:
        raise click.UsageError("--holdout and --prices go with --outcomes FILE")
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
