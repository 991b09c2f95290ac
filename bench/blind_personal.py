"""Personal data in texts by somebody who has seen neither the recognisers nor their tests: counts, with intervals, as JSON.

    python -m bench.blind_personal --set dev|test --state before|after [--names none|own] [--rows FILE] [--out bench/results]
    python -m bench.blind_personal --set test --peer presidio            (needs presidio-analyzer beside Demitasse)

The rows, ``tests/data/personal_dev.jsonl`` and ``personal_blind.jsonl``: a text, and what is in it by type and place. Their author
was told the types and asked for texts as they come: letters, forms, logs, chats, in several languages. Every value is invented.
The labels were mapped to ours (``LABELS``) before a row was read; the first file was then used to improve the recognisers, the
second never: nothing here prints a row, and it was measured twice, with the code before (commit 77946b7) and after.

**Counted** as ``bench.personal`` does: a gold span is found where an entity of its type overlaps it by a character, an entity is
right where it overlaps a gold span of its type; ``strict`` asks for half of what the two cover together. *Structured* are the
eight types of ``bench.personal``; *numbers* are those and the other types that are a number or a code (national ids, passports,
accounts, hardware addresses, wallets); *patterned* is all but names of people, places, organisations, titles and nationalities,
which the first tier does not look for. *Covered*: gold spans that something of whatever type overlaps, which is what redaction
needs. Types of ours that the file does not label at all are not counted.

Intervals are 95 %: Wilson's for a share, and for F2 the percentiles of 2,000 resamplings of rows (seed 7).

**Peer**: Presidio's recognisers without a language model (spaCy's blank pipeline): patterns, checksums and words of context.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from random import Random
from typing import Any

from demitasse.guard.finding import Entity, FindEntities
from demitasse.guard.kinds import NAMED

from . import machine
from .personal import RESULTS, STRUCTURED, Span, cpu_ms_per_1000, finder, overlap, rates

ROWS = Path(__file__).parents[1] / "tests" / "data"
FILES = {"dev": ROWS / "personal_dev.jsonl", "test": ROWS / "personal_blind.jsonl"}

LABELS = {
    "EMAIL": "EMAIL",
    "PHONE": "PHONE",
    "CARD": "CARD",
    "IBAN": "IBAN",
    "SSN": "SSN",
    "NATIONAL_ID": "NATIONAL_ID",
    "PASSPORT": "PASSPORT",
    "DRIVER_LICENCE": "DRIVER_LICENSE",
    "BANK_ACCOUNT": "BANK_ACCOUNT",
    "IP": "IP",
    "MAC": "MAC",
    "URL": "URL",
    "CRYPTO": "CRYPTO",
    "DATE_TIME": "DATE",
    "AGE": "AGE",
    "ZIP": "ZIP",
    "STREET": "ADDRESS",
    "PERSON": "PERSON",
    "LOCATION": "LOCATION",
    "ORGANISATION": "ORGANISATION",
    "TITLE": "TITLE",
    "NATIONALITY": "NATIONALITY",
}
"""The author's label, and ours: ``guard.kinds`` has them all."""
NUMBERS = (*STRUCTURED, "NATIONAL_ID", "PASSPORT", "BANK_ACCOUNT", "MAC", "CRYPTO")
PATTERNED = tuple(type for type in LABELS.values() if type not in NAMED)
GROUPS = {"structured": STRUCTURED, "numbers": NUMBERS, "patterned": PATTERNED, "all": tuple(LABELS.values())}

PEER_LABELS = {
    "CREDIT_CARD": "CARD",
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "IBAN_CODE": "IBAN",
    "US_SSN": "SSN",
    "IP_ADDRESS": "IP",
    "URL": "URL",
    "US_DRIVER_LICENSE": "DRIVER_LICENSE",
    "US_PASSPORT": "PASSPORT",
    "US_BANK_NUMBER": "BANK_ACCOUNT",
    "CRYPTO": "CRYPTO",
    "MAC_ADDRESS": "MAC",
    "DATE_TIME": "DATE",
}
"""Presidio's type, and ours; its other national numbers (``UK_NHS``, ``IN_AADHAAR`` …) are NATIONAL_ID, licences and passports by
their ending. It looks for no ages, streets or postal codes."""


def rows(path: Path) -> tuple[list[tuple[str, list[Span]]], Counter[str]]:
    """Texts with gold spans of our types, and how many spans were mended or left out: only by what can be seen without reading."""
    mended: Counter[str] = Counter()
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text, gold = row["text"], []
        for one in row["entities"]:
            start, end = one["start"], one["end"]
            if not 0 <= start < end <= len(text) or one["type"] not in LABELS:
                mended["left out"] += 1
                continue
            bare = text[start:end].strip()
            if bare != text[start:end]:
                mended["blanks taken off"] += 1
                start = text.index(bare, start)
                end = start + len(bare)
            gold.append((LABELS[one["type"]], start, end))
        found.append((text, gold))
    return found, mended


Tally = dict[str, list[int]]
"""By type: gold spans, of them found, entities, of them right, gold spans that anything overlaps."""


def tally(gold: list[Span], said: list[Entity], least: float) -> Tally:
    by: Tally = defaultdict(lambda: [0, 0, 0, 0, 0])
    spans = [(one.type, one.start, one.end) for one in said]
    for span in gold:
        counts = by[span[0]]
        counts[0] += 1
        counts[1] += any(overlap(span, one, least) for one in spans)
        counts[4] += any(one[1] < span[2] and span[1] < one[2] for one in spans)
    for one in spans:
        by[one[0]][2] += 1
        by[one[0]][3] += any(overlap(one, span, least) for span in gold)
    return by


def wilson(hits: int, of: int) -> list[float] | None:
    if not of:
        return None
    z, share = 1.959964, hits / of
    middle, reach = share + z * z / (2 * of), z * (share * (1 - share) / of + z * z / (4 * of * of)) ** 0.5
    return [round((middle + sign * reach) / (1 + z * z / of), 3) for sign in (-1, 1)]


def together(tallies: list[Tally], types: tuple[str, ...]) -> list[int]:
    total = [0, 0, 0, 0, 0]
    for by in tallies:
        for type in types:
            if type in by:
                for at, count in enumerate(by[type]):
                    total[at] += count
    return total


def bootstrap(tallies: list[Tally], types: tuple[str, ...], seed: int, rounds: int = 2_000) -> list[float]:
    """Of F2, rows drawn with replacement."""
    random = Random(seed)
    each = [together([one], types) for one in tallies]
    busy = [counts for counts in each if any(counts)]
    values = []
    for _ in range(rounds):
        drawn = random.choices(busy, k=len(busy))
        values.append(rates([sum(column) for column in zip(*drawn, strict=True)][:4])["f2"] or 0.0)
    values.sort()
    return [values[int(rounds * 0.025)], values[int(rounds * 0.975) - 1]]


def summary(counts: list[int]) -> dict[str, Any]:
    gold, found, said, right, covered = counts
    return rates(counts[:4]) | {
        "recall_95": wilson(found, gold),
        "precision_95": wilson(right, said),
        "covered": round(covered / gold, 3) if gold else None,
    }


def measured(labelled: list[tuple[str, list[Span]]], find: FindEntities, least: float, seed: int) -> dict[str, Any]:
    known = {span[0] for _, gold in labelled for span in gold}
    tallies = []
    for text, gold in labelled:
        by = tally(gold, find(text)[0], least)
        tallies.append({type: counts for type, counts in by.items() if type in known})
    groups = {}
    for name, types in GROUPS.items():
        groups[name] = summary(together(tallies, types)) | {"f2_95": bootstrap(tallies, types, seed)}
    return groups | {"types": {type: summary(together(tallies, (type,))) for type in sorted(known)}}


def presidio(least: float) -> FindEntities:
    """Its default recognisers over a blank English pipeline; what scores less than ``least`` is left out."""
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

        def load(self) -> None:
            pass

    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    engine = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])

    def find(text: str) -> tuple[list[Entity], bool]:
        found = []
        for one in engine.analyze(text=text, language="en", score_threshold=least):
            kind = one.entity_type
            named = (
                "PASSPORT"
                if kind.endswith("PASSPORT")
                else "DRIVER_LICENSE"
                if "DRIVER_LICEN" in kind
                else "NATIONAL_ID"
            )
            type = PEER_LABELS.get(kind, named)
            found.append(Entity(type, one.start, one.end, one.score))
        return found, False

    return find


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("dev", "test"), required=True)
    parser.add_argument("--state", choices=("before", "after"), default="after")
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--names", default="none")
    parser.add_argument("--peer", choices=("presidio",))
    parser.add_argument("--least", type=float, default=0.0, help="the peer's least score; its own default is 0")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    labelled, mended = rows(args.rows or FILES[args.set])
    texts = [text for text, _ in labelled]
    find = presidio(args.least) if args.peer else finder(args.names)
    who = f"{args.peer}_{args.least:g}" if args.peer else args.state
    report: dict[str, Any] = {
        "machine": machine.facts(),
        "command": [Path(part).name for part in sys.argv[1:]],
        "who": who,
        "set": args.set,
        "names": args.names,
        "rows": len(texts),
        "characters": sum(map(len, texts)),
        "spans": sum(len(gold) for _, gold in labelled),
        "spans_mended": dict(mended),
        "cpu_ms_per_1000": cpu_ms_per_1000(texts, find, args.repeats),
    }
    if args.peer:  # in one process, so that the two can be compared
        own = finder("none")
        report["cpu_ms_per_1000_own"] = cpu_ms_per_1000(texts, own, args.repeats)
    report |= {
        "overlap": measured(labelled, find, 0.0, args.seed),
        "strict": measured(labelled, find, 0.5, args.seed),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / f"personal_blind_{args.set}_{who}_{args.names.replace(':', '_')}.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    told = {
        name: {key: report["overlap"][name][key] for key in ("f2", "f2_95", "precision", "recall")} for name in GROUPS
    }
    print(json.dumps(told | {"cpu": report["cpu_ms_per_1000"], "written": str(path)}, indent=1))


if __name__ == "__main__":
    main()
