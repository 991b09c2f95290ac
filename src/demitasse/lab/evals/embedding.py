"""The texts of a JSONL file as vectors in one ``.npy``, in shards that an executor runs. Knows ``score.embed``."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct

from ...core.errors import DemitasseError
from ...score.embed import Embedder
from .executor import Executor

SHARD: Final = 512
"""Texts a piece."""
FUNCTION: Final = f"{__name__}:embed"


class EmbeddingError(DemitasseError):
    """Texts that can't be read or embedded; names file and line."""


class Shard(Struct, frozen=True):
    """One piece: which embedding, and texts. ``digest`` is of the embedding's file: another one is other work."""

    path: str
    digest: str
    texts: tuple[str, ...]


class Embedded(Struct, frozen=True):
    """What was written: float32 of shape (texts, dims), rows in the file's order."""

    texts: int
    dims: int
    path: str


async def embed_file(
    source: Path, target: Path, embedding: Path, executor: Executor, *, field: str = "text", shard: int = SHARD
) -> Embedded:
    """Embed ``field`` of every line of ``source`` into ``target`` (``.npy``), which is there whole or not at all.

    Args:
        embedding: the catalogue's file; on a cluster it is at the same path on every machine.

    Raises:
        EmbeddingError: a line that is no object with such a text, or no line at all.
        PiecesFailed: shards failed; run again for the rest where the executor has a journal.
    """
    digest = _digest(embedding)
    texts = list(_texts(source, field))
    if not texts:
        raise EmbeddingError(f"{source}: no texts in it")
    pieces = [
        msgspec.msgpack.encode(Shard(str(embedding), digest, tuple(texts[start : start + shard])))
        for start in range(0, len(texts), shard)
    ]
    rows = None
    part = target.with_name(f".{target.name}.part")
    try:
        async for index, result in executor.map(FUNCTION, pieces):
            start = index * shard
            count = min(shard, len(texts) - start)
            vectors = np.frombuffer(result, np.float32).reshape(count, -1)
            if rows is None:
                rows = np.lib.format.open_memmap(part, "w+", np.float32, (len(texts), vectors.shape[1]))
            rows[start : start + count] = vectors
        assert rows is not None
        rows.flush()
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return Embedded(len(texts), int(rows.shape[1]), str(target))


def embed(piece: bytes) -> bytes:
    """One `Shard` (msgpack) to the bytes of its float32 vectors, row by row."""
    shard = msgspec.msgpack.decode(piece, type=Shard)
    embedder = _embedder(shard.path)
    return np.stack([embedder(text) for text in shard.texts]).tobytes()


@functools.lru_cache(maxsize=2)
def _embedder(path: str) -> Embedder:
    return Embedder(Path(path))


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as why:
        raise EmbeddingError(
            f"{path}: {(why.strerror or 'cannot be read').lower()}; get it: demitasse models pull wordllama-256"
        ) from why


def _texts(source: Path, field: str) -> Iterator[str]:
    with source.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                text = msgspec.json.decode(line)[field]
            except (msgspec.DecodeError, KeyError, TypeError) as why:
                raise EmbeddingError(f"{source}, line {number}: no object with a '{field}' ({why})") from why
            if not isinstance(text, str):
                raise EmbeddingError(f"{source}, line {number}: '{field}' is no text")
            yield text
