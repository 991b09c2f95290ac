"""The semantic cache as it is put together: its embedding, what it has learned over a restart, and the verdicts on its checks.

Verdicts are taken beside the way of a call: what a model said is held against what the cache would have said. Where neither
a rule nor a judge can tell, the cache counts as wrong, so that it opens on evidence and never for want of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Config
from ..core.call import Call, Reply
from ..core.entry import Entry
from ..core.errors import DemitasseError
from ..providers import catalogue
from ..providers.download import place
from .assessing import Assessor

if TYPE_CHECKING:
    from ..gateway.semantic import Found, SemanticCache, SemanticSettings

log = logging.getLogger("demitasse.semantic")

EMBEDDING = "wordllama-256"
STATE = "semantic.state"
"""File of the data folder that holds what was learned: counts, weights and hashes, no texts."""
STATE_EVERY_S = 60.0
MOST_WAITING = 64
SURE = 0.5
"""A kept answer must score above this beside the model's own; a judge that says one thing and then its opposite gives just so."""

Check = Callable[[Call, Reply, Entry, "Found"], None]


class Similar:
    """Makes the cache when the configuration asks for one, and judges what it would have said.

    Args:
        assessor: holds one answer against another.
        clock: UTC microseconds. draw: uniform in [0, 1).
    """

    def __init__(self, assessor: Assessor, data: Path, *, clock: Callable[[], int], draw: Callable[[], float]) -> None:
        self.cache: SemanticCache | None = None
        self._assessor = assessor
        self._data = data
        self._clock = clock
        self._draw = draw
        self._line: deque[tuple[SemanticCache, Call, Reply, Entry, Found]] = deque()
        self._come = asyncio.Event()
        self._saved = b""

    async def set(self, config: Config) -> None:
        """Have a cache as the configuration says, or none. What it needs and lacks is said in the log."""
        if not config.cache.semantic:
            await self.keep()
            self.cache = None
            return
        settings = _settings(config)
        if self.cache is not None and self.cache.settings == settings:
            return
        await self.keep()
        try:
            self.cache = await asyncio.to_thread(self._open, settings)
        except DemitasseError as error:
            self.cache = None
            log.warning("the semantic cache is off: %s", error)

    @property
    def check(self) -> Check | None:
        """Has an answer of the cache that is in force now held against the one that a model gave, and tells that cache, also
        when another has taken its place by then. Returns at once; when too many wait, one is left out."""
        return None if self.cache is None else partial(self._offer, self.cache)

    def _offer(self, cache: SemanticCache, call: Call, reply: Reply, entry: Entry, found: Found) -> None:
        if entry.outcome == "answered" and len(self._line) < MOST_WAITING:
            self._line.append((cache, call, reply, entry, found))
            self._come.set()

    async def run(self) -> None:
        """Take verdicts, one at a time, until cancelled."""
        while True:
            while not self._line:
                self._come.clear()
                await self._come.wait()
            cache, call, reply, entry, found = self._line[0]
            try:
                await self._judge(cache, call, reply, entry, found)
            except DemitasseError as error:
                log.info("no verdict on the semantic cache's answer to call %s: %s", entry.id, error)
            except Exception:
                log.exception("no verdict on the semantic cache's answer to call %s", entry.id)
            finally:
                self._line.popleft()

    @property
    def waiting(self) -> int:
        """Verdicts that are still to come."""
        return len(self._line)

    async def run_keeping(self) -> None:
        """Write down what was learned, now and then, until cancelled."""
        while True:
            await asyncio.sleep(STATE_EVERY_S)
            await self.keep()

    async def keep(self) -> None:
        """Write down what was learned, if there is anything new."""
        state = self.cache.dump() if self.cache is not None else b""
        if not state or state == self._saved:
            return
        try:
            await asyncio.to_thread(_write, self._data / STATE, state)
            self._saved = state
        except OSError as error:
            log.warning("what the semantic cache has learned could not be written to %s: %s", self._data / STATE, error)

    async def _judge(self, cache: SemanticCache, call: Call, reply: Reply, entry: Entry, found: Found) -> None:
        label = await self._assessor.check(call, reply, found.kept, entry=entry, propensity=found.propensity)
        rival = None
        if found.rival is not None and not label.method.startswith("judge"):  # a rule costs nothing
            rival = (await self._assessor.verdict(call, reply, found.rival.reply, entry=entry)).score
        score = label.others[0].score
        if score is None and self._assessor.judge:
            return  # the judge could not be asked: nothing is known
        cache.learn(found, wrong=_wrong(score), rival_wrong=None if rival is None else _wrong(rival))

    def _open(self, settings: SemanticSettings) -> SemanticCache:
        from ..gateway.semantic import SemanticCache  # noqa: PLC0415 - numpy comes with it
        from ..score.embed import Embedder  # noqa: PLC0415

        embed = Embedder(place(catalogue.embeddings()[EMBEDDING], self._data / "models"))
        try:
            state: bytes | None = (self._data / STATE).read_bytes()
        except OSError:
            state = None
        return SemanticCache(settings, embed, clock=self._clock, draw=self._draw, state=state)


def _wrong(score: float | None) -> bool:
    return score is None or score <= SURE


def _settings(config: Config) -> SemanticSettings:
    from ..gateway.semantic import SemanticSettings  # noqa: PLC0415
    from ..gateway.semantic_gate import GateSettings  # noqa: PLC0415

    semantic = config.cache.semantic
    gate = GateSettings() if isinstance(semantic, bool) else GateSettings(max_error=semantic.max_error)
    return SemanticSettings(
        gate=gate, sampled=config.cache.sampled, ttl_s=config.cache.ttl_s, max_bytes=config.cache.max_mb << 20
    )


def _write(path: Path, state: bytes) -> None:
    """Whole or not at all, and for nobody else to read."""
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(state)
    fresh.replace(path)
