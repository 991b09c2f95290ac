"""The page on commands names every command and every option, and nothing that there is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from demitasse.cli import main

PAGE = (Path(__file__).parents[2] / "docs/reference/commands.md").read_text(encoding="utf-8")
EVERYWHERE = {"--config", "--data", "--help", "-h"}


def commands(command: click.Command, path: tuple[str, ...] = ("demitasse",)) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, (*path, name))
    if not isinstance(command, click.Group) or len(path) == 1:
        yield " ".join(path), command


COMMANDS = dict(commands(main))
SECTIONS = dict(re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_every_command_has_its_section_and_no_section_lacks_a_command():
    assert SECTIONS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented_and_no_other(name):
    known = {opt for p in COMMANDS[name].params if isinstance(p, click.Option) for opt in (*p.opts, *p.secondary_opts)}
    table = [line for line in SECTIONS[name].splitlines() if line.startswith("| `-")]
    documented = {opt for line in table for opt in re.findall(r"`(--?[\w-]+)`", line.split("|")[1])}
    assert documented - EVERYWHERE == known - EVERYWHERE


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name):
    command = COMMANDS[name]
    assert command.help
    assert all(p.help for p in command.params if isinstance(p, click.Option))


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "demitasse"])
def test_every_command_takes_config_and_data(name):
    assert {"--config", "--data"} <= {opt for p in COMMANDS[name].params for opt in p.opts}
