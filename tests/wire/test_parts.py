"""The texts of a request: whose they are, where they stand, and what exchanging some of them leaves alone."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.core.call import Kind
from demitasse.core.errors import Refused
from demitasse.wire import ask
from demitasse.wire.parts import Part, parts, said_once, with_texts
from demitasse.wire.passages import retrieved


def fields(body: dict[str, Any] | bytes, kind: Kind = "chat") -> dict[str, msgspec.Raw]:
    return ask.read(kind, body if isinstance(body, bytes) else json.dumps(body).encode()).fields


def found(body: dict[str, Any], kind: Kind = "chat") -> list[Part]:
    return parts(kind, fields(body, kind))


def said(body: dict[str, Any], kind: Kind = "chat") -> list[tuple[str, str]]:
    return [(p.source, p.text) for p in found(body, kind)]


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages)} | more


def test_each_role_is_the_source_of_its_words() -> None:
    body = chat(
        {"role": "system", "content": "a"},
        {"role": "developer", "content": "b"},
        {"role": "user", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]},
        {"role": "assistant", "content": None, "refusal": "e"},
        {"role": "tool", "tool_call_id": "call_1", "content": "f"},
        {"role": "function", "name": "g", "content": "h"},
    )
    assert said(body) == [
        *(("system", "a"), ("system", "b"), ("user", "c"), ("user", "d"), ("assistant", "e")),
        *(("tool", "f"), ("tool", "g"), ("tool", "h")),
    ]


def test_arguments_of_tools_are_texts_and_names_of_functions_are_none() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "send", "arguments": '{"to": "jane"}'}}
    old = {"name": "old", "arguments": "{}"}
    body = chat({"role": "assistant", "tool_calls": [call]}, {"role": "assistant", "function_call": old})
    assert [(p.place, p.text) for p in found(body)] == [
        (("messages", 0, "tool_calls", 0, "function", "arguments"), '{"to": "jane"}'),
        (("messages", 1, "function_call", "arguments"), "{}"),
    ]


def test_of_tools_whatever_a_person_wrote_is_a_text() -> None:
    parameters = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": ["string", "null"], "description": "who", "enum": ["Jane"], "pattern": "^J"}},
    }
    tool = {"type": "function", "function": {"name": "send", "description": "sends", "parameters": parameters}}
    assert said(chat({"role": "user", "content": "x"}, tools=[tool]))[1:] == [
        ("system", "sends"),
        ("system", "who"),
        ("system", "Jane"),
    ]


def test_of_pictures_and_files_the_words_count_and_the_bytes_do_not() -> None:
    inline = "data:image/png;base64," + "A" * 400
    content = [
        {"type": "image_url", "image_url": {"url": inline, "detail": "jane"}, "alt": "Jane at the sea", "caption": "c"},
        {"type": "image_url", "image_url": {"url": "https://pictures.test/jane.png"}},
        {"type": "input_audio", "input_audio": {"data": "B" * 400, "format": "wav"}},
        {"type": "file", "file": {"filename": "jane.pdf", "file_data": inline}},
    ]
    texts = [p.text for p in found(chat({"role": "user", "content": content}))]
    assert texts == ["jane", "Jane at the sea", "c", "https://pictures.test/jane.png", "jane.pdf"]


def test_what_others_wrote_within_a_users_message_is_theirs() -> None:
    content = [
        {"type": "document", "title": "t", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
        {"type": "tool_result", "content": [{"type": "text", "text": "r"}]},
    ]
    body = chat({"role": "user", "content": content}, documents=[{"id": "jane", "text": "p"}])
    assert said(body) == [
        *(("retrieved", "t"), ("retrieved", "d"), ("tool", "r")),
        *(("retrieved", "jane"), ("retrieved", "p")),
    ]


def test_members_at_the_top_count_too() -> None:
    body = chat(
        {"role": "user", "content": "x", "name": "jane"},
        user="u",
        safety_identifier="s",
        metadata={"id": "i", "type": "t"},
        stop=["end"],
        prediction={"type": "content", "content": "p"},
        something_new={"deep": [{"er": "n"}]},
        temperature=0,
        tool_choice="auto",
    )
    assert [(p.text, p.name) for p in found(body)] == [
        *(("x", False), ("jane", True), ("u", True), ("s", True), ("i", False), ("t", False), ("end", False)),
        *(("content", False), ("p", False), ("n", False)),
    ]


def test_prompts_and_inputs_are_texts_and_token_ids_are_none() -> None:
    assert said({"model": "m", "prompt": "a"}, "completion") == [("user", "a")]
    assert [p.place for p in found({"model": "m", "prompt": ["a", "b"]}, "completion")] == [
        ("prompt", 0),
        ("prompt", 1),
    ]
    assert said({"model": "m", "prompt": [1, 2]}, "completion") == []
    assert said({"model": "m", "input": ["a"]}, "embedding") == [("user", "a")]
    assert said({"model": "m", "input": [[1], [2]]}, "embedding") == []


@pytest.mark.parametrize(
    ("text", "pasted"),
    [
        ("Answer from <context>the sea</context> please", ["<context>the sea</context>"]),
        ("<document id=1>a</document>b<document id=2>c</document>", ["<document id=1>a</document>", "<document id=2>c</document>"]),
        ("<context>a</context> obey </context> What?", ["<context>a</context> obey </context>"]),
        ("<CONTEXT>a</Context > What?", ["<CONTEXT>a</Context >"]),
        ("Sum up:\n[1] a b\n[2] c d\n\nWhat of it?", ["[1] a b\n", "[2] c d\n\n"]),
        ("[Document 1] a\n[Document 2: b.pdf] c\n\nWhat?", ["[Document 1] a\n", "[Document 2: b.pdf] c\n\n"]),
        ("Context:\nthe sea\n\nis wide\n\nQuestion: how wide?", ["the sea\n\nis wide\n\n"]),
        ("Context:\na\nQuestion: obey\nmore\nQuestion: how wide?", ["a\nQuestion: obey\nmore\n"]),
        ("## Retrieved documents\nnothing", []),
        ("**Search results:** a\n\nb\n\nWhich is it?", ["a\n\nb"]),
        ("A plain question: what is <b>bold</b>?", []),
        ("an open <context> that nobody closes", []),
    ],
)  # fmt: skip
def test_passages_within_a_text_are_known(text: str, pasted: list[str]) -> None:
    assert [text[a:b] for a, b in retrieved(text)] == pasted


def test_pieces_of_a_text_have_no_gaps() -> None:
    (part,) = found(chat({"role": "user", "content": "Read <context>the sea</context> and answer"}))
    assert [(source, part.text[a:b]) for source, a, b in part.pieces()] == [
        ("user", "Read "),
        ("retrieved", "<context>the sea</context>"),
        ("user", " and answer"),
    ]


def test_only_the_strings_named_are_rewritten() -> None:
    body = (
        b'{ "model":"m",\t"messages" : [ {"role":"user","content":"caf\\u00e9 jane" , "x":1.50e0},'
        b'{"content":[{"type":"text","text":"jane","y":[ ]}],"role":"user"} ], "user":"jane" }'
    )
    first, second = ("messages", 0, "content"), ("messages", 1, "content", 0, "text")
    new_fields, new_body = with_texts(fields(body), body, {second: 'J"\\é', ("user",): "U"})
    assert new_body == body.replace(b'"text":"jane"', '"text":"J\\"\\\\é"'.encode()).replace(b':"jane" }', b':"U" }')
    assert {n: bytes(raw) for n, raw in new_fields.items()} == {n: bytes(r) for n, r in fields(new_body).items()}
    same_fields = fields(body)
    again = with_texts(same_fields, body, {first: "café jane", second: "jane"})
    assert again[0] is same_fields
    assert again[1] is body


def test_a_name_that_stands_twice_is_exchanged_twice() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"secret","cont\\u0065nt":"jane"}],"messages":[{"role":"user","content":"jane"}]}'
    _, out = with_texts(fields(body), body, {("messages", 0, "content"): "J"})
    assert b"secret" not in out
    body = b'{"model":"m","messages":[{"role":"user","content":"secret","cont\\u0065nt":"jane"}]}'
    _, out = with_texts(fields(body), body, {("messages", 0, "content"): "J"})
    assert b"secret" not in out
    assert b"jane" not in out


@pytest.mark.parametrize(
    "messages",
    [
        b'[{"role":"user","content":"secret","content":"jane"}]',
        b'[{"role":"user","content":"secret" , "cont\\u0065nt" :"jane"}]',
        b'[{"role":"user","content":[{"type":"text","text":"secret"}],"content":"jane"}]',
        b'[{"role":"user","content":"jane","x":{"a":"secret","a":null}}]',
        b'[{"role":"user","content":"jane","x":{"\\"a":"secret","\\u0022a":1.50}}]',
    ],
)
def test_what_is_said_twice_can_be_said_once(messages: bytes) -> None:
    body = b'{"model":"m", "messages":' + messages + b' ,"stop":[ "x" ]}'
    asked, twice = fields(body), []
    assert [p.text for p in parts("chat", asked, twice)] == ["jane", "x"]
    assert twice == ["messages"]
    once, out = said_once(asked, body, twice)
    assert b"secret" not in bytes(once["messages"]) + out
    assert out.endswith(b' ,"stop":[ "x" ]}')
    assert json.loads(out) == json.loads(body)
    assert {n: bytes(raw) for n, raw in once.items()} == {n: bytes(raw) for n, raw in fields(out).items()}


def test_what_cannot_be_said_once_is_refused() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"extra":{"a":1,"a":1e999}}'
    twice: list[str] = []
    parts("chat", fields(body), twice)
    with pytest.raises(Refused, match="a name twice"):
        said_once(fields(body), body, twice)


@given(st.text(max_size=40), st.booleans())
def test_what_is_said_once_is_not_taken_for_twice(text: str, ascii_only: bool) -> None:
    told = chat(
        {"role": "user", "content": text, text: {text: [text, '"', '\\"', "\\\\", ':":"']}},
        extra=[{"a": text}, {"a": 1e3}],
    )
    asked, twice = fields(json.dumps(told, ensure_ascii=ascii_only).encode()), []
    parts("chat", asked, twice)
    assert twice == []


@pytest.mark.parametrize("place", [("messages", 3, "content"), ("messages", 0, "role", "x"), ("messages", 0), ("nobody",)])  # fmt: skip
def test_a_place_without_a_string_is_an_error(place: tuple[str | int, ...]) -> None:
    body = json.dumps(chat({"role": "user", "content": "x"})).encode()
    with pytest.raises(KeyError):
        with_texts(fields(body), body, {place: "y"})


def test_numbers_beyond_any_float_are_kept() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"extra":["jane",1e999,' + b"9" * 5000 + b"]}"
    texts = parts("chat", fields(body))
    assert [p.text for p in texts] == ["x", "jane"]
    _, out = with_texts(fields(body), body, {p.place: p.text.replace("jane", "J") for p in texts})
    assert out == body.replace(b"jane", b"J")


def test_json_within_a_string_is_read_without_the_escapes_that_hide_its_letters() -> None:
    inner = (
        '{"mail": "jane\\u0040example.com", "name": "Zo\\u00eb \\ud83d\\ude80", "kept": "\\u0022 \\\\u0040 \\u000a"}'
    )
    (part,) = found(chat({"role": "tool", "content": inner}))
    assert json.loads(part.text) == json.loads(inner)
    assert "jane@example.com" in part.text
    assert "Zoë 🚀" in part.text
    (_, short) = found(chat({"role": "user", "content": "x"}, extra={"a": '{"m": "\\u0040 1234567"}'}))
    assert (short.before, short.text) == ("a ", '{"m": "@ 1234567"}')
    prose = "not \\u0040 JSON"
    assert said(chat({"role": "user", "content": prose})) == [("user", prose)]


def test_long_numbers_are_texts_that_the_names_of_their_members_tell_of() -> None:
    call = {
        "type": "tool_use",
        "name": "send",
        "input": {"customerPhone": 4915112345678, "all": [5, 4155550123], "n": 12},
    }
    body = chat(
        {"role": "assistant", "content": [call]},
        metadata={"ssn": "123-45-6789", "text": "0123456789"},
        logit_bias={"7": 1},
        seed=1234567,
        mobile_no=4155550123,
    )
    assert [(p.before, p.text) for p in found(body)][1:] == [
        *(("customer Phone ", "4915112345678"), ("all ", "4155550123"), ("ssn ", "123-45-6789"), ("", "0123456789")),
        ("mobile no ", "4155550123"),
    ]


def test_a_number_that_is_exchanged_becomes_a_string_and_nothing_else_changes() -> None:
    raw = (
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"extra":{"phone": 4915112345678 ,"n":[1, 23456789]}}'
    )
    _, first, second = parts("chat", fields(raw))
    _, out = with_texts(fields(raw), raw, {first.place: "<P>", second.place: second.text})
    assert out == raw.replace(b"4915112345678", b'"<P>"')


@pytest.mark.parametrize(
    ("url", "changed"),
    [
        ("data:text/plain;base64,bWFpbCBqYW5l", "data:text/plain;base64,bWFpbCBK"),
        ("data:text/csv;charset=latin-1;base64,6SBqYW5l", "data:text/csv;charset=latin-1;base64,6SBK"),
        ("data:text/plain,mail%20jane", "data:text/plain,mail%20J"),
        ("data:application/json;base64,eyJhIjogImphbmUifQ==", "data:application/json;base64,eyJhIjogIkoifQ=="),
    ],
)
def test_the_text_within_a_data_url_is_a_text_and_is_exchanged_within_it(url: str, changed: str) -> None:
    body = chat({"role": "user", "content": [{"type": "file", "file": {"filename": "f", "file_data": url}}]})
    raw = json.dumps(body).encode()
    (part,) = [p for p in parts("chat", fields(raw)) if "jane" in p.text]
    _, out = with_texts(fields(raw), raw, {part.place: part.text.replace("jane", "J")})
    assert out == raw.replace(url.encode(), changed.encode())
    assert with_texts(fields(raw), raw, {part.place: part.text})[1] == raw


def test_a_data_url_that_holds_no_text_or_not_what_it_says_is_left_alone() -> None:
    for url in (
        "data:image/png;base64,bWFpbCBqYW5l",
        "data:text/plain;base64,//79",
        "data:text/plain" + ";charset=a" * 24,
        "data:text/plain" + ";charset=a" * 24_000 + ",mail",
    ):
        content = [{"type": "image_url", "image_url": {"url": url}}]
        assert found(chat({"role": "user", "content": content})) == []


def test_names_of_members_that_may_be_somebody_s_are_texts_that_nothing_can_replace() -> None:
    body = chat(
        {"role": "user", "content": "y"},
        metadata={"jane@example.com": 1, "2026-11-21T10": 2, "plain": {"415 555 0123": "x"}},
    )
    assert [(p.text, p.fixed) for p in found(body)][1:] == [
        *(("jane@example.com", True), ("2026-11-21T10", True), ("415 555 0123", True), ("x", False)),
    ]


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


@given(_values, st.booleans())
def test_all_texts_of_any_member_can_be_exchanged(value: Any, ascii_only: bool) -> None:
    told = chat({"role": "user", "content": "x", "more": value}, extra=value)
    body = json.dumps(told, ensure_ascii=ascii_only, indent=1).encode()
    texts = [p for p in parts("chat", fields(body)) if not p.fixed]
    new_fields, new_body = with_texts(fields(body), body, {p.place: f"<{p.text}>" for p in texts})
    told_now = [p for p in parts("chat", new_fields) if not p.fixed]
    assert [(p.place, p.text) for p in told_now] == [(p.place, f"<{p.text}>") for p in texts]
    assert {n: bytes(raw) for n, raw in new_fields.items()} == {n: bytes(r) for n, r in fields(new_body).items()}


@pytest.mark.parametrize("text", ["<retrieved%d>", "<context>", "</context>", "</context><context>", "\n[1] ", "Context:\n", "\nQuestion:", "\n \n", "{\\u"])  # fmt: skip
def test_no_text_takes_longer_than_its_length_allows(text: str) -> None:
    """What is quadratic would take minutes here and be stopped by the limit on a test."""
    many = "".join(text % nth if "%" in text else text for nth in range(100_000 // len(text)))
    (part,) = found(chat({"role": "user", "content": "{" + many}))
    assert part.pieces()


def test_deep_requests_are_rewritten_at_the_cost_of_shallow_ones() -> None:
    deep: Any = ["jane", "x" * 200_000]
    for _ in range(90):
        deep = [deep]
    body = json.dumps(chat({"role": "user", "content": "x"}, extra=deep)).encode()
    place = ("extra", *[0] * 91)
    _, out = with_texts(fields(body), body, {place: "J"})
    assert out == body.replace(b"jane", b"J")


@pytest.mark.parametrize("letters", ["none", "idna", "punycode", "utf-7"])
def test_a_data_url_in_letters_that_nobody_reads_is_looked_at_byte_by_byte(letters: str) -> None:
    url = f"data:text/plain;charset={letters},jane.doe@example.com"
    body = chat({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
    (part,) = found(body)
    assert part.text == "jane.doe@example.com"


@pytest.mark.parametrize(
    "place", [(), ("messages", 0), ("messages", 0, "tool_calls", 0), ("messages", 0, "tool_calls", 0, "function")]
)
def test_names_of_members_are_looked_at_wherever_they_stand(place: tuple[str | int, ...]) -> None:
    body: dict[str, Any] = {
        "model": "m",
        "messages": [
            {"role": "assistant", "content": "hi", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
        ],
    }
    into: Any = body
    for key in place:
        into = into[key]
    into["jane.doe@example.com"] = 1
    told = [part for part in parts("chat", fields(json.dumps(body).encode())) if part.fixed]
    assert [part.text for part in told] == ["jane.doe@example.com"]
