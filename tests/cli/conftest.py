"""A way to run commands on a store of one's own, with the clock standing still."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_month import NOW_US, fill, month
from click.testing import CliRunner, Result

from demitasse.cli import main
from demitasse.cli.ground import World
from demitasse.providers import vendor_energy

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written down here shall not depend on whether [energy] is installed, nor in which version."""
    monkeypatch.setattr(vendor_energy, "installed", lambda: False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def filled(data: Path) -> Path:
    fill(data, month())
    return data


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Run:
    """Run one command in an empty directory, with an empty environment and the clock at NOW_US."""

    def run(*arguments: str, env: dict[str, str] | None = None, status: int = 0, input: str | None = None) -> Result:
        world = World(env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], **(env or {})}, cwd=tmp_path, clock=lambda: NOW_US, data=str(data))  # fmt: skip
        result = CliRunner().invoke(main, list(arguments), obj=world, input=input, prog_name="demitasse")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result

    return run
