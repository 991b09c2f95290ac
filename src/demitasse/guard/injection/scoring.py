"""From a text to logits and from a logit to a score, with given weights. Knows nothing of files and sources.

An attack within a long honest text must show, so a text is read in windows and the worst one speaks for it. All windows cost one
pass: weights are summed up from the start, and a window is the difference of two sums.
"""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..normal import normalise
from .grams import codes, grams
from .weights import Bytes, Head, Weights

WINDOW: Final = 240
"""Characters that are read together; a longer text is read by sentence too."""
MOST_CHARS: Final = 400_000
"""Of a longer text the first and the last half of these are read."""

Floats = NDArray[np.float64]
Spans = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Starts and ends."""
_SENTENCE: Final = re.compile(r"[.!?。！？؟\n\r|][\"'”’)\]]*(?:\s+|(?<=[。！？\n\r|]))")
_LEAST: Final = 12
"""Characters of a sentence, at least: shorter ones go with the next."""


class Sums:
    """A text's weights, summed up."""

    def __init__(self, text: str, *weights: Bytes) -> None:
        found, self._origin = codes(text)
        places, buckets = grams(found)
        self.size = len(found)
        self._counts = _summed(np.bincount(places, minlength=self.size))
        self._sums = [_summed(np.bincount(places, one[buckets], self.size)) for one in weights]

    def logits(self, which: int, head: Head, spans: Spans) -> Floats:
        """Of windows; runs that begin within one are its own."""
        starts, ends = spans
        total = self._sums[which]
        count = self._counts[ends] - self._counts[starts]
        found: Floats = (total[ends] - total[starts]) * head.scale / np.sqrt(np.maximum(count, 1)) + head.bias
        return found

    def windows(self, text: str) -> Spans:
        """The whole text, and where it is long, each of its sentences and each two in a row."""
        whole = np.array([0]), np.array([self.size])
        if self.size <= WINDOW:
            return whole
        starts, ends = self.sentences(text)
        return np.concatenate((whole[0], starts, starts[:-1])), np.concatenate((whole[1], ends, ends[1:]))

    def sentences(self, text: str) -> Spans:
        """The sentences of the text that this was made of; a very long one is cut."""
        cuts = np.array([0, *(end + 1 for end in sentence_ends(text)), len(text) + 2])
        if self._origin is not None:
            cuts = np.searchsorted(self._origin, cuts)
        cuts[-1] = self.size
        if (np.diff(cuts) > WINDOW).any():
            cuts = np.unique(np.concatenate((cuts, np.arange(WINDOW, self.size - WINDOW // 2, WINDOW // 2))))
        return cuts[:-1], cuts[1:]


def _summed(row: NDArray[np.float64] | NDArray[np.int64]) -> Floats:
    found = np.empty(len(row) + 1)
    found[0] = 0
    np.cumsum(row, out=found[1:])
    return found


def sentence_ends(text: str) -> list[int]:
    """Where one sentence ends and another begins; the end of a line is one too."""
    found, at, last = [], 0, len(text) - _LEAST
    for match in _SENTENCE.finditer(text):
        end = match.end()
        if end - at >= _LEAST and end <= last:
            found.append(end)
            at = end
    return found


def worst(logits: Floats, head: Head) -> float:
    """Of windows, less what so many of them reach by chance."""
    return float(logits.max()) - head.slack * math.log(len(logits))


def score_of(logit: float, head: Head) -> float:
    """The share of honest texts that do not reach a logit. Beyond what was measured the tail is taken as exponential."""
    knots = head.knots
    if len(knots) < 2:
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))
    at = next((i for i, (here, _) in enumerate(knots) if logit < here), len(knots))
    at = min(max(at, 1), len(knots) - 1)
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
    """See ``injection.score``. An untrusted text is as odd as the odder of its two scores, for having had two chances."""
    read = clipped(text)
    if not read or read.isspace():
        return 0.0
    if not untrusted:
        return score_of(direct_logit(read, made), made.header.direct)
    sums = Sums(read, made.direct, made.order)
    heads = made.header.direct, made.header.order
    found = score_of(worst(sums.logits(0, heads[0], sums.windows(read)), heads[0]), heads[0])
    order = score_of(worst(sums.logits(1, heads[1], sums.sentences(read)), heads[1]), heads[1])
    return max(0.0, 1 - 2 * (1 - max(found, order)))


def direct_logit(read: str, made: Weights) -> float:
    """Of a text as it reads."""
    sums = Sums(read, made.direct)
    return worst(sums.logits(0, made.header.direct, sums.windows(read)), made.header.direct)


def order_logit(read: str, made: Weights) -> float:
    """The same for the sentence that most asks something of an assistant."""
    sums = Sums(read, made.order)
    return worst(sums.logits(0, made.header.order, sums.sentences(read)), made.header.order)
