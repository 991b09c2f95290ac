"""An evaluation put together: which target, which folder, whose money. Knows the gateway and the lab, and asks through both.

A target is a name that clients could ask for (route, alias, provider/model), put the way that clients' calls go, in this process
and on this ledger; or a file of recorded answers.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path

from msgspec import Struct, structs

from ..config import Config
from ..core.call import Caller, Reply
from ..core.entry import Entry
from ..core.evidence import LAB_KEY
from ..core.ids import RANDOM_BITS, call_id
from ..core.limits import Budget
from ..core.money import nanos
from ..gateway.examine import Examiner
from ..gateway.route import Route, Rung
from ..lab.evals import load, result
from ..lab.evals.adopting import adopt, keys_of
from ..lab.evals.result import Row, Run
from ..lab.evals.run import Metered, Plan, Progress, Put, evaluate
from ..lab.scorers import semantic
from ..lab.scorers.ask import Mode, constrainable, schema
from ..lab.scorers.registry import make
from ..lab.scorers.scorer import Ask, Score, Scorer
from ..lab.tasks.task import Sample, Task, chosen
from ..providers import machine
from ..score.normal import Answer, answer_of
from ..store.books import SqliteBooks
from ..store.settings import Settings
from .app import App
from .local import Fetched

JOURNAL = "journal.jsonl"
PREFIX = "evaluation:"
"""Of the budget that a run is bound by."""


class Wanted(Struct, frozen=True):
    """What an evaluation is asked to be."""

    model: str
    n: int | None = None
    mode: Mode | None = None
    """None: constrained where the task's form allows it."""
    repeats: int = 1
    parallel: int = 4
    seed: int = 7
    budget_usd: float | None = None
    fresh: bool = False
    command: str = ""
    allow_code: bool = False


class Lab:
    """Evaluations on one data folder, with an App of their own; engines stay up between them.

    Use ``opened``.
    """

    def __init__(self, app: App, data: Path, clock: Callable[[], int]) -> None:
        self.app, self.data, self.clock = app, data, clock
        self.paid_nanos = 0
        """For all calls so far: answers, what judged them, and what failed and was billed."""

    async def evaluate(
        self, task: Task, wanted: Wanted, *, progress: Progress = lambda _done, _all: None
    ) -> tuple[Run, list[Row]]:
        """One model on one task: what was answered before is not asked again.

        Raises Refused where nobody bears the model's name, DemitasseError.
        """
        task = chosen(task, wanted.n, seed=wanted.seed)
        if not task.samples:
            raise result.EvaluationError(f"task '{task.name}' has no samples")
        mode = wanted.mode or ("constrained" if constrainable(task) else "free")
        identity = await self.identity(wanted.model)
        run = run_of(task, wanted, mode, identity, self.clock())
        path = result.folder(self.data, run.id)
        if wanted.fresh and path.exists():
            await asyncio.to_thread(_set_aside, path, self.clock())
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with result.alone(path):  # before anything of it is changed: another's budget is not ours to lift
            return await self._alone(run, task, wanted, mode, path, progress)

    async def _alone(
        self, run: Run, task: Task, wanted: Wanted, mode: Mode, path: Path, progress: Progress
    ) -> tuple[Run, list[Row]]:
        known = result.load(path) if (path / "run.json").exists() else None
        if known is not None:
            run = structs.replace(
                run, began_us=known.began_us, asked=known.asked, load=known.load, summary=known.summary
            )
        examiner = Examiner(self.app.gateway.steps, run.id, self._id)
        try:
            embed = semantic.opened(self.data / "models")
            scorer = Priced(make(task, ask=self._asker(examiner), embed=embed, allow_code=wanted.allow_code))
            if mode == "constrained":
                schema(task, task.samples[0])
        except ValueError as why:
            raise result.EvaluationError(str(why)) from why
        if not wanted.fresh:
            await asyncio.to_thread(self._adopt, run, task, wanted, mode, path)
        self._limit(path, wanted.budget_usd)
        plan = Plan(mode, wanted.repeats, wanted.parallel, wanted.seed)
        target = _Named(wanted.model, run.identity, examiner, self.app.books)
        try:
            run = await evaluate(
                run,
                task,
                target,
                scorer,
                plan,
                path,
                clock=self.clock,
                meter=self._metered,
                cores=machine.allowed_cores(),
                progress=progress,
            )
        finally:
            self.paid_nanos += examiner.paid_nanos
        if run.state == "complete" and wanted.budget_usd is not None:
            self._limit(path, None)
        return run, result.rows(path)

    def _metered(self) -> Metered:
        engines = [engine.status().cpu_seconds for engine in self.app.found.engines]
        return Metered(load.read(), sum(one for one in engines if one is not None))

    def _adopt(self, run: Run, task: Task, wanted: Wanted, mode: Mode, path: Path) -> None:
        """Begin with what other runs were answered to the same requests by the same models."""
        others = [
            result.folder(self.data, other.id) / JOURNAL
            for other in result.runs(self.data)
            if other.identity == run.identity and other.id != run.id
        ]
        if others and not (path / JOURNAL).exists():
            keys = keys_of(task, run.identity, mode, seed=wanted.seed, repeats=wanted.repeats)
            adopt(path / JOURNAL, others, keys)

    async def identity(self, model: str) -> str:
        """Who would answer: each model with its version, and the certificate in force. Raises Refused for an unknown name."""
        steps = self.app.gateway.steps
        route = await steps.routes.resolve(model, Caller(key=LAB_KEY, name=LAB_KEY))
        told = [await _version(rung) for rung in (*route.rungs, *route.lower)]
        certificate = self.certificate(route)
        return " | ".join((*told, certificate) if certificate else told)

    def certificate(self, route: Route) -> str:
        return next((c.id for c in self.app.ledger.promoted() if c.policy.route == route.name), "")

    def _asker(self, examiner: Examiner) -> Ask:
        async def ask(body: bytes, model: str) -> Answer:
            heard: list[Reply] = []
            entry = await examiner.ask(body, model, lambda _id, reply: heard.append(reply))
            _SPENT.get().append(entry.cost_nanos or 0)
            return answer_of(heard[0].body)

        return ask

    def _id(self, at_us: int) -> str:
        return call_id(at_us, random.getrandbits(RANDOM_BITS))

    def _limit(self, path: Path, usd: float | None) -> None:
        """Bind the run's calls by a budget of their own, or lift it. A run that was begun anew has a budget anew."""
        name, subject = f"{PREFIX}{path.name}{_times_aside(path)}", f"evaluation={path.name}"
        self.app.ledger.look()
        known = [b.name for b in self.app.ledger.budgets() if b.scope == "tag" and b.subject == subject]
        if usd is None and not known:
            return
        settings = Settings(self.data, clock=self.clock)
        try:
            for old in known:
                if (usd is None or old != name) and old.startswith(PREFIX):
                    settings.remove_budget(old)
            if usd is not None:
                settings.set_budget(Budget(name, "tag", subject, "ever", nanos(usd), soft=()))
        finally:
            settings.close()
        self.app.ledger.look()


_SPENT: ContextVar[list[int]] = ContextVar("spent")


class Priced:
    """A Scorer whose scores bear what was paid for them: a judge's calls, which it made by way of ``ask``."""

    def __init__(self, scorer: Scorer) -> None:
        self.name = scorer.name
        self._scorer = scorer

    async def __call__(self, sample: Sample, answer: Answer) -> Score:
        spent: list[int] = []
        _SPENT.set(spent)
        score = await self._scorer(sample, answer)
        return structs.replace(score, cost_nanos=sum(spent)) if spent else score


@asynccontextmanager
async def opened(config: Config, data: Path, env: Mapping[str, str], *, clock: Callable[[], int]) -> AsyncIterator[Lab]:
    """A Lab whose models can be asked; engines it starts end with it. Raises ConfigError, StoreError."""
    app = App(config, data, env, base_url="", clock=clock)
    app.keeps_learned = False  # a task is no traffic: a gateway goes on with what clients taught it
    try:
        await app.start()
        yield Lab(app, data, clock)
    finally:
        await app.stop()


class _Named:
    """A Target: a name that clients could ask for."""

    def __init__(self, name: str, identity: str, examiner: Examiner, books: SqliteBooks) -> None:
        self.name, self.identity = name, identity
        self._examiner, self._books = examiner, books

    async def ask(self, body: bytes, sample: Sample, told: Callable[[str, Reply], None]) -> Put:  # noqa: ARG002 - the Target's
        return _put(await self._examiner.ask(body, self.name, told))

    def booked(self, entry: str) -> Put | None:
        found = self._books.entry(entry)
        return None if found is None else _put(found)


def _put(entry: Entry) -> Put:
    energies = [a.energy for a in entry.attempts if a.energy is not None]
    methods = {e.method for e in energies}
    return Put(
        cost_nanos=entry.cost_nanos,
        latency_ms=entry.duration_ms,
        first_byte_ms=entry.first_byte_ms,
        model=entry.model or "",
        energy_uj=(sum(e.low_uj for e in energies), sum(e.high_uj for e in energies)) if len(methods) == 1 else None,
        energy_method=methods.pop() if len(methods) == 1 else None,
        certificate=entry.decision.certificate if entry.decision is not None else "",
    )


async def _version(rung: Rung) -> str:
    name = f"{rung.provider}/{rung.upstream_model}"
    if isinstance(rung.model, Fetched):
        if not rung.model.here:
            await rung.model.fetch()
        return f"{name} {await rung.model.told()}"
    return name


def run_of(task: Task, wanted: Wanted, mode: Mode, identity: str, now_us: int) -> Run:
    told = f"{task.hash}\0{identity}\0{mode}\0{wanted.repeats}\0{wanted.seed}\0{wanted.model}"
    mark = hashlib.sha256(told.encode()).hexdigest()[:8]
    name = "-".join(_plain(part) for part in (task.name, wanted.model, mode)) + f"-{mark}"
    return Run(
        id=name,
        task=task.name,
        task_hash=task.hash,
        form=task.form,
        scorer=task.scorer or task.form,
        model=wanted.model,
        identity=identity,
        mode=mode,
        n=len(task.samples),
        began_us=now_us,
        repeats=wanted.repeats,
        seed=wanted.seed,
        source=task.source.name,
        licence=task.source.licence,
        command=wanted.command,
    )


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")[:40].lower() or "x"


def _set_aside(path: Path, now_us: int) -> None:
    """Begin anew, and lose nothing that was paid for. Raises EvaluationError where another process is at it."""
    with result.alone(path):
        path.rename(path.with_name(f"{path.name}.{now_us}"))


def _times_aside(path: Path) -> str:
    """How often it was begun anew: a mark for the name of its budget, empty for the first time."""
    times = sum(1 for _ in path.parent.glob(f"{path.name}.*"))
    return f".{times}" if times else ""
