"""`tune`: how many calls side by side, on how many threads, in which batches, a local model answers best on this machine."""

# ruff: noqa: PLC0415 - a command pays only for what it uses
from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from .ground import Failure, Place, note, placed, progress, say, say_json, table

if TYPE_CHECKING:
    from ..build.tuning import Swept
    from ..core.hardware import Throughput
    from ..lab.evals.sweep import Setting
    from ..lab.evals.sweep_knee import Figure, Found, Knee, Point

_NAMES = {"latency": "waiting (p95)", "energy": "CPU seconds a token"}


class Numbers(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic in newer versions only
    """``1,2,4``."""

    name = "N,N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            found = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            found = ()
        if not found or min(found) < 1:
            self.fail(f"'{value}' is not a list of whole numbers from 1, as 1,2,4", param, ctx)
        return found


@click.command()
@click.argument("model")
@click.option("--slots", type=Numbers(), default="1,2,4,8", show_default=True, help="Calls side by side to try.")
@click.option("--threads", type=Numbers(), help="Threads to try; else as many as there are cores.")
@click.option("--batch", type=Numbers(), help="Prompt tokens computed in one piece to try; else the engine's own.")
@click.option(
    "--prompts",
    metavar="TASK",
    help="The load, as `evaluate` takes a task; else a small set of mixed length made here.",
)
@click.option("--calls", type=click.IntRange(1), default=16, show_default=True, metavar="N", help="Calls of a trial.")
@click.option(
    "--seconds", type=click.FloatRange(0, min_open=True), metavar="N", help="A trial's length, instead of --calls."
)
@click.option(
    "--repeats", type=click.IntRange(1), default=3, show_default=True, metavar="N", help="Trials of each setting."
)
@click.option(
    "--again",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    metavar="N",
    help="Further attempts at a trial during which others used the machine.",
)
@click.option(
    "--seed", type=int, default=7, show_default=True, metavar="N", help="Of the load, the order and intervals."
)
@click.option(
    "--aim",
    type=click.Choice(["knee", "throughput", "latency"]),
    default="knee",
    show_default=True,
    help="Which setting --write takes.",
)
@click.option("--write", is_flag=True, help="Write slots, threads and batch into the configuration file.")
@click.option("--use-speed", is_flag=True, help="Let costs use the measured speed instead of an assumed one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@placed
def tune(
    place: Place,
    model: str,
    slots: tuple[int, ...],
    threads: tuple[int, ...] | None,
    batch: tuple[int, ...] | None,
    prompts: str | None,
    calls: int,
    seconds: float | None,
    repeats: int,
    again: int,
    seed: int,
    aim: str,
    write: bool,
    use_speed: bool,
    as_json: bool,
) -> None:
    """Measure MODEL, a local one, at each combination of slots, threads and batch, and find where more stops paying.

    A running gateway's engine competes for the same cores: stop it first. What was measured is kept and not measured again.
    """
    from ..build.tuning import Wanted, speed_of, sweep
    from ..lab.evals import sweep as load
    from ..lab.evals.sweep_knee import analyse
    from ..providers import machine

    config = place.config()
    if write and config.path is None:
        raise click.UsageError("--write needs a configuration file; name it with --config FILE")
    if prompts is None:
        asked = load.mixed(calls, seed=seed)
    else:
        from ..build.task_sources import find

        asked = load.of_task(find(prompts, place, seed=seed), calls, seed=seed)
    some = threads or (max(1, round(machine.allowed_cores())),)
    wanted = Wanted(model, tuple(load.grid(slots, some, batch or (None,))), tuple(asked), seconds, repeats, seed, again)
    with progress(f"{model}: trials") as bar:
        last = 0

        def step(done: int, total: int) -> None:
            nonlocal last
            bar(done - last, total)
            last = done

        swept = asyncio.run(sweep(config, place.data, wanted, tell=note, progress=step))
    found = analyse(swept.trials, seed=seed)
    day = dt.datetime.fromtimestamp(place.clock() / 1e6, dt.UTC).date().isoformat()
    speed = speed_of(swept, day)
    chosen = found.best[aim]  # type: ignore[index]  # click lets only the three words through
    if as_json:
        say_json(as_object(swept, found, speed.throughput if speed else None, aim, wrote=write and chosen is not None))
    else:
        _say(swept, found, aim)
    if not found.points:
        raise Failure(f"nothing could be measured: {found.lost[0][1] if found.lost else 'no trial was made'}")
    if use_speed and speed is not None:
        from ..build.measured import SETTING, with_speed

        with place.settings() as settings:
            settings.set_setting(SETTING, with_speed(settings.get_setting(SETTING, {}), model, speed))
        note(
            f"costs of '{model}' now use {speed.throughput.input_per_s:,.0f} tokens a second in and "
            f"{speed.throughput.output_per_s:,.1f} out; a running gateway takes them up when it is started again"
        )
    if write:
        if chosen is None:
            raise Failure(
                "there is no knee to rely on, so nothing was written; choose with --aim throughput or --aim latency"
            )
        from ..build.tuned_file import write as write_file

        assert config.path is not None
        write_file(config.path, model, values(chosen))
        note(f"wrote [models.{model}] " + ", ".join(f"{k} = {v}" for k, v in values(chosen).items()))


def values(setting: Setting) -> dict[str, int]:
    """What is written of a setting."""
    found = {"slots": setting.slots, "threads": setting.threads}
    return found if setting.batch is None else {**found, "batch": setting.batch}


def as_object(swept: Swept, found: Found, speed: Throughput | None, aim: str, *, wrote: bool) -> dict[str, Any]:
    """The stable, documented object of ``tune --json``."""
    chosen = found.best[aim]  # type: ignore[index]  # one of three words
    return {
        "model": swept.model,
        "engine": swept.engine,
        "engine_version": swept.version,
        "machine": swept.machine,
        "cores": swept.cores,
        "contended": sum(point.contended for point in found.points),
        "points": [_point(point) for point in found.points],
        "knees": [_knee(knee) for knee in found.knees],
        "best": {name: None if one is None else values(one) for name, one in found.best.items()},
        "aim": aim,
        "chosen": None if chosen is None else values(chosen),
        "written": wrote,
        "speed": None
        if speed is None
        else {
            "input_per_s": round(speed.input_per_s, 2),
            "output_per_s": round(speed.output_per_s, 2),
            "threads": speed.threads,
            "source": speed.source,
        },
        "lost": [{"setting": values(setting), "why": why} for setting, why in found.lost],
        "journal": str(swept.journal),
        "new_trials": swept.new,
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "setting": values(point.setting),
        "repeats": point.repeats,
        "calls": point.calls,
        "failed": point.failed,
        "out_per_s": _figure(point.out_per_s),
        "in_per_s": _figure(point.in_per_s),
        "calls_per_s": _figure(point.calls_per_s, 4),
        "p50_ms": _figure(point.p50_ms),
        "p95_ms": _figure(point.p95_ms),
        "cpu_s_per_1k": None if point.cpu_s_per_1k is None else _figure(point.cpu_s_per_1k, 3),
        "energy_j_per_call": None
        if point.energy_j_per_call is None
        else [round(e, 3) for e in point.energy_j_per_call],
        "energy_method": point.energy_method,
        "rss_bytes": point.rss_bytes,
        "contended": point.contended,
        "others_cores": _rounded(point.others_cores),
        "steal_share": _rounded(point.steal_share),
        "load": _rounded(point.load),
    }


def _knee(knee: Knee) -> dict[str, Any]:
    return {
        "against": knee.against,
        "setting": None if knee.setting is None else values(knee.setting),
        "share": round(knee.share, 4),
        "range": [values(one) for one in knee.range],
        "none_share": round(knee.none_share, 4),
    }


def _figure(figure: Figure, digits: int = 1) -> list[float]:
    """The estimate, then the two ends of its interval."""
    return [round(one, digits) for one in (figure.value, figure.low, figure.high)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _say(swept: Swept, found: Found, aim: str) -> None:
    say(f"{swept.model} on {swept.engine} ({swept.version}); {swept.machine}, {swept.cores:g} cores")
    say()
    columns = (
        "setting",
        "tok/s out",
        "tok/s in",
        "calls/s",
        "p50 s",
        "p95 s",
        "CPU s/1k tok",
        "J/call",
        "MB",
        "shared",
    )
    table(columns, [_row(point) for point in found.points], right=columns[1:])
    say()
    say("In brackets: 95 % intervals over repeats and calls. J/call: an interval, " + _method(found) + ".")
    for line in words(found, swept.cores):
        say(line)
    chosen = found.best[aim]  # type: ignore[index]  # one of three words
    if chosen is not None:
        say(f"For [models.{swept.model}]: " + ", ".join(f"{k} = {v}" for k, v in values(chosen).items()))
    elif found.points:
        say("No setting is named: choose one with --aim throughput or --aim latency, or measure more --repeats.")
    for setting, why in found.lost:
        say(f"Not measured: {setting}: {why}")
    say(f"Kept in {swept.journal}; {swept.new} trials were measured now.")


def _method(found: Found) -> str:
    return " and ".join(sorted({p.energy_method for p in found.points if p.energy_method})) or "not told by the system"


def _row(point: Point) -> list[str]:
    joules = point.energy_j_per_call
    return [
        str(point.setting),
        _told(point.out_per_s),
        f"{point.in_per_s.value:,.0f}",
        f"{point.calls_per_s.value:.2f}",
        _told(point.p50_ms, 1000),
        _told(point.p95_ms, 1000),
        "?" if point.cpu_s_per_1k is None else _told(point.cpu_s_per_1k),
        "?" if joules is None else f"{joules[0]:.1f} to {joules[1]:.1f}",
        "?" if point.rss_bytes is None else f"{point.rss_bytes / 1e6:,.0f}",
        f"{point.contended} of {point.repeats}",
    ]


def _told(figure: Figure, unit: float = 1.0) -> str:
    return f"{figure.value / unit:.1f} [{figure.low / unit:.1f}, {figure.high / unit:.1f}]"


def words(found: Found, cores: float) -> list[str]:
    """What the figures mean, a sentence or two each."""
    said = []
    for knee in found.knees:
        against = _NAMES[knee.against]
        if knee.setting is None:
            said.append(f"Throughput against {against}: no knee; no setting bends the curve.")
            continue
        others = [str(one) for one in knee.range if one != knee.setting]
        sure = f"{100 * knee.share:.0f} % of the draws have it there"
        maybe = f"; it may as well be {' or '.join(others)}" if others else ""
        none = f"; {100 * knee.none_share:.0f} % have none" if knee.none_share >= 0.05 else ""
        where = "the knee is at" if knee.settled else "no knee that can be relied on; the likeliest is"
        said.append(f"Throughput against {against}: {where} {knee.setting} ({sure}{maybe}{none}).")
    shared = [point for point in found.points if point.contended]
    if shared:
        most = max(point.others_cores or 0.0 for point in shared)
        said.append(
            f"The machine was not its own in {sum(p.contended for p in shared)} of {sum(p.repeats for p in found.points)} "
            f"trials (others kept up to {most:.1f} of {cores:g} cores busy): speeds and waits are "
            "what was left, CPU seconds hold better."
        )
    if found.points and max(point.repeats for point in found.points) < 2:
        said.append("One repeat tells nothing of how repeats differ: the intervals are too narrow.")
    return said
