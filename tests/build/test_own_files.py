"""Weights of one's own: their card and their row of the register say what their file says of itself, and that nobody checked it."""

from __future__ import annotations

from pathlib import Path

import pytest

from demitasse.build.governing_check import check_licence
from demitasse.build.governing_models import Shelf
from demitasse.config import load
from demitasse.lab.governance.register import NotLicensed
from tests.providers.ggufs import gguf


def shelf(home: Path, says: dict[str, str] | None, profile: str = "commercial") -> Shelf:
    if says is not None:
        gguf(home / "mine.gguf", says=says)
    (home / "demitasse.toml").write_text(
        f'[models.mine]\nprovider = "local"\nsource = "mine.gguf"\n[governance]\nprofile = "{profile}"\n'
    )
    return Shelf(load(None, {}, home), home / "data", {})


@pytest.mark.parametrize(
    ("says", "licence", "answer"),
    [
        ({"general.license": "apache-2.0"}, "apache-2.0", "allowed"),
        ({"general.license": "cc-by-nc-4.0"}, "cc-by-nc-4.0", "refused"),
        ({"general.license": "other", "general.license.name": "our-own-terms"}, "our-own-terms", "unknown"),
        ({"general.license": "other"}, "not stated", "unknown"),
        ({}, "not stated", "unknown"),
        (None, "not stated", "unknown"),
    ],
)
def test_the_licence_is_what_the_file_states(tmp_path: Path, says, licence: str, answer: str) -> None:
    books = shelf(tmp_path, says)
    row = books.licensed(books.origin("mine"))
    assert (row.kind, row.licence, row.answer, row.allowed) == ("weights", licence, answer, answer == "allowed")


def test_the_card_says_that_nobody_checked_what_the_file_says(tmp_path: Path) -> None:
    says = {"general.license": "mit", "general.name": "Tiny\nOne", "general.base_model.0.name": "Bigger One"}
    origin = shelf(tmp_path, says).origin("mine")
    assert origin.identity.upstream == ("Tiny One",) and origin.identity.made_from == "Bigger One"
    assert origin.identity.quantisation == "F32" and origin.identity.bytes == (tmp_path / "mine.gguf").stat().st_size
    assert "nobody checked that here" in origin.limits[0]


def test_a_file_that_is_changed_is_read_anew_and_a_damaged_one_states_nothing(tmp_path: Path) -> None:
    books = shelf(tmp_path, {"general.license": "mit"})
    assert books.origin("mine").licence == "mit"
    gguf(tmp_path / "mine.gguf", says={"general.license": "gpl-3.0"})
    assert books.origin("mine").licence == "gpl-3.0"
    (tmp_path / "mine.gguf").write_bytes(b"GGUF but no more")
    assert books.origin("mine").licence == ""


def test_a_file_that_states_a_licence_is_served_in_a_business_and_one_that_forbids_it_is_not(tmp_path: Path) -> None:
    for says, fine in (({"general.license": "mit"}, True), ({"general.license": "cc-by-nc-4.0"}, False)):
        shelf(tmp_path, says)
        config = load(None, {}, tmp_path)
        if fine:
            check_licence(config, tmp_path / "data", lambda _name: None, "mine", to="served")
        else:
            with pytest.raises(NotLicensed, match="'mine' is not served"):
                check_licence(config, tmp_path / "data", lambda _name: None, "mine", to="served")
