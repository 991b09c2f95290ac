"""Prune and heal: a model without some of its layers, and LoRA on lessons to close the wound. Knows which layers do least.

Which to leave out is measured on the lessons' own prompts, before anything is trained:

* ``block``: the ``drop`` neighbouring layers over which the last token's state turns by the smallest angle (Gromov et al. 2024,
  The Unreasonable Ineffectiveness of the Deeper Layers, arXiv:2403.17887).
* ``influence``: the ``drop`` single layers that turn states least (Men et al. 2024, ShortGPT, arXiv:2403.03853).

Whether it was worth it, a gate says. For models as small as the catalogue's default it often is not.
"""

# ruff: noqa: PLC0415 - torch is an extra

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from . import gguf_file
from .artefact import libraries
from .gguf_file import Written
from .lesson import Lesson
from .student import KINDS, PACKAGES, changed, written
from .torch_model import Loaded, TrainingError, load, packages
from .training import Recipe, Say, Trained, cpu_s, encode, train

Choice = Literal["block", "influence"]
PROMPTS = 64
"""Lessons whose prompts the layers are measured on."""


class Healed(Struct, frozen=True):
    """What came of it, whichever way it went."""

    files: dict[str, Written]
    wounded: dict[str, Written]
    """The same layers left out, nothing trained: what healing has to be held against. Empty unless asked for."""
    base: Written
    choice: Choice
    dropped: tuple[int, ...]
    """Layers left out, counted from 0."""
    layers: int
    """That the base has."""
    angles: tuple[float, ...]
    """How far each layer turns states, in units of half a turn: of all tokens for ``influence``; for ``block`` of the last token,
    over ``drop`` layers from this one on."""
    recipe: Recipe
    trained: Trained
    seed: int
    method: str
    cpu_s: float
    libraries: dict[str, str]


def heal(
    base: Path,
    lessons: Sequence[Lesson],
    out: Path,
    recipe: Recipe | None = None,
    *,
    drop: int,
    choice: Choice = "block",
    seed: int = 7,
    device: str = "auto",
    kinds: Sequence[str] = KINDS,
    wounded: bool = False,
    say: Say = lambda _text: None,
) -> Healed:
    """Leave layers out, train what is left, write it as GGUF with the block count that is true.

    Args:
        drop: how many layers to leave out.
        choice: how they are chosen.
        wounded: write the untrained model too.
        others: as of `student.student`.

    Raises TrainingError (also where ``drop`` leaves less than two layers), GgufError.
    """
    recipe = recipe or Recipe()
    began = cpu_s()
    loaded = load(base, device=device, threads=recipe.threads)
    if not 0 < drop <= loaded.layers - 2:
        raise TrainingError(f"{drop} of {loaded.layers} layers cannot be left out; 1 to {loaded.layers - 2} can")
    angles = measured(loaded, lessons, drop, choice)
    dropped = least(angles, drop, choice)
    kept = [layer for layer in range(loaded.layers) if layer not in dropped]
    say(f"layers {', '.join(str(layer) for layer in dropped)} of {loaded.layers} are left out")
    before = written(loaded, {}, out, "wounded", kinds, layers=kept, keep_half=False) if wounded else {}
    cut(loaded.model, kept)
    merged, trained = train(loaded, lessons, recipe, seed=seed, say=say)
    files = written(loaded, _renamed(changed(merged), kept), out, "healed", kinds, layers=kept, keep_half=False)
    return Healed(
        files=files,
        wounded=before,
        base=gguf_file.look(base),
        choice=choice,
        dropped=dropped,
        layers=loaded.layers,
        angles=tuple(round(float(angle), 5) for angle in angles),
        recipe=recipe,
        trained=trained,
        seed=seed,
        method=f"{drop} of {loaded.layers} layers left out ({choice}), healed by LoRA of rank {recipe.rank}, merged",
        cpu_s=round(cpu_s() - began, 2),
        libraries=libraries(PACKAGES),
    )


def measured(loaded: Loaded, lessons: Sequence[Lesson], drop: int, choice: Choice) -> NDArray[np.float64]:
    """How far layers turn states, over `PROMPTS` lessons; shape (layers,) or, for ``block``, (layers - drop + 1,)."""
    torch, _, _ = packages()
    span = drop if choice == "block" else 1
    found = []
    with torch.no_grad():
        for lesson in lessons[:: max(1, len(lessons) // PROMPTS)][:PROMPTS]:  # rows may lie sorted by their answers
            coded = encode(loaded, lesson)
            states = _states(torch, loaded, coded.prompt)
            seen = states[:, -1:] if choice == "block" else states
            found.append([angle(seen[at], seen[at + span]) for at in range(len(seen) - span)])
    mean: NDArray[np.float64] = np.mean(np.array(found, float), axis=0)
    return mean


def least(angles: NDArray[np.float64], drop: int, choice: Choice) -> tuple[int, ...]:
    """The layers to leave out, in order."""
    if choice == "block":
        first = int(np.argmin(angles))
        return tuple(range(first, first + drop))
    return tuple(sorted(int(at) for at in np.argsort(angles, kind="stable")[:drop]))


def angle(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Mean angle between rows, 0 to 1 (half a turn)."""
    cosine = (a * b).sum(-1) / np.maximum(np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1), 1e-12)
    return float(np.arccos(np.clip(cosine, -1, 1)).mean() / np.pi)


def cut(model: Any, kept: Sequence[int]) -> None:
    """Leave layers out of a model in memory."""
    from torch.nn import ModuleList

    layers = model.model.layers
    model.model.layers = ModuleList(layers[at] for at in kept)
    for at, layer in enumerate(model.model.layers):
        layer.self_attn.layer_idx = at  # where its keys and values lie in the cache
    model.config.num_hidden_layers = len(kept)
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = [model.config.layer_types[at] for at in kept]


def _states(torch: Any, loaded: Loaded, tokens: list[int]) -> NDArray[np.float32]:
    """States before the first layer and after each, shape (layers + 1, tokens, width). Hooks, since the last of
    ``output_hidden_states`` has been through the final norm already."""
    found: list[Any] = []

    def after(_module: Any, given: Any, out: Any) -> None:
        if not found:
            found.append(given[0])
        found.append(out[0] if isinstance(out, tuple) else out)

    hooks = [layer.register_forward_hook(after) for layer in loaded.model.model.layers]
    try:
        loaded.model.model(input_ids=torch.tensor([tokens], device=loaded.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    states: NDArray[np.float32] = torch.stack([state[0].float().cpu() for state in found]).numpy()
    return states


def _renamed(weights: list[tuple[str, object]], kept: Sequence[int]) -> dict[str, object]:
    """Tensors by the layer that they had before some were left out."""
    found = {}
    for name, value in weights:
        head, number, rest = name.split(".layers.")[0], *name.split(".layers.")[1].split(".", 1)
        found[f"{head}.layers.{kept[int(number)]}.{rest}"] = value
    return found
