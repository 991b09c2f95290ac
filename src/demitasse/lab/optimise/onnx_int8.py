"""An encoder as ONNX with 8-bit weights, and the proof that it is still the same encoder: vectors, neighbours, a task's score.

Knows a folder as hubs lay it out (``config.json``, ``model.safetensors``, ``tokenizer.json``) and texts; what serves it is
`providers.encoder`. Weights become 8-bit integers, activations are quantised as they come (dynamic quantisation), which needs no
calibration data. Export needs the extras ``train`` (torch, transformers) and ``onnx``, serving only ``onnx``.
"""

# ruff: noqa: PLC0415 - extras
from __future__ import annotations

import logging
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from ...core.errors import DemitasseError
from ...providers.classifier_file import Settings, Vector
from ...providers.encoder import MODEL, TOKENIZER, Onnx
from ..evals.result import Row
from ..scorers.scorer import Score
from ..tasks.task import Task
from . import classifier
from .artefact import sha256
from .classifier import Example
from .gate import Gate, Side, distance, gate
from .torch_model import quiet

OPSET = 17
PACKAGES = ("torch", "transformers", "onnx", "onnxruntime", "tokenizers", "numpy", "scipy")
FP32 = "model.fp32.onnx"


class EncoderMakingError(DemitasseError):
    """An encoder that cannot be exported or quantised; the sentence says what to do."""


class Measured(Struct, frozen=True):
    """One form of the encoder on the same texts."""

    bytes: int
    cpu_s_per_1000: float
    """CPU seconds for a thousand texts, one at a time on one thread."""
    vectors: Vector


class Quantised(Struct, frozen=True):
    """What came of it: files in a folder, and what they are worth."""

    folder: Path
    """Holds ``model.onnx`` (int8) and ``tokenizer.json``."""
    before: Measured
    after: Measured
    cosine: float
    neighbours: float
    base_sha256: str
    licence: str
    cpu_s: float
    bits_per_weight: float
    """Read from the tensors."""
    torch_cosine: float
    """Of the fp32 export to the original's own vectors: that the export itself is right."""
    method: str = "Exported to ONNX, weights as 8-bit integers per channel, dynamic quantisation"


def quantise(source: Path, out: Path, texts: Sequence[str]) -> Quantised:
    """Export the encoder in ``source``, quantise it into ``out``, and hold both on ``texts``.

    Args:
        source: ``config.json``, ``model.safetensors``, ``tokenizer.json``.
        out: an empty folder.
        texts: more than ten; some hundreds say something.

    Raises EncoderMakingError: a file or an extra is missing, or the export is not the original any more.
    """
    began = time.process_time()
    for name in ("config.json", "model.safetensors", TOKENIZER):
        if not (source / name).is_file():
            raise EncoderMakingError(f"{source} holds no {name}; name a folder with an encoder as it comes from a hub")
    with tempfile.TemporaryDirectory(prefix="encoder-", dir=out) as scratch:
        half = Path(scratch)
        shutil.copyfile(source / TOKENIZER, half / TOKENIZER)
        model = _export(source, half / FP32)
        _to_int8(half / FP32, out / MODEL)
        shutil.copyfile(source / TOKENIZER, out / TOKENIZER)
        before, after = _measured(half, FP32, texts), _measured(out, MODEL, texts)
        some = texts[:32]
        torch_cosine = float((_torch_vectors(model, source, some) * before.vectors[: len(some)]).sum(axis=1).mean())
    if torch_cosine < 0.9999:
        raise EncoderMakingError(
            f"the exported encoder is not the original: mean cosine {torch_cosine:.5f}; its vectors may be pooled in another way"
        )
    cosine, neighbours = distance(after.vectors, before.vectors)
    return Quantised(
        folder=out,
        before=before,
        after=after,
        cosine=cosine,
        neighbours=neighbours,
        base_sha256=sha256(source / "model.safetensors"),
        licence=_licence(source),
        cpu_s=round(time.process_time() - began, 2),
        bits_per_weight=bits_per_weight(out / MODEL),
        torch_cosine=torch_cosine,
    )


def proof(
    task: Task,
    train: Sequence[Example],
    test: Sequence[Example],
    made: Quantised,
    *,
    margin: float,
    seed: int = 7,
    names: tuple[str, str] = ("fp32", "int8"),
) -> Gate:
    """The gate of an encoder: the same classifier trained on either's vectors, on the same test texts.

    Args:
        train, test: texts that were given to `quantise` in this order, ``train`` first.
    """
    count = len(train)
    settings = Settings(classifier.labels_of(task), "", "")
    truth = [one.label for one in test]
    rows = []
    for measured in (made.before, made.after):
        known = {one.text: (vector, 1) for one, vector in zip((*train, *test), measured.vectors, strict=True)}
        learned = classifier.learn(train, settings, known.__getitem__, seed=seed)
        best = learned.head.probabilities(measured.vectors[count:]).argmax(axis=1)
        said = [settings.labels[int(i)] for i in best]
        rows.append(
            [Row(f"t{i}", Score(float(a == b), said=a)) for i, (a, b) in enumerate(zip(said, truth, strict=True))]
        )
    found = gate(
        task,
        rows[1],
        rows[0],
        before=Side(names[0], bytes=made.before.bytes, bits_per_weight=32.0, cpu_s_per_1000=made.before.cpu_s_per_1000),
        after=Side(
            names[1],
            bytes=made.after.bytes,
            bits_per_weight=made.bits_per_weight,
            cpu_s_per_1000=made.after.cpu_s_per_1000,
        ),
        margin=margin,
        seed=seed,
    )
    return Gate(
        **{name: getattr(found, name) for name in Gate.__struct_fields__}
        | {"cosine": made.cosine, "neighbours": made.neighbours}
    )


def bits_per_weight(path: Path) -> float:
    """Bytes of an ONNX file's tensors by their values; scales and zero points, which a label would not count, among the bytes."""
    import onnx

    sizes = {
        one.name: (int(np.prod(one.dims)), onnx.numpy_helper.to_array(one).nbytes)
        for one in onnx.load(path).graph.initializer
    }
    weights = sum(count for name, (count, _) in sizes.items() if not name.endswith(("_scale", "_zero_point")))
    return float(8 * sum(size for _, size in sizes.values()) / weights)


def _export(source: Path, out: Path) -> Any:
    try:
        import torch
        from transformers import AutoModel
    except ImportError as error:
        raise EncoderMakingError(
            f"exporting an encoder needs {error.name}: pip install 'demitasse[train,onnx]'"
        ) from error
    torch.set_num_threads(1)
    with quiet():
        model = AutoModel.from_pretrained(str(source), local_files_only=True, attn_implementation="eager").eval()

    class Hidden(torch.nn.Module):  # type: ignore[misc]  # torch is Any here
        """The last layer alone: what else a model returns is not needed."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            return self.inner(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state

    example = torch.ones((2, 7), dtype=torch.long)
    names = ("input_ids", "attention_mask", "token_type_ids")
    free = {name: {0: "texts", 1: "tokens"} for name in (*names, "hidden")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of its own future
        # The newer exporter (dynamo=True; torch 2.13, transformers 5.23) gives a graph whose vectors have a cosine of 0.005
        # to the model's. What either gives is held against the original before anything is kept.
        torch.onnx.export(
            Hidden().eval(), (example, example, example * 0), str(out), input_names=list(names), output_names=["hidden"],
            dynamic_axes=free, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    return model


def _to_int8(source: Path, out: Path) -> None:
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise EncoderMakingError(f"quantising an encoder needs {error.name}: pip install 'demitasse[onnx]'") from error
    ready = source.with_name("ready.onnx")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it warns on the root logger of steps that this function takes
    try:
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        quantize_dynamic(str(ready), str(out), weight_type=QuantType.QInt8, per_channel=True)
    finally:
        root.setLevel(level)


def _measured(folder: Path, model: str, texts: Sequence[str]) -> Measured:
    encode = Onnx(folder, model=model)
    encode(texts[0])
    began = time.thread_time()
    vectors = np.array([encode(text)[0] for text in texts], np.float32)
    spent = time.thread_time() - began
    return Measured((folder / model).stat().st_size, spent * 1_000 / len(texts), vectors)


def _torch_vectors(model: Any, source: Path, texts: Sequence[str]) -> Vector:
    import torch
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(source / TOKENIZER))
    tokenizer.no_padding()
    vectors = []
    with torch.no_grad():
        for text in texts:
            ids = torch.tensor([tokenizer.encode(text).ids[:256]])
            mean = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].mean(dim=0).numpy()
            vectors.append(mean / np.linalg.norm(mean))
    return np.array(vectors, np.float32)


def _licence(source: Path) -> str:
    """As the model's own README states it in its head."""
    try:
        head = (source / "README.md").read_text("utf-8")[:4_000]
    except OSError:
        return "not stated"
    found = re.search(r"^license:\s*(\S+)", head, re.MULTILINE)
    return found[1] if found else "not stated"
