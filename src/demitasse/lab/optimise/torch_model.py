"""A GGUF file as a PyTorch model, and its weights back into GGUF. Knows names and layouts of tensors; trains nothing.

Loading is `transformers`' (``gguf_file=``). Writing back starts from the file that was loaded: its metadata, tokenizer and chat
template stay as they are, and only tensors that changed are replaced. Llama's query and key rows are interleaved in GGUF, since
llama.cpp rotates neighbouring pairs where PyTorch rotates halves (convert_hf_to_gguf.py, ``permute``).
"""

# ruff: noqa: PLC0415 - torch and transformers are an extra, and take seconds to import

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec import Struct

from ...core.errors import DemitasseError
from ...providers.gguf import BadFileError, read_head
from . import gguf_file
from .gguf_file import Give, Weights, Written

ARCHITECTURES: Final = {"llama": True, "qwen2": False, "qwen3": False}
"""Those that can be trained here, and whether GGUF interleaves their query and key rows."""

_PARTS: Final = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
}  # fmt: skip
_LAYER: Final = re.compile(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)")
_REST: Final = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


class TrainingError(DemitasseError):
    """Nothing can be learned this way: no packages, a model that is not supported, too few lessons, no memory."""


class Loaded(Struct, frozen=True):
    """A model in memory."""

    model: Any
    """A ``transformers`` causal language model, in single precision."""
    tokenizer: Any
    architecture: str
    layers: int
    device: str
    source: Path


def load(path: Path, *, device: str = "auto", threads: int = 1) -> Loaded:
    """Load a GGUF file to train. Quantised weights are taken apart into single precision: 4 bytes a parameter.

    Args:
        device: ``cpu``, ``cuda``, or ``auto``: cuda where there is one.
        threads: of PyTorch on the CPU, for this process from now on.

    Raises TrainingError: packages are missing, the architecture is not one of `ARCHITECTURES`, the file is unusable.
    """
    try:
        head = read_head(path)
    except BadFileError as error:
        raise TrainingError(str(error)) from error
    if head.architecture not in ARCHITECTURES:
        raise TrainingError(
            f"{path} is a {head.architecture} model; those that can be trained here: {', '.join(ARCHITECTURES)}"
        )
    torch, transformers, _ = packages()
    torch.set_num_threads(threads)
    where = device if device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    with quiet():
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            str(path.parent), gguf_file=path.name, dtype=torch.float32
        )
    # The weights are plain floats by now; the note that they came from GGUF would send peft another way.
    for owner, name in ((model.config, "quantization_config"), (model, "hf_quantizer")):
        if hasattr(owner, name):
            delattr(owner, name)
    model.is_quantized = False
    if not tokenizer.chat_template:
        raise TrainingError(f"{path} has no chat template, so nobody can say how a lesson would be put to it")
    return Loaded(model.to(where).eval(), tokenizer, head.architecture, model.config.num_hidden_layers, where, path)


def write(loaded: Loaded, changed: Mapping[str, Any], out: Path, *, kept_layers: list[int] | None = None) -> Written:
    """The loaded file with other weights, matrices in half precision (F16): what quantised files are then made from.

    Args:
        changed: tensors by their name in PyTorch (``model.layers.0.self_attn.q_proj.weight``), named as in the file that was
            loaded, whatever layers are left out.
        kept_layers: those that the new file shall have, in order; None: all.

    Raises GgufError.
    """
    heads = (loaded.model.config.num_attention_heads, loaded.model.config.num_key_value_heads)
    weights = {}
    for name, tensor in changed.items():
        to = gguf_name(name)
        if to is None:
            raise TrainingError(f"there is no place in a GGUF file for '{name}'")
        weights[to] = _giver(to, tensor, heads if ARCHITECTURES[loaded.architecture] else None)
    facts: dict[str, int | float | str] = {}
    rename: dict[int, int] | None = None
    if kept_layers is not None:
        rename = {old: new for new, old in enumerate(kept_layers)}
        facts[f"{loaded.architecture}.block_count"] = len(kept_layers)

    def renamed(name: str) -> str | None:
        found = re.fullmatch(r"blk\.(\d+)\.(.+)", name)
        if rename is None or found is None:
            return name
        new = rename.get(int(found[1]))
        return None if new is None else f"blk.{new}.{found[2]}"

    return gguf_file.rewrite(
        loaded.source,
        out,
        kinds=lambda tensor: tensor.kind if len(tensor.shape) < 2 or tensor.name == "token_embd.weight" else "F16",
        weights={name: give for name, give in weights.items() if renamed(name) is not None},
        rename=renamed,
        facts=facts,
    )


def gguf_name(name: str) -> str | None:
    """A tensor's name in GGUF; None: it has none."""
    found = _LAYER.fullmatch(name)
    if found is None:
        return _REST.get(name)
    part = _PARTS.get(found[2])
    return None if part is None else f"blk.{found[1]}.{part}.{found[3]}"


def interleaved(weights: Weights, heads: int) -> Weights:
    """Rows of a query or key matrix as GGUF has them: each head's two halves dealt out in turn. Shape stays."""
    shape = weights.shape
    halves = weights.reshape(heads, 2, shape[0] // heads // 2, *shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(shape))


def packages() -> tuple[Any, Any, Any]:
    """torch, transformers, peft. Raises TrainingError where one is missing."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # everything it needs is in the file
    try:
        import peft
        import torch
        import transformers
    except ImportError as error:
        raise TrainingError(f"training a student needs {error.name}: pip install 'demitasse[train]'") from error
    return torch, transformers, peft


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without progress bars and warnings of libraries about each other; errors still come."""
    _, transformers, _ = packages()
    bars, level = transformers.logging.is_progress_bar_enabled(), transformers.logging.get_verbosity()
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity(logging.ERROR)
    try:
        # One of the bars asks nobody; what fails is raised, not written there.
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers.logging.set_verbosity(level)
        if bars:
            transformers.logging.enable_progress_bar()


def _giver(name: str, tensor: Any, heads: tuple[int, int] | None) -> Give:
    def give() -> Weights:
        weights: Weights = tensor.detach().float().cpu().numpy()
        if heads is not None and ".attn_q." in name:
            return interleaved(weights, heads[0])
        if heads is not None and ".attn_k." in name:
            return interleaved(weights, heads[1])
        return weights

    return give
