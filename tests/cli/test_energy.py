"""Estimates beside what was metered, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demitasse.core.call import Energy
from demitasse.providers import vendor_energy

FILE = '[models.large]\nprovider = "openai"\nmodel = "gpt-5.1"\n[hardware]\ncarbon_g_per_kwh = 100\n'


def test_without_the_extra_the_commands_say_what_to_install(filled, run, tmp_path: Path) -> None:
    (tmp_path / "demitasse.toml").write_text(FILE)
    assert "of hosted models not estimated: pip install 'demitasse[energy]'" in run("report").stdout
    assert "energy not estimated: pip install 'demitasse[energy]'" in run("explain", "c03").stdout
    assert json.loads(run("report", "--json").stdout)["energy_lacking"] == vendor_energy.NOT_INSTALLED


def test_with_it_an_estimate_stands_beside_the_model_of_this_machine(filled, run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(
        vendor_energy, "estimate", lambda provider, model, tokens, _s: Energy(10**6, 3 * 10**6, "vendor")
    )
    (tmp_path / "demitasse.toml").write_text(FILE)
    said = json.loads(run("report", "--json").stdout)
    assert said["energy_wh"]["vendor"] == [3 / 3600, 9 / 3600]
    assert said["energy_wh"]["modelled"] == [4 / 3600, 9 / 3600]
    assert said["carbon_g"]["modelled"] == pytest.approx([4 / 36000, 9 / 36000])
    assert "(vendor estimate), 12.5 µg to 396 µg CO2e" in run("explain", "c03").stdout
    (bill,) = json.loads(run("explain", "c03", "--json").stdout)["bills"]
    assert bill["energy_j"] == {"low": 1.0, "high": 3.0, "method": "vendor"}


def test_the_books_can_be_read_beside_a_broken_file(filled, run, tmp_path: Path) -> None:
    (tmp_path / "demitasse.toml").write_text("[models.large]\nprovider = 'opnai'\n")
    said = run("report")
    assert "no provider 'opnai'; did you mean 'openai'?" in said.stderr
    assert "mWh" in said.stdout
