"""Small ledgers for the tests of the audit log: rows, a key, checkpoints, and ways to lie about them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from msgspec import Raw

from demitasse.core.entry import Attempt, Charge, Entry
from demitasse.store import checkpoints
from demitasse.store.chain import GENESIS, link
from demitasse.store.checkpoints import Checkpoint
from demitasse.store.ledger import SqliteLedger
from demitasse.store.migrations import FILE
from demitasse.store.signing import Signer

DAY_US = 86_400_000_000


def entry(id: str, at_us: int = 1_000, nanos: int = 5, **more) -> Entry:
    return Entry(
        id=id, at_us=at_us, key="local", kind="chat", asked_model="auto", outcome="answered", model="m", route="auto",
        cost_nanos=nanos, charges=(Charge("b", "ever", nanos),), **more,
    )  # fmt: skip


def write(data: Path, count: int, start: int = 0, *, at_us: int = 1_000) -> None:
    """Entries ``c0``, ``c1``, … in the books."""
    ledger = SqliteLedger.open(data)
    for n in range(start, start + count):
        ledger.post(entry(f"c{n}", at_us + n))
    ledger.close()


def odd(id: str) -> Entry:
    """An entry whose leaf is not one line of text: a provider sent its usage with line breaks."""
    usage = Raw(b'{"prompt_tokens":\n 3}')
    return entry(id, attempts=(Attempt("m", "p", "u", "ok", 1, 1.0, usage_raw=usage),))


def seal(data: Path, at_us: int = 5) -> Checkpoint | None:
    return checkpoints.make(data, Signer(data), at_us)


def sql(data: Path, statement: str, *values) -> list:
    db = sqlite3.connect(data / FILE)
    rows = db.execute(statement, values).fetchall()
    db.commit()
    db.close()
    return rows


def rewrite(data: Path, seq: int, old: bytes, new: bytes) -> None:
    """Change a row as somebody would who may write the file and has not the key: leaf, columns, every link and segment."""
    db = sqlite3.connect(data / FILE)
    chain = GENESIS
    for at, was in db.execute("SELECT seq, leaf FROM events ORDER BY seq").fetchall():
        assert at != seq or old in was
        leaf = was.replace(old, new) if at == seq else was
        chain = link(chain, leaf)
        db.execute("UPDATE events SET leaf = ?, chain = ? WHERE seq = ?", (leaf, chain, at))
    db.execute("DELETE FROM segments")
    db.commit()
    db.close()
