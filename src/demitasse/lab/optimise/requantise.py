"""A GGUF file with fewer bits per weight. Knows tensor types; knows no model's answers: what it costs in quality, a gate says.

Small and sensitive tensors keep their bits: norms and biases stay as they are, and token embeddings and the output layer, which
meet every token, never go below 8 bits unless it is asked for. The plain types (Q4_0 … Q8_0) are written here with the `gguf`
package; mixed types (``Q4_K_M`` …) take llama.cpp's ``llama-quantize``, where it is installed.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from . import gguf_file
from .gguf_file import GgufError, Tensor, Written

BITS: Final = {
    "F32": 32.0, "F16": 16.0, "BF16": 16.0, "Q8_0": 8.5, "Q6_K": 6.5625, "Q5_1": 6.0, "Q5_0": 5.5, "Q5_K": 5.5, "Q4_1": 5.0,
    "Q4_0": 4.5, "Q4_K": 4.5, "Q3_K": 3.4375, "Q2_K": 2.625,
}  # fmt: skip
"""Bits of a weight, with its share of the block's scale (llama.cpp, ggml-common.h)."""

OWN: Final = ("F32", "F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0")
"""Types that need no other program."""
MIXED: Final = (
    "Q6_K",
    "Q5_K_M",
    "Q5_K_S",
    "Q4_K_M",
    "Q4_K_S",
    "Q3_K_L",
    "Q3_K_M",
    "Q3_K_S",
    "Q2_K",
    "IQ4_NL",
    "IQ4_XS",
)
"""Types that ``llama-quantize`` writes."""
_TOKENS: Final = ("token_embd.weight", "output.weight")

Tool = Literal["gguf", "llama-quantize"]


class Requantised(Struct, frozen=True):
    """What came of it."""

    written: Written
    before: Written
    """The source; its CPU time is 0."""
    kind: str
    tool: Tool
    tool_version: str
    kept: dict[str, str]
    """Tensors of weights that did not take the wanted type, and why; norms and biases are not counted."""
    upward: bool
    """It was made from fewer bits than it has: larger, and no better."""
    cpu_s: float


def requantise(source: Path, out: Path, kind: str, *, tokens: str | None = None) -> Requantised:
    """Write ``source`` anew with its weights as ``kind``.

    Args:
        kind: one of `OWN`, or of `MIXED` where ``llama-quantize`` is on the PATH.
        tokens: type of the token embeddings and the output layer; None: Q8_0 for types below 8 bits, else ``kind``, and never
            more bits than they have.

    Raises GgufError: unknown type, unusable source, no room. ``out`` is then as it was.
    """
    wanted = kind.upper()
    before = gguf_file.look(source)
    if wanted in MIXED:
        return _by_llama(source, out, wanted, before)
    if wanted not in OWN:
        raise GgufError(
            f"'{kind}' is no type to write; there are {', '.join(OWN)}, and with llama-quantize {', '.join(MIXED)}"
        )
    if tokens is not None and tokens.upper() not in OWN:
        raise GgufError(f"'{tokens}' is no type for the embeddings; there are {', '.join(OWN)}")
    head = tokens.upper() if tokens else ("Q8_0" if BITS[wanted] < BITS["Q8_0"] else wanted)
    kept: dict[str, str] = {}

    def kinds(tensor: Tensor) -> str:
        chosen, why = choose(tensor, wanted, head, forced=tokens is not None)
        if why:
            kept[tensor.name] = why
        return chosen

    written = gguf_file.rewrite(source, out, kinds=kinds)
    return Requantised(
        written=written,
        before=before,
        kind=wanted,
        tool="gguf",
        tool_version=_version(),
        kept=kept,
        upward=written.bits_per_weight > before.bits_per_weight,
        cpu_s=written.cpu_s,
    )


def choose(tensor: Tensor, wanted: str, head: str, *, forced: bool = False) -> tuple[str, str]:
    """The type of a tensor in the new file, and why it is not the wanted one (empty: it is, or it is no matrix of weights)."""
    if len(tensor.shape) < 2 or not tensor.name.endswith(".weight") or "norm" in tensor.name:
        return tensor.kind, ""
    to = head if tensor.name in _TOKENS else wanted
    if tensor.name in _TOKENS and not forced and BITS.get(tensor.kind, 0) < BITS[to]:
        return tensor.kind, f"has {tensor.kind} already; more bits would add nothing"
    if tensor.shape[-1] % (1 if BITS[to] >= 16 else 32):
        stay = tensor.kind if tensor.kind != "F32" else "F16"
        return stay, f"rows of {tensor.shape[-1]} weights are no multiple of 32"
    if (
        "ffn_gate_inp" in tensor.name
    ):  # a router of experts: a few weights that decide much; llama.cpp leaves it alone too
        return tensor.kind, "chooses the experts"
    return to, "" if to == wanted else f"token embeddings and output layer stay at {to}"


def _by_llama(source: Path, out: Path, kind: str, before: Written) -> Requantised:
    tool = shutil.which("llama-quantize")
    if tool is None:
        raise GgufError(f"{kind} takes llama.cpp's llama-quantize on the PATH; without it there are {', '.join(OWN)}")
    began = _children_s()
    with gguf_file.whole(out) as part:
        command = [tool, "--allow-requantize", str(source), str(part), kind, "1"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
            raise GgufError(f"llama-quantize could not write {out}: {last[0]}")
    spent = _children_s() - began
    written = gguf_file.look(out, spent)
    return Requantised(
        written=written,
        before=before,
        kind=kind,
        tool="llama-quantize",
        tool_version="not stated",
        kept={},
        upward=written.bits_per_weight > before.bits_per_weight,
        cpu_s=written.cpu_s,
    )


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - only for the report

    return f"gguf {version('gguf')}"
