"""The code in the pages about scorers and robustness runs as it is written."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["scorers.md", "robustness.md"])
def test_the_pages_code_runs(name):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, name, "exec"), {})


def test_the_page_names_every_scorer_and_every_kind():
    from demitasse.lab.scorers.registry import NAMES
    from demitasse.lab.tasks.perturb import KINDS

    scorers, kinds = ((DOCS / name).read_text(encoding="utf-8") for name in ("scorers.md", "robustness.md"))
    assert all(f"`{name}" in scorers for name in NAMES)
    assert all(f"| `{kind}` |" in kinds for kind in KINDS)
