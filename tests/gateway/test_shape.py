"""Which calls are shaped, and that no message is ever sent in two forms."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, structs

from demitasse.core.call import Call, Caller, Reply, Usage, Wish
from demitasse.core.evidence import OWN_KEY
from demitasse.gateway.route import Route, Rung
from demitasse.gateway.shape import CAP_AFTER, Shape, ShapeSettings, proof_of
from demitasse.testing import FakeModel
from demitasse.wire import ask
from demitasse.wire.shaping import Proof

PRETTY = json.dumps({"rows": [{"id": n, "name": f"name {n}"} for n in range(20)]}, indent=2)
RUNG = Rung("large", "test", "large-1", FakeModel(), None)
AUTO, OTHER = Route("auto", RUNG, named=True), Route("other", RUNG, named=True)
PROOF = Proof("auto", "compact_json", 300, 0, 0, 0.01, 0.02, 0.05, 0.3, "large-1", "exact", 0, 10_000)


class Step:
    """The step with what it asks, to be turned by a test."""

    def __init__(self, **settings: Any) -> None:
        self.now_us = 0
        self.revision = 1
        self.proofs: dict[tuple[str, str], Proof] = {}
        self.reads = 0
        self.shape = Shape(
            ShapeSettings(routes=frozenset({"auto"}), **settings),
            self.read,
            revision=lambda: self.revision,
            clock=lambda: self.now_us,
        )

    def read(self, route: str, shaper: str) -> Proof | None:
        self.reads += 1
        return self.proofs.get((route, shaper))

    def set(self, **settings: Any) -> None:
        self.shape.settings = ShapeSettings(routes=settings.pop("routes", frozenset({"auto"})), **settings)


def call(messages: list[Any], *, session: str = "s", key: str = "k", **more: Any) -> Call:
    read = ask.read("chat", json.dumps({"model": "auto", "messages": messages} | more).encode())
    return Call(
        id="c",
        request_id="c",
        at_us=0,
        kind="chat",
        body=read.body,
        fields=read.fields,
        model="auto",
        max_output=read.max_output,
        text_bytes=read.text_bound_bytes,
        session=session,
        caller=Caller(key=key, tenant="t"),
    )


def tool(n: int) -> list[dict[str, Any]]:
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    return [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": f"c{n}", "content": PRETTY.replace("name", f"n{n}")},
    ]


def sent(call: Call) -> list[bytes]:
    return [bytes(m) for m in msgspec.json.decode(call.fields["messages"], type=list[Raw])]


USER = {"role": "user", "content": "Look it up."}


def test_a_tool_result_is_compacted_on_a_route_that_opted_in_and_nowhere_else() -> None:
    step = Step(compact_json="on")
    asked = call([USER, *tool(0)])
    shaped = step.shape(asked, AUTO)
    assert shaped.shaped_bytes > 0.3 * len(PRETTY) and shaped.shaped_again_bytes == 0
    assert shaped.body == asked.body and sent(shaped)[0] == sent(asked)[0]
    assert step.shape(asked, OTHER) is asked


def test_by_default_a_route_that_opted_in_loses_blanks_at_line_ends_and_nothing_else() -> None:
    asked = call([USER, *tool(0)])
    assert Step().shape(asked, AUTO) is asked
    blanks = [{"role": "user", "content": "One  \ntwo\t\n" + "and so on. " * 60}]
    assert Step().shape(call(blanks), AUTO).shaped_bytes > 0
    assert Step().shape(call(blanks), OTHER).shaped_bytes == 0


@pytest.mark.parametrize(
    ("changed", "shaped"),
    [
        ({}, True),
        ({"worse_at_most": 0.03}, False),
        ({"expires_us": 1}, False),
        (None, False),
    ],
)
def test_proven_means_an_evaluation_on_record_whose_bound_holds(changed: Any, shaped: bool) -> None:
    step = Step(compact_json="proven")
    step.now_us = 5
    if changed is not None:
        step.proofs["auto", "compact_json"] = structs.replace(PROOF, **changed)
    assert (step.shape(call([USER, *tool(0)]), AUTO).shaped_bytes > 0) is shaped


def test_a_proof_is_taken_up_and_expires_without_a_restart_and_is_not_read_for_every_call() -> None:
    step = Step(compact_json="proven", whitespace="off")
    asked = call([USER, *tool(0)])
    for _ in range(5):
        assert step.shape(asked, AUTO) is asked
    assert step.reads == 1
    step.proofs["auto", "compact_json"], step.revision = structs.replace(PROOF, expires_us=60_000_000), 2
    assert step.shape.in_force("auto") == {"compact_json"}
    step.now_us = 60_000_000
    assert step.shape.in_force("auto") == frozenset()


def test_a_proof_for_one_shaper_or_route_is_none_for_another() -> None:
    step = Step(compact_json="proven", repeats="proven", whitespace="off")
    step.proofs["auto", "compact_json"] = PROOF
    assert step.shape.in_force("auto") == {"compact_json"} and step.shape.in_force("other") == frozenset()


def test_a_proof_that_cannot_be_read_is_none() -> None:
    assert proof_of(None) is None and proof_of({"n": 1}) is None
    assert proof_of(json.loads(msgspec.json.encode(PROOF))) == PROOF


def test_our_own_calls_are_asked_as_they_stand() -> None:
    step = Step(compact_json="on")
    asked = call([USER, *tool(0)], key=OWN_KEY)
    assert step.shape(asked, AUTO) is asked


def test_a_call_that_wants_the_reference_is_sent_as_it_stands() -> None:
    step = Step(compact_json="on")
    asked = structs.replace(call([USER, *tool(0)]), wish=Wish(route="reference"))
    assert step.shape(asked, AUTO) is asked


def test_what_was_shaped_before_is_told_from_what_is_new() -> None:
    step = Step(compact_json="on")
    talk = [USER, *tool(0)]
    first = step.shape(call(talk), AUTO)
    talk += [{"role": "assistant", "content": "So it is."}, USER]
    again = step.shape(call(talk), AUTO)
    assert again.shaped_bytes == again.shaped_again_bytes == first.shaped_bytes
    assert sent(again)[:3] == sent(first)


def test_switching_a_shaper_on_leaves_what_was_sent_as_it_was_sent() -> None:
    step = Step(compact_json="off", whitespace="on")
    talk = [USER, *tool(0)]
    before = step.shape(call(talk), AUTO)
    step.set(compact_json="on", whitespace="on")
    talk += [{"role": "assistant", "content": "Yes."}, USER, *tool(1)]
    after = step.shape(call(talk), AUTO)
    assert sent(after)[:3] == sent(before)
    assert after.shaped_bytes > 0 and after.shaped_again_bytes == 0


def test_switching_a_shaper_off_leaves_what_was_sent_as_it_was_sent() -> None:
    for off in ({"compact_json": "off"}, {"compact_json": "on", "routes": frozenset()}):
        step = Step(compact_json="on")
        talk = [USER, *tool(0)]
        before = step.shape(call(talk), AUTO)
        step.set(**off)
        talk += [{"role": "assistant", "content": "Yes."}, *tool(1)]
        after = step.shape(call(talk), AUTO)
        assert sent(after)[:3] == sent(before)
        assert sent(after)[-1] == sent(call(talk))[-1]


def test_after_a_restart_a_conversation_goes_on_in_the_form_it_had() -> None:
    talk = [USER, *tool(0)]
    before = Step(compact_json="on").shape(call(talk), AUTO)
    talk += [{"role": "assistant", "content": "Yes."}, USER]
    assert sent(Step(compact_json="on").shape(call(talk), AUTO))[:3] == sent(before)


STEPS = st.lists(
    st.sampled_from(["ask", "tool", "json on", "json off", "space on", "space off", "repeats on", "repeats off"]),
    min_size=4,
    max_size=24,
)


@settings(max_examples=60)
@given(STEPS)
def test_whatever_is_switched_when_history_is_never_rewritten(steps: list[str]) -> None:
    step, modes, talk = Step(), {}, [{"role": "system", "content": "Be brief. " * 60}]
    names = {"json": "compact_json", "space": "whitespace", "repeats": "repeats"}
    step.set(whitespace="on")
    modes["whitespace"] = "on"
    last: list[bytes] = []
    for n, what in enumerate(steps):
        if what in ("ask", "tool"):
            talk += (
                [{"role": "user", "content": f"Question {n}  \nplease. " + "long. " * 90}]
                if what == "ask"
                else tool(n % 2)
            )
            now = sent(step.shape(call(talk), AUTO))
            assert now[: len(last)] == last
            last = now
            talk.append({"role": "assistant", "content": f"Answer {n}  "})
        else:
            name, mode = what.split()
            modes[names[name]] = mode
            step.set(**modes)


# Output limits


def answered(step: Step, tokens: int, *, finish: str = "stop", clamped: bool = False, times: int = 1) -> None:
    reply = Reply(b"{}", "m", Usage(text_out=tokens), finish=finish)
    for _ in range(times):
        step.shape.learn(structs.replace(call([USER]), clamped=clamped), AUTO, reply)


def test_a_limit_is_learned_from_whole_answers_and_only_where_the_client_set_none() -> None:
    step = Step(output_cap=True)
    answered(step, 300, times=CAP_AFTER - 1)
    assert step.shape(call([USER]), AUTO).max_output is None
    answered(step, 400)
    limited = step.shape(call([USER]), AUTO)
    assert limited.max_output == 800 and limited.clamped
    assert step.shape(call([USER], max_tokens=5000), AUTO).max_output == 5000
    assert step.shape(call([USER]), OTHER).max_output is None


def test_an_answer_that_our_limit_cut_widens_it_and_one_that_the_client_cut_says_nothing() -> None:
    step = Step(output_cap=True)
    answered(step, 300, times=CAP_AFTER)
    answered(step, 5000, finish="length")
    assert step.shape.cap("auto") == 600
    answered(step, 600, finish="length", clamped=True)
    assert step.shape.cap("auto") == 2400


def test_without_the_setting_no_limit_is_learned() -> None:
    step = Step()
    answered(step, 300, times=CAP_AFTER)
    assert step.shape.cap("auto") is None
