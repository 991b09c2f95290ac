"""A whole answer, its chunks, and back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.wire.chunks import Assembler, explode, rename

texts = st.text(max_size=200)
calls = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text(min_size=1, max_size=8),
            "type": st.just("function"),
            "function": st.fixed_dictionaries({"name": st.text(min_size=1, max_size=8), "arguments": texts}),
        }
    )
    | st.fixed_dictionaries(
        {
            "id": st.text(min_size=1, max_size=8),
            "type": st.just("custom"),
            "custom": st.fixed_dictionaries({"name": st.text(min_size=1, max_size=8), "input": texts}),
        }
    ),
    min_size=1,
    max_size=3,
)
tokens = st.lists(
    st.fixed_dictionaries(
        {"token": st.text(min_size=1, max_size=6), "logprob": st.floats(-9, 0), "top_logprobs": st.just([])}
    ),
    max_size=6,
)
messages = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": st.none() | texts},
    optional={
        "refusal": st.none() | texts.filter(bool),
        "tool_calls": calls,
        "reasoning_content": texts,
        "annotations": st.just([]) | st.just([{"type": "url_citation", "url": "u"}]),
        "audio": st.none() | st.just({"id": "a", "data": "AAAA", "transcript": "hi", "expires_at": 5}),
        "function_call": st.fixed_dictionaries({"name": st.just("f"), "arguments": texts}),
        "something_new": st.just({"deep": {"list": [1, 2], "text": "x"}}),
    },
)
choices = st.fixed_dictionaries(
    {
        "message": messages,
        "finish_reason": st.sampled_from(["stop", "length", "tool_calls"]),
        "logprobs": st.none() | st.fixed_dictionaries({"content": tokens, "refusal": st.none()}),
    },
    optional={"content_filter_results": st.just({"hate": {"filtered": False}})},
)
USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}


def completion(some: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": i, **c} for i, c in enumerate(some)],
    } | more


def assemble(chunks: list[bytes], kind: str = "chat") -> dict[str, Any]:
    whole = Assembler(kind)
    for chunk in chunks:
        whole.feed(chunk)
    return json.loads(whole.body())


@given(st.lists(choices, min_size=1, max_size=3), st.integers(1, 60))
def test_assembling_the_explosion_gives_the_same_answer(some: list[dict[str, Any]], size: int) -> None:
    answer = completion(some, system_fingerprint="fp", usage=USAGE, x_new={"a": [1.5]})
    chunks = list(explode(json.dumps(answer).encode(), include_usage=True, piece_chars=size))
    assert assemble(chunks) == answer


@given(st.lists(st.tuples(texts, st.sampled_from(["stop", "length"])), min_size=1, max_size=3))
def test_the_same_holds_for_text_completions(some: list[tuple[str, str]]) -> None:
    answer = {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"text": t, "index": i, "logprobs": {"tokens": ["a"], "token_logprobs": [-0.5]}, "finish_reason": f}
            for i, (t, f) in enumerate(some)
        ],
        "usage": USAGE,
    }
    chunks = list(explode(json.dumps(answer).encode(), include_usage=True, kind="completion"))
    assert assemble(chunks, "completion") == answer


def test_an_explosion_has_the_order_that_clients_rely_on() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    message = {"role": "assistant", "content": "hello there", "refusal": None, "tool_calls": [call]}
    answer = completion([{"message": message, "finish_reason": "tool_calls", "logprobs": None}], usage=USAGE)
    chunks = [json.loads(c) for c in explode(json.dumps(answer).encode(), include_usage=True, piece_chars=6)]
    assert {c["object"] for c in chunks} == {"chat.completion.chunk"}
    deltas = [c["choices"][0]["delta"] for c in chunks[:-1]]
    assert deltas[0] == {"role": "assistant", "content": "", "refusal": None}
    assert deltas[1:3] == [{"content": "hello "}, {"content": "there"}]
    opener = deltas[3]["tool_calls"][0]
    assert opener == {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    assert deltas[4] == {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": '}}]}
    assert [c["choices"][0]["finish_reason"] for c in chunks[:-1]] == [None] * (len(deltas) - 1) + ["tool_calls"]
    assert deltas[-1] == {}
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == USAGE


def test_usage_is_exploded_only_for_those_who_ask() -> None:
    answer = completion([{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}], usage=USAGE)
    assert not any(b"usage" in chunk for chunk in explode(json.dumps(answer).encode()))


def test_logprobs_go_with_their_tokens() -> None:
    logprobs = {"content": [{"token": "he", "logprob": -1.0}, {"token": "llo", "logprob": -2.0}], "refusal": None}
    answer = completion(
        [{"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop", "logprobs": logprobs}]
    )
    parts = [json.loads(c)["choices"][0] for c in explode(json.dumps(answer).encode())]
    told = [(p["delta"]["content"], p["logprobs"]["content"]) for p in parts if p["delta"].get("content")]
    assert told == [("he", logprobs["content"][:1]), ("llo", logprobs["content"][1:])]


def test_parallel_tool_calls_and_choices_are_kept_apart() -> None:
    def chunk(index: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "finish_reason": finish}
        return json.dumps({"id": "i", "choices": [choice]}).encode()

    def part(at: int, text: str, **more: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": at, **more, "function": {"arguments": text} | more.pop("f", {})}]}

    whole = assemble(
        [
            chunk(1, {"role": "assistant", "content": "b"}),
            chunk(0, part(0, "", id="x", type="function")),
            chunk(0, part(1, '{"b"', id="y", type="function")),
            chunk(0, part(0, "{}")),
            chunk(1, {"content": "c"}, "stop"),
            chunk(0, part(1, ":1}")),
            chunk(0, {}, "tool_calls"),
        ]
    )
    assert [c["index"] for c in whole["choices"]] == [0, 1]
    made = whole["choices"][0]["message"]["tool_calls"]
    assert [(c["id"], c["function"]["arguments"]) for c in made] == [("x", "{}"), ("y", '{"b":1}')]
    assert whole["choices"][1]["message"] == {"role": "assistant", "content": "bc"}


def test_reasoning_details_are_joined_by_their_index() -> None:
    def chunk(text: str) -> bytes:
        part = {"type": "reasoning.text", "text": text, "index": 0, "format": "v1"}
        return json.dumps({"choices": [{"index": 0, "delta": {"reasoning_details": [part]}}]}).encode()

    message = assemble([chunk("a"), chunk("b")])["choices"][0]["message"]
    assert message["reasoning_details"] == [{"type": "reasoning.text", "text": "ab", "index": 0, "format": "v1"}]


def test_content_in_parts_followed_by_text_loses_neither() -> None:
    def chunk(content: Any) -> bytes:
        return json.dumps({"choices": [{"index": 0, "delta": {"content": content}}]}).encode()

    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    message = assemble([chunk([thinking]), chunk("so: 4")])["choices"][0]["message"]
    assert message["content"] == [thinking, {"type": "text", "text": "so: 4"}]
    message = assemble([chunk("so"), chunk([thinking])])["choices"][0]["message"]
    assert message["content"] == [{"type": "text", "text": "so"}, thinking]


@pytest.mark.parametrize(
    ("body", "renamed"),
    [
        (b'{"b":1.0,"model":"x","a":{"model":"x"}}', b'{"b":1.0,"model":"new","a":{"model":"x"}}'),
        (b'{"a":"\\u00e9 \xc3\xa9"}', b'{"a":"\\u00e9 \xc3\xa9","model":"new"}'),
    ],
)
def test_renaming_touches_the_name_alone(body: bytes, renamed: bytes) -> None:
    assert rename(body, "new") == renamed
