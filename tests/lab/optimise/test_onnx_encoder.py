"""Quantising an encoder, on a tiny one that is made here; needs the extras train and onnx."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("transformers", reason="needs the extra train")
pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("scipy", reason="needs the extra lab")
pytest.importorskip("tokenizers", reason="needs the extra semantic")

from made_texts import SHARED, WORDS, texts

from demitasse.lab.optimise.artefact import Manifest, save
from demitasse.lab.optimise.onnx_int8 import EncoderMakingError, bits_per_weight, proof, quantise
from demitasse.lab.tasks.task import Sample, Task
from demitasse.providers.encoder import EncoderError, encoder

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's exporter warns of its own future

TASK = Task("t", (Sample("1", "x"),), form="label", labels=tuple(WORDS))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """An encoder of two layers with weights drawn at random, as a hub would lay it out."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("source")
    words = sorted({*SHARED, *" ".join(WORDS.values()).split()})
    vocab = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocab, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(7)
    model = BertModel(
        BertConfig(
            vocab_size=len(vocab), hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
            max_position_embeddings=64,
        )
    )  # fmt: skip
    model.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder


@pytest.fixture(scope="module")
def made(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("made")
    examples = texts(160, 1)
    return examples, quantise(source, out, [one.text for one in examples])


def test_eight_bits_are_nearly_the_same_encoder_in_a_fraction_of_the_bytes(made):
    _, found = made
    assert found.torch_cosine > 0.9999
    assert found.cosine > 0.98 and found.neighbours > 0.7
    assert found.after.bytes < found.before.bytes
    assert 8 <= found.bits_per_weight < 20
    assert found.licence == "apache-2.0"
    assert sorted(p.name for p in found.folder.iterdir()) == ["model.onnx", "tokenizer.json"], "nothing half is left"


def test_its_gate_is_a_classifier_on_either_s_vectors(made):
    examples, found = made
    gate = proof(TASK, examples[:100], examples[100:], found, margin=0.1)
    assert gate.n == 60 and gate.cosine == found.cosine and gate.neighbours == found.neighbours
    assert gate.before.score > 0.8
    assert gate.agreement > 0.8


def test_it_is_served_as_a_made_encoder(made, tmp_path):
    _, found = made
    files = {name: (found.folder / name).read_bytes() for name in ("model.onnx", "tokenizer.json")}
    save(tmp_path, Manifest("enc", "encoder", "made in a test"), files)
    encode, sha256 = encoder("made:enc", tmp_path / "models")
    vector, tokens = encode("where is my card")
    assert (encode.dims, tokens, len(sha256)) == (64, 6, 64)
    assert np.linalg.norm(vector) == pytest.approx(1)
    with pytest.raises(EncoderError, match="no made model 'other'"):
        encoder("made:other", tmp_path / "models")
    with pytest.raises(EncoderError, match="no embedding 'word2vec'"):
        encoder("word2vec", tmp_path / "models")
    with pytest.raises(EncoderError, match="demitasse models pull wordllama-256"):
        encoder("wordllama-256", tmp_path / "models")


def test_a_tokenizer_made_to_make_the_library_panic_is_no_encoder(made, tmp_path):
    model = {"type": "BPE", "vocab": {"ab": 0, "cd": 1}, "merges": [["ab", "cd"]]}  # huggingface/tokenizers#2094
    crafted = json.dumps({"version": "1.0", "added_tokens": [], "model": model}).encode()
    files = {"model.onnx": (made[1].folder / "model.onnx").read_bytes(), "tokenizer.json": crafted}
    save(tmp_path, Manifest("enc", "encoder", "made in a test"), files)
    with pytest.raises(EncoderError, match="no encoder that can be used"):
        encoder("made:enc", tmp_path / "models")


def test_a_folder_that_holds_no_encoder_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(EncoderMakingError, match=r"holds no model\.safetensors"):
        quantise(tmp_path, tmp_path, ["a"] * 20)


def test_bits_are_read_from_the_tensors(made, tmp_path):
    import onnx

    weights = onnx.numpy_helper.from_array(np.zeros((10, 10), np.int8), "w_quantized")
    scale = onnx.numpy_helper.from_array(np.zeros(10, np.float32), "w_scale")
    graph = onnx.helper.make_graph([], "g", [], [], [weights, scale])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "x.onnx")
    assert bits_per_weight(tmp_path / "x.onnx") == 8 * 140 / 100
