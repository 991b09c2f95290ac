"""An optimisation put together: what the named models are, who asks them, and the lines that the configuration needs in the end.

Knows the configuration and the gateway; what is tried and when it stops is `lab.optimise.driver`'s.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from ..config import Config, ModelSettings, RouteSettings, load, machine
from ..core.errors import ConfigError, DemitasseError
from ..core.hardware import Hardware
from ..core.money import usd
from ..guard import injection
from ..lab.evals.result import Row, Run
from ..lab.evals.run import Progress
from ..lab.optimise.bench import Bench, Facts, Table
from ..lab.optimise.cleaning import cleaned
from ..lab.optimise.driver import Limits, Report, Step, Told, optimise
from ..lab.optimise.split import split
from ..lab.optimise.steps import STEPS
from ..lab.scorers.ask import Mode
from ..lab.tasks.task import Task
from ..providers import catalogue, gguf
from ..providers.download import place, present
from .evaluating import Lab, Wanted, opened


class Asked(Struct, frozen=True):
    """What an optimisation is asked to be."""

    model: str
    reference: str
    steps: tuple[str, ...] = ()
    """Names; empty: all."""
    margin: float = 0.02
    n: int | None = None
    seed: int = 7
    budget_usd: float | None = None
    parallel: int = 4
    prefix: str = ""
    precision: float = 0.95
    encoder: Path | None = None
    licence_checked: bool = False
    command: str = ""


Bar = Callable[[str], AbstractContextManager[Progress]]
"""Shows how far an evaluation is, under a name."""


def _no_bar(_name: str) -> AbstractContextManager[Progress]:
    return nullcontext(lambda _done, _all: None)


async def run(
    config: Config,
    data: Path,
    env: Mapping[str, str],
    task: Task,
    asked: Asked,
    limits: Limits,
    *,
    clock: Callable[[], int],
    told: Told,
    tell: Callable[[str], None],
    bar: Bar = _no_bar,
) -> Report:
    """Split the task, and try the steps. Raises DemitasseError."""
    steps = chosen_steps(asked.steps)
    config = _with_catalogue(config, (asked.model, asked.reference))
    parts = cleaned(split(task, test=asked.n, seed=asked.seed), tell=tell, risk=injection.score)
    async with AsyncExitStack() as stack:
        desk = _Desk(config, data, env, asked, clock, stack, bar)
        bench = Bench(
            split=parts,
            data=data,
            model=facts(config, data, asked.model),
            reference=facts(config, data, asked.reference),
            margin=asked.margin,
            seed=asked.seed,
            evaluate=desk.evaluate,
            clock=clock,
            command=asked.command,
            prefix=asked.prefix or task.name,
            precision=asked.precision,
            encoder=asked.encoder,
            licence_checked=asked.licence_checked,
            env=env,
            tell=tell,
        )
        hardware = machine(config)
        return await optimise(
            bench, steps, limits, told=told, missing=missing, cpu_s_per_1000=lambda one: cpu_s_per_1000(one, hardware)
        )


def chosen_steps(names: Sequence[str]) -> list[Step]:
    """The steps of these names in their own order: the cheapest first. Raises ConfigError."""
    known = {step.name: step for step in STEPS}
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no step '{name}'; there are: {', '.join(known)}")
    return [step for step in STEPS if not names or step.name in names]


def missing(packages: Sequence[str]) -> str | None:
    """The first that is not installed."""
    return next((name for name in packages if importlib.util.find_spec(name) is None), None)


def cpu_s_per_1000(run: Run, hardware: Hardware) -> float | None:
    """CPU seconds of a thousand answers, where their energy was modelled from them; None for models elsewhere."""
    made = run.summary
    if made is None or not made.n or "modelled" not in made.energy_uj:
        return None
    _, high_uj = made.energy_uj["modelled"]
    return high_uj / 1e6 / (hardware.watts_per_busy_core.high * hardware.pue.high) * 1_000 / made.n


def facts(config: Config, data: Path, alias: str) -> Facts:
    """What can be told of a named model without asking it."""
    settings = config.models.get(alias)
    if settings is None or settings.provider != "local" or settings.source is None:
        return Facts(alias, source=alias if settings is None else f"{settings.provider}/{settings.model or alias}")
    source = catalogue.find(settings.source, place=f"models.{alias}.source")
    own = {name: value for name in ("slots", "threads", "context") if (value := getattr(settings, name)) is not None}
    licence = source.licence if isinstance(source, catalogue.Entry) else "not stated"
    found = Facts(alias, source=settings.source, licence=licence, settings=own)
    if not present(source, data / "models"):
        return found
    path = place(source, data / "models")
    found = structs.replace(found, path=path, bytes=path.stat().st_size)
    try:
        return structs.replace(found, bits_per_weight=gguf.read_head(path).bits_per_weight)
    except DemitasseError:
        return found


def add_lines(path: Path, lines: str, env: Mapping[str, str]) -> None:
    """Append tables to a configuration file, whose other lines stay as they are; all or nothing.

    Raises ConfigError: a table is there already, or the file would no longer be valid.
    """
    path = path.resolve()  # a link stays a link
    old = path.read_text("utf-8") if path.exists() else ""
    whole = old + ("" if not old or old.endswith("\n\n") else "\n" if old.endswith("\n") else "\n\n") + lines
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".toml", dir=path.parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        try:
            load(new, env, path.parent)
        except ConfigError as error:
            raise ConfigError(f"{path} was left as it is; with these lines it would be wrong: {error}") from error
        if path.exists():
            new.chmod(path.stat().st_mode)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _with_catalogue(config: Config, names: Sequence[str]) -> Config:
    """Names of the catalogue that no table bears stand for themselves."""
    found = {
        name: ModelSettings(provider="local", source=name)
        for name in names
        if name not in config.models and name not in config.routes and name in catalogue.catalogue()
    }
    return structs.replace(config, models={**config.models, **found})


class _Desk:
    """Asks models, with tables added to the configuration as they come; engines stay up until another table does."""

    def __init__(
        self,
        config: Config,
        data: Path,
        env: Mapping[str, str],
        asked: Asked,
        clock: Callable[[], int],
        stack: AsyncExitStack,
        bar: Bar,
    ) -> None:
        self._bar = bar
        self._config, self._data, self._env = config, data, env
        self._asked, self._clock, self._stack = asked, clock, stack
        self._tables: set[tuple[str, str]] = set()
        self._lab: Lab | None = None
        self._spent_usd = 0.0

    async def evaluate(
        self, task: Task, ask: str, mode: Mode | None, tables: tuple[Table, ...]
    ) -> tuple[Run, list[Row]]:
        """Raises DemitasseError, also where the budget is spent."""
        asked = self._asked
        left = None
        if asked.budget_usd is not None:
            left = asked.budget_usd - self._spent_usd
            if left <= 0:
                raise DemitasseError(f"the {asked.budget_usd:g} USD of --budget are spent; give more, or fewer steps")
        lab = await self._opened(tables)
        wanted = Wanted(
            ask, mode=mode, parallel=asked.parallel, seed=asked.seed, budget_usd=left, command=asked.command
        )
        before_nanos = lab.paid_nanos
        try:
            with self._bar(ask) as step:
                return await lab.evaluate(task, wanted, progress=step)
        finally:
            self._spent_usd += usd(lab.paid_nanos - before_nanos)

    async def _opened(self, tables: tuple[Table, ...]) -> Lab:
        new = [table for table in tables if (table.section, table.name) not in self._tables]
        if self._lab is None or new:
            await self._stack.aclose()
            for table in new:
                self._config = with_table(self._config, table)
                self._tables.add((table.section, table.name))
            self._lab = await self._stack.enter_async_context(
                opened(self._config, self._data, self._env, clock=self._clock)
            )
        return self._lab


def with_table(config: Config, table: Table) -> Config:
    """The configuration with one table more. Raises ConfigError."""
    try:
        if table.section == "models":
            model = msgspec.convert(table.settings, ModelSettings)
            return structs.replace(config, models={**config.models, table.name: model})
        route = msgspec.convert(table.settings, RouteSettings)
        return structs.replace(config, routes={**config.routes, table.name: route})
    except msgspec.ValidationError as error:
        raise ConfigError(f"{table.section}.{table.name}: {error}") from error
