"""The chain: what is written can't be changed unseen."""

import hashlib
import sqlite3

import pytest

from demitasse.core.entry import Charge, Entry, Hold
from demitasse.core.errors import StoreError
from demitasse.core.limits import Budget
from demitasse.store.audit import recount, verify
from demitasse.store.books import SqliteBooks
from demitasse.store.ledger import SqliteLedger
from demitasse.store.migrations import FILE


@pytest.fixture
async def kept(tmp_path):
    """A ledger of eight rows: a budget, three holds, four entries, of which the first is refused."""
    ledger = SqliteLedger.open(tmp_path)
    ledger.set_budget(Budget("b", limit_nanos=1000))
    charges = (Charge("b", "ever", 5),)
    await ledger.settle(Entry("0", 1, "local", "chat", "auto", "refused"))
    for id in "123":
        await ledger.hold(Hold(id, 1, "local", 5, charges, "m", "r"))
        await ledger.settle(Entry(id, 1, "local", "chat", "auto", "answered", cost_nanos=5, charges=charges))
    ledger.close()
    return tmp_path


def tamper(data, sql, *values):
    db = sqlite3.connect(data / FILE)
    db.execute(sql, values)
    db.commit()
    db.close()


def test_an_untouched_ledger_is_verified(kept):
    assert verify(kept) == (True, None)
    assert recount(kept) == []


@pytest.mark.parametrize("seq", [1, 2, 5, 8])
def test_a_flipped_leaf_is_named(kept, seq):
    (leaf,) = sqlite3.connect(kept / FILE).execute("SELECT leaf FROM events WHERE seq = ?", (seq,)).fetchone()
    flipped = leaf[:-3] + bytes([leaf[-3] ^ 1]) + leaf[-2:]
    tamper(kept, "UPDATE events SET leaf = ? WHERE seq = ?", flipped, seq)
    assert verify(kept) == (False, seq)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("cost_nanos", 4),
        ("key", "other"),
        ("kind", "held"),
        ("outcome", None),
        ("at_us", 2),
        ("id", "x"),
        ("model", "y"),
    ],
)
def test_a_column_that_says_something_else_than_its_leaf_is_named(kept, column, value):
    tamper(kept, f"UPDATE events SET {column} = ? WHERE seq = 6", value)
    assert verify(kept) == (False, 6)


def test_a_row_that_is_gone_is_named(kept):
    tamper(kept, "DELETE FROM events WHERE seq = 4")
    assert verify(kept) == (False, 4)


def test_two_rows_exchanged_are_named(kept):
    tamper(kept, "UPDATE events SET seq = 99 WHERE seq = 3")
    tamper(kept, "UPDATE events SET seq = 3 WHERE seq = 5")
    tamper(kept, "UPDATE events SET seq = 5 WHERE seq = 99")
    assert verify(kept) == (False, 3)


def test_the_links_are_rfc_6962_leaf_hashes_from_thirty_two_zero_bytes(kept):
    chain = bytes(32)
    for leaf, kept_link in sqlite3.connect(kept / FILE).execute("SELECT leaf, chain FROM events ORDER BY seq"):
        chain = hashlib.sha256(chain + hashlib.sha256(b"\x00" + leaf).digest()).digest()
        assert kept_link == chain
    books = SqliteBooks(kept)
    assert books.stats()["chain_head"] == chain.hex()
    books.close()


def test_sums_and_budgets_that_do_not_follow_from_the_entries_are_named(kept):
    tamper(kept, "UPDATE used SET settled_nanos = settled_nanos - 1")
    tamper(kept, "UPDATE rollup_hours SET cost_nanos = 99 WHERE cost_nanos > 0")
    said = recount(kept)
    assert [line.split(":")[0] for line in said] == ["hour 0, local////answered/off", "budget 'b' in ever"]


def test_a_damaged_file_is_told_with_its_remedy(kept):
    raw = bytearray((kept / FILE).read_bytes())
    raw[4096:] = b"\xff" * (len(raw) - 4096)
    (kept / FILE).write_bytes(raw)
    with pytest.raises(StoreError, match=r"malformed; .*demitasse restore FILE"):
        verify(kept)
