"""The number scorer on real answers: free text of eight models on GSM8K, against the grader that published them (ZeroEval)."""

from pathlib import Path

import pytest

from demitasse.lab.scorers.registry import pure
from demitasse.lab.tasks.task import Sample, Task
from demitasse.score.normal import Answer

DATA = Path(__file__).parents[4] / "shared" / "data" / "zeroeval"


@pytest.mark.skipif(not DATA.is_dir(), reason="real answers are not here: ../shared/data/zeroeval")
def test_numbers_are_read_as_their_own_grader_read_them():
    """In full (10,552 answers) 10,549 agree, and in the three others the answer is right and their grader took its first number."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra lab")
    truth = {
        r["id"]: r["truth"].removeprefix("# ")
        for r in parquet.read_table(DATA / "prompts.parquet").to_pylist()
        if r["bench"] == "gsm"
    }
    graded = parquet.read_table(DATA / "outcomes.parquet", columns=["id", "model", "ok"]).to_pylist()
    right = {(r["id"], r["model"]): bool(r["ok"]) for r in graded}
    told = parquet.read_table(DATA / "outputs_small_models.parquet").to_pylist()
    answers = [r for r in told if r["id"] in truth][::7]
    score = pure(Task("gsm", tuple(Sample(id, "", (target,)) for id, target in truth.items()), form="number"))
    differs = [
        r for r in answers
        if bool(score(Sample(r["id"], "", (truth[r["id"]],)), Answer(r["output"])).value) != right[r["id"], r["model"]]
    ]  # fmt: skip
    assert len(answers) > 1_500
    assert len(differs) <= 2
