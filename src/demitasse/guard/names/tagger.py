"""The tagger of names that comes with the project: hashed features, one table of weights, the best path. Learns nothing here.

A structured perceptron (M. Collins, Discriminative Training Methods for Hidden Markov Models, EMNLP 2002), averaged, with
weights in one byte each. ``bench.names`` trains it; docs/models/names.md says on what, and what it is good and bad at.
"""
# ruff: noqa: PLC0415 - a gateway that uses no tagger starts without numpy

from __future__ import annotations

import hashlib
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...core.errors import ConfigError
from ..finding import Entity
from .features import Seer, is_small, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TYPES: Final = ("PERSON", "LOCATION", "ORGANISATION", "NATIONALITY", "TITLE", "ADDRESS")
LABELS: Final = ("O", *(f"{part}-{type}" for type in TYPES for part in "BI"))
WEIGHTS: Final = Path(__file__).with_name("weights.npz")
SHA256: Final = "8563ba462a8291f30d7f3b5a13b7ab6200b142cce6b46813afc3f2dd1a30c951"
MOST_WORDS: Final = 100_000
"""Words that are read in one call."""
LEAST: Final = 0.5
"""Names that are less likely than this are not reported."""
_QUOTES: Final = frozenset("'\"‘’“”„«»`*_|<>[]{}-,;:\n")
"""Signs that no name begins or ends with."""
PIECE: Final = 2_000
"""Words that are tagged at a time, so that the memory stays small."""


class Tagger:
    """Weights and the search for the best path."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        import numpy as np

        self._weights: NDArray[np.int8] = arrays["weights"]
        self._moves: NDArray[np.int32] = arrays["moves"].astype(np.int32)
        self._nothing = int(arrays["nothing"])
        self._slope, self._level = (float(part) for part in arrays["surety"])
        self._lists = [arrays[name] for name in sorted(arrays) if name.startswith("list_")]
        self._seer = Seer(self._listed)

    def find(self, text: str) -> tuple[list[Entity], bool]:
        """Names, places, organisations, nationalities, forms of address, street addresses; and whether the text was cut."""
        spans = words(text)
        cut = len(spans) > MOST_WORDS
        del spans[MOST_WORDS:]
        found: list[Entity] = []
        for first in range(0, len(spans), PIECE):
            piece = spans[first : first + PIECE]
            scores = self.scores(text, piece)
            found += self._entities(text, piece, scores, best(scores, self._moves))
        if not is_small(text, spans):  # where capitals are used, a name has one
            found = [one for one in found if one.type == "NATIONALITY" or not text[one.start : one.end].islower()]
        return found, cut

    def scores(self, text: str, spans: list[tuple[int, int]]) -> NDArray[np.int32]:
        """Shape ``(words, labels)``."""
        import numpy as np

        scores: NDArray[np.int32] = self._weights[self._seer.features(text, spans)].sum(axis=0, dtype=np.int32)
        scores[:, 0] += self._nothing
        return scores

    def _entities(
        self, text: str, spans: list[tuple[int, int]], scores: NDArray[np.int32], path: list[int]
    ) -> list[Entity]:
        found: list[Entity] = []
        at = 0
        while at < len(path):
            label = path[at]
            if label == 0:
                at += 1
                continue
            type = (label - 1) // 2
            until = at + 1
            while until < len(path) and path[until] == 2 * type + 2:
                until += 1
            margin = sum(self._margin(scores, path, here) for here in range(at, until)) / (until - at)
            sure = 1 / (1 + math.exp(-min(30.0, max(-30.0, margin * self._slope + self._level))))
            first, last = at, until
            while first < last and text[spans[first][0]] in _QUOTES:
                first += 1
            while first < last and text[spans[last - 1][0]] in _QUOTES:
                last -= 1
            if first < last and sure >= LEAST:
                found.append(Entity(TYPES[type], spans[first][0], spans[last - 1][1], round(min(0.85, sure), 2)))
            at = until
        return found

    def _margin(self, scores: NDArray[np.int32], path: list[int], at: int) -> int:
        """By how much the label at ``at`` beats "no name", the step to it counted."""
        label = path[at]
        before = path[at - 1] if at else len(self._moves) - 1
        return int(scores[at, label] + self._moves[before, label] - scores[at, 0] - self._moves[before, 0])

    def _listed(self, word: int) -> int:
        bits = 0
        for at, listed in enumerate(self._lists):
            place = int(listed.searchsorted(word))
            bits |= (place < len(listed) and int(listed[place]) == word) << at
        return bits


def best(scores: NDArray[np.int32], moves: NDArray[np.int32]) -> list[int]:
    """Viterbi: the labels of the path with the highest sum. ``moves[a, b]``: from a to b; its last row is the beginning."""
    import numpy as np

    if not len(scores):
        return []
    came = np.empty(scores.shape, dtype=np.int64)
    here = scores[0] + moves[-1]
    inner = moves[:-1]
    for at in range(1, len(scores)):
        ways = here[:, None] + inner
        came[at] = ways.argmax(axis=0)
        here = ways.max(axis=0) + scores[at]
    path = [int(here.argmax())]
    for at in range(len(scores) - 1, 0, -1):
        path.append(int(came[at, path[-1]]))
    return path[::-1]


def load(path: Path = WEIGHTS, sha256: str = SHA256) -> Tagger:
    """The weights, once their hash is right. Raises ConfigError."""
    import numpy as np

    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise ConfigError(
            f"the weights of the tagger of names, {path.name}, are not the ones that belong to this version;"
            " install demitasse again, or set the guard's names to another recogniser"
        )
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        return Tagger({name: arrays[name] for name in arrays.files})
