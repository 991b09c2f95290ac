"""What the ledger costs: µs of CPU per hold + settle in groups of 1, 16, 64, and how fast the books answer at N rows.

    python bench/ledger.py                     # groups, then the books at 10^6 entries
    python bench/ledger.py --rows 10000000     # the books at 10^7 (takes some minutes and about 8 GB of disk)
    python bench/ledger.py --only groups

Writes bench/out/ledger.json. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Raw

from demitasse.build.control import StoreControl
from demitasse.core.call import Usage
from demitasse.core.entry import Attempt, Charge, Decision, Entry, Hold
from demitasse.core.ids import call_id
from demitasse.core.limits import Budget
from demitasse.store.books import SqliteBooks
from demitasse.store.chain import GENESIS, encode, link
from demitasse.store.changes import fold_days
from demitasse.store.ledger import SqliteLedger
from demitasse.store.migrations import connect
from demitasse.store.rollup import ADD_HOURS, HOUR_US, dimensions, measures
from demitasse.store.settings import Settings
from demitasse.store.writer import ADD_EVENT, Writer
from demitasse.web.app import dashboard
from demitasse.web.desk import Desk
from demitasse.web.report import build_report

DAY_US = 24 * HOUR_US
T0 = 1_763_683_200_000_000  # 2025-11-21
RAW = Raw(
    b'{"prompt_tokens":812,"completion_tokens":96,"total_tokens":908,"prompt_tokens_details":{"cached_tokens":0}}'
)


def hold(id: str, at_us: int) -> Hold:
    charges = (Charge("default", "2025-11-21", 9_000_000), Charge("search", "2025-11", 9_000_000))
    return Hold(id, at_us, "local", 9_000_000, charges, "large", "auto")


def entry(id: str, at_us: int, n: int = 0, *, money: int = 1_200_000) -> Entry:
    usage = Usage(uncached_in=812, text_out=96)
    attempt = Attempt(
        model="large", provider="openai", upstream_model="gpt-5.1-2025-11-13", status="ok", started_us=at_us,
        duration_ms=812.25, first_byte_ms=201.5, http_status=200, usage=usage, usage_raw=RAW, cost_nanos=money,
        card="genai-prices 0.2.3 openai/gpt-5.1",
    )  # fmt: skip
    return Entry(
        id=id, at_us=at_us, key=f"key{n % 20}", kind="chat", asked_model="auto", outcome="answered", route=f"r{n % 3}",
        model="large" if n % 3 else "small", provider="openai", team="search", cache="miss" if n % 4 else "exact",
        tags=(("feature", "titles"),), session="s0123456789abcdef", stream=True, usage=usage, cost_nanos=money,
        baseline_nanos=2 * money, saved=(("routed", money),), hold_nanos=9_000_000,
        charges=(Charge("default", "2025-11-21", money), Charge("search", "2025-11", money)), attempts=(attempt,),
        decision=Decision("ladder-1", "large", 0.95, ("small", "large"), "the check said no"), duration_ms=812.25,
        overhead_us=240, first_byte_ms=202.0, prompt_mac="0123456789abcdef0123456789abcdef",
    )  # fmt: skip


async def group(ledger: SqliteLedger, size: int, rounds: int, salt: int) -> float:
    """µs of this process's CPU per call, in groups of ``size``."""
    used = time.process_time()
    for turn in range(rounds):
        ids = [call_id(T0 + turn, salt + n) for n in range(size)]
        await asyncio.gather(*(ledger.hold(hold(id, T0)) for id in ids))
        await asyncio.gather(*(ledger.settle(entry(id, T0)) for id in ids))
    return (time.process_time() - used) / (size * rounds) * 1e6


def making(size: int, rounds: int, salt: int) -> float:
    """µs per call that making the nouns themselves takes, so that it can be told apart."""
    used = time.process_time()
    for turn in range(rounds):
        for n in range(size):
            id = call_id(T0 + turn, salt + n)
            hold(id, T0), entry(id, T0)
    return (time.process_time() - used) / (size * rounds) * 1e6


async def groups(calls: int) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as tmp:
        ledger = SqliteLedger.open(Path(tmp))
        ledger.set_budget(Budget("default", limit_nanos=10**15))
        ledger.set_budget(Budget("search", limit_nanos=10**15, period="month"))
        await group(ledger, 16, 20, 1 << 60)
        for size in (1, 16, 64):
            own = making(size, 2000 // size, 0)
            runs = [await group(ledger, size, calls // size, (size * 100 + run) << 32) - own for run in range(5)]
            answer[str(size)] = {"us_per_call": round(statistics.median(runs), 1), "runs": [round(r, 1) for r in runs]}
            print(f"groups of {size:>2}: {answer[str(size)]['us_per_call']} µs of CPU per hold + settle {runs}")
        ledger.close()
    return answer


def fill(path: Path, rows: int, *, days: int = 365) -> None:
    """``rows`` entries over ``days`` days, as the writer would have written them, in bulk."""
    db = connect(path, wait_ms=1000)
    db.execute("PRAGMA synchronous=OFF")
    chain, dims, step = GENESIS, {}, days * DAY_US // rows
    begun = time.perf_counter()
    for first in range(0, rows, 100_000):
        batch, sums = [], {}
        for n in range(first, min(rows, first + 100_000)):
            at = T0 + n * step
            e = entry(call_id(at, n), at, n)
            leaf = encode(e)
            chain = link(chain, leaf)
            batch.append(
                (n + 1, e.id, "settled", at, e.key, e.route, e.model, e.outcome, e.cost_nanos, None, leaf, chain)
            )
            dim = dims.setdefault(dimensions(e), len(dims) + 1)
            here, row = sums.get((at // HOUR_US, dim)), measures(e)
            sums[at // HOUR_US, dim] = row if here is None else [a + b for a, b in zip(here, row, strict=True)]
        db.execute("BEGIN")
        db.executemany("INSERT OR IGNORE INTO dims VALUES (?,?,?,?,?,?,?)", [(dim, *of) for of, dim in dims.items()])
        db.executemany(ADD_EVENT, batch)
        db.executemany(ADD_HOURS, [(*at, *row) for at, row in sums.items()])
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    Writer(db, "bench").commit([fold_days(T0 // DAY_US + days)])
    print(f"filled {rows} entries in {time.perf_counter() - begun:.0f} s")
    db.close()


def took(what: str, ask: Callable[[], Any]) -> float:
    """Milliseconds, the median of five."""
    runs = []
    for _ in range(5):
        begun = time.perf_counter()
        ask()
        runs.append((time.perf_counter() - begun) * 1e3)
    ms = round(statistics.median(runs), 2)
    print(f"{what}: {ms} ms")
    return ms


def books(rows: int, keep: str | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as tmp:
        reader = SqliteBooks(Path(keep or tmp))
        if sqlite3.connect(reader.path).execute("SELECT count(*) FROM dims").fetchone()[0] == 0:
            fill(reader.path, rows)
        end = T0 + 365 * DAY_US
        some = reader.entries(last=1)[0][1].id
        times = {
            "buckets_month_total": took("a month, total", lambda: reader.buckets(end - 30 * DAY_US, end)),
            "buckets_month_by_day_model": took(
                "a month by day and model", lambda: reader.buckets(end - 30 * DAY_US, end, ("day", "model"))
            ),
            "buckets_day_by_hour": took("a day by hour", lambda: reader.buckets(end - DAY_US, end, ("hour",))),
            "buckets_month_by_hour": took("a month by hour", lambda: reader.buckets(end - 30 * DAY_US, end, ("hour",))),
            "buckets_year_by_all": took(
                "a year by model, key and outcome", lambda: reader.buckets(T0, end, ("model", "key", "outcome"))
            ),
            "entries_last_50": took("the last 50 entries", lambda: reader.entries(last=50)),
            "entries_of_a_key": took("the last 50 of one key", lambda: reader.entries(last=50, key="key7")),
            "entries_without_match": took("entries of a key that has none", lambda: reader.entries(key="nobody")),
            "entry_by_id": took("one entry by id", lambda: reader.entry(some)),
            "stats": took("stats", reader.stats),
            "report": took("the month's report", lambda: build_report(reader, end - 30 * DAY_US, end, end).as_json()),
            "overview_first": first_page(reader, end),
            "overview": page(reader, end),
        }
        size = reader.path.stat().st_size
        reader.close()
        return {"rows": rows, "bytes_per_row": size // rows, "ms": times}


def page(reader: SqliteBooks, now_us: int) -> float:
    """The overview as HTML, with templates loaded; each time from books that remember nothing of the last."""

    async def ask() -> float:
        await overview(reader, now_us)
        runs = []
        for _ in range(5):
            begun = time.perf_counter()
            await overview(reader, now_us)
            runs.append((time.perf_counter() - begun) * 1e3)
        return round(statistics.median(runs), 2)

    ms = asyncio.run(ask())
    print(f"the overview page: {ms} ms")
    return ms


def first_page(reader: SqliteBooks, now_us: int) -> float:
    """The first one of a process: templates are read and compiled."""
    begun = time.perf_counter()
    asyncio.run(overview(reader, now_us))
    ms = round((time.perf_counter() - begun) * 1e3, 2)
    print(f"the first overview page of a process: {ms} ms")
    return ms


async def overview(reader: SqliteBooks, now_us: int) -> None:
    """``GET /`` of a dashboard made anew, so that nothing of an earlier page is remembered."""
    with tempfile.TemporaryDirectory() as tmp:
        settings = Settings(Path(tmp))
        control = StoreControl(settings, b"s" * 32, steps=lambda: None)
        app = dashboard(Desk(reader, control, clock=lambda: now_us))
        status = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)

        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "root_path": "", "scheme": "http",
                 "headers": [(b"host", b"127.0.0.1:4141")], "server": ("127.0.0.1", 4141), "client": ("127.0.0.1", 1),
                 "http_version": "1.1"}  # fmt: skip
        await app(scope, receive, send)
        assert status == 200, status
        settings.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=3200, help="per run")
    parser.add_argument("--only", choices=["groups", "books"])
    parser.add_argument("--keep", metavar="DIR", help="fill (or use again) the ledger in DIR")
    asked = parser.parse_args()
    out = Path(__file__).parent / "out" / "ledger.json"
    result = json.loads(out.read_text()) if out.exists() else {}
    result |= {"machine": f"{os.cpu_count()} cores, {platform.machine()}", "sqlite": sqlite3.sqlite_version}
    if asked.only != "books":
        result["groups"] = asyncio.run(groups(asked.calls))
    if asked.only != "groups":
        result.setdefault("books", {})[str(asked.rows)] = books(asked.rows, asked.keep)
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
