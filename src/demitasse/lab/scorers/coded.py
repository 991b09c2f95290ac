"""The scorer ``code``: an answer's Python passes its tests, run in ``sandbox``. Off unless allowed: it runs what a model wrote.

A sample's metadata hold ``tests`` (statements, as one text or several) and may hold ``setup`` (code before the answer),
``entry_point`` (the function that HumanEval's ``check`` is called with) and ``prompt`` (what a bare continuation continues).
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import Any

from ...score.normal import Answer
from ..tasks.task import Sample, Task
from .reading import failed, silent, spoken, unread
from .sandbox import Limits, tried
from .scorer import Score, Unscorable, needs


class Code:
    """All tests pass; ``partial``: the share of them that do."""

    def __init__(self, task: Task, options: str, *, limits: Limits | None = None) -> None:
        if options not in {"", "partial"}:
            raise Unscorable(f"the scorer 'code' knows the option 'partial' alone, not '{options}'")
        for sample in task.samples:
            if not tests_of(sample):
                raise needs(
                    task, sample, "tests in its metadata: Python statements that fail where the answer is wrong"
                )
        self._partial = bool(options)
        self._name = task.scorer or "code"
        self._limits = limits or Limits()
        self._room = asyncio.Semaphore(max(1, os.cpu_count() or 1))

    @property
    def name(self) -> str:
        return self._name

    async def __call__(self, sample: Sample, answer: Answer) -> Score:
        nothing = silent(answer)
        if nothing is not None:
            return nothing
        code = code_of(spoken(answer.text))
        if not code.strip():
            return unread(answer, "code")
        told = sample.metadata
        async with self._room:
            found = await tried(_whole(code, told), tests_of(sample), self._limits)
        if not found.readable:
            return (
                unread(answer, "Python")
                if _is_prose(code) or answer.finish == "length"
                else failed("format", found.why)
            )
        share = sum(found.passed) / len(found.passed)
        value = share if self._partial else float(share == 1)
        return Score(value, said=f"{sum(found.passed)} of {len(found.passed)} tests", why=found.why)


def tests_of(sample: Sample) -> list[str]:
    """A sample's tests, each to be run by itself."""
    told = sample.metadata.get("tests") or sample.metadata.get("test") or sample.metadata.get("test_list") or ()
    tests = [told] if isinstance(told, str) else [str(one) for one in told]
    entry = sample.metadata.get("entry_point")
    if entry and any("def check(" in one for one in tests):
        tests = [f"{one}\n\ncheck({entry})" if "def check(" in one else one for one in tests]
    return [one for one in tests if one.strip()]


def code_of(text: str) -> str:
    """The Python of an answer: its fences that say so, else all its fences, else the whole text."""
    blocks = [(m["language"].casefold(), m["code"]) for m in _FENCE.finditer(text)]
    python = [code for language, code in blocks if language in {"python", "py", "python3"}]
    return "\n\n".join(python or [code for _, code in blocks]) if blocks else text


def _whole(code: str, told: dict[str, Any]) -> str:
    entry = told.get("entry_point")
    prompt = str(told.get("prompt", ""))
    if entry and prompt and not re.search(rf"\bdef\s+{re.escape(str(entry))}\b", code):
        code = prompt + code  # it goes on where the prompt ended
    setup = told.get("setup") or told.get("test_setup_code")
    return f"{setup}\n\n{code}" if setup else code


def _is_prose(code: str) -> bool:
    return not _LOOKS_LIKE_CODE.search(code)


_FENCE = re.compile(r"```[ \t]*(?P<language>[\w+-]*)[^\n]*\n(?P<code>.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
_LOOKS_LIKE_CODE = re.compile(r"^\s*(?:def|class|import|from|return|for|while|if|print)\b|=|\(", re.MULTILINE)
