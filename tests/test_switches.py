"""Savings that a button turns on: the file wins, and undoing one leaves everything as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from demitasse.config import load
from demitasse.config.switches import SWITCHES, is_on, overlay, said_by_file, switch_named
from demitasse.config.tree import Config, Semantic
from demitasse.core.errors import ConfigError


def from_file(tmp_path: Path, text: str) -> Config:
    (tmp_path / "demitasse.toml").write_text(text)
    return load(None, {}, tmp_path)


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda s: s.name)
def test_a_switch_changes_its_one_setting_and_says_where_that_comes_from(switch) -> None:
    before = Config()
    turned = overlay(before, {switch.name: not is_on(before, switch)})
    assert is_on(turned, switch) is not is_on(before, switch)
    assert turned.origins == {switch.place: "store"}
    assert overlay(turned, {}) == turned and overlay(before, {switch.name: is_on(before, switch)}) == before


def test_what_the_file_says_no_button_changes(tmp_path: Path) -> None:
    config = from_file(tmp_path, "[cache]\nexact = false\nsemantic = { max_error = 0.01 }\n")
    assert overlay(config, {"exact-cache": True, "semantic-cache": False}) == config
    assert said_by_file(config, switch_named("exact-cache")) and said_by_file(config, switch_named("semantic-cache"))
    assert config.cache.semantic == Semantic(0.01)


def test_another_setting_of_the_same_section_in_the_file_is_no_obstacle(tmp_path: Path) -> None:
    config = from_file(tmp_path, "[cache]\nmax_mb = 8\n")
    assert overlay(config, {"exact-cache": False}).cache.exact is False


def test_names_of_a_newer_version_are_passed_over() -> None:
    assert overlay(Config(), {"teleport": True}) == Config() == overlay(Config(), None)


def test_a_misspelt_name_is_answered_with_the_near_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'exact-cache'"):
        switch_named("exact-cach")
