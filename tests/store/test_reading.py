"""The reading side is closed under those who read: nobody's connection is taken away in the middle of a question."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from demitasse.core.errors import StoreError
from demitasse.store.books import SqliteBooks

LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT count(*) FROM n"


def test_closing_waits_for_whoever_is_reading(tmp_path: Path) -> None:
    books = SqliteBooks(tmp_path)
    inside, go_on, closed = threading.Event(), threading.Event(), threading.Event()
    told: list[int] = []

    def read() -> None:
        with books._reading() as db:
            inside.set()
            go_on.wait()
            told.append(db.execute("SELECT 7").fetchone()[0])

    def close() -> None:
        books.close()
        closed.set()

    threads = [threading.Thread(target=one, daemon=True) for one in (read, close)]
    threads[0].start()
    inside.wait()
    threads[1].start()
    assert not closed.wait(0.05)
    go_on.set()
    for thread in threads:
        thread.join()
    assert told == [7] and closed.is_set()
    assert books.held_nanos() == 0, "who asks again gets a connection of their own"
    books.close()


def test_a_long_question_is_broken_off_and_holds_up_no_stop(tmp_path: Path) -> None:
    books = SqliteBooks(tmp_path)
    began, failed = threading.Event(), []

    def read() -> None:
        try:
            with books._reading() as db:
                began.set()
                db.execute(LONG).fetchone()
        except StoreError as error:
            failed.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    began.wait()
    time.sleep(0.02)
    books.close()
    thread.join()
    assert len(failed) == 1 and "interrupted" in str(failed[0])


def test_a_reader_that_fails_is_not_waited_for(tmp_path: Path) -> None:
    books = SqliteBooks(tmp_path)
    with pytest.raises(StoreError), books._reading() as db:
        db.execute("SELECT * FROM nothing")
    books.close()
