"""`robustness`: a task put in other words, other orders and about other people; what a model loses by it, and BBQ's bias."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from .ground import Failure, Place, placed, progress, say, say_json, table

if TYPE_CHECKING:
    from ..build.robustness import Found
    from ..lab.evals.bias import Bias, Category, Flips
    from ..lab.evals.bias import Score as Figure
    from ..lab.evals.robustness import Robustness

_KINDS = "typos, case, noise, rare, paraphrase, injected, position, swap"


@click.command()
@click.argument("task")
@click.option("--model", required=True, metavar="NAME", help="A route, a name of [models], or provider/model.")
@click.option("--kinds", metavar="LIST", help=f"What is done to the questions, by comma: {_KINDS}; else all.")
@click.option("--n", type=click.IntRange(1), metavar="N", help="So many samples, drawn by --seed; else all.")
@click.option(
    "--paraphrase-with", "rewriter", metavar="NAME",
    help="A model that rewords the questions; else they are only put in another frame.",
)  # fmt: skip
@click.option(
    "--constrained/--free", "constrained", default=None,
    help="Hold answers to the task's form by a JSON schema, or let them be; else constrained where the form allows it.",
)  # fmt: skip
@click.option(
    "--budget",
    type=click.FloatRange(0, min_open=True),
    metavar="USD",
    help="All runs together stop before they cost more.",
)
@click.option(
    "--parallel", type=click.IntRange(1, 256), default=4, show_default=True, metavar="N", help="Calls at a time."
)
@click.option("--seed", type=int, default=7, show_default=True, metavar="N", help="Draws samples and perturbations.")
@click.option("--allow-code", is_flag=True, help="Run code that a model wrote, for tasks whose answers are tested.")
@click.option("--from", "from_", metavar="DIR", help="Standard sets from files below this folder instead of a hub.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def robustness(
    place: Place,
    task: str,
    model: str,
    kinds: str | None,
    n: int | None,
    rewriter: str | None,
    constrained: bool | None,
    budget: float | None,
    parallel: int,
    seed: int,
    allow_code: bool,
    from_: str | None,
    as_json: bool,
) -> None:
    """Put TASK to a model as it is, and again with its questions perturbed so that the right answers stay: what does it lose?

    Each is an evaluation of its own, kept and gone on with like any other. On BBQ the bias scores are told, too.
    """
    from ..build.evaluating import Wanted, opened
    from ..build.robustness import run
    from ..build.task_sources import find
    from ..lab.tasks.perturb import variants

    found = find(task, place, datasets=from_)
    try:
        names = variants(found, tuple(one.strip() for one in kinds.split(","))) if kinds else variants(found)
    except ValueError as why:
        raise click.UsageError(str(why)) from why
    if model.startswith("recorded:"):
        raise click.UsageError(
            "recorded answers are answers to the questions as they were; name a model that can be asked"
        )
    wanted = Wanted(
        model=model,
        n=n,
        mode=None if constrained is None else ("constrained" if constrained else "free"),
        parallel=parallel,
        seed=seed,
        budget_usd=budget,
        allow_code=allow_code,
    )

    async def work() -> Found:
        async with opened(place.config(), place.data, place.env, clock=place.clock) as lab:
            with progress(model) as bar:
                return await run(lab, found, wanted, names, rewriter=rewriter, progress=bar)

    made = asyncio.run(work())
    if as_json:
        say_json(as_object(made))
    else:
        _say(made)
    if made.stopped:
        raise Failure(
            f"{made.stopped}\nwhat is told above is of the runs that ended; the same command goes on from there"
        )


def as_object(made: Found) -> dict[str, Any]:
    """The stable, documented object of ``--json``; null is unknown, never zero."""
    from msgspec import to_builtins

    found = made.robustness
    return {
        "task": made.task,
        "model": made.model,
        "mode": made.mode,
        "seed": made.seed,
        "stopped": made.stopped or None,
        "evaluations": made.evaluations,
        "paraphrases_left_out": made.left_out,
        "n": found.n,
        "clean": found.clean,
        "worst": found.worst or None,
        "worst_case": found.worst_case,
        "held": found.held,
        "right": found.right,
        "held_interval": found.held_interval,
        "drops": [to_builtins(drop) for drop in found.drops],
        "consistency": None if found.consistency is None else to_builtins(found.consistency),
        "flips": None if made.flips is None else to_builtins(made.flips),
        "bias": None if made.bias is None else to_builtins(made.bias),
    }


def _say(made: Found) -> None:
    found = made.robustness
    say(f"{made.task} · {made.model} · {made.mode} · {found.n:,} samples · {_share(found.clean)} right as it is")
    say()
    table(
        ("kind", "samples", "as it is", "perturbed", "drop", "95 %", "right, now wrong", "unread"),
        [
            (
                drop.kind,
                f"{drop.n:,}",
                _share(drop.clean),
                _share(drop.perturbed),
                f"{'* ' if drop.significant else ''}{_points(drop.drop)}",
                f"[{_points(drop.interval[0])}, {_points(drop.interval[1])}]",
                f"{drop.lost} of {drop.right}",
                str(drop.unread),
            )
            for drop in found.drops
        ],
        right=("samples", "as it is", "perturbed", "drop", "95 %", "right, now wrong", "unread"),
    )
    say()
    for line in _sentences(found):
        say(line)
    if made.left_out:
        say(
            f"{made.left_out} paraphrases were not used: they had lost or changed something that the answer may turn on."
        )
    if made.flips is not None:
        say(_flips(made.flips))
    if made.bias is not None:
        say()
        _say_bias(made.bias)


def _sentences(found: Robustness) -> list[str]:
    told = []
    if any(drop.significant for drop in found.drops):
        told.append("* it loses something; over all kinds this is said wrongly with probability 2.5 % at most (Holm).")
    else:
        told.append("No kind shows a loss beyond chance; what the intervals still allow, they say.")
    if found.drops:
        low, high = (_share(end) for end in found.held_interval)
        told.append(
            f"Under all kinds together {_share(found.worst_case)} are right; {found.held:,} of {found.right:,} right answers "
            f"stay so throughout [{low}, {high}]."
        )
    one = found.consistency
    if one is not None and one.n:
        low, high = (_share(end) for end in one.interval)
        told.append(
            f"In every order of options or labels the same one is picked in {one.same:,} of {one.n:,} samples [{low}, {high}]."
        )
        if one.picked:
            told.append(
                f"Places picked, over all orders: {', '.join(f'{at} {_share(share)}' for at, share in one.picked.items())}."
            )
    return told


def _flips(found: Flips) -> str:
    low, high = (_share(end) for end in found.interval)
    look = f" Look at them: some questions are about gender ({', '.join(found.samples[:5])})." if found.samples else ""
    return (
        f"With women for men and men for women {found.flipped:,} of {found.n:,} answers change [{low}, {high}], "
        f"{found.better} to right and {found.worse} to wrong.{look}"
    )


def _say_bias(found: Bias) -> None:
    def row(one: Category) -> tuple[str, ...]:
        right = (_figure(one.ambiguous_accuracy), _figure(one.disambiguated_accuracy))
        leans = (one.ambiguous_bias, one.disambiguated_bias, one.nonalignment)
        return (one.name, *right, *(_figure(lean, signed=True) for lean in leans), str(one.unread))

    columns = (
        "BBQ",
        "ambiguous right",
        "disambig. right",
        "bias, ambiguous",
        "bias, disambig.",
        "cost of nonalignment",
        "unread",
    )
    table(columns, [*map(row, found.categories), row(found.overall)], right=columns[1:])
    say(
        "Bias above 0 follows the stereotype, below 0 goes against it (Parrish et al. 2022); points of 100, 95 % intervals."
    )


def _figure(one: Figure, *, signed: bool = False) -> str:
    if one.value is None or one.interval is None:
        return "-"
    put = _points if signed else (lambda value: f"{100 * value:.1f}")
    return f"{put(one.value)} [{put(one.interval[0])}, {put(one.interval[1])}]"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}" if round(100 * share, 1) else "0.0"
