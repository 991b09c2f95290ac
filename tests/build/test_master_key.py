"""A master key that is not that of what is kept is refused before anything is kept under it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import structs

from demitasse.build.app import App
from demitasse.build.keeping import master
from demitasse.cli import main
from demitasse.cli.ground import World
from demitasse.config import Config, GuardSettings
from demitasse.config.tree import Keep
from demitasse.core.errors import ConfigError
from demitasse.store.bodies import Bodies
from demitasse.store.master import master_key, rewrap


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One body, kept under ``old.key``."""
    data = tmp_path / "data"
    bodies = Bodies(data, master_key(file=tmp_path / "old.key", data=data))
    bodies.put("r1", "who", b"text", 9**18)
    bodies.close()
    return data


def config(file: Path, *, bodies: bool = True) -> Config:
    return structs.replace(Config(), keep=Keep(bodies=bodies, master_key_file=str(file)))


@pytest.mark.parametrize("bodies", [True, False])
async def test_after_a_change_of_keys_a_start_with_the_old_one_is_refused(data: Path, tmp_path: Path, bodies) -> None:
    old, new = (master_key(file=tmp_path / f"{name}.key", data=data) for name in ("old", "new"))
    rewrap(data, old, new)
    with pytest.raises(ConfigError, match=r"old.key is not the one that the 1 data keys .* name the key that"):
        App(config(tmp_path / "old.key", bodies=bodies), data, {}, base_url="http://x", clock=lambda: 1)
    assert master(config(tmp_path / "new.key"), data) == new


def test_before_any_change_a_key_that_opens_no_data_key_is_refused(data: Path, tmp_path: Path) -> None:
    assert len(master(config(tmp_path / "old.key"), data)) == 32
    master_key(file=tmp_path / "other.key", data=data)
    with pytest.raises(ConfigError, match=r"other.key is not the one"):
        master(config(tmp_path / "other.key"), data)


def test_a_key_file_that_is_not_there_is_not_made_where_keys_are_kept(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no key file"):
        master(config(tmp_path / "mistyped.key"), data)
    assert not (tmp_path / "mistyped.key").exists()
    assert len(master(config(tmp_path / "first.key"), tmp_path / "empty")) == 32


def test_doctor_says_which_key_is_wanted(data: Path, tmp_path: Path) -> None:
    def look(name: str) -> dict[str, str]:
        (tmp_path / "demitasse.toml").write_text(f'[keep]\nbodies = true\nmaster_key_file = "{name}"\n')
        world = World(
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, cwd=tmp_path, clock=lambda: 1, data=str(data)
        )
        said = json.loads(CliRunner().invoke(main, ["doctor", "--json"], obj=world).stdout)
        return next(finding for finding in said["findings"] if finding["what"] == "master")

    assert look("old.key")["level"] == "ok"
    old, new = (master_key(file=tmp_path / f"{name}.key", data=data) for name in ("old", "new"))
    rewrap(data, old, new)
    found = look("old.key")
    assert found["level"] == "bad"
    assert "demitasse audit rekey" in found["text"]


@pytest.mark.parametrize("bodies", [True, False])
async def test_a_key_file_in_the_data_folder_is_refused_at_the_start_and_by_doctor(
    tmp_path: Path, bodies: bool
) -> None:
    data = tmp_path / "data"
    told = config(data / "master.key", bodies=bodies)
    for guard in (GuardSettings(personal={"EMAIL": "redact"}), GuardSettings(secrets="redact")):
        with pytest.raises(ConfigError, match="lies in the data directory"):
            App(structs.replace(told, guard=guard), data, {}, base_url="http://x", clock=lambda: 1)
    (tmp_path / "demitasse.toml").write_text(
        f'[guard]\npersonal = {{ EMAIL = "redact" }}\n[keep]\nbodies = {str(bodies).lower()}\n'
        f'master_key_file = "{data}/master.key"\n'
    )
    world = World(
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, cwd=tmp_path, clock=lambda: 1, data=str(data)
    )
    found = CliRunner().invoke(main, ["doctor", "--json"], obj=world)
    (said,) = (one for one in json.loads(found.stdout)["findings"] if one["what"] == "master")
    assert said["level"] == "bad"
    assert "lies in the data directory" in said["text"]
    assert found.exit_code == 1
    assert not (data / "master.key").exists()


def test_doctor_makes_no_key(tmp_path: Path) -> None:
    (tmp_path / "demitasse.toml").write_text('[guard]\nsecrets = "redact"\n[keep]\nmaster_key_file = "new.key"\n')
    world = World(env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, cwd=tmp_path, clock=lambda: 1)
    found = CliRunner().invoke(main, ["doctor", "--json"], obj=world)
    assert not [one for one in json.loads(found.stdout)["findings"] if one["what"] == "master"]
    assert not (tmp_path / "new.key").exists()
