"""Marks in the table ``meta`` that are not what was written: they are named, and nothing breaks off over them."""

import sqlite3

import pytest
from audit_ledger import seal, sql, write

from demitasse.core.errors import StoreError
from demitasse.store.audit import recount
from demitasse.store.books import SqliteBooks
from demitasse.store.examine import examine
from demitasse.store.ledger import SqliteLedger
from demitasse.store.marks import NUMBERS, amiss
from demitasse.store.tally import SqliteTally

OTHERS = ("recovered", "noticed", "exported", "carried_configuration")
ODD = ["x", "", None, b"\x00\xff", 1.5, -1, 2**62, "9", "{", "[1]", "null", "[" * 5_000]


@pytest.fixture
def kept(tmp_path):
    write(tmp_path, 20)
    seal(tmp_path)
    return tmp_path


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:10])
@pytest.mark.parametrize("name", [*NUMBERS, *OTHERS])
def test_a_mark_that_cannot_be_what_was_written_is_a_problem_and_no_traceback(kept, name, value):
    sql(kept, "INSERT OR REPLACE INTO meta VALUES (?, ?)", name, value)
    problems = examine(kept).problems
    told = any(f"'{name}'" in problem.message for problem in problems)
    if name == "folded" and value == 2**62:
        assert "summed up" in problems[0].message, "no day was ever summed up"
    elif (name in ("revision", "touched") and value == 2**62) or (
        name == "carried_configuration" and isinstance(value, str)
    ):
        assert not problems
    else:
        assert told and {problem.kind for problem in problems} == {"sums"}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_mark_that_is_gone_is_missed(kept, name):
    sql(kept, "DELETE FROM meta WHERE k = ?", name)
    (problem,) = examine(kept).problems
    assert problem.message == f"the ledger's mark '{name}' is no whole number from 0 on: it is not there"


def test_a_whole_ledger_has_nothing_amiss(kept):
    assert amiss(sqlite3.connect(kept / "ledger.sqlite3")) == []
    assert recount(kept) == [] and examine(kept).valid
    sql(kept, "INSERT INTO meta VALUES ('of_a_later_version', 'x')")
    assert examine(kept).valid


@pytest.mark.parametrize("value", ODD[:5], ids=repr)
def test_others_who_meet_such_a_mark_say_what_is_to_be_done(kept, value):
    for name in NUMBERS:
        sql(kept, "UPDATE meta SET v = ? WHERE k = ?", value, name)
    tally, books = SqliteTally(kept), SqliteBooks(kept)
    for met in (tally.fold, lambda: books.buckets(0, 10**12), lambda: SqliteLedger.open(kept)):
        with pytest.raises(StoreError, match=r"its mark '.*' is no number; see: demitasse audit verify"):
            met()
    tally.close()
    books.close()


def test_a_day_whose_sums_were_changed_is_named(kept):
    sql(kept, "UPDATE meta SET v = 5 WHERE k = 'folded'")
    problems = examine(kept).problems
    assert [problem.message for problem in problems] == ["day 0: what is summed up is not what its hours come to"]
