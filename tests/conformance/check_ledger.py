"""What every Ledger with its Books must do. Whoever implements one runs these: ``await check_ledger(make)``.

``make()`` is an async context manager that gives a fresh, empty Kit. Every check is a function of one Kit and can be run
on its own; its name is the claim.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from demitasse.core.call import Usage
from demitasse.core.entry import Attempt, Charge, Decision, Energy, Entry, Hold
from demitasse.core.ledger import Books, Denied, Ledger
from demitasse.core.limits import Alert, Budget

HOUR_US = 3_600_000_000
NOON = 490_000 * HOUR_US  # an hour's beginning in November 2025
DAY = "2025-11-24"


@dataclass
class Kit:
    ledger: Ledger
    books: Books
    set_budget: Callable[[Budget], None]


Make = Callable[[], AbstractAsyncContextManager[Kit]]


def a_hold(id: str, nanos: int, *budgets: str, window: str = DAY, **more: Any) -> Hold:
    charges = tuple(Charge(name, window, nanos) for name in budgets)
    return Hold(id=id, at_us=NOON, key="local", nanos=nanos, charges=charges, model="large", route="auto", **more)


def an_entry(id: str, nanos: int | None, *budgets: str, window: str = DAY, **more: Any) -> Entry:
    charges = tuple(Charge(name, window, nanos or 0) for name in budgets)
    fields = {
        "at_us": NOON,
        "key": "local",
        "kind": "chat",
        "asked_model": "auto",
        "outcome": "answered",
        "route": "auto",
    }
    return Entry(**{**fields, "id": id, "model": "large", "cost_nanos": nanos, "charges": charges, **more})


def spent(kit: Kit, name: str) -> tuple[int, int]:
    found = next(s for s in kit.books.spent(NOON) if s.budget.name == name)
    assert found.window == DAY
    return found.settled_nanos, found.held_nanos


async def a_hold_is_replaced_by_the_true_cost(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=100))
    assert await kit.ledger.hold(a_hold("1", 60, "b")) is None
    assert (spent(kit, "b"), kit.books.held_nanos()) == ((0, 60), 60)
    await kit.ledger.settle(an_entry("1", 10, "b"))
    assert (spent(kit, "b"), kit.books.held_nanos()) == ((10, 0), 0)


async def a_hold_that_does_not_fit_is_denied_and_holds_nothing(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=100))
    kit.set_budget(Budget("wide", limit_nanos=10_000))
    assert await kit.ledger.hold(a_hold("1", 60, "wide", "b")) is None
    denied = await kit.ledger.hold(a_hold("2", 41, "wide", "b"))
    assert isinstance(denied, Denied)
    assert (denied.spent.budget.name, denied.wanted_nanos, denied.spent.left_nanos) == ("b", 41, 40)
    assert (spent(kit, "b"), spent(kit, "wide"), kit.books.held_nanos()) == ((0, 60), (0, 60), 60)
    assert await kit.ledger.hold(a_hold("3", 40, "wide", "b")) is None, "to the last nano"


async def holds_asked_for_at_once_never_pass_the_limit(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=100))
    answers = await asyncio.gather(*(kit.ledger.hold(a_hold(str(n), 30, "b")) for n in range(50)))
    assert answers.count(None) == 3
    assert spent(kit, "b") == (0, 90)


async def a_settled_call_makes_room_for_the_next(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=100))
    for n in range(20):
        assert await kit.ledger.hold(a_hold(str(n), 80, "b")) is None
        await kit.ledger.settle(an_entry(str(n), 1, "b"))
    assert spent(kit, "b") == (20, 0)


async def windows_are_separate(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=100))
    assert await kit.ledger.hold(a_hold("1", 100, "b", window="2025-11-23")) is None
    assert await kit.ledger.hold(a_hold("2", 100, "b")) is None
    assert spent(kit, "b") == (0, 100)


async def a_soft_budget_counts_and_never_stops(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=100, hard=False))
    assert await kit.ledger.hold(a_hold("1", 500, "b")) is None
    await kit.ledger.settle(an_entry("1", 500, "b"))
    assert spent(kit, "b") == (500, 0)


async def a_budget_that_is_gone_is_counted_and_not_limited(kit: Kit) -> None:
    assert await kit.ledger.hold(a_hold("1", 10**15, "gone")) is None
    await kit.ledger.settle(an_entry("1", 7, "gone"))
    kit.set_budget(Budget("gone", limit_nanos=10))
    assert spent(kit, "gone") == (7, 0)


async def what_costs_nothing_is_never_stopped(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=0))
    assert await kit.ledger.hold(a_hold("1", 0, "b")) is None
    assert isinstance(await kit.ledger.hold(a_hold("2", 1, "b")), Denied)


async def a_further_hold_adds_to_the_first_and_both_go_with_the_entry(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=100))
    assert await kit.ledger.hold(a_hold("1", 60, "b")) is None
    assert isinstance(await kit.ledger.hold(a_hold("1", 60, "b", extends=True)), Denied)
    assert spent(kit, "b") == (0, 60)
    assert await kit.ledger.hold(a_hold("1", 40, "b", extends=True)) is None
    assert (spent(kit, "b"), kit.books.held_nanos()) == ((0, 100), 100)
    await kit.ledger.settle(an_entry("1", 90, "b"))
    assert (spent(kit, "b"), kit.books.held_nanos()) == ((90, 0), 0)


async def a_cost_above_its_hold_is_charged_and_closes_the_budget(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=1000))
    await kit.ledger.hold(a_hold("1", 10, "b"))
    await kit.ledger.settle(an_entry("1", 15, "b", flags=("over_hold",)))
    assert spent(kit, "b") == (15, 0)
    denied = await kit.ledger.hold(a_hold("2", 1, "b"))
    assert isinstance(denied, Denied)
    assert denied.spent.closed
    assert await kit.ledger.hold(a_hold("3", 1, "b", window="2025-11-25")) is None, "the next window is open"
    kit.set_budget(Budget("b", limit_nanos=1000))
    assert await kit.ledger.hold(a_hold("4", 1, "b")) is None, "setting the limit anew opens it"


async def an_entry_without_a_hold_is_booked(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=100))
    await kit.ledger.settle(an_entry("1", 0, outcome="refused", model=None, error="budget_spent"))
    await kit.ledger.settle(an_entry("2", 5, "b", cache="exact"))
    assert [e.id for _, e in kit.books.entries()] == ["2", "1"]
    assert spent(kit, "b") == (5, 0)


async def a_call_is_counted_once_however_often_it_is_settled(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=100))
    await kit.ledger.hold(a_hold("1", 60, "b"))
    kit.ledger.post(an_entry("1", 10, "b"))
    await kit.ledger.settle(an_entry("1", 20, "b"))
    await asyncio.gather(*(kit.ledger.settle(an_entry(id, 30, "b")) for id in ("1", "2", "2", "1")))
    assert spent(kit, "b") == (40, 0)
    assert sum(b.requests for b in kit.books.buckets(NOON, NOON + 1)) == 2
    assert kit.books.entry("1").cost_nanos == 10  # type: ignore[union-attr]


async def what_is_posted_is_there_after_a_flush(kit: Kit) -> None:
    for n in range(10):
        kit.ledger.post(an_entry(str(n), 1))
    await kit.ledger.flush()
    assert len(kit.books.entries()) == 10


async def a_waiter_cancelled_in_its_turn_holds_nothing(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=100))

    async def ask() -> None:
        await kit.ledger.hold(a_hold("1", 60, "b"))

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    kit.ledger.post(an_entry("1", 0, outcome="cancelled"))
    await kit.ledger.flush()
    assert (spent(kit, "b"), kit.books.held_nanos()) == ((0, 0), 0)


async def an_entry_comes_back_as_it_was_given(kit: Kit) -> None:
    usage = Usage(uncached_in=10, cache_read=90, text_out=5)
    attempt = Attempt(
        model="large", provider="openai", upstream_model="gpt", status="ok", started_us=NOON, duration_ms=1.5, usage=usage,
        usage_raw=Raw(b'{"prompt_tokens": 100,  "completion_tokens":5}'), cost_nanos=7, energy=Energy(1, 2, "modelled"),
    )  # fmt: skip
    given = an_entry(
        "1", 7, request_id="mine", team="search", tags=(("feature", "titles"),), usage=usage, baseline_nanos=20,
        saved=(("routed", 13),), attempts=(attempt, replace(attempt, usage_raw=None)), flags=("clamped",), joined=2,
        decision=Decision("p", "large", 0.5, ("small", "large"), "why"),
    )  # fmt: skip
    await kit.ledger.settle(given)
    for id in ("1", "mine"):
        found = kit.books.entry(id)
        assert found is not None
        raws = [a.usage_raw for a in found.attempts]
        assert [raw and bytes(raw) for raw in raws] == [b'{"prompt_tokens": 100,  "completion_tokens":5}', None]
        bare = tuple(replace(a, usage_raw=None) for a in found.attempts)
        assert replace(found, attempts=bare) == replace(given, attempts=(replace(attempt, usage_raw=None),) * 2)
    assert kit.books.entry("nothing") is None


async def an_unknown_cost_stays_unknown(kit: Kit) -> None:
    await kit.ledger.settle(an_entry("1", None, flags=("unpriced",)))
    assert kit.books.entry("1").cost_nanos is None  # type: ignore[union-attr]
    bucket = kit.books.buckets(NOON, NOON + 1)[0]
    assert (bucket.requests, bucket.unpriced, bucket.cost_nanos) == (1, 1, 0)


async def the_newest_entry_answers_to_a_shared_request_id(kit: Kit) -> None:
    await kit.ledger.settle(an_entry("1", 1, request_id="same"))
    await kit.ledger.settle(an_entry("2", 2, request_id="same"))
    assert kit.books.entry("same").id == "2"  # type: ignore[union-attr]


async def entries_are_filtered_and_paged(kit: Kit) -> None:
    for n in range(12):
        await kit.ledger.settle(
            an_entry(f"{n:02}", 1, key=f"k{n % 2}", model=f"m{n % 3}", at_us=NOON + n, route=f"r{n % 4}")
        )
    first = kit.books.entries(last=5)
    assert [e.id for _, e in first] == ["11", "10", "09", "08", "07"]
    assert [e.id for _, e in kit.books.entries(last=3, before=first[-1][0])] == ["06", "05", "04"]
    assert [e.id for _, e in kit.books.entries(key="k1", model="m1")] == ["07", "01"]
    assert [e.id for _, e in kit.books.entries(route="r3")] == ["11", "07", "03"]
    assert [e.id for _, e in kit.books.entries(since_us=NOON + 10)] == ["11", "10"]
    assert kit.books.entries(outcome="failed") == []


async def buckets_add_up_by_every_dimension_and_in_total(kit: Kit) -> None:
    for n in range(60):
        at = NOON + n * 3 * HOUR_US
        await kit.ledger.settle(
            an_entry(str(n), 10 + n, at_us=at, key=f"k{n % 2}", team="t" if n % 3 else None, model=f"m{n % 5}",
                     cache="exact" if n % 4 == 0 else "miss", baseline_nanos=100, saved=(("routed", 90 - n),))
        )  # fmt: skip
    end = NOON + 60 * 3 * HOUR_US
    (total,) = kit.books.buckets(NOON, end)
    assert (total.requests, total.cost_nanos, total.baseline_nanos) == (60, sum(range(10, 70)), 6000)
    assert total.saved_routed_nanos == total.baseline_nanos - total.cost_nanos
    assert (total.key, total.hour) == (None, None)
    for by in (["key"], ["team"], ["model", "cache"], ["hour"], ["day"], ["day", "key", "outcome"]):
        parts = kit.books.buckets(NOON, end, by)
        assert sum(p.cost_nanos for p in parts) == total.cost_nanos, by
        assert sum(p.requests for p in parts) == 60, by
    assert [p.hour for p in kit.books.buckets(NOON, NOON + 7 * HOUR_US, ["hour"])] == [490_000 + h for h in (0, 3, 6)]
    assert all(p.hour % 24 == 0 for p in kit.books.buckets(NOON, end, ["day"]) if p.hour is not None)
    assert kit.books.buckets(end, end + HOUR_US) == []


async def tokens_and_energy_are_those_of_the_attempts(kit: Kit) -> None:
    attempt = Attempt(
        model="m", provider="p", upstream_model="u", status="ok", started_us=NOON, duration_ms=1,
        usage=Usage(1, 2, 3, 4, 5, 6, 7, 8, 9), energy=Energy(10, 20, "measured"),
    )  # fmt: skip
    await kit.ledger.settle(an_entry("1", 5, attempts=(attempt, replace(attempt, energy=Energy(1, 2, "vendor")))))
    await kit.ledger.settle(an_entry("2", 0, cache="exact", usage=Usage(100)))
    (b,) = kit.books.buckets(NOON, NOON + 1)
    tokens = (b.uncached_in, b.cache_read, b.cache_write_5m, b.cache_write_1h, b.image_in, b.audio_in, b.text_out)
    assert (*tokens, b.reasoning_out, b.audio_out) == tuple(range(2, 20, 2))
    assert (b.attempts, b.energy_measured_low_uj, b.energy_measured_high_uj, b.energy_modelled_high_uj) == (
        2,
        10,
        20,
        0,
    )


async def a_key_is_paused_and_resumed_and_the_revision_tells(kit: Kit) -> None:
    before = kit.ledger.revision
    await kit.ledger.pause_key("local", "it goes in circles", NOON)
    assert [(k.id, k.paused) for k in tuple(kit.ledger.keys())] == [("local", "it goes in circles")]
    between = kit.ledger.revision
    await kit.ledger.pause_key("local", None, NOON)
    assert not any(k.paused for k in tuple(kit.ledger.keys()))
    assert before < between < kit.ledger.revision


async def an_alert_is_kept_until_it_is_resolved(kit: Kit) -> None:
    await kit.ledger.alert(Alert("a", NOON, "budget_soft", "b", "80 % are spent", "demitasse budgets set b 10/day"))
    await kit.ledger.alert(Alert("c", NOON + 1, "loop", "local", "it goes in circles"))
    assert [a.id for a in kit.books.alerts()] == ["c", "a"]
    await kit.ledger.alert(Alert("a", NOON, "budget_soft", "b", "80 % are spent", resolved_us=NOON + 2))
    assert [a.id for a in kit.books.alerts()] == ["c"]
    assert len(kit.books.alerts(open_only=False)) == 2
    assert [a.id for a in kit.books.alerts(open_only=False, last=1, begins="a")] == ["a"]
    assert kit.books.alerts(begins="b") == [] and kit.books.find_alert("b") is None
    found = kit.books.find_alert("a")
    assert found is not None and found.resolved_us == NOON + 2


async def a_clock_that_jumps_back_disturbs_nothing(kit: Kit) -> None:
    kit.set_budget(Budget("b", limit_nanos=100))
    await kit.ledger.settle(an_entry("1", 1, "b", at_us=NOON))
    await kit.ledger.settle(an_entry("2", 1, "b", at_us=NOON - 400 * 24 * HOUR_US))
    await kit.ledger.settle(an_entry("3", 1, "b", at_us=NOON + 400 * 24 * HOUR_US))
    assert [e.id for _, e in kit.books.entries()] == ["3", "2", "1"]
    (total,) = kit.books.buckets(0, NOON + 10_000 * HOUR_US)
    assert total.requests == 3


async def the_facts_of_the_store_are_told(kit: Kit) -> None:
    await kit.ledger.settle(an_entry("1", 1))
    stats = kit.books.stats()
    assert stats["rows"] >= 1
    assert stats["bytes"] > 0
    assert len(bytes.fromhex(stats["chain_head"])) == 32


Check = Callable[[Kit], Any]
CHECKS: tuple[Check, ...] = (
    a_hold_is_replaced_by_the_true_cost,
    a_hold_that_does_not_fit_is_denied_and_holds_nothing,
    holds_asked_for_at_once_never_pass_the_limit,
    a_settled_call_makes_room_for_the_next,
    windows_are_separate,
    a_soft_budget_counts_and_never_stops,
    a_budget_that_is_gone_is_counted_and_not_limited,
    what_costs_nothing_is_never_stopped,
    a_further_hold_adds_to_the_first_and_both_go_with_the_entry,
    a_cost_above_its_hold_is_charged_and_closes_the_budget,
    an_entry_without_a_hold_is_booked,
    a_call_is_counted_once_however_often_it_is_settled,
    what_is_posted_is_there_after_a_flush,
    a_waiter_cancelled_in_its_turn_holds_nothing,
    an_entry_comes_back_as_it_was_given,
    an_unknown_cost_stays_unknown,
    the_newest_entry_answers_to_a_shared_request_id,
    entries_are_filtered_and_paged,
    buckets_add_up_by_every_dimension_and_in_total,
    tokens_and_energy_are_those_of_the_attempts,
    a_key_is_paused_and_resumed_and_the_revision_tells,
    an_alert_is_kept_until_it_is_resolved,
    a_clock_that_jumps_back_disturbs_nothing,
    the_facts_of_the_store_are_told,
)


async def check_ledger(make: Make) -> None:
    """Run every check, each on a Kit of its own."""
    for check in CHECKS:
        async with make() as kit:
            await check(kit)
