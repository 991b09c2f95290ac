"""Prompts made tighter and shorter: held to a schema, fewer worked examples, fewer sentences, a cap that was learned.

Each candidate is one edit of what was accepted so far. It is put to rows that are not measured on later, and accepted only
where it is non-inferior to the prompt as it was, with Holm's level over all edits that are planned: so what is cut bit by bit
does not drift away. Knows tasks and rows; asks through a function that it is given.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence

from msgspec import Struct, structs

from ...stats import paired as pairs
from ...stats.multiple import holm
from ..evals.compare import compare
from ..evals.result import Row
from ..evals.seen import seen
from ..scorers.ask import Mode, constrainable, request
from ..tasks.task import Task

Ask = Callable[[Task, Mode], Awaitable[list[Row]]]
"""Puts all of a task's samples and returns the scored rows, the same samples each time."""

MOST_EDITS = 8
HEADROOM = 2.0
"""A learned cap is so many times the longest answer seen."""
ALPHA = 0.05


class Variant(Struct, frozen=True):
    """One way to put a task."""

    task: Task
    mode: Mode

    @property
    def bytes(self) -> int:
        """Of an average request, beside the sample itself as far as that can be told."""
        some = self.task.samples[:20]
        return sum(len(request(self.task, sample, self.mode)) for sample in some) // max(1, len(some))


class Edit(Struct, frozen=True):
    """A candidate as it went."""

    name: str
    score: float | None
    difference: float
    """To the prompt as it was."""
    interval: tuple[float, float]
    p: float
    """Of "worse by the margin or more", before Holm."""
    verdict: pairs.Verdict
    """After Holm over all edits that were planned."""
    accepted: bool
    bytes: int
    """Of an average request."""
    tokens_out: float | None
    """Of an average answer."""


class Shorter(Struct, frozen=True):
    """What came of it."""

    before: Variant
    after: Variant
    edits: tuple[Edit, ...]
    rows: int
    """Samples that each was put to."""


async def constrain(task: Task, ask: Ask, *, margin: float, seed: int = 7) -> Shorter:
    """Free answers against answers held to the form: the ones with the higher score, the held ones where it is the same.

    This chooses, it proves nothing: the proof is the evaluation on other rows. ``after`` is ``before`` where the form cannot
    be held.
    """
    before = Variant(task, "free")
    if not constrainable(task):
        return Shorter(before, before, (), len(task.samples))
    free = await ask(task, "free")
    after = Variant(task, "constrained")
    held = await ask(task, "constrained")
    edit = _edit("hold answers to their form", after, held, free, margin, 1, [], seed)
    better = edit.difference >= 0
    return Shorter(before, after if better else before, (structs.replace(edit, accepted=better),), len(task.samples))


async def shorten(
    start: Variant, ask: Ask, *, margin: float, seed: int = 7, most: int = MOST_EDITS, alpha: float = ALPHA
) -> Shorter:
    """The shortest prompt among those tried that is non-inferior to ``start``.

    Args:
        start: how the task is put now; its samples are what every candidate is put to.
        margin: how much worse is still as good, fixed before.
        most: candidates that are put, the ones that save most first; they are what Holm counts.
    """
    original = await ask(start.task, start.mode)
    planned = list(_edits(start, original))[:most]
    current = start
    edits: list[Edit] = []
    p_values: list[float] = []
    for name, change in planned:
        candidate = structs.replace(current, task=change(current.task))
        if candidate.task == current.task:
            continue
        rows = await ask(candidate.task, candidate.mode)
        edit = _edit(name, candidate, rows, original, margin, len(planned), p_values, seed, alpha)
        p_values.append(edit.p)
        edits.append(edit)
        if edit.accepted:
            current = candidate
    return Shorter(start, current, tuple(edits), len(start.task.samples))


def _edit(
    name: str,
    candidate: Variant,
    rows: Sequence[Row],
    original: Sequence[Row],
    margin: float,
    planned: int,
    earlier: Sequence[float],
    seed: int,
    alpha: float = ALPHA,
) -> Edit:
    """Holm over what is planned: those not yet tried count as p = 1, so that a later one takes back nothing."""
    found = compare(seen(rows), seen(original), margin=margin, alpha=alpha, names=(name, "as it was"), seed=seed)
    p = found.p
    padding = [1.0] * (planned - 1 - len(earlier))
    adjusted = holm([*earlier, p.p_non_inferior, *padding])[len(earlier)]
    verdict = pairs.verdict(adjusted, min(1.0, p.p_superior * planned), min(1.0, p.p_inferior * planned), alpha=alpha)
    told = [row.tokens_out for row in rows if row.tokens_out is not None]
    return Edit(
        name=name,
        score=found.candidate.quality,
        difference=found.difference,
        interval=found.interval,
        p=p.p_non_inferior,
        verdict=verdict,
        accepted=verdict in ("superior", "non-inferior"),
        bytes=candidate.bytes,
        tokens_out=sum(told) / len(told) if told else None,
    )


Change = Callable[[Task], Task]


def _edits(start: Variant, rows: Sequence[Row]) -> Iterator[tuple[str, Change]]:
    """Names and what they do, the cap first, then those that leave the shortest prompt."""
    shots = start.task.shots
    found = [(f"leave out worked example {n}", _without(shot.id)) for n, shot in enumerate(shots, 1)]
    found += [(f"leave out '{_short(sentence)}'", _trimmed(sentence)) for sentence in sentences(start.task.system)]
    if len(shots) > 1:
        found.insert(0, ("leave out all worked examples", lambda task: structs.replace(task, shots=())))
    ranked = sorted(found, key=lambda one: structs.replace(start, task=one[1](start.task)).bytes)
    cap = learned_cap(rows, start.task.max_tokens)
    if cap < start.task.max_tokens:
        yield f"at most {cap} tokens", lambda task: structs.replace(task, max_tokens=cap)
    yield from ranked


def sentences(text: str) -> list[str]:
    """Pieces that can be left out one by one: lines, and sentences of a line; joined they are not quite the text again."""
    return [one.strip() for one in re.split(r"(?<=[.!?])\s+(?=[A-Z\"'(])|\n+", text) if one.strip()]


def learned_cap(rows: Sequence[Row], now: int) -> int:
    """Tokens that no answer needs more of, by `HEADROOM` times the longest that was not cut off; never above ``now``."""
    told = [row.tokens_out for row in rows if row.tokens_out is not None and row.score.failure not in ("cut", "error")]
    if not told or any(row.score.failure == "cut" for row in rows):
        return now
    return min(now, max(8, int(max(told) * HEADROOM)))


def _without(id: str) -> Change:
    return lambda task: structs.replace(task, shots=tuple(shot for shot in task.shots if shot.id != id))


def _trimmed(sentence: str) -> Change:
    def change(task: Task) -> Task:
        return structs.replace(
            task, system=re.sub(r"[ \t]*\n\n+", "\n\n", task.system.replace(sentence, "", 1)).strip()
        )

    return change


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"
