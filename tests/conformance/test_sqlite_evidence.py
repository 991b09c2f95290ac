"""The evidence on SQLite, and the fake in memory, do what every keeper of evidence must."""

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from check_evidence import CHECKS, Kit, check_evidence

from demitasse.store.audit import recount, verify
from demitasse.store.evidence import SqliteEvidence
from demitasse.store.ledger import SqliteLedger
from demitasse.testing import FakeLedger


@asynccontextmanager
async def sqlite_kit(durability="normal"):
    with tempfile.TemporaryDirectory() as data:
        ledger, books = SqliteLedger.open(Path(data), durability=durability), SqliteEvidence(Path(data))
        try:
            yield Kit(ledger, books, ledger)
            assert verify(Path(data)) == (True, None)
            assert recount(Path(data)) == []
        finally:
            books.close()
            ledger.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_sqlite(check):
    async with sqlite_kit() as kit:
        await check(kit)


async def test_sqlite_with_every_commit_synced():
    await check_evidence(lambda: sqlite_kit("full"))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_fake(check):
    ledger = FakeLedger()
    await check(Kit(ledger, ledger, ledger))
