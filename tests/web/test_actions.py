"""What the buttons do, and that each thing done can be undone, or says that it cannot."""

from __future__ import annotations

import re

import pytest

from demitasse.core.limits import Budget
from demitasse.core.money import nanos

from .fakes import NOW_US


def budget(site, name):
    return next((s.budget for s in site.books.spents if s.budget.name == name), None)


def test_a_limit_is_set_and_its_undo_brings_the_old_one_back(full):
    before = budget(full, "default")
    said = full.said(full.press("/budgets/set", name="default", amount="20", back="/budgets"))
    assert "budget &#39;default&#39; is now $20.00 a day; it was $5.00 a day" in said
    assert budget(full, "default").limit_nanos == nanos(20)
    full.undo(said)
    after = budget(full, "default")
    assert (after.limit_nanos, after.period, after.scope) == (before.limit_nanos, before.period, before.scope)


def test_changing_a_limit_keeps_whose_it_is(full):
    full.press("/budgets/set", name="support team", amount="2000", period="month")
    changed = budget(full, "support team")
    assert (changed.scope, changed.subject, changed.limit_nanos) == ("team", "support", nanos(2000))


def test_a_new_budget_is_undone_by_removing_it(full):
    said = full.said(
        full.press("/budgets/set", name="search", amount="$1,500.50/month", scope="team", subject="search")
    )
    assert budget(full, "search") == Budget("search", "team", "search", "month", nanos("1500.50"))
    full.undo(said)
    assert budget(full, "search") is None


def test_a_removed_budget_comes_back_whole(full):
    before = budget(full, "support team")
    said = full.said(full.press("/budgets/remove", name="support team"))
    assert budget(full, "support team") is None
    full.undo(said)
    assert budget(full, "support team") == before


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "", "amount": "5"}, "a budget needs a name"),
        ({"name": "x", "amount": "much"}, "a limit is an amount of dollars like 5 or 0.25"),
        ({"name": "x", "amount": "-1"}, "a limit is an amount of dollars"),
        ({"name": "x", "amount": "nan"}, "a limit is an amount of dollars"),
        ({"name": "x", "amount": "1e400"}, "a limit is an amount of dollars"),
        ({"name": "x", "amount": "5/week"}, "per day, month or ever, not per &#39;week&#39;"),
        ({"name": "x", "amount": "5", "scope": "team"}, "say which team the budget is for"),
        ({"name": "x", "amount": "5", "scope": "tag", "subject": "titles"}, "a tag is written name=value"),
        ({"name": "x", "amount": "5", "scope": "planet", "subject": "b"}, "not for &#39;planet&#39;"),
        ({"name": "from-file", "amount": "5"}, "is set in demitasse.toml; change it there: [budgets.from-file]"),
    ],
)
def test_what_cannot_be_meant_so_is_said_and_nothing_is_done(full, fields, sentence):
    said = full.said(full.press("/budgets/set", **fields))
    assert sentence in said
    assert "failed" in said
    assert full.control.done == []


def test_a_secret_is_shown_once_and_a_reload_makes_no_second_key(full):
    once = re.search(r'name="once" value="(\w+)"', full.get("/budgets").text)[1]
    fields = {
        "name": "carol",
        "team": "search",
        "scope": "both",
        "models": "small, openai/*",
        "rpm": "60",
        "days": "30",
        "once": once,
    }
    shown = full.press("/keys/create", **fields)
    assert shown.status == 200
    assert "dmt_k00005_0123456789abcdefghjkmnpqrs" in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert full.control.done == [
        (
            "create_key",
            "carol",
            "search",
            ("call", "read"),
            ("small", "openai/*"),
            60,
            None,
            NOW_US + 30 * 86_400_000_000,
        )
    ]
    assert "created already" in full.said(full.press("/keys/create", **fields))
    assert len(full.control.done) == 1
    assert "0123456789abcdefghjkmnpqrs" not in full.get("/budgets").text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "alice"}, "there is a key &#39;alice&#39; already"),
        ({"name": "local"}, "there is a key &#39;local&#39; already"),
        ({"name": "n", "rpm": "many"}, "rpm is a whole number above zero"),
        ({"name": "n", "scope": "root"}, "a key&#39;s scope is one of"),
        ({"name": "forbidden"}, "no key may be called &#39;forbidden&#39;"),
    ],
)
def test_a_key_that_cannot_be_made_is_a_sentence(full, fields, sentence):
    assert sentence in full.said(full.press("/keys/create", **fields))


def test_revoking_asks_first_and_says_there_is_no_way_back(full):
    assert "there is no way back" in full.get("/budgets").text
    said = full.said(full.press("/keys/revoke", id="a1b2c3"))
    assert full.control.done == [("revoke_key", "a1b2c3")]
    assert "for good" in said
    assert "undo" not in said


def test_a_paused_key_is_resumed_from_its_alert_and_undone_with_its_reason(full):
    said = full.said(full.press("/keys/resume", name="ci-bot", alert="loop-1"))
    assert full.control.done == [("resume_key", "ci-bot"), ("resolve_alert", "loop-1")]
    assert "loop-1" not in [a.id for a in full.books.alerts()]
    full.undo(said)
    assert full.control.all_paused == {"ci-bot": "asked the same thing 212 times in 6 minutes"}
    assert "loop-1" in [a.id for a in full.books.alerts()]


def test_a_thing_that_is_done_leaves_the_list_and_undo_puts_it_back(full):
    said = full.said(full.press("/alerts/resolve", alert="soft-1"))
    assert "soft-1" not in [a.id for a in full.books.alerts()]
    full.undo(said)
    assert "soft-1" in [a.id for a in full.books.alerts()]


def test_clearing_the_cache_says_how_much_went(full):
    assert "1,204 kept answers dropped" in full.said(full.press("/cache/clear"))


def test_what_was_done_is_said_once(full):
    full.said(full.press("/cache/clear"))
    assert 'class="said"' not in full.get("/").text


def test_programs_get_json(full):
    full.get("/budgets")
    answer = full.press("/budgets/set", {"accept": "application/json"}, name="default", amount="7")
    assert answer.json() == {"done": True, "text": "budget 'default' is now $7.00 a day; it was $5.00 a day"}
    assert full.press("/budgets/set", {"accept": "application/json"}, name="default", amount="x").status == 400


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", "/\r\nx: y"])
def test_the_way_back_stays_on_this_site(full, back):
    assert full.press("/cache/clear", back=back).headers["location"] == "/"
