"""What a hostile client, a broken model or bad luck might do to the books: each is tried, none may succeed."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from demitasse.core.call import Usage
from demitasse.core.errors import UpstreamError
from demitasse.core.keys import mac
from demitasse.core.limits import Budget, Key
from demitasse.core.money import nanos
from demitasse.core.price import Card, rates
from demitasse.gateway.route import Route, Rung
from demitasse.gateway.settings import BreakerSettings, CacheSettings, Retry
from demitasse.store.books import SqliteBooks
from demitasse.store.ledger import SqliteLedger

from .asgi import ask, chat
from .conftest import SECRET, World

BROKEN = UpstreamError("the connection broke off", billable=True)
QUICK = Retry(attempts=2, backoff_s=0.0, max_wait_s=1.0)


def key_named(name: str, token: str, **more: Any) -> Key:
    return Key(id=name, name=name, mac=mac(SECRET, token.encode()), created_us=0, **more)


def bearer(token: str, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} | more


class CancelledAt:
    """Awaits ``inner`` and has its own task cancelled at the nth place where that waits for something."""

    def __init__(self, inner: Any, nth: int) -> None:
        self.inner, self.nth, self.waits = inner, nth, 0

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self.inner.__await__()
        thrown: BaseException | None = None
        while True:
            try:
                waited_for = inner.send(None) if thrown is None else inner.throw(thrown)
            except StopIteration as end:
                return end.value
            if self.waits == self.nth:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            self.waits += 1
            thrown = None
            try:
                yield waited_for
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits inside
                thrown = error


def plain(world: World) -> Any:
    return ask(world.app, chat())


def streamed(world: World) -> Any:
    return ask(world.app, chat(stream=True))


def retried(world: World) -> Any:
    world.small.lines = (BROKEN, "a small cup")
    return ask(world.app, chat())


def fallen_back(world: World) -> Any:
    world.large.lines = (UpstreamError("busy", status=503),)
    return ask(world.app, chat(model="auto", stream=True))


def cut(world: World) -> Any:
    model = world.small
    model.lines = ("word " * 30,)

    async def endless(call, send):
        return await model(msgspec.structs.replace(call, max_output=30), send)

    world.rung("small", model=endless)
    return ask(world.app, chat(stream=True, max_tokens=3))


def kept(world: World) -> Any:
    async def twice() -> None:
        await ask(world.app, chat())
        await ask(world.app, chat(stream=True))

    return twice()


def joined(world: World) -> Any:
    async def twice() -> None:
        first = asyncio.create_task(ask(world.app, chat(stream=True)))
        try:
            await asyncio.sleep(0.002)
            await ask(world.app, chat(stream=True))
        finally:
            await first

    return twice()


@pytest.mark.parametrize("way", [plain, streamed, retried, fallen_back, cut, kept, joined])
async def test_a_call_cancelled_at_any_await_holds_nothing_and_is_booked(
    way: Callable[[World], Any], tmp_path: Path
) -> None:
    ended = False
    nth = 0
    while not ended:
        data = tmp_path / str(nth)
        ledger = SqliteLedger.open(data)
        ledger.sync_file_budgets([Budget(name="default", limit_nanos=nanos(5), origin="file")])
        world = World(ledger, retry=QUICK)
        world.small.chunk_s = world.large.chunk_s = 0.0005
        world.small.delay_s = 0.004 if way is joined else 0.0
        at = CancelledAt(way(world), nth)

        async def run(at: CancelledAt = at) -> None:
            await at

        task = asyncio.create_task(run())
        try:
            await task
        except asyncio.CancelledError:
            pass
        else:
            ended = at.waits <= nth
        asked = {call.id for call in (*world.small.calls, *world.large.calls)}
        await ledger.flush()
        ledger.close()
        books = SqliteBooks(data)
        assert books.held_nanos() == 0, f"cancelled at await {nth}"
        rows = [entry.id for _, entry in books.entries()]
        assert asked <= set(rows) and len(rows) == len(set(rows)), f"cancelled at await {nth}"
        assert len(rows) == sum(world.steps.metrics.calls.values()), f"cancelled at await {nth}"
        books.close()
        assert world.steps.metrics.in_flight == 0
        assert not world.steps.cache.stats()["in_flight"]
        nth += 1
    assert nth > 3


async def test_a_model_that_dies_of_a_bug_is_booked_as_asked_and_answers_with_an_error(world: World) -> None:
    world.small.lines = (ValueError("a bug"),)
    answer = await ask(world.app, chat())
    assert answer.status == 500 and answer.json()["error"]["code"] == "internal_error"
    assert "a bug" not in answer.json()["error"]["message"]
    assert world.entry.outcome == "failed"
    assert [a.status for a in world.entry.attempts] == ["broken"]
    assert world.entry.cost_nanos > 0 and world.entry.estimated
    assert not world.ledger.open


async def test_a_resting_model_whose_probe_dies_of_a_bug_is_probed_again(make_world) -> None:
    world = make_world(breaker=BreakerSettings(failures=1, open_s=0.0), cache=CacheSettings(exact=False))
    world.small.lines = (UpstreamError("down", retryable=False), ValueError("a bug"), "well again")
    for _ in range(2):
        await ask(world.app, chat())
    assert (await ask(world.app, chat())).status == 200


async def test_an_unpriced_model_that_breaks_off_is_one_row_with_its_own_error(make_world) -> None:
    world = make_world(retry=QUICK)
    world.ledger.set_budget(Budget(name="default", limit_nanos=None))
    world.rung("small", card=None)
    world.small.lines = (BROKEN,)
    answer = await ask(world.app, chat())
    assert answer.status == 502
    assert [e.outcome for e in world.ledger.closed] == ["failed"]


async def test_a_retry_that_was_paid_for_by_a_further_hold_is_no_overshoot(make_world) -> None:
    world = make_world(retry=QUICK)
    told = Usage(uncached_in=250, text_out=20)
    world.small.lines = (UpstreamError("broke off", billable=True, usage=told), "a small cup")
    world.small.usage = told
    await ask(world.app, chat(max_tokens=20))
    entry = world.entry
    assert len(entry.attempts) == 2 and entry.cost_nanos <= entry.hold_nanos
    assert "over_hold" not in entry.flags and not world.alerts
    assert (await ask(world.app, chat("another"))).status == 200


async def test_hanging_up_on_a_whole_answer_does_not_make_it_cheap(world: World) -> None:
    """A provider goes on writing what nobody waits for; what it may have written is booked."""
    world.small.delay_s = 30
    leaving = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, leaving.set)
    await ask(world.app, chat(max_tokens=1000), hang_up=leaving)
    assert world.entry.outcome == "cancelled" and world.entry.estimated
    assert world.entry.usage.text_out == 1000
    assert world.entry.cost_nanos <= world.entry.hold_nanos


async def test_a_deadline_too_short_for_a_whole_answer_does_not_make_it_cheap(world: World) -> None:
    late = UpstreamError("late", status=504, code="upstream_timeout", billable=True, retryable=False)
    world.small.lines = (late,)
    await ask(world.app, chat(max_tokens=1000))
    assert world.entry.usage.text_out == 1000 and world.entry.cost_nanos <= world.entry.hold_nanos


async def test_a_key_reaches_no_fallback_that_it_may_not_use(world: World) -> None:
    world.ledger.set_key(key_named("alice", "dmt_a_1", models=("large",)))
    world.ledger.set_key(key_named("bob", "dmt_b_1", models=("auto",)))
    assert (await ask(world.app, chat(model="auto"), headers=bearer("dmt_a_1"))).status == 404
    assert (await ask(world.app, chat(model="auto"), headers=bearer("dmt_b_1"))).status == 200


async def test_the_memory_for_retries_does_not_shrink_with_repeated_calls(make_world) -> None:
    world = make_world(cache=CacheSettings(max_bytes=40_000))
    first = {"x-stainless-retry-count": "0"}
    for _ in range(40):
        await ask(world.app, chat(temperature=1.0), headers=first)
    asked = len(world.small.calls)
    await ask(world.app, chat("the last", temperature=1.0), headers=first)
    await ask(world.app, chat("one more", temperature=1.0), headers=first)
    again = await ask(world.app, chat("the last", temperature=1.0), headers={"x-stainless-retry-count": "1"})
    assert again.status == 200 and len(world.small.calls) == asked + 2


async def test_the_memory_for_retries_is_bounded_while_a_slow_call_runs(make_world) -> None:
    world = make_world(cache=CacheSettings(max_bytes=40_000))
    slow = asyncio.Event()

    async def wait(call, send, model=world.small):
        if b"slow" in call.body:
            await slow.wait()
        return await model(call, send)

    world.rung("small", model=wait)
    first = {"x-stainless-retry-count": "0"}
    task = asyncio.create_task(ask(world.app, chat("slow", temperature=1.0), headers=first))
    await asyncio.sleep(0.01)
    for n in range(50):
        await ask(world.app, chat(f"question {n}", temperature=1.0), headers=first)
    assert world.steps.cache.stats()["retry_bytes"] <= 10_000
    slow.set()
    await task


async def test_a_retry_joins_a_call_that_has_run_for_minutes(make_world) -> None:
    world = make_world(on_hangup="drain")
    world.small.delay_s = 0.5
    body = chat(temperature=1.0)
    first = asyncio.create_task(ask(world.app, body, headers={"x-stainless-retry-count": "0"}))
    await asyncio.sleep(0.01)
    world.now_us += 300 * 10**6
    second = await ask(world.app, body, headers={"x-stainless-retry-count": "1"})
    assert second.body == (await first).body and len(world.small.calls) == 1
    world.now_us += 59 * 10**6
    third = await ask(world.app, body, headers={"x-stainless-retry-count": "2"})
    assert third.status == 200 and len(world.small.calls) == 1
    world.now_us += 2 * 10**6
    await ask(world.app, body, headers={"x-stainless-retry-count": "2"})
    assert len(world.small.calls) == 2


async def test_names_that_somebody_asked_for_are_bounded_and_nobody_elses_business(world: World) -> None:
    asked: list[str] = []

    async def discover(name: str) -> Route:
        asked.append(name)
        rung = Rung(name, "openai", name, world.small, world.rungs["small"].card)
        return Route(name, rung, stamp=name)

    world.steps.routes._discover = discover
    assert (await ask(world.app, chat(model="openai/ft:secret-project"))).status == 200
    assert (await ask(world.app, chat("again", model="openai/ft:secret-project"))).status == 200
    assert len(asked) == 1
    listed = await ask(world.app, b"", path="/v1/models", method="GET")
    assert "secret" not in listed.body.decode()
    for n in range(2_000):
        await world.steps.routes.resolve(f"openai/x{n}", world.steps.keys.identify(None))
    assert len(world.steps.routes._by_name) + len(world.steps.routes._met) < 1_100


async def test_a_long_call_does_not_give_back_the_minute_that_it_took(make_world) -> None:
    world = make_world()
    world.ledger.set_key(key_named("alice", "dmt_a_1", tpm=100))
    slow = asyncio.Event()

    async def wait(call, send, model=world.small):
        if b"slow" in call.body:
            await slow.wait()
        return await model(call, send)

    world.rung("small", model=wait)
    world.small.usage = Usage(uncached_in=95, text_out=5)
    first = asyncio.create_task(ask(world.app, chat("slow"), headers=bearer("dmt_a_1")))
    await asyncio.sleep(0.01)
    world.now_us += 60 * 10**6
    assert (await ask(world.app, chat("a"), headers=bearer("dmt_a_1"))).status == 200
    slow.set()
    await first
    world.now_us += 10**6
    assert (await ask(world.app, chat("b"), headers=bearer("dmt_a_1"))).status == 429


async def test_a_clock_that_jumps_back_locks_nobody_out(make_world) -> None:
    world = make_world()
    world.ledger.set_key(key_named("alice", "dmt_a_1", rpm=1))
    world.now_us += 3600 * 10**6
    assert (await ask(world.app, chat("a"), headers=bearer("dmt_a_1"))).status == 200
    world.now_us -= 3600 * 10**6
    assert (await ask(world.app, chat("b"), headers=bearer("dmt_a_1"))).status == 429
    world.now_us += 61 * 10**6
    assert (await ask(world.app, chat("c"), headers=bearer("dmt_a_1"))).status == 200


async def test_a_stream_that_shares_a_slow_answer_is_kept_alive(make_world) -> None:
    world = make_world(first_event_s=0.01, ping_s=0.01)
    world.small.delay_s = 0.4
    leader = asyncio.create_task(ask(world.app, chat()))
    await asyncio.sleep(0.005)
    follower = await ask(world.app, chat(stream=True))
    assert b": ping\n\n" in follower.pieces and follower.events()[-1] == "[DONE]"
    await leader


async def test_when_everybody_has_left_the_model_is_stopped(world: World) -> None:
    world.small.delay_s = 30
    one, two = asyncio.Event(), asyncio.Event()
    leader = asyncio.create_task(ask(world.app, chat(), hang_up=one))
    await asyncio.sleep(0.01)
    follower = asyncio.create_task(ask(world.app, chat(), hang_up=two))
    await asyncio.sleep(0.01)
    one.set()
    await asyncio.sleep(0.01)
    assert world.small.cancelled == 0
    two.set()
    await asyncio.gather(leader, follower)
    assert world.small.cancelled == 1
    assert sorted(e.outcome for e in world.ledger.closed) == ["cancelled", "cancelled"]


@pytest.mark.parametrize("odd", ['"x": 1e999', '"x": ' + "9" * 400])
async def test_numbers_that_nobody_can_read_are_passed_on_and_booked(world: World, odd: str) -> None:
    body = f'{{"model": "small", "messages": [{{"role": "user", "content": "x"}}], {odd}}}'
    answer = await ask(world.app, body.encode())
    assert answer.status == 200 and world.entry.outcome == "answered"


async def test_an_absurd_limit_is_refused_before_the_ledger_sees_it(tmp_path: Path) -> None:
    ledger = SqliteLedger.open(tmp_path)
    world = World(ledger)
    answer = await ask(world.app, chat(max_tokens=10**30))
    assert answer.status == 400 and answer.json()["error"]["param"] == "max_tokens"
    await ledger.flush()
    ledger.close()
    assert [e.outcome for _, e in SqliteBooks(tmp_path).entries()] == ["refused"]


async def test_sound_that_is_asked_for_is_held_at_the_price_of_sound(world: World) -> None:
    base = rates(input=10**6, output=10**6, audio_in=10**6, audio_out=80 * 10**6)
    world.rung("small", card=Card(id="sound", provider="test", model="small", base=base))
    await ask(world.app, chat(max_tokens=100))
    await ask(world.app, chat(max_tokens=100, modalities=["text", "audio"], audio={"voice": "a", "format": "wav"}))
    silent, loud = (e.hold_nanos for e in world.ledger.closed)
    assert loud - silent >= 79 * 1000 * 100


async def test_a_free_model_that_sends_a_bill_is_not_asked_again_under_a_limit(world: World) -> None:
    world.rung("small", card=Card(id="free", provider="test", model="small", base=rates(input=0, output=0)))
    real = world.small._reply

    def billed(call, text):
        return msgspec.structs.replace(real(call, text), reported_cost_nanos=nanos(1))

    world.small._reply = billed
    assert (await ask(world.app, chat("one"))).status == 200
    assert "over_hold" in world.entry.flags and world.alerts
    answer = await ask(world.app, chat("two"))
    assert answer.status == 429 and len(world.small.calls) == 1


async def test_a_key_and_a_team_of_one_name_share_no_answers(world: World) -> None:
    world.ledger.set_key(key_named("search", "dmt_a_1"))
    world.ledger.set_key(key_named("bob", "dmt_b_1", team="search"))
    world.ledger.set_key(key_named("local", "dmt_c_1"))
    for token in ("dmt_a_1", "dmt_b_1", "dmt_c_1"):
        await ask(world.app, chat(), headers=bearer(token))
    await ask(world.app, chat())
    assert len(world.small.calls) >= 3
    assert world.ledger.closed[1].cache == "miss"


@pytest.mark.parametrize("origin", ["http://[", "http://[evil", "null", "http://", "//", "http://127.0.0.1:4141@evil"])
async def test_origins_that_are_none_are_turned_away(world: World, origin: str) -> None:
    answer = await ask(world.app, chat(), headers={"origin": origin})
    assert answer.status == 403 and answer.json()["error"]["code"] == "foreign_origin"


async def test_the_metrics_of_all_are_for_those_who_may_read(make_world) -> None:
    world = make_world(require_key=True, loopback=False)
    world.ledger.set_key(key_named("caller", "dmt_a_1"))
    world.ledger.set_key(key_named("reader", "dmt_b_1", scopes=("read",)))
    get = {"path": "/metrics", "method": "GET"}
    assert (await ask(world.app, b"", **get)).status == 401
    assert (await ask(world.app, b"", headers=bearer("dmt_a_1"), **get)).status == 403
    assert (await ask(world.app, b"", headers=bearer("dmt_b_1"), **get)).status == 200


async def test_a_name_from_a_request_puts_nothing_odd_into_a_header(world: World) -> None:
    async def discover(name: str) -> Route:
        return Route(name, Rung(name, "openai", name, world.small, world.rungs["small"].card), stamp=name)

    world.steps.routes._discover = discover
    answer = await ask(world.app, chat(model="openai/a\x00b\r\nset-cookie: x\x7f"))
    assert answer.status == 200
    for value in answer.headers.values():
        assert value.isprintable()


async def test_every_row_adds_up_whatever_happened(make_world) -> None:
    """saved = baseline − paid, to the nano, for every way a call can end."""
    world = make_world(retry=QUICK)
    world.large.lines = (BROKEN, UpstreamError("busy", status=503), "a large cup")
    for body in (
        chat(model="auto"),
        chat(model="auto"),
        chat("b", model="auto", stream=True),
        chat(n=3),
        chat(),
        chat(),
    ):
        await ask(world.app, body)
    await asyncio.gather(*(ask(world.app, chat("c")) for _ in range(3)))
    for entry in world.ledger.closed:
        if entry.baseline_nanos is not None:
            assert sum(n for _, n in entry.saved) == entry.baseline_nanos - entry.cost_nanos
        assert entry.cost_nanos == sum(a.cost_nanos for a in entry.attempts)


async def test_content_types_know_no_case(world: World) -> None:
    answer = await ask(
        world.app, json.dumps(chat()).encode(), headers={"content-type": "Application/JSON; charset=UTF-8"}
    )
    assert answer.status == 200


async def test_a_resting_model_whose_probe_is_cut_at_its_hold_is_asked_again(make_world) -> None:
    world = make_world(breaker=BreakerSettings(failures=1, open_s=0.0), cache=CacheSettings(exact=False))

    async def endless(call, send, model=world.small):
        return await model(msgspec.structs.replace(call, max_output=200), send)

    world.rung("small", model=endless)
    world.small.lines = (UpstreamError("down", retryable=False), "word " * 100)
    await ask(world.app, chat())
    for _ in range(2):
        assert (await ask(world.app, chat(stream=True, max_tokens=20))).status == 200
        assert "cut_at_hold" in world.entry.flags


async def test_a_client_with_a_bad_key_does_not_close_a_model_for_others(make_world) -> None:
    world = make_world(breaker=BreakerSettings(failures=2, open_s=60.0))
    bad = UpstreamError("refuses the key", status=401, code="upstream_key_refused", retryable=False)
    world.small.lines = (bad, bad, bad, "a small cup")
    for n in range(3):
        answer = await ask(world.app, chat(f"question {n}"), headers=bearer("sk-wrong"))
        assert answer.json()["error"]["code"] == "upstream_key_refused"
    assert (await ask(world.app, chat(), headers=bearer("sk-right"))).status == 200


async def test_a_kept_answer_is_booked_before_the_first_byte_of_its_stream(world: World) -> None:
    await ask(world.app, chat())
    order: list[str] = []
    post = world.ledger.post
    world.ledger.post = lambda entry: (order.append("closed"), post(entry))
    await ask(world.app, chat(stream=True), on_piece=lambda _answer: order.append("piece"))
    assert order[0] == "closed"


async def test_a_usage_that_cannot_be_is_marked(world: World) -> None:
    real = world.small._reply

    def doubtful(call, text):
        return msgspec.structs.replace(real(call, text), doubt="its parts do not add up")

    world.small._reply = doubtful
    await ask(world.app, chat())
    assert "doubtful_usage" in world.entry.flags


@pytest.mark.parametrize("seed", range(3))
async def test_no_storm_of_calls_gets_past_a_limit(seed: int, tmp_path: Path) -> None:
    """Streams, retries, fallbacks, hang-ups, clamping and whole answers at once, on a real ledger with cents to spend."""
    chance = random.Random(seed)
    ledger = SqliteLedger.open(tmp_path)
    limit = nanos("0.02")
    ledger.sync_file_budgets([Budget(name="default", limit_nanos=limit, origin="file")])
    world = World(ledger, retry=QUICK, clamp=True, breaker=BreakerSettings(failures=10**6))
    for model in (world.small, world.large):
        model.lines = tuple(
            chance.choice(("many words " * 8, BROKEN, UpstreamError("busy", status=503))) for _ in range(60)
        )
        model.chunk_s = 0.0005
    books = SqliteBooks(tmp_path)

    async def one(n: int) -> None:
        leaving = asyncio.Event()
        if chance.random() < 0.3:
            asyncio.get_running_loop().call_later(chance.random() * 0.01, leaving.set)
        body = chat(
            f"question {n % 20}", model=chance.choice(("small", "large", "auto")), stream=n % 2 == 0, n=1 + n % 3
        )
        if chance.random() < 0.8:
            body["max_tokens"] = chance.choice((5, 20, 60))
        await asyncio.sleep(chance.random() * 0.02)
        await ask(world.app, body, hang_up=leaving)
        (spent,) = books.spent(world.now_us)
        assert spent.settled_nanos + spent.held_nanos <= limit

    await asyncio.gather(*(one(n) for n in range(120)))
    await ledger.flush()
    ledger.close()
    rows = [entry for _, entry in books.entries(last=500)]
    (spent,) = books.spent(world.now_us)
    assert spent.held_nanos == 0 and spent.settled_nanos == sum(e.cost_nanos for e in rows) <= limit
    assert {c.id for m in (world.small, world.large) for c in m.calls} <= {e.id for e in rows}
    assert not any("over_hold" in e.flags for e in rows)
    books.close()


async def test_an_outage_is_not_remembered_by_the_cache(world: World) -> None:
    """What a fallback said while the reference was down is no answer for the rest of the day."""
    world.large.lines = (UpstreamError("busy", status=503, retryable=False), "a large cup")
    assert (await ask(world.app, chat(model="auto"))).headers["x-demitasse-model"] == "small"
    again = await ask(world.app, chat(model="auto"))
    assert again.headers["x-demitasse-model"] == "large" and again.headers["x-demitasse-cache"] == "miss"


async def test_an_impatient_client_does_not_close_a_model_for_others(make_world) -> None:
    world = make_world(breaker=BreakerSettings(failures=2, open_s=60.0))
    late = UpstreamError("late", status=504, code="upstream_timeout", billable=True, retryable=False)
    world.small.lines = (late, late, late, "a small cup", late, late, "never")
    for n in range(3):
        await ask(world.app, chat(f"question {n}"), headers={"x-stainless-read-timeout": "0.1"})
    assert (await ask(world.app, chat())).status == 200
    for n in range(2):
        await ask(world.app, chat(f"question {n}"), headers={"x-stainless-read-timeout": "600"})
    assert (await ask(world.app, chat("last"))).json()["error"]["code"] == "circuit_open"


async def test_tokens_are_counted_for_the_model_that_was_paid_for_them(make_world) -> None:
    world = make_world(retry=Retry(attempts=1))
    told = Usage(uncached_in=30, text_out=3)
    world.large.lines = (UpstreamError("broke off", billable=True, usage=told),)
    world.small.usage = Usage(uncached_in=20, text_out=2)
    await ask(world.app, chat(model="auto"))
    assert world.steps.metrics.tokens_in == {"large": 30, "small": 20}
