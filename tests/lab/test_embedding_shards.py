"""Texts of a file to vectors in shards: the same numbers as one by one, resumed after a stop, and slips named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from demitasse.lab.evals.embedding import EmbeddingError, embed_file
from demitasse.lab.evals.executor import Local, PiecesFailed
from demitasse.score.embed import Embedder

tokenizers = pytest.importorskip("tokenizers", reason="needs the extra semantic")
WORDS = ["[UNK]", "cat", "dog", "runs", "sleeps"]


@pytest.fixture
def embedding(tmp_path: Path) -> Path:
    """A vocabulary of five words in the catalogue's format."""
    matrix = np.random.default_rng(7).standard_normal((len(WORDS), 8)).astype(np.float16)
    model = tokenizers.models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]")
    head = json.dumps({"w": {"dtype": "F16", "shape": [*matrix.shape], "data_offsets": [0, matrix.nbytes]}}).encode()
    path = tmp_path / "embedding"
    path.write_bytes(
        len(head).to_bytes(8, "little") + head + matrix.tobytes() + tokenizers.Tokenizer(model).to_str().encode()
    )
    return path


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    rows = [{"text": f"{WORDS[1 + n % 2]} {WORDS[3 + n % 2]}" if n % 3 else ""} for n in range(23)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


async def test_vectors_are_those_of_each_text_alone_whatever_the_shards(
    tmp_path: Path, embedding: Path, texts: Path
) -> None:
    alone = np.stack([Embedder(embedding)(json.loads(line)["text"]) for line in texts.read_text().splitlines()])
    for shard in (1, 5, 100):
        target = tmp_path / f"{shard}.npy"
        found = await embed_file(texts, target, embedding, Local(1), shard=shard)
        assert (found.texts, found.dims) == (23, 8)
        assert np.array_equal(np.load(target), alone)


async def test_another_embedding_is_other_work(tmp_path: Path, embedding: Path, texts: Path) -> None:
    target = tmp_path / "v.npy"
    await embed_file(texts, target, embedding, Local(1, journal=tmp_path / "j"))
    first = np.load(target)
    before = embedding.read_bytes()
    head = 8 + int.from_bytes(before[:8], "little")
    embedding.write_bytes(before[:head] + bytes(16) + before[head + 16 :])
    await embed_file(texts, target, embedding, Local(1, journal=tmp_path / "j"))
    assert np.load(target).shape == first.shape
    assert len([p for p in (tmp_path / "j").rglob("*") if p.is_file() and not p.suffix]) == 2


async def test_a_shard_that_fails_leaves_no_half_file(tmp_path: Path, texts: Path) -> None:
    (tmp_path / "not-an-embedding").write_bytes(b"x" * 100)
    target = tmp_path / "v.npy"
    with pytest.raises(PiecesFailed, match="piece 0: EmbedError"):
        await embed_file(texts, target, tmp_path / "not-an-embedding", Local(1))
    assert not target.exists()
    assert not list(tmp_path.glob(".v.npy*"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"text": "a"}\n{"txt": "b"}\n', "line 2: no object with a 'text'"),
        ('{"text": "a"}\nnope\n', "line 2"),
        ('{"text": 3}\n', "line 1: 'text' is no text"),
        ("\n", "no texts in it"),
    ],
)
async def test_a_line_that_cannot_be_embedded_is_named(
    tmp_path: Path, embedding: Path, content: str, told: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    with pytest.raises(EmbeddingError, match=told):
        await embed_file(path, tmp_path / "v.npy", embedding, Local(1))
