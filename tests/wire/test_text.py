from __future__ import annotations

import json

import pytest

from demitasse.wire.text import Said, question, system_text, turns


def _body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def test_the_question_is_the_last_turn_of_the_user() -> None:
    body = _body(
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "one"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "second"}, {"type": "image_url", "image_url": {"url": "x"}}],
            },
            {"role": "tool", "content": "42", "tool_call_id": "a"},
        ]
    )
    assert question(body) == "second"
    assert system_text(body) == "Be brief."
    assert [said.role for said in turns(body)] == ["system", "user", "assistant", "user", "tool"]


def test_a_completion_is_one_turn_of_the_user() -> None:
    assert turns(_body(prompt="once")) == [Said("user", "once")]
    assert question(_body(prompt=["a", "b"])) == "a\nb"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"messages": 3}',
        b"\xff",
        _body(prompt=[1, 2]),
        _body(messages=[{"role": "user", "content": None}]),
    ],
)
def test_what_is_no_request_asks_nothing(body: bytes) -> None:
    assert question(body) == ""
