"""What a policy costs in CPU on the way of a call: its pieces, and whole calls with and without one, as JSON.

    python -m bench.routing_cpu [--words 300] [--calls 400] [--known 2000] [--seed 7] [--out bench/out]

One process, models that answer at once, books in memory: only what the gateway itself computes is counted, in CPU time of
this process; of several runs the fastest, since the others were disturbed. Each prompt is another question of about
``--words`` words: MMLU's and GSM8K's from ``../shared/data``, else made up. The semantic cache knows ``--known`` others;
its embedding is looked for under ``.cache/models``, and without it that part is left out. The scorer has weights for every
feature and mark; what they are does not change what they cost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from demitasse.build.scoring import VERSION, load
from demitasse.core.call import Caller
from demitasse.core.policy import Certificate, Policy, Setting
from demitasse.core.price import Card, rates
from demitasse.gateway.answer import Steps
from demitasse.gateway.attempt import Breakers
from demitasse.gateway.budget import Budgets
from demitasse.gateway.cache import Cache, Kept
from demitasse.gateway.http import Gateway
from demitasse.gateway.keys import KeyRing
from demitasse.gateway.loop_guard import Repeats
from demitasse.gateway.metrics import Metrics
from demitasse.gateway.pilot import Pilot
from demitasse.gateway.request import as_call
from demitasse.gateway.route import Route, Routes, Rung
from demitasse.gateway.settings import Settings
from demitasse.providers import catalogue
from demitasse.score.draft import MARKS
from demitasse.score.features import NAMES
from demitasse.score.scorer import Head, Scorer, dump
from demitasse.testing import FakeLedger, FakeModel
from demitasse.wire.ask import read

from . import machine

SETTINGS = {
    "no ladder": None,
    "no certificate": None,
    "cheap": Setting(direct=-1.0),
    "draft accepted": Setting(draft=-1.0, accept=-1.0),
    "escalated": Setting(draft=-1.0, accept=2.0),
    "reference": Setting(direct=2.0, draft=2.0),
}
DATA = Path(__file__).parents[2] / "shared" / "data" / "routellm" / "mmlu_gsm8k.parquet"
EXACT, MEANING, PLAN = "exact cache: key and look", "semantic cache: read and find", "plan with one, scored"
EACH_CALL = {EXACT, MEANING, PLAN}
GOAL_US = 1_000
RUNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=300)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--known", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=machine.OUT)
    asked = parser.parse_args()
    bodies, known, source = prompts(asked.words, asked.calls, asked.known, asked.seed)
    work = parts(bodies) | meaning(bodies, known)
    pieces = {name: best_us(one, len(bodies)) for name, one in work.items()}
    together = sum(us for name, us in pieces.items() if name in EACH_CALL)
    calls = {name: whole_us(name, bodies) for name in SETTINGS}
    added = {name: us - calls["no ladder"] for name, us in calls.items()}
    result = {
        "machine": machine.facts(),
        "command": ["bench/routing_cpu.py", *sys.argv[1:]],
        "seed": asked.seed,
        "words": asked.words,
        "calls": len(bodies),
        "known": len(known),
        "prompts": source,
        "pieces_cpu_us": {name: round(us, 1) for name, us in pieces.items()},
        "call_cpu_us": {name: round(us, 1) for name, us in calls.items()},
        "added_cpu_us": {name: round(us, 1) for name, us in added.items()},
        "together_us": round(together, 1),
        "goal_us": GOAL_US,
    }
    rows = [[name, f"{us:,.1f}"] for name, us in pieces.items()]
    print(machine.table(rows, ["a piece", "CPU µs"]))
    print(f"\nexact cache, semantic cache and router together: {together:,.0f} µs a call (goal {GOAL_US:,})\n")
    rows = [[name, f"{us:,.1f}", f"{added[name]:+,.1f}"] for name, us in calls.items()]
    print("\n" + machine.table(rows, ["a whole call", "CPU µs", "added"]))
    print(f"\n{machine.write('routing_cpu', result, asked.out)}")


def prompts(words: int, calls: int, known: int, seed: int) -> tuple[list[bytes], list[bytes], str]:
    """Requests of about ``words`` words, no two the same; others of any length that came before; and where all are from."""
    chance = random.Random(seed)
    try:
        import pyarrow.parquet

        texts = pyarrow.parquet.read_table(DATA, columns=["prompt"])["prompt"].to_pylist()
    except (ImportError, OSError) as error:
        print(f"prompts are made up, since real ones are not at hand: {error}")
        texts = list(made_up(words, calls + known, chance))
        source = "made up"
    else:
        texts = sorted(set(texts))
        source = f"{DATA.parent.name}/{DATA.name}"
    chance.shuffle(texts)
    near = [text for text in texts if abs(len(text.split()) - words) <= words / 5][:calls]
    others = sorted(set(texts) - set(near))
    chance.shuffle(others)
    return [body(text) for text in near], [body(text) for text in others[:known]], source


def made_up(words: int, count: int, chance: random.Random) -> Iterator[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = ["z" + "".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(3_000)]
    ends = ["", ",", ".", "?", " 17"]
    for _ in range(count):
        yield " ".join(chance.choice(known) + chance.choices(ends, [80, 8, 8, 1, 3])[0] for _ in range(words))


def body(text: str) -> bytes:
    system = {"role": "system", "content": "You answer questions of customers, briefly and to the point."}
    asked = {"model": "auto", "max_tokens": 200, "messages": [system, {"role": "user", "content": text}]}
    return json.dumps(asked).encode()


def best_us(work: Callable[[int], object], count: int) -> float:
    """CPU time of one piece of work, over all prompts, in microseconds."""
    found = []
    for _ in range(RUNS):
        at = time.process_time_ns()
        for nth in range(count):
            work(nth)
        found.append((time.process_time_ns() - at) / count / 1e3)
    return min(found)


def parts(bodies: list[bytes]) -> dict[str, Callable[[int], object]]:
    calls = [as_call(read("chat", body), f"{n}", f"{n}", 1, Caller(), {}) for n, body in enumerate(bodies)]
    scoring = load(scorer())
    words = "The parcel left our house on Tuesday and should be with you by Friday, 21 November. " * 6
    reply = asyncio.run(FakeModel(words)(calls[0], _drop))
    other = asyncio.run(FakeModel(words.upper())(calls[0], _drop))
    pilot, route = asyncio.run(steered(SETTINGS["reference"]))
    empty = Pilot(Shelf(), lambda _: scoring, clock=lambda: 1)
    steps = stand(route, pilot)
    return {
        "read the request": lambda n: read("chat", bodies[n]),
        EXACT: lambda n: steps.cache.find(steps.cache.key(calls[n], route) or b""),
        "certificate in force?": lambda n: pilot.mark(calls[n], route),
        "plan without a certificate": lambda n: empty.plan(calls[n], route),
        PLAN: lambda n: pilot.plan(calls[n], route),
        "a draft's score": lambda n: scoring.draft(calls[n], 0.5, reply, None),
        "a draft's score beside a second": lambda n: scoring.draft(calls[n], 0.5, reply, other),
    }


def meaning(bodies: list[bytes], known: list[bytes]) -> dict[str, Callable[[int], object]]:
    """The semantic cache's look, among questions of the same length that are no neighbours, and among some that are."""
    file = catalogue.embeddings()["wordllama-256"].file
    path = Path(__file__).parent.parent / ".cache" / "models" / file
    if not path.exists():
        print(f"no {path}: the semantic cache is left out; get it with: demitasse models pull wordllama-256")
        return {}
    from demitasse.gateway.semantic import SemanticCache, SemanticSettings
    from demitasse.score.embed import Embedder

    cache = SemanticCache(SemanticSettings(), Embedder(path), clock=lambda: 1, draw=lambda: 0.5)
    for n, body in enumerate(known):
        call = as_call(read("chat", body), f"known-{n}", "", 1, Caller(), {})
        reply = asyncio.run(FakeModel("a small cup, full strength")(call, _drop))
        asked = cache.read(call, "auto", "stamp")
        if asked is None:
            continue  # it asks for the time, or names somebody
        cache.keep(asked, Kept(reply, "large", "test", call.id, 1, call.caller.tenant))
    calls = [as_call(read("chat", body), f"{n}", "", 1, Caller(), {}) for n, body in enumerate(bodies)]

    def look(n: int) -> object:
        asked = cache.read(calls[n], "auto", "stamp")
        return None if asked is None else cache.find(asked)

    return {MEANING: look}


def whole_us(name: str, bodies: list[bytes]) -> float:
    """CPU time of whole calls, from bytes to bytes."""

    async def run() -> float:
        found = []
        ids = iter(range(1, 10**9))
        for _ in range(RUNS):
            pilot, route = await steered(SETTINGS[name], ladder=name != "no ladder")
            gateway = Gateway(
                stand(route, pilot), pages=_no_pages, facts_of=lambda _: None, status=dict, ready=lambda: None,
                gauges=dict, clock=lambda: 1, random_bits=lambda: next(ids), started_us=0,
            )  # fmt: skip
            at = time.process_time_ns()
            for body in bodies:
                await ask(gateway, body)
            found.append((time.process_time_ns() - at) / len(bodies) / 1e3)
        return min(found)

    return asyncio.run(run())


def scorer() -> Any:
    chance = random.Random(1)
    weights = [chance.gauss(0, 0.1) for _ in range(len(NAMES) + len(MARKS))]
    small, large = (Head(0.1, tuple(weights[: len(NAMES)]), {"titles": 0.2}) for _ in range(2))
    return dump(Scorer(version=VERSION, small=small, large=large, draft=Head(0.0, tuple(weights))))


class Shelf:
    def __init__(self, *certificates: Certificate) -> None:
        self.certificates = certificates

    def promoted(self) -> tuple[Certificate, ...]:
        return self.certificates


async def steered(setting: Setting | None, *, ladder: bool = True) -> tuple[Pilot, Route]:
    """A pilot with a certificate of this setting, if any, and the route that it steers. Not sticky, so that every call is scored."""
    base = rates(input=10**6, output=10**7)
    small, large = (
        Rung(
            name,
            "test",
            name,
            FakeModel("a small cup, full strength"),
            Card(id=name, provider="test", model=name, base=base),
        )
        for name in ("small", "large")
    )
    route = Route("auto", large, stamp="large", named=True, lower=(small,) if ladder else (), sticky=False)
    shelf = Shelf()
    if setting is not None:
        policy = Policy("auto", "small", "large", setting, scorer=scorer())
        shelf = Shelf(
            Certificate(
                id="cert",
                policy=policy,
                quality=0.95,
                delta=0.05,
                estimate=1,
                floor=1,
                saving=0,
                saving_low=0,
                saving_high=0,
                n_train=1,
                n_certify=1,
                since_us=0,
                until_us=0,
                issued_us=0,
                expires_us=2**60,
                models=(),
            )
        )
    pilot = Pilot(shelf, load, clock=lambda: 1)
    await pilot.warm()
    return pilot, route


def stand(route: Route, pilot: Pilot) -> Steps:
    ledger, settings = FakeLedger(), Settings()
    return Steps(
        ledger=ledger,
        keys=KeyRing(ledger, b"s" * 32, require_key=False, clock=lambda: 1),
        routes=Routes([route]),
        cache=Cache(settings.cache, clock=lambda: 1, retry_memory_s=60),
        budgets=Budgets(ledger, clamp=False, assume_max_output=4096),
        repeats=Repeats(settings.loop_guard),
        breakers=Breakers(settings.breaker),
        metrics=Metrics(),
        settings=settings,
        clock=lambda: 1,
        draw=lambda: 0.5,
        keep=lambda _call, _reply: None,
        alarm=lambda _alert: None,
        pilot=pilot,
    )


async def ask(gateway: Gateway, body: bytes) -> None:
    parts = iter([{"type": "http.request", "body": body, "more_body": False}])
    never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def receive() -> Any:
        return next(parts, None) or await never

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"a call was answered with {message['status']}")

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
    }
    await gateway(scope, receive, send)


async def _drop(_event: Any) -> None: ...


async def _no_pages(_scope: Any, _receive: Any, _send: Any) -> None: ...


if __name__ == "__main__":
    main()
