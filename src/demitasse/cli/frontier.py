"""`frontier`: cost against quality over evaluations of the same samples, in words, as a table, a picture and JSON."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click

from .ground import Place, placed, say, say_json, table

if TYPE_CHECKING:
    from ..lab.evals.axes import Axis
    from ..lab.evals.frontier import Frontier, Point


@click.command()
@click.argument("evaluations", nargs=-1, required=True, metavar="EVALUATION…")
@click.option(
    "--cost",
    "axis",
    type=click.Choice(["money", "energy", "latency"]),
    default="money",
    show_default=True,
    help="What quality is held against.",
)
@click.option(
    "--worth",
    type=click.FloatRange(0, min_open=True),
    metavar="AMOUNT",
    help="What a point of quality is worth to you: USD per 1,000 calls (or Wh, or ms). Else: where the curve bends.",
)
@click.option("--svg", metavar="FILE", help="Write the picture there.")
@click.option("--seed", type=int, default=7, metavar="N", show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def frontier(
    place: Place,
    evaluations: tuple[str, ...],
    axis: str,
    worth: float | None,
    svg: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Hold EVALUATIONs of the same samples against each other: who is worth a look, and where paying more stops paying.

    Each is an id, the beginning of one, or a folder.
    """
    if len(set(evaluations)) < len(evaluations):
        raise click.UsageError("an evaluation is named twice; name different ones")
    from msgspec import structs

    from ..lab.evals.frontier import frontier as drawn
    from ..lab.evals.reading import named, read_all, same_questions
    from ..lab.evals.svg import picture

    read = read_all(place.data, evaluations)
    found = drawn(dict(named(read)), axis=cast("Axis", axis), worth=worth, seed=seed)
    found = structs.replace(found, notes=(*same_questions(read), *found.notes))
    if svg is not None:
        (place.cwd / svg).write_text(picture(found), encoding="utf-8")
    if as_json:
        say_json(as_object(found))
    else:
        _say(found)
        if svg is not None:
            say()
            say(f"the picture: {svg}")


def as_object(found: Frontier) -> dict[str, Any]:
    """As JSON, with the paragraph in words."""
    import msgspec

    from ..lab.evals import words

    told: dict[str, Any] = msgspec.to_builtins(found)
    return told | {"front": [point.name for point in found.front], "words": words.drawn(found)}


def _say(found: Frontier) -> None:
    from ..lab.evals import words

    say(words.drawn(found))
    for line in found.notes:
        say(line)
    say()
    table(
        ("candidate", found.unit, "score", "interval", "frontier", "knee", "beaten by"),
        [_row(found, point) for point in found.points],
        right=(found.unit, "score", "interval", "frontier", "knee"),
        whole=("candidate",),
    )
    if found.steps:
        say()
        table(
            ("from", "to", "points", "interval", "a point costs", "interval "),
            [
                (
                    step.below,
                    step.above,
                    words.points(step.points / 100, bare=True),
                    words.span((step.points_interval[0] / 100, step.points_interval[1] / 100)),
                    words.amount(step.price, found.axis),
                    words.prices(step, found.axis),
                )
                for step in found.steps
            ],
            right=("points", "interval", "a point costs", "interval "),
        )


def _row(found: Frontier, point: Point) -> tuple[str, ...]:
    from ..lab.evals import words

    return (
        point.name,
        "unknown" if point.cost is None else words.amount(point.cost, found.axis),
        words.share(point.quality) if point.quality is not None else "",
        words.between(point.quality_interval),
        _sure(point.front_probability),
        _sure(point.knee_probability),
        point.beaten_by or point.why_not,
    )


def _sure(probability: float | None) -> str:
    return "" if probability is None else f"{100 * probability:.0f} %"
