"""`optimise`: better candidates for a task, the cheapest step first, until more would not pay."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .ground import Failure, Place, note, placed, progress, say, say_json, table

if TYPE_CHECKING:
    from ..lab.optimise.bench import Skipped
    from ..lab.optimise.driver import Report, Tried

WORDS = {
    "superior": "better than the reference",
    "non-inferior": "as good as the reference, to within the margin",
    "inferior": "worse than the reference by more than the margin",
    "inconclusive": "INCONCLUSIVE: these rows cannot tell whether it is as good as the reference",
    "reference": "the reference",
}


@click.command()
@click.argument("task")
@click.option(
    "--model",
    required=True,
    metavar="NAME",
    help="The small model to make better: a name of [models], or of the catalogue.",
)
@click.option("--reference", required=True, metavar="NAME", help="The model whose quality is to be reached.")
@click.option(
    "--steps",
    metavar="NAME,NAME",
    help="Only these, of: format, prompt, requantise, classifier, encoder, student, prune.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.02,
    show_default=True,
    metavar="SHARE",
    help="How much worse is still as good; fix it before you look.",
)
@click.option("--n", type=click.IntRange(1), metavar="N", help="Rows to measure on; else a third, at most 300.")
@click.option(
    "--budget", type=click.FloatRange(0, min_open=True), metavar="USD", help="All evaluations together cost no more."
)
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), metavar="N", help="No further step is begun after so long."
)
@click.option(
    "--worth",
    type=click.FloatRange(0),
    metavar="USD",
    help="A saving per 1,000 calls below which no further step is tried; else a twentieth of what the reference costs.",
)
@click.option("--all", "go_on", is_flag=True, help="Try every step, whatever was found.")
@click.option(
    "--encoder",
    metavar="DIR",
    help="An encoder as it comes from a hub (config.json, model.safetensors, tokenizer.json), to be tried in 8 bits.",
)
@click.option("--licence-checked", is_flag=True, help="You have read terms that are not known here, and they allow it.")
@click.option("--keep", is_flag=True, help="Keep what fails its gate, marked so; else it is deleted.")
@click.option("--name", "prefix", metavar="NAME", help="What made models' names begin with; else the task's name.")
@click.option(
    "--parallel", type=click.IntRange(1, 256), default=4, show_default=True, metavar="N", help="Calls at a time."
)
@click.option(
    "--seed", type=int, default=7, show_default=True, metavar="N", help="Of the split, of training and of intervals."
)
@click.option("--write", "write", metavar="FILE", help="Append the winner's tables to this configuration file.")
@click.option("--from", "from_", metavar="DIR", help="Standard sets from files below this folder instead of a hub.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def optimise(
    place: Place,
    task: str,
    model: str,
    reference: str,
    steps: str | None,
    margin: float,
    n: int | None,
    budget: float | None,
    minutes: float | None,
    worth: float | None,
    go_on: bool,
    encoder: str | None,
    licence_checked: bool,
    keep: bool,
    prefix: str | None,
    parallel: int,
    seed: int,
    write: str | None,
    from_: str | None,
    as_json: bool,
) -> None:
    """Make better candidates for TASK than --model is, and hold each against --reference on rows that none learned from.

    What is made lies below the data folder with a manifest and a card (see: demitasse models list), and a route can name it as
    made:NAME. Negative and inconclusive results are told and kept. Rows are split before anything learns: by time where they bear
    one.
    """
    from ..build.optimising import Asked, add_lines, run
    from ..build.task_sources import find
    from ..lab.optimise.driver import Limits

    asked = Asked(
        model=model,
        reference=reference,
        steps=tuple(one.strip() for one in steps.split(",")) if steps else (),
        margin=margin,
        n=n,
        seed=seed,
        budget_usd=budget,
        parallel=parallel,
        prefix=prefix or "",
        licence_checked=licence_checked,
        encoder=place.cwd / encoder if encoder else None,
        command=shlex.join(["demitasse", *sys.argv[1:]]),
    )
    limits = Limits(worth_usd=worth, seconds=minutes * 60 if minutes else None, go_on=go_on, keep=keep)
    found = find(task, place, datasets=from_)
    line = note if as_json else say
    report = asyncio.run(
        run(place.config(), place.data, place.env, found, asked, limits, clock=place.clock,
            told=lambda one: line(_line(one)), tell=line,
            bar=progress)
    )  # fmt: skip
    if as_json:
        say_json(as_object(report))
    else:
        _say(report)
    if write is not None:
        if not report.lines:
            raise Failure(f"nothing was written to {write}: no candidate is proven as good as '{reference}'")
        add_lines(place.cwd / Path(write), report.lines, place.env)
        note(f"written to {write}")


def as_object(report: Report) -> dict[str, object]:
    """The stable object of ``--json``; what is unknown is null."""
    import msgspec
    from msgspec import structs

    whole: dict[str, object] = msgspec.to_builtins(report) | {
        "winner": report.winner or None,
        "lines": report.lines or None,
    }
    whole["tried"] = [{k: msgspec.to_builtins(v) for k, v in structs.asdict(one).items()} for one in report.tried]
    return whole


def _line(one: Tried | Skipped) -> str:
    """A candidate as soon as it is measured."""
    from ..lab.optimise.bench import Skipped

    if isinstance(one, Skipped):
        return f"{one.step}: skipped, {one.why}"
    score = "-" if one.score is None else f"{one.score:.1%}"
    cost = "unpriced" if one.usd_per_1000 is None else f"{one.usd_per_1000:.4g} USD per 1,000"
    told = f"{one.step}: {one.name} scores {score} on {one.n} rows at {cost}: {WORDS[one.verdict]}"
    if one.gate is not None:
        told += f" (gate {one.gate.outcome})"
    return told + ("" if one.kept else "; deleted, since it failed its gate (--keep keeps it)")


def _say(report: Report) -> None:
    say()
    say(
        f"{report.task}: {report.train} rows to learn from, {report.test} to measure on, split {report.split}; "
        f"margin {report.margin:.1%}, seed {report.seed}"
    )
    table(
        ("candidate", "score", "95 %", "unreadable", "$/1,000", "CPU-s/1,000", "size", "difference", "verdict"),
        [_row(one) for one in report.tried],
        right=("score", "95 %", "unreadable", "$/1,000", "CPU-s/1,000", "size", "difference"),
    )
    for one in report.tried:
        for remark in one.notes:
            say(f"{one.name}: {remark}")
        if one.needed is not None:
            say(f"{one.name}: about {one.needed:,} rows would decide it")
    say()
    say(f"stopped: {report.stopped}")
    if not report.winner:
        say(f"no candidate is proven as good as '{report.reference}' at lower cost; keep it")
        return
    say(f"best: {report.winner}")
    if report.lines:
        say()
        say(report.lines.rstrip())


def _row(one: Tried) -> tuple[str, ...]:
    from ..lab.optimise.card import size

    low, high = one.interval or (0.0, 1.0)
    return (
        one.name,
        "-" if one.score is None else f"{one.score:.1%}",
        "-" if one.interval is None else f"{low:.1%} to {high:.1%}",
        str(one.unreadable),
        "-" if one.usd_per_1000 is None else f"{one.usd_per_1000:.4g}",
        "-" if one.cpu_s_per_1000 is None else f"{one.cpu_s_per_1000:,.0f}",
        "-" if one.bytes is None else size(one.bytes),
        "-" if one.difference is None else f"{one.difference:+.1%}",
        one.verdict + ("" if one.kept else ", deleted"),
    )
