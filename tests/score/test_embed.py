from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from demitasse.score import embed
from demitasse.score.embed import Embedder, EmbedError, words

tokenizers = pytest.importorskip("tokenizers", reason="needs the extra semantic")
VOCABULARY = ["[UNK]", "cat", "dog", "runs", "sleeps", "the"]


def safetensors(matrix: np.ndarray, kind: str = "F16") -> bytes:
    facts = {"embedding.weight": {"dtype": kind, "shape": list(matrix.shape), "data_offsets": [0, matrix.nbytes]}}
    head = json.dumps(facts).encode()
    return len(head).to_bytes(8, "little") + head + matrix.tobytes()


@pytest.fixture
def matrix() -> np.ndarray:
    return np.random.default_rng(7).standard_normal((len(VOCABULARY), 8)).astype(np.float16)


@pytest.fixture
def file(tmp_path, matrix):
    model = tokenizers.models.WordLevel({word: n for n, word in enumerate(VOCABULARY)}, unk_token="[UNK]")
    made = tokenizers.Tokenizer(model)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    path = tmp_path / "small"
    path.write_bytes(safetensors(matrix) + made.to_str().encode())
    return path


def test_a_vector_is_the_normed_mean_of_the_words_own(file, matrix):
    vector = Embedder(file)("The cat sleeps, the dog runs.")
    mean = matrix[[5, 1, 4, 5, 2, 3]].astype(np.float32).mean(axis=0)
    assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert vector.dtype == np.float32


def test_case_width_punctuation_and_order_make_no_difference(file):
    embedder = Embedder(file)
    plain = embedder("the cat runs")
    for other in ("The CAT runs!", "runs ... the “cat”", "ｔｈｅ ｃａｔ ｒｕｎｓ"):
        assert embedder(other) @ plain == pytest.approx(1, abs=1e-5)


def test_a_text_without_words_has_the_zero_vector(file):
    assert not Embedder(file)(" ?! \n").any()


def test_the_kept_words_are_bounded_and_change_nothing(file, monkeypatch):
    fresh = Embedder(file)("the cat runs")
    monkeypatch.setattr(embed, "_WORDS_KEPT", 3)
    embedder = Embedder(file)
    for text in ("dog", "sleeps dog", "the cat runs", "cat sleeps", "the cat runs"):
        again = embedder(text)
    assert again == pytest.approx(fresh, abs=1e-6)
    assert len(embedder._row) == 3


def test_only_the_beginning_of_an_endless_text_is_read():
    assert len(words("word " * 100_000)) == embed.MAX_CHARS // 5


@pytest.mark.parametrize("content", [b"", b"\x08", b"<html>" * 50, safetensors(np.zeros(4, np.float16)) + b"{}"])
def test_what_is_no_embedding_is_said_so_with_its_remedy(tmp_path, content):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(EmbedError, match="demitasse models pull wordllama-256"):
        Embedder(tmp_path / "bad")


def test_a_missing_file_names_the_command(tmp_path):
    with pytest.raises(EmbedError, match="demitasse models pull wordllama-256"):
        Embedder(tmp_path / "none")


def test_a_broken_tokenizer_is_said_so(tmp_path, matrix):
    (tmp_path / "bad").write_bytes(safetensors(matrix) + b"{}")
    with pytest.raises(EmbedError, match="tokenizer"):
        Embedder(tmp_path / "bad")


def test_a_tokenizer_made_to_make_the_library_panic_is_an_error_like_any_other(tmp_path, matrix):
    model = {"type": "BPE", "vocab": {"ab": 0, "cd": 1}, "merges": [["ab", "cd"]]}  # huggingface/tokenizers#2094
    path = tmp_path / "crafted"
    path.write_bytes(safetensors(matrix) + json.dumps({"version": "1.0", "added_tokens": [], "model": model}).encode())
    with pytest.raises(EmbedError, match="tokenizer"):
        Embedder(path)


def test_without_the_library_its_extra_is_named(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(EmbedError, match=r"demitasse\[semantic\]"):
        Embedder(file)


def test_the_library_is_not_loaded_before_it_is_used():
    code = "import sys, demitasse.score.embed; sys.exit('tokenizers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.model
def test_the_real_embedding_puts_what_means_the_same_together(embedding_path):
    embedder = Embedder(embedding_path)
    asked = embedder("how do i reset my password")
    near, far = embedder("i forgot my password, how can i change it"), embedder("what is the tallest mountain")
    assert embedder.dims == 256
    assert asked @ near > 0.6
    assert asked @ far < 0.4
