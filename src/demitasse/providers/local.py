"""A local model: the Model that asks a supervised engine. Knows calls and joules, not processes.

How a call is put on the wire is the inner model's business; here the engine is started when needed, and the answer is
given what it used of the machine.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw, structs

from ..core.call import Call, Energy, Model, Reply, Send, drop
from ..core.errors import UpstreamError
from ..core.hardware import Hardware, Interval, counted_uj, measured, modelled
from . import machine
from .choices import OneByOne
from .engine_kinds import LLAMA_CPP
from .supervisor import EngineStatus, Lease, LocalEngine, Pace
from .tool_choice import insist, takes_tools

__all__ = ["EngineStatus", "LocalEngine", "LocalModel", "Pace"]


class LocalModel:
    """A Model over an engine: starts it when needed, delegates the call, and adds what the call used of the machine.

    Args:
        engine: whom to ask.
        inner: makes the Model that speaks to ``(base_url, key)``; made anew for each start of the engine.
        hardware: for the energy of a call.
    """

    def __init__(
        self, engine: LocalEngine, inner: Callable[[str, str], Model], *, hardware: Hardware | None = None
    ) -> None:
        self.engine = engine
        self._make = inner
        self._hardware = hardware or Hardware()
        self._inner: tuple[str, Model] | None = None

    async def __call__(self, call: Call, send: Send) -> Reply:
        """As any Model. A crash under way is an UpstreamError that is not billable: nobody sends a bill for it."""
        async with self.engine.lease() as lease:
            model = self._model(lease.url)
            asked = self._adapted(call)
            try:
                reply = await model(asked, send if call.stream else drop)
            except UpstreamError as error:
                error.billable = False
                if error.body is None and await self.engine.died(lease):
                    raise UpstreamError(
                        f"the engine of '{self.engine.name}' stopped while it was answering and is being restarted; "
                        f"its log is {self.engine.log}",
                        after_content=error.after_content,
                        attempt=error.attempt,
                    ) from error
                raise
            return structs.replace(reply, energy=self._energy(reply, lease, answers=max(1, call.n)))

    def _adapted(self, call: Call) -> Call:
        """What the engine needs said otherwise. What it could only ignore is refused, not dropped."""
        kind = self.engine.kind
        if (lacks := kind.refuses(call)) is not None:
            raise UpstreamError(
                f"'{self.engine.name}' runs on {kind.name}, which does not do {lacks} and would ignore it; "
                "ask another model, or leave it out",
                status=404,
                code="engine_lacks",
                type="invalid_request_error",
                retryable=False,
            )
        if call.has_tools and not takes_tools(self.engine.template):
            raise UpstreamError(
                f"'{self.engine.name}' has no place for tools in its chat template and would ignore them; "
                "ask another model, or leave out tools",
                status=404,
                code="tools_not_supported",
                type="invalid_request_error",
                retryable=False,
            )
        if kind.streams_only and not call.stream:
            return structs.replace(call, stream=True, fields={**call.fields, "stream": Raw(b"true")})
        return insist(call, self.engine.template) if kind is LLAMA_CPP else call

    def _model(self, url: str) -> Model:
        if self._inner is None or self._inner[0] != url:
            self._inner = (url, OneByOne(self._make(url, self.engine.key)))
        return self._inner[1]

    def _energy(self, reply: Reply, lease: Lease, *, answers: int) -> Energy | None:
        """CPU time by the engine's own clock where it tells, else as the system counted it. Beside other calls this one
        had at least its share of it and at most all. Joules by the processor's counters where they can be read."""
        if reply.timings is not None:
            ms = reply.timings.get("prompt_ms", 0.0) + reply.timings.get("predicted_ms", 0.0)
            cpu_s = ms / 1000 * lease.threads
        else:
            now = machine.cpu_seconds(lease.process.pid) if lease.process else None
            if now is None or lease.cpu_s is None:
                return None
            cpu_s = max(0.0, now - lease.cpu_s)
        spent = Interval(cpu_s / (lease.peak * answers), cpu_s)
        if lease.counters is not None and (after := machine.rapl_uj()) is not None:
            busy_s = (machine.busy_cpu_seconds() or 0.0) - lease.busy_s
            return measured(counted_uj(lease.counters, after), spent, busy_s)
        return modelled(self._hardware, spent)
