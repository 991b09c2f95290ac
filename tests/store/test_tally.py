"""Counts by day: each row once, no value, by the writer or by the first look after an upgrade, and what verify says of them."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from demitasse.core.entry import Attempt, Check, Entry, Guarded
from demitasse.core.errors import StoreError
from demitasse.core.limits import Alert, Key
from demitasse.store.audit import recount
from demitasse.store.ledger import SqliteLedger
from demitasse.store.retention import drop
from demitasse.store.settings import Settings
from demitasse.store.tally import DAY_US, SqliteTally
from tests.store.audit_ledger import seal, sql

NOW_US = 1_795_262_591_000_000


def tried(model="large", status="ok"):
    return Attempt(
        model=model, provider="openai", upstream_model=f"{model}-1", status=status, started_us=NOW_US, duration_ms=1.0
    )


def call(id, at_us=NOW_US, **more):
    fields = {
        "key": "alice",
        "kind": "chat",
        "asked_model": "large",
        "outcome": "answered",
        "route": "chat",
        "model": "large",
        "attempts": (tried(),),
    }
    return Entry(id=id, at_us=at_us, **(fields | more))


def fill(data, entries):
    async def settle(ledger):
        for each in entries:
            await ledger.settle(each)

    ledger = SqliteLedger.open(data, clock=lambda: NOW_US)
    asyncio.run(settle(ledger))
    ledger.close()


@pytest.fixture
def look(tmp_path):
    def look(data=tmp_path, **more):
        tally = SqliteTally(data)
        try:
            counted = tally.fold(**more)
            sums = {}
            for (_, what, name), n in tally.days(0, NOW_US + DAY_US).items():
                sums.setdefault(what, {})[name] = n
            return counted, sums, tally.happened(0, NOW_US + 1)
        finally:
            tally.close()

    return look


GUARD = Guarded(
    found=(("EMAIL", 2),), hidden=(("zero_width", 1),), band="high", done=(("redact", "EMAIL", 2),), data_class="health", stays="local", cut=True,
    moderated=(("violence", 0.9),), checks=(Check("grounding", False, 0.31), Check("schema", True)),
)  # fmt: skip


def test_findings_are_counted_by_type(tmp_path, look):
    fill(tmp_path, [call("a", guard=GUARD), call("b", guard=GUARD), call("c")])
    _, sums, _ = look()
    assert sums["calls"] == {"": 3} and sums["guarded"] == {"": 2}
    assert sums["found"] == {"EMAIL": 4} and sums["done"] == {"redact EMAIL": 4} and sums["acted"] == {"": 2}
    assert sums["band"] == {"high": 2} and sums["grounding"] == {"0.3": 2} and sums["class"] == {"health": 2}
    assert sums["check"] == {"grounding failed": 2, "schema passed": 2} and sums["cut"] == {"": 2}


def test_days_are_told_apart(tmp_path):
    fill(tmp_path, [call("a", NOW_US - DAY_US, guard=GUARD), call("b", guard=GUARD)])
    tally = SqliteTally(tmp_path)
    tally.fold()
    assert [n for (_, what, _), n in tally.days(0, NOW_US + 1).items() if what == "found"] == [2, 2]
    assert [n for (_, what, _), n in tally.days(NOW_US, NOW_US + 1).items() if what == "found"] == [2]
    tally.close()


def test_our_own_calls_are_no_clients_calls_but_reach_providers(tmp_path, look):
    fill(tmp_path, [call("a", key="demitasse-lab", guard=GUARD), call("b", key="demitasse")])
    _, sums, _ = look()
    assert "calls" not in sums and "found" not in sums and sums["asked"] == {"large\topenai\t\t": 2}
    assert sums["upstream"] == {"large\topenai\tlarge-1\t": 2}


def test_a_fail_over_is_a_failed_first_model_and_another_that_answered(tmp_path, look):
    fill(tmp_path, [call("a", attempts=(tried(status="error"), tried("small"))), call("b", attempts=(tried(status="error"), tried())), call("c", outcome="failed", attempts=(tried(status="error"), tried("small", "error")))])  # fmt: skip
    _, sums, _ = look()
    assert sums["failover"] == {"chat: large → small": 1}


def test_the_values_of_tags_are_kept_only_where_they_name_applications(tmp_path, look):
    fill(tmp_path, [call("a", tags=(("feature", "titles"), ("user", "ada@example.org")), team="search")])
    _, sums, _ = look()
    assert sums["tag"] == {"feature=titles": 1, "user": 1} and sums["team"] == {"search": 1}


def test_keys_are_told_without_their_secret(tmp_path, look):
    fill(tmp_path, [])
    settings = Settings(tmp_path, clock=lambda: NOW_US)
    settings.add_key(Key("k1", "bob", b"SECRETMAC" * 4, NOW_US))
    settings.set_paused("bob", "too much")
    settings.set_paused("bob", None)
    settings.revoke_key("bob")
    settings.set_setting("learned", {"weights": [1, 2, 3]})
    settings.close()
    _, _, happened = look()
    keys = [event.facts for event in happened if event.facts["what"] == "key"]
    assert [one["did"] for one in keys] == ["set", "paused", "resumed", "revoked"]
    assert "SECRETMAC" not in str(happened) and "weights" not in str(happened)


def test_an_erasure_is_told_without_whose_it_was(tmp_path, look):
    from demitasse.store.erasure import erase
    from demitasse.store.subjects import Subject

    fill(tmp_path, [call("a")])
    erase(tmp_path, [Subject("sub_SECRETNAME", "sub_TENANT")], NOW_US)
    _, _, happened = look()
    assert [event.facts["did"] for event in happened if event.kind == "erased"] == ["erased"]
    assert "SECRETNAME" not in str([event.facts for event in happened])


CHOICES = {
    "key": ["alice", "bob", "demitasse"],
    "outcome": ["answered", "failed", "refused"],
    "error": [None, "budget_exceeded", "rate_limited"],
    "guard": [None, GUARD, Guarded(band="low"), Guarded(found=(("PHONE", 1),), took_us=7)],
    "tags": [(), (("feature", "titles"),), (("x", "y"),)],
    "attempts": [(), (tried(),), (tried(status="error"), tried("small")), (tried("a\tb"),)],
}


async def settle_some(ledger, draw, first, count):
    for n in range(first, first + count):
        await ledger.settle(
            call(f"c{n}", NOW_US - draw.randrange(3) * DAY_US, **{k: draw.choice(v) for k, v in CHOICES.items()})
        )
        if n % 17 == 0:
            ledger.set_setting("configuration", {"hash": f"{n:04}" * 16})
        if n % 23 == 0:
            await ledger.alert(Alert(f"a{n}", NOW_US, "budget", "b", "spent", ""))


def counts(data):
    """What the writer counted, and the same rows counted anew by the first look of somebody who has just upgraded."""
    tally = SqliteTally(data)
    tally.fold()
    found = tally.days(0, NOW_US + DAY_US), tally.happened(0, NOW_US + 1)
    tally.close()
    return found


def forget_counts(data):
    """The ledger as it is after an upgrade from before the writer counted."""
    for table in ("tally_days", "tally_names", "carried_tally", "happened"):
        sql(data, f"DELETE FROM {table}")
    sql(data, "UPDATE meta SET v = 0 WHERE k = 'tallied'")
    sql(data, "UPDATE meta SET v = (SELECT max(seq) FROM events) WHERE k = 'tally_until'")


def test_what_the_writer_counts_is_what_the_rows_come_to_after_random_calls_and_a_restart(tmp_path, monkeypatch):
    draw = random.Random(11)
    for start in (0, 60):
        ledger = SqliteLedger.open(tmp_path, clock=lambda: NOW_US)
        asyncio.run(settle_some(ledger, draw, start, 60))
        ledger.close()
    booked = counts(tmp_path)
    assert sum(n for (_, what, _), n in booked[0].items() if what == "calls") > 50
    assert len({name for _, what, name in booked[0] if what == "asked"}) > 5
    assert recount(tmp_path) == []
    monkeypatch.setattr("demitasse.store.tally.BATCH_ROWS", 7)
    forget_counts(tmp_path)
    assert recount(tmp_path) == []  # nobody has counted yet: no difference
    assert counts(tmp_path) == booked
    assert recount(tmp_path) == []


KILLED = """
import asyncio, os, random, sys
from pathlib import Path
from demitasse.store.ledger import SqliteLedger
sys.path.insert(0, sys.argv[2])
from tests.store.test_tally import NOW_US, call, settle_some

async def run():
    ledger = SqliteLedger.open(Path(sys.argv[1]), clock=lambda: NOW_US)
    await settle_some(ledger, random.Random(3), 0, 40)
    for n in range(100, 140):
        ledger.post(call(f"lost{n}"))  # whether these are booked nobody knows
    await asyncio.sleep(0)
    os.kill(os.getpid(), 9)

asyncio.run(run())
"""


def test_a_kill_leaves_rows_and_counts_that_agree(tmp_path):
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(root)], check=False, capture_output=True)
    assert done.returncode == -9, done.stderr
    fill(tmp_path, [call("after", guard=GUARD)])
    booked = counts(tmp_path)
    assert sum(n for (_, what, _), n in booked[0].items() if what == "calls") >= 20
    assert recount(tmp_path) == []
    forget_counts(tmp_path)
    assert counts(tmp_path) == booked


def test_two_processes_that_write_by_turns_count_each_row_once(tmp_path):
    one, other = (SqliteLedger.open(tmp_path, clock=lambda: NOW_US) for _ in "ab")

    async def by_turns():
        for n in range(10):
            await (one, other)[n % 2].settle(call(f"c{n}", guard=GUARD, team=f"t{n % 3}"))

    asyncio.run(by_turns())
    one.close()
    other.close()
    assert counts(tmp_path)[0][NOW_US // DAY_US, "team", "t0"] == 4 and recount(tmp_path) == []


def test_a_first_look_may_stop_half_way_while_new_calls_come(tmp_path, look, monkeypatch):
    monkeypatch.setattr("demitasse.store.tally.BATCH_ROWS", 3)
    fill(tmp_path, [call(f"c{i}") for i in range(10)])
    forget_counts(tmp_path)
    counted, sums, _ = look(most=4)
    assert not counted.whole and 0 < sums["calls"][""] < 10
    fill(tmp_path, [call("more")])
    counted, sums, _ = look()
    assert counted.whole and sums["calls"] == {"": 11}
    assert look()[1]["calls"] == {"": 11} and recount(tmp_path) == []


def test_counts_that_were_changed_beside_the_chain_are_named(tmp_path):
    fill(tmp_path, [call("a", guard=GUARD), call("b", guard=GUARD)])
    Settings(tmp_path, clock=lambda: NOW_US).set_setting("switches", {"exact": False})
    sql(tmp_path, "UPDATE tally_days SET n = 1 WHERE name = (SELECT id FROM tally_names WHERE name = 'EMAIL')")
    sql(tmp_path, "UPDATE happened SET json = replace(json, 'false', 'true')")
    day = NOW_US // DAY_US
    assert recount(tmp_path) == [
        f"day {day}, found 'EMAIL': 1 in the counts and 4 by the entries",
        "what is told of row 3 is not what the row says",
    ]


def test_what_dropped_rows_came_to_stays_counted_and_agrees(tmp_path):
    fill(tmp_path, [call(f"c{n}", NOW_US - 300 * DAY_US, guard=GUARD) for n in range(1_100)])
    forget_counts(tmp_path)  # an upgrade, and nobody has looked before the sweep does
    seal(tmp_path)
    assert drop(tmp_path, NOW_US, NOW_US) == 1_024
    booked = counts(tmp_path)
    assert booked[0][NOW_US // DAY_US - 300, "found", "EMAIL"] == 2_200
    assert [one.kind for one in booked[1]] == ["dropped"]
    assert recount(tmp_path) == []


def test_the_rarest_of_too_many_names_of_a_day_are_told_together(tmp_path, monkeypatch):
    monkeypatch.setattr("demitasse.store.tally.MOST_NAMES", 2)
    fill(tmp_path, [call(f"c{n}", team=f"t{n % 4}" if n < 8 else "t0") for n in range(12)])
    teams = {name: n for (_, what, name), n in counts(tmp_path)[0].items() if what == "team"}
    assert teams == {"t0": 6, "t1": 2, "(others)": 4}


@pytest.mark.parametrize("value", [None, "lax", 7, ["lax"], {"hash": None}, {"hash": 7}, {}])
def test_a_setting_that_names_no_configuration_is_read_alike_by_who_counts_and_who_recounts(tmp_path, value):
    Settings(tmp_path, clock=lambda: NOW_US).set_setting("configuration", value)
    fill(tmp_path, [call("a")])
    assert recount(tmp_path) == []
    assert {name for day, what, name in SqliteTally(tmp_path).days(0, 2 * NOW_US) if what == "asked"} == {
        "large\topenai\t\t"
    }


def test_a_damaged_row_from_before_is_told_and_its_remedy_named(tmp_path, look):
    fill(tmp_path, [call("a"), call("b")])
    sql(tmp_path, "UPDATE events SET leaf = x'7b' WHERE seq = 1")
    forget_counts(tmp_path)
    with pytest.raises(StoreError, match="demitasse audit verify"):
        look()
