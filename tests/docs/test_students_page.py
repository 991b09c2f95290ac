"""The page on students: its code runs, on a model of chance."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("transformers", reason="needs the extra train")
pytest.importorskip("peft", reason="needs the extra train")
pytest.importorskip("gguf", reason="needs the extra train")

from tests.docs.pages import page
from tests.lab.optimise.made_gguf import make


def test_the_code_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "small.gguf")
    for name, words in (("train", "rose tulip poppy"), ("test", "violet lily iris")):
        lines = [f"{word} number {n},{'red' if n % 2 else 'blue'}" for n, word in enumerate(words.split() * 10)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["input,target", *lines]))
    blocks = re.findall(r"^```python\n(.*?)^```", page("optimise-students.md"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    place: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "optimise-students.md", "exec"), place)
    assert "all steps done" in (said := capsys.readouterr().out) or "no better loss" in said
    assert {path.name for path in (tmp_path / "made").iterdir()} == {
        "student.Q8_0.gguf",
        "student.Q4_0.gguf",
        "student.Q5_0.gguf",
    }


def test_no_result_is_left_to_be_filled_in():
    assert not re.search(r"^[A-Z]{5,}$", page("optimise-students.md"), re.MULTILINE)
