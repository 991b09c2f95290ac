"""The head of a GGUF file: what the model is, how large, and whether the file is whole. Knows no tensor's content.

A file's label can lie, so bits per weight are read from the tensors' own sizes. Layout: the GGUF specification, version
2 and 3 (little-endian): magic, version, counts, typed key-value pairs, tensor descriptions, aligned tensor data.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from ..core.errors import DemitasseError

_SCALARS: Final = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_BLOCKS: Final = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 30: ("BF16", 1, 2),
}  # fmt: skip
"""ggml's tensor types: name, weights in a block, bytes of a block."""
_MOST = 1 << 20
"""No file has more tensors or keys than this; a larger count is damage."""
_DIMENSIONS = 4
"""ggml's own limit (GGML_MAX_DIMS). Without one, a small file could keep us multiplying for minutes."""


class BadFileError(DemitasseError):
    """A file that is not a usable GGUF; the message says what is wrong with it and what to do."""


class Head(Struct, frozen=True):
    """What a GGUF file says of itself, and what its tensors say."""

    architecture: str
    name: str
    context: int
    """Tokens the model was trained for; 0 when the file does not say."""
    parameters: int
    quantisation: str
    """The tensor type that holds most weights, e.g. ``Q4_1``."""
    bits_per_weight: float
    chat_template: str | None
    kv_bytes_per_token: int
    """Memory that each token of context takes at 16 bits, over all layers; 0 when the file does not say."""
    size_bytes: int
    licence: str = ""
    """As the file states it: ``general.license``, an SPDX expression, or its name where that says no more than ``other``."""
    base: str = ""
    """Which model it was made from, as the file says (``general.base_model.0``)."""


def read_head(path: Path) -> Head:
    """Reads the head and checks that the tensors end where the file does. Milliseconds; no tensor is loaded.

    Raises:
        BadFileError: missing, not GGUF, damaged or cut short.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _read(path, data)
    except FileNotFoundError:
        raise BadFileError(f"there is no file {path}; see: demitasse models list") from None
    except OSError as error:
        raise BadFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except (struct.error, IndexError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadFileError(f"{path} is empty, cut short or damaged ({error}); delete it and fetch it again") from None


def _read(path: Path, data: mmap.mmap) -> Head:
    if data[:4] != b"GGUF":
        raise BadFileError(f"{path} is not a GGUF file: it begins with {bytes(data[:4])!r}")
    version, tensor_count, key_count = struct.unpack_from("<IQQ", data, 4)
    if version not in (2, 3):
        raise BadFileError(f"{path} is GGUF version {version}; versions 2 and 3 can be read")
    if max(tensor_count, key_count) > _MOST:
        raise BadFileError(f"{path} is damaged: it claims {tensor_count} tensors; delete it and fetch it again")
    cursor = _Cursor(data, 24)
    facts = dict(cursor.pair() for _ in range(key_count))
    tensors = [cursor.tensor() for _ in range(tensor_count)]
    alignment = int(facts.get("general.alignment", 32)) or 32
    if alignment < 0 or alignment & (alignment - 1):
        raise ValueError(f"an alignment of {alignment}")
    start = -(-cursor.at // alignment) * alignment
    weights: dict[str, int] = {}
    stored = 0
    for count, kind, offset in tensors:
        name, per_block, block_bytes = _BLOCKS.get(kind, (f"type {kind}", 1, 0))
        weights[name] = weights.get(name, 0) + count
        end = start + offset + -(-count // per_block) * block_bytes
        if end > len(data):
            raise BadFileError(f"{path} is cut short: {len(data)} bytes where at least {end} belong; fetch it again")
        stored = max(stored, end - start)
    parameters = sum(weights.values())
    arch = str(facts.get("general.architecture", "unknown"))
    template = facts.get("tokenizer.chat_template")
    return Head(
        architecture=arch,
        name=_text(facts, "general.name") or path.stem,
        context=int(facts.get(f"{arch}.context_length", 0)),
        parameters=parameters,
        quantisation=max(weights, key=lambda name: weights[name]) if weights else "none",
        bits_per_weight=round(8 * stored / parameters, 2) if parameters else 0.0,
        chat_template=template if isinstance(template, str) else None,
        kv_bytes_per_token=_kv_bytes(facts, arch),
        size_bytes=len(data),
        licence=_licence(facts),
        base=_text(facts, "general.base_model.0.name"),
    )


def _licence(facts: dict[str, Any]) -> str:
    stated = _text(facts, "general.license")
    return _text(facts, "general.license.name") or stated if stated.casefold() in ("", "other") else stated


def _text(facts: dict[str, Any], key: str) -> str:
    """A short text of one line; what is none counts as missing."""
    value = facts.get(key, "")
    return " ".join(value.split())[:200] if isinstance(value, str) else ""


def _kv_bytes(facts: dict[str, Any], arch: str) -> int:
    def number(key: str, default: int = 0) -> int:
        value = facts.get(f"{arch}.{key}", default)
        return value if isinstance(value, int) else default

    heads = number("attention.head_count")
    width = number("embedding_length") // heads if heads else 0
    each = number("attention.key_length", width) + number("attention.value_length", width)
    return number("block_count") * number("attention.head_count_kv", heads) * each * 2


class _Cursor:
    """A place in the file that moves on with each thing read."""

    __slots__ = ("at", "data")

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self.data = data
        self.at = at

    def pair(self) -> tuple[str, Any]:
        key = self.text()
        return key, self.value(self.number("<I"))

    def tensor(self) -> tuple[int, int, int]:
        """(weights, type, offset)"""
        self.text()
        count, dimensions = 1, self.number("<I")
        if dimensions > _DIMENSIONS:
            raise ValueError(f"a tensor of {dimensions} dimensions")
        for _ in range(dimensions):
            count *= self.number("<Q")
        return count, self.number("<I"), self.number("<Q")

    def value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            return self.skip_array()
        raise ValueError(f"unknown value type {kind}")

    def skip_array(self) -> None:
        """Arrays are vocabularies and the like: passed over, as nothing here needs one.

        One that claims more than the file holds is found here, or the gguf package (0.19) would read it for ever.
        """
        kind, count = self.number("<I"), self.number("<Q")
        if kind in _SCALARS:
            self.at += struct.calcsize(_SCALARS[kind]) * count
            count = 0
        for _ in range(count):
            self.skip_text() if kind == _STRING else self.value(kind)
            if self.at > len(self.data):
                break
        if self.at > len(self.data):
            raise ValueError("an array runs past the end")

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def skip_text(self) -> None:
        self.at += 8 + int.from_bytes(self.data[self.at : self.at + 8], "little")

    def text(self) -> str:
        length = self.number("<Q")
        if self.at + length > len(self.data):
            raise ValueError("a text runs past the end")
        found = self.data[self.at : self.at + length].decode(errors="replace")
        self.at += length
        return found
