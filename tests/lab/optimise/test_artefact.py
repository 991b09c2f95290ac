from __future__ import annotations

import errno
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from msgspec import structs

from demitasse.core.errors import ConfigError
from demitasse.lab.optimise import artefact
from demitasse.lab.optimise.artefact import (
    ArtefactError,
    Base,
    Data,
    Licences,
    Manifest,
    free_name,
    load,
    made,
    save,
    verify,
)
from demitasse.lab.optimise.gate import Gate, Side
from demitasse.providers.catalogue import MadeSource, find
from demitasse.providers.download import place, present, pull
from demitasse.providers.made import MadeError, look

MANIFEST = Manifest(
    name="small-q4",
    kind="gguf",
    method="requantised to Q4_0",
    created="2026-11-21T12:00:00Z",
    command="demitasse optimise intents",
    base=Base("smollm2-135m", "ab" * 32, "Apache-2.0"),
    data=Data("intents", "cd" * 32, "file:intents.csv", "CC BY 4.0", 160, 60, "by time", {"near-duplicate": 3}, 0.0),
    seeds={"training": 7},
    licences=Licences("Apache-2.0", "CC BY 4.0", "", "allowed"),
    bits_per_weight=4.5,
    gate=Gate(
        "inconclusive",
        "inconclusive",
        60,
        0.02,
        -0.01,
        (-0.06, 0.04),
        Side("q4_1", 0.9),
        Side("q4_0", 0.89),
        needed=900,
    ),
)


def test_an_artefact_is_a_folder_with_its_files_a_manifest_and_a_card(tmp_path):
    at = save(tmp_path, MANIFEST, {"model.gguf": b"weights"})
    assert at == tmp_path / "models/made/small-q4"
    assert sorted(p.name for p in at.iterdir()) == ["card.md", "manifest.json", "model.gguf"]
    found = load(tmp_path, "small-q4")
    assert found.bytes == 7
    assert [f.name for f in found.files] == ["model.gguf"]
    assert structs.replace(found, files=(), bytes=0) == MANIFEST
    assert verify(at) == []
    assert [m.name for m in made(tmp_path)] == ["small-q4"]


def test_a_route_can_name_it_and_the_file_is_found(tmp_path):
    source = find("made:small-q4")
    assert source == MadeSource("small-q4")
    models = tmp_path / "models"
    assert not present(source, models)
    with pytest.raises(MadeError, match=r"no made model 'small-q4'; make one with"):
        pull(source, models)
    save(tmp_path, MANIFEST, {"my.gguf": b"weights"})
    assert place(source, models) == models / "made/small-q4/my.gguf"
    assert present(source, models) and pull(source, models).read_bytes() == b"weights"
    with pytest.raises(MadeError, match="there are: small-q4"):
        look(models, "small")


def test_a_new_one_never_takes_the_name_of_one_that_may_be_serving(tmp_path):
    assert free_name(tmp_path, "tiny") == "tiny"
    for name in ("tiny", "tiny-2"):
        save(tmp_path, structs.replace(MANIFEST, name=name), {})
    assert free_name(tmp_path, "tiny") == "tiny-3"


@pytest.mark.parametrize("name", ["made:../x", "made:", "made:Ab", "made:a/b", "made:.hidden"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    with pytest.raises(ConfigError, match="form made:NAME"):
        find(name)
    with pytest.raises(ArtefactError, match="no name for an artefact"):
        save(tmp_path, structs.replace(MANIFEST, name=name.removeprefix("made:")), {})


def test_a_changed_a_missing_and_a_foreign_file_are_told(tmp_path):
    at = save(tmp_path, MANIFEST, {"a": b"1234", "b": b"5678", "c": b"90"})
    (at / "a").write_bytes(b"1235")
    (at / "b").unlink()
    (at / "c").write_bytes(b"900")
    (at / "d").write_bytes(b"")
    assert verify(at) == [
        "a is not what was written: its SHA-256 differs from the manifest's",
        "b is missing",
        "c has 3 bytes and should have 2",
        "d is not in the manifest",
    ]
    with pytest.raises(MadeError, match="not whole"):
        look(tmp_path / "models", "small-q4")


def test_a_full_disk_leaves_nothing_half_and_the_old_one_whole(tmp_path, monkeypatch):
    save(tmp_path, MANIFEST, {"model.gguf": b"old"})

    def full(_path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(artefact, "_sync", full)
    with pytest.raises(ArtefactError, match="make room"):
        save(tmp_path, structs.replace(MANIFEST, method="another"), {"model.gguf": b"new"})
    with pytest.raises(ArtefactError):
        save(tmp_path, structs.replace(MANIFEST, name="other"), {"model.gguf": b"new"})
    monkeypatch.undo()
    assert [m.method for m in made(tmp_path)] == ["requantised to Q4_0"]
    assert {p.name for p in (tmp_path / "models/made").iterdir() if p.is_dir()} == {"small-q4"}


def test_one_that_is_killed_at_any_step_leaves_the_old_one_or_the_new_one(tmp_path, monkeypatch):
    """Every call that changes the disk is once the last one."""
    save(tmp_path, MANIFEST, {"model.gguf": b"old"})
    seen = set()
    for last in range(12):
        child = multiprocessing.get_context("fork").Process(target=_killed, args=(tmp_path, last))
        child.start()
        child.join()
        found = load(tmp_path, "small-q4")
        content = (tmp_path / "models/made/small-q4/model.gguf").read_bytes()
        assert verify(tmp_path / "models/made/small-q4") == []
        assert (found.method, content) in {("requantised to Q4_0", b"old"), ("another", b"new")}
        seen.add(content)
        save(tmp_path, MANIFEST, {"model.gguf": b"old"})  # clears what was left
        assert {p.name for p in (tmp_path / "models/made").iterdir() if p.is_dir()} == {"small-q4"}
    assert seen == {b"old", b"new"}


def _killed(data: Path, last: int) -> None:
    count = 0

    def counted(function):
        def step(*given, **named):
            nonlocal count
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
            return function(*given, **named)

        return step

    for name in ("write_bytes", "write_text", "rename"):
        setattr(Path, name, counted(getattr(Path, name)))
    artefact._sync = counted(artefact._sync)
    artefact.shutil.rmtree = counted(artefact.shutil.rmtree)
    save(data, structs.replace(MANIFEST, method="another"), {"model.gguf": b"new"})
    os._exit(0)


def test_the_card_says_what_the_manifest_knows_and_no_more(tmp_path):
    at = save(tmp_path, MANIFEST, {"model.gguf": b"weights"})
    card = (at / "card.md").read_text()
    for said in ("# small-q4", "**inconclusive**", "about 900 samples would decide it", "160 to learn from, 60 to measure on",
                 "Apache-2.0", "3 near-duplicate", 'source = "made:small-q4"', "had too few samples"):  # fmt: skip
        assert said in card
    bare = save(tmp_path, Manifest("bare", "prompt", "shortened"), {})
    card = (bare / "card.md").read_text()
    assert "Not measured." in card and "Learning curve" not in card and "unclear" in card


def test_one_that_failed_its_gate_says_so_in_its_first_lines(tmp_path):
    at = save(tmp_path, structs.replace(MANIFEST, kept_anyway=True), {})
    assert "did not pass its equivalence gate" in (at / "card.md").read_text()[:200]
