"""Pairs of texts that look alike: which does the cache hold for one question, and by which guard is each told apart?"""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from demitasse.gateway.semantic_asked import read as eligible
from demitasse.score import guards
from demitasse.score.embed import words
from demitasse.score.verifier import Neighbour, Verifier, elect, marks

from .streams import DATA, call

NEAR_PAIRS = Path(__file__).parents[2] / "tests" / "data" / "near_pairs.jsonl"
LEAST_COSINE = 0.6


class Pair(NamedTuple):
    id: str
    kind: str
    a: str
    b: str
    share: bool


def near_pairs() -> list[Pair]:
    """Written without sight of the guards; only counted here, never tuned on."""
    rows = map(json.loads, NEAR_PAIRS.read_text().splitlines())
    return [Pair(row["id"], row["kind"], row["a"], row["b"], row["share"]) for row in rows]


def paws() -> list[Pair]:
    """PAWS-Wiki, development part."""
    with (DATA / "paws" / "paws_dev.tsv").open(newline="") as lines:
        rows = [row for row in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if row[-1] in ("0", "1")]
    return [
        Pair(row[0], "paraphrase" if row[3] == "1" else "no paraphrase", row[1], row[2], row[3] == "1") for row in rows
    ]


def count(pairs: list[Pair], embed, *, list_misses: int = 0) -> dict[str, Any]:
    """By kind: pairs, candidates (eligible, cosine of at least 0.6), and those that the guards let pass.

    ``alone``: one question known beside the other, as in a cache that has just been started; the guards are strict.
    ``settled``: the guards as they are towards an answer that several questions were found to have. There the verifier
    and the bound decide; ``settled`` counts what the guards alone would let through.
    """
    verifier = Verifier()
    by_kind: dict[str, Counter[str]] = {}
    misses = []
    for pair in pairs:
        seen = by_kind.setdefault(f"{pair.kind}{' (may share)' if pair.share else ''}", Counter())
        seen["pairs"] += 1
        cosine = float(embed(pair.a) @ embed(pair.b))
        if cosine < LEAST_COSINE or any(
            isinstance(eligible(call(1, text, 0), "r", "1"), str) for text in (pair.a, pair.b)
        ):
            continue
        seen["candidates"] += 1
        a, b = guards.read(pair.a), guards.read(pair.b)
        alone = guards.objection(a, b, strict=True) is None
        settled = guards.objection(a, b, strict=False) is None
        alike = settled and guards.foreign(b, a, guards.vocabulary([words(pair.a)])) is not None
        seen["pass_alone"] += alone
        seen["pass_settled"] += settled and not alike
        if alone and not pair.share and len(misses) < list_misses:
            misses.append(
                {
                    "id": pair.id,
                    "kind": pair.kind,
                    "a": pair.a,
                    "b": pair.b,
                    "chance_wrong": _chance(verifier, pair, cosine),
                }
            )
    return {"kinds": {kind: dict(seen) for kind, seen in sorted(by_kind.items())}, "false_hits": misses}


def _chance(verifier: Verifier, pair: Pair, cosine: float) -> float:
    near = [Neighbour(cosine, 1, frozenset(words(pair.a)))]
    found = marks(frozenset(words(pair.b)), near, elect(near), rarity=lambda _: 3.0, known=1, judged=0, wrong=0)
    return round(verifier.chance(found), 4)
