"""A tiny classifier on BANKING77's ten intents: its learning curve over a static embedding and over MiniLM in 8 bits, and the
encoder's own gate (cosine, neighbours, a classifier's score), with CPU seconds.

    python -m bench.tiny_classifier [--encoder DIR] [--data DIR] [--seed 7] [--out bench/out]

Learns from the set's training file, measures on its test file; needs the extras lab, semantic, train and onnx, and the embedding
wordllama-256 in the data folder's models.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import msgspec

from bench import machine
from demitasse.lab.optimise import classifier, onnx_int8
from demitasse.lab.optimise.artefact import Manifest, save
from demitasse.lab.tasks import files
from demitasse.providers.encoder import encoder

TASKS = Path(__file__).parent / "tasks"


def learned(name: str, models: Path, seed: int) -> dict[str, Any]:
    """Curve, and the classifier of all examples as it abstains."""
    train, test = (files.load(TASKS / f"banking77{part}.task.toml") for part in ("-train", ""))
    encode, sha256 = encoder(name, models)
    examples, asked = classifier.examples(train), classifier.examples(test)
    settings = classifier.settings_of(train, name, sha256)
    began = process_time()
    curve = classifier.curve(examples, asked, settings, encode, seed=seed)
    curve_cpu_s, began = process_time() - began, process_time()
    rows = {}
    for n in (160, 640, len(examples)):
        found = classifier.learn(random.Random(seed).sample(examples, n), settings, encode, seed=seed)
        score, coverage, precision = classifier.evaluated(found.head, asked, encode)
        rows[n] = {
            "score_when_it_must": score, "answers": coverage, "right_of_answers": precision,
            "threshold": found.head.settings.threshold, "temperature": found.head.settings.temperature,
            "penalty": found.penalty, "tokens_per_cpu_s": round(found.head.settings.tokens_per_s),
            "bytes": sum(len(content) for content in found.head.dump().values()),
        }  # fmt: skip
    return {
        "curve": [msgspec.to_builtins(point) for point in curve], "curve_cpu_s": round(curve_cpu_s, 1), "learned": rows,
        "learned_cpu_s": round(process_time() - began, 1), "train": len(examples), "test": len(asked),
    }  # fmt: skip


def eight_bits(source: Path, data: Path, seed: int) -> dict[str, Any]:
    """The encoder's gate, and the encoder kept for the curve."""
    train, test = (files.load(TASKS / f"banking77{part}.task.toml") for part in ("-train", ""))
    examples, asked = classifier.examples(train)[::4], classifier.examples(test)
    with tempfile.TemporaryDirectory() as scratch:
        made = onnx_int8.quantise(source, Path(scratch), [one.text for one in (*examples, *asked)])
        gate = onnx_int8.proof(test, examples, asked, made, margin=0.02, seed=seed)
        save(
            data, Manifest("bench-encoder", "encoder", made.method),
            {name: Path(scratch) / name for name in ("model.onnx", "tokenizer.json")},
        )  # fmt: skip
    return {
        "gate": msgspec.to_builtins(gate), "bits_per_weight": made.bits_per_weight, "export_cosine": made.torch_cosine,
        "making_cpu_s": made.cpu_s, "licence": made.licence,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("bench/out"))
    given = parser.parse_args()
    found: dict[str, Any] = {"seed": given.seed, "machine": machine.facts()}
    found["wordllama-256"] = learned("wordllama-256", given.data / "models", given.seed)
    if given.encoder is not None:
        found["int8"] = eight_bits(given.encoder, given.data, given.seed)
        found["made:bench-encoder"] = learned("made:bench-encoder", given.data / "models", given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=1)
    (given.out / "tiny_classifier.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
