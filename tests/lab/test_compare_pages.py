"""The code on the pages about comparing and the frontier runs, and prints what the page says it prints."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from tests.docs.pages import page


@pytest.mark.parametrize("name", ["compare.md", "frontier.md"])
def test_the_examples_print_what_the_page_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", page(name), re.DOTALL)
    assert blocks
    for block in blocks:
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            exec(compile(block, name, "exec"), {})
        for expected in re.findall(r"print\(.*\)  # (.+)", block):
            assert expected in told.getvalue().splitlines()
