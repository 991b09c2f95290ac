"""`card`: what is known of one model here, or of all, as Markdown, JSON or a bill of materials."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import click

from .ground import Failure, Place, placed, say, say_json, table
from .units import moment_us

if TYPE_CHECKING:
    from ..build.governing_view import View
    from ..lab.governance.cards import ModelCard


@click.command()
@click.argument("model", required=False)
@click.option("--md", "form", flag_value="md", default="md", help="Markdown with YAML front matter (the default).")
@click.option("--json", "form", flag_value="json", help="One JSON object; without MODEL an array of all.")
@click.option("--bom", "form", flag_value="bom", help="A CycloneDX 1.6 bill of materials (ML-BOM).")
@click.option(
    "--since", metavar="WHEN", help="Counts calls from a date (2026-09-01) or from how long ago (90d); else 90 days."
)
@placed
def card(place: Place, model: str | None, form: str, since: str | None) -> None:
    """The card of MODEL: identity, licence, price, evaluations, safety, bias, energy, known issues, who uses it.

    MODEL is an alias of [models], a name of the catalogue, made:NAME, provider/model, or a detector that ships with Demitasse;
    without one, all models in use are listed. What nobody knows is said to be unknown.
    """
    from .. import __version__
    from ..build.governing_sources import opened, window
    from ..build.governing_view import look
    from ..lab.governance.bom import bom
    from ..lab.governance.cards import as_json, markdown
    from ..web.report import iso

    now_us = place.clock()
    wanted = window(now_us, None if since is None else moment_us(since, now_us))
    with opened(place.config(), place.data, clock=place.clock) as sources:
        view = look(sources, wanted)
        found = view.clean_cards(() if model is None else (_known(view, model),))
    if form == "bom":
        say_json(bom(found, at=iso(now_us), version=__version__))
    elif model is None:
        if form == "json":
            say_json([as_json(one) for one in found])
        else:
            _say_all(found)
    elif form == "json":
        say_json(as_json(found[0]))
    else:
        click.echo(markdown(found[0]), nl=False)


def _known(view: View, name: str) -> str:
    """The name, where anybody knows it; else exit status 1 with near ones."""
    if view.knows(name):
        return name
    names = view.names()
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names[:8])}" if names else "none is in use"
    raise Failure(f"no model '{name}' is configured, in the catalogue, made here or in the books; {hint}")


def _say_all(found: tuple[ModelCard, ...]) -> None:
    if not found:
        say("no model is in use yet; begin with: demitasse up")
        return
    columns = ("model", "kind", "computes", "licence", "allowed", "calls", "evaluations", "unknown")
    rows = [_row(one) for one in found]
    table(columns, rows, right=("calls", "evaluations", "unknown"), whole=("model",))


def _row(one: ModelCard) -> tuple[Any, ...]:
    allowed = "yes" if one.licence.allowed else "no"
    return (
        one.name, one.kind, one.runs, one.licence.licence, allowed, f"{one.calls:,}", str(len(one.evaluations)),
        str(len(one.unknown)),
    )  # fmt: skip
