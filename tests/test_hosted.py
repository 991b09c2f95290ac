"""Who is behind a model's name: the provider's own servers, or anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from demitasse.config import hosted, load, machine
from demitasse.core.hardware import Hardware, Interval

FILE = """
[models.large]
provider = "openai"
model = "gpt-5.1"
[models.plain]
provider = "anthropic"
[models.home]
provider = "openai"
model = "gpt-5.1"
base_url = "http://127.0.0.1:8000/v1"
[models.named]
provider = "openai"
model = "gpt-4o"
base_url = "https://api.openai.com/v1"
[models.small]
provider = "local"
source = "smollm2-135m"
[hardware]
carbon_g_per_kwh = 30
"""


@pytest.mark.parametrize(
    ("name", "behind"),
    [
        ("large", ("openai", "gpt-5.1")),
        ("plain", ("anthropic", "plain")),
        ("named", ("openai", "gpt-4o")),
        ("openrouter/openai/gpt-4o", ("openrouter", "openai/gpt-4o")),
        ("home", None),
        ("small", None),
        ("ollama/llama3", None),
        ("vllm/mine", None),
        ("gone", None),
        ("openai/", None),
        ("", None),
    ],
)
def test_only_a_providers_own_servers_are_meant(tmp_path: Path, name: str, behind: tuple[str, str] | None) -> None:
    (tmp_path / "demitasse.toml").write_text(FILE)
    assert hosted(load(tmp_path / "demitasse.toml", {}, tmp_path), name) == behind


def test_the_machine_is_the_defaults_with_the_files_own_figures(tmp_path: Path) -> None:
    (tmp_path / "demitasse.toml").write_text(FILE)
    made = machine(load(tmp_path / "demitasse.toml", {}, tmp_path))
    assert made.carbon_g_per_kwh == Interval(30, 30)
    assert made.pue == Hardware().pue
