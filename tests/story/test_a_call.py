"""One call from end to end, through ASGI, with fake models: what the client sees and what the books hold."""

from __future__ import annotations

import asyncio

import pytest

from demitasse.core.call import Usage
from demitasse.core.errors import StoreError, UpstreamError
from demitasse.core.keys import mac
from demitasse.core.limits import Budget, Key
from demitasse.core.money import nanos

from .asgi import ask, chat, until
from .conftest import SECRET, World


async def test_a_question_is_answered_and_in_the_books_to_the_last_token(world: World) -> None:
    world.small.usage = Usage(uncached_in=100, text_out=20)
    answer = await ask(world.app, chat())
    assert answer.status == 200
    assert answer.text() == "a small cup, full strength"
    assert answer.headers["x-demitasse-model"] == "small"
    assert answer.headers["x-demitasse-cache"] == "miss"
    # 100 tokens at 1 USD and 20 at 10 USD per million
    assert answer.headers["x-demitasse-cost-usd"] == "0.000300000"
    assert world.entry.cost_nanos == 300_000 == world.entry.baseline_nanos
    assert world.entry.outcome == "answered"
    assert [a.status for a in world.entry.attempts] == ["ok"]
    assert not world.ledger.open


async def test_the_hold_is_committed_before_the_model_is_asked_and_covers_what_it_cost(world: World) -> None:
    await ask(world.app, chat(max_tokens=50))
    assert [kind for kind, _ in world.ledger.log] == ["held", "answered"]
    assert world.entry.hold_nanos >= world.entry.cost_nanos
    # 50 tokens of output at 10,000 nanos each, and a prompt bounded by its bytes and a margin
    assert 500_000 < world.entry.hold_nanos < 1_000_000


async def test_a_stream_ends_with_done_after_the_books_are_closed(world: World) -> None:
    order: list[str] = []
    post = world.ledger.post
    world.ledger.post = lambda entry: (order.append("closed"), post(entry))  # what settle does

    def piece(answer) -> None:
        if answer.pieces[-1] == b"data: [DONE]\n\n":
            order.append("done")

    answer = await ask(world.app, chat(stream=True), on_piece=piece)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text().strip() == "a small cup, full strength"
    assert order == ["closed", "done"]
    assert answer.events()[-1] == "[DONE]"
    assert "x-demitasse-held-usd" in answer.headers
    assert "usage" not in str(answer.events()[:-1])


async def test_a_call_without_an_output_limit_goes_up_with_ours_and_says_so(world: World) -> None:
    answer = await ask(world.app, chat())
    assert answer.headers["x-demitasse-clamped"] == "max_completion_tokens=4096"
    assert world.small.calls[0].clamped and world.small.calls[0].max_output == 4096
    assert "clamped" in world.entry.flags


async def test_an_unknown_model_is_a_404_that_names_what_is_near(world: World) -> None:
    answer = await ask(world.app, chat(model="smal"))
    assert answer.status == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert "did you mean 'small'" in answer.json()["error"]["message"]
    assert world.entry.outcome == "refused"
    assert answer.headers["x-should-retry"] == "false"


async def test_malformed_json_is_refused_and_only_the_refusal_is_booked(world: World) -> None:
    answer = await ask(world.app, b'{"model": ')
    assert answer.status == 400
    assert [e.outcome for e in world.ledger.closed] == ["refused"]
    assert not world.small.calls


async def test_a_spent_budget_refuses_with_the_command_that_raises_it(world: World) -> None:
    world.ledger.set_budget(Budget(name="default", limit_nanos=1000))
    answer = await ask(world.app, chat())
    assert answer.status == 429
    error = answer.json()["error"]
    assert error["code"] == "insufficient_quota"
    assert "demitasse budgets set default" in error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert not world.small.calls
    assert world.entry.outcome == "refused" and world.entry.cost_nanos == 0


async def test_clamping_lets_a_call_fit_into_what_is_left(make_world) -> None:
    world = make_world(clamp=True)
    world.ledger.set_budget(Budget(name="default", limit_nanos=nanos("0.002")))
    answer = await ask(world.app, chat(max_tokens=1000))
    assert answer.status == 200
    limit = world.small.calls[0].max_output
    assert 16 <= limit < 1000
    assert answer.headers["x-demitasse-clamped"] == f"max_completion_tokens={limit}"
    assert world.entry.hold_nanos <= nanos("0.002")


async def test_an_unpriced_model_under_a_hard_limit_is_refused_with_the_setting_to_add(world: World) -> None:
    world.rung("small", card=None)
    answer = await ask(world.app, chat())
    assert answer.status == 429
    assert answer.json()["error"]["code"] == "unpriced_model"
    assert "price = {" in answer.json()["error"]["message"]


async def test_an_unpriced_model_without_hard_limits_is_booked_as_unknown_not_as_zero(world: World) -> None:
    world.ledger.set_budget(Budget(name="default", limit_nanos=None))
    world.rung("small", card=None)
    answer = await ask(world.app, chat())
    assert answer.status == 200
    assert world.entry.cost_nanos is None and "unpriced" in world.entry.flags
    assert "x-demitasse-cost-usd" not in answer.headers


async def test_a_repeated_question_is_answered_from_the_cache_for_nothing(world: World) -> None:
    first = await ask(world.app, chat())
    second = await ask(world.app, chat())
    assert second.headers["x-demitasse-cache"] == "exact"
    assert second.headers["x-demitasse-cost-usd"] == "0.000000000"
    assert float(second.headers["x-demitasse-saved-usd"]) > 0
    assert first.body == second.body
    assert len(world.small.calls) == 1
    assert dict(world.entry.saved) == {"exact_cache": world.entry.baseline_nanos}
    assert len([k for k, _ in world.ledger.log if k == "held"]) == 1


async def test_a_kept_answer_is_streamed_to_whoever_wants_a_stream(world: World) -> None:
    whole = await ask(world.app, chat())
    stream = await ask(world.app, chat(stream=True, stream_options={"include_usage": True}))
    assert stream.headers["x-demitasse-cache"] == "exact"
    assert stream.text() == whole.text()
    usage = [e for e in stream.events()[:-1] if e.get("usage")]
    assert len(usage) == 1 and usage[0]["choices"] == []


async def test_another_tenant_never_sees_a_kept_answer(world: World) -> None:
    await ask(world.app, chat(), headers={"authorization": "Bearer sk-one"})
    other = await ask(world.app, chat(), headers={"authorization": "Bearer sk-two"})
    assert other.headers["x-demitasse-cache"] == "miss"
    assert len(world.small.calls) == 2


async def test_sampled_answers_are_not_cached_unless_asked_for(world: World) -> None:
    for _ in range(2):
        answer = await ask(world.app, chat(temperature=0.7))
        assert answer.headers["x-demitasse-cache"] == "off"
    for _ in range(2):
        await ask(world.app, chat(temperature=0.7), headers={"x-demitasse-cache": "sampled"})
    assert world.entry.cache == "exact"


async def test_no_store_and_refresh_do_what_they_say(world: World) -> None:
    await ask(world.app, chat())
    skipped = await ask(world.app, chat(), headers={"x-demitasse-cache": "no-store"})
    assert skipped.headers["x-demitasse-cache"] == "off"
    fresh = await ask(world.app, chat(), headers={"x-demitasse-cache": "refresh"})
    assert fresh.headers["x-demitasse-cache"] == "miss"
    assert len(world.small.calls) == 3


async def test_identical_calls_under_way_share_one_upstream_call(world: World) -> None:
    world.small.gate = asyncio.Event()
    asked = [asyncio.create_task(ask(world.app, chat(stream=n % 2 == 0))) for n in range(10)]
    await until(lambda: world.small.running)
    await asyncio.sleep(0.02)
    world.small.gate.set()
    answers = await asyncio.gather(*asked)
    assert len(world.small.calls) == 1
    assert {a.text().strip() for a in answers} == {"a small cup, full strength"}
    tiers = sorted(e.cache for e in world.ledger.closed)
    assert tiers == ["coalesced"] * 9 + ["miss"]
    assert sum(e.cost_nanos for e in world.ledger.closed) == world.ledger.closed[0].cost_nanos


async def test_followers_of_a_leader_who_hangs_up_still_get_the_answer(world: World) -> None:
    world.small.gate = asyncio.Event()
    leaving = asyncio.Event()
    leader = asyncio.create_task(ask(world.app, chat(), hang_up=leaving))
    await until(lambda: world.small.running)
    follower = asyncio.create_task(ask(world.app, chat()))
    await asyncio.sleep(0.02)
    leaving.set()
    await asyncio.sleep(0.02)
    world.small.gate.set()
    assert (await follower).text() == "a small cup, full strength"
    await leader
    assert len(world.small.calls) == 1


async def test_a_client_that_hangs_up_stops_the_model_and_is_booked(world: World) -> None:
    world.small.chunk_s = 0.05
    leaving = asyncio.Event()
    answer = await ask(
        world.app, chat(stream=True), hang_up=leaving, on_piece=lambda a: leaving.set() if len(a.pieces) == 3 else None
    )
    assert world.small.cancelled == 1
    assert not answer.done
    assert world.entry.outcome == "cancelled"
    assert world.entry.estimated and world.entry.cost_nanos > 0
    assert world.entry.usage.text_out >= 2
    assert not world.ledger.open


async def test_with_drain_a_model_finishes_for_the_retry_that_follows(make_world) -> None:
    world = make_world(on_hangup="drain")
    world.small.gate = asyncio.Event()
    leaving = asyncio.Event()
    mark = {"x-stainless-retry-count": "0"}
    first = asyncio.create_task(ask(world.app, chat(temperature=1.0), headers=mark, hang_up=leaving))
    await until(lambda: world.small.running)
    leaving.set()
    await asyncio.sleep(0.02)
    world.small.gate.set()
    await first
    assert world.small.cancelled == 0
    assert world.entry.outcome == "cancelled" and "drained" in world.entry.flags
    again = await ask(world.app, chat(temperature=1.0), headers={"x-stainless-retry-count": "1"})
    assert again.status == 200 and again.text() == "a small cup, full strength"
    assert len(world.small.calls) == 1
    assert len(world.ledger.closed) == 1 and world.ledger.closed[0].joined == 1


async def test_a_retry_that_comes_while_the_first_call_runs_joins_it(world: World) -> None:
    world.small.gate = asyncio.Event()
    first = asyncio.create_task(ask(world.app, chat(temperature=1.0), headers={"x-stainless-retry-count": "0"}))
    await until(lambda: world.small.running)
    retry = ask(world.app, chat(temperature=1.0), headers={"x-stainless-retry-count": "1"})
    second = asyncio.create_task(retry)
    await asyncio.sleep(0.02)
    world.small.gate.set()
    assert (await second).body == (await first).body
    assert len(world.small.calls) == 1
    assert len(world.ledger.closed) == 1 and world.entry.joined == 1


async def test_a_retry_that_comes_after_the_stream_was_whole_gets_all_of_it_again(world: World) -> None:
    mark = {"x-stainless-retry-count": "0"}
    first = await ask(world.app, chat(stream=True, temperature=1.0), headers=mark)
    again = await ask(world.app, chat(stream=True, temperature=1.0), headers={"x-stainless-retry-count": "1"})
    assert again.text() == first.text() != ""
    assert again.events()[-1] == "[DONE]"
    assert len(world.small.calls) == 1
    assert world.entry.joined == 1


async def test_the_same_body_without_a_retry_mark_is_a_new_call(world: World) -> None:
    await ask(world.app, chat(temperature=1.0))
    await ask(world.app, chat(temperature=1.0))
    assert len(world.small.calls) == 2


async def test_a_failing_reference_falls_back_and_the_answering_model_is_named(world: World) -> None:
    world.large.lines = (UpstreamError("down", status=503),)
    answer = await ask(world.app, chat(model="auto"))
    assert answer.status == 200
    assert answer.headers["x-demitasse-model"] == "small"
    assert answer.headers["x-demitasse-route"] == "auto"
    assert [a.model for a in world.entry.attempts] == ["large", "large", "small"]
    # The baseline is what the reference would have cost for the same tokens.
    assert world.entry.baseline_nanos == 10 * world.entry.cost_nanos
    assert sum(n for _, n in world.entry.saved) == world.entry.baseline_nanos - world.entry.cost_nanos


async def test_a_client_error_is_not_retried_and_keeps_its_status(world: World) -> None:
    world.small.lines = (UpstreamError("bad", status=400, retryable=False, body=b'{"error":{"message":"bad"}}'),)
    answer = await ask(world.app, chat())
    assert answer.status == 400 and answer.json()["error"]["message"] == "bad"
    assert len(world.small.calls) == 1
    assert world.entry.outcome == "failed" and world.entry.cost_nanos == 0


async def test_an_attempt_that_may_have_been_billed_is_retried_only_after_a_further_hold(world: World) -> None:
    world.small.lines = (UpstreamError("reset", billable=True), "at last")
    answer = await ask(world.app, chat(max_tokens=10))
    assert answer.text() == "at last"
    assert [k for k, _ in world.ledger.log] == ["held", "held", "answered"]
    assert [a.status for a in world.entry.attempts] == ["broken", "ok"]
    assert world.entry.estimated


async def test_a_stream_that_breaks_after_content_ends_with_an_error_event_and_no_done(world: World) -> None:
    world.small.fail_after = 2
    world.small.failure = UpstreamError("broken off", billable=True, after_content=True)
    answer = await ask(world.app, chat(stream=True))
    assert answer.status == 200
    assert "error" in answer.events()[-1]
    assert "[DONE]" not in answer.events()
    assert world.entry.outcome == "failed" and world.entry.cost_nanos > 0


async def test_a_model_that_keeps_failing_rests(world: World) -> None:
    world.small.lines = (UpstreamError("down", status=503),)
    for n in range(4):
        await ask(world.app, chat(f"question {n}"))
    asked = len(world.small.calls)
    answer = await ask(world.app, chat("one more"))
    assert answer.status == 503
    assert len(world.small.calls) == asked
    assert "rests" in answer.json()["error"]["message"] or "down" in answer.json()["error"]["message"]


async def test_a_stream_is_cut_when_it_runs_past_its_hold(world: World) -> None:
    world.small.lines = ("word " * 200,)

    async def endless(call, send, model=world.small):
        import msgspec

        return await model(msgspec.structs.replace(call, max_output=200), send)

    world.rung("small", model=endless)
    answer = await ask(world.app, chat(stream=True, max_tokens=20))
    events = answer.events()
    assert events[-1] == "[DONE]"
    assert events[-2]["choices"][0]["finish_reason"] == "length"
    assert "cut_at_hold" in world.entry.flags and world.entry.estimated
    assert world.entry.usage.text_out <= 22 + 5


async def test_a_ledger_that_cannot_commit_means_no_answer(world: World) -> None:
    world.ledger.fail = StoreError("the disk is full; free some space")
    answer = await ask(world.app, chat())
    assert answer.status == 503
    assert "disk is full" in answer.json()["error"]["message"]
    assert not world.small.calls


def key_named(name: str, token: str, **more) -> Key:
    return Key(id=name, name=name, mac=mac(SECRET, token.encode()), created_us=0, **more)


async def test_keys_identify_limit_and_expire(make_world) -> None:
    world = make_world(require_key=True)
    world.ledger.set_key(key_named("alice", "dmt_a_1", models=("small",), team="search"))
    world.ledger.set_key(key_named("old", "dmt_o_1", expires_us=1))
    world.ledger.set_key(key_named("gone", "dmt_g_1", revoked_us=1))
    world.ledger.set_key(key_named("reader", "dmt_r_1", scopes=("read",)))

    async def status(token: str | None, model: str = "small") -> int:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return (await ask(world.app, chat(model=model), headers=headers)).status

    assert await status(None) == 401
    assert await status("sk-foreign") == 401
    assert await status("dmt_x_1") == 401
    assert await status("dmt_o_1") == 401
    assert await status("dmt_g_1") == 401
    assert await status("dmt_r_1") == 403
    assert await status("dmt_a_1") == 200
    assert world.entry.key == "alice" and world.entry.team == "search"
    assert await status("dmt_a_1", "large") == 404


async def test_a_rate_limit_says_when_to_come_back(make_world) -> None:
    world = make_world()
    world.ledger.set_key(key_named("slow", "dmt_s_1", rpm=2))
    headers = {"authorization": "Bearer dmt_s_1"}
    answers = [await ask(world.app, chat(f"question {n}"), headers=headers) for n in range(3)]
    assert [a.status for a in answers] == [200, 200, 429]
    assert answers[0].headers["x-ratelimit-limit-requests"] == "2"
    assert int(answers[2].headers["retry-after"]) == 30
    assert "x-should-retry" not in answers[2].headers
    world.now_us += 31_000_000
    assert (await ask(world.app, chat("later"), headers=headers)).status == 200


async def test_a_budget_of_a_key_binds_only_that_key(world: World) -> None:
    world.ledger.set_key(key_named("bob", "dmt_b_1", tags=(("team", "x"),)))
    world.ledger.set_budget(Budget(name="bobs", scope="key", subject="bob", limit_nanos=1))
    world.ledger.set_budget(Budget(name="tagged", scope="tag", subject="feature=y", limit_nanos=1))
    assert (await ask(world.app, chat(), headers={"authorization": "Bearer dmt_b_1"})).status == 429
    # A tag of a header carries no hard limit: anyone could leave it out.
    assert (await ask(world.app, chat(), headers={"x-demitasse-tags": "feature=y"})).status == 200
    assert world.entry.tags == (("feature", "y"),)


async def test_a_loop_is_paused_after_a_share_of_its_budget(make_world) -> None:
    from demitasse.gateway.settings import LoopGuard

    world = make_world(loop_guard=LoopGuard(repeats=20, share=0.2))
    world.small.usage = Usage(uncached_in=100, text_out=100)  # 1.1 million nanos a call
    world.ledger.set_budget(Budget(name="default", limit_nanos=nanos("0.1")))
    statuses = []
    for n in range(40):
        answer = await ask(world.app, chat(f"try  {n}", temperature=1, max_tokens=100))
        statuses.append(answer.status)
        for alert in world.alerts:
            await world.ledger.pause_key(alert.subject, alert.message, world.now_us)
    assert statuses.count(200) == 21
    assert answer.json()["error"]["code"] == "loop_detected"
    assert "demitasse keys resume local" in answer.json()["error"]["message"]
    assert [a.kind for a in world.alerts] == ["loop_detected"]


async def test_a_key_that_a_person_paused_is_told_so_and_counted_as_that(world: World) -> None:
    await world.ledger.pause_key("local", "the pilot is over", world.now_us)
    answer = await ask(world.app, chat())
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["type"]) == (403, "key_paused", "permission_error")
    assert "key 'local' is paused: the pilot is over; resume it with: demitasse keys resume local" in error["message"]
    assert (world.entry.outcome, world.entry.error) == ("refused", "key_paused")
    assert "the pilot is over" in (world.entry.why or "")


async def test_a_bill_above_the_bound_is_marked_and_told(world: World) -> None:
    world.small.usage = Usage(uncached_in=10**6, text_out=10)
    await ask(world.app, chat(max_tokens=10))
    assert "over_hold" in world.entry.flags
    assert [a.kind for a in world.alerts] == ["over_hold"]


async def test_strangers_get_nothing_and_spend_nothing(world: World) -> None:
    tries = [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:4141"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
    ]
    for headers in tries:
        answer = await ask(world.app, chat(), headers=headers)
        assert answer.status in (403, 415), headers
    assert not world.small.calls and not world.ledger.closed
    assert (await ask(world.app, chat(), headers={"origin": "http://127.0.0.1:4141"})).status == 200


async def test_a_slow_model_keeps_its_client_waiting_politely(make_world) -> None:
    world = make_world(first_event_s=0.02, ping_s=0.02)
    world.small.delay_s = 0.1
    answer = await ask(world.app, chat(stream=True))
    assert answer.pieces.count(b": ping\n\n") >= 2
    assert answer.text().strip() == "a small cup, full strength"
    assert answer.events()[-1] == "[DONE]"


async def test_models_health_and_metrics_answer_from_memory(world: World) -> None:
    models = await ask(world.app, b"", path="/v1/models", method="GET")
    assert [m["id"] for m in models.json()["data"]] == ["auto", "large", "small"]
    one = await ask(world.app, b"", path="/v1/models/small", method="GET")
    assert one.json()["object"] == "model"
    assert (await ask(world.app, b"", path="/v1/models/a/b", method="GET")).status == 404
    assert (await ask(world.app, b"", path="/healthz", method="GET")).status == 200
    await ask(world.app, chat())
    text = (await ask(world.app, b"", path="/metrics", method="GET")).body.decode()
    assert 'demitasse_calls_total{route="small",model="small",outcome="answered",cache="miss"} 1' in text
    assert (await ask(world.app, b"", path="/v1/nothing", method="GET")).status == 404
    assert (await ask(world.app, b"", path="/v1/chat/completions", method="GET")).status == 405


async def test_an_estimate_is_never_more_than_the_limit_that_was_held_for(world: World) -> None:
    """Words of many characters count as more tokens than they are; what was held is what can have been used."""
    world.small.lines = ("antidisestablishmentarianism " * 12,)
    world.small.fail_after = 10
    world.small.failure = UpstreamError("broken off", billable=True, after_content=True)
    await ask(world.app, chat(stream=True, max_tokens=12))
    assert world.entry.usage.text_out == 12
    assert world.entry.cost_nanos <= world.entry.hold_nanos
    assert "over_hold" not in world.entry.flags


def test_a_loop_of_any_length_takes_the_same_memory() -> None:
    from demitasse.gateway.loop_guard import _Repeat

    repeat = _Repeat(600_000_000)
    for n in range(100_000):
        repeat.add(n * 10_000, 1, 5)
        repeat.forget(n * 10_000 - 600_000_000)
    assert len(repeat.slices) <= 22
    assert 57_000 <= repeat.times <= 60_001
    assert repeat.total_nanos == 5 * repeat.times


async def test_a_body_that_trickles_is_not_waited_for_for_ever(world: World, monkeypatch) -> None:
    monkeypatch.setattr("demitasse.gateway.request.BODY_S", 0.02)
    sent: list[dict] = []

    async def receive() -> dict:
        if not sent and not receive.begun:
            receive.begun = True
            return {"type": "http.request", "body": b"{", "more_body": True}
        await asyncio.sleep(10)
        raise AssertionError

    receive.begun = False

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
    }
    await world.app(scope, receive, send)
    assert sent[0]["status"] == 408
    assert world.entry.error == "body_timeout"


async def test_whoever_comes_while_a_call_is_being_stopped_asks_anew(world: World) -> None:
    """Between a hang-up and the end of its call nobody may board: the beginning of an answer can't be taken back."""
    from demitasse.gateway.cache import Flight

    body = chat(stream=True)
    world.small.gate = asyncio.Event()
    leaving = asyncio.Event()
    first = asyncio.create_task(ask(world.app, body, hang_up=leaving))
    await until(lambda: world.small.running)
    (flight,) = world.steps.cache._flights.values()
    late: list[asyncio.Task] = []
    stop = Flight.when_alone

    def when_alone(self: Flight, cancel) -> None:
        stop(self, cancel)
        late.append(asyncio.create_task(ask(world.app, body)))

    Flight.when_alone = when_alone  # type: ignore[method-assign]
    try:
        leaving.set()
        await first
    finally:
        Flight.when_alone = stop  # type: ignore[method-assign]
    assert flight.stopping and flight.followers == 0
    world.small.gate.set()
    assert (await late[0]).text().strip() == "a small cup, full strength"
    assert len(world.small.calls) == 2


async def test_a_follower_whose_leader_gives_up_in_the_middle_gets_an_error_and_no_second_beginning(
    world: World,
) -> None:
    import json

    from demitasse.core.call import Call, Event
    from demitasse.gateway.cache import Flight
    from demitasse.wire.ask import read

    asked = read("chat", json.dumps(chat(stream=True)).encode())
    call = Call(
        id="c", request_id="c", at_us=0, kind="chat", body=asked.body, fields=asked.fields, model="small", stream=True
    )
    flight, got = Flight(call), []

    async def send(event: Event) -> None:
        got.append(event)

    following = asyncio.create_task(flight.follow(call, send))
    await asyncio.sleep(0)
    flight.publish(Event(b"{}", content=True))
    await until(lambda: got)
    flight.land(None)
    with pytest.raises(UpstreamError) as failed:
        await following
    assert failed.value.after_content
