"""One round: gateways on a fresh directory, interleavings one after the other, kills and restarts, and then the verdict."""

from __future__ import annotations

import asyncio
import random
import secrets
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from demitasse.core.keys import RANDOM_BYTES, mac, make
from demitasse.core.limits import Budget, Key
from demitasse.store.books import SqliteBooks
from demitasse.store.secret import server_secret
from demitasse.store.settings import Settings, now_us
from demitasse.testing.mock import Served
from demitasse.testing.running import Running, gateway_on, served

from . import verdict
from .plan import KEYS, Act, Interleaving, Kill, interleaving
from .players import Seen, play

A_CALL_NANOS = 1_200_000
"""About what is held for a call of the plan; limits grow by some of them."""

CONFIG = """
[models.mock]
provider = "openai"
base_url = "{base_url}"
price = {{ input_usd_per_mtok = 1.25, output_usd_per_mtok = 10.0 }}

[retry]
backoff_s = 0.02

[breaker]
failures = 1000000
"""


class Result(Struct):
    """What a round came to. ``breaches`` empty: every promise was kept."""

    seed: str
    gateways: int
    interleavings: int = 0
    calls: int = 0
    tries: int = 0
    kills: int = 0
    samples: int = 0
    rows: dict[str, int] = {}
    answered: int = 0
    refused_by_budget: int = 0
    joined: int = 0
    served: int = 0
    served_nanos: int = 0
    booked_nanos: int = 0
    lost_nanos: int = 0
    breaches: list[str] = []
    took_s: float = 0.0


async def play_round(seed: str, count: int, folder: Path, mock: Running, launcher: tuple[str, ...]) -> Result:
    """``count`` interleavings on one data directory, then recovery and the verdict."""
    begun = time.perf_counter()
    rng = random.Random(seed)
    data = folder / "data"
    result = Result(seed, rng.randint(1, 4), breaches=[])
    since = served(mock, 10**9)["requests"]
    settings = Settings(data)
    tokens = {name: _key(settings, data, name) for name in KEYS}
    _limit(settings, rng, 10)
    config = CONFIG.format(base_url=mock.base_url)
    gateways = [gateway_on(data, config, launcher=launcher, name=f".{n}") for n in range(result.gateways)]
    await _together(gateways)
    watch = Watch(data)
    seen: list[Seen] = []
    acts: list[Act] = []
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0)) as session:
            for n in range(count):
                tried = interleaving(rng, f"{seed}.{n}", len(gateways))
                acts += tried.acts
                seen += await _interleave(tried, gateways, session, tokens, rng)
                result.kills += len(tried.kills)
                if rng.random() < 0.7:
                    _limit(settings, rng, rng.randint(1, 8))
        for gateway in gateways:
            gateway.kill() if rng.random() < 0.3 else gateway.stop()
    finally:
        for gateway in gateways:
            gateway.kill()
        result.breaches += watch.stop()
    # Somebody starts again, finds what the dead left behind, and goes home.
    gateways[0].start("/readyz").stop()
    settings.close()
    records = await _records(mock, since)
    result.breaches += verdict.check(data, seen, records, {act.id: act.answer() for act in acts})
    _sum_up(result, data, seen, records)
    result.interleavings, result.calls, result.samples = count, len(acts), watch.samples
    result.took_s = round(time.perf_counter() - begun, 2)
    return result


class Watch:
    """Looks at every budget while the round runs: settled and held together never exceed a limit."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._breaches: list[str] = []
        self._over = threading.Event()
        self.samples = 0
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> list[str]:
        self._over.set()
        self._thread.join()
        return self._breaches[:5]

    def _look(self) -> None:
        books = SqliteBooks(self._data)
        while not self._over.wait(0.01):
            self.samples += 1
            for spent in books.spent(now_us()):
                limit = spent.budget.limit_nanos
                if limit is not None and spent.settled_nanos + spent.held_nanos > limit:
                    self._breaches.append(
                        f"budget {spent.budget.name}: {spent.settled_nanos} settled and {spent.held_nanos} held of {limit}"
                    )
        books.close()


async def _interleave(
    tried: Interleaving,
    gateways: list[Running],
    session: aiohttp.ClientSession,
    tokens: dict[str, str],
    rng: random.Random,
) -> list[Seen]:
    """Calls and kills as planned; whoever was killed is started again a little later, and finds what it left behind."""
    alive = set(range(len(gateways)))

    def ports() -> list[int]:
        return [gateways[n].port for n in alive]

    async def kill(die: Kill) -> None:
        await asyncio.sleep(die.at_ms / 1e3)
        alive.discard(die.gateway)
        gateways[die.gateway].kill()
        await asyncio.sleep(die.down_ms / 1e3)
        await asyncio.to_thread(gateways[die.gateway].start, "/readyz")
        alive.add(die.gateway)

    plays = [play(act, session, tokens, ports, random.Random(rng.random())) for act in tried.acts]
    *tries, _ = await asyncio.gather(*plays, asyncio.gather(*map(kill, tried.kills)))
    return [one for of_act in tries for one in of_act]


async def _together(gateways: list[Running]) -> None:
    """Start several at once."""
    await asyncio.gather(*(asyncio.to_thread(gateway.start, "/readyz") for gateway in gateways))


def _key(settings: Settings, data: Path, name: str) -> str:
    id, token = make(secrets.token_bytes(RANDOM_BYTES))
    settings.add_key(Key(id, name, mac(server_secret(data), token.encode()), now_us()))
    return token


def _limit(settings: Settings, rng: random.Random, calls: int) -> None:
    """Set or raise the limits: a little more than is used, so that they keep biting."""
    books = SqliteBooks(settings.data)
    used = {s.budget.name: s.settled_nanos for s in books.spent(now_us())}
    old = {b.name: b.limit_nanos or 0 for b in settings.budgets()}
    books.close()
    for budget in (
        Budget("all", period="ever"),
        Budget("anns", scope="key", subject="ann", period="ever"),
        Budget("mocks", scope="model", subject="mock", period="ever"),
    ):
        room = int(rng.uniform(0.5, 1.5) * calls * A_CALL_NANOS)
        limit = max(old.get(budget.name, 0), used.get(budget.name, 0) + room)
        settings.set_budget(msgspec.structs.replace(budget, limit_nanos=limit))


async def _records(mock: Running, since: int) -> list[Served]:
    """What the provider served in this round, once all its answers have ended."""
    for _ in range(500):
        told: dict[str, Any] = served(mock, since)
        if not told["under_way"]:
            return msgspec.convert(told["records"], list[Served])
        await asyncio.sleep(0.02)
    raise AssertionError("the mock provider still has answers under way")


def _sum_up(result: Result, data: Path, seen: list[Seen], records: list[Served]) -> None:
    books = SqliteBooks(data)
    entries = [entry for _, entry in books.entries(last=10**9)]
    with suppress(StopIteration):
        result.booked_nanos = next(s.settled_nanos for s in books.spent(0) if s.budget.name == "all")
    books.close()
    result.tries = len(seen)
    result.rows = dict(Counter(entry.outcome for entry in entries))
    result.answered = sum(one.answered for one in seen)
    result.refused_by_budget = sum(one.code == "insufficient_quota" for one in seen)
    result.joined = sum(entry.joined for entry in entries)
    result.served = len(records)
    result.served_nanos = sum(verdict.price(r.prompt_tokens, r.completion_tokens) for r in records if r.prompt_tokens)
    result.lost_nanos = sum(entry.hold_nanos for entry in entries if entry.outcome == "lost")
