"""The ledger's file: its migrations, its copies, its log, its days."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from demitasse.core.entry import Charge, Entry, Hold
from demitasse.core.errors import StoreError
from demitasse.core.limits import Budget
from demitasse.store import keeper
from demitasse.store.audit import recount, verify
from demitasse.store.backup import backup, restore
from demitasse.store.books import SqliteBooks
from demitasse.store.changes import fold_days
from demitasse.store.ledger import SqliteLedger
from demitasse.store.migrations import FILE, LATEST, MIGRATIONS, Migration, prepare
from demitasse.store.rollup import MEASURES

HOUR_US = 3_600_000_000


def an_entry(id: str, at_us: int = 1, nanos: int = 5) -> Entry:
    return Entry(id, at_us, "local", "chat", "auto", "answered", model="m", cost_nanos=nanos)


async def fill(data, count: int = 5) -> None:
    ledger = SqliteLedger.open(data)
    for n in range(count):
        await ledger.settle(an_entry(str(n)))
    ledger.close()


async def test_an_older_ledger_is_migrated_and_a_copy_kept(tmp_path):
    await fill(tmp_path)
    filled = []
    step = Migration(LATEST + 1, "a column more", "ALTER TABLE procs ADD COLUMN host TEXT", filled.append)
    prepare(tmp_path / FILE, (*MIGRATIONS, step))
    assert len(filled) == 1
    db = sqlite3.connect(tmp_path / FILE)
    assert db.execute("SELECT count(host) FROM procs").fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM events").fetchone() == (5,)
    db.close()
    copy = sqlite3.connect(tmp_path / f"{FILE}.v{LATEST}")
    assert copy.execute("PRAGMA user_version").fetchone() == (LATEST,)
    assert copy.execute("SELECT count(*) FROM events").fetchone() == (5,)
    copy.close()
    with pytest.raises(
        StoreError, match=rf"has schema {LATEST + 1}, this Demitasse knows up to {LATEST}; start the newer"
    ):
        SqliteLedger.open(tmp_path)


async def test_a_migration_that_fails_leaves_the_ledger_as_it_was(tmp_path):
    await fill(tmp_path)
    step = Migration(LATEST + 1, "broken", "ALTER TABLE procs ADD COLUMN host TEXT; UPDATE nowhere SET x = 1")
    with pytest.raises(StoreError, match="no such table: nowhere"):
        prepare(tmp_path / FILE, (*MIGRATIONS, step))
    books = SqliteBooks(tmp_path)
    assert len(books.entries()) == 5
    books.close()


def test_a_ledger_of_schema_1_is_brought_up_to_date_with_nothing_lost(tmp_path):
    db = sqlite3.connect(tmp_path / FILE)
    db.executescript(Path(__file__).with_name("ledger_v1.sql").read_text())
    db.close()
    ledger, books = SqliteLedger.open(tmp_path, clock=lambda: 1), SqliteBooks(tmp_path)
    assert (tmp_path / f"{FILE}.v1").exists()
    assert books.stats()["schema"] == LATEST
    assert [e.id for _, e in books.entries()] == ["c2", "c1", "c0"]
    assert ledger.recovered.count == 1, "c2 was under way when its process died"
    assert [books.entry(f"c{n}").joined for n in range(3)] == [0, 1, 0]
    assert sum(b.joined for b in books.buckets(0, 2 * 10**15)) == 1
    assert [k.name for k in tuple(ledger.keys())] == ["app"]
    books.close()
    ledger.close()
    assert verify(tmp_path) == (True, None)
    assert recount(tmp_path) == []


async def test_a_retry_that_comes_late_is_counted_with_its_call(tmp_path):
    ledger, books = SqliteLedger.open(tmp_path), SqliteBooks(tmp_path)
    ledger.post(an_entry("1"))
    ledger.join("1", 2)
    await ledger.flush()
    ledger.join("1", 3)
    ledger.join("unknown", 3)
    await ledger.flush()
    assert books.entry("1").joined == books.entries()[0][1].joined == 2
    assert books.buckets(0, 10)[0].joined == 2
    books.close()
    ledger.close()
    assert verify(tmp_path) == (True, None)
    assert recount(tmp_path) == []


def test_the_roll_ups_hold_every_measure(tmp_path):
    prepare(tmp_path / FILE)
    db = sqlite3.connect(tmp_path / FILE)
    for table in ("rollup_hours", "rollup_days"):
        assert [row[1] for row in db.execute(f"PRAGMA table_info({table})")][2:] == list(MEASURES)
    db.close()


def test_migrations_are_numbered_without_a_gap():
    assert [step.version for step in MIGRATIONS] == list(range(1, LATEST + 1))


async def test_a_running_ledger_is_copied_and_the_copy_restored(tmp_path):
    data, copy = tmp_path / "data", tmp_path / "copy.sqlite3"
    ledger = SqliteLedger.open(data)
    ledger.set_budget(Budget("b", period="ever", limit_nanos=100))
    await ledger.hold(Hold("held", 1, "local", 7, (Charge("b", "ever", 7),), "m", "r"))
    await ledger.settle(an_entry("before"))
    ledger.backup(copy)
    await ledger.settle(an_entry("after"))
    with pytest.raises(StoreError, match="is in use; stop Demitasse first"):
        restore(data, copy)
    await ledger.settle(an_entry("held"))
    ledger.close()
    old = restore(data, copy)
    books = SqliteBooks(data)
    assert [e.id for _, e in books.entries()] == ["before"]
    books.close()
    assert old is not None
    assert sqlite3.connect(old).execute("SELECT count(*) FROM events WHERE id = 'after'").fetchone() == (1,)
    again = SqliteLedger.open(data)
    assert again.recovered.count == 1, "what was held when the copy was taken is settled"
    again.close()


async def test_a_damaged_copy_is_not_restored(tmp_path):
    await fill(tmp_path)
    copy = backup(tmp_path, tmp_path / "copy.sqlite3")
    db = sqlite3.connect(copy)
    db.execute("UPDATE events SET leaf = CAST(replace(leaf, 'auto', 'otto') AS BLOB) WHERE seq = 3")
    db.commit()
    db.close()
    with pytest.raises(StoreError, match="is damaged: row 3 is not what was written"):
        restore(tmp_path, copy)
    assert verify(tmp_path) == (True, None)


def test_what_is_not_there_cannot_be_copied_or_restored(tmp_path):
    with pytest.raises(StoreError, match=r"no ledger in .* to copy"):
        backup(tmp_path, tmp_path / "copy")
    with pytest.raises(StoreError, match="no copy"):
        restore(tmp_path, tmp_path / "copy")


async def test_a_file_of_another_kind_is_not_restored(tmp_path):
    await fill(tmp_path)
    (tmp_path / "letter.txt").write_text("Dear ledger,")
    with pytest.raises(StoreError, match=r"letter.txt is no copy of a ledger"):
        restore(tmp_path, tmp_path / "letter.txt")
    assert verify(tmp_path) == (True, None)


async def test_the_log_is_moved_into_the_file_and_used_again(tmp_path):
    ledger, log, sizes = SqliteLedger.open(tmp_path), tmp_path / (FILE + "-wal"), []
    ledger._keeper.stop()
    other = keeper.Keeper(ledger.path, "other", ledger.clock, print, print)
    for n in range(30):
        await asyncio.gather(*(ledger.settle(an_entry(f"{n}-{m}")) for m in range(10)))
        other._checkpoint()
        sizes.append(log.stat().st_size)
    assert sizes[-1] == sizes[5], "it does not grow"
    other.stop()
    ledger.close()
    assert verify(tmp_path) == (True, None)


async def test_the_keeper_keeps_house_while_calls_are_booked(tmp_path, monkeypatch):
    monkeypatch.setattr(keeper, "TICK_S", 0.001)
    monkeypatch.setattr(keeper, "CHECKPOINT_EVENTS", 5)
    monkeypatch.setattr(keeper, "RESTART_FRAMES", 10)
    ledger = SqliteLedger.open(tmp_path)
    for n in range(100):
        await asyncio.gather(*(ledger.settle(an_entry(f"{n}-{m}")) for m in range(3)))
        await asyncio.sleep(0.001)
    assert ledger._keeper._thread.is_alive()
    ledger.close()
    assert verify(tmp_path) == (True, None)


async def test_a_log_grown_under_a_long_reader_is_cut_when_the_reader_is_gone(tmp_path, monkeypatch):
    ledger = SqliteLedger.open(tmp_path)
    ledger._keeper.stop()
    monkeypatch.setattr(keeper, "TRUNCATE_BYTES", 100_000)
    reader = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchone()
    for n in range(50):
        await ledger.settle(an_entry(str(n)))
    other = keeper.Keeper(ledger.path, "other", ledger.clock, print, print)
    other._checkpoint()
    log = tmp_path / (FILE + "-wal")
    assert log.stat().st_size > 100_000
    reader.close()
    other._checkpoint()
    assert log.stat().st_size < 20_000
    other.stop()
    ledger.close()


async def test_days_are_folded_and_late_entries_still_counted(tmp_path):
    ledger, books = SqliteLedger.open(tmp_path, clock=lambda: 0), SqliteBooks(tmp_path)
    ledger._keeper.stop()
    for n in range(24 * 5):
        await ledger.settle(an_entry(str(n), at_us=n * HOUR_US + 7, nanos=n))
    spans = [(0, 120), (0, 1), (5, 100), (24, 48), (23, 49), (30, 40), (47, 120), (0, 500)]

    def sums(by=()):
        return [books.buckets(a * HOUR_US, b * HOUR_US, by) for a, b in spans]

    before, by_day = sums(), sums(["day", "model"])
    assert [part[0].requests for part in before] == [120, 1, 95, 24, 26, 10, 73, 120]
    for today in (1, 3, 3, 4):
        ledger._side.commit([fold_days(today)])
        assert sums() == before
        assert sums(["day", "model"]) == by_day
    await ledger.settle(an_entry("late", at_us=30 * HOUR_US, nanos=1_000))
    assert books.buckets(0, 120 * HOUR_US)[0].cost_nanos == before[0][0].cost_nanos + 1_000
    ledger._side.commit([fold_days(5)])
    assert books.buckets(0, 120 * HOUR_US)[0].cost_nanos == before[0][0].cost_nanos + 1_000
    ledger.close()
    books.close()


def test_grouping_by_what_is_no_dimension_is_told(tmp_path):
    books = SqliteBooks(tmp_path)
    with pytest.raises(ValueError, match="cannot group by 'colour'; group by some of: key, team"):
        books.buckets(0, 1, ["colour"])
    books.close()


async def test_books_are_read_from_many_threads_at_once(tmp_path):
    await fill(tmp_path, 100)
    books = SqliteBooks(tmp_path)
    counts = await asyncio.gather(*(asyncio.to_thread(lambda: len(books.entries(last=100))) for _ in range(20)))
    assert counts == [100] * 20
    books.close()
