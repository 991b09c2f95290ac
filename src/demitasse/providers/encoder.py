"""Texts to vectors, from a catalogue's embedding or a made ONNX encoder, behind one function. Knows files, not who asks.

An ONNX encoder is a folder with ``model.onnx`` and ``tokenizer.json``; the mean of its last layer over the text's tokens, as a
unit vector (Reimers & Gurevych, "Sentence-BERT", EMNLP 2019).
"""

# ruff: noqa: PLC0415 - extras
from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DemitasseError
from ..score.embed import Embedder, words
from . import made
from .catalogue import embeddings
from .download import place, present

Vector = NDArray[np.float32]
MODEL: Final = "model.onnx"
TOKENIZER: Final = "tokenizer.json"
MAX_TOKENS: Final = 256


class EncoderError(DemitasseError):
    """An encoder that cannot be used; the sentence says what to do."""


class Encoder(Protocol):
    """One text to one unit vector (float32; zeros for a text without words), and how many tokens were read."""

    dims: int

    def __call__(self, text: str) -> tuple[Vector, int]: ...


class Static:
    """The catalogue's static vectors."""

    quick = True
    """Microseconds: need not leave the event loop."""

    def __init__(self, path: Path) -> None:
        self._embed = Embedder(path)
        self.dims = self._embed.dims

    def __call__(self, text: str) -> tuple[Vector, int]:
        return self._embed(text), len(words(text))


class Onnx:
    """A made encoder, on one thread.

    Raises EncoderError: a file is missing, or the extra ``onnx``.
    """

    quick = False

    def __init__(self, folder: Path, *, model: str = MODEL) -> None:
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise EncoderError(f"an ONNX encoder needs {error.name}: pip install 'demitasse[onnx]'") from error
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / model), settings, providers=["CPUExecutionProvider"]
            )
            self._tokenizer: Any = Tokenizer.from_file(str(folder / TOKENIZER))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # both libraries raise kinds of their own; a panic of tokenizers is no Exception
            raise EncoderError(f"{folder} is no encoder that can be used ({error}); make it again") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._wanted = {one.name for one in self._session.get_inputs()}
        self._lock = threading.Lock()
        self.dims = int(self._session.get_outputs()[0].shape[-1])

    def __call__(self, text: str) -> tuple[Vector, int]:
        with self._lock:
            found = self._tokenizer.encode(text)
            ids = np.array([found.ids], np.int64)
            given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
            (hidden, *_) = self._session.run(None, {name: given[name] for name in self._wanted})
        mean: Vector = hidden[0].mean(axis=0).astype(np.float32)
        norm = float(np.linalg.norm(mean))
        return (mean / norm if norm else mean), len(found.ids)


def encoder(name: str, models: Path) -> tuple[Static | Onnx, str]:
    """What a classifier's setting ``embedding`` means, and the SHA-256 of its file.

    Raises EncoderError: no such embedding, or its file is not there.
    """
    if name.startswith(made.PREFIX):
        try:
            found = made.look(models, name.removeprefix(made.PREFIX))
            sha256 = next(file.sha256 for file in found.files if file.name == MODEL)
        except made.MadeError as error:
            raise EncoderError(str(error)) from error
        except StopIteration:
            raise EncoderError(f"the made model '{name}' is no encoder; see: demitasse models list") from None
        return _onnx(made.folder(models, found.name), sha256), sha256
    entry = embeddings().get(name)
    if entry is None:
        raise EncoderError(f"no embedding '{name}'; there are: {', '.join(embeddings())}, and made:NAME of an encoder")
    if not present(entry, models):
        raise EncoderError(f"the embedding '{name}' is not here; get it with: demitasse models pull {name}")
    return _static(place(entry, models)), entry.sha256


@lru_cache(maxsize=4)
def _static(path: Path) -> Static:
    return Static(path)


@lru_cache(maxsize=4)
def _onnx(folder: Path, sha256: str) -> Onnx:  # noqa: ARG001 - another file is another encoder
    return Onnx(folder)
