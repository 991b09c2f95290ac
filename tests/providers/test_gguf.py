from __future__ import annotations

import contextlib
import struct

import pytest
from ggufs import gguf
from hypothesis import given
from hypothesis import strategies as st

from demitasse.providers.gguf import BadFileError, read_head


def test_the_head_says_what_the_model_is(tmp_path):
    head = read_head(gguf(tmp_path / "m.gguf"))
    assert (head.architecture, head.context, head.chat_template) == ("llama", 2048, "{{ messages }}")
    assert head.parameters == 128
    assert head.kv_bytes_per_token == 2 * 2 * (16 + 16) * 2  # layers x key-value heads x (key + value) x 2 bytes


def test_bits_per_weight_are_read_from_the_tensors_and_not_from_a_label(tmp_path):
    head = read_head(gguf(tmp_path / "F16-honestly.gguf", tensors={"a": (3200, 3, 2000), "b": (32, 0, 128)}))
    assert head.quantisation == "Q4_1"
    assert head.bits_per_weight == pytest.approx(8 * (2016 + 128) / 3232, abs=0.01)


def test_a_model_may_have_no_template(tmp_path):
    assert read_head(gguf(tmp_path / "m.gguf", template=None)).chat_template is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "not a GGUF file"),
        (b"GGUF" + (9).to_bytes(4, "little") + bytes(16), "version 9"),
        (b"GGUF" + (3).to_bytes(4, "little") + b"\xff" * 16, "damaged"),
        (b"GGUF" + (3).to_bytes(4, "little"), "cut short"),
    ],
)
def test_what_is_no_model_is_named_for_what_it_is(tmp_path, content, said):
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(BadFileError, match=said):
        read_head(path)


def test_a_file_that_ends_early_is_found_out_without_reading_its_tensors(tmp_path):
    with pytest.raises(BadFileError, match="cut short"):
        read_head(gguf(tmp_path / "m.gguf", cut=40))


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(BadFileError, match="there is no file"):
        read_head(tmp_path / "none.gguf")


@given(at=st.integers(0, 400), byte=st.integers(0, 255))
def test_damage_anywhere_is_an_error_or_a_head_but_never_a_crash(tmp_path_factory, at, byte):
    path = gguf(tmp_path_factory.mktemp("g") / "m.gguf")
    data = bytearray(path.read_bytes())
    data[at % len(data)] = byte
    path.write_bytes(data)
    with contextlib.suppress(BadFileError):
        read_head(path)


def test_arrays_within_arrays_without_end_are_damage(tmp_path):
    path = tmp_path / "m.gguf"
    nested = (9).to_bytes(4, "little") + (1).to_bytes(8, "little")
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<I", 9)
    path.write_bytes(head + nested * 20_000)
    with pytest.raises(BadFileError, match="damaged"):
        read_head(path)


def _pair(key, kind, value):
    return struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value


def _file(path, pairs=(), tensors=()):
    counts = struct.pack("<IQQ", 3, len(tensors), len(pairs))
    path.write_bytes(b"GGUF" + counts + b"".join(pairs) + b"".join(tensors))
    return path


EMPTY_ARRAY = struct.pack("<IQ", 4, 0)


@pytest.mark.parametrize(
    ("pairs", "tensors", "said"),
    [
        pytest.param([_pair(b"k", 9, struct.pack("<IQ", 4, 1 << 63))], [], "runs past the end", id="array of numbers"),
        pytest.param([_pair(b"k", 9, struct.pack("<IQ", 8, 1 << 63))], [], "runs past the end", id="array of texts"),
        pytest.param([_pair(b"general.alignment", 9, EMPTY_ARRAY)], [], "damaged", id="alignment is no number"),
        pytest.param(
            [_pair(b"general.alignment", 5, struct.pack("<i", -32))], [], "alignment of -32", id="alignment below 0"
        ),
        pytest.param([_pair(b"unknown.context_length", 9, EMPTY_ARRAY)], [], "damaged", id="context is no number"),
        pytest.param(
            [],
            [struct.pack("<Q", 1) + b"a" + struct.pack("<I", 2000) + b"\xff" * 16_000 + struct.pack("<IQ", 0, 0)],
            "2000 dimensions",
            id="a tensor without end",
        ),
    ],
)
def test_what_was_made_to_hang_or_crash_a_reader_is_damage(tmp_path, pairs, tensors, said):
    with pytest.raises(BadFileError, match=said):
        read_head(_file(tmp_path / "m.gguf", pairs, tensors))


def test_a_template_that_is_no_text_is_none(tmp_path):
    path = _file(tmp_path / "m.gguf", [_pair(b"tokenizer.chat_template", 4, struct.pack("<I", 3))])
    assert read_head(path).chat_template is None
