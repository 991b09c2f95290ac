"""GGUF files with fewer bits: what changes, what must not, and what is left when writing fails."""

from __future__ import annotations

import resource
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("gguf", reason="needs the extra train")

from made_gguf import TEMPLATE, make

from demitasse.lab.optimise import gguf_file
from demitasse.lab.optimise.gguf_file import GgufError, Tensor
from demitasse.lab.optimise.requantise import OWN, choose, requantise
from demitasse.providers.gguf import read_head


@pytest.fixture
def tiny(tmp_path):
    return make(tmp_path / "tiny.gguf")


def test_every_type_is_written_with_its_bits_and_close_to_what_it_was(tiny, tmp_path):
    was = gguf_file.values(tiny, "blk.1.ffn_up.weight")
    errors = {}
    for kind in OWN:
        made = requantise(tiny, tmp_path / f"{kind}.gguf", kind)
        now = gguf_file.values(made.written.path, "blk.1.ffn_up.weight")
        errors[kind] = float(np.abs(now - was).mean() / np.abs(was).mean())
        assert made.written.quantisation == kind
        assert read_head(made.written.path).bits_per_weight == made.written.bits_per_weight
    assert errors["F32"] == 0
    assert [kind for kind in sorted(errors, key=lambda kind: errors[kind]) if kind[0] == "Q"] == [
        "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0",
    ]  # fmt: skip
    assert errors["Q4_0"] < 0.12


def test_metadata_tokenizer_and_template_stay_as_they_are(tiny, tmp_path):
    made = requantise(tiny, tmp_path / "small.gguf", "Q4_0").written.path
    before, after = gguf_file.facts(tiny), gguf_file.facts(made)
    changed = {key for key in before | after if before.get(key) != after.get(key) and not key.startswith("GGUF.")}
    assert changed == {"general.file_type"}
    assert after["general.file_type"] == 2
    assert after["tokenizer.chat_template"] == TEMPLATE


def test_norms_stay_and_the_embeddings_keep_eight_bits_unless_asked(tiny, tmp_path):
    made = requantise(tiny, tmp_path / "a.gguf", "Q4_0")
    kinds = {tensor.name: tensor.kind for tensor in gguf_file.tensors(made.written.path)}
    assert kinds["blk.0.attn_norm.weight"] == "F32"
    assert kinds["token_embd.weight"] == "Q8_0"
    assert kinds["blk.2.attn_q.weight"] == "Q4_0"
    assert list(made.kept) == ["token_embd.weight"]
    forced = requantise(tiny, tmp_path / "b.gguf", "Q4_0", tokens="Q4_0")
    assert forced.kept == {}
    assert forced.written.bits_per_weight < made.written.bits_per_weight


def test_embeddings_are_never_given_bits_that_they_do_not_have():
    assert choose(Tensor("token_embd.weight", "Q6_K", (8, 256)), "Q4_0", "Q8_0")[0] == "Q6_K"
    assert choose(Tensor("token_embd.weight", "Q6_K", (8, 256)), "Q4_0", "Q8_0", forced=True)[0] == "Q8_0"


def test_rows_that_no_block_fits_stay_in_half_precision():
    kind, why = choose(Tensor("blk.0.ffn_up.weight", "F32", (8, 50)), "Q4_0", "Q8_0")
    assert kind == "F16"
    assert "50" in why


def test_making_a_file_larger_is_said(tmp_path):
    small = make(tmp_path / "small.gguf", kind="Q4_0")
    made = requantise(small, tmp_path / "large.gguf", "Q8_0")
    assert made.upward
    assert not requantise(made.written.path, tmp_path / "back.gguf", "Q4_0").upward


def test_an_unknown_type_names_those_there_are(tiny, tmp_path):
    with pytest.raises(GgufError, match=r"'Q3' is no type to write; there are .*Q4_0"):
        requantise(tiny, tmp_path / "x.gguf", "Q3")


def test_a_mixed_type_without_llama_quantize_says_what_it_takes(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GgufError, match=r"Q4_K_M takes llama\.cpp's llama-quantize on the PATH"):
        requantise(tiny, tmp_path / "x.gguf", "Q4_K_M")


def test_llama_quantize_is_used_where_it_is_and_its_failure_leaves_nothing(tiny, tmp_path, monkeypatch):
    tool = tmp_path / "bin" / "llama-quantize"
    tool.parent.mkdir()
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    tool.write_text('#!/bin/sh\ncp "$2" "$3"\n')
    tool.chmod(0o755)
    out = tmp_path / "out" / "m.gguf"
    assert requantise(tiny, out, "q4_k_m").tool == "llama-quantize"
    tool.write_text('#!/bin/sh\ncp "$2" "$3"; echo out of blocks >&2; exit 3\n')
    before = out.read_bytes()
    with pytest.raises(GgufError, match="out of blocks"):
        requantise(tiny, out, "Q4_K_M")
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["m.gguf"]


def test_a_damaged_file_is_refused_in_a_sentence(tiny, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny.read_bytes()[:-500])
    with pytest.raises(GgufError, match="cut short"):
        requantise(cut, tmp_path / "x.gguf", "Q8_0")
    with pytest.raises(GgufError, match="there is no file"):
        requantise(tmp_path / "none.gguf", tmp_path / "x.gguf", "Q8_0")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tiny, tmp_path):
    out = tmp_path / "out" / "m.gguf"
    out.parent.mkdir()
    out.write_bytes(b"what was there before")
    code = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from pathlib import Path
from demitasse.lab.optimise.requantise import requantise
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, {resource.RLIM_INFINITY}))
requantise(Path({str(tiny)!r}), Path({str(out)!r}), "Q8_0")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "GgufError" in done.stderr
    assert "nothing was kept of it" in done.stderr
    assert out.read_bytes() == b"what was there before"
    assert [path.name for path in out.parent.iterdir()] == ["m.gguf"]


def test_new_weights_are_put_in_where_they_fit_and_refused_where_not(tiny, tmp_path):
    name = "blk.0.attn_v.weight"
    new = np.full_like(gguf_file.values(tiny, name), 0.5)
    made = gguf_file.rewrite(tiny, tmp_path / "n.gguf", weights={name: lambda: new})
    assert (gguf_file.values(made.path, name) == 0.5).all()
    with pytest.raises(GgufError, match="do not fit"):
        gguf_file.rewrite(tiny, tmp_path / "m.gguf", weights={name: lambda: new[:3]})
    with pytest.raises(GgufError, match=r"no tensor 'blk\.9"):
        gguf_file.rewrite(tiny, tmp_path / "m.gguf", weights={"blk.9.attn_v.weight": lambda: new})
    assert not (tmp_path / "m.gguf").exists()
