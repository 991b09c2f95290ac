"""What the grounding check mistakes, and whether the length of an answer decides: on PAWS-Wiki's pairs of sentences, as JSON.

    python -m bench.guard_grounding [--data FOLDER] [--out bench/results/guard_grounding.json]

Of a pair that means the same the first sentence is the context, the second the answer: all is supported. Then one number or name of it
is exchanged, or it is held against another row: nothing is. Pairs with the same words and another meaning show what no count of words
can see. Then sentences turned to their opposites beside honest paraphrases of them (``tests/data/flips.jsonl``), in halves for development
and for test. Last, answers of k sentences over a context of sixteen, with and without one sentence that does not belong there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from bench import machine
from demitasse.guard import grounding
from demitasse.guard.grounding import _NAME, ground

SEED = 7
CONTEXT = 16
LENGTHS = (1, 2, 4, 8, 16)
Pair = tuple[str, str]
"""Context, answer."""


def main() -> None:
    given = _arguments()
    same, swapped = pairs(given.data / "paws/paws_dev.tsv")
    flips = Path(__file__).parents[1] / "tests/data/flips.jsonl"
    rng = random.Random(SEED)
    names = [name for _, answer in same for name in _NAME.findall(answer)]
    result: dict[str, Any] = {
        "machine": machine.facts(),
        "data": "PAWS-Wiki dev, evaluated only",
        "seed": SEED,
        "paraphrases": _told(same),
        "one number exchanged": _told([(c, other) for c, a in same if (other := _number(a, rng)) is not None]),
        "one name exchanged": _told([(c, other) for c, a in same if (other := _name(a, names, rng)) is not None]),
        "another row": _told([(same[at][0], same[at - 1][1]) for at in range(len(same))]),
        "same words, another meaning": _told(swapped),
        "turned to their opposites": _flips(flips, only=given.half),
        "by length": [_by_length(same, k) for k in LENGTHS],
        "cpu": [_cpu(same, k, of) for k, of in ((1, 1), (8, 16), (16, 200))],
    }
    with _no_flips():
        result["the same without looking for opposites"] = {
            "paraphrases": _told(same),
            "same words, another meaning": _told(swapped),
            "turned to their opposites": _flips(flips, only=given.half),
        }
    Path(given.out).write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k != "machine"}, indent=1))


def pairs(file: Path) -> tuple[list[Pair], list[Pair]]:
    """Pairs that mean the same, and pairs that do not, in a drawn order."""
    rows = [line.rstrip("\n").split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if len(row) == 4 and row[3] in "01"]
    random.Random(SEED).shuffle(rows)
    return [(r[1], r[2]) for r in rows if r[3] == "1"], [(r[1], r[2]) for r in rows if r[3] == "0"]


def _told(pairs: list[Pair]) -> dict[str, float | int]:
    found = [held for context, answer in pairs if (held := ground(answer, context)).claims]
    claims = [claim.support for held in found for claim in held.claims]
    return {
        "answers": len(found),
        "passed": round(sum(held.passed for held in found) / len(found), 4),
        "score": round(sum(held.score or 0.0 for held in found) / len(found), 4),
        "unsupported_claims": round(claims.count("unsupported") / len(claims), 4),
        "grey_claims": round(claims.count("grey") / len(claims), 4),
    }


@contextmanager
def _no_flips() -> Iterator[None]:
    """The check as it is where no sentence is near enough to be the opposite of."""
    before = grounding._ABOUT_IT
    grounding._ABOUT_IT = 2.0  # type: ignore[misc]
    try:
        yield
    finally:
        grounding._ABOUT_IT = before  # type: ignore[misc]


def _cpu(same: list[Pair], claims: int, context: int, rounds: int = 15) -> dict[str, float | int]:
    """CPU by 1,000 characters of answer and context, with and without opposites in turns; the least of some rounds."""
    jobs = [
        (" ".join(a for _, a in same[at : at + claims]), " ".join(c for c, _ in same[at : at + context]))
        for at in range(0, 320 if context < 100 else 2_000, context)
    ]
    least = {"with": float("inf"), "without": float("inf")}
    for _ in range(rounds):
        for way in ("with", "without"):
            with _no_flips() if way == "without" else nullcontext():
                began = time.process_time()
                for answer, known in jobs:
                    ground(answer, known)
                least[way] = min(least[way], time.process_time() - began)
    chars = sum(len(answer) + len(known) for answer, known in jobs)
    us = {f"us_per_1000_chars_{way}": round(took / chars * 1e9) for way, took in least.items()}
    return {"claims": claims, "sentences_of_context": context, **us}


def _flips(file: Path, *, only: str) -> dict[str, Any]:
    """Honest paraphrases and sentences turned to their opposites, each held against its own sentence, and against it among others."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    found: dict[str, Any] = {}
    for half in ("development", "test") if only == "both" else (only,):
        mine = [row for row in rows if half_of(row["id"]) == half]
        found[half] = {
            "alone": _turned([(row, row["context"]) for row in mine]),
            f"among {CONTEXT}": _turned([(row, _among(row, rows)) for row in mine]),
        }
    return found


def half_of(id: str) -> str:
    return ("development", "test")[hashlib.sha256(id.encode()).digest()[0] % 2]


def _among(row: dict[str, str], rows: list[dict[str, str]]) -> str:
    """Its sentence between others of its language, each told in its own words or turned round."""
    rng = random.Random(f"{SEED} {row['id']}")
    others = [other for other in rows if other["id"][:2] == row["id"][:2] and other is not row]
    said = [other["context"] for other in rng.sample(others, min(CONTEXT - 1, len(others)))]
    said.insert(rng.randrange(len(said) + 1), row["context"])
    return " ".join(said)


def _turned(rows: list[tuple[dict[str, str], str]]) -> dict[str, Any]:
    counts: dict[str, Counter[str]] = {"honest": Counter(), "flipped": Counter()}
    seen: dict[str, list[int]] = {}
    for row, context in rows:
        for kind, count in counts.items():
            claims = ground(row[kind], context).claims
            support = claims[0].support if claims else "no claim"
            count[support] += 1
            if kind == "flipped":
                for group in (row["id"][:2], row["kind"]):
                    seen.setdefault(group, []).append(support in ("grey", "unsupported"))
    return {
        "pairs": len(rows),
        **{kind: dict(sorted(count.items())) for kind, count in counts.items()},
        "flipped not supported": {group: f"{sum(hit)} of {len(hit)}" for group, hit in sorted(seen.items())},
    }


def _by_length(same: list[Pair], k: int) -> dict[str, float | int]:
    clean, planted = [], []
    for at in range(0, len(same) - CONTEXT, CONTEXT):
        context = " ".join(c for c, _ in same[at : at + CONTEXT])
        said = [a for _, a in same[at : at + k]]
        clean.append((context, " ".join(said)))
        planted.append((context, " ".join([*said, same[(at + 40) % len(same)][1]])))
    a, b = _told(clean), _told(planted)
    return {
        "sentences": k,
        "answers": a["answers"],
        "passed": a["passed"],
        "score": a["score"],
        "passed_with_one_foreign": b["passed"],
        "score_with_one_foreign": b["score"],
    }


def _number(text: str, rng: random.Random) -> str | None:
    found = re.search(r"\d{2,}", text)
    if found is None:
        return None
    return text[: found.start()] + str(int(found.group()) + rng.randint(3, 40)) + text[found.end() :]


def _name(text: str, names: list[str], rng: random.Random) -> str | None:
    found = _NAME.search(text)
    return None if found is None else text[: found.start()] + rng.choice(names) + text[found.end() :]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data")
    parser.add_argument("--half", choices=("development", "test", "both"), default="both", help="of the flips")
    parser.add_argument("--out", default="bench/results/guard_grounding.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
