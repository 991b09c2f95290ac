"""The page on the guard shows a configuration that is read, and rules that come of it."""

from __future__ import annotations

import re
from pathlib import Path

from demitasse.build.guarding import policies
from demitasse.config import load
from tests.docs.pages import page

BLOCKS = re.findall(r"^```toml\n(.*?)^```", page("guard.md"), re.MULTILINE | re.DOTALL)


def test_the_configuration_is_read_and_the_stricter_word_holds(tmp_path: Path) -> None:
    file = tmp_path / "demitasse.toml"
    file.write_text(BLOCKS[0])
    found = policies(load(file, {}, tmp_path)).rules("help", "team:interns")
    assert (found.action("EMAIL"), found.action("CARD"), found.action("PHONE")) == ("redact", "refuse", "detect")
    assert (found.untrusted, found.moderated, found.secrets) == ("drop_tools", "refuse", "redact")


def test_the_classes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "demitasse.toml"
    file.write_text(BLOCKS[1])
    found = policies(load(file, {}, tmp_path))
    assert (found.classes["health"].stays, found.classes["europe"].stays) == ("local", "eu-*,ch-*")
    assert found.class_of == {"team:clinic": "health"}
