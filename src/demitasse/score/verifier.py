"""How likely a kept answer is the wrong one: a calibrated chance from a few marks of a question and its nearest neighbours.

Pure; knows vectors, words and groups of questions that were found to have the same answer. Starts from shipped weights and
learns from verdicts as they come (a Gaussian posterior over the weights, updated row by row: Laplace's approximation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from math import exp, log, log1p, pi, sqrt
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEAR: Final = 0.05
"""Cosine within which a neighbour's voice counts by half or so: it falls by e with each such step."""

FEATURES: Final = (
    "one", "cosine", "gap", "votes", "common", "new", "voices", "known", "gap_votes", "new_here", "rarest_new", "record",
)  # fmt: skip
"""In order; see ``marks``."""


class Neighbour(NamedTuple):
    """A question that was answered before."""

    cosine: float
    answer: int
    """Which answer it shares; any number."""
    words: frozenset[str]


class Candidate(NamedTuple):
    """The answer most spoken for, and what stands against it."""

    answer: int
    rival: int | None
    """The answer of the nearest neighbour that has another one."""
    cosine: float
    rival_cosine: float
    votes: float
    """Share of the neighbours' weighted voices, in (0, 1]."""


def elect(neighbours: Sequence[Neighbour]) -> Candidate:
    """The answer with most voices among neighbours (nearest first, at least one)."""
    top = neighbours[0].cosine
    voices: dict[int, float] = {}
    best: dict[int, float] = {}
    for near in neighbours:
        voices[near.answer] = voices.get(near.answer, 0.0) + exp((near.cosine - top) / NEAR)
        best.setdefault(near.answer, near.cosine)
    chosen = max(voices, key=voices.__getitem__)
    rival = next((near.answer for near in neighbours if near.answer != chosen), None)
    rival_cosine = best[rival] if rival is not None else 0.0
    return Candidate(chosen, rival, best[chosen], rival_cosine, voices[chosen] / sum(voices.values()))


def marks(
    words: frozenset[str],
    neighbours: Sequence[Neighbour],
    candidate: Candidate,
    *,
    rarity: Callable[[str], float],
    known: int,
    judged: int,
    wrong: int,
) -> Array:
    """The features of a candidate, shape (12,), each of the order of 1.

    Args:
        words: of the question.
        rarity: a word's weight (inverse document frequency).
        known: questions that were found to have this answer.
        judged, wrong: verdicts on this answer so far.
    """
    own = [near for near in neighbours if near.answer == candidate.answer]
    nearest = own[0].words
    weight = {word: rarity(word) for word in words}
    total = sum(weight.values()) + 1e-9
    common = sum(weight[word] for word in words & nearest)
    either = total + sum(map(rarity, nearest - words)) + 1e-9
    unseen = [weight[word] for word in words.difference(*(near.words for near in own))]
    new = sum(unseen) / total
    others = [near.words for near in neighbours if near.answer == candidate.rival]
    new_to_rival = sum(weight[word] for word in words.difference(*others)) / total if others else 1.0
    gap = 10 * (candidate.cosine - max(candidate.rival_cosine, 0.5))
    votes = candidate.votes
    return np.array(
        (
            1.0,
            10 * candidate.cosine - 8,
            gap,
            log((votes + 0.02) / (1.04 - votes)) / 2,
            2 * common / either - 1,
            2 * new - 1,
            min(len(own), 8) / 4,
            log1p(known) / 2,
            gap * votes,
            new - new_to_rival,
            max(unseen, default=0.0) / 4,
            3 * (wrong + 0.3) / (judged + 2),
        )
    )


class Weights(Struct, frozen=True):
    """A Gaussian over the weights of a logistic regression: mean (n) and precision (n x n, row by row)."""

    mean: list[float]
    precision: list[float]


class VerifierState(Struct, frozen=True):
    """A ``Verifier`` as data."""

    marks: Weights
    scale: Weights
    rows: int = 0


@lru_cache(maxsize=1)
def shipped() -> VerifierState:
    """Weights to begin with, held as firmly as a few dozen verdicts hold them: learned by
    ``python -m bench.semantic_cache train`` from CLINC150's training part (see there)."""
    return msgspec.json.decode((files(__package__) / "verifier.json").read_bytes(), type=VerifierState)


class Verifier:
    """Chances to be wrong, from marks; learns from verdicts.

    Two steps: a logistic regression on the marks, and one on its own log-odds, which sets right how sure it is of itself.
    """

    def __init__(self, state: VerifierState | None = None) -> None:
        first = shipped()
        fits = state is not None and len(state.marks.mean) == len(FEATURES)
        self._marks = _Logistic(first.marks, state.marks if state is not None and fits else None)
        self._scale = _Logistic(first.scale, state.scale if state is not None and fits else None)
        self.rows = state.rows if state is not None and fits else 0

    def chance(self, marks: Array) -> float:
        """P(wrong) in (0, 1)."""
        return self._scale.chance(_odds(self._marks.chance(marks)))

    def learn(self, marks: Array, *, wrong: bool) -> None:
        """One verdict. About 60 µs."""
        self._scale.learn(_odds(self._marks.chance(marks)), wrong=wrong)
        self._marks.learn(marks, wrong=wrong)
        self.rows += 1

    def state(self) -> VerifierState:
        return VerifierState(self._marks.state(), self._scale.state(), self.rows)


MEMORY: Final = 6_000
"""Verdicts after which an old one counts e times less: traffic changes."""


class _Logistic:
    """Logistic regression, row by row: a Gaussian posterior by Laplace's approximation, drawn back slowly to its prior."""

    def __init__(self, prior: Weights, state: Weights | None = None) -> None:
        size = len(prior.mean)
        self._prior: Array = np.array(prior.precision).reshape(size, size)
        now = state if state is not None and len(state.mean) == size else prior
        self._mean: Array = np.array(now.mean)
        self._precision: Array = np.array(now.precision).reshape(size, size)
        self._spread = _inverse(self._precision)

    def chance(self, x: Array) -> float:
        """Averaged over what the weights may be (MacKay 1992, eq. 11)."""
        variance = float(x @ self._spread @ x)
        return 1 / (1 + exp(-float(x @ self._mean) / sqrt(1 + pi * variance / 8)))

    def learn(self, x: Array, *, wrong: bool) -> None:
        now = 1 / (1 + exp(-float(x @ self._mean)))
        keep = exp(-1 / MEMORY)
        self._precision = keep * self._precision + (1 - keep) * self._prior
        self._precision += max(now * (1 - now), 1e-3) * np.outer(x, x)
        self._spread = _inverse(self._precision)
        self._mean = self._mean + self._spread @ x * (float(wrong) - now)

    def state(self) -> Weights:
        return Weights(self._mean.tolist(), self._precision.ravel().tolist())


def _inverse(matrix: Array) -> Array:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _odds(chance: float) -> Array:
    """Features of the second step: log-odds around those of 5 %."""
    chance = min(max(chance, 1e-6), 1 - 1e-6)
    return np.array((1.0, log(chance / (1 - chance)) + 3.0))
