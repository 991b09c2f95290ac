"""A robustness run put together: the clean evaluation, one for every perturbation, and what they say together."""

from __future__ import annotations

from msgspec import Struct, structs

from ..lab.evals.bias import Bias, Flips, bias, flips, is_bbq
from ..lab.evals.result import Row, Run
from ..lab.evals.robustness import Robustness, robustness
from ..lab.evals.run import Progress
from ..lab.tasks.paraphrase import asking, reworded
from ..lab.tasks.perturb import perturbed
from ..lab.tasks.task import Task, chosen
from .evaluating import Lab, Wanted

CLEAN = "clean"
REWORD = "reword"


class Found(Struct, frozen=True):
    """What a robustness run found."""

    task: str
    model: str
    mode: str
    seed: int
    robustness: Robustness
    evaluations: dict[str, str]
    """Ids by kind; ``clean`` is the task as it is, ``reword`` the model that reworded it."""
    flips: Flips | None = None
    bias: Bias | None = None
    left_out: int = 0
    """Paraphrases that were not used."""
    stopped: str = ""
    """Which run stopped, and why; those after it were not begun."""


async def run(
    lab: Lab,
    task: Task,
    wanted: Wanted,
    kinds: list[str],
    *,
    rewriter: str | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Found:
    """Evaluate the task as it is and under each kind (names of ``perturb.variants``), and hold them against each other.

    Args:
        wanted: of the clean run; its budget is for all runs together.
        rewriter: a model that makes the paraphrases.

    Raises DemitasseError: the clean run has no score, or what an evaluation raises.
    """
    task = chosen(task, wanted.n, seed=wanted.seed)
    reworded_by = rewriter if "paraphrase" in kinds else None
    made = {
        kind: perturbed(task, kind, seed=wanted.seed) for kind in kinds if not (kind == "paraphrase" and reworded_by)
    }
    total = sum(len(one.samples) for one in (task, *made.values())) + (2 * len(task.samples) if reworded_by else 0)
    purse = _Purse(lab, structs.replace(wanted, n=None), lambda done, _all: progress(done, total))
    clean, rows = await purse.evaluate(CLEAN, task)
    perturbed_rows: dict[str, list[Row]] = {}
    left_out = 0
    for kind in kinds:
        if purse.stopped:
            break
        variant = made.get(kind)
        if variant is None and reworded_by is not None:
            variant, left_out = await _reworded(purse, task, reworded_by)
        if variant is None or not variant.samples or purse.stopped:
            continue
        run, found = await purse.evaluate(kind, variant)
        if run.state == "complete":
            perturbed_rows[kind] = found
    samples = {sample.id: sample for sample in task.samples}
    return Found(
        task=task.name,
        model=wanted.model,
        mode=clean.mode,
        seed=wanted.seed,
        robustness=robustness(rows, perturbed_rows, samples=samples, labels=task.labels, seed=wanted.seed),
        evaluations=purse.ids,
        flips=flips(rows, perturbed_rows["swap"]) if "swap" in perturbed_rows else None,
        bias=bias(task, rows, seed=wanted.seed) if is_bbq(task) else None,
        left_out=left_out,
        stopped=purse.stopped,
    )


async def _reworded(purse: _Purse, task: Task, rewriter: str) -> tuple[Task, int]:
    request = asking(task)
    if not request.samples:
        return structs.replace(task, samples=()), 0
    _, rows = await purse.evaluate(REWORD, request, model=rewriter)
    return reworded(task, {row.sample: row.text for row in rows})


class _Purse:
    """Evaluations one after the other, on one budget; none is begun once one has stopped."""

    def __init__(self, lab: Lab, wanted: Wanted, progress: Progress) -> None:
        self.stopped = ""
        self.ids: dict[str, str] = {}
        self._lab, self._wanted, self._progress = lab, wanted, progress
        self._spent_usd = 0.0

    async def evaluate(self, kind: str, task: Task, *, model: str = "") -> tuple[Run, list[Row]]:
        most = self._wanted.budget_usd
        wanted = self._wanted
        if model:
            wanted = structs.replace(wanted, model=model, mode="constrained")
        if most is not None:
            wanted = structs.replace(wanted, budget_usd=max(most - self._spent_usd, _LEAST_USD))
        run, rows = await self._lab.evaluate(task, wanted, progress=self._progress)
        self.ids[kind] = run.id
        if run.summary is not None:
            self._spent_usd += ((run.summary.cost_nanos or 0) + run.summary.scoring_nanos) / 1e9
        if run.state != "complete":
            self.stopped = f"the run '{kind}' ({run.id}) stopped: {run.why}"
        return run, rows


_LEAST_USD = 1e-9
"""A budget of nothing is no budget; with this much nothing that costs anything is asked."""
