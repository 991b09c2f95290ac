"""The page on the audit log: its code runs and prints what it says, its commands work, its figures are those of the bench."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from demitasse.cli import main
from demitasse.cli.ground import World
from demitasse.config.check import LEAST_LEDGER_DAYS
from demitasse.config.tree import Audit
from demitasse.store.examine import Report
from demitasse.store.exported import Verified
from demitasse.store.ledger import SqliteLedger
from demitasse.store.proofs import Grown, Growth, Proof, Proven
from demitasse.store.receipts import Checked, Receipt
from demitasse.store.retention import LEAST_DAYS, NOTICE_DAYS
from demitasse.store.segments import ROWS
from tests.docs.pages import ROOT, page, tables, words

TEXT = page("audit.md")
PLAIN = " ".join(TEXT.split())
COMMANDS, CODE = (re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)[0] for kind in ("sh", "python"))


def test_the_code_runs_and_prints_what_the_page_says() -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(CODE, "audit.md", "exec"), {})
    last = said.getvalue().splitlines()[-1]
    assert last
    assert f"`{last}`" in PLAIN


def test_the_commands_work_in_their_order(tmp_path: Path) -> None:
    from demitasse.core.entry import Entry

    ledger = SqliteLedger.open(tmp_path / "data")
    ledger.post(Entry("c1", 1_795_262_591_000_000, "local", "chat", "auto", "answered"))
    ledger.close()
    world = World(env={}, cwd=tmp_path, clock=lambda: 1_795_262_592_000_000, data=str(tmp_path / "data"))
    for line in COMMANDS.splitlines():
        words = shlex.split(line, comments=True)[1:]
        result = CliRunner().invoke(main, words, obj=world)
        assert result.exit_code == 0, (line, result.output)


def test_the_figures_are_those_of_the_bench() -> None:
    found = json.loads((ROOT / "bench/results/audit/million.json").read_text())
    assert found["rows"] > 1_000_000
    for name, unit in (
        ("audit_verify_s", "s"),
        ("first_checkpoint_s", "s"),
        ("export_s", "s"),
        ("verify_export_s", "s"),
    ):
        assert f"{found[name]:.1f} {unit}" in PLAIN, name
    for size in (400, 4_000, 40_000):
        assert f"{found[f'commitments_{size}_bytes_us']:.0f} µs" in PLAIN
    assert f"{found['receipt_us']:.0f} µs" in PLAIN


def test_what_it_says_of_settings_is_so() -> None:
    assert (Audit().checkpoint_minutes, Audit().checkpoint_rows) == (10, 10_000)
    assert LEAST_LEDGER_DAYS == LEAST_DAYS == 183
    assert NOTICE_DAYS == 7
    assert ROWS == 1_024


def test_the_objects_have_the_documented_fields() -> None:
    def documented(heading: str) -> set[str]:
        return set(words(tables(page("reference/json.md"))[heading]))

    assert documented("receipt") == set(Receipt.__struct_fields__)
    assert documented("proof") == set(Proof.__struct_fields__)
    assert documented("growth") == set(Growth.__struct_fields__)
    assert documented("examination") - {"row", "size", "kind", "message"} == {"valid", *Report.__struct_fields__}
    others = {"kind", "receipt", "id", "seq", "text", "first_us"}
    assert documented("verified file") == set(Verified.__struct_fields__) | others
    assert set(Grown.__struct_fields__) <= documented("verified file")
    assert set(Proven.__struct_fields__) | set(Checked.__struct_fields__) <= documented("verified file")


@pytest.mark.parametrize("name", re.findall(r"\]\(\.\./(bench/[\w/.]+)\)", TEXT))
def test_files_that_it_names_are_there(name: str) -> None:
    assert (ROOT / name).exists()
