"""`tune` from the command line with the real small model: measured once, kept, written where asked; and what it is told wrongly."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from demitasse.build import tuning
from demitasse.build.measured import SETTING, Speed, speed, with_speed
from demitasse.build.tuning import Swept, Wanted, speed_of
from demitasse.cli import main
from demitasse.cli.ground import World
from demitasse.core.hardware import Throughput
from demitasse.lab.evals.load import Busy
from demitasse.lab.evals.sweep import Answered, Setting, Trial, grid, mixed
from demitasse.store.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs/reference/commands.md").read_text()
CONFIG = """# mine
[models.small]
provider = "local"
source = "{gguf}"   # the small one
"""


def run(tmp_path: Path, *words: str):
    return CliRunner().invoke(
        main, ["tune", *words, "--data", str(tmp_path / "data")], obj=World(env={}, cwd=tmp_path, clock=lambda: 10**15)
    )


@pytest.mark.model
def test_a_sweep_is_measured_once_told_and_written_where_asked(tmp_path, smollm_path):
    file = tmp_path / "demitasse.toml"
    file.write_text(CONFIG.format(gguf=smollm_path))
    small = (
        "small",
        "--config",
        str(file),
        "--slots",
        "1",
        "--threads",
        "1",
        "--calls",
        "2",
        "--repeats",
        "1",
        "--again",
        "0",
    )
    first = run(tmp_path, *small, "--json")
    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    documented = re.findall(
        r"`([a-z_0-9]+)`", PAGE.split("## `demitasse tune`")[1].split("\n## ")[0].split("`--json`:")[1]
    )
    assert set(told) | set(told["points"][0]) | set(told["knees"][0]) | set(told["speed"]) <= set(documented)
    (point,) = told["points"]
    assert (point["calls"], point["failed"], told["new_trials"]) == (2, 0, 1)
    assert point["out_per_s"][0] > 0
    assert point["energy_j_per_call"][0] <= point["energy_j_per_call"][1]
    assert told["speed"]["input_per_s"] > told["speed"]["output_per_s"] > 0

    again = run(tmp_path, *small, "--aim", "throughput", "--write", "--use-speed")
    assert again.exit_code == 0, again.output
    assert "0 trials were measured now" in again.output
    assert file.read_text() == CONFIG.format(gguf=smollm_path) + "slots = 1\nthreads = 1\n"
    settings = Settings(tmp_path / "data")
    found = speed(settings.get_setting(SETTING), "small", smollm_path.name)
    assert speed(settings.get_setting(SETTING), "small", "another.gguf") is None
    settings.close()
    assert found is not None
    assert found.output_per_s == pytest.approx(told["speed"]["output_per_s"], rel=0.01)
    assert "as tuned 2001-09-09" in found.source


def test_what_is_no_local_model_has_no_engine_to_tune(tmp_path):
    (tmp_path / "demitasse.toml").write_text('[models.big]\nprovider = "openai"\n')
    refused = run(tmp_path, "big", "--config", str(tmp_path / "demitasse.toml"))
    assert refused.exit_code == 1
    assert "no local model" in refused.output
    unknown = run(tmp_path, "nobody")
    assert unknown.exit_code == 1
    assert "no model 'nobody'" in unknown.output


@pytest.mark.parametrize(
    "wrong", [("--slots", "0"), ("--slots", "1,x"), ("--batch", ""), ("--aim", "best"), ("--write",)]
)
def test_what_is_mistyped_is_status_2(tmp_path, wrong):
    assert run(tmp_path, "smollm2-135m", *wrong).exit_code == 2


def trial(slots: int, *, threads: int = 1, ms: float = 1000.0, contended: bool = False, clock: bool = True) -> Trial:
    answer = Answered(ms, ms / 2, 100, 20, prompt_ms=ms / 2 if clock else None, answer_ms=ms / 2 if clock else None)
    busy = Busy(1.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, contended)
    return Trial(Setting(slots, threads), 0, 0, (answer,) * 3, 1.0, 1, busy)


def swept(*trials: Trial) -> Swept:
    return Swept("small", "llama.cpp", "v", "cpu", 2.0, "m.gguf", trials, Path("j"), 0)


@pytest.mark.parametrize("clock", [True, False])
def test_a_models_speed_is_that_of_one_call_alone_on_a_quiet_machine(clock):
    found = speed_of(
        swept(trial(4, ms=100.0), trial(1, clock=clock), trial(1, ms=10.0, contended=True), trial(2, ms=10.0)),
        "2026-11-21",
    )
    assert found.throughput.input_per_s == pytest.approx(200.0)
    assert found.throughput.output_per_s == pytest.approx(40.0)
    assert (found.slots, found.throughput.threads) == (1, 1)
    assert "shared" not in found.throughput.source


def test_a_speed_from_a_shared_machine_says_so_and_none_is_made_up():
    assert "shared" in speed_of(swept(trial(1, contended=True)), "2026-11-21").throughput.source
    lost = msgspec.structs.replace(trial(1), calls=(), failed="gone")
    assert speed_of(swept(lost), "2026-11-21") is None


def test_a_speed_that_cannot_be_read_is_none():
    kept = with_speed({}, "a", Speed(Throughput(1.0, 2.0, 3, "s"), 1, "m.gguf"))
    assert speed(kept, "a", "m.gguf") == Throughput(1.0, 2.0, 3, "s")
    assert speed(kept, "b", "m.gguf") is None
    assert speed({"a": 3}, "a", "m.gguf") is None
    assert speed(None, "a", "m.gguf") is None


async def swept_with(monkeypatch, data: Path, outcomes: list[bool], wanted: Wanted) -> Swept:
    """A sweep whose trials are contended or not, in the order of ``outcomes``."""

    class Subject:
        version, path = "v 1", Path("m.gguf")

        @classmethod
        async def make(cls, *_):
            return cls()

        def told(self, _wanted):
            return {"model": "m"}

        def mark(self, _wanted):
            return "00000000"

        async def trial(self, setting, repeat, attempt, _wanted):
            one = trial(setting.slots, contended=outcomes.pop(0))
            return msgspec.structs.replace(one, setting=setting, repeat=repeat, attempt=attempt)

    monkeypatch.setattr(tuning, "_Subject", Subject)
    from demitasse.config import Config

    return await tuning.sweep(Config(), data, wanted, tell=lambda _said: None, progress=lambda _done, _all: None)


async def test_a_disturbed_trial_is_measured_again_up_to_a_number_of_times_and_a_cut_journal_is_gone_on_with(
    tmp_path, monkeypatch
):
    wanted = Wanted("smollm2-135m", tuple(grid((1, 2), (1,), (None,))), tuple(mixed(2, seed=1)), repeats=1, again=2)
    first = await swept_with(monkeypatch, tmp_path, [True, False, True, True, True], wanted)
    assert first.new == 5
    assert sorted(t.busy.contended for t in first.trials) == [False, True, True, True, True]
    assert (await swept_with(monkeypatch, tmp_path, [], wanted)).new == 0  # settled: tried as often as one is ready to
    with first.journal.open("r+b") as file:
        file.truncate(first.journal.stat().st_size - 20)
    resumed = await swept_with(monkeypatch, tmp_path, [False], wanted)
    assert resumed.new == 1
    assert (await swept_with(monkeypatch, tmp_path, [], wanted)).new == 0
