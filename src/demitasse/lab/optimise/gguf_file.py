"""A GGUF file written anew, tensor by tensor, from another one: the same metadata, other weights. Knows no model, no training.

One tensor is in memory at a time. The new file grows beside its place as a hidden ``.part`` and is renamed when it is whole and
on the disk: a kill or a full disk leaves the old file, or none. Reading and writing are the `gguf` package's (extra ``train``).
"""

# ruff: noqa: PLC0415 - gguf is an extra

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from ...core.errors import DemitasseError
from ...providers.gguf import BadFileError, read_head

Weights = NDArray[np.float32]
Give = Callable[[], Weights]
"""Makes a tensor when its turn comes, so that all of them are never in memory together. Shape as in PyTorch: (rows, columns)."""

_CHUNK = 16 << 20
"""Weights that are taken apart at a time."""


class GgufError(DemitasseError):
    """A GGUF file that cannot be read or written; the sentence says what to do."""


class Tensor(Struct, frozen=True):
    """A tensor of a file, without its numbers."""

    name: str
    kind: str
    """``Q4_0``, ``F32``, …"""
    shape: tuple[int, ...]
    """As in PyTorch: (rows, columns); GGUF itself counts the other way round."""


class Written(Struct, frozen=True):
    """A file that was written; all of it read from the file itself."""

    path: Path
    bytes: int
    sha256: str
    parameters: int
    bits_per_weight: float
    """Bytes of the tensors by their weights."""
    quantisation: str
    """The type that holds most weights."""
    tensors: dict[str, int]
    """How many there are of each type."""
    cpu_s: float


Kinds = Callable[[Tensor], str]


def rewrite(
    source: Path,
    out: Path,
    *,
    kinds: Kinds = lambda tensor: tensor.kind,
    weights: Mapping[str, Give] | None = None,
    rename: Callable[[str], str | None] = lambda name: name,
    facts: Mapping[str, int | float | str] | None = None,
) -> Written:
    """Write ``out`` from ``source``.

    Args:
        kinds: the type of each tensor in the new file; asked with what it is in the old one.
        weights: tensors with other content, by the name they have in ``source``.
        rename: the name in the new file; None: the tensor is left out.
        facts: metadata with other values; they keep the type that they had, and new ones get the type of the value.

    Raises GgufError: the source cannot be used, ``gguf`` is not installed, no room. Nothing is left of ``out`` then, except
    what was there before.
    """
    began = time.process_time()
    gguf = package()
    reader = _open(gguf, source)
    weights, facts = weights or {}, facts or {}
    missing = sorted(set(weights) - {tensor.name for tensor in reader.tensors})
    if missing:
        raise GgufError(f"{source} has no tensor '{missing[0]}' to put new weights in ({len(missing)} such)")
    with whole(out) as part:
        writer = gguf.GGUFWriter(None, "", endianess=gguf.GGUFEndian.LITTLE)
        _facts(
            gguf, reader, writer, facts, [kinds(_seen(one)) for one in reader.tensors if rename(one.name) is not None]
        )
        plan = []
        for one in reader.tensors:
            name = rename(one.name)
            if name is None:
                continue
            kind = getattr(gguf.GGMLQuantizationType, kinds(_seen(one)))
            rows, columns = _flat(_seen(one).shape)
            bytes_in_row = _row_bytes(gguf, columns, kind)
            writer.add_tensor_info(name, _seen(one).shape, np.dtype(np.float32), rows * bytes_in_row, kind)
            plan.append((one, kind))
        try:
            writer.write_header_to_file(part)
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            for one, kind in plan:
                writer.write_tensor_data(_content(gguf, one, kind, weights.get(one.name)))
        finally:
            writer.close()
    return look(out, time.process_time() - began)


def look(path: Path, cpu_s: float = 0.0) -> Written:
    """What a file on the disk is. Raises GgufError: it is none, or not whole."""
    try:
        head = read_head(path)
    except BadFileError as error:
        raise GgufError(str(error)) from error
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Written(
        path=path,
        bytes=head.size_bytes,
        sha256=digest,
        parameters=head.parameters,
        bits_per_weight=head.bits_per_weight,
        quantisation=head.quantisation,
        tensors=dict(Counter(tensor.kind for tensor in tensors(path))),
        cpu_s=round(cpu_s, 3),
    )


def tensors(path: Path) -> list[Tensor]:
    """All tensors of a file, in its order. Raises GgufError."""
    return [_seen(one) for one in _open(package(), path).tensors]


def facts(path: Path, *keys: str) -> dict[str, Any]:
    """These of the file's metadata that it has; all of it where no key is named. Raises GgufError."""
    fields = _open(package(), path).fields
    return {key: fields[key].contents() for key in (keys or fields) if key in fields}


def values(path: Path, name: str) -> Weights:
    """One tensor in single precision, shaped as in PyTorch. Raises GgufError."""
    gguf = package()
    for one in _open(gguf, path).tensors:
        if one.name == name:
            return _dequantised(gguf, one).reshape(_seen(one).shape)
    raise GgufError(f"{path} has no tensor '{name}'")


def package() -> Any:
    """The `gguf` module. Raises GgufError where it is missing."""
    try:
        import gguf
    except ImportError as error:
        raise GgufError("writing GGUF files needs the package gguf: pip install 'demitasse[train]'") from error
    return gguf


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A place to write to that becomes ``out`` when the block ends well; else nothing of it is left.

    One writer at a time: a second one waits. What a killed one left is written over.
    Raises GgufError for what the disk says.
    """
    part = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.with_name(f".{out.name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield part
                with part.open("rb") as file:
                    os.fsync(file.fileno())
                part.replace(out)
            finally:
                part.unlink(missing_ok=True)
                Path(lock.name).unlink(missing_ok=True)
    except OSError as error:
        raise GgufError(
            f"{out} could not be written ({error.strerror or error}); nothing was kept of it: make room, or correct the "
            "rights, and run the same again"
        ) from error


def _open(gguf: Any, path: Path) -> Any:
    try:
        read_head(path)  # says in a sentence what is wrong with a file; the reader below would only fail
        return gguf.GGUFReader(path)
    except BadFileError as error:
        raise GgufError(str(error)) from error
    except (ValueError, IndexError, KeyError) as error:
        raise GgufError(
            f"{path} cannot be read by the gguf package ({error}); it may be newer than the package"
        ) from error


def _seen(tensor: Any) -> Tensor:
    return Tensor(tensor.name, tensor.tensor_type.name, tuple(int(n) for n in reversed(tensor.shape)))


def _facts(gguf: Any, reader: Any, writer: Any, changed: Mapping[str, Any], kinds: list[str]) -> None:
    """The metadata of the old file, with the changes, and with ``file_type`` true of what the tensors will be."""
    left = dict(changed)
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.file_type":
            continue
        kind = field.types[0]
        sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, left.pop(key) if key in left else field.contents(), kind, sub)
    for key, value in left.items():
        writer.add_key_value(key, value, gguf.GGUFValueType.get_type(value))
    most = Counter(kinds).most_common(1)[0][0]
    most = next((kind for kind, _ in Counter(kinds).most_common() if kind != "F32"), most)
    named = {"F32": "ALL_F32", "Q6_K": "MOSTLY_Q6_K", "Q4_K": "MOSTLY_Q4_K_M", "Q5_K": "MOSTLY_Q5_K_M"}
    label = getattr(gguf.LlamaFileType, named.get(most, f"MOSTLY_{most}"), None)
    if label is not None:
        writer.add_file_type(int(label))


def _content(gguf: Any, tensor: Any, kind: Any, give: Give | None) -> NDArray[Any]:
    """The bytes of a tensor in its new type, as rows; unchanged where nothing changes."""
    if give is None and tensor.tensor_type == kind:
        return np.ascontiguousarray(tensor.data)
    shape = _seen(tensor).shape
    rows, columns = _flat(shape)
    if give is None:
        old, kind_before = tensor.data.reshape(rows, -1), tensor.tensor_type
    else:
        new = give()
        if new.shape != shape:
            raise GgufError(f"tensor '{tensor.name}' has shape {shape}; weights of shape {new.shape} do not fit")
        old, kind_before = new.reshape(rows, columns), gguf.GGMLQuantizationType.F32
    parts = []
    step = max(1, _CHUNK // columns)
    for at in range(0, rows, step):
        some = gguf.quants.dequantize(np.ascontiguousarray(old[at : at + step]), kind_before)
        parts.append(gguf.quants.quantize(np.asarray(some, np.float32), kind))
    return np.concatenate(parts) if len(parts) > 1 else np.asarray(parts[0])


def _dequantised(gguf: Any, tensor: Any) -> Weights:
    found: Weights = np.asarray(gguf.quants.dequantize(tensor.data, tensor.tensor_type), np.float32)
    return found


def _flat(shape: tuple[int, ...]) -> tuple[int, int]:
    columns = shape[-1]
    return int(np.prod(shape[:-1], dtype=np.int64)), columns


def _row_bytes(gguf: Any, columns: int, kind: Any) -> int:
    block, size = gguf.GGML_QUANT_SIZES[kind]
    if columns % block:
        raise GgufError(f"rows of {columns} weights cannot be {kind.name}, which takes them by {block}")
    return int(columns // block * size)
