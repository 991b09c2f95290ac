"""Makes the two small logs ``inspect_sums.eval`` and ``inspect_capitals.json``, with inspect_ai and its mock model.

Run in an environment of its own: pip install inspect_ai==0.3.285 && python make_inspect_logs.py
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import inspect_ai
from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import choice, match
from inspect_ai.solver import generate, multiple_choice, system_message

HERE = Path(__file__).parent
USAGE = ModelUsage(input_tokens=12, output_tokens=3, total_tokens=15)


def said(text: str, stop: str = "stop") -> ModelOutput:
    output = ModelOutput.from_content("mockllm/model", text, stop_reason=stop)
    output.usage = USAGE
    return output


def run(task: Task, answers: list[ModelOutput], format: str, name: str, epochs: int = 1) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = get_model("mockllm/model", custom_outputs=answers)
        (log,) = inspect_ai.eval(
            task, model=model, log_dir=folder, log_format=format, display="none", max_samples=1, epochs=epochs
        )
        assert log.status == "success", log.error
        shutil.copyfile(next(Path(folder).glob(f"*.{format}")), HERE / name)


SUMS = MemoryDataset(
    [
        Sample(id=1, input="What is 2 + 2?", target="4"),
        Sample(id="b", input="What is 3 + 4?", target=["7", "seven"], metadata={"subject": "sums"}),
        Sample(id=3, input="Count to a hundred.", target="100"),
    ],
    name="sums",
)
CAPITALS = MemoryDataset(
    [
        Sample(id="fr", input="Capital of France?", choices=["Rome", "Paris"], target="B"),
        Sample(id="it", input="Capital of Italy?", choices=["Rome", "Paris"], target="A"),
    ],
    name="capitals",
)
run(
    Task(name="sums", dataset=SUMS, solver=[system_message("Be brief."), generate()], scorer=match()),
    [said("4"), said("8"), said("1, 2, 3", "max_tokens"), said("5"), said("7"), said("100")],
    "eval",
    "inspect_sums.eval",
    epochs=2,
)
run(
    Task(name="capitals", dataset=CAPITALS, solver=[multiple_choice()], scorer=choice()),
    [said("ANSWER: B"), said("ANSWER: B")],
    "json",
    "inspect_capitals.json",
)
