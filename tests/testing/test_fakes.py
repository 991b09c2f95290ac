"""The fakes keep the promises of what they stand for."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from demitasse.core.call import Call, Event, Model, Usage, drop
from demitasse.core.entry import Charge, Entry, Hold
from demitasse.core.errors import StoreError, UpstreamError
from demitasse.core.ledger import Books, Ledger
from demitasse.core.limits import Budget
from demitasse.testing import FakeLedger, FakeModel

DAY = "2026-11-21"
AT_US = 1_795_243_000_000_000


def call(**more: object) -> Call:
    return msgspec.structs.replace(
        Call(id="c1", request_id="c1", at_us=AT_US, kind="chat", body=b"{}", fields={}, model="m", text_bytes=40),
        **more,
    )


def hold(id: str, nanos: int) -> Hold:
    return Hold(id, AT_US, "local", nanos, (Charge("day", DAY, nanos),), "m", "m")


def entry(id: str, nanos: int, **more: object) -> Entry:
    made = Entry(id, AT_US, "local", "chat", "m", "answered", cost_nanos=nanos, charges=(Charge("day", DAY, nanos),))
    return msgspec.structs.replace(made, **more)


async def test_a_fake_model_follows_its_script() -> None:
    model: Model = FakeModel("one two", UpstreamError("no"), "three")
    assert msgspec.json.decode((await model(call(), drop)).body)["choices"][0]["message"]["content"] == "one two"
    with pytest.raises(UpstreamError):
        await model(call(), drop)
    assert (await model(call(), drop)).usage == Usage(uncached_in=10, text_out=1)


async def test_a_fake_stream_adds_up_to_its_reply() -> None:
    seen: list[Event] = []

    async def send(event: Event) -> None:
        seen.append(event)

    reply = await FakeModel("a small cup")(call(stream=True, include_usage=True), send)
    chunks = [msgspec.json.decode(e.data) for e in seen]
    text = "".join(c["delta"].get("content", "") for e in chunks for c in e["choices"])
    assert text == msgspec.json.decode(reply.body)["choices"][0]["message"]["content"] == "a small cup"
    assert chunks[-1]["usage"] == msgspec.json.decode(reply.usage_raw or b"{}")


async def test_a_fake_model_counts_who_was_cancelled() -> None:
    model = FakeModel(delay_s=60)
    task = asyncio.create_task(model(call(), drop))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (model.cancelled, model.running) == (1, 0)


async def test_a_fake_ledger_never_grants_more_than_the_limit() -> None:
    fake = FakeLedger([Budget("day", limit_nanos=100)])
    ledger: Ledger = fake
    books: Books = fake
    assert await ledger.hold(hold("a", 60)) is None
    denied = await ledger.hold(hold("b", 60))
    assert denied is not None
    assert denied.spent.left_nanos == 40
    await ledger.settle(entry("a", 10))
    assert await ledger.hold(hold("b", 60)) is None
    assert books.held_nanos() == 60
    assert [s.settled_nanos for s in books.spent(AT_US)] == [10]


async def test_a_budget_that_was_overshot_closes_until_it_is_set_anew() -> None:
    fake = FakeLedger([Budget("day", limit_nanos=100)])
    await fake.settle(entry("a", 10, flags=("over_hold",)))
    denied = await fake.hold(hold("b", 1))
    assert denied is not None
    assert denied.spent.closed
    fake.set_budget(Budget("day", limit_nanos=200))
    assert await fake.hold(hold("b", 1)) is None


async def test_a_fake_ledger_that_fails_raises_what_it_was_told() -> None:
    fake = FakeLedger([Budget("day", limit_nanos=100)])
    fake.fail = StoreError("disk full")
    with pytest.raises(StoreError):
        await fake.hold(hold("a", 1))
    assert not fake.open


async def test_the_books_group_and_find() -> None:
    fake = FakeLedger([Budget("day")])
    for n, model in enumerate(["x", "x", "y"]):
        await fake.settle(entry(f"c{n}", 5, model=model, request_id=f"r{n}", saved=(("exact_cache", 3),)))
    assert {b.model: b.requests for b in fake.buckets(0, 2**62, ["model"])} == {"x": 2, "y": 1}
    [total] = fake.buckets(0, 2**62)
    assert (total.cost_nanos, total.saved_exact_nanos, total.requests) == (15, 9, 3)
    [day] = fake.buckets(0, 2**62, ["day"])
    assert day.hour == AT_US // 3_600_000_000 // 24 * 24
    assert [e.id for _, e in fake.entries(last=2)] == ["c2", "c1"]
    found = fake.entry("r1")
    assert found is not None
    assert found.id == "c1"
