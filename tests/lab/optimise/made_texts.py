"""Texts of three kinds that share few words, and an embedding of which everything is known: one number per word."""

from __future__ import annotations

import zlib

import numpy as np

from demitasse.lab.optimise.classifier import Example

DIMS = 64
WORDS = {
    "refund": "money back refund returned repaid owed charge wrong amount please",
    "card": "card lost stolen plastic blocked pin chip swallowed arrive please",
    "rate": "rate exchange currency dollars euros market convert today worth please",
}
SHARED = ["i", "my", "the", "a", "what", "how", "when", "can", "you", "it", "is", "this", "for", "to"]


def encode(text: str) -> tuple[np.ndarray, int]:
    vector = np.zeros(DIMS, np.float32)
    words = text.lower().split()
    for word in words:
        rng = np.random.default_rng(zlib.crc32(word.encode()))
        vector += rng.standard_normal(DIMS).astype(np.float32)
    norm = float(np.linalg.norm(vector))
    return (vector / norm if norm else vector), len(words)


def texts(n: int, seed: int, *, noise: float = 0.0) -> list[Example]:
    """``n`` examples; a share ``noise`` bears a label drawn at random."""
    rng = np.random.default_rng(seed)
    labels = list(WORDS)
    found = []
    for _ in range(n):
        label = labels[rng.integers(3)]
        own = rng.choice(WORDS[label].split(), 3, replace=False)
        words = [*own, *rng.choice(SHARED, 4)]
        rng.shuffle(words)
        told = labels[rng.integers(3)] if rng.random() < noise else label
        found.append(Example(" ".join(words), told))
    return found
