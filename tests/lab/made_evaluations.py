"""Evaluations as a run leaves them, with answers that tests choose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from demitasse.lab.evals import result
from demitasse.lab.evals.result import Row, Run
from demitasse.lab.evals.seen import Seen
from demitasse.lab.scorers.scorer import Failure, Score
from demitasse.lab.tasks.task import Sample, Task


def seen_of(values: Sequence[float | None], *, slices: int = 1, cost: float | None = 1000.0) -> list[Seen]:
    return [
        Seen(f"s{i}", v, slice=f"part {i % slices}" if slices > 1 else "", cost_nanos=cost, latency_ms=10.0 + i)
        for i, v in enumerate(values)
    ]


def evaluation(
    data: Path,
    id: str,
    values: Sequence[float | None],
    *,
    model: str = "",
    cost: int | None = 1000,
    failure: Failure = "",
    input: str = "question {i}",
    repeats: int = 1,
    system: str = "",
    energy: tuple[int, int] | None = None,
) -> Path:
    """A complete one: so many samples, each with its value (None: nobody could say)."""
    samples = tuple(Sample(f"s{i}", input.format(i=i), ("yes",)) for i in range(len(values)))
    path = result.folder(data, id)
    path.mkdir(parents=True)
    result.write_task(path, Task("made", samples, system=system))
    result.write(
        path,
        Run(id, "made", "hash", "text", "exact", model or id, "identity", "free", len(values), 0, state="complete"),
    )
    result.write_rows(
        path,
        [
            Row(
                sample.id,
                Score(value, failure if value == 0 else ""),
                repeat=again,
                cost_nanos=cost,
                latency_ms=5.0 + i,
                energy_uj=energy,
                energy_method=None if energy is None else "modelled",
            )
            for again in range(repeats)
            for i, (sample, value) in enumerate(zip(samples, values, strict=True))
        ],
    )
    return path
