"""Whatever a stream looks like upstream, the client gets chunks that the SDKs can add up."""

import json
from typing import Any

import pytest

from demitasse.core.call import Call, Event
from demitasse.wire.stream import BrokenStreamError, Relay

FINISH = {"stop", "length", "tool_calls", "content_filter", "function_call"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def a_call(kind: str = "chat", **more: Any) -> Call:
    return Call("c1", "r", 1_700_000_000_000_000, kind, b"{}", {}, "auto", stream=True, **more)


def chunk(delta: Any = None, finish: Any = None, *, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta if delta is not None else {}, "finish_reason": finish}
    return {"id": "x-1", "object": "chat.completion.chunk", "created": 7, "model": "up", "choices": [choice]} | more


def run(*payloads: Any, call: Call | None = None) -> tuple[list[Event], Relay]:
    relay = Relay(call or a_call())
    events: list[Event] = []
    for payload in payloads:
        events += relay.feed(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    return events + relay.end(), relay


def check(events: list[Event]) -> list[dict[str, Any]]:
    """What every stream that leaves us must be; its chunks."""
    chunks = [json.loads(e.data) for e in events]
    seen: dict[int, str | None] = {}
    for at in chunks:
        assert at["id"]
        assert isinstance(at["created"], int)
        assert at["object"] == "chat.completion.chunk"
        assert at["model"] == "auto"
        for choice in at["choices"]:
            index, delta, finish = choice["index"], choice["delta"], choice["finish_reason"]
            if index not in seen:
                assert delta == {"role": "assistant", "content": ""} | {k: v for k, v in delta.items() if not v}
                seen[index] = None
            else:
                assert "role" not in delta
            assert seen[index] is None
            assert finish is None or finish in FINISH
            if finish:
                assert not any(delta.values())
                seen[index] = finish
    assert seen
    assert all(seen.values())
    assert all(
        e.content is any(any(v for k, v in c["delta"].items() if k != "role") for c in at["choices"])
        for e, at in zip(events, chunks, strict=True)
    )
    return chunks


def text_of(chunks: list[dict[str, Any]], index: int = 0) -> str:
    return "".join(c["delta"].get("content") or "" for at in chunks for c in at["choices"] if c["index"] == index)


WELL = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "he"}),
    chunk({"content": "llo"}),
    chunk({}, "stop"),
]


def test_a_good_stream_passes_with_nothing_but_its_name_changed() -> None:
    events, relay = run(*[w | {"new_member": [1]} for w in WELL])
    assert [json.loads(e.data) for e in events] == [w | {"new_member": [1], "model": "auto"} for w in WELL]
    assert [e.text_chars for e in events] == [0, 2, 3, 0]
    assert (relay.finish, relay.complete, relay.upstream_model) == ("stop", True, "up")
    whole = json.loads(relay.body())
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": "hello"}
    assert (whole["object"], whole["model"], whole["new_member"]) == ("chat.completion", "auto", [1])


def test_bytes_that_need_no_change_are_not_rewritten() -> None:
    raw = b'{"id":"x","choices":[{"index":0,"delta":{"content":"\\u00e9\\n"},"logprobs":{"content":[ {"logprob":-1.0e-3} ]},"finish_reason":null}],"created":7,"model":"up","object":"chat.completion.chunk"}'
    relay = Relay(a_call())
    relay.feed(json.dumps(WELL[0]).encode())
    (event,) = relay.feed(raw)
    assert event.data == raw.replace(b'"model":"up"', b'"model":"auto"')


CASES: dict[str, list[Any]] = {
    "no role at all": [chunk({"content": "hel"}), chunk({"content": "lo"}), chunk({}, "stop")],
    "a role in every chunk": [chunk({"role": "assistant", "content": t}) for t in ("hel", "lo")]
    + [chunk({"role": "assistant", "content": ""}, "stop")],
    "a role alone": [chunk({"role": "assistant"}), chunk({"content": "hello"}), chunk({}, "stop")],
    "a role of its own": [chunk({"role": "model", "content": None}), chunk({"content": "hello"}), chunk({}, "stop")],
    "text and finish in one chunk": [WELL[0], chunk({"content": "hello"}, "stop")],
    "everything in one chunk": [chunk({"role": "assistant", "content": "hello"}, "stop")],
    "finish reasons empty till the end": [chunk({"content": "hello"}, ""), chunk({}, "stop")],
    "finish said twice": [*WELL[:1], chunk({"content": "hello"}, "stop"), chunk({}, "stop")],
    "finish missing": [{"choices": [{"index": 0, "delta": {"content": "hello"}}]}, chunk({}, "stop")],
    "a word of its own": [*WELL[:1], chunk({"content": "hello"}), chunk({}, "eos_token")],
    "no finish at all": WELL[:3],
    "nothing but choices": [
        {"choices": [{"delta": {"content": "hello"}}]},
        {"choices": [{"delta": {}, "finish_reason": "STOP"}]},
    ],
    "null heads": [
        chunk({"content": "hello"}, id=None, created=None, object=None, model=None),
        chunk({}, "stop", id="", created=1.5, object="", model=""),
    ],
    "delta null": [*WELL[:3], {"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]}],
    "the whole message again at the end": [
        *WELL[:3],
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]},
    ],
    "keep-alive chunks": [chunk() | {"choices": []}, *WELL[:3], chunk() | {"choices": []}, WELL[3]],
    "a vendor's extra first": [chunk(prompt_filter_results=[1]) | {"choices": []}, *WELL],
}


@pytest.mark.parametrize("case", CASES)
def test_a_crooked_stream_is_set_right(case: str) -> None:
    events, relay = run(*CASES[case])
    assert text_of(check(events)) == "hello"
    assert sum(e.text_chars for e in events) == 5
    assert json.loads(relay.body())["choices"][0]["message"]["content"] == "hello"
    assert relay.finish == "stop"
    assert relay.complete is (case != "no finish at all")


def test_a_vendors_extra_is_passed_on_but_never_as_the_first_chunk() -> None:
    events, _ = run(*CASES["a vendor's extra first"])
    assert b"prompt_filter_results" not in events[0].data
    assert sum(b"prompt_filter_results" in e.data for e in events) == 1


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("tool_use", "tool_calls"),
        ("SAFETY", "content_filter"),
        ("function_call", "function_call"),
        (3, "stop"),
    ],
)
def test_finish_reasons_are_of_the_five(word: Any, finish: str) -> None:
    events, relay = run(*WELL[:3], chunk({}, word))
    check(events)
    assert relay.finish == finish
    assert relay.complete is (finish in ("stop", "tool_calls", "function_call"))


@pytest.mark.parametrize("word", ["error", "abort", "insufficient_system_resource"])
def test_a_finish_reason_that_means_breakage_breaks_the_stream(word: str) -> None:
    with pytest.raises(BrokenStreamError, match=word):
        run(*WELL[:3], chunk({}, word))


# usage

USAGES: dict[str, list[Any]] = {
    "in its own chunk": [*WELL, chunk(usage=USAGE) | {"choices": []}],
    "in a chunk with choices": [*WELL[:3], chunk({}, "stop", usage=USAGE)],
    "in every chunk, growing": [
        w | {"usage": {"prompt_tokens": 3, "completion_tokens": i, "total_tokens": 3 + i}}
        for i, w in enumerate(WELL[:3])
    ]
    + [WELL[3] | {"usage": USAGE}],
    "null but for the last": [*[w | {"usage": None} for w in WELL], chunk(usage=USAGE) | {"choices": []}],
    "before the end": [*WELL[:3], chunk(usage=USAGE) | {"choices": []}, WELL[3]],
    "with choices null": [*WELL, chunk(usage=USAGE) | {"choices": None}],
}


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("case", USAGES)
def test_usage_is_read_wherever_it_is_and_shown_to_those_who_asked(case: str, asked: bool) -> None:
    events, relay = run(*USAGES[case], call=a_call(include_usage=asked))
    assert json.loads(bytes(relay.usage or b"0")) == USAGE
    assert json.loads(relay.body())["usage"] == USAGE
    *before, last = [json.loads(e.data) for e in events]
    assert not any("usage" in c for c in before)
    if asked:
        assert (last["choices"], last["usage"], last["id"], last["model"]) == ([], USAGE, "x-1", "auto")
        events.pop()
    else:
        assert "usage" not in last
    assert text_of(check(events)) == "hello"


def test_no_usage_is_no_usage() -> None:
    events, relay = run(*WELL, call=a_call(include_usage=True))
    assert relay.usage is None
    assert len(events) == len(WELL)
    assert "usage" not in json.loads(relay.body())


# tools


def fragment(**members: Any) -> dict[str, Any]:
    return {k: v for k, v in members.items() if v is not ...}


def calls_of(events: list[Event]) -> list[tuple[Any, ...]]:
    """As an SDK adds them up: strings are concatenated, also those that should have come once."""
    made: dict[int, dict[str, str]] = {}
    for event in events:
        for choice in json.loads(event.data)["choices"]:
            for call in choice["delta"].get("tool_calls") or ():
                known = made.setdefault(call["index"], {"id": "", "type": "", "name": "", "arguments": ""})
                known["id"] += call.get("id") or ""
                known["type"] += call.get("type") or ""
                known["name"] += call["function"].get("name") or ""
                known["arguments"] += call["function"].get("arguments") or ""
    return [tuple(made[i].values()) for i in sorted(made)]


def tool_stream(*fragments: dict[str, Any]) -> list[Any]:
    return [*(chunk({"tool_calls": [f]}) for f in fragments), chunk({}, "tool_calls")]


def opener(index: Any, id: Any, name: Any, arguments: Any = "", **more: Any) -> dict[str, Any]:
    return fragment(index=index, id=id, type="function", function=fragment(name=name, arguments=arguments)) | more


TWO = [("x", "function", "f", '{"a":1}'), ("y", "function", "g", "{}")]
TOOLS: dict[str, list[Any]] = {
    "as they should be": tool_stream(
        opener(0, "x", "f"),
        fragment(index=0, function={"arguments": '{"a":'}),
        fragment(index=0, function={"arguments": "1}"}),
        opener(1, "y", "g"),
        fragment(index=1, function={"arguments": "{}"}),
    ),
    "id and name in every fragment": tool_stream(
        opener(0, "x", "f", '{"a":'), opener(0, "x", "f", "1}"), opener(1, "y", "g", "{}")
    ),
    "every index zero": tool_stream(opener(0, "x", "f", '{"a":1}'), opener(0, "y", "g", "{}")),
    "no index": tool_stream(
        opener(..., "x", "f", '{"a":'), fragment(function={"arguments": "1}"}), opener(..., "y", "g", "{}")
    ),
    "no index, ids repeated": tool_stream(
        opener(..., "x", "f", '{"a":'), opener(..., "x", ..., "1}"), opener(..., "y", "g", "{}")
    ),
    "indices from one": tool_stream(opener(1, "x", "f", '{"a":1}'), opener(2, "y", "g", "{}")),
    "arguments as objects": tool_stream(opener(0, "x", "f", {"a": 1}), opener(1, "y", "g", {})),
    "no type": tool_stream(
        {"index": 0, "id": "x", "function": {"name": "f", "arguments": '{"a":1}'}}, opener(1, "y", "g", "{}")
    ),
    "both in one chunk": [
        chunk(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [opener(0, "x", "f", '{"a":1}'), opener(1, "y", "g", "{}")],
            },
            "tool_calls",
        )
    ],
    "nulls in the fragments": tool_stream(
        opener(0, "x", "f", '{"a":'),
        {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": "1}"}},
        opener(1, "y", "g", "{}"),
    ),
}


@pytest.mark.parametrize("case", TOOLS)
def test_tool_calls_add_up_however_they_are_numbered(case: str) -> None:
    events, relay = run(*TOOLS[case])
    check(events)
    assert calls_of(events) == TWO
    whole = json.loads(relay.body())["choices"][0]["message"]["tool_calls"]
    assert [(c["id"], c["type"], c["function"]["name"], c["function"]["arguments"]) for c in whole] == TWO
    assert any(e.content and e.text_chars for e in events)


def test_tool_calls_without_ids_get_some_that_differ() -> None:
    events, _ = run(*tool_stream(opener(0, "", "f", "{}"), opener(0, None, "g", "{}")))
    ids = [c[0] for c in calls_of(events)]
    assert len(set(ids)) == 2
    assert all(i.startswith("call_") for i in ids)


# breakage


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"[]",
        b"oops",
        b'{"choices":[1]}',
        b'{"choices":{}}',
        b'{"choices":[{"index":0,"delta":{"content":"\xff"}}]}',
        b'{"a":' + b"[" * 100_000,
        b'{"choices":[{"delta":{"tool_calls":[1]}}]}',
    ],
)
def test_a_chunk_that_is_no_chunk_breaks_the_stream(payload: bytes) -> None:
    with pytest.raises(BrokenStreamError):
        run(*WELL[:2], payload)


@pytest.mark.parametrize("error", [{"message": "boom", "type": "server_error", "code": "x"}, "boom", {"msg": "boom"}])
def test_an_error_in_the_stream_is_told_in_the_upstreams_words(error: Any) -> None:
    with pytest.raises(BrokenStreamError, match="boom") as caught:
        run(*WELL[:2], {"error": error})
    assert caught.value.fault is not None


def test_a_null_error_is_none() -> None:
    run(*[w | {"error": None} for w in WELL])


def test_a_stream_without_an_answer_is_broken() -> None:
    with pytest.raises(BrokenStreamError, match="without an answer"):
        run()


# more than one choice, reasoning, text completions


def test_choices_are_opened_and_finished_each_for_itself() -> None:
    call = a_call(n=2)
    events, relay = run(
        chunk({"content": "a"}),
        chunk({"content": "b"}, index=1),
        chunk({}, "stop", index=1),
        chunk({}, "length"),
        call=call,
    )
    chunks = check(events)
    assert (text_of(chunks, 0), text_of(chunks, 1)) == ("a", "b")
    assert not relay.complete
    assert not run(*WELL, call=call)[1].complete


def test_reasoning_is_content_and_counted_once() -> None:
    delta = {"role": "assistant", "content": "", "reasoning": "hmm", "reasoning_content": "hmm"}
    events, relay = run(chunk(delta), *WELL[1:])
    check(events)
    assert sum(e.text_chars for e in events) == 8
    assert json.loads(relay.body())["choices"][0]["message"]["reasoning"] == "hmm"


def test_text_completions_stream_too() -> None:
    rows = [
        {"id": "i", "created": 1, "choices": [{"text": t, "index": 0, "finish_reason": f}]}
        for t, f in [("he", None), ("llo", ""), ("", "eos")]
    ]
    events, relay = run(*rows, {"choices": [], "usage": USAGE}, call=a_call("completion", include_usage=True))
    chunks = [json.loads(e.data) for e in events]
    assert {c["object"] for c in chunks} == {"text_completion"}
    assert "".join(c["choices"][0]["text"] for c in chunks[:-1]) == "hello"
    assert [c["choices"][0]["finish_reason"] for c in chunks[:-1]] == [None, None, "stop"]
    assert chunks[-1]["usage"] == USAGE
    assert json.loads(relay.body())["choices"][0]["text"] == "hello"
