"""A process that uses a ledger as a gateway does; started by the fault tests, and killed by some of them.

python ledger_worker.py hammer DATA SEED CALLS    holds, settles, posts, gives up, in a random interleaving
python ledger_worker.py forever DATA              the same without end, one line per settled call
python ledger_worker.py leave DATA COUNT          takes COUNT holds, says so, and waits to be killed
"""

import asyncio
import contextlib
import random
import sys
from pathlib import Path

from demitasse.core.entry import Charge, Entry, Hold
from demitasse.store.ledger import SqliteLedger

WINDOW = "ever"


def a_hold(id: str, nanos: int, **more) -> Hold:
    return Hold(id, 1, "local", nanos, (Charge("b", WINDOW, nanos),), "large", "auto", **more)


def an_entry(id: str, nanos: int, outcome: str = "answered") -> Entry:
    return Entry(
        id=id, at_us=1, key="local", kind="chat", asked_model="auto", outcome=outcome, model="large", cost_nanos=nanos,
        charges=(Charge("b", WINDOW, nanos),),
    )  # fmt: skip


async def call(ledger: SqliteLedger, id: str, chance: random.Random) -> None:
    bound = chance.randint(1, 50)
    if await ledger.hold(a_hold(id, bound)) is not None:
        await ledger.settle(an_entry(id, 0, "refused"))
        return
    await asyncio.sleep(chance.random() / 200)
    if chance.random() < 0.3 and await ledger.hold(a_hold(id, 10, extends=True)) is None:
        bound += 10
    if chance.random() < 0.5:
        ledger.post(an_entry(id, chance.randint(0, bound), "cancelled"))
    else:
        await ledger.settle(an_entry(id, chance.randint(0, bound)))


async def hammer(data: Path, seed: int, calls: int) -> None:
    chance, ledger = random.Random(seed), SqliteLedger.open(data)

    async def one(n: int) -> None:
        task = asyncio.create_task(call(ledger, f"{seed}-{n}", chance))
        if chance.random() < 0.1:
            await asyncio.sleep(chance.random() / 200)
            if task.cancel():
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                ledger.post(an_entry(f"{seed}-{n}", 0, "cancelled"))
        await asyncio.wait([task])

    queue = iter(range(calls))

    async def client() -> None:
        for n in queue:
            await one(n)

    await asyncio.gather(*(client() for _ in range(8)))
    ledger.close()


async def forever(data: Path) -> None:
    ledger = SqliteLedger.open(data)

    async def client(name: int) -> None:
        n = 0
        while True:
            n += 1
            id = f"{name}-{n}"
            assert await ledger.hold(a_hold(id, 5)) is None
            await asyncio.sleep(0)
            await ledger.settle(an_entry(id, 3))
            sys.stdout.write(f"{id}\n")
            sys.stdout.flush()

    await asyncio.gather(*(client(name) for name in range(8)))


async def leave(data: Path, count: int) -> None:
    ledger = SqliteLedger.open(data)
    for n in range(count):
        assert await ledger.hold(a_hold(f"left-{n}", 7)) is None
    print("held", flush=True)
    await asyncio.sleep(60)


if __name__ == "__main__":
    mode, data, *rest = sys.argv[1:]
    work = {"hammer": hammer, "forever": forever, "leave": leave}[mode]
    asyncio.run(work(Path(data), *map(int, rest)))
