"""Which calls are drawn: as many as was said, whole sessions at a time, none that could not be compared."""

import asyncio
import random

import pytest
from msgspec.structs import replace

from demitasse.core.call import Call, Caller, Reply
from demitasse.core.entry import Entry
from demitasse.core.evidence import OWN_KEY
from demitasse.gateway.route import Route, Rung
from demitasse.gateway.shadow import MOST_BYTES, MOST_WAITING, WHOLE, Shadows, prompt_hash
from demitasse.testing import FakeModel

SMALL, LARGE, OTHER = (Rung(name, "test", f"{name}-1", FakeModel(), None) for name in ("small", "large", "other"))
AUTO = Route("auto", LARGE, named=True, lower=(SMALL,))
REPLY = Reply(b"{}", "large-1", None, finish="stop")
NOON_US = 1_795_262_400_000_000
DAY_US = 86_400_000_000


def a_call(nth: int, session: str = "", **more) -> Call:
    return Call(f"c{nth}", f"c{nth}", NOON_US, "chat", b"{}", {}, "auto", **{"session": session or f"s{nth}"} | more)


def an_entry(call: Call, **more) -> Entry:
    fields = {"outcome": "answered", "model": "large", "route": "auto", "cache": "miss"}
    return Entry(call.id, call.at_us, call.caller.key, "chat", "auto", **fields | more)


class Drawn:
    """Shadows that are asked and emptied at once."""

    def __init__(self, rate: float, secret: bytes = b"s" * 32) -> None:
        self.dropped: list[str] = []
        self.shadows = Shadows(rate, secret, self.dropped.append)

    def __call__(self, call: Call, route: Route = AUTO, reply: Reply = REPLY, **more) -> bool:
        self.shadows.offer(call, reply, an_entry(call, **more), route)
        return self.shadows.clear() == 1


def test_as_many_calls_are_drawn_as_was_said():
    drawn = Drawn(0.1)
    count = sum(drawn(a_call(n)) for n in range(5_000))
    assert 440 <= count <= 560, "500 expected, 3 sigma are 64"


def test_a_session_is_drawn_whole_or_not_at_all():
    drawn = Drawn(0.3)
    of = {s: [drawn(a_call(100 * s + n, f"session {s}")) for n in range(WHOLE)] for s in range(60)}
    assert all(len(set(calls)) == 1 for calls in of.values())
    assert 5 <= sum(calls[0] for calls in of.values()) <= 32


@pytest.mark.parametrize("length", [1, WHOLE, 5 * WHOLE, 100 * WHOLE])
def test_every_call_is_drawn_with_the_probability_that_is_logged_however_long_its_session(length):
    rate, trials = 0.05, 3_000
    found = 0
    for trial in range(trials):
        drawn = Drawn(rate, trial.to_bytes(32))
        drawn.shadows._seen["local\0long"] = length - 1
        found += drawn(a_call(trial, "long"))
    assert abs(found / trials - rate) < 3.5 * (rate * (1 - rate) / trials) ** 0.5


def test_an_application_with_one_name_for_all_its_calls_is_thinned_out_and_not_drawn_whole():
    drawn = Drawn(0.02)
    day = [drawn(a_call(n, "everything")) for n in range(20_000)]
    assert 250 <= sum(day[2_000:]) <= 480, "360 expected"
    assert sum(day[-1_000:]) < 60, "no stretch of it is drawn whole"


def test_what_was_left_out_today_may_be_drawn_tomorrow():
    drawn = Drawn(0.5)
    days = {drawn(replace(a_call(1, "s"), at_us=NOON_US + n * DAY_US)) for n in range(20)}
    assert days == {True, False}


def test_tenants_with_one_name_for_a_session_are_drawn_apart():
    drawn = Drawn(0.5)
    by = [drawn(a_call(1, "s", caller=Caller(tenant=f"t{n}"))) for n in range(40)]
    assert 8 <= sum(by) <= 32


def test_processes_of_one_data_folder_draw_the_same_sessions():
    one, two = Drawn(0.3), Drawn(0.3)
    assert [one(a_call(n)) for n in range(50)] == [two(a_call(n)) for n in range(50)]
    other = Drawn(0.3, b"t" * 32)
    assert [one(a_call(n)) for n in range(50, 200)] != [other(a_call(n)) for n in range(50, 200)]


@pytest.mark.parametrize(
    ("call", "more"),
    [
        ({}, {"route": Route("large", LARGE)}),
        ({"kind": "embedding"}, {}),
        ({"n": 2}, {}),
        ({"caller": Caller(key=OWN_KEY)}, {}),
        ({"caller": Caller(models=("large",))}, {}),
        ({}, {"flags": ("clamped",), "reply": Reply(b"{}", "m", None, finish="length", complete=False)}),
        ({}, {"outcome": "cancelled"}),
        ({}, {"model": "standin"}),
        ({}, {"flags": ("cut_at_hold",)}),
        ({}, {"cache": "exact"}),
    ],
    ids=["no ladder", "embedding", "two choices", "our own", "key may not use all", "our limit", "cancelled", "stand-in", "cut", "cached"],
)  # fmt: skip
def test_what_could_not_be_compared_is_not_drawn(call, more):
    kind = call.pop("kind", "chat")
    assert not Drawn(1.0)(replace(a_call(1, **call), kind=kind), **more)


@pytest.mark.parametrize(
    "more",
    [
        {"caller": Caller(models=("auto",))},
        {"caller": Caller(models=("small", "large"))},
        {"caller": Caller(provider_key="sk-own")},
        {"has_tools": True},
        {"max_output": 5},
    ],
    ids=str,
)
def test_what_can_be_compared_is_drawn(more):
    assert Drawn(1.0)(a_call(1, **more))


def test_a_cheap_models_answer_is_drawn_too():
    assert Drawn(1.0)(a_call(1), model="small")


def test_a_full_line_leaves_calls_out_and_counts_them():
    drawn = Drawn(1.0)
    offer = lambda n, **more: drawn.shadows.offer(a_call(n, **more), REPLY, an_entry(a_call(n)), AUTO)
    for n in range(MOST_WAITING + 3):
        offer(n)
    assert len(drawn.shadows) == MOST_WAITING and drawn.dropped == ["queue"] * 3
    drawn.shadows.clear()
    huge = replace(a_call(0), body=b"x" * (MOST_BYTES // 4))
    drawn.shadows.offer(huge, REPLY, an_entry(huge), AUTO)
    assert drawn.dropped[-1] == "size"
    large = replace(a_call(0), body=b"x" * (MOST_BYTES // 4 - 10))
    for _ in range(5):
        drawn.shadows.offer(large, REPLY, an_entry(large), AUTO)
    assert len(drawn.shadows) == 4 and drawn.dropped[-1] == "queue"


async def test_who_waits_for_work_gets_it_in_its_order():
    drawn = Drawn(1.0)
    waiting = asyncio.create_task(drawn.shadows.next())
    await asyncio.sleep(0)
    for n in range(3):
        drawn.shadows.offer(a_call(n), REPLY, an_entry(a_call(n)), AUTO)
    jobs = [await waiting, await drawn.shadows.next(), await drawn.shadows.next()]
    assert [job.call.id for job in jobs] == ["c0", "c1", "c2"]
    assert {job.propensity for job in jobs} == {1.0}


def test_a_system_prompts_hash_says_that_it_is_the_same_and_not_what_it_says():
    draw = random.Random(1)
    secrets = [draw.randbytes(32) for _ in range(2)]
    hashes = {prompt_hash(secret, text) for secret in secrets for text in ("You are terse.", "You are kind.")}
    assert len(hashes) == 4 and all(len(found) == 16 for found in hashes)
    assert prompt_hash(secrets[0], "") == ""
