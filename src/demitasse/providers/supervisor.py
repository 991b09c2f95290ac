"""The supervisor of one local engine: a child process that is started, watched, restarted and stopped. Knows no call.

Native code may crash; here that is a restart and not an outage. The engine starts when first needed, is watched, is
started again after a crash with growing pauses, and stops when idle or told to. What differs from engine to engine is a row
of `engine_kinds`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, time_ns
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from ..core.errors import UpstreamError
from . import machine
from .catalogue import better_template
from .engine import Setup
from .engine_kinds import LLAMA_CPP, EngineKind
from .gguf import BadFileError, Head

State = Literal["stopped", "starting", "ready", "resting", "failed"]
"""resting: crashed, and waiting before the next start · failed: given up for a while; the next call tries again."""

DEFAULT_SLOTS = 4
_UNKNOWN_CONTEXT = 4096
_LEAST_CONTEXT = 1024
_CONTEXT_BYTES = 1 << 30
"""Memory for the context of all slots, unless a size is asked for; at most a quarter of what is free."""
_LOG_BYTES = 4 << 20
_TAIL_LINES = 8


class Pace(Struct, frozen=True):
    """The supervisor's patience, in seconds unless named otherwise."""

    start_s: float | None = None
    """For a start; None: what its kind of engine needs."""
    health_every_s: float = 5.0
    health_s: float = 5.0
    hung_s: float = 30.0
    """Silent for so long means hung: it is killed and started again."""
    rest_s: float = 0.5
    """Pause after a first crash; each further one in a row doubles it."""
    rest_at_most_s: float = 15.0
    crashes: int = 5
    """So many crashes in a row, and it is given up for ``give_up_s``."""
    false_starts: int = 2
    """The same for an engine that ends before it ever listened: waiting mends that less often."""
    steady_s: float = 60.0
    """Up for so long, and earlier crashes are forgotten."""
    give_up_s: float = 30.0
    stop_s: float = 2.0
    idle_stop_s: float | None = None


class EngineStatus(Struct, frozen=True):
    """An engine as the dashboard shows it; None is unknown or not running."""

    name: str
    state: State
    pid: int | None
    port: int | None
    started_us: int | None
    restarts: int
    threads: int | None
    slots: int
    in_flight: int
    cpu_seconds: float | None
    rss_bytes: int | None
    last_error: str | None


class LocalEngine:
    """One model, served by one child process at a time.

    Args:
        name: what the user calls the model; it appears in errors and in the process list.
        gguf: the model: a file, or for some kinds of engine a folder.
        slots: calls that are computed side by side (continuous batching); further ones wait inside the engine.
        threads: of compute; None: chosen at the start from what is free, and kept when it is restarted after a crash.
        ctx: tokens of context for each slot; None: what the model was trained for, as far as memory allows.
        log: where the engine's own words go; kept at a few megabytes, the one before as ``….1``.
        template: a chat template instead of the file's own.
        kind: which engine.
        batch: tokens of prompts that are computed in one piece; None: the engine's own.
        gpu_layers: layers on a graphics processor; None: the engine decides.
        command: another child than the kind's, to which the name is appended; see `engine` for what it must do.
        pace: how patient the supervisor is.
    """

    def __init__(
        self,
        name: str,
        gguf: Path,
        *,
        log: Path,
        slots: int = DEFAULT_SLOTS,
        threads: int | None = None,
        ctx: int | None = None,
        template: str | None = None,
        kind: EngineKind = LLAMA_CPP,
        batch: int | None = None,
        gpu_layers: int | None = None,
        command: tuple[str, ...] | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.name = name
        self.gguf = gguf
        self.log = log
        self.slots = slots
        self.kind = kind
        self.pace = pace or Pace()
        self.key = ""
        """What the engine asks of its callers as a bearer token; new at each start."""
        self._threads = threads
        self._ctx = ctx
        self.template = template
        """The chat template in use, known from the first start on."""
        self._given_template = template
        self._batch = batch
        self._gpu_layers = gpu_layers
        self._command = command
        self._state: State = "stopped"
        self._process: asyncio.subprocess.Process | None = None
        self._setup: Setup | None = None
        self._url: str | None = None
        self._started_us: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[str] | None = None
        self._leases: set[Lease] = set()
        self._waiting = 0
        self._last_used_s = 0.0
        self._restarts = 0
        self._last_error: str | None = None
        self._failed_s = 0.0

    @property
    def served_as(self) -> str:
        """What the engine itself calls the model."""
        return self.gguf.resolve().name if self.kind.by_path else self.name

    async def ensure(self) -> str:
        """The base URL (``http://127.0.0.1:PORT/v1``) of a running engine, which is started if need be.

        However many call, it is started once.

        Raises:
            UpstreamError: it cannot be started; the message names the log and shows its last lines.
        """
        self._last_used_s = monotonic()
        if self._url is not None and self._process is not None and self._process.returncode is None:
            return self._url
        if self._state == "failed" and monotonic() - self._failed_s < self.pace.give_up_s:
            raise self._unavailable()
        if self._ready is None or self._ready.done():
            self._ready = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._supervise(), name=f"engine {self.name}")
        self._waiting += 1
        try:
            return await asyncio.shield(self._ready)
        finally:
            self._waiting -= 1

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator[Lease]:
        """As `ensure`, and until the block ends the engine is not idle."""
        lease = Lease()
        self._leases.add(lease)
        try:
            lease.url = await self.ensure()
            for other in self._leases:
                other.peak = max(other.peak, len(self._leases))
            lease.process, lease.threads = self._process, self._setup.threads if self._setup else 1
            lease.cpu_s = self._cpu_seconds()
            lease.counters, lease.busy_s = machine.rapl_uj(), machine.busy_cpu_seconds() or 0.0
            yield lease
        finally:
            self._leases.discard(lease)
            self._last_used_s = monotonic()

    async def stop(self) -> None:
        """Ends the child within `Pace.stop_s`, by force if need be. The next `ensure` starts it again."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._ready is not None and not self._ready.done():
            self._fail(UpstreamError(f"the engine of '{self.name}' was stopped", status=503))
        self._state, self._setup = "stopped", None

    def status(self) -> EngineStatus:
        running = self._process is not None and self._process.returncode is None
        pid = self._process.pid if running and self._process else None
        return EngineStatus(
            name=self.name,
            state=self._state,
            pid=pid,
            port=urlsplit(self._url).port if self._url else None,
            started_us=self._started_us if running else None,
            restarts=self._restarts,
            threads=self._setup.threads if running and self._setup else self._threads,
            slots=self.slots,
            in_flight=len(self._leases),
            cpu_seconds=machine.cpu_seconds(pid) if pid else None,
            rss_bytes=machine.rss_bytes(pid) if pid else None,
            last_error=self._last_error,
        )

    async def died(self, lease: Lease, *, within_s: float = 0.3) -> bool:
        """Whether the process that a lease was given is gone; waits a moment, as a broken connection is seen first."""
        if lease.process is None:
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(lease.process.wait(), within_s)
        return lease.process.returncode is not None

    def tail(self) -> str:
        """The log's last lines."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 4096))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-_TAIL_LINES:])

    # The supervisor: one task from the first start to the stop, the idle end, or giving up.

    async def _supervise(self) -> None:
        pace, crashes = self.pace, 0
        while True:
            self._state = "starting"
            try:
                self._url = await self._start()
                started_s = monotonic()
                limit = pace.crashes
                self._become_ready(self._url)
                self._last_error = await self._watch()
                if monotonic() - started_s >= pace.steady_s:
                    crashes = 0
            except _FalseStartError as error:
                self._last_error, limit = str(error), pace.false_starts
            finally:
                self._url = None
                await self._end_child()
            if self._last_error is None:  # it was idle
                self._setup = None
                if self._waiting:
                    continue
                self._state = "stopped"
                return
            crashes += 1
            if crashes >= limit:
                self._state, self._failed_s, self._setup = "failed", monotonic(), None
                self._fail(self._unavailable())
                return
            self._state = "resting"
            await asyncio.sleep(min(pace.rest_at_most_s, pace.rest_s * 2 ** (crashes - 1)))
            self._restarts += 1

    async def _start(self) -> str:
        """Starts a child and waits until it listens; returns its base URL."""
        self._setup = await asyncio.to_thread(self._prepare)
        self.key = self._setup.key
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(self._command or self.kind.command),
                self.name,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=child_environment(os.environ),
                start_new_session=True,
            )
        self._started_us = time_ns() // 1000
        patience_s = self.kind.start_s if self.pace.start_s is None else self.pace.start_s
        try:
            line = await asyncio.wait_for(self._introduce(self._process, self._setup), patience_s)
        except TimeoutError:
            raise _FalseStartError(f"it did not listen within {patience_s:.0f} s") from None
        except OSError:
            line = b""
        try:
            said = msgspec.json.decode(line, type=_Said)
        except msgspec.DecodeError:
            raise _FalseStartError(await _last_words(self._process)) from None
        if said.listening is None:
            raise _FalseStartError(said.error or "it gave no address")
        return said.listening.rstrip("/") + "/v1"

    async def _introduce(self, process: asyncio.subprocess.Process, setup: Setup) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(setup) + b"\n")
        await process.stdin.drain()
        return await process.stdout.readline()

    def _prepare(self) -> Setup:
        """What to start with, as things stand now; reads the model's head, so it is run in a thread."""
        if self._command is None and find_spec(self.kind.package) is None:
            raise _FalseStartError(f"{self.kind.package} is not installed; install it with: {self.kind.install}")
        try:
            head = self.kind.reads(self.gguf)
        except BadFileError as error:
            raise _FalseStartError(str(error)) from error
        self.log.parent.mkdir(parents=True, exist_ok=True)
        ours = self._given_template or better_template(head.chat_template)
        self.template = ours or head.chat_template
        return Setup(
            gguf=str(self.gguf),
            key=secrets.token_urlsafe(24),
            alias=self.name,
            slots=self.slots,
            threads=self._threads or (self._setup.threads if self._setup else machine.choose_threads()),
            context=context_each(head, self._ctx, self.slots, machine.free_memory_bytes()),
            template=ours,
            parent=os.getpid(),
            batch=self._batch,
            gpu_layers=self._gpu_layers,
        )

    async def _watch(self) -> str | None:
        """Returns when the engine ends: what went wrong, or None when it was idle."""
        process, pace = self._process, self.pace
        assert process is not None
        heard_s = monotonic()
        exited = asyncio.create_task(process.wait())
        try:
            while True:
                await asyncio.wait({exited}, timeout=pace.health_every_s)
                if exited.done():
                    return await _last_words(process)
                self._rotate_log()
                now_s = monotonic()
                if pace.idle_stop_s is not None and not self._leases and now_s - self._last_used_s >= pace.idle_stop_s:
                    return None
                if await self._healthy():
                    heard_s = monotonic()
                elif now_s - heard_s >= pace.hung_s:
                    process.kill()
                    return f"it did not answer for {now_s - heard_s:.0f} s and was killed"
        finally:
            exited.cancel()

    async def _healthy(self) -> bool:
        assert self._url is not None
        url = urlsplit(self._url)
        try:
            async with asyncio.timeout(self.pace.health_s):
                reader, writer = await asyncio.open_connection(url.hostname, url.port)
                try:
                    writer.write(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                    return b" 200 " in await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    async def _end_child(self) -> None:
        """SIGTERM, then SIGKILL; shielded by its caller's ``finally``, it must end even when cancelled once more."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self.pace.stop_s)
        except (TimeoutError, asyncio.CancelledError):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _become_ready(self, url: str) -> None:
        self._state = "ready"
        self._last_used_s = monotonic()
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(url)

    def _fail(self, error: UpstreamError) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # with nobody waiting this is no warning: the state tells

    def _unavailable(self) -> UpstreamError:
        tail = self.tail()
        return UpstreamError(
            f"the engine of '{self.name}' does not run: {self._last_error}; its log is {self.log}"
            + (f" and ends with:\n{tail}" if tail else " and is empty"),
            status=503,
            retry_after_s=max(0.0, self.pace.give_up_s - (monotonic() - self._failed_s)),
        )

    def _rotate_log(self) -> None:
        """Copied and cut, not renamed: the child goes on writing to the file it was given."""
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > _LOG_BYTES:
                shutil.copyfile(self.log, self.log.with_name(self.log.name + ".1"))
                os.truncate(self.log, 0)

    def _cpu_seconds(self) -> float | None:
        return machine.cpu_seconds(self._process.pid) if self._process else None


class Lease:
    """One call's stay with an engine, and with how many others it shared it at most."""

    __slots__ = ("busy_s", "counters", "cpu_s", "peak", "process", "threads", "url")

    def __init__(self) -> None:
        self.url = ""
        self.peak = 1
        self.threads = 1
        self.process: asyncio.subprocess.Process | None = None
        self.cpu_s: float | None = None
        """CPU seconds of the engine before the call; None where the system does not tell."""
        self.counters: dict[str, tuple[int, int]] | None = None
        """The processor's energy counters before the call, where there are any."""
        self.busy_s = 0.0
        """CPU seconds of the whole machine before the call."""


def context_each(head: Head, ctx: int | None, slots: int, free_bytes: int | None) -> int:
    """Tokens of context for each slot: what was asked for or the model's own, less where memory is short.

    Each slot has its own. llama.cpp could let all share one pool, but when that is full, every call under way fails.
    """
    own = head.context or _UNKNOWN_CONTEXT
    if ctx is not None:
        return min(ctx, own) if head.context else ctx
    if not head.kv_bytes_per_token:
        return own
    budget = _CONTEXT_BYTES if free_bytes is None else min(_CONTEXT_BYTES, free_bytes // 4)
    return min(own, max(_LEAST_CONTEXT, budget // (head.kv_bytes_per_token * slots)))


_ENVIRONMENT = {"PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "USER"}
_ENVIRONMENT_FAMILIES = ("PYTHON", "LC_", "LLAMA_", "GGML_", "TORCH_", "CUDA_", "OMP_", "HIP_", "ROCR_", "VK_")


def child_environment(own: Mapping[str, str]) -> dict[str, str]:
    """What native code may see of the environment: no provider's keys."""
    return {k: v for k, v in own.items() if k in _ENVIRONMENT or k.startswith(_ENVIRONMENT_FAMILIES)}


class _Said(Struct):
    listening: str | None = None
    error: str | None = None


class _FalseStartError(Exception):
    """The child ended or gave up before it listened."""


async def _last_words(process: asyncio.subprocess.Process) -> str:
    code = await process.wait()
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"it was ended by {signal.Signals(-code).name}"
    return f"it ended with exit status {code}"
