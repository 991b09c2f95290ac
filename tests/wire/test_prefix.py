"""Where a prompt's stable beginning ends, and marks that leave it as it is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from demitasse.wire import ask
from demitasse.wire.prefix import Layout, has_own_controls, hashed, mark, read, turn_ends, with_member

MARK = b'"cache_control":{"type":"ephemeral"}'


def fields(messages: list[Any], **more: Any) -> dict[str, Raw]:
    return ask.read("chat", json.dumps({"model": "m", "messages": messages} | more).encode()).fields


def layout(messages: list[Any], **more: Any) -> Layout:
    found = read(fields(messages, **more))
    assert found is not None
    return found


def said(role: str, content: Any = "x", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content} | more


SYSTEM, USER, ANSWER = said("system", "Be brief."), said("user", "Hi"), said("assistant", "Hello!")


def test_a_further_turn_begins_with_the_bytes_of_the_one_before() -> None:
    first, second = layout([SYSTEM, USER]), layout([SYSTEM, USER, ANSWER, said("user", "And?")])
    assert second.shared(2, first.chain[-1])
    assert second.chain[: len(first.chain)] == first.chain
    assert (first.turn, second.turn) == (1, 2)
    assert first.head == second.head == 1 and first.head_hash == second.head_hash
    assert second.again == second.ends[3], "the history ends after the last answer"
    assert first.again == first.ends[1], "what a first request may share is its head"


@pytest.mark.parametrize(
    "changed",
    [
        {"messages": [said("system", "Be brief!"), USER, ANSWER]},
        {"tools": [{"type": "function"}]},
        {"response_format": {"type": "json_object"}},
    ],
)
def test_whatever_is_read_before_it_changes_every_later_hash(changed: dict[str, Any]) -> None:
    base: dict[str, Any] = {"messages": [SYSTEM, USER, ANSWER]}
    a = layout(**base)
    b = layout(**(base | changed))
    assert a.chain[-1] != b.chain[-1] and a.head_hash != b.head_hash


def test_what_is_not_part_of_the_prompt_changes_no_hash() -> None:
    assert layout([SYSTEM, USER], temperature=0.3, stream=True).chain == layout([SYSTEM, USER]).chain


def test_a_role_is_found_wherever_it_stands() -> None:
    raw = b'{"model":"m","messages":[{"content":"\\"role\\":\\"user\\"","role":"system"},{"name":"a","role":"user","content":""}]}'
    found = read(ask.read("chat", raw).fields)
    assert found is not None and found.roles == ("system", "user")


def test_marks_go_to_the_ends_of_turns_and_stay_there() -> None:
    talk = [SYSTEM]
    marked: list[tuple[int, ...]] = []
    for _ in range(5):
        talk.append(USER)
        marked.append(turn_ends(layout(talk), 3, {"user", "tool"}))
        talk.append(ANSWER)
    assert marked == [(1,), (1, 3), (1, 3, 5), (3, 5, 7), (5, 7, 9)]


def test_a_request_that_ends_with_an_answer_is_marked_at_the_turn_before() -> None:
    assert turn_ends(layout([SYSTEM, USER, ANSWER]), 3, {"user", "tool"}) == (1,)


def test_a_mark_leaves_all_other_messages_to_the_byte() -> None:
    found = layout([SYSTEM, said("user", 'quo"te \u00e9 \n'), ANSWER, USER])
    out = msgspec.json.decode(mark(found.messages, [1], MARK), type=list[Raw])
    assert [bytes(a) == bytes(b) for a, b in zip(out, found.messages, strict=True)] == [True, False, True, True]
    told = json.loads(bytes(out[1]))
    assert told == {
        "role": "user",
        "content": [{"type": "text", "text": 'quo"te \u00e9 \n', "cache_control": {"type": "ephemeral"}}],
    }


def test_a_mark_is_put_into_the_last_text_of_parts() -> None:
    parts = [{"type": "text", "text": "a}]"}, {"type": "text", "text": "b}]"}]
    (out,) = json.loads(bytes(mark(layout([said("user", parts)]).messages, [0], MARK)))
    assert out["content"] == [parts[0], parts[1] | {"cache_control": {"type": "ephemeral"}}]


@pytest.mark.parametrize(
    "content",
    [None, "", [], [{"type": "image_url", "image_url": {"url": "https://a/b.png"}}], [{"type": "text", "text": ""}]],
)
def test_what_has_no_text_to_bear_a_mark_stays_as_it_is(content: Any) -> None:
    found = layout([said("user", content), said("user", "x")])
    out = msgspec.json.decode(mark(found.messages, [0], MARK), type=list[Raw])
    assert bytes(out[0]) == bytes(found.messages[0])


def test_text_that_stands_twice_in_a_message_is_marked_once() -> None:
    found = layout([said("user", "user")])
    (out,) = json.loads(bytes(mark(found.messages, [0], MARK)))
    assert out["role"] == "user" and out["content"][0]["text"] == "user"


TEXTS = st.text(max_size=40)
CONTENTS = TEXTS | st.lists(st.builds(lambda t: {"type": "text", "text": t}, TEXTS), max_size=3)
MESSAGES = st.lists(
    st.builds(said, st.sampled_from(["system", "user", "assistant", "tool"]), CONTENTS), min_size=1, max_size=8
)


@given(MESSAGES, st.data())
def test_with_a_mark_without_it_or_as_a_string_a_message_is_hashed_the_same(messages: list[Any], data: Any) -> None:
    found = layout(messages)
    at = data.draw(st.sets(st.integers(0, len(messages) - 1)))
    out = msgspec.json.decode(mark(found.messages, at, MARK), type=list[Raw])
    assert [hashed(m) for m in out] == [hashed(m) for m in found.messages]


@pytest.mark.parametrize(
    ("body", "own"),
    [
        ({}, False),
        ({"prompt_cache_key": "k"}, True),
        ({"session_id": "s"}, True),
        ({"prompt_cache_options": {"mode": "explicit"}}, True),
        ({"messages": [said("user", [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}])]}, True),
        ({"messages": [said("user", 'what is "cache_control": for?')]}, False),
    ],
)
def test_a_client_that_steers_its_cache_itself_is_known(body: dict[str, Any], own: bool) -> None:
    raw = json.dumps({"model": "m", "messages": [USER]} | body).encode()
    assert has_own_controls(ask.read("chat", raw).fields, raw) is own


def test_a_further_member_comes_last_and_changes_no_other() -> None:
    before = fields([USER], temperature=0.1)
    after = with_member(before, "prompt_cache_key", b'"k"')
    assert list(after) == [*before, "prompt_cache_key"] and all(after[k] is before[k] for k in before)


def test_a_request_without_messages_has_no_layout() -> None:
    assert read({}) is None
