"""How a local engine's settings change speed, waiting and energy: one setting measured, many compared. Knows no engine.

A fixed, seeded load is put in a closed loop: as many callers as slots, each asks again when it has its answer. Repeats go
round all settings in a shuffled order, so that a machine that slows down (or a neighbour that goes home) favours none; what is
compared are draws over repeats that all settings share.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from ..scorers.ask import messages
from ..tasks.task import Task, chosen
from .load import Busy

_THINGS: Final = ("cup", "kettle", "mill", "bean", "saucer", "spoon", "roast", "filter", "crema", "grinder")
_DOES: Final = ("warms", "holds", "turns", "cools", "fills", "waits for", "stands beside", "needs", "follows", "loses")
LENGTHS: Final = ((12, 16), (12, 48), (60, 48), (200, 32))
"""Words of a prompt and tokens of its answer: a question, a story, a paragraph to rewrite, a page to sum up."""


class Prompt(Struct, frozen=True):
    """One request of the load."""

    messages: tuple[dict[str, str], ...]
    max_tokens: int


class Setting(Struct, frozen=True, order=True):
    """What an engine is started with. None: the engine's own choice."""

    slots: int
    threads: int
    batch: int | None = None

    def __str__(self) -> str:
        more = "" if self.batch is None else f" batch {self.batch}"
        return f"slots {self.slots} threads {self.threads}{more}"


class Answered(Struct, frozen=True):
    """One call of the load."""

    latency_ms: float
    first_ms: float
    """Until the first piece of the answer."""
    tokens_in: int
    """Computed: what came from a prompt cache is not in it."""
    tokens_out: int
    failed: str = ""
    prompt_ms: float | None = None
    """By the engine's own clock, where it has one."""
    answer_ms: float | None = None


class Trial(Struct, frozen=True):
    """One setting, measured once."""

    setting: Setting
    repeat: int
    attempt: int
    calls: tuple[Answered, ...]
    cpu_s: float | None
    """Of the engine, from the first measured call to the last."""
    rss_bytes: int | None
    busy: Busy
    energy_uj: tuple[int, int] | None = None
    energy_method: str = ""
    failed: str = ""
    """The engine did not start, or went down."""

    @property
    def answered(self) -> tuple[Answered, ...]:
        return tuple(call for call in self.calls if not call.failed)


Ask = Callable[[Prompt], Awaitable[Answered]]


def mixed(n: int, *, seed: int) -> list[Prompt]:
    """``n`` prompts of mixed length, made here; each begins differently, so that no cache of beginnings answers for it."""
    rng = random.Random(seed)
    found = []
    for at in range(n):
        words, tokens = LENGTHS[at % len(LENGTHS)]
        text = f"{_mark(seed, at)}. Tell what happens:"
        while len(text.split()) < words + 4:
            text += f" The {rng.choice(_THINGS)} {rng.choice(_DOES)} the {rng.choice(_THINGS)}."
        found.append(Prompt(({"role": "user", "content": text},), tokens))
    return found


def of_task(task: Task, n: int, *, seed: int) -> list[Prompt]:
    """The same from a task's samples, drawn by seed, and again from the first where there are fewer."""
    asked = [messages(task, sample, "free") for sample in chosen(task, n, seed=seed).samples]
    found = []
    for at, told in zip(range(n), itertools.cycle(asked), strict=False):
        first = {**told[0], "content": f"{_mark(seed, at)}. {told[0]['content']}"}
        found.append(Prompt((first, *told[1:]), task.max_tokens))
    return found


def _mark(seed: int, at: int) -> str:
    return hashlib.sha256(f"{seed} {at}".encode()).hexdigest()[:6]


def load_hash(prompts: Sequence[Prompt]) -> str:
    """Twelve hexadecimal digits over all that is asked."""
    return hashlib.sha256(msgspec.json.encode(prompts)).hexdigest()[:12]


def grid(slots: Sequence[int], threads: Sequence[int], batch: Sequence[int | None]) -> list[Setting]:
    """Every combination once, in order."""
    return [Setting(*one) for one in dict.fromkeys(itertools.product(slots, threads, batch))]


def rounds(settings: Sequence[Setting], repeats: int, *, seed: int) -> Iterator[tuple[int, Setting]]:
    """(repeat, setting): all settings once, in a new order for each repeat."""
    rng = random.Random(seed)
    for repeat in range(repeats):
        order = list(settings)
        rng.shuffle(order)
        for setting in order:
            yield repeat, setting


async def closed_loop(
    ask: Ask,
    prompts: Sequence[Prompt],
    *,
    callers: int,
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Answered, ...]:
    """Every prompt once (or, with ``seconds``, the prompts round and round until then), ``callers`` at a time.

    A call that is under way at the end is waited for.
    """
    source = itertools.cycle(prompts) if seconds is not None else iter(prompts)
    until_s = None if seconds is None else clock() + seconds
    done: list[Answered] = []

    async def caller() -> None:
        for prompt in source:
            if until_s is not None and clock() >= until_s:
                return
            done.append(await ask(prompt))

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return tuple(done)


def as_builtins(trial: Trial) -> dict[str, Any]:
    """For a journal's line."""
    found: dict[str, Any] = msgspec.to_builtins(trial)
    return found
