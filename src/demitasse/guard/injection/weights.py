"""The detector's file: a header of JSON, then one byte a bucket and head. Knows how it lies on disk; nothing of texts.

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
from .grams import BITS
from .pinned import SHA256

FILE: Final = Path(__file__).with_name("weights.bin")
_MAGIC: Final = b"demitasse injection 1\n"

Bytes = NDArray[np.int8]


class Head(Struct, frozen=True):
    """One linear question to a text.

    A sentence's logit is the sum of the weights of its runs, each counted once, over the square root of how many there are, plus
    ``bias``; a text's is the largest, less ``slack`` times the logarithm of how many sentences there are.
    """

    scale: float
    """What one step of a byte is worth."""
    bias: float
    slack: float
    knots: tuple[tuple[float, float], ...] = ()
    """Logit, and the share of honest texts (not trained on) that reach it: rising, and falling."""


class Header(Struct, frozen=True):
    """What the bytes mean, and where they come from."""

    bits: int
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
    """

    def __init__(self, header: Header, direct: Bytes, order: Bytes) -> None:
        size = 1 << BITS
        if header.bits != BITS or direct.shape != (size,) or order.shape != (size,):
            raise ValueError(f"weights of 2^{header.bits} buckets do not fit runs hashed to 2^{BITS}")
        self.header = header
        self.direct = direct
        self.order = order

    def dump(self) -> bytes:
        """The file; the same bytes for the same weights."""
        return b"".join((_MAGIC, msgspec.json.encode(self.header), b"\n", self.direct.tobytes(), self.order.tobytes()))


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
        both = np.frombuffer(data, np.int8, offset=end + 1)
        return Weights(header, *np.split(both, 2))
    except (ValueError, msgspec.DecodeError) as error:
        raise ConfigError(f"{FILE.name} holds no weights of the injection detector: {error}") from error


def load(path: Path = FILE) -> Weights:
    """The shipped weights. Raises ConfigError."""
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"the injection detector's weights cannot be read ({error}); install demitasse again"
        ) from error
