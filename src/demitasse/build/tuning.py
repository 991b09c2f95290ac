"""A sweep put together: which model, which engine, which journal; the lab measures, the supervisor starts and stops.

Trials are kept in ``<data>/tuning/NAME-MARK.jsonl``, whose mark is over all that a trial depends on but its setting: what was
measured already is not measured again, and more settings, or more repeats, may be added later.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from ..config import Config, ModelSettings, machine
from ..core.call import Call, Event, Reply, Send
from ..core.errors import ConfigError, DemitasseError, UpstreamError
from ..core.hardware import Hardware, Interval, Throughput, counted_uj, measured, modelled
from ..lab.evals import load
from ..lab.evals.sweep import Answered, Prompt, Setting, Trial, closed_loop, load_hash, rounds
from ..providers import http as net
from ..providers import machine as this_machine
from ..providers.download import pull
from ..providers.engine_kinds import ENGINES, source_of
from ..providers.local import LocalEngine, LocalModel
from ..providers.openai import OpenAICompatible
from .local import Fetched
from .measured import Speed

FOLDER: Final = "tuning"
CONTEXT: Final = 1024
"""Tokens for each slot, unless the configuration says more: enough for the built-in load."""
_TIMEOUTS: Final = net.Timeouts(first_byte_s=600.0, idle_s=120.0)
_WARM: Final = 2
TRIAL_S: Final = 300.0
"""A trial that takes longer is given up: more threads than free cores can be that slow."""

Tell = Callable[[str], None]
Progress = Callable[[int, int], None]


class Wanted(Struct, frozen=True):
    """What is swept."""

    model: str
    settings: tuple[Setting, ...]
    prompts: tuple[Prompt, ...]
    seconds: float | None = None
    """For each trial; None: every prompt once."""
    repeats: int = 3
    seed: int = 7
    again: int = 2
    """So many further attempts where others used the machine meanwhile."""


class Swept(Struct, frozen=True):
    """What was found, and where it is kept."""

    model: str
    engine: str
    version: str
    machine: str
    cores: float
    file: str
    """The model's file, by name."""
    trials: tuple[Trial, ...]
    journal: Path
    new: int
    """Trials that were measured now."""


async def sweep(config: Config, data: Path, wanted: Wanted, *, tell: Tell, progress: Progress) -> Swept:
    """Measure what is not measured yet. Raises ConfigError for a model that is not a local one, DemitasseError."""
    settings = local_settings(config, wanted.model)
    base = config.path.parent if config.path else None
    subject = await _Subject.make(wanted.model, settings, data, base, machine(config))
    journal = _Journal(data / FOLDER / f"{_plain(wanted.model)}-{subject.mark(wanted)}.jsonl", subject.told(wanted))
    trials = journal.read()
    done = {(trial.setting, trial.repeat) for trial in trials if _settled(trial, trials, wanted.again)}
    plan = [one for one in rounds(wanted.settings, wanted.repeats, seed=wanted.seed) if (one[1], one[0]) not in done]
    new = 0
    for at, (repeat, setting) in enumerate(plan):
        before = [t for t in trials if (t.setting, t.repeat) == (setting, repeat)]
        for attempt in range(len(before), wanted.again + 1):
            trial = await subject.trial(setting, repeat, attempt, wanted)
            journal.add(trial)
            trials.append(trial)
            new += 1
            if trial.failed:
                tell(f"{setting}: {trial.failed}")
                break
            if not trial.busy.contended:
                break
            more = "; measured again" if attempt < wanted.again else "; kept, and marked"
            tell(f"{setting}, repeat {repeat + 1}: {trial.busy.why}{more}")
        progress(at + 1, len(plan))
    chosen = {(setting, repeat) for repeat, setting in rounds(wanted.settings, wanted.repeats, seed=wanted.seed)}
    mine = tuple(trial for trial in trials if (trial.setting, trial.repeat) in chosen)
    return Swept(
        wanted.model,
        settings.engine,
        subject.version,
        this_processor(),
        this_machine.allowed_cores(),
        subject.path.name,
        mine,
        journal.path,
        new,
    )


def _settled(trial: Trial, trials: Sequence[Trial], again: int) -> bool:
    """Whether this trial need not be measured again: undisturbed, or disturbed as often as one is ready to try."""
    tries = [t for t in trials if (t.setting, t.repeat) == (trial.setting, trial.repeat)]
    return not trial.failed and (not trial.busy.contended or len(tries) > again)


def local_settings(config: Config, model: str) -> ModelSettings:
    """Of an alias of the configuration, or a name from the catalogue, a ``.gguf`` file, ``made:NAME``. Raises ConfigError."""
    found = config.models.get(model)
    if found is None:
        return ModelSettings(provider="local", source=model)
    if found.provider != "local":
        raise ConfigError(f"'{model}' is no local model (provider '{found.provider}'); there is no engine to tune")
    return found


def speed_of(swept: Swept, day: str) -> Speed | None:
    """How fast one call alone was: of the trials with the fewest slots, the least disturbed; None where nothing was measured."""
    good = [trial for trial in swept.trials if trial.answered and not trial.failed]
    if not good:
        return None
    fewest = min(trial.setting.slots for trial in good)
    some = [trial for trial in good if trial.setting.slots == fewest]
    quiet = [trial for trial in some if not trial.busy.contended] or some
    rates: dict[Setting, tuple[float, float]] = {}
    for setting in {trial.setting for trial in quiet}:
        calls = [call for trial in quiet if trial.setting == setting for call in trial.answered]
        in_ms = sum(call.first_ms if call.prompt_ms is None else call.prompt_ms for call in calls)
        out_ms = sum(
            call.latency_ms - call.first_ms if call.answer_ms is None else call.answer_ms
            for call in calls  # the first token comes with the prompt
        )
        tokens_in, tokens_out = sum(c.tokens_in for c in calls), sum(c.tokens_out for c in calls)
        if in_ms > 0 and out_ms > 0:
            rates[setting] = (tokens_in / in_ms * 1000, tokens_out / out_ms * 1000)
    if not rates:
        return None
    best = max(rates, key=lambda setting: rates[setting][1])
    busy = ", machine shared" if any(t.busy.contended for t in quiet if t.setting == best) else ""
    source = f"{swept.model} as tuned {day} ({best}{busy})"
    return Speed(Throughput(*rates[best], threads=best.threads, source=source), fewest, swept.file)


class _Subject:
    """The model of a sweep, and what starts it."""

    def __init__(
        self, name: str, settings: ModelSettings, path: Path, file: str, data: Path, hardware: Hardware
    ) -> None:
        self.name, self.settings, self.path, self.file = name, settings, path, file
        self.kind = ENGINES[settings.engine]
        self.data, self.hardware = data, hardware
        try:
            self.version = f"{self.kind.package} {importlib.metadata.version(self.kind.package)}"
        except importlib.metadata.PackageNotFoundError:
            raise DemitasseError(f"{self.kind.package} is not installed; install it: {self.kind.install}") from None

    @classmethod
    async def make(
        cls, name: str, settings: ModelSettings, data: Path, base: Path | None, hardware: Hardware
    ) -> _Subject:
        """Fetches the model where it has to be."""
        models, said = data / "models", settings.source or ""
        where = f"models.{name}.source"
        source = source_of(settings.engine, said, models, place=where, base=base)
        path = await asyncio.to_thread(pull, source, models)
        told = await Fetched(name, source, models, lambda: _never).told()
        return cls(name, settings, path, told, data, hardware)

    def told(self, wanted: Wanted) -> dict[str, Any]:
        """All that a trial depends on but its setting."""
        return {
            "model": self.file,
            "engine": self.settings.engine,
            "version": self.version,
            "context": self._context,
            "gpu_layers": self.settings.gpu_layers,
            "load": load_hash(wanted.prompts),
            "seconds": wanted.seconds,
            "machine": this_processor(),
            "cores": this_machine.allowed_cores(),
        }

    def mark(self, wanted: Wanted) -> str:
        return hashlib.sha256(msgspec.json.encode(self.told(wanted))).hexdigest()[:8]

    @property
    def _context(self) -> int:
        return self.settings.context or CONTEXT

    async def trial(self, setting: Setting, repeat: int, attempt: int, wanted: Wanted) -> Trial:
        """Starts an engine, warms it up, measures, stops it."""
        engine = LocalEngine(
            self.name,
            self.path,
            log=self.data / "logs" / f"tune-{_plain(self.name)}.log",
            slots=setting.slots,
            threads=setting.threads,
            ctx=self._context,
            kind=self.kind,
            batch=setting.batch,
            gpu_layers=None if self.settings.gpu_layers == "auto" else self.settings.gpu_layers,
        )
        client = net.choose(net.Settings(), {})
        model = LocalModel(
            engine,
            lambda url, key: OpenAICompatible(
                self.name,
                self.kind.vendor,
                client,
                model=engine.served_as,
                base_url=url,
                api_key=key,
                timeouts=_TIMEOUTS,
            ),
            hardware=self.hardware,
        )
        ask = _asker(model, engine, fixed=self.settings.engine == "llama.cpp")
        nothing = load.between(load.read(), load.read(), own_cpu_s=0.0, cores=this_machine.allowed_cores())
        try:
            await engine.ensure()
            warm = [_unlike(prompt) for prompt in wanted.prompts[: max(_WARM, setting.slots)]]
            await closed_loop(ask, warm, callers=setting.slots)
            pid, own_s = engine.status().pid, time.process_time()
            cpu_s, counters = this_machine.cpu_seconds(pid or 0), this_machine.rapl_uj()
            before = load.read()
            async with asyncio.timeout(TRIAL_S + (wanted.seconds or 0.0)):
                calls = await closed_loop(ask, wanted.prompts, callers=setting.slots, seconds=wanted.seconds)
            after = load.read()
            status = engine.status()
            used = None
            if cpu_s is not None and status.pid == pid and status.cpu_seconds is not None:
                used = status.cpu_seconds - cpu_s
            busy = load.between(
                before,
                after,
                own_cpu_s=(used or 0.0) + time.process_time() - own_s,
                cores=this_machine.allowed_cores(),
            )
            low_high, method = self._energy(used, counters, before, after)
            gone = "" if status.pid == pid else f"the engine went down: {status.last_error}"
            return Trial(setting, repeat, attempt, calls, used, status.rss_bytes, busy, low_high, method, failed=gone)
        except UpstreamError as error:
            return Trial(setting, repeat, attempt, (), None, None, nothing, failed=str(error.message).split("\n", 1)[0])
        except TimeoutError:
            why = f"it was not done within {TRIAL_S + (wanted.seconds or 0.0):.0f} s; ask for fewer --calls"
            return Trial(setting, repeat, attempt, (), None, None, nothing, failed=why)
        finally:
            await engine.stop()
            await client.close()

    def _energy(
        self,
        used: float | None,
        counters: dict[str, tuple[int, int]] | None,
        before: load.Reading,
        after: load.Reading,
    ) -> tuple[tuple[int, int] | None, str]:
        if used is None:
            return None, ""
        spent = Interval(used, used)
        now = this_machine.rapl_uj() if counters is not None else None
        if counters is not None and now is not None and before.busy_s is not None and after.busy_s is not None:
            found = measured(counted_uj(counters, now), spent, after.busy_s - before.busy_s)
        else:
            found = modelled(self.hardware, spent)
        return (found.low_uj, found.high_uj), found.method


async def _never(call: Call, send: Send) -> Reply:  # noqa: ARG001 - a Model by its signature
    raise AssertionError("asked nothing")


def _unlike(prompt: Prompt) -> Prompt:
    """The same length, and another beginning: warm is the engine, not its cache of prompts."""
    first = prompt.messages[0]
    return structs.replace(
        prompt, messages=({**first, "content": "Warm. " + first["content"]}, *prompt.messages[1:]), max_tokens=8
    )


def _asker(model: LocalModel, engine: LocalEngine, *, fixed: bool) -> Callable[[Prompt], Any]:
    """Puts a prompt as a streaming call. ``fixed``: the answer has exactly its length, as the engine can be told so."""

    async def ask(prompt: Prompt) -> Answered:
        body: dict[str, Any] = {
            "model": engine.name,
            "messages": list(prompt.messages),
            "max_tokens": prompt.max_tokens,
            "temperature": 0,
            "stream": True,
        }
        if fixed:
            body["ignore_eos"] = True
        raw = msgspec.json.encode(body)
        call = Call(
            id="tune",
            request_id="tune",
            at_us=0,
            kind="chat",
            body=raw,
            fields=msgspec.json.decode(raw, type=dict[str, msgspec.Raw]),
            model=engine.name,
            stream=True,
            max_output=prompt.max_tokens,
        )
        began = time.monotonic()
        first: float | None = None

        async def hear(event: Event) -> None:
            nonlocal first
            if first is None and event.content:
                first = time.monotonic()

        try:
            reply = await model(call, hear)
        except UpstreamError as error:
            return Answered(0.0, 0.0, 0, 0, failed=str(error.message).split("\n", 1)[0])
        ended = time.monotonic()
        usage, timings = reply.usage, reply.timings or {}
        if usage is None:
            return Answered(0.0, 0.0, 0, 0, failed="the engine told no usage")
        return Answered(
            latency_ms=(ended - began) * 1000,
            first_ms=((first or ended) - began) * 1000,
            tokens_in=usage.uncached_in,
            tokens_out=usage.total_out,
            prompt_ms=timings.get("prompt_ms"),
            answer_ms=timings.get("predicted_ms"),
        )

    return ask


class _Journal:
    """One JSON line for what the trials depend on, then one for each trial; a cut last line is left out."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path = path
        self._head = head

    def read(self) -> list[Trial]:
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        found = []
        for line in lines[1:]:
            try:
                found.append(msgspec.json.decode(line, type=Trial))
            except (msgspec.DecodeError, msgspec.ValidationError):
                continue
        return found

    def add(self, trial: Trial) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = not self.path.exists()
        with self.path.open("ab") as file:
            if new:
                file.write(msgspec.json.encode(self._head) + b"\n")
            elif not _ends_whole(self.path):
                file.write(b"\n")
            file.write(msgspec.json.encode(trial) + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 1))
        return file.read(1) in (b"\n", b"")


def this_processor() -> str:
    """The processor's name; the architecture where the system does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in Path(name).name) or "model"
