"""A process that writes a ledger and signs it as it goes, without end; started by the fault tests, and killed by them.

python audit_worker.py DATA NAME    one line on standard output for each checkpoint
"""

import asyncio
import sys
import time
from pathlib import Path

from ledger_worker import an_entry

from demitasse.core.errors import StoreError
from demitasse.store import checkpoints
from demitasse.store.ledger import SqliteLedger
from demitasse.store.signing import Signer


async def work(data: Path, name: str) -> None:
    ledger, signer, n = SqliteLedger.open(data), Signer(data), 0

    async def write() -> None:
        nonlocal n
        while True:
            n += 1
            await ledger.settle(an_entry(f"{name}-{n}", 3))
            await asyncio.sleep(0.001)

    task = asyncio.create_task(write())
    while not task.done():
        try:
            made = await asyncio.to_thread(checkpoints.make, data, signer, time.time_ns() // 1000)
        except StoreError as error:
            print("not", str(error)[:300].replace("\n", " "), flush=True)
            made = None
        if made is not None:
            print("signed", made.size, flush=True)
        await asyncio.sleep(0.002)
    await task


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), sys.argv[2]))
