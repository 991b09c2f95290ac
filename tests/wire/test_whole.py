"""Complete answers: renamed, read, and set right only where clients would stumble."""

import json
from typing import Any

import pytest

from demitasse.core.call import Call
from demitasse.wire.whole import NoAnswerError, read_answer


def a_call(kind: str = "chat", **more: Any) -> Call:
    return Call("c1", "r", 1_700_000_000_000_000, kind, b"{}", {}, "auto", **more)


def answer(message: Any = None, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": message or {"role": "assistant", "content": "hi"}, "finish_reason": finish}
    return {"id": "i", "object": "chat.completion", "created": 7, "model": "up", "choices": [choice]} | more


def test_a_good_answer_changes_its_name_and_no_other_byte() -> None:
    body = (
        b'{"id":"i","object":"chat.completion","created":7,"model":"up","choices":[ {"index":0, "message":{"role":'
        b'"assistant","content":"\\u00e9"},"logprobs":null,"finish_reason":"stop"} ],"x":1.50,"usage":{"prompt_tokens": 1}}'
    )
    read = read_answer(a_call(), body)
    assert read.body == body.replace(b'"up"', b'"auto"')
    assert (read.model, bytes(read.usage or b""), read.finish, read.complete) == (
        "up",
        b'{"prompt_tokens": 1}',
        "stop",
        True,
    )


@pytest.mark.parametrize(
    ("told", "finish", "complete"),
    [
        ("stop", "stop", True),
        ("length", "length", False),
        ("tool_calls", "tool_calls", True),
        ("content_filter", "content_filter", False),
        ("end_turn", "stop", True),
        ("MAX_TOKENS", "length", False),
        (None, "stop", False),
        ("", "stop", False),
    ],
)
def test_only_what_ended_by_itself_is_complete(told: Any, finish: str, complete: bool) -> None:
    read = read_answer(a_call(), json.dumps(answer(finish=told)).encode())
    assert json.loads(read.body)["choices"][0]["finish_reason"] == finish
    assert (read.finish, read.complete) == (finish, complete)


def test_fewer_answers_than_asked_for_are_not_complete() -> None:
    assert not read_answer(a_call(n=2), json.dumps(answer()).encode()).complete


def test_what_the_sdks_rely_on_is_filled_in() -> None:
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    body = {"choices": [{"message": {"content": None, "tool_calls": [call, call]}, "finish_reason": "tool_use"}]}
    read = json.loads(read_answer(a_call(), json.dumps(body).encode()).body)
    assert (read["id"], read["object"], read["created"], read["model"]) == (
        "chatcmpl-c1",
        "chat.completion",
        1_700_000_000,
        "auto",
    )
    made = read["choices"][0]["message"]["tool_calls"]
    assert [(c["type"], c["function"]["arguments"]) for c in made] == [("function", '{"a":1}')] * 2
    assert made[0]["id"] != made[1]["id"]
    assert "index" not in made[0]
    assert read["choices"][0]["finish_reason"] == "tool_calls"


def test_embeddings_pass_untouched_in_base64() -> None:
    body = b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPw=="}],"model":"up","usage":{"prompt_tokens":1,"total_tokens":1}}'
    read = read_answer(a_call("embedding"), body)
    assert read.body == body.replace(b'"up"', b'"auto"')
    assert read.complete


def test_text_completions_are_answers_too() -> None:
    body = b'{"id":"i","object":"text_completion","created":7,"model":"up","choices":[{"text":"hi","index":0,"finish_reason":"stop"}]}'
    assert read_answer(a_call("completion"), body).body == body.replace(b'"up"', b'"auto"')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"<html>oh</html>",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":null}',
        b'{"choices":[1]}',
        b'{"choices":[{"finish_reason":"stop"}]}',
        b'{"error":{"message":"boom"}}',
        b'{"error":"boom"}',
        b'{"choices":[{"message":{},"finish_reason":"error"}]}',
        b'{"a":' + b"[" * 100_000,
    ],
)
def test_what_is_no_answer_says_so(body: bytes) -> None:
    with pytest.raises(NoAnswerError):
        read_answer(a_call(), body)


def test_no_embeddings_is_no_answer() -> None:
    with pytest.raises(NoAnswerError, match="data"):
        read_answer(a_call("embedding"), b'{"object":"list"}')
