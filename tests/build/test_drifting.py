"""The watch over drift and spend on a made ledger: what is told, when, with which command, and when it is over."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from demitasse.build.drift_alerts import out_of_line
from demitasse.build.drift_watch import MOST_OPEN
from demitasse.core.entry import Guarded
from demitasse.core.errors import ConfigError
from demitasse.core.evidence import LAB_KEY, OWN_KEY
from demitasse.lab.drift.spend import Anomaly
from demitasse.testing import MockUpstream
from tests.build.drift_ledger import DAY_US, HOUR_US, MONDAY_US, Watched, entry, usual_day
from tests.build.test_app import Site
from tests.build.test_ladder import certificate
from tests.story.asgi import ask, until

MINUTE_US = 60_000_000


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Watched]:
    site = Watched(tmp_path)
    yield site
    site.close()


def more(factor: float, name: str = "usd", key: str = "") -> Any:
    def change(fields: dict[str, Any]) -> None:
        if not key or fields["key"] == key:
            fields[name] = type(fields[name])(fields[name] * factor)

    return change


def test_what_nobody_in_particular_makes_dearer_offers_no_budget_over_everybody(site: Watched) -> None:
    rng = random.Random(2)
    site.before(30, rng)
    site.live(30, 4, rng, every_h=6, change=more(4.0))
    alert = next(alert for alert in site.told if alert.kind == "drift_cost")
    assert "no key or model explains it, so no budget is offered" in alert.message
    assert alert.remedy == "demitasse drift --accept chat/cost"
    assert alert.undo == "demitasse drift --unaccept chat/cost"


@pytest.mark.parametrize(("dimension", "name"), [("", ""), ("route", "chat")])
def test_a_budget_over_all_calls_is_offered_with_what_it_means(dimension: str, name: str) -> None:
    alert = out_of_line(Anomaly(dimension, name, 10, 40.0, 1.0, 2.0), 1, {("", ""): 0.9})
    assert alert.remedy == "demitasse budgets set watch 2/day"
    assert "the budget offered is over all calls: beyond $2.00 in a day nobody is answered" in alert.message
    named = out_of_line(Anomaly("key", "jobs", 10, 40.0, 1.0, 2.0), 1, {})
    assert "nobody is answered" not in named.message and named.remedy.endswith("--key jobs")


def test_weeks_as_usual_tell_nobody_anything(site: Watched) -> None:
    rng = random.Random(1)
    site.before(28, rng)
    site.live(28, 10, rng, every_h=6)
    assert site.told == []
    assert {row.state for row in site.drifting.facts().streams} <= {"steady", "learning"}
    assert site.row("cost").state == "steady"
    assert site.drifting.facts().watched >= 5


def test_what_a_call_costs_triples_and_the_key_that_did_it_is_named_with_a_budget_for_it(site: Watched) -> None:
    rng = random.Random(2)
    site.before(30, rng)
    site.live(30, 4, rng, every_h=6, change=more(6.0, key="jobs"))
    alert = next(alert for alert in site.told if alert.kind == "drift_cost")
    assert alert.at_us <= MONDAY_US + 34 * DAY_US
    assert "route 'chat' costs more a call" in alert.message and "mostly key 'jobs'" in alert.message
    assert alert.remedy.startswith("demitasse budgets set watch-jobs ") and alert.remedy.endswith("/day --key jobs")
    assert alert.undo == "demitasse budgets remove watch-jobs"
    assert site.kinds().count("drift_cost") == 1, "told once, however long it lasts"
    assert site.row("cost").state == "moved"


def test_other_inputs_under_a_certificate_put_the_route_back_on_its_reference(site: Watched) -> None:
    window = certificate(since_us=MONDAY_US, until_us=MONDAY_US + 21 * DAY_US)
    site.certificates = (structs.replace(window, policy=structs.replace(window.policy, route="chat")),)
    rng = random.Random(3)
    site.before(30, rng)
    site.live(30, 3, rng, every_h=6, change=more(5.0, "tokens"))
    alert = next(alert for alert in site.told if alert.kind == "drift_inputs")
    assert "asked prompts of another length" in alert.message and "cert_1 was proven on other calls" in alert.message
    assert (alert.remedy, alert.undo) == ("demitasse undo chat", "demitasse promote cert_1")
    assert site.row("length").certificate == "cert_1"


def test_what_is_over_is_told_too_and_needs_nobody(site: Watched) -> None:
    rng = random.Random(4)
    site.before(30, rng)
    site.live(30, 2, rng, every_h=6, change=more(8.0, "ms"))
    assert "drift_latency" in site.kinds()
    site.live(32, 6, rng, every_h=6)
    over = [alert for alert in site.told if alert.kind == "drift_over"]
    assert over and all(alert.resolved_us for alert in over)
    assert "is as it was before" in over[0].message
    assert not [alert for alert in site.books.alerts() if alert.kind == "drift_latency"]
    assert site.row("duration").state == "steady"


def test_a_move_that_stays_becomes_the_usual(site: Watched) -> None:
    rng = random.Random(5)
    site.before(30, rng)
    site.live(30, 24, rng, every_h=24, change=more(6.0, "ms"))
    assert any("is the usual now" in alert.message for alert in site.told if alert.kind == "drift_over")
    assert site.kinds().count("drift_latency") == 2, "the first and the last byte, once each"


def test_failures_and_attacks_are_seen_with_whose_calls_they_are(site: Watched) -> None:
    rng = random.Random(6)
    site.before(30, rng)

    def worse(fields: dict[str, Any]) -> None:
        if fields["key"] == "jobs" and rng.random() < 0.5:
            fields["guard"] = Guarded(band="high", injection=0.9)
        elif rng.random() < 0.3:
            fields |= {"outcome": "failed", "attempts": (), "model": "shaky"}

    site.live(30, 3, rng, every_h=6, change=worse)
    said = {alert.kind: alert for alert in site.told}
    assert "looks like attacks" not in said["drift_guard"].message
    assert (
        "more prompts that look like attacks" in said["drift_guard"].message
        and "key 'jobs'" in said["drift_guard"].message
    )
    assert "fails more often" in said["drift_failures"].message and "model 'shaky'" in said["drift_failures"].message
    assert said["drift_failures"].remedy == "demitasse drift --accept chat/failed"


def test_somebody_says_that_it_is_the_usual_and_takes_that_back(site: Watched) -> None:
    rng = random.Random(7)
    site.before(30, rng)
    site.live(30, 2, rng, every_h=6, change=more(8.0, "ms"))
    (open_,) = [a for a in site.books.alerts() if "last byte" in a.message or "takes longer" in a.message]
    assert site.row("duration").state == "moved"
    site.drifting.accept("chat", "duration")
    site.look(site.now_us + MINUTE_US)
    row = site.row("duration")
    assert (row.state, row.since_us) == ("learning", site.now_us // DAY_US * DAY_US)
    assert open_.id not in {alert.id for alert in site.books.alerts()}
    site.drifting.unaccept("chat", "duration")
    site.look(site.now_us + MINUTE_US)
    assert site.row("duration").since_us is None
    with pytest.raises(ConfigError, match="nothing is watched as 'chat/smell'"):
        site.drifting.accept("chat", "smell")


def test_little_traffic_says_what_it_needs(site: Watched) -> None:
    rng = random.Random(8)
    for day in range(12):
        site.book([entry(f"few{day}-{n}", MONDAY_US + day * DAY_US + n * HOUR_US) for n in range(5)])
    site.look(MONDAY_US + 12 * DAY_US + HOUR_US)
    assert site.row("cost").needs == "20 calls a day; it has about 5"
    site.book(usual_day(12, rng, change=lambda fields: fields.update(route="young")))
    site.look(MONDAY_US + 13 * DAY_US + HOUR_US)
    assert site.row("cost", "young").needs == "5 whole days with calls; there are 1"


def test_our_own_calls_are_nobodys_drift(site: Watched) -> None:
    site.book([entry(f"own{n}", MONDAY_US + n * HOUR_US, key=OWN_KEY) for n in range(100)])
    site.look(MONDAY_US + 10 * DAY_US)
    assert site.drifting.facts().streams == ()


def test_two_processes_share_the_work_and_count_nothing_twice(site: Watched, tmp_path: Path) -> None:
    other = Watched(tmp_path)
    rng = random.Random(9)
    site.before(30, rng)
    site.live(30, 1, rng, every_h=12)
    other.look(site.now_us + MINUTE_US)
    assert other.row("cost").days == site.row("cost").days
    assert sum(day.calls for day in other.row("cost").days[-7:]) == sum(
        len([e for _, e in site.books.entries(last=10_000) if e.at_us // DAY_US - MONDAY_US // DAY_US == day])
        for day in range(23, 30)
    )
    other.close()


def test_a_runaway_pipeline_is_told_within_the_hour_and_before_a_tenth_of_its_damage(site: Watched) -> None:
    """$1,200 in two days, begun at 10:40 on a working day, by a key that usually spends cents."""
    rng = random.Random(10)
    site.before(21, rng)
    start_us = MONDAY_US + 21 * DAY_US + 10 * HOUR_US + 40 * MINUTE_US
    usual = sorted(usual_day(21, rng), key=lambda e: e.at_us)
    runaway = [entry(f"run{n}", start_us + n * MINUTE_US, key="jobs", usd=1200 / 2880) for n in range(180)]
    first = None
    for minute in range(180):
        now_us = start_us + minute * MINUTE_US
        site.book([e for e in (*usual, *runaway) if now_us - MINUTE_US < e.at_us <= now_us])
        if site.look(now_us + 1):
            first = minute
            break
    assert first is not None and first < 60
    assert (first + 1) * 1200 / 2880 < 120
    (alert,) = site.told
    assert alert.kind == "spend_anomaly" and "key 'jobs' spent" in alert.message
    assert alert.remedy.endswith("/day --key jobs") and alert.undo == "demitasse budgets remove watch-jobs"
    (row,) = site.drifting.facts().spend
    assert (row.dimension, row.name) == ("key", "jobs")


def test_so_is_one_of_a_key_that_nobody_knows(site: Watched) -> None:
    rng = random.Random(11)
    site.before(21, rng)
    start_us = MONDAY_US + 21 * DAY_US + 2 * HOUR_US
    site.book([entry(f"run{n}", start_us + n * MINUTE_US, key="fresh", usd=1200 / 2880) for n in range(50)])
    (alert,) = site.look(start_us + 50 * MINUTE_US)
    assert "key 'fresh'" in alert.message and "never seen before" in alert.message


def test_what_the_lab_spends_is_no_runaway(site: Watched) -> None:
    rng = random.Random(11)
    site.before(21, rng)
    start_us = MONDAY_US + 21 * DAY_US + 2 * HOUR_US
    site.book([entry(f"run{n}", start_us + n * MINUTE_US, key=LAB_KEY, usd=1200 / 2880) for n in range(50)])
    assert site.look(start_us + 50 * MINUTE_US) == []


def test_a_runaway_that_ends_is_told_as_over(site: Watched) -> None:
    rng = random.Random(12)
    site.before(21, rng)
    start_us = MONDAY_US + 21 * DAY_US + 2 * HOUR_US
    site.book([entry(f"run{n}", start_us + n * MINUTE_US, key="jobs", usd=0.5) for n in range(60)])
    site.look(start_us + HOUR_US)
    for hours in range(2, 8):
        site.look(start_us + hours * HOUR_US)
    assert site.kinds() == ["spend_anomaly", "drift_over"]
    assert "spends as usual again; it was $30" in site.told[1].message
    assert site.books.alerts() == []
    assert site.drifting.facts().spend == ()


def test_a_batch_that_comes_every_night_is_no_anomaly(site: Watched) -> None:
    rng = random.Random(13)
    site.before(24, rng)
    for day in range(24):
        at_us = MONDAY_US + day * DAY_US + 2 * HOUR_US
        site.book(
            [
                entry(f"b{day}-{n}", at_us + n * MINUTE_US, key="nightly", usd=0.4 * rng.uniform(0.8, 1.25))
                for n in range(50)
            ]
        )
    for day in (21, 22, 23):
        assert site.look(MONDAY_US + day * DAY_US + 3 * HOUR_US - MINUTE_US) == []


def test_no_more_than_five_things_wait_for_a_person_at_once(site: Watched) -> None:
    rng = random.Random(14)
    site.before(21, rng)
    at_us = MONDAY_US + 21 * DAY_US + 3 * HOUR_US
    site.book(
        [entry(f"{key}-{n}", at_us + n * MINUTE_US, key=f"new{key}", usd=0.5) for key in range(8) for n in range(30)]
    )
    site.look(at_us + 31 * MINUTE_US)
    assert len(site.books.alerts()) == MOST_OPEN
    assert len(site.drifting.facts().spend) == 8
    assert [row.said for row in site.drifting.facts().spend].count(False) == 3
    site.settings.resolve_alert(site.told[0].id)
    site.look(at_us + 32 * MINUTE_US)
    assert len(site.told) == MOST_OPEN + 1


def test_who_only_looks_leaves_the_telling_to_who_tells(site: Watched) -> None:
    rng = random.Random(15)
    site.before(21, rng)
    at_us = MONDAY_US + 21 * DAY_US + 3 * HOUR_US
    site.book([entry(f"run{n}", at_us + n * MINUTE_US, key="jobs", usd=0.5) for n in range(30)])
    site.now_us = at_us + 31 * MINUTE_US
    assert site.drifting.look(tell=False) == []
    assert [row.said for row in site.drifting.facts().spend] == [False]
    assert len(site.look(site.now_us + MINUTE_US)) == 1


def test_the_month_is_forecast_and_few_days_say_so(site: Watched) -> None:
    rng = random.Random(16)
    site.book(usual_day(0, rng))
    site.look(MONDAY_US + DAY_US + HOUR_US)
    forecast = site.drifting.facts().forecast
    assert forecast.usd is None and "takes 5 whole days; 1 whole days are known" in forecast.why
    for day in range(1, 20):
        site.book(usual_day(day, rng))
    site.look(MONDAY_US + 20 * DAY_US + HOUR_US)
    forecast = site.drifting.facts().forecast
    assert forecast.low_usd < forecast.usd < forecast.high_usd and forecast.weekdays
    assert forecast.so_far_usd <= forecast.usd


async def test_a_gateway_watches_by_itself_and_shows_it(tmp_path: Path) -> None:
    async with MockUpstream() as up:
        gateway = Site(tmp_path, up)
        gateway.write()
        async with gateway.app() as app:
            await until(lambda: app._drifting.facts().looked_us is not None)
            answer = await ask(app.gateway, b"", path="/watch", method="GET")
            assert answer.status == 200
            assert "Nothing to watch yet" in answer.body.decode()
        assert (tmp_path / "data" / "windows.sqlite3").stat().st_mode & 0o077 == 0
