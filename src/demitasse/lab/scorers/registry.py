"""Scorers by the name that a task gives: ``exact``, ``numeric:0.01``, ``judge:large``. Makes them; scores nothing itself.

A pure scorer is a plain function of one sample and one answer (``pure``), some 10 µs each; it is not picklable, but a Task
is: each process of a pool makes its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...score.normal import Answer
from ..tasks.task import Sample, Task
from . import fields, judged, numeric, words
from .coded import Code
from .people import Human
from .scorer import Ask, Pure, Score, Scorer, Unscorable, needs
from .semantic import Semantic

Embed = Callable[[str], Any]
"""A text to its unit vector (``score.embed.Embedder``)."""

OF_FORM = {"text": "exact", "number": "numeric", "choice": "choice", "label": "label", "json": "json", "code": "code"}
"""The scorer of a task that names none."""

_PURE: dict[str, Callable[[Task, str], Pure]] = {
    "exact": words.exact,
    "includes": words.includes,
    "numeric": numeric.numeric,
    "choice": words.choice,
    "label": words.label,
    "json": fields.fields,
}
NAMES = (*_PURE, "code", "semantic", "judge", "pairwise", "human")


def named(task: Task) -> tuple[str, str]:
    """Name and options of the task's scorer. Raises Unscorable: there is none of that name."""
    name, _, options = (task.scorer or OF_FORM[task.form]).partition(":")
    if name not in NAMES:
        raise Unscorable(f"task '{task.name}': there is no scorer '{name}'; there are {', '.join(NAMES)}")
    return name, options


def pure(task: Task) -> Pure | None:
    """The task's scorer as a plain function; None where it needs a model, a process or a person.

    Raises Unscorable: an option that is none, or a sample without what the scorer reads.
    """
    name, options = named(task)
    if name not in _PURE:
        return None
    _check(task, name)
    return _PURE[name](task, options)


def make(task: Task, *, ask: Ask | None, embed: Embed | None = None, allow_code: bool = False) -> Scorer:
    """The task's scorer.

    Args:
        task: names the scorer, and holds what it reads.
        ask: puts a question to a model; ``judge`` and ``pairwise`` need it.
        embed: a text's vector; ``semantic`` needs it.
        allow_code: what a model wrote may be run; ``code`` needs it.

    Raises:
        Unscorable: no such scorer or option, or something that it needs is missing; the sentence says what.
    """
    function = pure(task)
    if function is not None:
        return Plain(task.scorer or OF_FORM[task.form], function)
    name, options = named(task)
    if name == "code":
        if not allow_code:
            raise Unscorable(
                f"task '{task.name}' is scored by running what the model writes; read docs/scorers.md on what the sandbox "
                "is not, then allow it with: --allow-code"
            )
        return Code(task, options)
    if name == "semantic":
        if embed is None:
            raise Unscorable(
                "the scorer 'semantic' needs the embedding; get it with: demitasse models pull wordllama-256"
            )
        return Semantic(task, options, embed)
    if name == "human":
        return Human(task, options)
    return judged.named(name, task, options, ask)


class Plain:
    """A pure scorer in a Scorer's shape."""

    def __init__(self, name: str, score: Pure) -> None:
        self._name = name
        self._score = score

    @property
    def name(self) -> str:
        return self._name

    async def __call__(self, sample: Sample, answer: Answer) -> Score:
        return self._score(sample, answer)


def _check(task: Task, name: str) -> None:
    if name == "label" and not task.labels:
        raise Unscorable(f"task '{task.name}': the scorer 'label' needs the task's labels")
    for sample in task.samples:
        if name != "json" and not sample.target:
            raise needs(task, sample, "a target")
        if name == "choice" and sample.choices:
            _check_letters(task, sample)
        if name == "label" and not set(sample.target) <= set(task.labels):
            raise needs(task, sample, f"a target that is one of the labels, not '{sample.target[0]}'")


def _check_letters(task: Task, sample: Sample) -> None:
    letters = {chr(ord("A") + place) for place in range(len(sample.choices))}
    if not set(sample.target) <= letters:
        raise needs(task, sample, f"a letter of its {len(sample.choices)} options as target, not '{sample.target[0]}'")
