"""Served calls as a task: sessions stay whole, halves do not mix, texts are masked, and what is left out is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.lab.tasks.task import Source, Turn
from demitasse.lab.tasks.traffic import Bodies, Exchange, Left, Split, drawn, form_of, nothing, task_of


def request(*said: str, **more: Any) -> bytes:
    roles = ("user", "assistant")
    return json.dumps(
        {"model": "m", "messages": [{"role": roles[at % 2], "content": text} for at, text in enumerate(said)], **more}
    ).encode()


def reply(text: str) -> bytes:
    return json.dumps(
        {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
    ).encode()


calls_of = st.lists(
    st.builds(lambda at, session: (at, session), st.integers(0, 60), st.sampled_from(["", "a", "b", "c", "d", "e"])),
    max_size=30,
).map(lambda pairs: [Exchange(f"c{n}", at, session) for n, (at, session) in enumerate(pairs)])


@given(calls_of)
def test_halves_share_no_session_and_all_of_train_lies_before_test(calls):
    train, test = (drawn(calls, Split(half=half), None, seed=1) for half in ("train", "test"))
    assert not {c.session for c in train if c.session} & {c.session for c in test if c.session}
    assert not {c.id for c in train} & {c.id for c in test}
    if train and test:
        assert max(c.at_us for c in train) < min(c.at_us for c in test)


@given(calls_of, st.integers(1, 60))
def test_before_and_since_the_same_moment_never_share_a_session(calls, bound):
    early, late = (drawn(calls, split, None, seed=1) for split in (Split(before_us=bound), Split(since_us=bound)))
    assert not {c.session for c in early if c.session} & {c.session for c in late if c.session}
    assert all(c.at_us < bound for c in early) and all(c.at_us >= bound for c in late)


@given(calls_of, st.integers(1, 12))
def test_a_sample_takes_whole_sessions_and_the_same_ones_for_a_seed(calls, n):
    some = drawn(calls, Split(), n, seed=3)
    assert some == drawn(list(reversed(calls)), Split(), n, seed=3)
    whole = {c.session for c in some if c.session}
    assert {c.id for c in some if c.session} == {c.id for c in calls if c.session in whole}
    assert len(some) >= min(n, len(calls))
    assert [c.at_us for c in some] == sorted(c.at_us for c in some)


def made(bodies: list[Bodies], **more: Any) -> tuple[Any, Left]:
    calls = [Exchange(f"c{n}", n, "s", "law") for n in range(len(bodies))]
    return task_of(calls, lambda id: bodies[int(id[1:])], name="t", source=Source("ledger:auto"), **more)


def test_a_call_becomes_a_sample_with_its_talk_session_slice_and_why():
    task, left = made([Bodies(request("Hi", "Hello", "And now?"), reply("So."), "reference", reply("Other."), 0.2)])
    (sample,) = task.samples
    assert sample.input == (Turn("user", "Hi"), Turn("assistant", "Hello"), Turn("user", "And now?"))
    assert (sample.id, sample.target, sample.cluster, sample.slice, sample.at_us) == ("c0", ("So.",), "s", "law", 0)
    assert sample.metadata == {"because": "reference", "score": 0.2, "served": "Other."}
    assert left == Left()


def test_everything_that_is_kept_is_masked():
    task, left = made(
        [
            Bodies(
                request("I am ann@example.org"),
                reply("Hello ann@example.org, call +44 20 7946 0958"),
                "vote",
                reply("no: ann@example.org"),
            )
        ]
    )
    assert b"example.org" not in repr(task).encode() and "[phone]" in task.samples[0].target[0]
    assert left.masked == {"email": 3, "phone": 1}


def test_what_makes_no_sample_is_counted():
    picture = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": "data:"}}]
    task, left = made(
        [
            Bodies(request("a?"), reply("A")),
            Bodies(request("a?"), reply("B")),
            Bodies(request("b?"), None),
            Bodies(request("c?"), reply("")),
            Bodies(request("d?", tools=[{"type": "function"}]), reply("D")),
            Bodies(request("e?", "so"), reply("E")),
            Bodies(json.dumps({"messages": [{"role": "user", "content": picture}]}).encode(), reply("F")),
            Bodies(b"{", reply("G")),
        ]
    )
    assert [sample.target for sample in task.samples] == [("A",)], "the first of two that ask the same counts"
    assert (left.repeated, left.no_target, left.not_text) == (1, 2, 4)
    any_, left = made([Bodies(request("b?"), None)], need_target=False, scorer="judge:large")
    assert any_.samples[0].target == () and any_.scorer == "judge:large" and left == Left()


@pytest.mark.parametrize(
    ("targets", "structured", "form"),
    [
        (["up"] * 5 + ["down"] * 4, False, ("label", ("down", "up"))),
        (["up"] * 9 + ["sideways"], False, ("label", ("sideways", "up"))),
        (["up"] * 9, False, ("text", ())),
        ([f"word {n}" for n in range(9)], False, ("text", ())),
        ([str(n) for n in range(9)], False, ("number", ())),
        (['{"a": 1}', '{"a": 2}'], True, ("json", ())),
        (['{"a": 1}', "no"], True, ("text", ())),
        (['{"a": 1}', '{"a": 2}'], False, ("text", ())),
        ([], False, ("text", ())),
    ],
)
def test_the_form_is_what_the_answers_look_like(targets, structured, form):
    assert form_of(targets, structured=structured) == form


def test_the_structure_is_told_by_the_requests():
    asked = [
        Bodies(request(f"{n}?", response_format={"type": "json_object"}), reply(f'{{"n": {n}}}')) for n in range(3)
    ]
    assert made(asked)[0].form == "json"


@pytest.mark.parametrize(
    ("calls", "bodies", "left", "said"),
    [
        (0, 0, Left(), "answered no call"),
        (9, 0, Left(), "set [keep] bodies = true"),
        (9, 5, Left(no_target=5), "set [shadow] rate and usd_per_day"),
        (9, 5, Left(not_text=5), "none is text alone"),
    ],
)
def test_nothing_at_all_says_what_would_help(calls, bodies, left, said):
    assert said in str(nothing("auto", calls, bodies, left))


def held(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


def enveloped(answer: Any, enum: Any = ("up", "down")) -> Bodies:
    schema = {"type": "object", "properties": {"answer": {"type": "string", "enum": list(enum)}}}
    return Bodies(request(f"Where to, {answer}?", response_format=held(schema)), reply(json.dumps({"answer": answer})))


def test_an_answer_that_was_held_to_a_label_is_a_label_and_one_to_json_keeps_its_schema():
    task, _ = made([enveloped("up"), enveloped("down")])
    assert (task.form, task.labels, task.schema) == ("label", ("up", "down"), None)
    assert [s.target for s in task.samples] == [("up",), ("down",)]
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "zip": {"type": "string"}}}
    task, _ = made([Bodies(request("Where?", response_format=held(schema)), reply('{"city": "Ulm", "zip": "89073"}'))])
    assert (task.form, task.schema) == ("json", schema)


def test_requests_that_were_held_to_different_things_are_json():
    task, _ = made([enveloped("up"), enveloped("left", enum=("left", "right"))])
    assert (task.form, task.labels, task.schema) == ("json", (), None)
