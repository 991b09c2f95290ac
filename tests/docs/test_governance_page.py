"""The pages on governance name every field, every question and commands that there are; their settings load."""

from __future__ import annotations

import re
import tomllib

import click
import pytest

from demitasse.cli import main
from demitasse.config import load
from demitasse.lab.governance.cards import ModelCard
from demitasse.lab.governance.controls import Row, Shown, table
from demitasse.lab.governance.datasheets import QUESTIONS, Datasheet
from demitasse.lab.governance.register import Licensed
from tests.docs.pages import page, tables, words

JSON = tables(page("reference/json.md"))
TEXT = page("governance.md")


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        ("model card", {*ModelCard.__struct_fields__, "calls", "unknown"}),
        ("datasheet", {*Datasheet.__struct_fields__, "issues"}),
        ("licences", {*Licensed.__struct_fields__, "calls", "asked_by_profile"}),
        ("control table", set(Row.__struct_fields__)),
    ],
)
def test_every_field_is_documented_and_no_other(heading, fields):
    assert set(words(JSON[heading])) == fields


def test_a_proofs_members_are_named():
    text = next(row[2] for row in JSON["control table"] if "proofs" in row[0])
    assert set(re.findall(r"`(\w+)`", text)) == set(Shown.__struct_fields__)


def test_every_question_of_a_datasheet_is_named_where_answers_are():
    assert {one.id for one in QUESTIONS} <= set(words([[page("reference/commands.md")]]))


def commands(command: click.Command, path: str = "demitasse"):
    yield path
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, f"{path} {name}")


def test_every_command_that_is_named_exists():
    known = set(commands(main))
    named = set(re.findall(r"demitasse [a-z]+(?: [a-z]+)?", TEXT + str(table())))
    for text in sorted(named):
        first = " ".join(text.split()[:2])
        assert text in known or first in known, text


def test_the_settings_of_the_page_load(tmp_path):
    blocks = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "demitasse.toml").write_text(blocks[0])
    config = load(None, {}, tmp_path)
    assert config.governance.profile == "commercial" and config.governance.providers == ("openai", "mistral")
    assert set(tomllib.loads(blocks[1])) <= {one.id for one in QUESTIONS}


def test_the_page_names_every_framework_and_most_of_its_rows():
    for control in table().control:
        assert control.framework in TEXT
        if control.framework != "NIST AI 600-1":
            assert control.id.removeprefix("Art. ") in TEXT, control.id
