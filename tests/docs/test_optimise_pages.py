"""What the pages on optimising tell a reader to write is a configuration, and the commands that they show are commands."""

from __future__ import annotations

import re

import click
import pytest

from demitasse.build.optimising import chosen_steps
from demitasse.cli import main
from demitasse.config import load
from tests.docs.pages import page

PAGES = ("optimise.md", "tiny-classifier.md")


@pytest.mark.parametrize("name", PAGES)
def test_every_table_of_configuration_is_one(name, tmp_path):
    blocks = re.findall(r"^```toml\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        file = tmp_path / "demitasse.toml"
        file.write_text(block)
        assert load(file, {}, tmp_path).models


@pytest.mark.parametrize("name", PAGES)
def test_every_command_line_can_be_typed(name):
    lines = re.findall(r"^    demitasse (.+)$", page(name), re.MULTILINE)
    assert lines
    for line in lines:
        command, words = main, line.split()
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        known = {opt for p in command.params for opt in (*p.opts, *p.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known


def test_the_table_of_steps_is_the_steps_in_their_order():
    told = re.findall(r"^\| `(\w+)` \|", page("optimise.md"), re.MULTILINE)
    assert told == [step.name for step in chosen_steps(())]


def test_no_figure_is_left_to_be_filled_in():
    for name in PAGES:
        assert not re.search(r"^[A-Z]{5,}$", page(name), re.MULTILINE)
