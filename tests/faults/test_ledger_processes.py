"""Several processes on one ledger, and processes that die."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from demitasse.core.entry import Charge, Entry, Hold
from demitasse.core.limits import Budget
from demitasse.store.audit import recount, verify
from demitasse.store.books import SqliteBooks
from demitasse.store.ledger import SqliteLedger
from demitasse.store.settings import Settings

WORKER = Path(__file__).with_name("ledger_worker.py")


def work(*words) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, str(WORKER), *map(str, words)], stdout=subprocess.PIPE, text=True)


def a_budget(data: Path, limit: int | None) -> None:
    settings = Settings(data)
    settings.set_budget(Budget("b", period="ever", limit_nanos=limit))
    settings.close()


def the_books_agree(data: Path) -> None:
    assert verify(data) == (True, None)
    assert recount(data) == []


def test_four_processes_never_pass_a_limit_together(tmp_path):
    limit = 2_000
    a_budget(tmp_path, limit)
    books, seen, end = SqliteBooks(tmp_path), [], threading.Event()

    def watch():
        while not end.is_set():
            (spent,) = books.spent(1)
            seen.append(spent.settled_nanos + spent.held_nanos)

    watcher = threading.Thread(target=watch)
    watcher.start()
    workers = [work("hammer", tmp_path, seed, 100) for seed in range(4)]
    codes = [(worker.wait(60), worker.stdout.close()) for worker in workers]
    end.set()
    watcher.join()
    assert [code for code, _ in codes] == [0] * 4
    (spent,) = books.spent(1)
    assert max(seen) <= limit
    assert spent.held_nanos == 0, "no hold leaks"
    assert spent.settled_nanos <= limit
    assert books.entries(outcome="refused", last=1), "the limit was really reached"
    assert sum(b.requests for b in books.buckets(0, 10**7)) == 400, "each call is counted once"
    the_books_agree(tmp_path)
    books.close()


def test_a_killed_process_loses_nothing_it_answered_and_leaks_no_hold(tmp_path):
    a_budget(tmp_path, None)
    worker = work("forever", tmp_path)
    answered = [worker.stdout.readline().strip() for _ in range(300)]
    os.kill(worker.pid, signal.SIGKILL)
    answered += worker.stdout.read().split()[:-1]
    worker.wait()
    worker.stdout.close()
    ledger, books = SqliteLedger.open(tmp_path), SqliteBooks(tmp_path)
    assert all(books.entry(id) is not None for id in answered)
    lost = books.entries(outcome="lost")
    assert books.held_nanos() == 0
    assert (ledger.recovered.count, ledger.recovered.nanos) == (len(lost), 5 * len(lost))
    total = sum(b.cost_nanos for b in books.buckets(0, 10**7))
    assert books.spent(1)[0].settled_nanos == total
    ledger.close()
    the_books_agree(tmp_path)
    books.close()


def test_what_a_dead_process_held_is_settled_at_the_full_hold(tmp_path):
    a_budget(tmp_path, 100)
    worker = work("leave", tmp_path, 3)
    assert worker.stdout.readline() == "held\n"
    books = SqliteBooks(tmp_path)
    other = SqliteLedger.open(tmp_path)
    assert other.recovered.count == 0, "who lives keeps its holds"
    assert books.held_nanos() == 21
    other.close()
    worker.kill()
    worker.wait()
    worker.stdout.close()
    ledger = SqliteLedger.open(tmp_path)
    assert (ledger.recovered.count, ledger.recovered.nanos) == (3, 21)
    entry = books.entry("left-1")
    assert (entry.outcome, entry.cost_nanos, entry.estimated, entry.flags) == ("lost", 7, True, ("recovered",))
    assert entry.charges == (Charge("b", "ever", 7),)
    assert books.stats()["recovered"]["count"] == 3
    assert list((tmp_path / "run").glob("*.lock")) != []
    ledger.close()
    assert list((tmp_path / "run").glob("*.lock")) == []
    the_books_agree(tmp_path)
    books.close()


def test_a_living_process_settles_what_a_dying_one_held(tmp_path, monkeypatch):
    monkeypatch.setattr("demitasse.store.keeper.TICK_S", 0.01)
    a_budget(tmp_path, 100)
    ledger, books = SqliteLedger.open(tmp_path), SqliteBooks(tmp_path)
    worker = work("leave", tmp_path, 2)
    assert worker.stdout.readline() == "held\n"
    worker.kill()
    worker.wait()
    worker.stdout.close()
    until = time.monotonic() + 20
    while ledger.recovered.count < 2 and time.monotonic() < until:
        time.sleep(0.02)
    assert ledger.recovered.count == 2
    assert books.held_nanos() == 0
    ledger.close()
    books.close()


async def test_the_late_entry_of_a_call_that_was_given_up_is_not_counted_again(tmp_path):
    ledger, books = SqliteLedger.open(tmp_path), SqliteBooks(tmp_path)
    await ledger.hold(Hold("1", 1, "local", 7, (Charge("b", "ever", 7),), "m", "r"))
    ledger._proc.let_go()  # as if it had died
    other = SqliteLedger.open(tmp_path)
    assert other.recovered.count == 1
    late = Entry(id="1", at_us=1, key="local", kind="chat", asked_model="m", outcome="answered", cost_nanos=3)
    await ledger.settle(late)
    assert books.entry("1").outcome == "lost"
    await ledger.hold(Hold("2", 1, "local", 7, (Charge("b", "ever", 7),), "m", "r"))
    await ledger.settle(Entry(id="2", at_us=1, key="local", kind="chat", asked_model="m", outcome="answered"))
    assert books.held_nanos() == 0
    other.close()
    ledger.close()
    the_books_agree(tmp_path)
    books.close()


async def test_a_limit_set_by_another_process_binds_the_next_hold(tmp_path):
    ledger = SqliteLedger.open(tmp_path)
    first = Hold("1", 1, "local", 7, (Charge("b", "ever", 7),), "m", "r")
    assert await ledger.hold(first) is None
    settings = await asyncio.to_thread(Settings, tmp_path)
    settings.set_budget(Budget("b", period="ever", limit_nanos=10))
    denied = await ledger.hold(Hold("2", 1, "local", 4, (Charge("b", "ever", 4),), "m", "r"))
    assert denied is not None
    assert denied.spent.left_nanos == 3
    assert [b.name for b in ledger.budgets()] == ["b"]
    settings.close()
    ledger.close()


@pytest.mark.long
def test_processes_killed_at_any_moment_never_pass_the_limit(tmp_path):
    limit = 100_000
    a_budget(tmp_path, limit)
    for _ in range(10):
        workers = [work("hammer", tmp_path, time.time_ns() % 10**9, 10_000) for _ in range(3)]
        time.sleep(1.5)
        for worker in workers:
            worker.kill()
            worker.wait()
            worker.stdout.close()
        SqliteLedger.open(tmp_path).close()
        books = SqliteBooks(tmp_path)
        (spent,) = books.spent(1)
        assert spent.held_nanos == 0
        assert spent.settled_nanos <= limit
        the_books_agree(tmp_path)
        books.close()


def test_one_damaged_row_of_a_hold_does_not_keep_the_next_start_from_settling_it(tmp_path):
    a_budget(tmp_path, 1_000)
    dying = work("leave", tmp_path, 1)
    assert dying.stdout.readline() == "held\n"
    dying.send_signal(signal.SIGKILL)
    dying.wait(10)
    dying.stdout.close()
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as db:
        assert db.execute("UPDATE holds SET leaf = x''").rowcount == 1
    db.close()
    ledger = SqliteLedger.open(tmp_path)
    assert ledger.recovered.count == 1
    ledger.close()
    books = SqliteBooks(tmp_path)
    assert books.held_nanos() == 0
    the_books_agree(tmp_path)
    books.close()
