"""Learns the verifier's first weights: `python -m bench.semantic_cache train`. Prints what stands in score/verifier.py.

Streams of a corpus's training part go through a cache that stays closed; each verdict is a row. Ridge regression on all rows
gives the weights, and the rows' mean information times ``ROWS`` says how firmly they are held.
"""

from __future__ import annotations

import random

import numpy as np

from demitasse.gateway.semantic import GateSettings, SemanticCache, SemanticSettings
from demitasse.score.verifier import FEATURES, VerifierState, Weights, _Logistic, _odds

from .streams import Corpus, call, kept, shuffled

ROWS = 60
"""Verdicts that the shipped weights are worth: so many of the user's own weigh as much."""


def learn(corpora: list[Corpus], embed, *, streams: int = 6, length: int = 4_000, seed: int = 4_100) -> VerifierState:
    rows: list[np.ndarray] = []
    wrongs: list[bool] = []
    for corpus in corpora:
        for number in range(streams):
            for marks, wrong in _rows(shuffled(corpus, length, seed + number), embed, seed + number):
                rows.append(marks)
                wrongs.append(wrong)
    marks, wrong = np.array(rows), np.array(wrongs, float)
    mean = _fit(marks, wrong)
    chance = 1 / (1 + np.exp(-marks @ mean))
    information = (marks * (chance * (1 - chance))[:, None]).T @ marks / len(marks)
    precision = information * ROWS + np.eye(len(FEATURES)) * 0.1
    first = Weights([round(float(w), 3) for w in mean], [round(float(p), 3) for p in precision.ravel()])
    return VerifierState(first, _scale(corpora, embed, first, length, seed + 100))


def _scale(corpora: list[Corpus], embed, first: Weights, length: int, seed: int) -> Weights:
    """The second step, from chances as they are given before each verdict on streams of their own."""
    odds, wrongs = [], []
    for corpus in corpora:
        for number in range(3):
            verifier = _Logistic(first)
            for marks, wrong in _rows(shuffled(corpus, length, seed + number), embed, seed + number):
                odds.append(_odds(verifier.chance(marks)))
                wrongs.append(wrong)
                verifier.learn(marks, wrong=wrong)
    x, wrong = np.array(odds), np.array(wrongs, float)
    mean = _fit(x, wrong, ridge=0.1)
    chance = 1 / (1 + np.exp(-x @ mean))
    information = (x * (chance * (1 - chance))[:, None]).T @ x / len(x)
    precision = information * ROWS * 4
    return Weights([round(float(w), 3) for w in mean], [round(float(p), 3) for p in precision.ravel()])


def _rows(stream: list[tuple[str, int]], embed, seed: int):
    seen = []
    cache = SemanticCache(
        SemanticSettings(GateSettings(max_error=1e-9), max_bytes=1 << 30),
        embed,
        clock=lambda: 0,
        draw=random.Random(seed).random,
    )
    for n, (text, answer) in enumerate(stream, 1):
        asked = cache.read(call(n, text, 0), "auto", "1")
        if asked is None:
            continue
        mine = kept(n, answer, 0)
        found = cache.find(asked)
        cache.keep(asked, mine)
        if found is None:
            continue
        wrong = found.kept.reply.body != mine.reply.body
        if found.passed:
            seen.append((found.marks, wrong))
        rival = found.rival.reply.body != mine.reply.body if found.rival is not None else None
        cache.learn(found, wrong=wrong, rival_wrong=rival)
    return seen


def _fit(marks: np.ndarray, wrong: np.ndarray, ridge: float = 3.0) -> np.ndarray:
    """Newton's method."""
    weights = np.zeros(marks.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-marks @ weights))
        slope = marks.T @ (wrong - chance) - ridge * weights
        curve = (marks * (chance * (1 - chance))[:, None]).T @ marks + ridge * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return weights
