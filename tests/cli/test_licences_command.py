"""The register as commands: listed, accepted with a reason, taken back, and what it blocks."""

from __future__ import annotations

import json

import pytest

from demitasse.store.books import SqliteBooks

COMMERCIAL = '[governance]\nprofile = "commercial"\n'
MINE = '[models.mine]\nprovider = "local"\nsource = "mine.gguf"\n'


@pytest.fixture
def toml(tmp_path):
    return tmp_path / "demitasse.toml"


def rows(run):
    return {row["name"]: row for row in json.loads(run("licences", "--json").stdout)["rows"]}


def test_every_model_in_use_is_listed_with_its_terms(filled, run, toml):
    toml.write_text(MINE)
    told = rows(run)
    assert {"large", "tiny", "mine"} <= told.keys()
    assert told["large"]["outputs"] == "refused" and told["large"]["calls"] > 0
    assert told["mine"]["answer"] == "unknown" and told["mine"]["allowed"]
    toml.write_text(MINE + COMMERCIAL)
    assert not rows(run)["mine"]["allowed"]
    assert "not known" in run("licences").output


def test_the_configuration_is_named_before_or_after_the_word_list(filled, run, tmp_path):
    (tmp_path / "other.toml").write_text(MINE)
    for words in (
        ["--config", "other.toml", "--json"],
        ["list", "--config", "other.toml", "--json"],
        ["--config", "other.toml", "list", "--json"],
    ):
        assert "mine" in {row["name"] for row in json.loads(run("licences", *words).stdout)["rows"]}, words


def test_an_acceptance_has_a_reason_and_a_name_and_is_taken_back(filled, run, toml, data):
    toml.write_text(MINE + COMMERCIAL)
    run("licences", "accept", "mine", status=2)
    run("licences", "accept", "mine", "--why", " ", status=2)
    run("licences", "accept", "mine", "--why", "asked its author", "--by", "ada")
    told = rows(run)["mine"]
    assert told["allowed"] and told["accepted"]["who"] == "ada" and told["accepted"]["why"] == "asked its author"
    run("licences", "undo", "mine")
    assert not rows(run)["mine"]["allowed"]
    assert "accepted: none" in run("licences", "undo", "mine", status=1).output
    books = SqliteBooks(data)
    with books._reading() as db:
        events = [
            row[0]
            for row in db.execute("SELECT leaf FROM events WHERE id = 'setting:governance.accepted' ORDER BY seq")
        ]
    books.close()
    assert len(events) == 2 and b"asked its author" in events[0]


def test_terms_of_a_model_that_is_not_there_are_accepted_only_when_that_is_meant(filled, run, toml):
    toml.write_text(MINE)
    said = run("licences", "accept", "mone", "--why", "read", status=1).output
    assert "no model 'mone'" in said and "did you mean 'mine'?" in said and "--anyway" in said
    assert "accepted: none" in run("licences", "undo", "mone", status=1).output
    run("licences", "accept", "mone", "--why", "read", "--anyway")
    run("licences", "undo", "mone")
    run("licences", "accept", "large", "--why", "read")  # traffic knows it


def test_the_commercial_profile_pulls_no_weights_whose_licence_nobody_knows(run, toml):
    toml.write_text(COMMERCIAL)
    said = run("models", "pull", "qwen2.5-coder-0.5b", status=1).output
    assert "is not pulled" in said and "demitasse licences accept qwen2.5-coder-0.5b" in said


async def test_the_commercial_profile_serves_no_weights_whose_licence_nobody_knows(run, toml, data, tmp_path):
    from demitasse.build.app import App
    from demitasse.config import load
    from demitasse.lab.governance.register import NotLicensed

    toml.write_text(MINE + COMMERCIAL)
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    app = App(load(None, {}, tmp_path), data, {}, base_url="", clock=lambda: 1_795_262_591_000_000)
    try:
        with pytest.raises(NotLicensed, match="'mine' is not served"):
            await app.start()
    finally:
        await app.stop()


def test_a_change_of_the_register_is_seen_in_a_pack(filled, run, toml, tmp_path):
    run("licences", "accept", "tiny", "--why", "for ada@example.org", "--by", "ada")
    run("evidence", "out.zip")
    import zipfile

    told = json.loads(zipfile.ZipFile(tmp_path / "out.zip").read("licences.json"))
    taken = next(row["accepted"] for row in told["rows"] if row["name"] == "tiny")
    assert taken["who"] == "ada" and "ada@example.org" not in taken["why"]
