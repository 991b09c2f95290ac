"""A student: a small model that learns a task from lessons, as GGUF files that an engine can serve. Puts the steps together.

Knows files in and files out; how it learns is `training`, how weights get into GGUF `torch_model`. Nothing appears in ``out``
until it is whole, and a kill leaves no half file there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from . import gguf_file
from .artefact import libraries
from .gguf_file import Written
from .lesson import Lesson
from .requantise import requantise
from .torch_model import Loaded, TrainingError, load, write
from .training import Recipe, Say, Trained, cpu_s, train

PACKAGES = ("torch", "transformers", "peft", "gguf", "tokenizers", "numpy")
KINDS = ("Q8_0", "Q5_0", "Q4_0")
"""Types that a student is written as, beside F16. Measure before you take the smallest: of SmolLM2-135M, Q4_0 lost 8 answers of
60 and Q5_0 none (bench/results/student.json)."""


class Student(Struct, frozen=True):
    """What came of it: files by type, and all that a manifest wants to know."""

    files: dict[str, Written]
    """``F16`` (the merged model, which the others are made from), ``Q8_0``, ``Q5_0``, ``Q4_0``."""
    base: Written
    recipe: Recipe
    trained: Trained
    seed: int
    method: str
    """In words, for a manifest."""
    cpu_s: float
    """Loading, training, merging, writing: all of it."""
    libraries: dict[str, str]

    @property
    def parameters(self) -> dict[str, object]:
        """The recipe, for a manifest."""
        found: dict[str, object] = msgspec.to_builtins(self.recipe)
        return found


def student(
    base: Path,
    lessons: Sequence[Lesson],
    out: Path,
    recipe: Recipe | None = None,
    *,
    seed: int = 7,
    device: str = "auto",
    kinds: Sequence[str] = KINDS,
    keep_half: bool = False,
    say: Say = lambda _text: None,
) -> Student:
    """Train a LoRA student, merge it, and write it as GGUF.

    Args:
        base: the small model's GGUF file (architectures: `torch_model.ARCHITECTURES`).
        lessons: to learn from; some are held back to know when to stop. Never what it will be measured on.
        out: a folder; files are named ``student.Q4_0.gguf``.
        seed: of adapters, order and what is held back.
        device: ``auto``, ``cpu``, ``cuda``.
        kinds: types to write.
        keep_half: keep the F16 file too.
        say: hears how far it is.

    Raises TrainingError, GgufError.
    """
    recipe = recipe or Recipe()
    began = cpu_s()
    loaded = load(base, device=device, threads=recipe.threads)
    layers = list(range(loaded.layers))
    merged, trained = train(loaded, lessons, recipe, seed=seed, say=say)
    files = written(loaded, dict(changed(merged)), out, "student", kinds, layers=None, keep_half=keep_half)
    return Student(
        files=files,
        base=gguf_file.look(base),
        recipe=recipe,
        trained=trained,
        seed=seed,
        method=f"LoRA of rank {recipe.rank} on all matrices of {len(layers)} layers, merged",
        cpu_s=round(cpu_s() - began, 2),
        libraries=libraries(PACKAGES),
    )


def changed(merged: object) -> list[tuple[str, object]]:
    """The matrices that adapters have changed: all of the layers'."""
    return [
        (name, value)
        for name, value in merged.named_parameters()  # type: ignore[attr-defined]
        if ".layers." in name and name.endswith("_proj.weight")
    ]


def written(
    loaded: Loaded,
    weights: dict[str, object],
    out: Path,
    stem: str,
    kinds: Sequence[str],
    *,
    layers: list[int] | None,
    keep_half: bool,
) -> dict[str, Written]:
    """The model as F16 and, made from that, in each type; by type."""
    wanted = [kind.upper() for kind in kinds if kind.upper() != "F16"]
    keep_half = keep_half or len(wanted) < len(kinds)
    if not wanted and not keep_half:
        raise TrainingError("name a type to write, or keep the F16 file; else nothing would be left")
    out.mkdir(parents=True, exist_ok=True)
    half = out / f".{stem}.F16.gguf"  # hidden as long as it is only a step on the way
    files = {"F16": write(loaded, weights, half, kept_layers=layers)}
    for kind in wanted:
        files[kind] = requantise(half, out / f"{stem}.{kind}.gguf", kind).written
    if keep_half:
        files["F16"] = structs.replace(files["F16"], path=half.replace(out / f"{stem}.F16.gguf"))
    else:
        half.unlink()
        del files["F16"]
    return files
