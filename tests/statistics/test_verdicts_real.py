"""On real answers of real models, drawn again and again: verdicts at the true difference err at their rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.lab_statistics import ALPHA, holds, judged

DATA = Path(__file__).parents[3] / "shared" / "data" / "zeroeval" / "outcomes.parquet"
PAIRS = [("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"), ("gemma-2-2b-it", "claude-3-opus-20240229")]


@pytest.mark.parametrize("pair", PAIRS)
def test_real_pairs_are_wrongly_called_non_inferior_or_inferior_at_the_rate_that_was_said(
    pair: tuple[str, str],
) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra lab")
    if not DATA.exists():
        pytest.skip(f"{DATA} is missing")
    rows = pq.read_table(DATA, columns=["id", "model", "ok"], filters=[("model", "in", pair)]).to_pylist()
    told = [{row["id"]: float(row["ok"]) for row in rows if row["model"] == name} for name in pair]
    ids = sorted(told[0].keys() & told[1].keys())
    candidate, reference = (np.array([one[i] for i in ids]) for one in told)
    truth = float((candidate - reference).mean())
    assert len(ids) > 1_000 and truth < 0
    rng, runs, wrong = np.random.default_rng(17), 150, [0, 0]
    for run in range(runs):
        at = rng.integers(0, len(ids), 120)
        found = judged((candidate[at], reference[at], None), run, -truth)
        wrong[0] += found.p_non_inferior <= ALPHA / 2
        wrong[1] += found.p_inferior <= ALPHA / 2
    assert all(holds(count, runs, ALPHA / 2) for count in wrong), wrong
