"""A text to 256 numbers: the mean of its words' static vectors. Knows a file of tensors and a tokenizer; no model runs.

The file is the catalogue's ``wordllama-256``: safetensors, and right behind them the tokenizer's JSON. The tensors stay on
disk and are mapped: what is resident are the pages of words that were met.
"""

from __future__ import annotations

import json
import mmap
import re
import unicodedata
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DemitasseError

Vector = NDArray[np.float32]

MAX_CHARS: Final = 8_000
"""Of a text; what comes after is not looked at."""
_WORDS_KEPT: Final = 4_096
"""Vectors of words kept ready (1 kB each): nearly all words of a text were met before."""
_WORD: Final = re.compile(r"\w+(?:['’]\w+)?")


class EmbedError(DemitasseError):
    """The embedding's file cannot be used, or the library that reads its tokenizer is missing."""


class Embedder:
    """Texts to vectors, from the file at ``path``.

    Raises:
        EmbedError: no such file, not an embedding, or the extra ``semantic`` is not installed.
    """

    def __init__(self, path: Path) -> None:
        tensors, tokenizer = _read(path)
        self._tensors = tensors
        self._encode = _tokenizer(tokenizer).encode
        self.dims = int(tensors.shape[1])
        self._rows = np.zeros((_WORDS_KEPT, self.dims), np.float32)
        self._row: OrderedDict[str, int] = OrderedDict()
        """Which row holds which word, least recently used first."""

    def __call__(self, text: str) -> Vector:
        """The unit vector of a text, float32 of shape (dims,); zeros for a text without words.

        Case, width (NFKC), punctuation and the order of words make no difference: what depends on them is for others
        to tell apart.
        """
        found = words(text)
        if not found:
            return np.zeros(self.dims, np.float32)
        total: Vector = self._rows[self._at(found)].sum(axis=0)
        norm = float(np.sqrt(total @ total))
        return total / norm if norm else total

    def _at(self, found: list[str]) -> list[int]:
        row = self._row
        missing = [word for word in dict.fromkeys(found) if word not in row]
        if missing:
            # Room is made before anything is added, so that no word of this text is put out by another.
            for word in found:
                if word in row:
                    row.move_to_end(word)
            for word in missing:  # one by one: the library's batches start threads
                ids = self._encode(word, add_special_tokens=False).ids
                at = len(row) if len(row) < _WORDS_KEPT else row.popitem(last=False)[1]
                row[word] = at
                self._rows[at] = self._tensors[ids].astype(np.float32).sum(axis=0)
        return [row[word] for word in found]


def words(text: str) -> list[str]:
    """The words of a text as the embedding sees them."""
    return _WORD.findall(unicodedata.normalize("NFKC", text[:MAX_CHARS]).lower())


def _read(path: Path) -> tuple[NDArray[Any], bytes]:
    """The one matrix of a safetensors file, mapped, and the bytes behind it (format: length, JSON head, data)."""
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise EmbedError(
            f"the embedding {path} cannot be read ({error}); get it with: demitasse models pull wordllama-256"
        ) from error
    try:
        length = int.from_bytes(mapped[:8], "little")
        head = json.loads(mapped[8 : 8 + length])
        (name,) = head.keys() - {"__metadata__"}
        tensor = head[name]
        begin, end = (8 + length + int(at) for at in tensor["data_offsets"])
        shape = tuple(int(size) for size in tensor["shape"])
        kind: np.dtype[Any] = np.dtype({"F16": "<f2", "F32": "<f4"}[tensor["dtype"]])
        matrix = np.frombuffer(mapped, kind, count=(end - begin) // kind.itemsize, offset=begin).reshape(shape)
        _rows, _columns = matrix.shape
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EmbedError(
            f"{path} is no embedding ({error}); delete it and run: demitasse models pull wordllama-256"
        ) from error
    return matrix, mapped[end:]


def _tokenizer(text: bytes) -> Any:
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise EmbedError(
            "the semantic cache needs the library tokenizers; install it with: pip install 'demitasse[semantic]'"
        ) from error
    try:
        made = Tokenizer.from_str(text.decode())
    except (KeyboardInterrupt, SystemExit):
        raise
    except (
        BaseException
    ) as error:  # plain Exceptions, and on some made-up files a panic, which is none (tokenizers#2094)
        raise EmbedError(f"the tokenizer behind the embedding's tensors cannot be read: {error}") from error
    made.no_padding()
    made.no_truncation()
    return made
