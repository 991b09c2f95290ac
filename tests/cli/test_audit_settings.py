"""The settings of the audit log: what is refused, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from demitasse.config import load
from demitasse.config.read import SettingsError


def read(home: Path, text: str, *, found: bool = False):
    file = home / "demitasse.toml"
    file.write_text(text)
    return load(None if found else file, {}, home)


def test_rows_are_kept_six_months_at_least_because_a_law_says_so(tmp_path):
    with pytest.raises(
        SettingsError, match=r"keep.ledger_days: 100 is too few: the EU AI Act \(Art. 19 and 26\(6\)\).*183"
    ):
        read(tmp_path, "[keep]\nledger_days = 100\n")
    assert read(tmp_path, "[keep]\nledger_days = 183\n").keep.ledger_days == 183
    assert read(tmp_path, "").keep.ledger_days is None


def test_a_file_that_was_merely_found_runs_no_command(tmp_path):
    text = '[keep]\nbodies = true\nmaster_key_command = ["kms", "decrypt"]\n'
    assert read(tmp_path, text).keep.master_key_command == ("kms", "decrypt")
    with pytest.raises(SettingsError, match=r"may run no command; name it with --config"):
        read(tmp_path, text, found=True)


def test_there_is_one_master_key(tmp_path):
    with pytest.raises(SettingsError, match=r"keep.master_key_command: master_key_file is set too"):
        read(tmp_path, '[keep]\nmaster_key_file = "a"\nmaster_key_command = ["b"]\n')
