"""No text twice: exact doubles and near ones go, so that what a model is measured on was not, a little changed, trained on.

Near is a share of common runs of five letters (Jaccard) of 0.8, found by MinHash and bands (Broder 1997). Where two texts are a
little less near and one is called an attack and the other one is not, neither teaches anything. Pure.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...guard.injection.grams import codes
from ...guard.normal import normalise
from .sources import Row

NEAR: Final = 0.8
ALIKE: Final = 0.6
"""Texts that a model of runs does not tell apart."""
_HASHES: Final = 60
_RUN: Final = 5
_PRIME: Final = (1 << 31) - 1
_BEGINNING: Final = 60
"""Characters in which two rows are the same that contradict each other."""

Runs = NDArray[np.int64]


def distinct(rows: Sequence[Row]) -> list[Row]:
    """Without texts that an earlier row has (whatever its source says of them), exactly or nearly."""
    found: list[Row] = []
    runs: list[Runs] = []
    known: set[str] = set()
    buckets: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in rows:
        plain = _plain(row.text)
        if plain in known:
            continue
        known.add(plain)
        own = _runs(plain)
        keys = _keys(own, 4)
        if any(_share(own, runs[other]) >= NEAR for other in {at for key in keys for at in buckets[key]}):
            continue
        for key in keys:
            buckets[key].append(len(runs))
        runs.append(own)
        found.append(row)
    return found


def undisputed(rows: Sequence[Row]) -> NDArray[np.bool_]:
    """Which rows may be learned from: not those that begin as another does whose label is the other one, or are much like it.

    Long templates that one collection holds as an attack and as honest teach nothing; they are told apart by what nobody reads.
    """
    labels: dict[str, set[bool]] = {}
    for row in rows:
        labels.setdefault(row.text[:_BEGINNING], set()).add(row.attack)
    found = np.array([len(labels[row.text[:_BEGINNING]]) == 1 for row in rows], np.bool_)
    runs = [_runs(_plain(row.text)) for row in rows]
    buckets: dict[tuple[int, int], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for at, (row, own) in enumerate(zip(rows, runs, strict=True)):
        for key in _keys(own, 3):
            buckets[key][row.attack].append(at)
    pairs = {(one, other) for honest, attacks in buckets.values() if attacks for one in honest for other in attacks}
    for one, other in sorted(pairs):
        if (found[one] or found[other]) and _share(runs[one], runs[other]) >= ALIKE:
            found[[one, other]] = False
    return found


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", normalise(text).text.lower()).strip() or text


def _keys(runs: Runs, together: int) -> list[tuple[int, int]]:
    """Of a text's bands of so many least hashes; texts that share one are looked at. The fewer, the less alike they may be."""
    least = ((runs[:, None] * _A + _B) % _PRIME).min(axis=0)
    return [(at, hash(tuple(least[at : at + together].tolist()))) for at in range(0, _HASHES, together)]


_CHANCE: Final = np.random.default_rng(1)
_A: Final = _CHANCE.integers(1, _PRIME, _HASHES)
_B: Final = _CHANCE.integers(0, _PRIME, _HASHES)


def _runs(plain: str) -> Runs:
    found = codes(plain[:2_000])[0].astype(np.int64)
    value = np.zeros(max(1, len(found) - _RUN + 1), np.int64)
    for at in range(min(_RUN, len(found))):
        value = (value * 1_000_003 + found[at : at + len(value)]) % _PRIME
    return np.unique(value)


def _share(one: Runs, other: Runs) -> float:
    """Of all runs that either has."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)
