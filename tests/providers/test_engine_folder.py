"""Model folders: what they say of themselves, what is wrong with them, where they come from. No framework is loaded."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from folders import folder

from demitasse.core.errors import ConfigError
from demitasse.providers.catalogue import FolderSource
from demitasse.providers.download import place, present, pull
from demitasse.providers.engine_folder import find_folder, read_folder
from demitasse.providers.gguf import BadFileError
from demitasse.providers.target import PullError


def test_a_folder_tells_what_an_engine_needs_to_know(tmp_path):
    head = read_folder(folder(tmp_path / "tiny", context=512))
    assert (head.architecture, head.context, head.quantisation) == ("llama", 512, "float32")
    assert head.kv_bytes_per_token == 2 * 2 * 8 * 2 * 2  # keys and values, heads, width, layers, bytes
    assert head.bits_per_weight == pytest.approx(32, abs=1.5)
    assert "messages" in head.chat_template


def damage(path, how):
    weights = path / "model.safetensors"
    if how == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "no head":
        weights.write_bytes(b"\xff" * 64)
    elif how == "pickled":
        weights.rename(path / "pytorch_model.bin")
    elif how == "a part is missing":
        (path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00002-of-00002.safetensors"}}')
    elif how == "config":
        (path / "config.json").write_text("[]")
    else:
        (path / how).unlink()


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("cut", "is cut short"),
        ("no head", "not a safetensors file"),
        ("pickled", r"pytorch_model.bin may run code when it is read"),
        ("a part is missing", "model-00002-of-00002.safetensors is missing"),
        ("config", "is not a JSON object"),
        ("config.json", "has no config.json"),
        ("tokenizer.json", "no tokenizer.json"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_before_anything_is_started(how, says, tmp_path):
    path = folder(tmp_path / "tiny")
    damage(path, how)
    with pytest.raises(BadFileError, match=says):
        read_folder(path)


def test_a_name_that_would_be_read_as_a_revision_is_refused(tmp_path):
    with pytest.raises(BadFileError, match="rename it"):
        read_folder(folder(tmp_path / "tiny@2"))
    with pytest.raises(BadFileError, match="there is no folder"):
        read_folder(tmp_path / "none")


def test_a_source_is_a_path_or_a_whole_repository(tmp_path):
    assert find_folder("models/x", tmp_path, base=tmp_path) == FolderSource(tmp_path / "models/x")
    hub = find_folder("hf:owner/repo@v1", tmp_path)
    assert hub == FolderSource(tmp_path / "folders" / "owner--repo-at-v1", "hf:owner/repo@v1")
    for wrong in ("hf:owner/repo/file.gguf", "model.gguf", "hf:../repo", ""):
        with pytest.raises(ConfigError, match="hf:owner/repo"):
            find_folder(wrong, tmp_path)


def test_a_repository_is_fetched_whole_or_not_at_all(tmp_path, monkeypatch):
    asked = []

    def snapshot_download(repo, *, revision, local_dir, allow_patterns):
        asked.append((repo, revision, allow_patterns))
        if len(asked) == 1:
            raise OSError("connection lost")
        folder(local_dir)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    source = find_folder("hf:owner/repo", tmp_path)
    with pytest.raises(PullError, match="connection lost"):
        pull(source, tmp_path)
    assert not present(source, tmp_path)
    assert pull(source, tmp_path) == place(source, tmp_path)
    assert present(source, tmp_path)
    pull(source, tmp_path)
    assert [(repo, revision) for repo, revision, _ in asked] == [("owner/repo", None)] * 2
    assert not any("bin" in pattern or "py" in pattern for pattern in asked[0][2])


def test_a_folder_of_ones_own_is_not_fetched(tmp_path):
    with pytest.raises(PullError, match="there is no folder"):
        pull(FolderSource(tmp_path / "none"), tmp_path)
