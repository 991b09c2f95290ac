"""A ledger file that is locked, full, damaged or foreign: what is said, and that nothing is lost."""

import asyncio
import sqlite3

import pytest

from demitasse.core.entry import Charge, Entry, Hold
from demitasse.core.errors import StoreError
from demitasse.core.limits import Budget
from demitasse.store import ledger as module
from demitasse.store.audit import recount, verify
from demitasse.store.books import SqliteBooks
from demitasse.store.ledger import SqliteLedger
from demitasse.store.migrations import FILE


def a_hold(id: str, nanos: int = 5) -> Hold:
    return Hold(id, 1, "local", nanos, (Charge("b", "ever", nanos),), "large", "auto")


def an_entry(id: str, nanos: int = 3, **more) -> Entry:
    fields = {"at_us": 1, "key": "local", "kind": "chat", "asked_model": "auto", "outcome": "answered", **more}
    return Entry(id=id, cost_nanos=nanos, charges=(Charge("b", "ever", nanos),), **fields)


@pytest.fixture
async def ledger(tmp_path):
    ledger = SqliteLedger.open(tmp_path)
    ledger._keeper.stop()
    ledger.set_budget(Budget("b", period="ever", limit_nanos=1000))
    yield ledger
    ledger.close()
    assert verify(tmp_path) == (True, None)
    assert recount(tmp_path) == []


@pytest.fixture
def books(tmp_path, ledger):
    books = SqliteBooks(tmp_path)
    yield books
    books.close()


@pytest.fixture
def locker(tmp_path, ledger):
    db = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    yield db
    if db.in_transaction:
        db.execute("ROLLBACK")
    db.close()


async def test_a_locked_ledger_is_waited_for_while_the_loop_runs_on(ledger, books, locker):
    asked = asyncio.ensure_future(ledger.hold(a_hold("1")))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not asked.done()
    locker.execute("ROLLBACK")
    assert await asked is None
    assert books.held_nanos() == 5


async def test_a_ledger_locked_for_long_refuses_holds_and_books_entries_later(ledger, books, locker, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", 0.02)
    ledger.post(an_entry("posted"))
    with pytest.raises(StoreError, match=r"is locked by .*; no call is answered until it lets go"):
        await ledger.hold(a_hold("held"))
    with pytest.raises(StoreError, match="locked"):
        await ledger.settle(an_entry("settled"))
    assert books.entries() == []
    locker.execute("ROLLBACK")
    await ledger.flush()
    assert [e.id for _, e in books.entries()] == ["settled", "posted"]
    assert books.held_nanos() == 0, "a hold that was refused is not taken later"
    assert await ledger.hold(a_hold("after")) is None
    ledger.post(an_entry("after"))


async def test_a_full_disk_refuses_holds_at_once_and_loses_no_entry(ledger, books):
    assert await ledger.hold(a_hold("1")) is None
    pages = ledger._writer.db.execute("PRAGMA page_count").fetchone()[0]
    ledger._writer.db.execute(f"PRAGMA max_page_count={pages}")
    big = "x" * 100_000
    with pytest.raises(StoreError, match="the disk is full"):
        await ledger.settle(an_entry("1", error=big))
    ledger.post(an_entry("2", error=big))
    with pytest.raises(StoreError, match="the disk is full"):
        await ledger.hold(a_hold("3"))
    assert books.entries() == []
    assert books.spent(1)[0].held_nanos == 5, "what was held stays held"
    ledger._writer.db.execute("PRAGMA max_page_count=1000000")
    await ledger.flush()
    assert [e.id for _, e in books.entries()] == ["2", "1"]
    assert (books.spent(1)[0].settled_nanos, books.held_nanos()) == (6, 0)
    assert await ledger.hold(a_hold("4")) is None
    await ledger.settle(an_entry("4"))


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "PRAGMA data_version", "COMMIT"])
async def test_a_disk_that_fails_at_any_step_books_all_or_nothing(ledger, books, statement):
    assert await ledger.hold(a_hold("1")) is None
    real = ledger._writer.db
    ledger._writer.db = Failing(real, statement)
    with pytest.raises(StoreError, match="the disk failed"):
        await ledger.settle(an_entry("1"))
    assert books.entries() == []
    assert books.held_nanos() == 5
    ledger._writer.db = real
    await ledger.flush()
    assert [e.id for _, e in books.entries()] == ["1"]
    assert books.held_nanos() == 0


class Failing:
    """A connection whose disk fails at one statement."""

    def __init__(self, db: sqlite3.Connection, statement: str) -> None:
        self.db = db
        self.statement = statement

    def execute(self, sql, *values):
        if sql == self.statement:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return self.db.execute(sql, *values)

    def __getattr__(self, name):
        return getattr(self.db, name)


async def test_an_entry_that_cannot_be_written_is_booked_at_its_full_hold_and_stops_no_other(ledger, books):
    await asyncio.gather(ledger.hold(a_hold("bad")), ledger.hold(a_hold("good")))
    answers = await asyncio.gather(
        ledger.settle(an_entry("bad", error="\ud800")), ledger.settle(an_entry("good")), return_exceptions=True
    )
    assert isinstance(answers[0], StoreError)
    assert answers[1] is None
    await ledger.flush()
    bad = books.entry("bad")
    assert (bad.outcome, bad.cost_nanos) == ("lost", 5)
    assert books.held_nanos() == 0


async def test_closing_commits_what_is_queued(tmp_path):
    ledger = SqliteLedger.open(tmp_path)
    asked = asyncio.ensure_future(ledger.settle(an_entry("1")))
    ledger.post(an_entry("2"))
    ledger.close()
    await asked
    books = SqliteBooks(tmp_path)
    assert len(books.entries()) == 2
    with pytest.raises(StoreError, match="is closed"):
        await ledger.hold(a_hold("3"))
    books.close()


def test_posting_without_a_loop_is_committed_by_close(tmp_path):
    ledger = SqliteLedger.open(tmp_path)
    ledger.post(an_entry("1"))
    ledger.close()
    books = SqliteBooks(tmp_path)
    assert len(books.entries()) == 1
    books.close()


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path):
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("CREATE TABLE mine (x)")
    db.commit()
    db.close()
    with pytest.raises(StoreError, match="no Demitasse ledger; name another directory with --data"):
        SqliteLedger.open(tmp_path)
    (tmp_path / FILE).write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"cannot be opened|is no ledger"):
        SqliteLedger.open(tmp_path)
