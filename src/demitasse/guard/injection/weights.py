"""The detector's file: a header of JSON, two bytes a bucket and head, four a feature of words. Knows nothing of texts.

No pickle: what is read can only be numbers. Its SHA-256 is pinned in ``pinned``, and a file that does not match is not used.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from ...core.errors import ConfigError
from . import lexicon
from .grams import BITS
from .pinned import SHA256

FILE: Final = Path(__file__).with_name("weights.bin")
_MAGIC: Final = b"demitasse injection 2\n"

Steps = NDArray[np.int16]
Floats = NDArray[np.float32]


class Head(Struct, frozen=True):
    """One linear question to a text.

    A stretch's logit is the sum of the weights of its runs, each counted once, over the square root of how many there are, plus
    those of what its words say, plus ``bias``; a text's is that of all together, or, of a long one, that of its worst sentence
    less ``slack`` times the logarithm of how many sentences there are, but of no more than ``crowd``.
    """

    scale: float
    """What one step of a weight is worth."""
    bias: float
    slack: float
    crowd: int = 1_000_000
    knots: tuple[tuple[float, float], ...] = ()
    """Logit, and the share of honest texts (not trained on) that reach it: rising, and falling."""
    long: tuple[tuple[float, float], ...] = ()
    """The same of honest texts that are read by sentence; empty: as all others."""


class Header(Struct, frozen=True):
    """What the bytes mean, and where they come from."""

    bits: int
    lexicon: str
    """The state of the words' classes that the weights belong to."""
    direct: Head
    order: Head
    seed: int
    trained: dict[str, int] = {}
    """Texts by source."""
    calibrated: dict[str, int] = {}


class Weights:
    """Args:
    direct: of buckets, for texts that a user wrote: does it attack?
    order: the same for a sentence of a text that nobody should be ordered by: does it ask something of an assistant?
    words: of the features of the lexicon, for ``direct``; logits, not steps.
    """

    def __init__(self, header: Header, direct: Steps, order: Steps, words: Floats) -> None:
        size = 1 << BITS
        if header.bits != BITS or direct.shape != (size,) or order.shape != (size,):
            raise ValueError(f"weights of 2^{header.bits} buckets do not fit runs hashed to 2^{BITS}")
        if header.lexicon != lexicon.digest() or words.shape != (lexicon.SIZE,):
            raise ValueError(f"they belong to another state of {lexicon.FILE.name}")
        self.header = header
        self.direct = direct
        self.order = order
        self.words = words
        self.said: list[float] = words.tolist()
        """The same for pure Python."""

    def dump(self) -> bytes:
        """The file; the same bytes for the same weights."""
        numbers = self.direct.astype("<i2"), self.order.astype("<i2"), self.words.astype("<f4")
        return b"".join((_MAGIC, msgspec.json.encode(self.header), b"\n", *(array.tobytes() for array in numbers)))


def read(data: bytes, *, sha256: str | None = SHA256) -> Weights:
    """Weights from a file's bytes; ``sha256`` None: whatever they are (for training).

    Raises ConfigError: these are not the bytes that were pinned, or no weights at all.
    """
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise ConfigError(
            f"{FILE.name} of the injection detector is not the file that this version was tested with: its SHA-256 is "
            f"{hashlib.sha256(data).hexdigest()[:12]}…, not {sha256[:12]}…; install demitasse again"
        )
    if not data.startswith(_MAGIC):
        raise ConfigError(f"{FILE.name} is no file of the injection detector; install demitasse again")
    try:
        end = data.index(b"\n", len(_MAGIC))
        header = msgspec.json.decode(data[len(_MAGIC) : end], type=Header)
        words = len(data) - 4 * lexicon.SIZE
        direct, order = np.split(np.frombuffer(data[end + 1 : max(end + 1, words)], "<i2").astype(np.int16), 2)
        return Weights(header, direct, order, np.frombuffer(data[words:], "<f4").astype(np.float32))
    except (ValueError, TypeError, msgspec.DecodeError) as error:
        raise ConfigError(f"{FILE.name} holds no weights of the injection detector: {error}") from error


def load(path: Path = FILE) -> Weights:
    """The shipped weights. Raises ConfigError."""
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"the injection detector's weights cannot be read ({error}); install demitasse again"
        ) from error
