"""From `[models.X] engine = …` to an engine: which kind, which source, at what price; and what the settings refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from demitasse.build.measured import SETTING, Speed, with_speed
from demitasse.config import load
from demitasse.core.errors import ConfigError
from demitasse.core.hardware import Throughput
from demitasse.providers.engine_kinds import ENGINES
from demitasse.store.settings import Settings
from tests.build.test_app import Site, site  # noqa: F401

LOCAL = """
[models.small]
provider = "local"
source = "{file}"
slots = 2
batch = 128
gpu_layers = 7

[models.whole]
provider = "local"
engine = "transformers"
source = "my-model"
threads = 1
"""


async def test_each_model_gets_the_engine_and_the_settings_of_its_table(site: Site) -> None:  # noqa: F811
    site.write(LOCAL.format(file=site.home / "small.gguf"))
    async with site.app() as app:
        small, whole = app.found.engines
        assert (small.kind, small.slots, small._batch, small._gpu_layers) == (ENGINES["llama.cpp"], 2, 128, 7)
        assert (whole.kind, whole._batch, whole._gpu_layers) == (ENGINES["transformers"], None, None)
        assert (whole.gguf, whole.served_as) == (site.home / "my-model", "my-model")


async def test_a_measured_speed_makes_the_price_of_its_model_and_of_no_other(site: Site) -> None:  # noqa: F811
    site.write(LOCAL.format(file=site.home / "small.gguf"))
    found = Speed(Throughput(1000.0, 100.0, 1, "small as tuned today"), 1, "small.gguf")
    settings = Settings(site.home / "data")
    settings.set_setting(SETTING, with_speed({}, "small", found))
    settings.close()
    async with site.app() as app:
        cards = {route.name: route.reference.card for route in app.found.routes}
    assert "as tuned today" in cards["small"].id
    assert "assumed" in cards["whole"].id
    assert cards["small"].base.text_out < cards["whole"].base.text_out


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('provider = "local"\nengine = "transformers"\nsource = "m.gguf"', "GGUF is for llama.cpp"),
        ('provider = "local"\nengine = "transformers"\nsource = "m"\nslots = 4', "one after another"),
        ('provider = "local"\nengine = "transformers"\nsource = "m"\nbatch = 4', "no such setting"),
        ('provider = "openai"\nengine = "transformers"', "only a local model has it"),
        ('provider = "openai"\ngpu_layers = 4', "only a local model has it"),
        ('provider = "local"\nsource = "m.gguf"\ngpu_layers = "all"', "gpu_layers"),
        ('provider = "local"\nsource = "m.gguf"\nengine = "vllm"', "engine"),
    ],
)
def test_a_setting_that_an_engine_has_not_is_refused(table: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "demitasse.toml"
    file.write_text(f"[models.x]\n{table}\n")
    with pytest.raises(ConfigError, match=says):
        load(file, {}, tmp_path)
