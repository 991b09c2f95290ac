"""Requests that were turned away at the door are sums by day: they survive a restart, and nobody fills the disk with them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading

from demitasse.build.doorkeeping import Doorkeeping
from demitasse.build.governing_books import security
from demitasse.build.governing_sources import opened, window
from demitasse.build.governing_view import look
from demitasse.core.errors import StoreError
from demitasse.lab.governance.proofs import proven
from demitasse.store.audit import recount
from demitasse.store.counts import DAY_US
from demitasse.store.settings import Settings
from tests.build.test_app import Site, now_us, say, site

__all__ = ["site"]


def found(site: Site) -> dict:
    with opened(site.read(), site.home / "data", clock=now_us) as sources:
        return security(look(sources, window(now_us())))


async def test_a_pack_counts_them_by_day_and_a_restart_forgets_none(site: Site) -> None:
    for times in (300, 2):
        async with site.app() as app:
            for _ in range(times):
                assert (await say(app, headers={"origin": "http://evil.example"})).status == 403
    told = found(site)
    assert told["turned_away"] == {"foreign_origin": 302}
    assert sum(n for day in told["turned_away_by_day"] for n in day["counts"].values()) == 302
    assert told["calls"] == 0
    with sqlite3.connect(site.home / "data" / "ledger.sqlite3") as db:
        assert db.execute("SELECT count(*) FROM events WHERE outcome IS NOT NULL").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM tally_days").fetchone()[0] <= 2  # two, where midnight came between
    assert recount(site.home / "data") == []
    async with site.app() as app:
        await say(app)
    assert (
        "turned away before they were calls: foreign_origin 302"
        in proven({"security": found(site)})["refusals_counted"][1]
    )


def test_days_are_told_apart_and_what_could_not_be_written_is_not_lost(tmp_path, monkeypatch) -> None:
    now, denied = [20_000 * DAY_US], {"invalid_api_key": 3}
    ledger = Settings(tmp_path, clock=lambda: now[0])
    door = Doorkeeping(ledger, lambda: denied)
    with monkeypatch.context() as broken:

        def full(_counts):
            raise StoreError("the disk is full")

        broken.setattr(ledger, "turned_away", full)
        door.keep()
    door.keep()
    door.keep()  # nothing new
    now[0] += DAY_US
    denied |= {"invalid_api_key": 5, "foreign_host": 1}
    door.keep()
    ledger.close()
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as db:
        rows = db.execute(
            "SELECT day, names.name, n FROM tally_days JOIN tally_names AS names ON names.id = tally_days.name"
        )
        assert sorted(rows) == [
            (20_000, "invalid_api_key", 3),
            (20_001, "foreign_host", 1),
            (20_001, "invalid_api_key", 2),
        ]


async def test_a_stop_in_the_middle_of_a_counting_counts_nothing_twice(monkeypatch) -> None:
    monkeypatch.setattr("demitasse.build.doorkeeping.EVERY_S", 0.0)
    added, began, go_on = [], threading.Event(), threading.Event()

    class Slow:
        def turned_away(self, counts):
            began.set()
            assert go_on.wait(5)
            added.append(counts)

    door = Doorkeeping(Slow(), lambda: {"foreign_origin": 100})
    running = asyncio.create_task(door.run())
    assert await asyncio.to_thread(began.wait, 5)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    stop = asyncio.create_task(asyncio.to_thread(door.keep))
    await asyncio.sleep(0.05)
    go_on.set()
    await stop
    assert added == [{"foreign_origin": 100}]
