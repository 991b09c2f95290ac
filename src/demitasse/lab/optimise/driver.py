"""`optimise`: the cheapest step first, each measured on the same rows against the reference, until more would not pay.

The parent of the steps: it decides what is tried next, what counts as proven, and when to stop. Knows candidates and verdicts;
knows not how one is made (`steps`), nor how one is asked (`bench.Evaluate`).

Verdicts are Holm's over all candidates that are planned, untried ones counting as p = 1. So a claim that stands when the search
stops stands whatever would have come later, and stopping early makes no claim more likely to be wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct, structs

from ...core.errors import DemitasseError
from ...stats import paired as pairs
from ...stats.multiple import holm
from ..evals.compare import Comparison, compare
from ..evals.result import Row, Run
from ..evals.seen import seen
from . import artefact
from .bench import Bench, Candidate, Facts, Make, Skipped
from .gate import Gate, Side, gate

ALPHA = 0.05
PROVEN = ("superior", "non-inferior")


class Step(Struct, frozen=True):
    """One kind of thing to try."""

    name: str
    about: str
    """In words, for reports."""
    make: Make
    needs: tuple[str, ...] = ()
    """Packages, by import name."""
    extra: str = ""
    """Of Demitasse, that brings them."""
    candidates: int = 1
    """How many it may bring: what Holm counts."""


class Tried(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One candidate as it did on the rows to measure on."""

    name: str
    step: str
    ask: str
    mode: str
    evaluation: str
    """Id of the run."""
    n: int
    score: float | None
    interval: tuple[float, float] | None
    unreadable: int = 0
    usd_per_1000: float | None = None
    cpu_s_per_1000: float | None = None
    bytes: int | None = None
    bits_per_weight: float | None = None
    artefact: str = ""
    made_cpu_s: float | None = None
    difference: float | None = None
    """To the reference's score; None: it is the reference."""
    difference_interval: tuple[float, float] | None = None
    verdict: pairs.Verdict | Literal["reference"] = "inconclusive"
    """Against the reference, after Holm."""
    needed: int | None = None
    """Samples that would decide it."""
    gate: Gate | None = None
    kept: bool = True
    """Its artefact is on the disk."""
    notes: tuple[str, ...] = ()


class Report(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of it, the negative results too."""

    task: str
    task_hash: str
    split: str
    train: int
    test: int
    dropped: dict[str, int]
    margin: float
    seed: int
    model: str
    reference: str
    tried: tuple[Tried, ...]
    """In the order in which they were tried; the reference and the model as it was come first."""
    skipped: tuple[Skipped, ...]
    stopped: str
    """Why nothing more was tried."""
    winner: str = ""
    """The cheapest that is proven as good as the reference; empty: none is."""
    lines: str = ""
    """What the configuration needs for it."""
    cpu_s: float = 0.0
    """Of this process, all in all."""


class Limits(Struct, frozen=True):
    """When enough is enough."""

    worth_share: float = 0.05
    """Saving that is worth another step, as a share of the reference's cost."""
    worth_usd: float | None = None
    """The same in USD per 1,000 calls; wins over the share."""
    seconds: float | None = None
    go_on: bool = False
    """Try everything, whatever was found."""
    keep: bool = False
    """Artefacts that fail their gate stay, marked."""


Told = Callable[[Tried | Skipped], None]


class _Known(Struct, frozen=True):
    """A candidate with its rows."""

    candidate: Candidate
    run: Run
    rows: list[Row]
    made_cpu_s: float | None = None
    found: Comparison | None = None
    """Against the reference; None: it is the reference."""
    gate: Gate | None = None
    kept: bool = True


async def optimise(
    bench: Bench,
    steps: Sequence[Step],
    limits: Limits,
    *,
    told: Told = lambda _one: None,
    missing: Callable[[Sequence[str]], str | None],
    cpu_s_per_1000: Callable[[Run], float | None] = lambda _run: None,
    now_s: Callable[[], float] = time.monotonic,
) -> Report:
    """Try steps in their order.

    Args:
        told: called with everything that was tried or skipped, as soon as it is known.
        missing: the first of these packages that is not installed.
        cpu_s_per_1000: CPU seconds of a thousand answers, where a run shows them.

    Raises DemitasseError where the reference or the model itself cannot be asked, or a budget is spent.
    """
    began_s, own = now_s(), time.process_time()
    planned = 1 + sum(step.candidates for step in steps)
    reference = await _ask(bench, _named(bench.reference, "reference"))
    told(_tried(reference, "reference", cpu_s_per_1000))
    base = await _ask(bench, _named(bench.model, "as it is"), reference=reference)
    known, skipped = [base], list[Skipped]()

    def show(fresh: int) -> None:
        for one in judged(reference, known, planned, cpu_s_per_1000)[1:][len(known) - fresh :]:
            told(one)

    show(1)
    stopped = "everything was tried"
    for step in steps:
        rows = judged(reference, known, planned, cpu_s_per_1000)
        if not limits.go_on and (why := enough(rows, limits)):
            stopped = why
            break
        if limits.seconds is not None and now_s() - began_s > limits.seconds:
            stopped = f"{limits.seconds / 60:g} minutes are over before the step '{step.name}'"
            break
        lacking = missing(step.needs)
        if lacking is not None:
            skipped.append(Skipped(step.name, f"it needs {lacking}: pip install 'demitasse[{step.extra}]'"))
            told(skipped[-1])
            continue
        fresh, why_not = await _try(step, bench, reference, known, limits)
        known += fresh
        show(len(fresh))
        skipped += why_not
        for one in why_not:
            told(one)
    rows = judged(reference, known, planned, cpu_s_per_1000)
    best = winner(rows)
    chosen = next((one.candidate for one in known if best is not None and one.candidate.name == best.name), None)
    return Report(
        task=bench.split.test.name,
        task_hash=bench.split.test.hash,
        split=bench.split.how,
        train=len(bench.split.train.samples),
        test=len(bench.split.test.samples),
        dropped=bench.split.dropped,
        margin=bench.margin,
        seed=bench.seed,
        model=bench.model.alias,
        reference=bench.reference.alias,
        tried=tuple(rows),
        skipped=tuple(skipped),
        stopped=stopped,
        winner=best.name if best is not None else "",
        lines="\n".join(table.lines() for table in chosen.tables) if chosen is not None else "",
        cpu_s=round(time.process_time() - own, 2),
    )


def enough(rows: Sequence[Tried], limits: Limits) -> str:
    """Why no further step would pay; empty: one may. ``rows[0]`` is the reference.

    What later steps can still bring is at most all that the best one still costs: nothing costs less than nothing, and nobody
    needs to be better than the reference.
    """
    best = winner(rows)
    if best is None or best.usd_per_1000 is None:
        return ""
    whole = rows[0].usd_per_1000
    if whole is None or best.usd_per_1000 >= whole:
        return ""
    worth = limits.worth_usd if limits.worth_usd is not None else limits.worth_share * whole
    if best.usd_per_1000 > worth:
        return ""
    return (
        f"'{best.name}' is {best.verdict} to '{rows[0].name}' at {best.usd_per_1000:.4g} USD per 1,000 calls instead of "
        f"{whole:.4g}: all that later steps could still save is {best.usd_per_1000:.4g}, and less than {worth:.4g} is not "
        "worth a step (--worth; --all goes on)"
    )


def winner(rows: Sequence[Tried]) -> Tried | None:
    """The cheapest that is proven and costs less than the reference, the first of several that cost the same."""
    whole = rows[0].usd_per_1000
    proven = [
        one
        for one in rows[1:]
        if one.verdict in PROVEN
        and one.kept
        and (one.gate is None or one.gate.outcome != "failed")
        and one.usd_per_1000 is not None
        and (whole is None or one.usd_per_1000 < whole)
    ]
    return min(proven, key=lambda one: one.usd_per_1000 or 0.0) if proven else None


def judged(
    reference: _Known,
    known: Sequence[_Known],
    planned: int,
    cpu_s_per_1000: Callable[[Run], float | None],
) -> list[Tried]:
    """The reference, and all candidates with their verdicts against it."""
    found = [one.found for one in known if one.found is not None]
    padding = [1.0] * max(0, planned - len(found))
    columns = [
        holm([*(getattr(one.p, name) for one in found), *padding])
        for name in ("p_non_inferior", "p_superior", "p_inferior")
    ]
    rows = [_tried(reference, "reference", cpu_s_per_1000)]
    for nth, one in enumerate(known):
        verdict = pairs.verdict(columns[0][nth], columns[1][nth], columns[2][nth], alpha=ALPHA)
        rows.append(_tried(one, verdict, cpu_s_per_1000))
    return rows


def _tried(
    one: _Known,
    verdict: pairs.Verdict | Literal["reference"],
    cpu_s_per_1000: Callable[[Run], float | None],
) -> Tried:
    candidate, made, found = one.candidate, one.run.summary, one.found
    assert made is not None
    answered = made.n + made.unscored
    return Tried(
        name=candidate.name,
        step=candidate.step,
        ask=candidate.ask,
        mode=one.run.mode,
        evaluation=one.run.id,
        n=made.n,
        score=made.quality,
        interval=made.quality_interval,
        unreadable=made.format_failures,
        usd_per_1000=made.cost_nanos / 1e6 / answered if made.cost_nanos is not None and answered else None,
        cpu_s_per_1000=cpu_s_per_1000(one.run),
        bytes=candidate.bytes,
        bits_per_weight=candidate.bits_per_weight,
        artefact=candidate.made.name if candidate.made is not None else "",
        made_cpu_s=one.made_cpu_s,
        difference=found.difference if found is not None else None,
        difference_interval=found.interval if found is not None else None,
        verdict=verdict,
        needed=found.n_needed if found is not None and verdict == "inconclusive" else None,
        gate=one.gate,
        kept=one.kept,
        notes=candidate.notes,
    )


async def _try(
    step: Step, bench: Bench, reference: _Known, known: Sequence[_Known], limits: Limits
) -> tuple[list[_Known], list[Skipped]]:
    """A step's candidates, measured and through their gates; or why there are none."""
    own = time.process_time()
    try:
        candidates = await step.make(bench, _start(known).candidate)
    except DemitasseError as error:
        return [], [Skipped(step.name, str(error))]
    spent = time.process_time() - own
    fresh, skipped = [], []
    for candidate in candidates[: step.candidates]:
        try:
            asked = await _ask(bench, candidate, reference=reference, made_cpu_s=spent / len(candidates))
        except DemitasseError as error:
            skipped.append(Skipped(step.name, f"'{candidate.name}' could not be measured: {error}"))
            continue
        original = next((one for one in known if one.candidate.name == candidate.replaces), reference)
        fresh.append(_gated(bench, asked, original, limits))
    return fresh, skipped


def _start(known: Sequence[_Known]) -> _Known:
    """What the next step begins with: the way to ask the small model itself that scored best so far, the later of equals."""
    own = [one for one in known if one.candidate.ask == known[0].candidate.ask and one.kept]
    return max(enumerate(own), key=lambda one: (_score(one[1]), one[0]))[1]


def _score(one: _Known) -> float:
    made = one.run.summary
    return made.quality if made is not None and made.quality is not None else 0.0


def _named(facts: Facts, step: str) -> Candidate:
    """A model as the user named it; the small one as it is asked where nobody thought of its form."""
    asked = Candidate(
        name=facts.alias, step=step, ask=facts.alias, bytes=facts.bytes, bits_per_weight=facts.bits_per_weight
    )
    return asked if step == "reference" else structs.replace(asked, name=f"{facts.alias} as it is", mode="free")


async def _ask(
    bench: Bench, candidate: Candidate, *, reference: _Known | None = None, made_cpu_s: float | None = None
) -> _Known:
    task = candidate.task or bench.split.test
    run, rows = await bench.evaluate(task, candidate.ask, candidate.mode, candidate.tables)
    if run.state != "complete":
        raise DemitasseError(f"'{candidate.ask}' was not evaluated to the end: {run.why}")
    asked = _Known(candidate, run, rows, made_cpu_s)
    if reference is None:
        return asked
    names = (candidate.name, reference.candidate.name)
    found = compare(seen(rows), seen(reference.rows), margin=bench.margin, alpha=ALPHA, names=names, seed=bench.seed)
    return structs.replace(asked, found=found)


def _gated(bench: Bench, one: _Known, original: _Known, limits: Limits) -> _Known:
    """Held against what it was made from; what fails goes, unless it is to be kept."""
    made = one.candidate.made
    if made is None:
        return one
    found = gate(
        bench.split.test,
        one.rows,
        original.rows,
        before=Side(original.candidate.name, bytes=original.candidate.bytes,
                    bits_per_weight=original.candidate.bits_per_weight),
        after=Side(one.candidate.name, bytes=one.candidate.bytes, bits_per_weight=one.candidate.bits_per_weight),
        margin=bench.margin,
        seed=bench.seed,
    )  # fmt: skip
    failed = found.outcome == "failed"
    if failed and not limits.keep:
        artefact.remove(bench.data, made.name)
        return structs.replace(one, gate=found, kept=False)
    artefact.amend(
        bench.data, structs.replace(made, gate=found, before=found.before, after=found.after, kept_anyway=failed)
    )
    return structs.replace(one, gate=found)
