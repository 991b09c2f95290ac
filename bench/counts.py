"""What counts by day cost a call that is booked, and what they spare whoever looks: ``python bench/counts.py [--rows N]``.

CPU seconds of this process, the least of several rounds; with and without counting by turns, so that a busy machine is busy for both.
Writes ``bench/results/counts.json``.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from demitasse.core.entry import Attempt, Entry, Guarded
from demitasse.store import tally, writer
from demitasse.store.audit import recount
from demitasse.store.migrations import FILE, connect, prepare
from demitasse.store.writer import Writer

OUT = Path(__file__).parent / "results" / "counts.json"
DAY_US = 86_400_000_000
NOW_US = 1_795_262_591_000_000
GUARDS = [Guarded(found=(("EMAIL", n),), band="low", took_us=90) for n in (1, 2, 3)]


def entry(n: int, days: int) -> Entry:
    """A call like most: one attempt, a finding, a team and a tag; of one of so many days."""
    at_us = NOW_US - n % days * DAY_US
    tried = Attempt("large", "openai", "large-1", "ok", at_us, 700.0)
    return Entry(
        id=f"c{n}", at_us=at_us, key="alice", kind="chat", asked_model="large", outcome="answered", route="chat",
        model="large", attempts=(tried,), guard=GUARDS[n % 3], team=f"t{n % 5}", tags=(("app", "x"),),
    )  # fmt: skip


def booked(data: Path, rows: int, group: int, days: int = 1) -> float:
    """Seconds to book so many calls in groups."""
    prepare(data / FILE)
    own = Writer(connect(data / FILE, wait_ms=0), "bench")
    entries = [entry(n, days) for n in range(rows)]
    begun = time.process_time()
    for at in range(0, rows, group):
        own.commit(entries[at : at + group])
    took = time.process_time() - begun
    own.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    own.db.close()
    return took


def of_a_call(group: int, rounds: int, rows: int = 1_600) -> dict[str, float]:
    """Microseconds to book a call, with counting and without."""
    counts_of = writer.counts_of
    least: dict[str, float] = {}
    for _ in range(rounds):
        for name, count in (("with_us", counts_of), ("without_us", lambda _entry, _configuration: [])):
            writer.counts_of = count
            data = Path(tempfile.mkdtemp())
            least[name] = min(least.get(name, 1e9), booked(data, rows, group) / rows * 1e6)
            shutil.rmtree(data)
    writer.counts_of = counts_of
    return {name: round(value, 2) for name, value in least.items()}


def seconds(work: Callable[[], Any], rounds: int = 1) -> float:
    """CPU of the least of so many rounds."""
    least = 1e9
    for _ in range(rounds):
        begun = time.process_time()
        work()
        least = min(least, time.process_time() - begun)
    return least


def look(data: Path) -> None:
    """What a page or a pack asks for."""
    found = tally.SqliteTally(data)
    assert found.fold().whole
    assert found.days(0, NOW_US + DAY_US)
    found.happened(0, NOW_US)
    found.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=12)
    chosen = options.parse_args()
    told: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
    told |= {f"booking_{group}_together": of_a_call(group, chosen.rounds) for group in (1, 16)}
    data = Path(tempfile.mkdtemp())
    booked(data, chosen.rows, 64, days=90)
    told["rows"] = chosen.rows
    told["look_ms"] = round(seconds(lambda: look(data), 5) * 1e3, 2)
    told["verify_sums_us_a_row"] = round(seconds(lambda: recount(data), 2) / chosen.rows * 1e6, 2)
    with closing(sqlite3.connect(data / FILE, isolation_level=None)) as db:  # as after an upgrade
        for table in ("tally_days", "tally_names", "happened"):
            db.execute(f"DELETE FROM {table}")
        db.execute("UPDATE meta SET v = (SELECT max(seq) FROM events) WHERE k = 'tally_until'")
        db.execute("UPDATE meta SET v = 0 WHERE k = 'tallied'")
    told["first_look_after_an_upgrade_us_a_row"] = round(seconds(lambda: look(data)) / chosen.rows * 1e6, 2)
    shutil.rmtree(data)
    OUT.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
