"""`compare`: one verdict on evaluations of the same samples; its exit status makes it a gate."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .ground import Place, placed, say, say_json, table

if TYPE_CHECKING:
    from ..lab.evals.compare import Change, Comparison


@click.command()
@click.argument("evaluations", nargs=-1, required=True, metavar="CANDIDATE… REFERENCE")
@click.option(
    "--margin",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.02,
    metavar="SHARE",
    show_default=True,
    help="So much worse is still as good; fix it before you look.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.05,
    metavar="SHARE",
    show_default=True,
    help="Chance of a wrong verdict, at most.",
)
@click.option("--allow-inconclusive", is_flag=True, help="Exit 0 where nothing was decided, too.")
@click.option("--samples", type=click.IntRange(0), default=5, metavar="N", show_default=True,
              help="List so many regressions and fixes of each.")  # fmt: skip
@click.option("--seed", type=int, default=7, metavar="N", show_default=True, help="Of the bootstrap's weights.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def compare(
    place: Place,
    evaluations: tuple[str, ...],
    margin: float,
    alpha: float,
    allow_inconclusive: bool,
    samples: int,
    seed: int,
    as_json: bool,
) -> None:
    """Say whether CANDIDATE is as good as REFERENCE: superior, non-inferior, inferior or inconclusive.

    Both are evaluations (an id, the beginning of one, or a folder) of the same samples. Several candidates may stand before
    the reference; their verdicts share the doubt. Exit 0 when all are non-inferior or superior, else 1.
    """
    if len(evaluations) < 2:
        raise click.UsageError("name two evaluations: the candidate, then the reference")
    if len(set(evaluations)) < len(evaluations):
        raise click.UsageError("an evaluation is named twice; compare different ones")
    from msgspec import structs

    from ..lab.evals.compare import compare_all
    from ..lab.evals.reading import named, read_all, same_questions

    read = read_all(place.data, evaluations)
    aloud = tuple(same_questions(read))
    *candidates, reference = named(read)
    found = compare_all(
        dict(candidates), reference[1], margin=margin, alpha=alpha, reference_name=reference[0], seed=seed
    )
    found = [structs.replace(one, notes=aloud + one.notes) for one in found]
    if as_json:
        say_json(as_object(found))
    else:
        for at, one in enumerate(found):
            if at:
                say()
            _say(one, samples)
    passed = {"superior", "non-inferior"} | ({"inconclusive"} if allow_inconclusive else set())
    if not all(one.verdict in passed for one in found):
        click.get_current_context().exit(1)


def as_object(found: list[Comparison]) -> object:
    """One comparison as itself, several as a list; costs in dollars."""
    import msgspec

    told = msgspec.to_builtins(found)
    for one in told:
        for side in (one["candidate"], one["reference"]):
            nanos = side.pop("cost_nanos")
            side["usd_per_1000"] = None if nanos is None else round(nanos / 1e6, 9)
    return told[0] if len(told) == 1 else told


def _say(found: Comparison, samples: int) -> None:
    from ..lab.evals import words

    say(f"{found.verdict}: {found.candidate.name} against {found.reference.name}")
    say()
    say(words.compared(found))
    for line in found.notes:
        say(line)
    say()
    sides = (found.candidate, found.reference)
    table(
        ("", *(side.name for side in sides)),
        [
            ("score", *(words.share(side.quality) for side in sides)),
            ("interval", *(words.between(side.interval) for side in sides)),
            ("not readable", *(str(side.unread) for side in sides)),
            ("wrong", *(str(side.wrong) for side in sides)),
            ("no score", *(str(side.unscored) for side in sides)),
            (
                "$ per 1,000 calls",
                *("unknown" if side.cost_nanos is None else words.usd(side.cost_nanos) for side in sides),
            ),
            ("latency p50, ms", *(words.late(side.latency_ms.get("p50")) for side in sides)),
            ("latency p95, ms", *(words.late(side.latency_ms.get("p95")) for side in sides)),
        ],
        right=[side.name for side in sides],
    )
    say()
    t = found.table
    exact = "" if found.mcnemar is None else f"; exact McNemar p = {found.mcnemar.p:.3g}"
    say(f"both right {t.both}, only {sides[0].name} {t.only_candidate}, only {sides[1].name} {t.only_reference}, "
        f"neither {t.neither}{exact}")  # fmt: skip
    if found.slices:
        say()
        table(
            ("slice", "n", "difference", "interval", "verdict"),
            [(p.name, str(p.n), words.points(p.difference), words.span(p.interval), p.verdict) for p in found.slices],
            right=("n", "difference", "interval"),
        )
    _say_changes("worse now", found.regressions, samples)
    _say_changes("better now", found.fixes, samples)


def _say_changes(title: str, changes: tuple[Change, ...], most: int) -> None:
    if not changes or not most:
        return
    say()
    more = f" (the first {most})" if len(changes) > most else ""
    say(f"{title}: {len(changes)}{more}")
    for one in changes[:most]:
        why = f", not readable: {one.failure}" if one.failure else ""
        say(f"  {one.sample}  {one.reference:g} -> {one.candidate:g}{why}")
