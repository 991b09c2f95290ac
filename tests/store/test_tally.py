"""Counts beside the ledger: by day, each row once, no value, and anew where the ledger is another one."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from demitasse.core.entry import Attempt, Check, Entry, Guarded
from demitasse.core.limits import Key
from demitasse.store.ledger import SqliteLedger
from demitasse.store.settings import Settings
from demitasse.store.tally import DAY_US, FILE, SqliteTally

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
    assert "calls" not in sums and "found" not in sums and sums["asked"] == {"large\topenai\t": 2}
    assert sums["upstream"] == {"large\topenai\tlarge-1\t": 2}


def test_a_fail_over_is_a_failed_first_model_and_another_that_answered(tmp_path, look):
    fill(tmp_path, [call("a", attempts=(tried(status="error"), tried("small"))), call("b", attempts=(tried(status="error"), tried())), call("c", outcome="failed", attempts=(tried(status="error"), tried("small", "error")))])  # fmt: skip
    _, sums, _ = look()
    assert sums["failover"] == {"chat: large → small": 1}


def test_the_values_of_tags_are_kept_only_where_they_name_applications(tmp_path, look):
    fill(tmp_path, [call("a", tags=(("feature", "titles"), ("user", "ada@example.org")), team="search")])
    _, sums, _ = look()
    assert sums["tag"] == {"feature=titles": 1, "user": 1} and sums["team"] == {"search": 1}


def test_nothing_is_counted_twice_and_a_look_may_stop_half_way(tmp_path, look, monkeypatch):
    monkeypatch.setattr("demitasse.store.tally.BATCH_ROWS", 3)
    fill(tmp_path, [call(f"c{i}") for i in range(10)])
    counted, sums, _ = look(most=4)
    assert not counted.whole and sums["calls"][""] < 10
    for _ in range(3):
        counted, sums, _ = look()
    assert counted.whole and sums["calls"] == {"": 10}
    fill(tmp_path, [call("more")])
    assert look()[1]["calls"] == {"": 11}


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
    assert b"SECRETMAC" not in (tmp_path / FILE).read_bytes() and "weights" not in str(happened)


def test_another_ledger_in_the_same_place_is_counted_anew(tmp_path, look):
    fill(tmp_path, [call(f"a{i}") for i in range(5)])
    look()
    other = tmp_path / "other"
    fill(other, [call(f"b{i}", key="bob") for i in range(7)])
    for file in tmp_path.glob("ledger.sqlite3*"):
        file.unlink()
    for file in other.glob("ledger.sqlite3*"):
        shutil.copy(file, tmp_path / file.name)
    assert look()[1]["calls"] == {"": 7}
    (tmp_path / FILE).unlink()
    assert look()[1]["calls"] == {"": 7}


def test_an_erasure_is_told_without_whose_it_was(tmp_path, look):
    from demitasse.store.erasure import erase
    from demitasse.store.subjects import Subject

    fill(tmp_path, [call("a")])
    erase(tmp_path, [Subject("sub_SECRETNAME", "sub_TENANT")], NOW_US)
    _, _, happened = look()
    assert [event.facts["did"] for event in happened if event.kind == "erased"] == ["erased"]
    assert "SECRETNAME" not in str([event.facts for event in happened])
