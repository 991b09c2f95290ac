"""From a text to logits and from a logit to a score, with given weights. Knows nothing of files and sources.

An attack within a long honest text must show, so a long one is read by sentence and the worst speaks for it. All sentences are
weighed in one pass.
"""

from __future__ import annotations

import math
import re
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..normal import normalise
from .grams import BITS, Places, buckets, codes, laid_out, word_hashes
from .lexicon import MOST_WORDS, NOTHING, features, known
from .weights import Head, Steps, Weights

WINDOW: Final = 240
"""Characters that are read together; a longer text is read by sentence, and a longer sentence in pieces."""
STEP: Final = 160
PIECE: Final = 16_000
"""Characters that are hashed at once."""
MOST_CHARS: Final = 400_000
"""Of a longer text the first and the last half of these are read."""

Floats = NDArray[np.float64]

_SENTENCE: Final = re.compile(r"[.!?。！？؟\n\r|][\"'”’)\]]*(?:\s+|(?<=[。！？\n\r|]))")
_LEAST: Final = 12
"""Characters of a sentence, at least: shorter ones go with the next."""


class Apart(NamedTuple):
    """The runs of a text by its sentences; a run belongs where it begins."""

    sentence: Places
    """Of each run."""
    seen: Places
    """Its bucket."""
    roots: Floats
    """Of how many runs each sentence has."""
    of_words: Places
    """The sentence of each word."""


class Runs:
    """The runs of a piece of text, each counted once: in the piece, or in each of its sentences."""

    def __init__(self, text: str) -> None:
        self.text = text
        found, self._origin = codes(text)
        self._starts, self.words = word_hashes(found)
        self._buckets = buckets(found, self.words)
        self._size = len(found)
        self._once: Places | None = None
        self._apart: Apart | None = None

    @property
    def is_long(self) -> bool:
        return self._size > WINDOW

    def whole(self, weights: Steps, head: Head, words: Sequence[float]) -> float:
        """The logit of all together; ``words``: weights of what the words say."""
        said = features(known(self.words[:MOST_WORDS].tolist()))
        return self._sum(weights) * head.scale + head.bias + sum([words[feature] for feature in said])

    def sentences(self, weights: Steps, head: Head, words: Sequence[float] | None = None) -> tuple[float, int]:
        """The logit of the worst sentence, and how many there are."""
        if (apart := self._by_sentence()) is None:
            said = sum([words[one] for one in features(known(self.words.tolist()))]) if words else 0.0
            return self._sum(weights) * head.scale + said + head.bias, 1
        sentence, seen, roots, of_words = apart
        logits = np.bincount(sentence, weights.take(seen)) / roots * head.scale
        if words:
            logits += self.said(words, of_words, len(roots))
        return float(logits.max()) + head.bias, len(roots)

    def said(self, words: Sequence[float], of_words: Places, count: int) -> Floats:
        """What the words of each sentence add."""
        sums, sentence_of = [words[NOTHING]] * count, of_words.tolist()
        for sentence, found in groupby(known(self.words.tolist()), lambda one: sentence_of[one[0]]):
            first = bisect_left(sentence_of, sentence)
            sums[sentence] = sum([words[feature] for feature in features([(at - first, own) for at, own in found])])
        return np.array(sums)

    def _sum(self, weights: Steps) -> float:
        """The weights of all runs over the root of how many there are."""
        if (seen := self._once) is None:
            seen = self._once = self._buckets[_first(self._buckets)]
        return int(np.add.reduce(weights.take(seen), dtype=np.int64)) / math.sqrt(max(1, len(seen)))

    def _by_sentence(self) -> Apart | None:
        """Its runs by sentence. None: there is but one sentence."""
        if self._apart is not None:
            return self._apart
        cuts = self._cuts()
        if len(cuts) < 3:
            return None
        marks = np.zeros(self._size, np.int64)
        for cut in cuts[1:-1]:
            marks[cut] = 1
        by_place = np.add.accumulate(marks)
        of_words = by_place.take(self._starts)
        sentence = laid_out(by_place, of_words)
        kept = _first(self._buckets ^ (sentence * _APART & _MASK))
        sentence = sentence[kept]
        roots = np.sqrt(np.maximum(np.bincount(sentence), _ONE))
        self._apart = Apart(sentence, self._buckets[kept], roots, of_words)
        return self._apart

    def _cuts(self) -> list[int]:
        """Where sentences begin, and the end; a very long one is cut."""
        cuts = [0, *(end + 1 for end in sentence_ends(self.text))]
        if self._origin is not None:
            cuts = self._origin.searchsorted(cuts).tolist()
        cuts.append(self._size)
        if any(end - start > WINDOW for start, end in pairwise(cuts)):
            cuts = sorted({*cuts, *range(WINDOW, max(WINDOW, self._size - STEP), STEP)})
        return cuts


_ONE: Final = np.array(1)
_MASK: Final = np.array((1 << BITS) - 1)
_APART: Final = np.array(0x9E3779B1)
"""Sends the same run of two sentences to two places; a few in a thousand meet another's there, and one of both is not counted."""
_own = threading.local()


def _first(keys: Places) -> NDArray[np.bool_]:
    """Of each key below 2^BITS whether it is counted: one of those that are the same. To sort them takes twice as long.

    Each writes its number where its key says, and the one that is found there counts; nothing needs to be cleared before.
    """
    if (table := getattr(_own, "table", None)) is None:
        table = _own.table = np.zeros(1 << BITS, np.int32)
    numbers = _numbers(1 << max(10, len(keys).bit_length()))[: len(keys)]
    table[keys] = numbers
    kept: NDArray[np.bool_] = table.take(keys) == numbers
    return kept


@lru_cache(12)
def _numbers(size: int) -> NDArray[np.int32]:
    return np.arange(size, dtype=np.int32)


def sentence_ends(text: str) -> list[int]:
    """Where one sentence ends and another begins; the end of a line is one too."""
    found, at, last = [], 0, len(text) - _LEAST
    for match in _SENTENCE.finditer(text):
        end = match.end()
        if end - at >= _LEAST and end <= last:
            found.append(end)
            at = end
    return found


def score_of(logit: float, head: Head, *, is_long: bool = False) -> float:
    """The share of honest texts, long or short, that do not reach a logit. Beyond what was measured the tail is exponential."""
    knots = (head.long if is_long else ()) or head.knots
    if len(knots) < 2:
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))
    at = min(max(bisect_right(knots, (logit, math.inf)), 1), len(knots) - 1)
    (z0, s0), (z1, s1) = knots[at - 1], knots[at]
    slope = (math.log(s1) - math.log(s0)) / (z1 - z0)
    share = math.exp(min(0.0, math.log(s0) + slope * (logit - z0)))
    return 1 - max(share, 1e-9)


def clipped(text: str) -> str:
    """What is read of a text: as it reads, and not more than is read in good time."""
    if len(text) > MOST_CHARS:
        text = text[: MOST_CHARS // 2] + "\n" + text[-MOST_CHARS // 2 :]
    return normalise(text).text


def score(text: str, made: Weights, *, untrusted: bool) -> float:
    """See ``injection.score``. An untrusted text has two chances to look odd: the shares of the two heads make one by their
    harmonic mean (Wilson 2019), which is the smaller one's double where the other says nothing, and theirs where they agree."""
    read = clipped(text)
    if not read or read.isspace():
        return 0.0
    runs = [Runs(piece) for piece in pieces(read)]
    found = score_of(_direct(runs, made), made.header.direct, is_long=_is_long(runs))
    if not untrusted:
        return found
    order = score_of(_order(runs, made), made.header.order)
    return 1 - 2 / (1 / (1 - found) + 1 / (1 - order))


def direct_logit(read: str, made: Weights) -> float:
    """Of a text as it reads, by the first head: all of it, or a long one's worst sentence less what so many reach by chance."""
    return _direct([Runs(piece) for piece in pieces(read)], made)


def order_logit(read: str, made: Weights) -> float:
    """Of a text as it reads, by the second head: its worst sentence."""
    return _order([Runs(piece) for piece in pieces(read)], made)


def is_long(read: str) -> bool:
    """Whether the first head reads it by sentence."""
    return len(read) > PIECE or len(codes(read)[0]) > WINDOW


def pieces(read: str) -> list[str]:
    """A text, or stretches of a long one that are read one after the other."""
    if len(read) <= PIECE:
        return [read]
    found, at = [], 0
    while at < len(read):
        end = at + PIECE
        end = (read.rfind(" ", at + PIECE // 2, end) + 1 or end) if end < len(read) else end
        found.append(read[at:end])
        at = end
    return found


def _is_long(runs: Sequence[Runs]) -> bool:
    return len(runs) > 1 or runs[0].is_long


def _direct(runs: Sequence[Runs], made: Weights) -> float:
    head = made.header.direct
    if _is_long(runs):
        return _worst(runs, made.direct, head, made.said)
    return runs[0].whole(made.direct, head, made.said)


def _order(runs: Sequence[Runs], made: Weights) -> float:
    return _worst(runs, made.order, made.header.order)


def _worst(runs: Sequence[Runs], weights: Steps, head: Head, words: Sequence[float] | None = None) -> float:
    told = [one.sentences(weights, head, words) for one in runs]
    return max(logit for logit, _ in told) - head.slack * math.log(min(head.crowd, sum(count for _, count in told)))
