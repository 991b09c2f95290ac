"""What a request asks for, and what is refused: always a 400 with a sentence, never a crash."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.core.errors import Refused
from demitasse.wire.ask import MAX_DEPTH, read

HI = [{"role": "user", "content": "hi"}]


def chat(**members) -> bytes:
    return json.dumps({"model": "auto", "messages": HI} | members, ensure_ascii=False).encode()


def refusal(kind: str, body: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        read(kind, body)
    assert caught.value.status == 400
    assert caught.value.final
    return caught.value


def test_a_chat_says_what_it_asks_for() -> None:
    ask = read(
        "chat",
        chat(
            messages=[
                {"role": "system", "content": "Be brief."},
                {"role": "developer", "content": [{"type": "text", "text": "Really."}]},
                {"role": "user", "content": "Grüße"},
                {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {}}]},
                {"role": "tool", "tool_call_id": "c", "content": "12"},
                {"role": "user", "content": "more"},
            ],
            stream=True,
            stream_options={"include_usage": True},
            n=3,
            max_tokens=5,
            max_completion_tokens=7,
            temperature=0,
            tools=[{"type": "function"}],
            prompt_cache_key="k",
            service_tier="flex",
        ),
    )
    assert (ask.model, ask.stream, ask.include_usage, ask.n, ask.max_output) == ("auto", True, True, 3, 7)
    assert (ask.has_tools, ask.temperature, ask.prompt_cache_key, ask.service_tier) == (True, 0.0, "k", "flex")
    assert ask.system_text_raw == b"Be brief.\nReally."
    assert ask.first_user_raw == "Grüße".encode()
    assert ask.prompt_chars == len("Be brief.Really.Grüße12more")
    assert ask.text_bound_bytes == len(ask.body)


def test_unknown_members_are_kept_to_the_byte_and_in_order() -> None:
    body = b'{"zeta": 1.50, "model":"m","messages":[{"role":"user","content":"hi","x":[1]}],"new_thing":{"b": 1e0,"a":[ ]}}'
    ask = read("chat", body)
    assert list(ask.fields) == ["zeta", "model", "messages", "new_thing"]
    assert bytes(ask.fields["zeta"]) == b"1.50"
    assert bytes(ask.fields["new_thing"]) == b'{"b": 1e0,"a":[ ]}'
    assert ask.body is body


@pytest.mark.parametrize(
    "members",
    [
        {"stream": None, "n": None, "max_tokens": None, "temperature": None, "tools": None, "stop": None},
        {"messages": [{"role": "user", "content": [{"type": "something_new", "data": 1}]}]},
        {"messages": [{"role": "a_role_of_tomorrow", "content": "x"}]},
        {"messages": [{"role": "user", "content": "what is <PIL.Image.Image image mode=RGB size=1x1 at 0x7F> ?"}]},
        {"tools": [], "tool_choice": "none", "response_format": {"type": "json_object"}, "logit_bias": {"1": 2}},
    ],
)
def test_what_an_upstream_may_understand_is_let_through(members: dict) -> None:
    read("chat", chat(**members))


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"content": "hi"}]}, "messages[0].role"),
        ({"messages": [*HI, {"role": 1}]}, "messages[1].role"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [1]}]}, "messages[0].content[0]"),
        ({"messages": [1]}, "messages[0]"),
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"model": 1}, "model"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"temperature": "hot"}, "temperature"),
        ({"tools": {}}, "tools"),
        ({"tools": [1]}, "tools[0]"),
        ({"image": "x"}, "image"),
    ],
)
def test_a_wrong_member_is_refused_by_its_name(members: dict, param: str) -> None:
    error = refusal("chat", chat(**members))
    assert error.param == param
    assert param.split("[", maxsplit=1)[0] in error.message


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"{", b"[]", b"null", b'"x"', b"{'a':1}", b'{"a":1}}', b'{"a":NaN}', b"\xff\xfe{"]
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    assert refusal("chat", body).code in ("invalid_json", "invalid_utf8")


@pytest.mark.parametrize(
    "place", [b'{"model":"\xff"}', b'{"\xff":1}', b'{"unknown":{"deep":["\xc3\x28"]}}', b'{"a":"\xed\xa0\x80"}']
)
def test_invalid_utf8_is_refused_wherever_it_is(place: bytes) -> None:
    assert refusal("chat", place).code == "invalid_utf8"


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 990, 5_000, 1_000_000])
@pytest.mark.parametrize("pair", [b"[]", b"{}"])
def test_deep_nesting_is_refused_in_no_time(depth: int, pair: bytes) -> None:
    opener = b"[" if pair == b"[]" else b'{"a":'
    closer = pair[1:]
    body = chat()[:-1] + b',"deep":' + opener * depth + b"1" + closer * depth + b"}"
    assert refusal("chat", body).code == "nested_too_deep"


def test_nesting_at_the_limit_and_brackets_in_strings_are_fine() -> None:
    read("chat", chat()[:-1] + b',"deep":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}")
    read("chat", chat(messages=[{"role": "user", "content": '[{\\"' * 10_000 + '\\\\"[[{'}]))


def test_many_messages_are_wide_and_not_deep() -> None:
    read("chat", chat(messages=[{"role": "user", "content": [{"type": "text", "text": "}{]["}]}] * 3_000))


@given(st.binary(max_size=60))
def test_no_bytes_make_it_crash(body: bytes) -> None:
    for kind in ("chat", "completion", "embedding"):
        with contextlib.suppress(Refused):
            read(kind, body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = ["model", "messages", "stream", "n", "max_tokens", "tools", "prompt", "input", "stop", "image", "dimensions"]


@given(st.dictionaries(st.sampled_from(MEMBERS), json_values, max_size=6))
def test_no_json_makes_it_crash(members: dict) -> None:
    for kind in ("chat", "completion", "embedding"):
        with contextlib.suppress(Refused):
            read(kind, json.dumps(members).encode())


# images


def picture(url: str) -> bytes:
    parts = [
        {"type": "text", "text": "what is this"},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
    ]
    return chat(messages=[{"role": "user", "content": parts}])


def test_an_inline_image_is_counted_apart_from_the_text() -> None:
    url = "data:image/png;base64," + "A" * 10_000
    ask = read("chat", picture(url))
    assert (ask.images, ask.image_bytes, ask.files) == (1, len(url), 0)
    assert ask.text_bound_bytes == len(ask.body) - len(url)
    assert ask.prompt_chars == len("what is this")


def test_a_remote_image_is_an_image_without_bytes() -> None:
    ask = read("chat", picture("https://example.org/a.png"))
    assert (ask.images, ask.image_bytes) == (1, 0)


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}],
        [{"type": "file", "file": {"file_id": "f"}}],
        [{"type": "image_url", "image_url": {"url": "data:application/pdf;base64,AA"}}],
    ],
)
def test_what_no_byte_count_bounds_is_counted_as_a_file(content: list) -> None:
    assert read("chat", chat(messages=[{"role": "user", "content": content}])).files == 1


REPR = "<PIL.PngImagePlugin.PngImageFile image mode=RGB size=10x10 at 0x7F12AB>"


@pytest.mark.parametrize(
    "body",
    [
        chat(image="data:image/png;base64,AA"),
        picture(REPR),
        chat(messages=[{"role": "user", "content": REPR}]),
        chat(messages=[{"role": "user", "content": [{"type": "image_url"}]}]),
        picture(""),
    ],
)
def test_a_picture_in_the_wrong_form_is_answered_with_the_right_one(body: bytes) -> None:
    assert "{'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,…'}}" in refusal("chat", body).message


# completions and embeddings


@pytest.mark.parametrize(
    ("members", "n"),
    [
        ({"prompt": "a"}, 1),
        ({}, 1),
        ({"prompt": ["a", "b"], "n": 2}, 4),
        ({"prompt": [1, 2, 3], "best_of": 5}, 5),
        ({"prompt": [[1], [2]], "n": 2, "best_of": 3}, 6),
    ],
)
def test_a_completion_bills_every_answer_to_every_prompt(members: dict, n: int) -> None:
    ask = read("completion", json.dumps({"model": "m", "max_tokens": 0} | members).encode())
    assert (ask.n, ask.max_output) == (n, 0)


@pytest.mark.parametrize("input", ["a", ["a", "b"], [1, 2], [[1, 2], [3]]])
def test_an_embedding_takes_text_and_tokens(input: object) -> None:
    ask = read(
        "embedding", json.dumps({"model": "m", "input": input, "encoding_format": "base64", "dimensions": 8}).encode()
    )
    assert ask.max_output == 0
    assert json.loads(ask.first_user_raw) == input


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"input": ""},
        {"input": []},
        {"input": ["a", ""]},
        {"input": ["a", 1]},
        {"input": {"a": 1}},
        {"input": "a", "encoding_format": "hex"},
        {"input": "a", "dimensions": 0},
        {"input": [[]]},
    ],
)
def test_an_embedding_of_nothing_is_refused(members: dict) -> None:
    refusal("embedding", json.dumps({"model": "m"} | members).encode())
