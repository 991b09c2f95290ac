"""The scorer ``human``: no score until a person has given one. Votes are kept and read by ``evals.human``; knows none of them."""

from __future__ import annotations

from ...score.normal import Answer
from ..tasks.task import Sample, Task
from .reading import said, shown, silent
from .scorer import Score, Unscorable


class Human:
    """Nobody could say yet; but what is empty, or refused by its upstream, needs no person."""

    def __init__(self, task: Task, options: str) -> None:
        if options:
            raise Unscorable(f"the scorer 'human' knows no options, not '{options}'")
        self._name = task.scorer

    @property
    def name(self) -> str:
        return self._name

    async def __call__(self, sample: Sample, answer: Answer) -> Score:  # noqa: ARG002 - a Scorer's
        return silent(answer) or Score(None, said=shown(said(answer)), why="waits for a person")
