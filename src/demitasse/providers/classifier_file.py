"""A tiny classifier as it lies on disk and as it computes: one matrix over an embedding, a temperature, a threshold.

Knows arrays and bytes; knows no call and no training. ``head.npz`` holds ``weights`` (labels x dims) and ``bias`` (labels),
``classifier.json`` the Settings.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .made import MadeError

Vector = NDArray[np.float32]
HEAD: Final = "head.npz"
SETTINGS: Final = "classifier.json"


class Settings(Struct, frozen=True, omit_defaults=True):
    """What a classifier was trained for."""

    labels: tuple[str, ...]
    embedding: str
    """A name of the catalogue's embeddings (``wordllama-256``), or ``made:NAME`` of an encoder."""
    embedding_sha256: str
    temperature: float = 1.0
    """Logits are divided by it, so that a confidence is a probability (Guo et al., ICML 2017)."""
    threshold: float = 0.0
    """Below this confidence it abstains; above 1: always."""
    prefix: str = ""
    """What stands before the text in the user's message; it says nothing, and is left out."""
    suffix: str = ""
    system: str | None = None
    """The system prompt that it stands in for: with another one it abstains. None: with any."""
    shots: int = 0
    """Messages (no system prompt) before the last one, as in training: with other history it abstains."""
    answer_key: str = "answer"
    """Member of a JSON answer that the label goes into, where the request's schema does not say it better."""
    tokens_per_s: float = 50_000.0
    """Measured when it was made, on one core."""


class Head:
    """Labels from vectors.

    Args:
        weights: float32 of shape (labels, dims).
        bias: float32 of shape (labels,).
    """

    def __init__(self, settings: Settings, weights: Vector, bias: Vector) -> None:
        if weights.shape != (len(settings.labels), weights.shape[-1]) or bias.shape != (len(settings.labels),):
            raise ValueError(f"{len(settings.labels)} labels do not fit weights of shape {weights.shape}")
        self.settings = settings
        self.weights = weights
        self.bias = bias

    def probabilities(self, vectors: Vector) -> NDArray[np.float64]:
        """Of each label: shape (..., labels), for vectors of shape (..., dims)."""
        logits = (vectors @ self.weights.T + self.bias).astype(float) / self.settings.temperature
        raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
        found: NDArray[np.float64] = raised / raised.sum(axis=-1, keepdims=True)
        return found

    def bare(self, message: str) -> str:
        """A user's message without the template that it was put in."""
        text, s = message.strip(), self.settings
        prefix, suffix = s.prefix.strip(), s.suffix.strip()
        if text.startswith(prefix) and text.endswith(suffix) and len(text) >= len(prefix) + len(suffix):
            text = text[len(prefix) : len(text) - len(suffix)]
        return text.strip()

    def dump(self) -> dict[str, bytes]:
        """The two files, by name; the same bytes for the same head."""
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as whole:  # not np.savez: that writes the time of day
            for name, array in (("weights", self.weights), ("bias", self.bias)):
                member = io.BytesIO()
                np.lib.format.write_array(member, np.ascontiguousarray(array, dtype=np.float32), allow_pickle=False)
                whole.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
        return {HEAD: file.getvalue(), SETTINGS: msgspec.json.format(msgspec.json.encode(self.settings), indent=1)}


def read_head(folder: Path) -> Head:
    """The classifier in a folder. Raises MadeError."""
    try:
        settings = read_settings(folder)
        with np.load(folder / HEAD, allow_pickle=False) as arrays:
            weights: Any = arrays["weights"]
            bias: Any = arrays["bias"]
        return Head(settings, weights.astype(np.float32), bias.astype(np.float32))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise MadeError(f"{folder} is no classifier that can be used ({error}); make it again") from error


def read_settings(folder: Path) -> Settings:
    """What it was trained for, without its matrix. Raises MadeError."""
    try:
        return msgspec.json.decode((folder / SETTINGS).read_bytes(), type=Settings)
    except (OSError, msgspec.DecodeError) as error:
        raise MadeError(f"{folder / SETTINGS} cannot be read ({error}); make the classifier again") from error
