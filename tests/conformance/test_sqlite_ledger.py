"""The ledger on SQLite does what every ledger must, in both durabilities."""

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from check_ledger import CHECKS, Check, Kit, check_ledger

from demitasse.store.audit import recount, verify
from demitasse.store.books import SqliteBooks
from demitasse.store.ledger import SqliteLedger


@asynccontextmanager
async def sqlite_kit(durability="normal"):
    with tempfile.TemporaryDirectory() as data:
        ledger, books = SqliteLedger.open(Path(data), durability=durability), SqliteBooks(Path(data))
        try:
            yield Kit(ledger, books, ledger.set_budget)
            assert verify(Path(data)) == (True, None)
            assert recount(Path(data)) == []
        finally:
            books.close()
            ledger.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_sqlite(check: Check):
    async with sqlite_kit() as kit:
        await check(kit)


async def test_sqlite_with_every_commit_synced():
    await check_ledger(lambda: sqlite_kit("full"))
