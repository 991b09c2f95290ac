"""What a gateway goes by is held against the chain: nobody makes a key mightier, or a limit higher, beside it."""

import pytest
from audit_ledger import sql

from demitasse.core.limits import Alert, Budget, Key
from demitasse.store.audit import recount, recounted
from demitasse.store.examine import examine
from demitasse.store.ledger import SqliteLedger


@pytest.fixture
def kept(tmp_path):
    """A key that was paused and resumed, one that is paused, budgets, a setting, an alert that is open, a card."""
    ledger = SqliteLedger.open(tmp_path)
    for id, name in (("k1", "app"), ("k2", "batch")):
        ledger.add_key(Key(id, name, b"m" * 32, 1))
        ledger.set_paused(id, "a loop")
    ledger.set_paused("k1", None)
    ledger.update_key("app", rpm=5)
    ledger.set_budget(Budget("day", limit_nanos=5))
    ledger.set_budget(Budget("gone", limit_nanos=5))
    ledger.remove_budget("gone")
    ledger.sync_file_budgets([Budget("file", limit_nanos=7)])
    ledger.set_setting("switch", {"on": True})
    ledger.set_setting("off", 1)
    ledger.set_setting("off", None)
    ledger.raise_alert(Alert("a", 3, "loop", "app", "it turns"))
    ledger.resolve_alert("a")
    ledger.reopen_alert("a")
    ledger.put_card("openai", "m/x", "1", {"input": 5})
    ledger.put_card("openai", "m/x", "1", {"input": 9})
    ledger.close()
    return tmp_path


def test_what_commands_set_agrees_with_the_chain(kept):
    assert recount(kept) == []
    report = examine(kept)
    assert report.valid
    assert report.notes == ()


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ("UPDATE keys SET json = json_set(json, '$.scopes', json('[\"admin\"]')) WHERE id = 'k1'", "key k1 (app) is not what the chain says: scopes"),
        ("UPDATE budgets SET json = json_set(json, '$.limit_nanos', 500) WHERE name = 'day'", "budget day is not what the chain says: limit_nanos"),
        ("DELETE FROM budgets WHERE name = 'file'", "budget file is gone, and the chain tells of no such change"),
        ("INSERT INTO budgets VALUES ('new', 'command', '{\"name\":\"new\"}')", "budget new is there, and the chain does not tell of it"),
        ("DELETE FROM paused", "pause k2 is gone, and the chain tells of no such change"),
        ("INSERT INTO paused VALUES ('k1', 'why', 1)", "pause k1 is there, and the chain does not tell of it"),
        ("UPDATE settings SET v = '{\"on\":false}'", "setting switch is not what the chain says: on"),
        ("UPDATE alerts SET resolved_us = 9", "alert a is not what the chain says"),
        ("UPDATE alerts SET resolved_us = 9, json = json_set(json, '$.resolved_us', 9)", "alert a is not what the chain says: resolved_us"),
        ("UPDATE cards SET json = '{\"input\":1}'", "card openai/m/x 1 is not what the chain says: input"),
        ("UPDATE keys SET json = 'no json' WHERE id = 'k2'", "key k2 (batch) is not what the chain says"),
    ],
)  # fmt: skip
def test_what_was_changed_beside_the_chain_is_named(kept, lie, said):
    sql(kept, lie.replace("(json, ", "(CAST(json AS TEXT), "))
    found = recount(kept)
    assert len(found) == 1
    assert found[0].startswith(said)
    report = examine(kept)
    assert not report.valid
    assert [problem.message for problem in report.problems] == found


def test_what_only_dropped_rows_told_of_is_said_to_be_uncompared(kept):
    sql(kept, "DELETE FROM events WHERE seq = 1")
    sql(kept, "DELETE FROM events WHERE id = 'budget:day'")
    sql(kept, "DELETE FROM happened WHERE id = 'budget:day'")
    compared = recounted(kept)
    assert compared.differing == []
    assert [text.split(" could")[0] for text in compared.uncompared] == ["budget day"]


def test_an_event_without_its_content_is_said_to_be_uncompared(kept):
    ledger = SqliteLedger.open(kept)
    ledger._change(lambda batch: batch.note("alerted", "a", 9))
    ledger.close()
    report = examine(kept)
    assert report.valid
    assert [text.split(" could")[0] for text in report.notes] == ["alert a"]
