"""The scorer ``semantic``: how near an answer is to a target in meaning, by the cosine of static embeddings. Needs their file.

Words and not sentences are compared: negations, order and numbers hardly move it. It tells whether an answer is about the right
thing, never right from nearly right.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...score.normal import Answer
from ..tasks.task import Sample, Task
from .reading import said, shown, silent, unread
from .scorer import Score, Unscorable, needs


class Semantic:
    """The largest cosine to a target, 0..1. ``semantic:0.8``: 1 from that cosine on, else 0."""

    def __init__(self, task: Task, options: str, embed: Callable[[str], Any]) -> None:
        try:
            self._threshold = float(options) if options else None
        except ValueError:
            self._threshold = -1.0
        if self._threshold is not None and not 0 < self._threshold <= 1:
            raise Unscorable(
                f"the scorer 'semantic' takes a cosine above 0 as threshold, as in semantic:0.8, not '{options}'"
            )
        for sample in task.samples:
            if not sample.target:
                raise needs(task, sample, "a target")
        embed("")  # says now, and not at the first answer, that its file is missing
        self._name = task.scorer
        self._embed = embed
        self._kept: OrderedDict[str, Any] = OrderedDict()

    @property
    def name(self) -> str:
        return self._name

    async def __call__(self, sample: Sample, answer: Answer) -> Score:
        nothing = silent(answer)
        if nothing is not None:
            return nothing
        text = said(answer)
        if not text.strip():
            return unread(answer, "answer")
        ours = self._embed(text)
        cosine = max(float(ours @ self._of(target)) for target in sample.target)
        cosine = min(1.0, max(0.0, cosine))
        if self._threshold is None or cosine < self._threshold:
            why = unread(answer, "its end")
            if why.failure in {"refused", "cut"}:
                return why
        value = cosine if self._threshold is None else float(cosine >= self._threshold)
        return Score(value, said=shown(text), why=f"cosine {cosine:.3f}")

    def _of(self, target: str) -> Any:
        if target not in self._kept:
            self._kept[target] = self._embed(target)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[target]


def opened(models: Path) -> Callable[[str], Any]:
    """The static embedding in the folder of models, opened when it is first used.

    What comes back raises EmbedError at its first use where the file, or the extra ``semantic``, is missing.
    """
    embed: list[Callable[[str], Any]] = []

    def vector(text: str) -> Any:
        if not embed:
            from ...providers import catalogue  # noqa: PLC0415 - most scorers do without the embedding
            from ...providers.download import place  # noqa: PLC0415
            from ...score.embed import Embedder  # noqa: PLC0415

            embed.append(Embedder(place(catalogue.embeddings()[EMBEDDING], models)))
        return embed[0](text)

    return vector


EMBEDDING = "wordllama-256"
_KEPT = 10_000
