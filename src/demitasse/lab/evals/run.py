"""One model on one task: asks what is not in the journal yet, scores, and leaves a Run. Knows neither gateway nor files' places.

The order is: put, answer (journalled before it is booked), score, row. Several samples are under way at a time; what has been
answered stays answered, whatever happens to the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Protocol

import msgspec
from msgspec import Struct, structs

from ...core.call import Reply, Usage
from ...core.errors import DemitasseError, Refused
from ...score.normal import Answer, answer_of
from ..scorers.ask import Mode, request
from ..scorers.scorer import Score, Scorer
from ..tasks.task import Sample, Task
from . import result
from .journal import Closed, Journal, Told, key_of
from .load import Reading, between
from .result import Load, Method, Row, Run
from .summary import summarise

MOST_FAILURES = 8
"""Samples in a row that no answer came for, after which a run stops: the model is down, and the rest would fail too."""


class Put(Struct, frozen=True):
    """What a target told of one call besides its answer, when the books are closed."""

    cost_nanos: int | None = None
    latency_ms: float | None = None
    first_byte_ms: float | None = None
    model: str = ""
    energy_uj: tuple[int, int] | None = None
    energy_method: Method | None = None
    certificate: str = ""


class Target(Protocol):
    """Whatever is evaluated: a provider, a local engine, a route, a gateway, a recording."""

    name: str
    identity: str
    """Models with versions, certificates in force: what decides whether a kept answer is still this target's."""

    async def ask(self, body: bytes, sample: Sample, told: Callable[[str, Reply], None]) -> Put:
        """Put one request. ``told(entry id, reply)`` is called once the answer is there and before it is booked.

        Raises DemitasseError where there is no answer; Refused where a budget has no room for it.
        """
        ...

    def booked(self, entry: str) -> Put | None:
        """What the ledger says of a call whose booking nobody waited for; None: nothing is known."""
        ...


class Plan(Struct, frozen=True):
    """How a task is put."""

    mode: Mode
    repeats: int = 1
    parallel: int = 4
    seed: int = 7


class Metered(Struct, frozen=True):
    """Cumulative counters at a moment."""

    machine: Reading
    engine_cpu_s: float = 0.0
    """CPU seconds that local engines under this process have had."""


Progress = Callable[[int, int], None]
"""Called with what was done since the last time, and the whole."""


async def evaluate(
    run: Run,
    task: Task,
    target: Target,
    scorer: Scorer,
    plan: Plan,
    path: Path,
    *,
    clock: Callable[[], int],
    meter: Callable[[], Metered],
    cores: float,
    progress: Progress = lambda _done, _all: None,
) -> Run:
    """Ask what has not been answered, score everything, and write the run's folder.

    Args:
        run: as it is to be kept, with the figures of an earlier sitting if there was one; ``state`` and figures are filled in.
        path: the run's folder, which exists.
        meter: reads the counters now. cores: that this process may use.

    Returns the run as written: complete, or stopped with its reason. Raises EvaluationError, OSError.
    """
    journal = Journal(path / "journal.jsonl")
    try:
        result.write(path, run)
        result.write_task(path, task)
        sitting = _Sitting(task, target, scorer, plan, journal, progress)
        before, began, own = meter(), perf_counter(), process_time()
        await sitting.work()
        wall_s = perf_counter() - began
        earlier = run
        run = structs.replace(
            run,
            state="stopped" if sitting.stopped else "complete",
            why=sitting.stopped,
            ended_us=clock(),
            asked=run.asked + sitting.asked,
            reused=sitting.reused,
            load=load_between(before, meter(), own_cpu_s=process_time() - own, cores=cores),
        )
        found = sitting.rows()
        summary = summarise(found, samples=len(task.samples), wall_s=wall_s if sitting.asked else None)
        if not sitting.asked and earlier.summary is not None:
            # Nothing was asked in this sitting: how fast and how crowded it was is for the one that asked to say.
            run = structs.replace(run, load=earlier.load)
            pace = {name: getattr(earlier.summary, name) for name in ("calls_per_s", "tokens_out_per_s")}
            summary = structs.replace(summary, **pace)
        run = structs.replace(run, summary=summary)
        result.write_rows(path, found)
        result.write(path, run)
    finally:
        journal.close()
    return run


class _Sitting:
    """One go at a run."""

    def __init__(
        self, task: Task, target: Target, scorer: Scorer, plan: Plan, journal: Journal, progress: Progress
    ) -> None:
        self.stopped = ""
        self.asked = self.reused = 0
        self._failures = 0
        self._task, self._target, self._scorer = task, target, scorer
        self._plan, self._journal, self._progress = plan, journal, progress
        self._found: dict[tuple[int, str], Row] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def work(self) -> None:
        queue = iter([(repeat, sample) for repeat in range(self._plan.repeats) for sample in self._task.samples])
        total = self._plan.repeats * len(self._task.samples)

        async def worker() -> None:
            for repeat, sample in queue:
                if self.stopped:
                    return
                await self._one(sample, repeat)
                self._progress(1, total)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(max(1, min(self._plan.parallel, total))):
                    group.create_task(worker())
        except BaseExceptionGroup as several:  # one reason is enough: a full disk is full for all workers
            raise several.exceptions[0] from None

    def rows(self) -> list[Row]:
        """In the task's order."""
        order = [(repeat, s.id) for repeat in range(self._plan.repeats) for s in self._task.samples]
        return [self._found[at] for at in order if at in self._found]

    async def _one(self, sample: Sample, repeat: int) -> None:
        body = request(self._task, sample, self._plan.mode, seed=self._plan.seed + repeat)
        key = key_of(self._target.identity, body, repeat)
        async with self._asking.setdefault(key, asyncio.Lock()):  # of samples that ask the same, one pays
            told = self._journal.answers.get(key)
            if told is not None:
                self.reused += 1
            else:
                told = await self._ask(key, body, sample)
        if told is None:
            if not self.stopped:
                self._found[repeat, sample.id] = self._row(sample, repeat, Score(None, "error"))
            return
        score = await self._score(key, sample, answer_of(bytes(told.body)))
        self._found[repeat, sample.id] = self._row(sample, repeat, score, told)

    async def _ask(self, key: str, body: bytes, sample: Sample) -> Told | None:
        def journalled(entry: str, reply: Reply) -> None:
            self._journal.answer(Told(key, entry, _raw(reply.body), reply.model, reply.usage))

        try:
            put = await self._target.ask(body, sample, journalled)
        except Refused as why:
            self.stopped = self.stopped or why.message
            return None
        except DemitasseError as why:
            self._failures += 1
            if self._failures >= MOST_FAILURES:
                self.stopped = self.stopped or f"{self._failures} samples in a row got no answer; the last: {why}"
            return None
        self._failures = 0
        self.asked += 1
        told = self._journal.answers[key]
        self._journal.close_call(Closed(key, **structs.asdict(put)))
        return told

    async def _score(self, key: str, sample: Sample, answer: Answer) -> Score:
        name = self._scorer.name
        known = self._journal.scores.get((key, name, sample.id))
        if known is not None:
            return known
        try:
            score = await self._scorer(sample, answer)
        except Refused as why:
            self.stopped = self.stopped or why.message
            return Score(None, why=why.message)
        except DemitasseError as why:
            return Score(None, why=str(why))
        if score.cost_nanos is not None:
            self._journal.score(key, name, sample.id, score)
        return score

    def _row(self, sample: Sample, repeat: int, score: Score, told: Told | None = None) -> Row:
        bare = Row(sample.id, score, repeat, sample.slice, sample.cluster)
        if told is None:
            return bare
        closed = self._journal.closed.get(told.key)
        put = Put(**{name: getattr(closed, name) for name in Put.__struct_fields__}) if closed is not None else None
        if put is None:
            put = self._target.booked(told.entry) or Put()
        usage = told.usage or Usage()
        return structs.replace(
            bare,
            text=answer_of(bytes(told.body)).text,
            model=put.model or told.model,
            entry=told.entry,
            cost_nanos=put.cost_nanos,
            latency_ms=put.latency_ms,
            first_byte_ms=put.first_byte_ms,
            tokens_in=usage.total_in if told.usage is not None else None,
            tokens_out=usage.total_out if told.usage is not None else None,
            energy_uj=put.energy_uj,
            energy_method=put.energy_method,
            certificate=put.certificate,
        )


def _raw(body: bytes) -> msgspec.Raw:
    # A journal's line is one line: what came with line breaks in it is written without.
    return msgspec.Raw(body if b"\n" not in body else msgspec.json.format(body, indent=-1))


def load_between(before: Metered, after: Metered, *, own_cpu_s: float, cores: float) -> Load:
    """How busy the machine was, and whether with others' work; ``own_cpu_s`` is the harness's."""
    engine_cpu_s = max(0.0, after.engine_cpu_s - before.engine_cpu_s)
    busy = between(before.machine, after.machine, own_cpu_s=own_cpu_s + engine_cpu_s, cores=cores)

    def spent(name: str) -> float | None:
        a, b = getattr(before.machine, name), getattr(after.machine, name)
        return None if a is None or b is None else max(0.0, float(b) - float(a))

    return Load(
        cores=cores,
        before=busy.load_before or 0.0,
        after=busy.load_after or 0.0,
        cpu_s=spent("busy_s"),
        own_cpu_s=own_cpu_s,
        engine_cpu_s=engine_cpu_s,
        steal_s=spent("steal_s"),
        wall_s=busy.wall_s,
        contended=busy.contended,
        why=busy.why,
    )
