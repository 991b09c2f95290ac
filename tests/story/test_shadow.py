"""A call's shadow: asked on our own account, off the client's way, and kept as a label; whatever goes wrong with it."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec import structs
from msgspec.structs import replace

from demitasse.build.assessing import Assessor, Judged, Purse
from demitasse.build.shadowing import Counted, Shadowing
from demitasse.config.tree import Config, Shadow
from demitasse.core.call import Usage, drop
from demitasse.core.errors import StoreError, UpstreamError
from demitasse.core.evidence import OWN_KEY
from demitasse.core.ids import call_id
from demitasse.core.limits import Budget
from demitasse.core.money import nanos
from demitasse.core.policy import ALWAYS_CHEAP, Certificate, Policy
from demitasse.gateway.cache import Kept
from demitasse.gateway.metrics import Metrics
from demitasse.gateway.pilot import Pilot
from demitasse.gateway.route import Route, Rung
from demitasse.gateway.shadow import MOST_WAITING
from demitasse.testing import FakeLedger, FakeModel
from tests.story.asgi import ask, chat, until
from tests.story.conftest import NOON_US, SECRET, World, card

DEAD = UpstreamError("'small' is not there", status=502, code="upstream_unreachable")


class Shadowed(World):
    """A world in which every call of the route ``auto`` is drawn. ``judge``'s first words are those of the fake judge."""

    def __init__(
        self, *, usd_per_day: str = "1", judge: str | None = None, total_usd: int = 5, **settings: Any
    ) -> None:
        self.kept: list[str] = []
        self.judge = FakeModel('{"reason": "r", "better": "same"}')
        budgets = [
            Budget(name="default", limit_nanos=nanos(total_usd), origin="default"),
            Budget("shadow", "key", OWN_KEY, "day", nanos(Decimal(usd_per_day)), soft=(), origin="file"),
        ]
        self.shadowing: Shadowing | None = None
        self.metrics = Metrics()
        super().__init__(FakeLedger(budgets), **settings)
        self.rungs["judge"] = Rung("judge", "test", "judge-1", self.judge, card("judge"))
        self.routes[2:] = [
            Route("judge", self.rungs["judge"]),
            Route("auto", self.rungs["large"], stamp="auto-1", named=True, lower=(self.rungs["small"],)),
        ]
        self.build()
        self.assessor = Assessor(
            Counted(self.ledger, self.metrics.labelled),
            Purse(self.ledger, self.clock),
            lambda: self.steps,
            keep=self.keep,
            id=lambda at_us: call_id(at_us, self.next_id() << 20),
            secret=SECRET,
        )
        self.shadowing = Shadowing(self.assessor, self.metrics, SECRET)
        self.shadowing.set(Config(shadow=Shadow(usd_per_day=Decimal(usd_per_day), rate=1.0, judge=judge)))
        self.app = self.build()

    def build(self) -> Any:
        app = super().build()
        offer = self.shadowing.offer if self.shadowing is not None else None
        self.steps = app.steps = replace(self.steps, shadow=offer, metrics=self.metrics)
        return app

    def keep(self, call: Any, _reply: Any) -> str:
        self.kept.append(call.id)
        return call.id

    async def ask(self, text: str = "Say hello.", **more: Any) -> Any:
        headers = more.pop("headers", None)
        return await ask(self.app, chat(text, **{"model": "auto"} | more), headers=headers)

    async def work(self) -> None:
        """Until everything that was drawn is done."""
        assert self.shadowing is not None
        self.shadowing.start()
        await until(lambda: not self.shadowing.waiting and not self.shadowing._busy)

    @property
    def own(self) -> list[Any]:
        return [entry for entry in self.ledger.closed if entry.key == OWN_KEY]

    def dropped(self) -> dict[str, int]:
        return self.metrics.dropped


@pytest.fixture
async def make():
    made: list[Shadowed] = []

    def world(**more: Any) -> Shadowed:
        made.append(Shadowed(**more))
        return made[-1]

    yield world
    for each in made:
        await each.shadowing.stop()
        assert each.ledger.held_nanos() == 0, "nothing stays held"


async def test_an_answer_of_the_reference_is_held_beside_the_cheap_models(make):
    world = make()
    world.small.lines = world.large.lines = ("Paris.",)
    answer = await world.ask(headers={"x-demitasse-tags": "task=geo,team=x"}, temperature=0.5)
    await world.work()
    (label,) = world.ledger.labels()
    theirs, (own,) = world.ledger.closed[0], world.own
    assert (label.id, label.route, label.source, label.served) == (theirs.id, "auto", "shadow", "large")
    assert (label.method, label.propensity, label.slice, label.session) == ("equal", 1.0, "geo", theirs.session)
    (small,) = label.others
    assert (label.reference.model, label.reference.score, label.reference.cost_nanos, label.reference.entry) == (
        "large", 1.0, theirs.cost_nanos, theirs.id
    )  # fmt: skip
    assert (small.model, small.version, small.score, small.cost_nanos, small.entry) == (
        "small", "fake-1", 1.0, own.cost_nanos, own.id
    )  # fmt: skip
    assert len(label.features) > 10 and len(small.marks) > 10 and label.version
    assert (own.route, own.asked_model, own.model, own.outcome) == ("auto", "small", "small", "answered")
    assert dict(own.tags) == {"purpose": "shadow", "of": theirs.id}
    assert answer.headers["x-demitasse-model"] == "large"


async def test_the_other_model_is_asked_the_same_but_whole(make):
    world = make()
    await world.ask(stream=True, stream_options={"include_usage": True}, temperature=0.5, odd=[1, {"x": None}])
    await world.work()
    (call,) = world.small.calls
    body = json.loads(call.body)
    assert body == chat(model="small", temperature=0.5, odd=[1, {"x": None}])
    assert (call.stream, call.include_usage, call.temperature, call.model) == (False, False, 0.5, "small")


async def test_it_is_held_settled_and_charged_to_its_own_budget_and_to_the_total(make):
    world = make()
    await world.ask()
    before = {s.budget.name: s.settled_nanos for s in world.ledger.spent(world.now_us)}
    assert before["shadow"] == 0
    await world.work()
    (own,) = world.own
    after = {s.budget.name: s.settled_nanos for s in world.ledger.spent(world.now_us)}
    assert after == {"shadow": own.cost_nanos, "default": before["default"] + own.cost_nanos}
    assert own.cost_nanos and ("held", own.id) in world.ledger.log and own.hold_nanos >= own.cost_nanos


async def test_the_client_never_waits_for_its_shadow(make):
    world = make()
    world.small.gate = asyncio.Event()
    world.shadowing.start()
    answer = await world.ask()
    assert answer.status == 200 and world.ledger.labels() == []
    await until(lambda: world.small.running)
    world.small.gate.set()
    await world.work()
    assert len(world.ledger.labels()) == 1


async def test_our_own_calls_share_no_answer_and_are_not_shadowed_themselves(make):
    world = make()
    for _ in range(2):
        await world.ask("the same", model="small")
    await world.ask("the same")
    await world.work()
    assert len(world.small.calls) == 2, "one of the client's (then its cache) and one of ours"
    assert len(world.own) == 1 and world.own[0].cache == "off"
    await world.ask("the same", model="small")
    assert len(world.small.calls) == 2, "and the client's answer is still the client's own"


async def test_a_clients_own_key_is_never_used_for_a_shadow(make):
    world = make()
    await world.ask(headers={"authorization": "Bearer sk-the-clients-own"})
    await world.work()
    assert world.large.calls[0].caller.provider_key == "sk-the-clients-own"
    (call,) = world.small.calls
    assert call.caller.provider_key is None and call.caller.key == OWN_KEY
    assert call.caller.tenant == world.large.calls[0].caller.tenant, "what is kept of it is erased with the client's"


async def test_a_spent_shadow_budget_leaves_shadows_out_and_clients_alone(make):
    world = make(usd_per_day="0.00001")
    for n in range(3):
        assert (await world.ask(f"question {n}")).status == 200
    await world.work()
    assert world.own == [] and world.ledger.labels() == [] and world.dropped() == {"budget": 3}
    assert len(world.ledger.closed) == 3, "what was left out makes no rows"


async def test_once_the_budget_is_spent_no_call_is_learned_from_until_the_next_day(make):
    world = make(usd_per_day="0.05")
    await world.ask("long", max_tokens=9_000)
    await world.ask("short", max_tokens=1)
    await world.work()
    assert world.ledger.labels() == [] and world.dropped() == {"budget": 2}, "or only short calls would be learned from"
    world.now_us += 86_400_000_000
    await world.ask("short again", max_tokens=1)
    await world.work()
    assert len(world.ledger.labels()) == 1


async def test_a_judge_that_no_budget_has_room_for_ends_the_day_for_all(make):
    world = make(judge="judge", usd_per_day="0.001")
    for text in ("one", "two"):
        await world.ask(text, max_tokens=4)
        await world.work()
    assert [label.others[0].score for label in world.ledger.labels()] == [None], "the next would be judged by nobody"
    assert world.dropped() == {"budget": 1}
    world.ledger.set_budget(Budget("shadow", "key", OWN_KEY, "day", nanos(1), soft=(), origin="file"))
    await world.ask("three", max_tokens=4)
    await world.work()
    assert [label.others[0].score for label in world.ledger.labels()] == [None, 1.0], "a limit was set anew"


async def test_a_spent_total_stops_shadows_too(make):
    world = make(total_usd=1)
    world.large.usage = Usage(uncached_in=10, text_out=9_999)
    world.rung("large", card=card("large", 10, 90))
    await world.ask(max_tokens=10_000)
    await world.work()
    assert world.dropped() == {"budget": 1}


async def test_without_a_hard_limit_of_their_own_no_shadows_are_made(make):
    world = make()
    del world.ledger._budgets["shadow"]
    await world.ask()
    await world.work()
    assert world.own == [] and world.dropped() == {"budget": 1}


async def test_a_dead_candidate_costs_no_label_but_the_clients_nothing(make):
    world = make()
    world.small.lines = (DEAD,)
    for n in range(12):
        assert (await world.ask(f"question {n}")).status == 200
    await world.work()
    assert world.ledger.labels() == [] and world.dropped() == {"upstream": 12}
    assert {entry.outcome for entry in world.own} == {"failed"}
    assert "small" not in {name for name, state in world.steps.breakers.states().items() if state != "closed"}
    world.small.lines = ("I am back",)
    assert (await world.ask(model="small")).status == 200, "its clients may ask it at once"


async def test_a_full_line_leaves_shadows_out_and_clients_alone(make):
    world = make()
    for n in range(MOST_WAITING + 2):
        assert (await world.ask(f"question {n}")).status == 200
    assert world.dropped() == {"queue": 2} and world.shadowing.waiting == MOST_WAITING


async def test_with_a_cheap_answer_served_the_reference_is_asked(make):
    world = make()
    promise = {
        "policy": Policy("auto", "small", "large", ALWAYS_CHEAP), "quality": 0.9, "delta": 0.05, "estimate": 1.0,
        "floor": 0.9, "saving": 0.9, "saving_low": 0.9, "saving_high": 0.9, "n_train": 1, "n_certify": 1,
        "since_us": 0, "until_us": 1, "issued_us": 1, "expires_us": 2**60, "models": (),
    }  # fmt: skip
    await world.ledger.certificate(Certificate(id="cert_1", **promise), "promoted", NOON_US)
    pilot = Pilot(world.ledger, lambda _raw: None, clock=world.clock)
    await pilot.warm()
    world.steps = world.app.steps = replace(world.steps, pilot=pilot)
    answer = await world.ask()
    assert answer.headers["x-demitasse-model"] == "small"
    await world.work()
    (label,) = world.ledger.labels()
    assert (label.served, label.reference.model, label.others[0].model) == ("small", "large", "small")
    assert label.certificate == "cert_1" and label.others[0].entry == label.id != label.reference.entry
    assert [len(world.large.calls), len(world.small.calls)] == [1, 1]
    assert world.own[0].model == "large", "our own call is put to the model that it names, whatever is in force"


async def test_what_no_rule_decides_is_left_open_without_a_judge(make):
    world = make()
    await world.ask()
    await world.work()
    (label,) = world.ledger.labels()
    assert label.others[0].score is None and label.method == "" and label.reference.score == 1.0


@pytest.mark.parametrize(
    ("said", "score"),
    [
        (('{"better":"same"}',), 1.0),
        (('{"better":"A"}',), 0.5),
        (("I had rather not say.",), None),
        (('{"better":"A"}', '{"better":"B"}'), "consistent"),
    ],
    ids=str,
)
async def test_a_judge_is_asked_in_both_orders_and_booked(make, said, score):
    world = make(judge="judge")
    world.judge.lines = said
    await world.ask()
    await world.work()
    (label,) = world.ledger.labels()
    found = label.others[0].score
    assert found in (0.0, 1.0) if score == "consistent" else found == score
    assert label.method == ("judge:judge" if found is not None else "")
    first, second = (json.loads(call.body)["messages"][-1]["content"] for call in world.judge.calls)
    small, large = world.small.lines[0], world.large.lines[0]
    assert (first.index(small) < first.index(large)) != (second.index(small) < second.index(large))
    judged = [entry for entry in world.own if dict(entry.tags)["purpose"] == "judge"]
    assert [dict(entry.tags)["of"] for entry in judged] == [label.id] * 2 and all(e.cost_nanos for e in judged)


async def test_a_judge_whose_server_knows_no_schema_is_asked_without_one_and_remembered(make):
    world = make(judge="judge")
    world.judge.lines = (UpstreamError("no response_format", status=400, retryable=False), '{"better":"same"}')
    for n in range(2):
        await world.ask(f"question {n}")
        await world.work()
    assert [label.others[0].score for label in world.ledger.labels()] == [1.0, 1.0]
    assert ["response_format" in json.loads(call.body) for call in world.judge.calls] == [True] + [False] * 4


async def test_a_judge_that_is_dead_or_too_dear_leaves_the_pair_to_people(make):
    world = make(judge="judge")
    world.judge.lines = (DEAD,)
    await world.ask("one")
    await world.work()
    world.rung("judge", card=card("judge", 10**6, 10**6))
    world.routes[2] = Route("judge", world.rungs["judge"])
    world.app = world.build()
    await world.ask("two")
    await world.work()
    assert [label.others[0].score for label in world.ledger.labels()] == [None, None]


async def test_a_picture_is_not_judged_by_who_sees_only_words(make):
    world = make(judge="judge")
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    world.rung("small", card=replace(card("small"), max_image_tokens=10))
    world.rung("large", card=replace(card("large"), max_image_tokens=10))
    world.routes[-1] = replace(world.routes[-1], reference=world.rungs["large"], lower=(world.rungs["small"],))
    world.app = world.build()
    answer = await ask(world.app, {"model": "auto", "messages": [{"role": "user", "content": [part]}]})
    assert answer.status == 200, answer.body
    await world.work()
    assert world.judge.calls == [] and world.ledger.labels()[0].others[0].score is None


async def test_a_store_that_fails_loses_the_label_and_not_the_worker(make):
    world = make()
    await world.ask("one")
    keep, world.ledger.label = world.ledger.label, None

    async def full(_label):
        raise StoreError("the disk is full")

    world.ledger.label = full
    await world.work()
    assert world.dropped() == {"store": 1}
    world.ledger.label = keep
    await world.ask("two")
    await world.work()
    assert len(world.ledger.labels()) == 1


async def test_a_fault_in_the_judging_is_logged_and_the_next_call_is_worked_on(make, monkeypatch, caplog):
    world = make()
    await world.ask("one")
    monkeypatch.setattr("demitasse.build.assessing._look", lambda *_: 1 / 0)
    await world.work()
    assert world.dropped() == {"fault": 1} and "was not made" in caplog.text
    monkeypatch.undo()
    await world.ask("two")
    await world.work()
    assert len(world.ledger.labels()) == 1


async def test_a_stop_books_what_is_under_way_and_leaves_out_the_rest(make, monkeypatch):
    monkeypatch.setattr("demitasse.build.shadowing.STOP_S", 0.01)
    world = make()
    world.small.gate = asyncio.Event()
    world.shadowing.start()
    for n in range(5):
        await world.ask(f"question {n}")
    await until(lambda: world.small.running == 2)
    await world.shadowing.stop()
    assert world.small.cancelled == 2 and world.dropped() == {"stopped": 5}
    assert [entry.outcome for entry in world.own] == ["cancelled"] * 2
    assert all(entry.cost_nanos and entry.estimated for entry in world.own), "a provider may have gone on"
    assert world.ledger.held_nanos() == 0 and world.ledger.labels() == []


async def test_switched_off_nothing_is_drawn_and_what_waits_is_left_out(make):
    world = make()
    await world.ask()
    world.shadowing.set(Config())
    assert world.shadowing.offer is None and world.dropped() == {"off": 1}
    await world.work()
    assert world.own == []


async def test_bodies_are_kept_beside_those_of_the_clients_call_and_not_otherwise(make):
    world = make(judge="judge")
    await world.ask("one")
    await world.work()
    assert world.kept == []
    world.steps = world.app.steps = replace(world.steps, keep=lambda call, _reply: call.id)
    await world.ask("two")
    await world.work()
    assert world.kept == [entry.id for entry in world.own if dict(entry.tags)["of"] == world.ledger.labels()[1].id
                          and dict(entry.tags)["purpose"] == "shadow"]  # fmt: skip
    assert len(world.kept) == 1


async def test_a_call_that_wants_the_reference_alone_is_not_shadowed(make):
    world = make()
    await world.ask(headers={"x-demitasse-route": "reference"})
    assert world.shadowing.waiting == 0


async def test_metrics_tell_our_own_calls_apart(make):
    world = make(judge="judge")
    await world.ask()
    await world.work()
    text = world.metrics.text({}, {}).decode()
    assert 'demitasse_calls_total{route="auto",model="large",outcome="answered",cache="miss"} 1' in text
    assert 'demitasse_own_calls_total{purpose="shadow",outcome="answered"} 1' in text
    assert 'demitasse_own_calls_total{purpose="judge",outcome="answered"} 2' in text
    assert 'demitasse_labels_total{route="auto",source="shadow"} 1' in text
    paid = sum(entry.cost_nanos for entry in world.own if dict(entry.tags)["purpose"] == "judge") / 1e9
    assert f'demitasse_own_cost_usd_total{{purpose="judge"}} {paid:g}' in text
    assert 'demitasse_saved_usd_total{cause="routed"}' not in text, "a counter never falls"
    assert 'model="small",outcome' not in text, "a shadow is no client's call"


async def test_a_would_be_hit_of_the_semantic_cache_is_checked_the_same_way(make):
    world = make(judge="judge")
    world.shadowing.set(Config(shadow=Shadow(judge="judge")))
    world.app = world.build()
    await world.ask("What is a demitasse?")
    entry, reply = world.ledger.closed[0], await world.large(world.large.calls[0], drop)
    call = world.large.calls[0]
    other = structs.replace(reply, body=reply.body.replace(b"large", b"tiny"))
    kept = Kept(other, "large", "test", "c-before", 1, "local")
    said = await world.assessor.verdict(call, reply, other, entry=entry)
    assert said == Judged(1.0, "judge:judge") and world.ledger.labels() == []
    label = await world.assessor.check(call, reply, kept, entry=entry, propensity=0.04)
    assert world.ledger.labels(source="check") == [label]
    assert (label.reference.entry, label.others[0].entry, label.others[0].score) == (entry.id, "c-before", 1.0)
    assert (label.propensity, label.served) == (0.04, "large")
    assert [dict(e.tags)["purpose"] for e in world.own] == ["judge"] * 2 + ["check"] * 2
    same = Kept(reply, "large", "test", "c-before", 1, "local")
    assert (await world.assessor.check(call, reply, same, entry=entry, propensity=0.04)).method == "equal"


async def test_the_others_are_asked_what_was_asked_and_not_what_shaping_made_of_it(make):
    world = make()

    class Shape:
        def __call__(self, call, _route):
            return replace(call, body=call.body.replace(b"Say hello.", b"Hello."), fields={
                name: msgspec.Raw(bytes(raw).replace(b"Say hello.", b"Hello.")) for name, raw in call.fields.items()
            })  # fmt: skip

        def learn(self, _call, _route, _reply):
            pass

    world.steps = world.app.steps = replace(world.steps, shape=Shape())
    await world.ask("Say hello.")
    drawn = world.shadowing._shadows._line[0].call
    assert b"Say hello." in drawn.body
    await world.work()
    assert b"Say hello." not in world.small.calls[0].body, "our own call is shaped as the client's was"
    assert b"Say hello." not in world.large.calls[0].body
