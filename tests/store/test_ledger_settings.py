"""Budgets, keys, settings, cards and corrections: set without a gateway, seen by it, and told in the chain."""

import asyncio

import msgspec
import pytest

from demitasse.core.call import Usage
from demitasse.core.entry import Attempt, Charge, Entry, Hold
from demitasse.core.errors import StoreError
from demitasse.core.limits import Alert, Budget, Key
from demitasse.store.audit import recount, verify
from demitasse.store.books import SqliteBooks
from demitasse.store.changes import Correction
from demitasse.store.ledger import SqliteLedger
from demitasse.store.settings import Settings


@pytest.fixture
def settings(tmp_path):
    settings = Settings(tmp_path, clock=lambda: 1_000)
    yield settings
    settings.close()
    assert verify(tmp_path) == (True, None)
    assert recount(tmp_path) == []


@pytest.fixture
def books(tmp_path):
    books = SqliteBooks(tmp_path)
    yield books
    books.close()


def a_key(name: str, **more) -> Key:
    return Key(id=f"id-{name}", name=name, mac=b"m" * 32, created_us=1, **more)


def test_a_budget_is_set_changed_and_removed(settings):
    settings.set_budget(Budget("b", limit_nanos=5))
    settings.set_budget(Budget("b", limit_nanos=6))
    assert settings.budgets() == (Budget("b", limit_nanos=6),)
    settings.remove_budget("b")
    assert settings.budgets() == ()
    with pytest.raises(StoreError, match="there is no budget 'b'; there are: none"):
        settings.remove_budget("b")


def test_the_budgets_of_the_file_are_replaced_as_a_set(settings):
    settings.set_budget(Budget("mine", limit_nanos=1))
    assert settings.sync_file_budgets([Budget("a", limit_nanos=1), Budget("b", limit_nanos=2)])
    revision = settings.revision
    assert not settings.sync_file_budgets([Budget("a", limit_nanos=1), Budget("b", limit_nanos=2)]), "nothing changed"
    assert settings.revision == revision
    assert settings.sync_file_budgets([Budget("b", limit_nanos=3), Budget("c", limit_nanos=4)])
    assert {(b.name, b.limit_nanos, b.origin) for b in settings.budgets()} == {
        ("mine", 1, "command"), ("b", 3, "file"), ("c", 4, "file")
    }  # fmt: skip


def test_keys_are_created_changed_and_revoked_but_never_forgotten(settings):
    settings.add_key(a_key("app", team="search"))
    with pytest.raises(StoreError, match="there is a key 'app' already"):
        settings.add_key(msgspec.structs.replace(a_key("app"), id="other"))
    settings.update_key("app", rpm=60)
    settings.revoke_key("id-app")
    settings.add_key(msgspec.structs.replace(a_key("app"), id="second"))
    keys = {key.id: key for key in tuple(settings.keys())}
    assert (keys["id-app"].revoked_us, keys["id-app"].rpm, keys["id-app"].team) == (1_000, 60, "search")
    assert keys["second"].revoked_us is None
    with pytest.raises(StoreError, match="there is no key 'nobody'; there are: app, app"):
        settings.revoke_key("nobody")


def test_no_key_may_bear_the_name_that_our_own_calls_are_booked_on(settings):
    with pytest.raises(StoreError, match="kept for the calls that Demitasse makes itself"):
        settings.add_key(a_key("demitasse"))
    assert settings.keys() == ()


def test_a_key_is_paused_by_name_or_id_and_stays_so_when_it_is_changed(settings):
    settings.add_key(a_key("app"))
    settings.set_paused("app", "it goes in circles")
    settings.update_key("app", rpm=5)
    assert [(k.rpm, k.paused) for k in tuple(settings.keys())] == [(5, "it goes in circles")]
    settings.set_paused("id-app", None)
    assert [k.paused for k in tuple(settings.keys())] == [None]


def test_settings_are_json_under_a_name(settings):
    assert settings.get_setting("onboarded") is None
    settings.set_setting("onboarded", {"at": [1, 2.5, "ü"]})
    assert settings.get_setting("onboarded") == {"at": [1, 2.5, "ü"]}
    settings.set_setting("onboarded", None)
    assert settings.get_setting("onboarded", "no") == "no"


def test_the_first_card_of_a_version_stays(settings):
    settings.put_card("openai", "gpt", "1", {"in": 5})
    settings.put_card("openai", "gpt", "1", {"in": 6})
    settings.put_card("openai", "gpt", "2", {"in": 7})
    assert settings.get_cards() == [("openai", "gpt", "1", {"in": 5}), ("openai", "gpt", "2", {"in": 7})]


def test_an_alert_is_resolved_once_it_is_answered(settings, books):
    settings.raise_alert(Alert("a", 1, "loop", "app", "it goes in circles"))
    settings.resolve_alert("a")
    assert books.alerts() == []
    assert books.alerts(open_only=False)[0].resolved_us == 1_000
    with pytest.raises(StoreError, match="no alert 'x'"):
        settings.resolve_alert("x")


async def test_a_running_ledger_sees_what_another_set_without_any_call(tmp_path, settings, monkeypatch):
    monkeypatch.setattr("demitasse.store.keeper.TICK_S", 0.01)
    ledger = SqliteLedger.open(tmp_path)
    before = ledger.revision
    settings.add_key(a_key("app"))
    settings.set_budget(Budget("b", limit_nanos=5))
    while len(ledger.budgets()) < 1:  # the suite's timeout is the bound
        await asyncio.sleep(0.01)
    assert [k.name for k in tuple(ledger.keys())] == ["app"]
    assert ledger.revision > before
    ledger.close()


async def test_the_ledger_itself_can_be_set_from_inside_the_loop_and_from_threads(tmp_path):
    ledger = SqliteLedger.open(tmp_path)
    ledger.set_budget(Budget("b", limit_nanos=5))
    await asyncio.gather(*(asyncio.to_thread(ledger.set_setting, f"s{n}", n) for n in range(10)))
    assert ledger.budgets() == (Budget("b", limit_nanos=5),)
    assert await ledger.hold(Hold("1", 1, "local", 6, (Charge("b", "ever", 6),), "m", "r")) is not None
    assert [ledger.get_setting(f"s{n}") for n in range(10)] == list(range(10))
    ledger.close()
    assert verify(tmp_path) == (True, None)


async def test_a_change_that_is_refused_leaves_the_rest_of_its_group_alone(tmp_path):
    from demitasse.store import changes

    ledger, books = SqliteLedger.open(tmp_path), SqliteBooks(tmp_path)
    one = Entry("1", 1, "local", "chat", "auto", "answered")
    answers = await asyncio.gather(
        ledger.settle(one), ledger._submit(changes.remove_budget("none", 1)), return_exceptions=True
    )
    assert answers[0] is None
    assert isinstance(answers[1], StoreError)
    assert len(books.entries()) == 1
    books.close()
    ledger.close()
    assert verify(tmp_path) == (True, None)


async def test_an_invoice_corrects_cost_budget_and_sums_and_rewrites_no_row(tmp_path, books):
    ledger = SqliteLedger.open(tmp_path)
    ledger.set_budget(Budget("b", period="ever", limit_nanos=100))
    attempt = Attempt("m", "p", "u", "ok", 1, 1.0, usage=Usage(uncached_in=10), cost_nanos=20)
    charges = (Charge("b", "ever", 20),)
    await ledger.settle(
        Entry("1", 1, "local", "chat", "m", "answered", model="m", cost_nanos=20, baseline_nanos=30,
              saved=(("routed", 10),), charges=charges, attempts=(attempt,))
    )  # fmt: skip
    rows = books.stats()["rows"]
    assert ledger.correct([Correction("1", 12, Usage(uncached_in=4, cache_read=6), source="usage.csv")]) == -8
    assert books.stats()["rows"] == rows + 1
    entry = books.entry("1")
    assert (entry.cost_nanos, entry.charges[0].nanos, entry.attempts[0].usage.cache_read) == (12, 12, 6)
    (bucket,) = books.buckets(0, 10)
    assert (bucket.requests, bucket.attempts, bucket.cost_nanos) == (1, 1, 12)
    assert (bucket.uncached_in, bucket.cache_read) == (4, 6)
    assert books.spent(1)[0].settled_nanos == 12
    assert ledger.correct([Correction("1", 15)]) == 3, "a second correction starts from the first"
    assert books.spent(1)[0].settled_nanos == 15
    with pytest.raises(StoreError, match="no entry 'x' to correct"):
        ledger.correct([Correction("1", 99), Correction("x", 1)])
    assert books.entry("1").cost_nanos == 15, "then none of them is"
    ledger.close()
    assert verify(tmp_path) == (True, None)
    assert recount(tmp_path) == []


async def test_an_unpriced_call_is_priced_by_its_invoice(tmp_path, books):
    ledger = SqliteLedger.open(tmp_path)
    await ledger.settle(Entry("1", 1, "local", "chat", "m", "answered", model="m", cost_nanos=None))
    assert ledger.correct([Correction("1", 12)]) == 12
    (bucket,) = books.buckets(0, 10)
    assert (bucket.unpriced, bucket.cost_nanos) == (0, 12)
    ledger.close()
    assert recount(tmp_path) == []


def test_a_default_gives_way_to_what_a_command_set_and_the_file_wins_over_both(settings):
    default = Budget("default", limit_nanos=5, origin="default")
    settings.sync_file_budgets([default])
    assert settings.budgets() == (default,)
    settings.set_budget(Budget("default", limit_nanos=20))
    assert not settings.sync_file_budgets([default]), "a restart leaves what the command set"
    assert settings.budgets()[0].limit_nanos == 20
    settings.sync_file_budgets([Budget("default", limit_nanos=7, origin="file")])
    assert (settings.budgets()[0].limit_nanos, settings.budgets()[0].origin) == (7, "file")
