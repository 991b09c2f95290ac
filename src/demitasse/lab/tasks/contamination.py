"""How much of a task stands in other texts already: n-gram overlap between its samples and training or log rows.

Sources: 13-grams of lower-case words without punctuation, as in GPT-3 (Brown et al. 2020, appendix C); of 8-grams, 70 % of a
sample's, as in PaLM (Chowdhery et al. 2022, section 8). A reworded sample is not found by this.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from .task import Sample, Task

N = 13
MOSTLY = 0.7
"""Of a sample's n-grams: from here on it is counted as mostly known (PaLM's bound)."""
COMMON = 10
"""An n-gram of more samples than this, and of more than one in twenty, is a form of words and no sample's own. (GPT-3 leaves out
those of more than ten documents.)"""
EXAMPLES = 5


class Hit(Struct, frozen=True):
    """A sample that shares words with a text."""

    sample: str
    words: str
    """The first n-gram that they share, normalised."""
    row: int
    """Of the texts, the first one that has it; 0 is the first."""
    share: float
    """Of the sample's n-grams, how many stand in any of the texts."""


class Overlap(Struct, frozen=True):
    """What was found. ``samples`` are those that have an n-gram of their own; ``unjudged`` have none."""

    n: int
    samples: int
    texts: int
    touched: int
    """Samples of which at least one n-gram stands in the texts."""
    mostly: int
    """Of these, those of which 70 % do."""
    unjudged: int
    """Samples that are empty, or made of forms of words alone."""
    short: int
    """Samples with fewer than n words: found only where a text is the same, whole."""
    examples: tuple[Hit, ...]
    """The most touched first."""
    ids: tuple[str, ...]
    """Of all touched samples, in the task's order: what a filter takes out."""

    @property
    def share(self) -> float:
        """Of the samples that can be judged, those touched; 0 where there is none."""
        return self.touched / self.samples if self.samples else 0.0


def overlap(task: Task, texts: Iterable[str | Sequence[str]], n: int = N) -> Overlap:
    """Hold a task's samples (what is asked, its options, not the template) against texts.

    Args:
        texts: one a row, or the several texts of a row; read once, one at a time; memory is the task's alone.
        n: words in a row that count as the same passage; 13 and 8 are usual.
    """
    if n < 1:
        raise ValueError(f"n-grams have at least one word, not {n}")
    grams, whole, short = _index(task, n)
    followers = _followers(grams)
    first: dict[str, int] = {}
    count = 0
    for row, text in enumerate(texts):
        count = row + 1
        for part in (text,) if isinstance(text, str) else text:
            said = words(part)
            for gram in _known(said, n, followers):
                if gram in grams and gram not in first:
                    first[gram] = row
            if whole and len(said) < n and (joined := " ".join(said)) in whole:
                first.setdefault(joined, row)
    return _told(task, n, grams | whole, first, count, short)


def _index(task: Task, n: int) -> tuple[dict[str, set[int]], dict[str, set[int]], int]:
    """The samples of each n-gram; the samples of each text that is shorter; how many those are."""
    grams: dict[str, set[int]] = {}
    whole: dict[str, set[int]] = {}
    short = 0
    for at, sample in enumerate(task.samples):
        said = words(text_of(sample))
        if len(said) >= n:
            for gram in _all(said, n):
                grams.setdefault(gram, set()).add(at)
        elif said:
            short += 1
            whole.setdefault(" ".join(said), set()).add(at)
    most = max(COMMON, len(task.samples) // 20)
    return {gram: at for gram, at in grams.items() if len(at) <= most}, whole, short


def _told(task: Task, n: int, index: dict[str, set[int]], first: dict[str, int], texts: int, short: int) -> Overlap:
    own: Counter[int] = Counter(at for samples in index.values() for at in samples)
    found: Counter[int] = Counter()
    earliest: dict[int, tuple[int, str]] = {}
    for gram, row in first.items():
        for at in index[gram]:
            found[at] += 1
            earliest[at] = min(earliest.get(at, (row, gram)), (row, gram))
    hits = [
        Hit(task.samples[at].id, earliest[at][1], earliest[at][0], found[at] / own[at])
        for at in sorted(found, key=lambda at: (-found[at] / own[at], at))
    ]
    return Overlap(
        n=n,
        samples=len(own),
        texts=texts,
        touched=len(found),
        mostly=sum(hit.share >= MOSTLY for hit in hits),
        unjudged=len(task.samples) - len(own),
        short=short,
        examples=tuple(hits[:EXAMPLES]),
        ids=tuple(task.samples[at].id for at in sorted(found)),
    )


def text_of(sample: Sample) -> str:
    """What is asked, and the options; of a conversation what the user says."""
    asked = (
        sample.input
        if isinstance(sample.input, str)
        else "\n".join(turn.content for turn in sample.input if turn.role == "user")
    )
    return "\n".join((asked, *sample.choices))


_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff])")
"""Scripts that are written without spaces: each of their signs is a word."""


def words(text: str) -> list[str]:
    """Lower case, compatibility forms folded, without punctuation."""
    if text.isascii():
        return _WORD.findall(text.lower())
    folded = unicodedata.normalize("NFKC", text).lower()
    return _WORD.findall(_UNSPACED.sub(r" \1 ", folded))


def _all(said: list[str], n: int) -> Iterable[str]:
    return (" ".join(said[at : at + n]) for at in range(len(said) - n + 1))


def _followers(grams: Iterable[str]) -> dict[str, set[str]]:
    """The words of the task, each with those that come after it somewhere."""
    found: dict[str, set[str]] = {}
    for gram in grams:
        said = gram.split(" ")
        for word, following in zip(said, [*said[1:], ""], strict=True):
            found.setdefault(word, set()).add(following)
    return found


def _known(said: list[str], n: int, followers: dict[str, set[str]]) -> Iterable[str]:
    """The n-grams in which every word follows the one before as it does in the task: most texts have none, and are let go by
    the word."""
    run, after = 0, _NONE
    for at, word in enumerate(said, 1):
        known = followers.get(word)
        if known is None:
            run, after = 0, _NONE
            continue
        run = run + 1 if word in after else 1
        after = known
        if run >= n:
            yield " ".join(said[at - n : at])


_NONE: set[str] = set()
