"""What is written is what llama.cpp serves: its probabilities are PyTorch's, its tokens are the tokenizer's."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("transformers", reason="needs the extra train")
pytest.importorskip("peft", reason="needs the extra train")
pytest.importorskip("gguf", reason="needs the extra train")
pytest.importorskip("xllamacpp", reason="needs the extra local")

from made_gguf import make

from demitasse.lab.optimise.heal import heal
from demitasse.lab.optimise.lesson import Lesson
from demitasse.lab.optimise.requantise import requantise
from demitasse.lab.optimise.student import changed, student
from demitasse.lab.optimise.torch_model import load, write
from demitasse.lab.optimise.training import Recipe
from demitasse.lab.tasks.task import Turn
from demitasse.providers.engine import Setup

PROMPT = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"


@contextlib.contextmanager
def engine(gguf):
    """Asks the real engine, in a process of its own."""
    setup = Setup(gguf=str(gguf), key="k", alias="m", threads=1, context=512, verbosity=0)
    command = [sys.executable, "-m", "demitasse.providers.engine", "test"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            process.stdin.write(msgspec.json.encode(setup) + b"\n")
            process.stdin.flush()
            address = json.loads(process.stdout.readline())["listening"]

            def ask(path, **body):
                head = {"authorization": "Bearer k", "content-type": "application/json"}
                with urllib.request.urlopen(
                    urllib.request.Request(address + path, json.dumps(body).encode(), head)
                ) as got:
                    return json.load(got)

            yield ask
        finally:
            process.terminate()


def engine_shares(gguf, prompt):
    """The engine's most likely next tokens: logarithms of their probabilities, by token; empty where it would end the answer."""
    with engine(gguf) as ask:
        got = ask("/completion", prompt=prompt, n_predict=1, n_probs=20, temperature=-1.0, cache_prompt=False)
    return {
        one["id"]: one["logprob"] for first in got.get("completion_probabilities", ()) for one in first["top_logprobs"]
    }


def furthest(gguf, prompt=PROMPT):
    """The largest difference between both, among the engine's likely tokens."""
    for text in (prompt, f"{prompt}a", f"{prompt}the"):
        if theirs := engine_shares(gguf, text):
            ours = torch_shares(gguf, text)
            return max(abs(ours[token] - share) for token, share in theirs.items() if share > -8)
    raise AssertionError("the engine ends its answer whatever it begins with")


def torch_shares(gguf, prompt):
    import torch

    loaded = load(gguf)
    ids = loaded.tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return torch.log_softmax(loaded.model(input_ids=ids).logits[0, -1].float(), -1).tolist()


def lessons():
    return [
        Lesson(f"{n:02}", (Turn("user", f"{'rose' if n % 2 else 'sky'} {n}"),), ("red", "blue")[n % 2])
        for n in range(24)
    ]


def test_the_engine_gives_a_students_file_the_probabilities_that_pytorch_gives_it(tmp_path):
    base = make(tmp_path / "base.gguf")
    recipe = Recipe(rank=4, epochs=4, batch=4, rate=1e-2, half=False)
    made = student(base, lessons(), tmp_path, recipe, device="cpu", kinds=(), keep_half=True).files["F16"]
    for path in (base, made.path):
        assert furthest(path) < 0.05
    before, after = torch_shares(base, PROMPT), torch_shares(made.path, PROMPT)
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) > 0.5


def test_the_engine_serves_a_file_with_layers_left_out(tmp_path):
    recipe = Recipe(rank=4, epochs=1, batch=4, half=False)
    made = heal(make(tmp_path / "base.gguf"), lessons(), tmp_path, recipe, drop=1, device="cpu", kinds=("F16",))
    assert furthest(made.files["F16"].path) < 0.05


@pytest.mark.long
def test_killed_in_the_midst_of_it_nothing_half_is_left(tmp_path):
    base = make(tmp_path / "base.gguf")
    out = tmp_path / "out"
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_student_served import lessons
from demitasse.lab.optimise.student import student
from demitasse.lab.optimise.training import Recipe
recipe = Recipe(rank=2, epochs=10_000, batch=4, looks=10_000, patience=10_000, half=False)
student(Path({str(base)!r}), lessons(), Path({str(out)!r}), recipe, device="cpu", say=lambda text: print(text, flush=True))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout.readline().startswith("step")
        process.send_signal(signal.SIGKILL)
    assert not out.exists() or not [path for path in out.iterdir() if path.suffix == ".gguf"]


@pytest.mark.model
@pytest.mark.long
def test_the_real_model_tokens_probabilities_and_a_sensible_answer_at_eight_and_four_bits(smollm_path, tmp_path):
    loaded = load(smollm_path)
    half = write(loaded, dict(changed(loaded.model)), tmp_path / "half.gguf")
    with engine(half.path) as ask:
        for text in (
            PROMPT,
            "It's 12,345.60 pounds   in 2024\n\n\tcafé — naïve £20",
            "def f(x):\n    return x**2  # 日本",
        ):
            theirs = ask("/tokenize", content=text, parse_special=True, add_special=False)["tokens"]
            assert loaded.tokenizer(text, add_special_tokens=False)["input_ids"] == theirs
    # llama.cpp rounds activations; a wrong layout would be off by whole nats
    assert furthest(half.path) < 0.3
    for kind in ("Q8_0", "Q4_0"):
        made = requantise(smollm_path, tmp_path / f"{kind}.gguf", kind)
        with engine(made.written.path) as ask:
            got = ask(
                "/completion",
                prompt="Paris is the capital of France. Berlin is the capital of",
                n_predict=4,
                temperature=0,
            )
        assert "Germany" in got["content"], kind
