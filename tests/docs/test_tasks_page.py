"""The page on tasks is true: its example runs and says what is printed there, and its tables are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from demitasse.cli import main
from demitasse.cli.ground import World
from demitasse.lab.tasks import columns, spec, standard
from demitasse.lab.tasks.files import load
from tests.docs.pages import page, tables, words

TEXT = page("tasks.md")
PAGE = tables(TEXT)


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
    assert found
    return found[1]


CONSOLE = re.findall(r"```console\n\$ demitasse (.*?)\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("command", "printed"), CONSOLE)
def test_the_examples_say_what_is_printed_there(tmp_path: Path, command: str, printed: str) -> None:
    (tmp_path / "quiz.csv").write_text(block("csv"))
    world = World(env={"HOME": str(tmp_path)}, cwd=tmp_path)
    result = CliRunner().invoke(main, command.split(), obj=world)
    assert result.exit_code == 0 and result.stdout == printed


def test_the_toml_is_read(tmp_path: Path) -> None:
    (tmp_path / "cards.task.toml").write_text(block("toml"))
    (tmp_path / "cards.csv").write_text("q,kind,part\nwhere is it,arrival,test\nit broke,fault,train\n")
    task = load(tmp_path / "cards.task.toml")
    assert [s.input for s in task.samples] == ["where is it"] and task.source.licence == "MIT"


def test_every_usual_name_and_every_key_is_documented_and_no_other() -> None:
    rows = {row[0]: words([row], 1) for row in usual_names("A file")}
    lettered = {"A", "B"}
    assert {
        role: tuple(name for name in names if name not in lettered) for role, names in rows.items()
    } == columns.USUAL
    keys = {key for row in PAGE["a toml beside it"] for key in words([row])}
    assert keys == {field.encode_name for field in msgspec.structs.fields(spec.Spec)}


def test_every_standard_set_is_named() -> None:
    section = TEXT[TEXT.index("## Standard sets") : TEXT.index("## Other harnesses")]
    assert all(f"`{name}`" in section or f"`{name.partition('/')[2]}`" in section for name in standard.table())


def usual_names(heading: str) -> list[list[str]]:
    section = TEXT[TEXT.index(f"## {heading}") :]
    table = section[section.index("| role |") :].split("\n\n")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
