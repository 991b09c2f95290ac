"""No text twice: exact doubles and near ones go, so that what a model is measured on was not, a little changed, trained on.

Near is a share of common runs of five letters (Jaccard) of 0.8, found by MinHash and bands (Broder 1997). Pure.
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
_HASHES, _ROWS = 60, 4
_RUN: Final = 5
_PRIME: Final = (1 << 31) - 1


def distinct(rows: Sequence[Row]) -> list[Row]:
    """Without texts that an earlier row has (whatever its source says of them), exactly or nearly."""
    found: list[Row] = []
    runs: list[NDArray[np.int64]] = []
    known: set[str] = set()
    buckets: dict[tuple[int, int], list[int]] = defaultdict(list)
    chance = np.random.default_rng(1)
    a = chance.integers(1, _PRIME, _HASHES)
    b = chance.integers(0, _PRIME, _HASHES)
    for row in rows:
        plain = re.sub(r"[\W_]+", " ", normalise(row.text).text.lower()).strip() or row.text
        if plain in known:
            continue
        known.add(plain)
        own = _runs(plain)
        least = ((own[:, None] * a + b) % _PRIME).min(axis=0)
        keys = [
            (band, hash(tuple(least[band * _ROWS : (band + 1) * _ROWS].tolist()))) for band in range(_HASHES // _ROWS)
        ]
        if any(_alike(own, runs[other]) for other in {at for key in keys for at in buckets[key]}):
            continue
        for key in keys:
            buckets[key].append(len(runs))
        runs.append(own)
        found.append(row)
    return found


def _runs(plain: str) -> NDArray[np.int64]:
    found = codes(plain[:2_000])[0].astype(np.int64)
    value = np.zeros(max(1, len(found) - _RUN + 1), np.int64)
    for at in range(min(_RUN, len(found))):
        value = (value * 1_000_003 + found[at : at + len(value)]) % _PRIME
    return np.unique(value)


def _alike(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both >= NEAR * (len(one) + len(other) - both)
