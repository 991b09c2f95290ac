"""How good a small local model is as the judge of grey claims: its yes and no on claims whose truth is known, as JSON.

    python -m bench.grounding_judge --model FILE.gguf [--pairs 40] [--together 4] [--out FILE.json]

Pairs of ``tests/data/flips.jsonl``, drawn by a seed, of both halves, since nothing is learned from them: an honest paraphrase must get yes,
the sentence turned round no. And sums, which words can never decide: right ones and wrong ones. Claims of one call are shuffled, so that
no place in it is always right. The engine runs behind a gateway, constrained to JSON, as a route's judge does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from demitasse.guard.grounding import ground
from demitasse.guard.grounding_judge import Doubt, from_chat, to_chat
from demitasse.stats.intervals import wilson
from demitasse.testing.running import create_key, gateway_process

from . import machine

SEED = 7
CONFIG = """
[models.judge]
provider = "local"
source = "{gguf}"
slots = 1
threads = 1
context = 4096

[cache]
exact = false
coalesce = false
"""
Case = tuple[str, Doubt, bool]
"""Kind, claim beside its passage, whether the passage says so."""


def main() -> None:
    given = _arguments()
    rng = random.Random(SEED)
    rows = [
        json.loads(line) for line in (Path(__file__).parents[1] / "tests/data/flips.jsonl").read_text().splitlines()
    ]
    cases = [*_flips(rng.sample(rows, given.pairs)), *_sums(rng, given.pairs // 2)]
    rng.shuffle(cases)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        key = create_key(data, "bench")
        with gateway_process(data, CONFIG.format(gguf=Path(given.model).resolve())) as gateway:
            answered = asyncio.run(_ask(gateway.base_url, key, cases, given.together))
    result = {
        "machine": machine.facts(),
        "model": Path(given.model).name,
        "seed": SEED,
        "claims_a_call": given.together,
        "calls": len(answered["seconds"]),
        "unreadable_calls": answered["unreadable"],
        "seconds_a_call": round(sorted(answered["seconds"])[len(answered["seconds"]) // 2], 2),
        "verdicts": {name: _told(answered["rows"], name) for name in ("flips", "flips that words leave grey", "sums")},
    }
    text = json.dumps(result, indent=1)
    if given.out:
        Path(given.out).write_text(text + "\n")
    print(text)


def _flips(rows: list[dict[str, str]]) -> Iterator[Case]:
    for row in rows:
        for kind, true in (("honest", True), ("flipped", False)):
            (*_, claim) = ground(row[kind], row["context"]).claims or [None]
            grey = claim is not None and claim.support == "grey"
            yield ("flips that words leave grey" if grey else "flips", Doubt(0, row[kind], row["context"]), true)


def _sums(rng: random.Random, count: int) -> Iterator[Case]:
    for _ in range(count):
        a, b, off = rng.randrange(12, 90), rng.randrange(12, 90), rng.choice((-20, -7, 5, 30))
        thing, day = rng.choice(("tickets", "loaves", "bicycles")), rng.choice(("Monday", "Friday"))
        passage = f"On Sunday the shop sold {a} {thing}. On {day} the shop sold {b} {thing}."
        claim = "On both days together the shop sold a total of {} " + thing + "."
        yield ("sums", Doubt(0, claim.format(a + b), passage), True)
        yield ("sums", Doubt(0, claim.format(a + b + off), passage), False)


async def _ask(base_url: str, key: str, cases: list[Case], together: int) -> dict[str, Any]:
    rows: list[tuple[str, bool, bool]] = []
    seconds: list[float] = []
    unreadable = 0
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(300)) as http:
        for at in range(0, len(cases), together):
            part = cases[at : at + together]
            put = [Doubt(nth, one.claim, one.passage) for nth, (_, one, _) in enumerate(part)]
            began = time.perf_counter()
            async with http.post(
                f"{base_url}/chat/completions", data=to_chat(put, "judge", mark="5f1c09a2b7e4")
            ) as answer:
                body = await answer.json()
            seconds.append(time.perf_counter() - began)
            try:
                said = from_chat(body["choices"][0]["message"]["content"], put)
            except (ValueError, KeyError):
                unreadable += 1
                continue
            rows += [(kind, true, said[nth]) for nth, (kind, _, true) in enumerate(part)]
    return {"rows": rows, "seconds": seconds, "unreadable": unreadable}


def _told(rows: list[tuple[str, bool, bool]], kind: str) -> dict[str, Any]:
    mine = [(true, yes) for name, true, yes in rows if name == kind]
    found: dict[str, Any] = {}
    for name, wanted in (("supported", True), ("not supported", False)):
        right = sum(yes is wanted for true, yes in mine if true is wanted)
        n = sum(true is wanted for true, _ in mine)
        low, high = wilson(right, n)
        found[name] = {
            "n": n,
            "right": right,
            "share": round(right / n, 3) if n else None,
            "95%": [round(low, 3), round(high, 3)],
        }
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--together", type=int, default=4)
    parser.add_argument("--out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
