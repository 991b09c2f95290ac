"""The table of engines says what the code's rows say, and the configuration shown is one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from demitasse.config.tree import ModelSettings
from demitasse.providers.engine_kinds import ENGINES

PAGE = (Path(__file__).parents[2] / "docs/engines.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("at", range(len(ENGINES["llama.cpp"].features)))
def test_the_table_says_of_each_feature_what_the_rows_say(at):
    told = [kind.features[at] for kind in ENGINES.values()]
    cells = [f"{one.support}: {one.how}" if one.how else one.support for one in told]
    assert f"| {told[0].name} | {' | '.join(cells)} |" in PAGE


def test_the_configuration_shown_is_one():
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    models = msgspec.convert(tomllib.loads(block)["models"], dict[str, ModelSettings])
    assert {model.engine for model in models.values()} == set(ENGINES)
