"""`evaluate`, `evaluations`: models put to a task, scored, with what that cost; and what was evaluated before."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import asyncio
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from .ground import Commands, Failure, Place, note, placed, progress, say, say_json, table

if TYPE_CHECKING:
    from ..lab.evals.result import Row, Run
    from ..lab.tasks.task import Task


@click.command()
@click.argument("task")
@click.option(
    "--model", "models", multiple=True, required=True, metavar="NAME",
    help="A route, a name of [models], provider/model, or recorded:FILE; may be given several times.",
)  # fmt: skip
@click.option("--n", type=click.IntRange(1), metavar="N", help="So many samples, drawn by --seed; else all.")
@click.option(
    "--constrained/--free", "constrained", default=None,
    help="Hold answers to the task's form by a JSON schema, or let them be; else constrained where the form allows it.",
)  # fmt: skip
@click.option(
    "--budget", type=click.FloatRange(0, min_open=True), metavar="USD", help="A run stops before it costs more."
)
@click.option(
    "--parallel", type=click.IntRange(1, 256), default=4, show_default=True, metavar="N", help="Calls at a time."
)
@click.option(
    "--repeats", type=click.IntRange(1, 100), default=1, show_default=True, metavar="N", help="Answers per sample."
)
@click.option(
    "--seed", type=int, default=7, show_default=True, metavar="N", help="Draws samples; sent to models that take one."
)
@click.option("--fresh", is_flag=True, help="Ask everything anew; what was kept is set aside.")
@click.option("--allow-code", is_flag=True, help="Run code that a model wrote, for tasks whose answers are tested.")
@click.option("--on", "on", default="local", show_default=True, metavar="WHERE",
              help="For recorded answers: local, ray (a Ray of its own on this machine), or a cluster's address.")  # fmt: skip
@click.option("--from", "from_", metavar="DIR", help="Standard sets from files below this folder instead of a hub.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array, an object per model.")
@placed
def evaluate(
    place: Place,
    task: str,
    models: tuple[str, ...],
    n: int | None,
    constrained: bool | None,
    budget: float | None,
    parallel: int,
    repeats: int,
    seed: int,
    fresh: bool,
    allow_code: bool,
    on: str,
    from_: str | None,
    as_json: bool,
) -> None:
    """Put models to TASK (a file, ledger:ROUTE, or a standard set; see: demitasse tasks list) and score their answers.

    What was answered is kept: a run that was stopped or killed goes on where it was and pays for nothing twice. Calls are booked
    in the ledger on the key demitasse-lab. Compare two runs with: demitasse compare A B
    """
    from ..build.evaluating import Wanted
    from ..build.task_sources import find

    found = find(task, place, datasets=from_)
    wanted = [
        Wanted(
            model=model,
            n=n,
            mode=None if constrained is None else ("constrained" if constrained else "free"),
            repeats=repeats,
            parallel=parallel,
            seed=seed,
            budget_usd=budget,
            fresh=fresh,
            allow_code=allow_code,
            command=_command(),
        )
        for model in models
    ]
    done = _evaluate(place, found, wanted, on)
    if as_json:
        say_json([as_object(run) for run, _ in done])
    else:
        _say(found, done)
    stopped = [run for run, _ in done if run.state != "complete"]
    if stopped:
        raise Failure(
            f"{stopped[0].id} stopped at {_answered(stopped[0])} of {stopped[0].n * stopped[0].repeats}: {stopped[0].why}\n"
            "what was answered is kept; the same command goes on from there"
        )


def _evaluate(place: Place, task: Task, wanted: list[Any], on: str) -> list[tuple[Run, list[Row]]]:
    from ..build.evaluating import opened
    from ..build.recordings import evaluate_recorded

    recorded = [w for w in wanted if w.model.startswith("recorded:")]
    done: dict[str, tuple[Run, list[Row]]] = {}
    for one in recorded:
        done[one.model] = evaluate_recorded(place.data, place.cwd, task, one, on=on, clock=place.clock)
    live = [w for w in wanted if w not in recorded]
    if live and on != "local":
        raise click.UsageError("--on is for recorded answers; models are asked through this machine's ledger")

    async def work() -> None:
        async with opened(place.config(), place.data, place.env, clock=place.clock) as lab:
            for one in live:
                with progress(one.model) as bar:
                    done[one.model] = await lab.evaluate(task, one, progress=bar)

    if live:
        asyncio.run(work())
    return [done[one.model] for one in wanted]


def _command() -> str:
    """The command line, so that a run can be gone on with."""
    return shlex.join(["demitasse", *sys.argv[1:]])


def _answered(run: Run) -> int:
    return run.summary.n + run.summary.unscored if run.summary is not None else 0


def as_object(run: Run) -> dict[str, Any]:
    """The stable object of ``--json``; null is unknown, never zero."""
    from ..core.money import usd

    made = run.summary
    assert made is not None
    answered = made.n + made.unscored
    per_1000 = None if made.cost_nanos is None or not answered else usd(made.cost_nanos) * 1000 / answered
    return {
        "id": run.id,
        "task": run.task,
        "task_hash": run.task_hash,
        "model": run.model,
        "identity": run.identity,
        "mode": run.mode,
        "scorer": run.scorer,
        "state": run.state,
        "why": run.why or None,
        "samples": run.n,
        "repeats": run.repeats,
        "seed": run.seed,
        "scored": made.n,
        "quality": made.quality,
        "quality_interval": made.quality_interval,
        "format_failures": made.format_failures,
        "wrong": made.wrong,
        "unscored": made.unscored,
        "errors": made.errors,
        "cost_usd": None if made.cost_nanos is None else usd(made.cost_nanos),
        "usd_per_1000": None if per_1000 is None else round(per_1000, 9),
        "scoring_usd": usd(made.scoring_nanos),
        "tokens_in": made.tokens_in,
        "tokens_out": made.tokens_out,
        "latency_ms": {name: {"value": v, "interval": [low, high]} for name, (v, low, high) in made.latency_ms.items()},
        "calls_per_s": made.calls_per_s,
        "tokens_out_per_s": made.tokens_out_per_s,
        "energy_wh": {m: [low / 3.6e9, high / 3.6e9] for m, (low, high) in made.energy_uj.items()},
        "slices": {name: {"n": count, "quality": share} for name, (count, share) in made.slices.items()},
        "asked": run.asked,
        "reused": run.reused,
        "load": {
            "cores": run.load.cores,
            "before": run.load.before,
            "after": run.load.after,
            "machine_cpu_s": run.load.cpu_s,
            "harness_cpu_s": run.load.own_cpu_s,
            "engine_cpu_s": run.load.engine_cpu_s,
            "steal_s": run.load.steal_s,
            "wall_s": run.load.wall_s,
            "contended": run.load.contended,
        },
        "source": run.source,
        "licence": run.licence,
    }


def _say(task: Task, done: list[tuple[Run, list[Row]]]) -> None:
    first = done[0][0]
    say(
        f"{task.name}: {first.n:,} samples, scored by {first.scorer}  ({task.source.name}; licence: {task.source.licence})"
    )
    say()
    table(
        ("model", "answers", "quality", "95 %", "unreadable", "wrong", "$/1,000", "p50 s", "tok out", "Wh"),
        [_line(run) for run, _ in done],
        right=("quality", "95 %", "unreadable", "wrong", "$/1,000", "p50 s", "tok out", "Wh"),
    )
    if _keeps_labels_to_itself(task):
        note(
            f"the words of '{task.name}' name none of its labels: say them in a task's TOML, system = \"Answer with one of …\""
        )
    for run, _ in done:
        made = run.summary
        if made is None:
            continue
        if made.format_failures:
            say(
                f"{run.model}: {made.format_failures} of {made.n} answers could not be read and count as wrong"
                + ("; held to its form (--constrained) it may do better" if run.mode == "free" else "")
            )
        if made.unscored or made.errors:
            say(f"{run.model}: {made.unscored} answers without a score, {made.errors} samples without an answer")
        if run.state == "complete" and run.why:
            say(f"{run.model}: {run.why}")
        if run.reused:
            say(f"{run.model}: {run.reused} answers were at hand from before and cost nothing now")
        if run.load.contended:
            note(f"{run.model}: {run.load.why}; its times say little")
    say()
    for run, _ in done:
        say(f"kept as {run.id}")
    if len(done) == 2:
        say(f"which is better: demitasse compare {done[0][0].id} {done[1][0].id}")


def _keeps_labels_to_itself(task: Task) -> bool:
    """Nobody who answers freely can choose from a set that they are not told."""
    talks = any(not isinstance(sample.input, str) for sample in task.samples[:1])
    words = f"{task.system} {task.template}".casefold()
    return task.form == "label" and not talks and not any(label.casefold() in words for label in task.labels)


def _line(run: Run) -> tuple[str, ...]:
    made = run.summary
    assert made is not None
    answered = made.n + made.unscored
    interval = made.quality_interval
    energy = ", ".join(
        f"{low / 3.6e9:.3g}-{high / 3.6e9:.3g} {method}" for method, (low, high) in made.energy_uj.items()
    )
    return (
        run.model,
        run.mode,
        "-" if made.quality is None else f"{made.quality:.1%}",
        "-" if interval is None else f"{interval[0]:.1%} to {interval[1]:.1%}",
        f"{made.format_failures}",
        f"{made.wrong}",
        "unpriced" if made.cost_nanos is None or not answered else f"{made.cost_nanos / 1e6 / answered:.4f}",
        f"{made.latency_ms['p50'][0] / 1e3:.2f}" if "p50" in made.latency_ms else "-",
        f"{made.tokens_out:,}",
        energy or "-",
    )


@click.group(cls=Commands)
def evaluations() -> None:
    """What was evaluated: list the runs, show one, remove one."""


@evaluations.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@placed
def list_(place: Place, as_json: bool) -> None:
    """All evaluations, the newest first."""
    from ..lab.evals.result import answered, folder, runs

    found = [run for run in runs(place.data) if run.summary is not None or not as_json]
    if as_json:
        say_json([as_object(run) for run in found])
        return
    if not found:
        say("nothing was evaluated yet; begin with: demitasse evaluate TASK --model NAME")
        return
    rows = []
    for run in found:
        made = run.summary
        quality = "-" if made is None or made.quality is None else f"{made.quality:.1%}"
        done = _answered(run) if run.state == "complete" else answered(folder(place.data, run.id))
        rows.append((run.id, run.model, run.mode, f"{done}/{run.n * run.repeats}", quality, run.state))
    table(("id", "model", "answers", "done", "quality", "state"), rows, right=("done", "quality"), whole=("id",))


@evaluations.command()
@click.argument("evaluation")
@click.option("--wrong", is_flag=True, help="Only answers that are not wholly right.")
@click.option(
    "--last", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="At most so many answers."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with all its rows.")
@placed
def show(place: Place, evaluation: str, wrong: bool, last: int, as_json: bool) -> None:
    """One evaluation: its figures, and answers beside what was right."""
    import msgspec

    from ..lab.evals.result import find, load, load_task, rows

    path = find(place.data, evaluation)
    run = load(path)
    found = rows(path)
    if wrong:
        found = [row for row in found if (row.score.value or 0.0) < 1.0]
    if as_json:
        say_json(as_object(run) | {"rows": [msgspec.to_builtins(row) for row in found]})
        return
    say(f"{run.id}: {run.model} ({run.mode}) on {run.task}, {run.state}")
    table(
        ("model", "answers", "quality", "95 %", "unreadable", "wrong", "$/1,000", "p50 s", "tok out", "Wh"),
        [_line(run)],
    )
    target = {sample.id: " | ".join(sample.target) for sample in load_task(path).samples}
    say()
    table(
        ("sample", "right", "said", "score", "why"),
        [
            (
                row.sample,
                target.get(row.sample, "")[:40],
                (row.score.said or row.text.replace("\n", " "))[:40],
                "-" if row.score.value is None else f"{row.score.value:g}",
                row.score.failure or row.score.why[:40],
            )
            for row in found[:last]
        ],
        right=("score",),
    )


@evaluations.command()
@click.argument("evaluation")
@placed
def remove(place: Place, evaluation: str) -> None:
    """Delete a run's folder, with the answers that it holds; its calls stay in the ledger."""
    import shutil

    from ..lab.evals.result import FOLDER, alone, find

    path = find(place.data, evaluation)
    if path.parent != place.data / FOLDER:
        raise Failure(f"{path} lies outside of this data folder; delete it yourself")
    with alone(path):
        shutil.rmtree(path)
    say(f"removed {path.name}")
